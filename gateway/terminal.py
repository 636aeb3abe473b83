"""What the commands take in and put out: texts, media, tables, one-line complaints."""

from __future__ import annotations

import re
import shutil
import sys
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn
from urllib.parse import unquote

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gateway.caller import Upload

FILE_MAX_BYTES = 1024 * 1024 * 1024
TEXT_MAX_BYTES = 1024 * 1024
WIDTH = 80
NARROWEST = 40
GAP = 2
INDENT = "  "
JOINERS = "\u200c\u200d\u200e\u200f"
"""Written by people: they join an emoji of several, and tell which way a word runs. They move no cursor."""
_WORD = re.compile(r"\s*\S+")


def fail(line: str, code: int = 1) -> NoReturn:
    """End the command with one line on standard error."""
    complain(line)
    raise typer.Exit(code)


def complain(line: str) -> None:
    typer.echo(printable(f"multihome: {line}"), err=True)


def _text(file: str) -> str:
    """The words of a file, or of standard input."""
    data = _standard_input() if file == "-" else _read(Path(file), TEXT_MAX_BYTES)
    try:
        words = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        fail(f"{file}: byte {error.start} is not UTF-8 text; save it as UTF-8")
    if not words:
        fail(f"{'standard input' if file == '-' else file} is empty: there is nothing to announce")
    return words


def _standard_input() -> bytes:
    if sys.stdin is None:
        fail("standard input is closed: pipe the text in, or name a file")
    try:
        return _bounded(sys.stdin.buffer, TEXT_MAX_BYTES, "standard input")
    except OSError as error:
        fail(f"standard input can't be read: {error.strerror}")


def written(file: str, images: list[Path] | None, alts: list[str] | None, *, plain: bool) -> tuple[str, list[Upload]]:
    """The words of a file, and all media that go with them: those named here, and those that it names itself."""
    words, media = _text(file), _uploads(images or [], alts or [])
    return words, media if plain or file == "-" else [*media, *_pictures_of(words, file)]


def _uploads(paths: list[Path], alts: list[str]) -> list[Upload]:
    """The first description is the first one's, and so on."""
    if len(alts) > len(paths):
        fail(f"there are {len(alts)} descriptions for {len(paths)} media: one --alt for each --image, in their order")
    return [_upload(path, alt) for path, alt in zip(paths, [*alts, *[""] * len(paths)], strict=False)]


def _pictures_of(words: str, file: str) -> list[Upload]:
    """The pictures that a Markdown file names beside or below itself."""
    from gateway.text.markdown import local_pictures

    folder = Path(file).resolve().parent
    found = []
    for name in local_pictures(words):
        path = next((path for one in (name, unquote(name)) if (path := folder / one).is_file()), folder / name)
        if folder not in path.resolve().parents:
            fail(f"{file}: the picture {name} is not in the file's own folder; move it there, or use --image")
        found.append(_upload(path, "", written=name))
    return found


def _upload(path: Path, alt: str, written: str = "") -> Upload:
    from gateway.caller import Upload
    from gateway.media.errors import MediaError
    from gateway.media.probe import probed

    data = _read(path, FILE_MAX_BYTES)
    try:
        probed(data)
    except MediaError as error:
        fail(f"{path} can't be posted: {error}")
    return Upload(data, path.name, alt, written)


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return _bounded(file, most_bytes, str(path))
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror}")


def _bounded(file: BinaryIO, most_bytes: int, name: str) -> bytes:
    data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        fail(f"{name} is larger than {most_bytes // 1024 // 1024} MiB")
    return data


def table(
    what: str,
    columns: tuple[str, ...],
    rows: Sequence[Mapping[str, Any]],
    below: Callable[[Any], Iterable[str]] = lambda _: (),
) -> None:
    """As wide as the terminal. The last column is words, which stand below their row where they don't fit into it; so
    do the lines that ``below`` gives for it. An address on a line of its own is never cut: people click and copy it.
    """
    if not rows:
        typer.echo(f"No {what}.")
        return
    heads = tuple(column.upper() for column in columns)
    cells = [heads, *(tuple(_cell(row.get(column)) for column in columns) for row in rows)]
    widths = _widths([row[:-1] for row in cells], width() - GAP * (len(columns) - 2))
    for row, more in zip(cells, [(), *map(below, rows)], strict=True):
        say(*_row(row, widths))
        say(*more, indent=INDENT)


def _widths(cells: Sequence[tuple[str, ...]], room: int) -> list[int]:
    """As wide as what stands there; where that is too much, the widest gives way first."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    while sum(widths) > room:
        widths[widths.index(max(widths))] -= 1
    return widths


def _row(cells: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    """A row's lines: its short cells side by side, each in its column, and its words behind or below them."""
    from rich.cells import cell_len, chop_cells, set_cell_size

    *firm, words = cells
    pieces = [chop_cells(cell, room) for cell, room in zip(firm, widths, strict=True)]
    first, *others = [
        (" " * GAP).join(set_cell_size(piece, room) for piece, room in zip(line, widths, strict=True))
        for line in zip_longest(*pieces, fillvalue="")
    ] or [""]
    fits = sum(widths) + GAP * len(widths) + cell_len(words) <= width()
    yield first + " " * GAP + words if fits else first
    yield from others
    yield from () if fits else (INDENT + line for line in folded(words, width() - len(INDENT)))


def say(*lines: str, indent: str = "") -> None:
    """Each in as many lines of the terminal as it needs."""
    for line in lines:
        for piece in folded(line, width() - len(indent)):
            typer.echo((indent + piece).rstrip())


def width() -> int:
    """How many columns there are; as many as is usual, where there is no terminal."""
    return max(NARROWEST, shutil.get_terminal_size((WIDTH, 0)).columns)


def folded(text: str, columns: int) -> list[str]:
    """Lines of so many columns at most, cut between words. A longer word is cut where it must be, an address never."""
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for word in _WORD.findall(printable(text)):
        whole = "://" in word
        if lines[-1] and cell_len(lines[-1] + word) > columns and (whole or cell_len(word) <= columns):
            lines.append(word.lstrip())
        else:
            lines[-1] += word
        if not whole:
            lines[-1:] = chop_cells(lines[-1], columns) or [lines[-1]]
    return lines


def cut(text: str, columns: int) -> str:
    """The beginning of a text that fits into so many columns."""
    from rich.cells import chop_cells

    flat = " ".join(printable(text).split())
    pieces = chop_cells(flat, columns)
    return flat if len(pieces) <= 1 else chop_cells(flat, columns - 1)[0].rstrip() + "…"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return "" if value is None else printable(str(value))


def printable(text: str) -> str:
    """Platforms and people write some of what is shown: nothing of theirs steers a terminal."""
    return "".join(char if char.isprintable() or char in JOINERS else " " if char.isspace() else "?" for char in text)

"""What the commands take in and put out: texts, media, tables, one-line complaints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn
from urllib.parse import unquote

import typer

if TYPE_CHECKING:
    from gateway.caller import Upload

FILE_MAX_BYTES = 1024 * 1024 * 1024
TEXT_MAX_BYTES = 1024 * 1024


def fail(line: str, code: int = 1) -> NoReturn:
    """End the command with one line on standard error."""
    complain(line)
    raise typer.Exit(code)


def complain(line: str) -> None:
    typer.echo(printable(f"multihome: {line}"), err=True)


def text(file: str) -> str:
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


def uploads(paths: list[Path], alts: list[str]) -> list[Upload]:
    """Media that go with a text: the first description is the first one's, and so on."""
    if len(alts) > len(paths):
        fail(f"there are {len(alts)} descriptions for {len(paths)} media: one --alt for each --image, in their order")
    return [_upload(path, alt) for path, alt in zip(paths, [*alts, *[""] * len(paths)], strict=False)]


def pictures_of(words: str, file: str) -> list[Upload]:
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


def table(what: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """On a terminal fitted to its width; elsewhere one line for each row, whatever its length."""
    cells = [tuple(_cell(row.get(column)) for column in columns) for row in rows]
    if not rows:
        typer.echo(f"No {what}.")
    elif sys.stdout.isatty():
        _fitted(columns, cells)
    else:
        heads = tuple(column.upper() for column in columns)
        widths = [max(len(row[number]) for row in (heads, *cells)) for number in range(len(columns))]
        for row in (heads, *cells):
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _fitted(columns: tuple[str, ...], cells: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, column in enumerate(columns):
        shown.add_column(column.upper(), overflow="fold", no_wrap=number == 0)
    for row in cells:
        shown.add_row(*row)
    Console(highlight=False, markup=False, emoji=False).print(shown)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return "" if value is None else printable(str(value))


def printable(text: str) -> str:
    """Platforms and people write some of what is shown: nothing of theirs steers a terminal."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in text)

"""What the commands put out: tables, words in lines of the terminal, JSON, one-line complaints."""

from __future__ import annotations

import json
import re
import shutil
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gateway.commands.runs import Runs

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


def print_json(answer: Any) -> None:
    typer.echo(json.dumps(answer))


def say_whose(runs: Runs) -> None:
    if not runs.here:
        typer.echo(runs.whose, err=True)


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

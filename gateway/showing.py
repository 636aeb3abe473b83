"""``multihome preview``: how a post would come out, account by account."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands import DEFAULT_CONFIG, ConfigFile, Json, ask, print_json
from gateway.terminal import pictures_of, printable, text, uploads

WIDTH = 80
MARGIN = "  | "


def preview(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The text; - reads standard input.")],
    account: Annotated[list[str] | None, typer.Option("--account", "-a", help="Only there; may be repeated.")] = None,
    image: Annotated[
        list[Path] | None, typer.Option(help="A picture, film, sound or file to go with it; may be repeated.")
    ] = None,
    alt: Annotated[
        list[str] | None, typer.Option(help="What it shows, for who can't see it: the first for the first, and so on.")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="The text is not Markdown.")] = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show how a post would come out on each account. Nothing is posted."""
    words = text(file)
    shown = uploads(image or [], alt or [])
    if not plain and file != "-":
        shown += pictures_of(words, file)
    answer, _ = ask(config, "preview", uploads=shown, text=words, accounts=account, plain=plain)
    if as_json:
        print_json(answer)
    else:
        for number, one in enumerate(answer):
            typer.echo("\n".join(([""] if number else []) + [*_account(one)]))
    if any(one["refused"] for one in answer):
        raise typer.Exit(1)


def _account(one: dict[str, Any]) -> Iterator[str]:
    """An account's posts as lines of 80 columns."""
    if one["refused"]:
        yield from _wrapped(f"{one['account']}: refused: {one['refused']}", "  ")
        return
    posts = "1 post" if len(one["parts"]) == 1 else f"{len(one['parts'])} posts"
    cost = "" if one["cost_usd"] is None else f", costs {one['cost_usd']:.3f} USD"
    yield printable(f"{one['account']}: {posts}{cost}")
    for number, part in enumerate(one["parts"], 1):
        yield f"  {number}: {part['length']} of {part['limit']} {part['unit']}"
        for line in part["text"].split("\n"):
            yield from _wrapped(line, MARGIN, MARGIN) if line.strip() else (MARGIN.rstrip(),)
        for line in (*part.get("media", ()), *part.get("extras", ())):
            yield from _wrapped(f"+ {line}", "    ", "  ")
    for note in one["notes"]:
        yield from _wrapped(f"note: {note}", "    ", "  ")


def _wrapped(line: str, indent: str, first: str = "") -> list[str]:
    return textwrap.wrap(
        printable(line), WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
    )  # fmt: skip

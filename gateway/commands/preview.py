"""``multihome preview``: how a post would come out, account by account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from gateway.commands.asking import ask
from gateway.commands.options import DEFAULT_CONFIG, Accounts, Alts, ConfigFile, Images, Json, Plain, TextFile
from gateway.commands.terminal import INDENT, WIDTH, folded, print_json, printable, width
from gateway.commands.written import written

MARGIN = "  | "


def preview(
    file: TextFile,
    account: Accounts = None,
    image: Images = None,
    alt: Alts = None,
    plain: Plain = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show how a post would come out on each account. Nothing is posted."""
    words, media = written(file, image, alt, plain=plain)
    answer, _ = ask(config, "preview", uploads=media, text=words, accounts=account, plain=plain)
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
        yield from _hung("", f"{one['account']}: refused: {one['refused']}")
        return
    posts = "1 post" if len(one["parts"]) == 1 else f"{len(one['parts'])} posts"
    cost = "" if one["cost_usd"] is None else f", costs {one['cost_usd']:.3f} USD"
    yield printable(f"{one['account']}: {posts}{cost}")
    for number, part in enumerate(one["parts"], 1):
        yield f"  {number}: {part['length']} of {part['limit']} {part['unit']}"
        yield from (f"{MARGIN}{piece}".rstrip() for line in part["text"].split("\n") for piece in _folded(line, MARGIN))
        for line in (*part.get("media", ()), *part.get("extras", ())):
            yield from _hung(INDENT, f"+ {line}")
    for note in one["notes"]:
        yield from _hung(INDENT, f"note: {note}")


def _hung(indent: str, line: str) -> Iterator[str]:
    """Its later lines stand further in."""
    first, *others = _folded(line, indent + INDENT)
    yield indent + first
    yield from (indent + INDENT + other for other in others)


def _folded(line: str, indent: str) -> list[str]:
    return folded(line, min(WIDTH, width()) - len(indent))

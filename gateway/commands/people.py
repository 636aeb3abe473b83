"""``multihome link`` and ``multihome unlink``: which identities are one person."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commands.asking import ask
from gateway.commands.options import DEFAULT_CONFIG, USAGE, ConfigFile, Json
from gateway.commands.terminal import fail, print_json, say, say_whose, table


def link(
    first: Annotated[str | None, typer.Argument(help="platform:@handle, or platform:id=123")] = None,
    second: Annotated[str | None, typer.Argument(help="platform:@handle, or platform:id=123")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Two identities are one person, by your word. Without names: list the links."""
    if (first is None) != (second is None):
        fail(f"{first!r} is linked with whom? Name two: multihome link PLATFORM:@HANDLE PLATFORM:@HANDLE", USAGE)
    names = {} if first is None else {"first": first, "second": second}
    answer, runs = ask(config, "link" if names else "links", **names)
    if as_json:
        print_json(answer)
    elif not names:
        table("links", ("first", "second", "evidence", "at"), [{**row, "at": row["at"][:16]} for row in answer])
        say_whose(runs)
    else:
        say(f"One person: {', '.join(answer['identities'])}")


def unlink(
    first: Annotated[str, typer.Argument(help="platform:@handle, or platform:id=123")],
    second: Annotated[str, typer.Argument(help="platform:@handle, or platform:id=123")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Undo a link."""
    answer, _ = ask(config, "unlink", first=first, second=second)
    if as_json:
        print_json(answer)
    else:
        say(f"{first} and {second} are not linked any more.")

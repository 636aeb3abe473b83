"""``multihome edit`` and ``multihome delete``: what is out already says something else, or goes away."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.commands import DEFAULT_CONFIG, ConfigFile, Json, ask, print_json
from gateway.terminal import table, text

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="An announcement's id or key (every copy), or one delivery's id.")
]


def edit(
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The new text; - reads standard input.")],
    plain: Annotated[bool, typer.Option("--plain", help="The text is not Markdown.")] = False,
    without_media: Annotated[
        bool, typer.Option("--without-media", help="Its pictures and films go; else they stay.")
    ] = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Have every copy of something say this instead."""
    arguments = {"name": name, "text": text(file), "plain": plain, "without_media": without_media}
    _tell(*ask(config, "edit", **arguments), as_json=as_json)


def delete(name: Name, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Take every copy of something away."""
    _tell(*ask(config, "delete", name=name), as_json=as_json)


def _tell(answer: dict[str, Any], running: bool, *, as_json: bool) -> None:
    """One line for each copy."""
    if as_json:
        print_json({**answer, "running": running})
    else:
        table("copies", ("account", "outcome", "reason", "url"), answer["copies"])
        if not running:
            typer.echo("No gateway runs: what has left is changed when one is started (multihome run).")
    if any(copy["outcome"] in ("refused", "expired") for copy in answer["copies"]):
        raise typer.Exit(1)

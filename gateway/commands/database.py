"""``multihome backup`` and ``multihome migrate``: the database itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.asking import ask, refuse
from gateway.commands.options import DEFAULT_CONFIG, ConfigFile, Json
from gateway.commands.terminal import fail, print_json, say


def backup(
    file: Annotated[Path, typer.Argument(help="A new file for the copy.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Copy an SQLite database whole, while the gateway goes on. (PostgreSQL has pg_dump.)"""
    answer, _ = ask(config, "backup", file=str(file.absolute()))
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['file']}: {answer['size_bytes']} bytes, everything as it was at one moment.")


def migrate(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Bring the database to this program's version. The gateway does it at start as well."""
    from gateway.commands.caller import CallError
    from gateway.commands.caller import migrate as bring_up_to_date
    from gateway.config import ConfigError, place_of

    try:
        answer = bring_up_to_date(place_of(config))
    except CallError as error:
        fail(str(error))
    except ConfigError as error:
        refuse(error)
    if as_json:
        print_json(answer)
    elif answer["running"]:
        typer.echo("The database is up to date: the running gateway has seen to it.")
    else:
        typer.echo(f"The database {'was made' if answer['made'] else 'is up to date'}: schema {answer['schema']}.")

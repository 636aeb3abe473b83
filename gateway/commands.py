"""What all commands have in common: their options, the configuration, and asking the gateway."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gateway.terminal import fail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config import Config, ConfigError

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
OwnConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file.")]
"""For a command below another, which has the default."""
TextFile = Annotated[str, typer.Argument(metavar="FILE|-", help="The text; - reads standard input.")]
Accounts = Annotated[list[str] | None, typer.Option("--account", "-a", help="Only there; may be repeated.")]
Images = Annotated[
    list[Path] | None,
    typer.Option("--image", help="A picture, film, sound or file to go with it; may be repeated."),
]
Alts = Annotated[
    list[str] | None,
    typer.Option("--alt", help="What it shows, for who can't see it: the first for the first, and so on."),
]
Plain = Annotated[bool, typer.Option("--plain", help="The text is not Markdown.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON value on standard output, for scripts.")]
DEFAULT_CONFIG = Path("multihome.toml")
USAGE = 2


def load(path: Path, environ: Mapping[str, str] | None) -> Config:
    """The configuration; what is wrong with it ends the command."""
    from gateway import wiring
    from gateway.config import ConfigError
    from gateway.config import load as read

    try:
        return read(path, wiring.platforms(), environ)
    except ConfigError as error:
        refuse(error)


def refuse(error: ConfigError) -> NoReturn:
    """End the command with all that is wrong with the configuration."""
    for problem in error.problems:
        typer.echo(problem, err=True)
    raise typer.Exit(USAGE) from error


def ask(config: Path, operation: str, **arguments: Any) -> tuple[Any, bool]:
    """The desk's answer, and whether a running gateway gave it."""
    from gateway.caller import CallError, call
    from gateway.config import ConfigError, place_of

    environ = os.environ if operation == "check" else None
    try:
        return call(place_of(config).files, lambda: load(config, environ), operation, **arguments)
    except CallError as error:
        fail(str(error))
    except ConfigError as error:
        refuse(error)


def print_json(answer: Any) -> None:
    typer.echo(json.dumps(answer))


def say_whose(*, running: bool) -> None:
    if not running:
        typer.echo("No gateway runs: this is what the database knows.", err=True)

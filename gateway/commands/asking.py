"""What commands ask of: the configuration, and the gateway's desk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from gateway.commands.options import USAGE
from gateway.commands.terminal import fail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.commands.runs import Runs
    from gateway.config import Config, ConfigError


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


def ask(config: Path, operation: str, **arguments: Any) -> tuple[Any, Runs]:
    """The desk's answer, and whether a running gateway gave it: one that runs here."""
    from gateway.commands.caller import CallError, call
    from gateway.config import ConfigError, place_of

    environ = os.environ if operation == "check" else None
    try:
        return call(place_of(config), lambda: load(config, environ), operation, **arguments)
    except CallError as error:
        fail(str(error))
    except ConfigError as error:
        refuse(error)

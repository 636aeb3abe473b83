"""``multihome run`` and ``multihome sandbox``: what goes on until it is told to stop."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.asking import load
from gateway.commands.options import DEFAULT_CONFIG, USAGE, ConfigFile, Json
from gateway.commands.terminal import fail

if TYPE_CHECKING:
    from collections.abc import Callable

HIGHEST_PORT = 65_000


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def run(
    config: ConfigFile = DEFAULT_CONFIG,
    log_json: Annotated[bool, typer.Option("--log-json", help="Logs as JSON lines.")] = False,
    log_level: Annotated[Level, typer.Option(help="How much is logged; debug shows the libraries' words too.")] = (
        Level.INFO
    ),
) -> None:
    """Run the gateway until it is told to stop (Ctrl-C, SIGTERM)."""
    from logging import getLevelNamesMapping

    from gateway.commands.serve import serve

    loaded = load(config, os.environ)
    guarded(lambda: serve(loaded, log_json=log_json, level=getLevelNamesMapping()[log_level.upper()]))


def sandbox(
    port: Annotated[int, typer.Option(help="The control's port; 0 is any free one.", min=0, max=HIGHEST_PORT)] = 0,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Write a configuration for a gateway in that world.")
    ] = None,
    agent: Annotated[str, typer.Option(help="The agent in that configuration, as module:function.")] = "",
    as_json: Json = False,
) -> None:
    """Run a world of five networks on this machine, without credentials."""
    from gateway.commands.serve import serve_sandbox

    if agent and config is None:
        fail("--agent is written to a configuration: name it with --config", USAGE)
    guarded(lambda: serve_sandbox(port, as_json=as_json, config=config, handler=agent))


def guarded(work: Callable[[], int]) -> None:
    """Run something long; what it can't do is told in one line."""
    from gateway.commands.serve import RunError

    try:
        code = work()
    except RunError as error:
        fail(str(error))
    if code:
        raise typer.Exit(code)

"""The command line. Commands import what they need when they run: ``--help`` answers at once."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from gateway.commands.accounts import accounts_app, status
from gateway.commands.announce import announce
from gateway.commands.database import backup, migrate
from gateway.commands.deliveries import deliveries_app
from gateway.commands.doctor import doctor
from gateway.commands.edit import delete, edit
from gateway.commands.people import link, unlink
from gateway.commands.preview import preview
from gateway.commands.run import run, sandbox
from gateway.commands.terminal import complain
from gateway.commands.unanswered import unanswered_app
from gateway.demo.command import demo

app = typer.Typer(
    name="multihome",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (run, sandbox, demo, preview, announce, edit, delete, status, link, unlink, doctor, backup, migrate):
    app.command()(command)
app.add_typer(accounts_app, name="accounts")
app.add_typer(deliveries_app, name="deliveries")
app.add_typer(unanswered_app, name="unanswered")

BUG = 70
INTERRUPTED = 130
TERMINATED = 143


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"multihome {version('multihome')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Keeps an agent, a bot or a project's announcements alive on several platforms."""


def main() -> None:
    """The console script. What goes wrong is told in one line."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # they are text files here
    signal.signal(signal.SIGTERM, _terminated)
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # the reader of our output went away; Python would say so once more at its end
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("MULTIHOME_TRACEBACK"):
            raise
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where is not None else "nowhere"
        complain(f"this is a bug: {type(error).__name__} at {place}; MULTIHOME_TRACEBACK=1 shows all of it")
        sys.exit(BUG)


def _terminated(*_: object) -> NoReturn:
    raise SystemExit(TERMINATED)

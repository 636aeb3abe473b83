"""The command line. Commands import what they need when they run: ``--help`` answers at once."""

from __future__ import annotations

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gateway.commands import (
    DEFAULT_CONFIG,
    USAGE,
    Accounts,
    Alts,
    ConfigFile,
    Images,
    Json,
    OwnConfigFile,
    Plain,
    TextFile,
    ask,
    load,
    print_json,
    refuse,
    say_whose,
)
from gateway.correcting import delete, edit
from gateway.deliveries import deliveries_app, first_address
from gateway.showing import preview
from gateway.terminal import complain, fail, say, table, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

app = typer.Typer(
    name="multihome",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
accounts_app = typer.Typer(help="The accounts and their standing.", invoke_without_command=True)
app.add_typer(accounts_app, name="accounts")
app.add_typer(deliveries_app, name="deliveries")
app.command()(preview)
app.command()(edit)
app.command()(delete)

HIGHEST_PORT = 65_000
BUG = 70
INTERRUPTED = 130
TERMINATED = 143


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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


@app.command()
def run(
    config: ConfigFile = DEFAULT_CONFIG,
    log_json: Annotated[bool, typer.Option("--log-json", help="Logs as JSON lines.")] = False,
    log_level: Annotated[Level, typer.Option(help="How much is logged; debug shows the libraries' words too.")] = (
        Level.INFO
    ),
) -> None:
    """Run the gateway until it is told to stop (Ctrl-C, SIGTERM)."""
    from logging import getLevelNamesMapping

    from gateway.running import serve

    loaded = load(config, os.environ)
    _guarded(lambda: serve(loaded, log_json=log_json, level=getLevelNamesMapping()[log_level.upper()]))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="The control's port; 0 is any free one.", min=0, max=HIGHEST_PORT)] = 0,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Write a configuration for a gateway in that world.")
    ] = None,
    agent: Annotated[str, typer.Option(help="The agent in that configuration, as module:function.")] = "",
    as_json: Json = False,
) -> None:
    """Run a world of five networks on this machine, without credentials."""
    from gateway.running import serve_sandbox

    if agent and config is None:
        fail("--agent is written to a configuration: name it with --config", USAGE)
    _guarded(lambda: serve_sandbox(port, as_json=as_json, config=config, handler=agent))


@app.command()
def demo(
    suspend: Annotated[str, typer.Option(help="Which platform loses the account.")] = "",
    fault: Annotated[str, typer.Option(help="suspended, locked, signed_out or outage.")] = "suspended",
    kill: Annotated[bool, typer.Option("--kill", help="SIGKILL the gateway twice in mid-broadcast.")] = False,
    messages: Annotated[int, typer.Option(help="How many announcements.", min=4, max=500)] = 18,
    seed: Annotated[int, typer.Option(help="Decides who says what when.")] = 1,
    as_json: Json = False,
) -> None:
    """Watch a platform suspend the account in the middle of everything, and nothing get lost."""
    from gateway.demo.command import demonstrate

    wishes = {"suspend": suspend, "fault": fault, "kill": kill, "messages": messages, "seed": seed}
    _guarded(lambda: demonstrate(wishes, as_json=as_json))


@app.command()
def announce(
    file: TextFile,
    account: Accounts = None,
    image: Images = None,
    alt: Alts = None,
    key: Annotated[str, typer.Option(help="The same key again announces nothing twice.")] = "",
    plain: Plain = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Say one thing on every account's own public place."""
    words, media = written(file, image, alt, plain=plain)
    asked = {"text": words, "accounts": account, "key": key, "plain": plain}
    answer, running = ask(config, "announce", uploads=media, **asked)
    if as_json:
        print_json({**answer, "running": running})
        return
    table("announcement: no account announces", ("account", "state", "reason"), answer["deliveries"], first_address)
    say(f"Its name: {answer['announcement']} (multihome edit NAME FILE, multihome delete NAME)")
    if not running:
        say("No gateway runs: it goes out when one is started (multihome run).")


@app.command()
def status(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """How every account stands, and what is under way."""
    answer, running = ask(config, "status")
    if as_json:
        print_json({**answer, "running": running})
        return
    typer.echo("The gateway is running." if running else "No gateway runs: this is what the database knows.")
    _accounts(answer["accounts"])
    totals = ", ".join(f"{number} {state}" for state, number in sorted(answer["deliveries"].items()))
    say(f"Deliveries: {totals or 'none yet'}")


@accounts_app.callback()
def accounts(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Every account: its standing, since when, and what a human has to do."""
    context.obj = (config, as_json)
    if context.invoked_subcommand is not None:
        return
    answer, running = ask(config, "accounts")
    if as_json:
        print_json(answer)
        return
    _accounts(answer)
    say_whose(running=running)


@accounts_app.command()
def resume(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="platform/name")],
    config: OwnConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell the gateway that a human has unlocked an account."""
    config_before, json_before = context.obj  # `accounts --json resume` means the same as `accounts resume --json`
    answer, running = ask(config or config_before, "resume", account=account)
    if as_json or json_before:
        print_json({**answer, "running": running})
    elif running:
        say(f"{answer['account']} is taken for {answer['standing']}; a look at the platform follows.")
    else:
        say(f"No gateway runs: {answer['account']} is tried when one is started (multihome run).")


@app.command()
def link(
    first: Annotated[str | None, typer.Argument(help="platform:@handle")] = None,
    second: Annotated[str | None, typer.Argument(help="platform:@handle")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Two identities are one person, by your word. Without names: list the links."""
    if (first is None) != (second is None):
        fail(f"{first} is linked with whom? Name two: multihome link PLATFORM:@HANDLE PLATFORM:@HANDLE", USAGE)
    names = {"first": first, "second": second} if first else {}
    answer, running = ask(config, "link" if first else "links", **names)
    if as_json:
        print_json(answer)
    elif first is None:
        table("links", ("first", "second", "evidence", "at"), [{**row, "at": row["at"][:16]} for row in answer])
        say_whose(running=running)
    else:
        say(f"One person: {', '.join(answer['identities'])}")


@app.command()
def unlink(
    first: Annotated[str, typer.Argument(help="platform:@handle")],
    second: Annotated[str, typer.Argument(help="platform:@handle")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Undo a link."""
    answer, _ = ask(config, "unlink", first=first, second=second)
    if as_json:
        print_json(answer)
    else:
        say(f"{first} and {second} are not linked any more.")


@app.command()
def doctor(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Check the configuration and every credential, read-only; each problem with its cure."""
    from gateway import doctor as examination

    checks, running = ask(config, "check")
    gateway = examination.gateway(load(config, None), running=running)
    findings = [*examination.machine(), gateway, *examination.examine(checks)]
    if as_json:
        print_json(findings)
    else:
        table("findings", ("what", "ok", "found"), findings, _cure)
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)


@app.command()
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


@app.command()
def migrate(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Bring the database to this program's version. The gateway does it at start as well."""
    from gateway.caller import CallError
    from gateway.caller import migrate as bring_up_to_date
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


def _guarded(work: Callable[[], int]) -> None:
    """Run something long; what it can't do is told in one line."""
    from gateway.running import RunError

    try:
        code = work()
    except RunError as error:
        fail(str(error))
    if code:
        raise typer.Exit(code)


def _accounts(rows: list[dict[str, Any]]) -> None:
    shared = ("gateway",) if any(row["gateway"] for row in rows) else ()
    table("accounts", ("account", "standing", *shared, "evidence"), rows, _cure)


def _cure(row: dict[str, Any]) -> Iterator[str]:
    if row["cure"]:
        yield f"cure: {row['cure']}"

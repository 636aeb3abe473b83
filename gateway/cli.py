"""The command line. Commands import what they need when they run: ``--help`` answers at once."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from gateway.config import Config, ConfigError

app = typer.Typer(
    name="multihome",
    help="Keeps an agent, a bot or a project's announcements alive on several platforms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
accounts_app = typer.Typer(help="The accounts and their standing.", invoke_without_command=True)
app.add_typer(accounts_app, name="accounts")

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON value on standard output, for scripts.")]
DEFAULT_CONFIG = Path("multihome.toml")


@app.command()
def run(
    config: ConfigFile = DEFAULT_CONFIG,
    log_json: Annotated[bool, typer.Option("--log-json", help="Logs as JSON lines.")] = False,
) -> None:
    """Run the gateway until it is told to stop (Ctrl-C, SIGTERM)."""
    from gateway.running import serve

    loaded = _load(config)
    _guarded(lambda: serve(loaded, log_json=log_json))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="The control's port; 0 is any free one.")] = 0,
    as_json: Json = False,
) -> None:
    """Run a world of five networks on this machine, without credentials."""
    from gateway.running import serve_sandbox

    _guarded(lambda: serve_sandbox(port, as_json=as_json))


@app.command()
def demo(
    suspend: Annotated[str, typer.Option(help="Which platform loses the account.")] = "",
    fault: Annotated[str, typer.Option(help="suspended, locked, signed_out or outage.")] = "suspended",
    kill: Annotated[bool, typer.Option("--kill", help="SIGKILL the gateway twice in mid-broadcast.")] = False,
    messages: Annotated[int, typer.Option(help="How many announcements.", min=4, max=500)] = 12,
    seed: Annotated[int, typer.Option(help="Decides who says what when.")] = 1,
    as_json: Json = False,
) -> None:
    """Watch a platform suspend the account in the middle of everything, and nothing get lost."""
    from gateway.demo.command import demonstrate

    wishes = {"suspend": suspend, "fault": fault, "kill": kill, "messages": messages, "seed": seed}
    _guarded(lambda: demonstrate(wishes, as_json=as_json))


@app.command()
def announce(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The text; - reads standard input.")],
    account: Annotated[list[str] | None, typer.Option("--account", "-a", help="Only there; may be repeated.")] = None,
    image: Annotated[Path | None, typer.Option(help="One picture to go with it.")] = None,
    alt: Annotated[str, typer.Option(help="What the picture shows, for who can't see it.")] = "",
    key: Annotated[str, typer.Option(help="The same key again announces nothing twice.")] = "",
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Say one thing on every account's own public place."""
    picture = base64.b64encode(_read(image)).decode() if image else None
    arguments = {"text": _text(file), "accounts": account, "key": key, "image": picture, "alt": alt}
    answer, running = _call(config, "announce", **arguments)
    if as_json:
        _print_json(answer)
        return
    _table("Announced", ("account", "state", "reason"), answer["deliveries"])
    if not running:
        typer.echo("No gateway runs: it goes out when one is started (multihome run).")


@app.command()
def status(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """How every account stands, and what is under way."""
    answer, running = _call(config, "status")
    answer["running"] = running
    if as_json:
        _print_json(answer)
        return
    typer.echo("The gateway is running." if running else "No gateway runs: this is what the database knows.")
    _accounts(answer["accounts"])
    totals = ", ".join(f"{number} {state}" for state, number in sorted(answer["deliveries"].items()))
    typer.echo(f"Deliveries: {totals or 'none yet'}")


@app.command()
def deliveries(
    account: Annotated[str | None, typer.Option("--account", "-a", help="Only what goes by this account.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """What went out, is on its way, or waits; the newest first."""
    answer, _ = _call(config, "deliveries", account=account, state=state, limit=limit)
    if as_json:
        _print_json(answer)
        return
    _table("Deliveries", ("id", "account", "home", "state", "reason"), answer)


@accounts_app.callback()
def accounts(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Every account: its standing, since when, and what a human has to do."""
    if context.invoked_subcommand is not None:
        return
    answer, _ = _call(config, "accounts")
    if as_json:
        _print_json(answer)
    else:
        _accounts(answer)


@accounts_app.command()
def resume(account: str, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Tell the gateway that a human has unlocked an account."""
    answer, running = _call(config, "resume", account=account)
    if not running:
        _fail("no gateway runs: an account is resumed in a running one (multihome run)")
    if as_json:
        _print_json(answer)
    else:
        typer.echo(f"{answer['account']} is {answer['standing']}.")


@app.command()
def link(
    first: Annotated[str | None, typer.Argument(help="platform:@handle")] = None,
    second: Annotated[str | None, typer.Argument(help="platform:@handle")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Two identities are one person, by your word. Without names: list the links."""
    if first is None or second is None:
        answer, _ = _call(config, "links")
    else:
        answer, _ = _call(config, "link", first=first, second=second)
    if as_json:
        _print_json(answer)
    elif isinstance(answer, list):
        _table("Links", ("first", "second", "evidence", "at"), answer)
    else:
        typer.echo(f"One person: {', '.join(answer['identities'])}")


@app.command()
def unlink(first: str, second: str, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Undo a link."""
    answer, _ = _call(config, "unlink", first=first, second=second)
    if as_json:
        _print_json(answer)
    else:
        typer.echo(f"{first} and {second} are not linked any more.")


@app.command()
def doctor(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Check the configuration and every credential, read-only; each problem with its cure."""
    from gateway.doctor import examine, machine

    loaded = _load(config)
    findings = [*machine(), *examine(_call(config, "check")[0], loaded)]
    if as_json:
        _print_json(findings)
    else:
        _table("Doctor", ("what", "ok", "found", "cure"), findings)
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)


@app.command()
def migrate(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Bring the database to this program's version. The gateway does it at start as well."""
    answer, running = _call(config, "status")
    if as_json:
        _print_json({"running": running, "ok": bool(answer)})
    else:
        typer.echo("The running gateway has migrated it." if running else "The database is up to date.")


def main() -> None:
    """The console script."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os._exit(0)  # the reader of our output went away


def _load(path: Path) -> Config:
    from gateway import wiring
    from gateway.config import ConfigError, load

    try:
        return load(path, wiring.platforms(), os.environ)
    except ConfigError as error:
        _refuse(error)


def _refuse(error: ConfigError) -> NoReturn:
    for problem in error.problems:
        typer.echo(problem, err=True)
    raise typer.Exit(2) from error


def _call(config: Path, operation: str, **arguments: Any) -> tuple[Any, bool]:
    from gateway.caller import CallError, call
    from gateway.config import ConfigError, database_of

    try:
        return call(database_of(config), lambda: _load(config), operation, **arguments)
    except CallError as error:
        _fail(str(error))
    except ConfigError as error:
        _refuse(error)


def _guarded(work: Any) -> None:
    """Run something long; what it can't do is told in one line."""
    from gateway.running import RunError

    try:
        code = work()
    except RunError as error:
        _fail(str(error))
    if code:
        raise typer.Exit(code)


def _fail(line: str) -> NoReturn:
    typer.echo(f"multihome: {line}", err=True)
    raise typer.Exit(1)


def _text(file: str) -> str:
    data = sys.stdin.buffer.read() if file == "-" else _read(Path(file))
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        _fail(f"{file} is not UTF-8 text; save it as UTF-8")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        _fail(f"{path} can't be read: {error.strerror}")


def _print_json(answer: Any) -> None:
    typer.echo(json.dumps(answer))


def _accounts(rows: list[dict[str, Any]]) -> None:
    _table("Accounts", ("account", "standing", "evidence", "cure"), rows)


def _table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(highlight=False, markup=False).print(table if rows else f"{title}: none")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return "" if value is None else str(value)

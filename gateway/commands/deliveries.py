"""``multihome deliveries``: what went out, what waits, and what only the operator can say of whether it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.asking import ask
from gateway.commands.options import DEFAULT_CONFIG, USAGE, ConfigFile, Json, OwnConfigFile
from gateway.commands.terminal import INDENT, cut, fail, print_json, say, say_whose, table, width

if TYPE_CHECKING:
    from collections.abc import Iterator

deliveries_app = typer.Typer(
    help="What went out, is on its way, or waits; and what nobody can say of whether it was sent.",
    invoke_without_command=True,
)


@deliveries_app.callback()
def deliveries(
    context: typer.Context,
    account: Annotated[str | None, typer.Option("--account", "-a", help="Only what goes by this account.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    uncertain: Annotated[
        bool, typer.Option("--uncertain", help="Those that maybe were sent, and that only you can settle.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=1000)] = 20,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """What went out, is on its way, or waits; the newest first."""
    context.obj = (config, as_json)
    if context.invoked_subcommand is not None:
        return
    if uncertain and state is not None:
        fail("--uncertain or --state, not both: --state uncertain also lists what the gateway still asks about", USAGE)
    wanted = {"account": account, "limit": limit}
    if uncertain:
        answer, runs = ask(config, "doubts", **wanted)
    else:
        answer, runs = ask(config, "deliveries", state=state, **wanted)
    if as_json:
        print_json(answer)
        return
    rows = [{**row, "account": _route(row), "what": _what(row)} for row in answer]
    if uncertain:
        rows = [{**row, "since": row["since"][5:16].replace("T", " ")} for row in rows]
        table("uncertain deliveries", ("id", "account", "since"), rows, _doubt)
    else:
        table("deliveries", ("id", "account", "state", "what", "reason"), rows, first_address)
    say_whose(runs)


@deliveries_app.command()
def settle(
    context: typer.Context,
    delivery: Annotated[str, typer.Argument(metavar="ID", help="As `deliveries --uncertain` shows it.")],
    ref: Annotated[
        str, typer.Argument(metavar="REF|URL", help="With --sent: the message's ref, or where it is to be seen.")
    ] = "",
    sent: Annotated[bool, typer.Option("--sent", help="It is there: it counts as delivered.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="It goes out again, although it may be there.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Nothing more of it goes out.")] = False,
    config: OwnConfigFile = None,
    as_json: Json = False,
) -> None:
    """Say what became of an uncertain delivery, after a look at the account."""
    chosen = [name for name, given in (("sent", sent), ("resend", resend), ("drop", drop)) if given]
    if len(chosen) != 1:
        fail("say one of --sent, --resend and --drop", USAGE)
    if ref and not sent:
        fail("a message can be named with --sent only", USAGE)
    config_before, json_before = context.obj  # `deliveries --json settle` means the same as `deliveries settle --json`
    answer, runs = ask(config or config_before, "settle", delivery=delivery, choice=chosen[0], ref=ref)
    if as_json or json_before:
        print_json({**answer, "running": runs.here})
        return
    say(f"{answer['id']} is {answer['state']}: {answer['reason'] or 'it goes on'}.")
    if not runs.here and answer["state"] in ("queued", "waiting"):
        say(runs.promise("it goes out", "another one sends it"))


def _route(row: dict[str, Any]) -> str:
    """By which account a delivery goes, and for which, when that is another."""
    return str(row["account"]) if row["account"] == row["home"] else f"{row['account']} for {row['home']}"


def _what(row: dict[str, Any]) -> str:
    """The announcement it is a copy of, or what it changes; nothing, where it is an answer."""
    if not row["change"]:
        return row["announcement"] or ""
    return f"{row['change']} of {row['changes']}" if row["changes"] else str(row["change"])


def first_address(row: dict[str, Any]) -> Iterator[str]:
    """Where it begins: of a thread the first post."""
    yield from row["urls"][:1]


def _doubt(row: dict[str, Any]) -> Iterator[str]:
    yield cut(f"says: {row['says']}", width() - len(INDENT))
    yield f"why: {row['why']}"

"""``multihome deliveries``: what went out, what waits, and what only the operator can say of whether it was sent."""

from __future__ import annotations

import shutil
from typing import Annotated, Any

import typer

from gateway.commands import DEFAULT_CONFIG, USAGE, ConfigFile, Json, OwnConfigFile, ask, print_json, say_whose
from gateway.terminal import fail, printable, table

deliveries_app = typer.Typer(
    help="What went out, is on its way, or waits; and what nobody can say of whether it was sent.",
    invoke_without_command=True,
)
WIDTH = 80
GAP = 2
WORDS_MIN = 10


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
        answer, running = ask(config, "doubts", **wanted)
    else:
        answer, running = ask(config, "deliveries", state=state, **wanted)
    if as_json:
        print_json(answer)
        return
    rows = [{**row, "account": _route(row)} for row in answer]
    if uncertain:
        table("uncertain deliveries", ("id", "account", "since", "says", "why"), _narrow(rows))
    else:
        table("deliveries", ("id", "account", "state", "reason"), rows)
    say_whose(running=running)


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
    answer, running = ask(config or config_before, "settle", delivery=delivery, choice=chosen[0], ref=ref)
    if as_json or json_before:
        print_json({**answer, "running": running})
        return
    typer.echo(printable(f"{answer['id']} is {answer['state']}: {answer['reason'] or 'it goes on'}."))
    if not running and answer["state"] in ("queued", "waiting"):
        typer.echo("No gateway runs: it goes out when one is started (multihome run).")


def _route(row: dict[str, Any]) -> str:
    """By which account a delivery goes, and for which, when that is another."""
    return str(row["account"]) if row["account"] == row["home"] else f"{row['account']} for {row['home']}"


def _narrow(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Rows whose words are cut so that each fits one line of the terminal, or of what is usual."""
    firm = [{"id": row["id"], "account": row["account"], "since": row["since"][5:16].replace("T", " ")} for row in rows]
    taken = sum(max((len(one[name]) for one in firm), default=0) + GAP for name in ("id", "account", "since"))
    room = max(2 * WORDS_MIN, shutil.get_terminal_size((WIDTH, 0)).columns - taken - GAP)
    return [
        {**one, "says": _cut(row["says"], room // 2), "why": _cut(row["why"], room - room // 2)}
        for one, row in zip(firm, rows, strict=True)
    ]


def _cut(words: str, most: int) -> str:
    flat = " ".join(words.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"

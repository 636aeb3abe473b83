"""``multihome status`` and ``multihome accounts``: how the accounts stand, and what a human has to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.asking import ask
from gateway.commands.options import DEFAULT_CONFIG, ConfigFile, Json, OwnConfigFile
from gateway.commands.terminal import print_json, say, say_whose, table

if TYPE_CHECKING:
    from collections.abc import Iterator

accounts_app = typer.Typer(help="The accounts and their standing.", invoke_without_command=True)


def status(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """How every account stands, and what is under way."""
    answer, runs = ask(config, "status")
    if as_json:
        print_json({**answer, "running": runs.here})
        return
    typer.echo(runs.whose)
    _accounts(answer["accounts"])
    totals = ", ".join(f"{number} {state}" for state, number in sorted(answer["deliveries"].items()))
    say(f"Deliveries: {totals or 'none yet'}")
    if answer["unanswered"]:
        say(f"Unanswered: {answer['unanswered']}, on which the agent failed: see `multihome unanswered`")


@accounts_app.callback()
def accounts(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Every account: its standing, since when, and what a human has to do."""
    context.obj = (config, as_json)
    if context.invoked_subcommand is not None:
        return
    answer, runs = ask(config, "accounts")
    if as_json:
        print_json(answer)
        return
    _accounts(answer)
    say_whose(runs)


@accounts_app.command()
def resume(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="platform/name")],
    config: OwnConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell the gateway that a human has unlocked an account."""
    config_before, json_before = context.obj  # `accounts --json resume` means the same as `accounts resume --json`
    answer, runs = ask(config or config_before, "resume", account=account)
    if as_json or json_before:
        print_json({**answer, "running": runs.here})
    elif runs.here:
        say(f"{answer['account']} is taken for {answer['standing']}; a look at the platform follows.")
    else:
        say(runs.promise(f"{answer['account']} is tried", f"{answer['account']} is tried by the one that has it"))


def _accounts(rows: list[dict[str, Any]]) -> None:
    shared = ("gateway",) if any(row["gateway"] for row in rows) else ()
    table("accounts", ("account", "standing", *shared, "evidence"), rows, cure)


def cure(row: dict[str, Any]) -> Iterator[str]:
    """What a human has to do, below what stands there."""
    if row["cure"]:
        yield f"cure: {row['cure']}"

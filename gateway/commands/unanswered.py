"""``multihome unanswered``: messages on which the agent failed too often, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.asking import ask
from gateway.commands.options import DEFAULT_CONFIG, USAGE, ConfigFile, Json, OwnConfigFile
from gateway.commands.terminal import INDENT, cut, fail, print_json, say, say_whose, table, width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

unanswered_app = typer.Typer(help="Messages on which the agent failed too often.", invoke_without_command=True)

Messages = Annotated[list[int] | None, typer.Argument(metavar="ID...", help="As `multihome unanswered` shows them.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@unanswered_app.callback()
def unanswered(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=1000)] = 20,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Messages on which the agent failed too often; the oldest first."""
    context.obj = (config, as_json)
    if context.invoked_subcommand is not None:
        return
    answer, runs = ask(config, "unanswered", limit=limit)
    if as_json:
        print_json(answer)
        return
    rows = [{**row, "at": row["at"][5:16].replace("T", " ")} for row in answer]
    table("unanswered messages", ("id", "account", "author", "at"), rows, _what)
    say_whose(runs)


def _word(*, again: bool) -> Callable[..., None]:
    """A command that says what becomes of them."""

    def command(
        context: typer.Context,
        messages: Messages = None,
        everything: All = False,
        config: OwnConfigFile = None,
        as_json: Json = False,
    ) -> None:
        if bool(messages) == everything:
            fail("name messages, or say --all", USAGE)
        config_before, json_before = (
            context.obj
        )  # `unanswered --json retry` means the same as `unanswered retry --json`
        answer, runs = ask(config or config_before, "unpark", messages=messages or [], again=again)
        if as_json or json_before:
            print_json({**answer, "running": runs.here})
            return
        number = answer["changed"]
        say(f"{number} {'message' if number == 1 else 'messages'}: {'tried again' if again else 'dropped'}.")
        if again and number and not runs.here:
            say(runs.promise("the agent is asked", "the one that has the account asks its agent"))

    return command


unanswered_app.command("retry", help="Hand them to the agent again, as if for the first time.")(_word(again=True))
unanswered_app.command("drop", help="They get no answer.")(_word(again=False))


def _what(row: dict[str, Any]) -> Iterator[str]:
    yield cut(f"says: {row['says'] or '(no words)'}", width() - len(INDENT))
    tries = "1 try" if row["attempts"] == 1 else f"{row['attempts']} tries"
    yield f"why: {row['error']} (after {tries})"

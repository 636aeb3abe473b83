"""``multihome announce``: one thing, on every account's own public place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.asking import ask
from gateway.commands.deliveries import first_address
from gateway.commands.options import DEFAULT_CONFIG, Accounts, Alts, ConfigFile, Images, Json, Plain, TextFile
from gateway.commands.terminal import print_json, say, table
from gateway.commands.written import written

if TYPE_CHECKING:
    from gateway.commands.runs import Runs


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
    answer, runs = ask(config, "announce", uploads=media, **asked)
    if as_json:
        print_json({**answer, "running": runs.here})
    else:
        _tell(answer, runs)
    if any(row["state"] == "refused" for row in answer["deliveries"]):
        raise typer.Exit(1)


def _tell(answer: dict[str, Any], runs: Runs) -> None:
    table("announcement: no account announces", ("account", "state", "reason"), answer["deliveries"], first_address)
    say(f"Its name: {answer['announcement']} (multihome edit NAME FILE, multihome delete NAME)")
    rows = answer["deliveries"]
    if any(row["known"] for row in rows):
        say("Announced before under this key: that stands, or was deleted, and nothing is posted again.")
        say("Another text needs another key, or `multihome edit`.")
    if not runs.here and any(row["state"] in ("queued", "waiting") for row in rows):
        say(runs.promise("it goes out", "another one sends it"))

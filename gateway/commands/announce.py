"""``multihome announce``: one thing, on every account's own public place."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commands.asking import ask
from gateway.commands.deliveries import first_address
from gateway.commands.options import DEFAULT_CONFIG, Accounts, Alts, ConfigFile, Images, Json, Plain, TextFile
from gateway.commands.terminal import print_json, say, table
from gateway.commands.written import written


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

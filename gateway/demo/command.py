"""``multihome demo``. What it plays is imported when it is played."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commands.options import Json
from gateway.commands.run import guarded


def demo(
    suspend: Annotated[str, typer.Option(help="Which platform loses the account.")] = "",
    fault: Annotated[str, typer.Option(help="suspended, locked, signed_out or outage.")] = "suspended",
    kill: Annotated[bool, typer.Option("--kill", help="SIGKILL the gateway twice in mid-broadcast.")] = False,
    messages: Annotated[int, typer.Option(help="How many announcements.", min=4, max=500)] = 18,
    seed: Annotated[int, typer.Option(help="Decides who says what when.")] = 1,
    as_json: Json = False,
) -> None:
    """Watch a platform suspend the account in the middle of everything, and nothing get lost."""
    from gateway.demo.play import demonstrate

    wishes = {"suspend": suspend, "fault": fault, "kill": kill, "messages": messages, "seed": seed}
    guarded(lambda: demonstrate(wishes, as_json=as_json))

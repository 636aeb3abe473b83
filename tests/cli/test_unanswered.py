"""Messages on which the agent failed too often: the operator sees them, and says what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
from cli_rig import House

AGENT = """
from pathlib import Path

async def reply(message, conversation):
    if Path("down").exists():
        raise RuntimeError("the model is out of reach")
    return "echo " + message.text.split()[-1]
"""


@pytest.mark.parametrize("running", [True, False])
def test_they_are_listed_tried_again_and_dropped(house: Callable[..., House], running: bool) -> None:
    h = house("telegram")
    (h.folder / "house_agent.py").write_text(AGENT)
    h.more = "max_attempts = 1"
    h.write()
    (h.folder / "down").touch()
    with h.gateway() as process:
        for name in ("one", "two"):
            h.sandbox.control("POST", "telegram/say", person="ana", kind="direct", text=f"hi {name}", account=h.handle)
        process.until(lambda: h.told("status")["unanswered"] == 2)
    (h.folder / "down").unlink()
    with h.gateway() if running else nullcontext() as process:
        said = h.multihome("status").stdout.splitlines()
        assert "Unanswered: 2, on which the agent failed: see `multihome unanswered`" in said
        shown = h.multihome("unanswered").stdout.splitlines()
        assert max(map(len, shown)) <= 80
        assert shown[0].split() == ["ID", "ACCOUNT", "AUTHOR", "AT"]
        assert shown[2:4] == ["  says: hi one", "  why: RuntimeError: the model is out of reach (after 1 try)"]
        first, second = h.told("unanswered")
        assert (first["account"], first["says"], first["attempts"]) == ("telegram/main", "hi one", 1)
        assert h.refused("unanswered", "drop", code=2) == "multihome: name messages, or say --all"
        assert h.refused("unanswered", "drop", "9999").startswith("multihome: none of these is there")
        assert h.multihome("unanswered", "drop", str(second["id"])).stdout == "1 message: dropped.\n"
        again = h.multihome("unanswered", "retry", "--all").stdout.splitlines()
        assert again[0] == "1 message: tried again."
        assert (len(again) == 1) == running
        assert h.multihome("unanswered").stdout.startswith("No unanswered messages.")
        if process is not None:
            process.until(lambda: h.texts("telegram") == ["echo one"])
    if not running:
        with h.gateway() as process:
            process.until(lambda: h.texts("telegram") == ["echo one"])

"""The doctor: every credential looked at, nothing written, each problem with its cure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from typing import Any

import pytest
from cli_rig import NETWORKS, House

Open = Callable[..., House]


def findings(house: House, code: int) -> dict[str, dict[str, Any]]:
    import json

    done = house.multihome("doctor", "--json")
    assert done.returncode == code, done.stderr
    assert done.stderr == ""
    return {one["what"]: one for one in json.loads(done.stdout)}


def test_all_is_well_without_a_gateway(house: Open) -> None:
    h = house(*NETWORKS)
    found = findings(h, 0)
    assert all(one["ok"] for one in found.values())
    assert found.keys() == {"python", "sqlite", "gateway", *(f"{name}/main" for name in NETWORKS)}
    assert h.attempts() == 0
    assert {row["standing"] for row in h.told("accounts")} == {"connecting"}


@pytest.mark.parametrize("running", [False, True])
def test_each_problem_comes_with_its_cure(house: Open, *, running: bool) -> None:
    h = house("x", "discord", "telegram", "bluesky", "mastodon")
    h.keys["discord"]["announce_to"] = None
    h.keys["mastodon"]["server"] = "http://127.0.0.1:9"
    h.write()
    with ExitStack() as troubles:
        troubles.enter_context(h.trouble("x", "suspend"))
        troubles.enter_context(h.trouble("telegram", "revoke"))
        gateway = troubles.enter_context(h.gateway(healthy=False) if running else nullcontext())
        if gateway is not None:
            gateway.until(lambda: not any(row["standing"] == "connecting" for row in h.ask("accounts")))
        found = findings(h, 1)
        shown = h.multihome("doctor")
    assert {name: one["ok"] for name, one in found.items() if "/" in name} == {
        "x/main": False,
        "discord/main": False,
        "telegram/main": False,
        "bluesky/main": True,
        "mastodon/main": False,
    }
    assert "appeal" in found["x/main"]["cure"]
    assert "announce_to" in found["discord/main"]["found"]
    assert "new credential" in found["telegram/main"]["cure"]
    assert "server's address" in found["mastodon/main"]["cure"]
    assert all(one["cure"] for one in found.values() if not one["ok"])
    assert h.attempts() == 0
    assert shown.returncode == 1
    assert not any(secret in shown.stdout for secret in h.secrets.values())


def test_an_account_that_does_not_announce_needs_no_place(house: Open) -> None:
    h = house("discord", "mastodon")
    h.keys["discord"]["announce_to"] = None
    h.more = '[announce]\naccounts = ["mastodon/main"]'
    h.write()
    assert all(one["ok"] for one in findings(h, 0).values())


def test_a_broken_agent_is_found(house: Open) -> None:
    h = house("mastodon")
    (h.folder / "house_agent.py").write_text("reply = 5")
    found = findings(h, 1)
    assert not found["gateway"]["ok"]
    assert "async def" in found["gateway"]["found"]

"""The doctor: every credential looked at, nothing written, each problem with its cure."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from typing import Any

import pytest
from cli_rig import NETWORKS, House

Open = Callable[..., House]


def findings(house: House, code: int) -> dict[str, dict[str, Any]]:
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


def test_what_a_running_gateway_does_not_know_of_the_configuration_is_told(house: Open) -> None:
    h = house("mastodon", "bluesky", "telegram")
    bluesky = h.keys.pop("bluesky")
    h.write()
    with h.gateway():
        h.keys["bluesky"] = bluesky
        del h.keys["telegram"]
        h.write()
        found = findings(h, 1)
        without = h.multihome("doctor", secrets=False)
    assert (without.returncode, without.stdout) == (2, "")
    assert [line.count("is not set") for line in without.stderr.splitlines()] == [1, 1]
    assert (found["bluesky/main"]["ok"], found["bluesky/main"]["found"]) == (False, "not in the running gateway")
    assert "restart it" in found["bluesky/main"]["cure"]
    assert found["telegram/main"]["ok"]
    assert "no longer in the configuration" in found["telegram/main"]["found"]
    assert "configuration" not in found["mastodon/main"]["found"]


def test_what_an_agent_prints_is_not_among_the_findings(house: Open) -> None:
    h = house("mastodon")
    (h.folder / "house_agent.py").write_text("print('loading')\n\n\nasync def reply(message, conversation): ...\n")
    done = h.multihome("doctor", "--json")
    assert all(one["ok"] for one in json.loads(done.stdout))
    assert done.stderr == "loading\n"


def test_a_look_leaves_no_standing(house: Open) -> None:
    """Whoever reads the database believes what is stored, other gateways too."""
    h = house("discord")
    h.keys["discord"]["server"] = "nowhere"
    h.write()
    found = findings(h, 1)
    assert "no web address" in found["discord/main"]["found"]
    assert "correct the account's keys" in found["discord/main"]["cure"]
    assert h.told("accounts")[0]["standing"] == "connecting"


def test_a_broken_agent_is_found(house: Open) -> None:
    h = house("mastodon")
    (h.folder / "house_agent.py").write_text("reply = 5")
    found = findings(h, 1)
    assert not found["gateway"]["ok"]
    assert "async def" in found["gateway"]["found"]

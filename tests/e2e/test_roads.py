"""In by every platform, out by every platform: what people see when all is well."""

from __future__ import annotations

from typing import Any

import pytest
from town_rig import NETWORKS

from adapters.sandbox.faults import Trouble
from gateway.model.standing import Standing


@pytest.mark.parametrize("network", NETWORKS)
async def test_the_agent_answers_in_the_open_and_in_private(town: Any, network: str) -> None:
    async with town(network) as t:
        t.says(network, "hello open1")
        t.says(network, "hello closed2", kind="direct")
        await t.until(lambda: len(t.texts(network, "echo")) == 2)
        await t.until_settled()
        private = {m.text.split()[-1]: m.private for m in t.messages(network, "echo")}
    assert private == {"open1": False, "closed2": True}


async def test_one_announcement_stands_once_on_every_network(town: Any) -> None:
    async with town() as t:
        first = await t.gateway.desk.announce("Release 1 is out", key="release-1")
        again = await t.gateway.desk.announce("Release 1 is out", key="release-1")
        await t.until_settled()
        assert {name: t.texts(name) for name in NETWORKS} == {name: ["Release 1 is out"] for name in NETWORKS}
    assert [one["id"] for one in first["deliveries"]] == [one["id"] for one in again["deliveries"]]


async def test_pieces_become_one_answer(town: Any) -> None:
    async with town("mastodon", handler="town_agent:pieces") as t:
        t.says("mastodon", "hello")
        await t.until(lambda: bool(t.texts("mastodon", "one two")))


async def test_one_account_with_a_bad_token_harms_nobody(town: Any) -> None:
    async with town("telegram", "mastodon", healthy=False) as t:
        t.strikes("telegram", Trouble.REVOKE)
        await t.until_standing("telegram/main", Standing.SIGNED_OUT)
        await t.until_standing("mastodon/main", Standing.HEALTHY)
        await t.until_listening("mastodon/main")
        t.says("mastodon", "hello there1")
        await t.until(lambda: bool(t.texts("mastodon", "echo there1")))


async def test_a_dead_host_and_malformed_events_harm_nobody(town: Any) -> None:
    async with town("x", "bluesky", healthy=False) as t:
        t.strikes("x", Trouble.OUTAGE)
        t.strikes("bluesky", Trouble.MALFORMED_EVENT)
        await t.until_standing("x/main", Standing.OFFLINE)
        await t.until_listening("bluesky/main")
        t.says("bluesky", "hello there1")
        await t.until(lambda: bool(t.texts("bluesky", "echo there1")))
        t.lifts("x")
        await t.until_standing("x/main", Standing.HEALTHY)
        await t.until_listening("x/main")
        t.says("x", "hello here2")
        await t.until(lambda: bool(t.texts("x", "echo here2")))


async def test_an_unwell_agent_is_asked_again_and_others_are_served(town: Any) -> None:
    async with town("mastodon") as t:
        t.says("mastodon", "please fail")
        t.says("mastodon", "hello there1", person="ben")
        await t.until(lambda: bool(t.texts("mastodon", "echo there1")))
        assert len(t.texts("mastodon")) == 1

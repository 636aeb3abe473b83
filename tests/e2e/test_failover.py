"""The account is taken away: what goes where, what waits, what comes home. Counted from the networks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from town_rig import route

from adapters.sandbox.faults import Trouble
from gateway.model.standing import Standing

LOST = {
    "x": Standing.SUSPENDED,
    "discord": Standing.SIGNED_OUT,
    "telegram": Standing.SIGNED_OUT,
    "bluesky": Standing.SUSPENDED,
    "mastodon": Standing.SUSPENDED,
}
"""What a suspension looks like from outside: two platforms only refuse the token."""


@pytest.mark.parametrize("network", LOST)
async def test_public_posts_take_the_route_and_later_ones_come_home(town: Any, network: str) -> None:
    other = "mastodon" if network != "mastodon" else "bluesky"
    async with town(network, other, routes=route(network, other)) as t:
        t.strikes(network, Trouble.SUSPEND, account="agent")
        for n in range(3):
            await t.gateway.desk.announce(f"post {n}", accounts=[f"{network}/main"])
        await t.until_standing(f"{network}/main", LOST[network])
        await t.until(lambda: len(t.texts(other, "post")) == 3)
        assert t.texts(other) == ["post 0", "post 1", "post 2"]
        assert t.texts(network) == []
        t.lifts(network)
        await t.until_standing(f"{network}/main", Standing.HEALTHY)
        await t.gateway.desk.announce("back", accounts=[f"{network}/main"])
        await t.until(lambda: t.texts(network) == ["back"])


async def test_an_announcement_is_not_said_twice_on_the_next_network(town: Any) -> None:
    async with town("x", "bluesky", routes=route("x", "bluesky")) as t:
        t.strikes("x", Trouble.SUSPEND)
        for n in range(4):
            await t.gateway.desk.announce(f"release {n}")
        await t.until(lambda: len(t.texts("bluesky")) == 4)
        await t.until_standing("x/main", Standing.SUSPENDED)
        await t.until_settled()
        assert await t.states() == {"delivered": 4, "held": 4}
        t.lifts("x")
        await t.until(lambda: len(t.texts("x")) == 4)
        assert t.texts("x") == [f"release {n}" for n in range(4)]
        assert t.texts("bluesky") == [f"release {n}" for n in range(4)]


async def test_an_outage_holds_and_diverts_nothing(town: Any) -> None:
    async with town("x", "bluesky", routes=route("x", "bluesky")) as t:
        t.strikes("x", Trouble.OUTAGE)
        for n in range(3):
            await t.gateway.desk.announce(f"post {n}", accounts=["x/main"])
        await t.until_standing("x/main", Standing.OFFLINE)
        t.lifts("x")
        await t.until(lambda: len(t.texts("x")) == 3)
        await t.until_settled()
        assert t.texts("x") == ["post 0", "post 1", "post 2"]
        assert t.texts("bluesky") == []


async def test_a_linked_person_is_answered_elsewhere_and_told_once(town: Any) -> None:
    async with town("x", "bluesky", routes=route("x", "bluesky")) as t:
        here, there = t.says("x", "hello here1"), t.says("bluesky", "hello there1")
        await t.until(lambda: bool(t.texts("x", "here1") and t.texts("bluesky", "there1")))
        await t.gateway.desk.link(f"x:id={here.author}", f"bluesky:id={there.author}")
        t.strikes("x", Trouble.LOCK)
        t.says("x", "hello again2")
        t.says("x", "hello again3", to=here.id)
        await t.until(lambda: len(t.texts("bluesky", "again")) == 2)
        moved = t.texts("bluesky", "again")
        assert sorted(text.split()[-1] for text in moved) == ["again2", "again3"]
        assert ["Going on here" in text for text in moved] == [True, False]


async def test_an_unlinked_person_is_answered_at_home_after_the_return(town: Any) -> None:
    async with town("x", "bluesky", routes=route("x", "bluesky")) as t:
        t.strikes("x", Trouble.LOCK)
        t.says("x", "hello here1")
        await t.until_standing("x/main", Standing.LOCKED)
        await asyncio.wait_for(_until_state(t, "held", 1), 30)
        assert t.texts("bluesky") == []
        t.lifts("x")
        await t.gateway.desk.resume("x/main")
        await t.until(lambda: bool(t.texts("x", "here1")))


async def test_what_was_private_stays_private(town: Any) -> None:
    async with town("x", "mastodon", routes=route("x", "mastodon")) as t:
        here = t.says("x", "hello secret1", kind="direct")
        there = t.says("mastodon", "hello open1")
        await t.until(lambda: bool(t.texts("x", "secret1") and t.texts("mastodon", "open1")))
        await t.gateway.desk.link(f"x:id={here.author}", "mastodon:@ana")
        t.strikes("x", Trouble.LOCK)
        t.says("x", "hello secret2", kind="direct")
        await t.until(lambda: bool(t.messages("mastodon", "secret2")))
        await t.until_settled()
        moved = t.messages("mastodon", "secret2")
        assert [(m.private, m.extra["mentions"]) for m in moved] == [(True, [there.author])]


async def test_a_private_answer_that_would_reach_nobody_elsewhere_waits_at_home(town: Any) -> None:
    async with town("x", "mastodon", routes=route("x", "mastodon")) as t:
        here = t.says("x", "hello secret1", kind="direct")
        await t.until(lambda: bool(t.texts("x", "secret1")))
        await t.gateway.desk.link(f"x:id={here.author}", "mastodon:@nobody")
        t.strikes("x", Trouble.LOCK)
        t.says("x", "hello secret2", kind="direct")
        await t.until(lambda: any("secret2" in a.text for a in t.attempts("mastodon")))
        await asyncio.wait_for(_until_state(t, "held", 1), 30)
        assert t.texts("mastodon") == []
        t.lifts("x")
        await t.gateway.desk.resume("x/main")
        await t.until(lambda: len(t.texts("x", "secret2")) == 1)


@pytest.mark.parametrize("network", ["discord", "telegram"])
async def test_what_was_said_in_a_group_is_never_said_in_public(town: Any, network: str) -> None:
    async with town(network, "bluesky", routes=route(network, "bluesky")) as t:
        here, there = t.says(network, "hello here1"), t.says("bluesky", "hello there1")
        await t.until(lambda: bool(t.texts(network, "here1") and t.texts("bluesky", "there1")))
        await t.gateway.desk.link(f"{network}:id={here.author}", f"bluesky:id={there.author}")
        t.strikes(network, Trouble.LOCK)
        t.says(network, "hello members2")
        await t.until(lambda: bool(t.messages("bluesky", "members2")))
        await t.until_settled()
        assert [m.private for m in t.messages("bluesky", "members2")] == [True]


async def test_the_others_say_once_where_to_find_us(town: Any) -> None:
    async with town(
        "x", "bluesky", "mastodon", routes=route("x", "bluesky", announce=True, notice="Find us here!")
    ) as t:
        t.strikes("x", Trouble.SUSPEND)
        for n in range(3):
            await t.gateway.desk.announce(f"post {n}", accounts=["x/main"])
        await t.until(lambda: bool(t.texts("bluesky", "Find us") and t.texts("mastodon", "Find us")))
        await t.until_settled()
        assert len(t.texts("bluesky", "Find us")) == len(t.texts("mastodon", "Find us")) == 1


@pytest.mark.parametrize("network", LOST)
async def test_a_lost_answer_of_the_platform_doubles_nothing(town: Any, network: str) -> None:
    """The post was accepted and the connection dropped: one post, and nobody guesses."""
    async with town(network) as t:
        t.strikes(network, Trouble.DROP_AFTER, count=1, action=None, match="post 1")
        for n in range(3):
            await t.gateway.desk.announce(f"post {n}")
        await t.until(lambda: len(t.texts(network, "post 2")) == 1)
        await t.until_settled()
        assert t.texts(network) == ["post 0", "post 1", "post 2"]
        uncertain = (await t.states()).get("uncertain", 0)
        assert uncertain == (1 if network == "telegram" else 0)


async def test_a_bare_403_takes_no_account_down(town: Any) -> None:
    async with town("x", routes="") as t:
        t.strikes("x", Trouble.REFUSE, count=1, code="write_block", match="post 0")
        await t.gateway.desk.announce("post 0")
        await t.until(lambda: t.texts("x") == ["post 0"])
        assert [(a.outcome, a.detail) for a in t.attempts("x")] == [("refused", "write_block"), ("accepted", "")]
        assert t.standing("x/main") is Standing.HEALTHY


async def _until_state(t: Any, state: str, n: int) -> None:
    while (await t.states()).get(state, 0) != n:
        await asyncio.sleep(0.01)

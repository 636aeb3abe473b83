"""Rate windows: our own count, the platform's word, both after a restart; and one slow lane delays no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from core_rig import RED, World, ended
from msgspec import structs

from gateway.model.capabilities import Lane, LaneState, Profile, Scope
from gateway.model.delivery import FaultKind, Part, State
from gateway.outbox import lineup, pacer
from gateway.outbox.pacer import Pacer
from gateway.testing.scripted import Trouble, refused, scripted_profile
from policies.chain import POLICIES

Worlds = Callable[..., World]
POSTS = Lane("posts", 3, 60.0, ("post",))
DIRECT = Lane("direct", 5, 10.0, ("direct",))
PER_PLACE = Lane("place", 1, 30.0, ("post",), Scope.CONVERSATION)


def profiled(*lanes: Lane, **changes: Any) -> dict[Any, Profile]:

    return {RED: structs.replace(scripted_profile(lanes=lanes), **changes)}


def seconds(w: World) -> list[float]:
    return [(post.at - w.posted_from).total_seconds() for post in w[RED].posts]


def most_within(w: World, per_s: float) -> int:
    """The most posts within any such time."""
    at = seconds(w)
    return max(sum(a <= b < a + per_s for b in at) for a in at)


async def test_a_window_is_never_exceeded_and_everything_leaves_in_the_end(world: Worlds) -> None:
    w = world()
    async with w.house(profiles=profiled(POSTS)) as house:
        posts = [await house.say(f"{n}\n\nand more", place=f"c{n}") for n in range(8)]
        await house.pass_time(400, 5.0)
        assert {await house.state(one) for one in posts} == {State.DELIVERED}
    assert len(w[RED].posts) == 16
    assert most_within(w, 60.0) <= 3


async def test_a_window_is_restored_after_a_restart(world: Worlds) -> None:
    w = world()
    house = w.house(profiles=profiled(POSTS))
    await house.start()
    for n in range(3):
        await house.say(f"{n}", place=f"c{n}")
    await house.pass_time(5)
    await house.die()
    async with w.house(profiles=profiled(POSTS)) as later:
        one = await later.say("again")
        await later.pass_time(30)
        assert await later.state(one) is State.QUEUED
        await ended(later, one)
    assert most_within(w, 60.0) <= 3


async def test_each_conversation_has_a_window_of_its_own(world: Worlds) -> None:
    w = world()
    async with w.house(profiles=profiled(PER_PLACE)) as house:
        for n in range(4):
            await house.say(f"{n}", place="busy")
        for n in range(4):
            await house.say(f"{n}", place=f"quiet{n}")
        await house.quiet()
        assert len(w.texts(RED, "busy")) == 1
        assert all(w.texts(RED, f"quiet{n}") for n in range(4))
        await house.pass_time(100, 5.0)
    assert w.texts(RED, "busy") == ["0", "1", "2", "3"]


async def test_the_platforms_word_rules(world: Worlds) -> None:
    w = world()
    async with w.house(profiles=profiled(POSTS)) as house:
        at = w.clock.now().timestamp() + 500
        w[RED].lanes = (LaneState("posts", 0, at),)
        await house.say("first")
        await house.quiet()
        w[RED].lanes = ()
        one = await house.say("second")
        await house.pass_time(490, 10.0)
        assert await house.state(one) is not State.DELIVERED
        await house.pass_time(20)
        assert await house.state(one) is State.DELIVERED


async def test_a_refusal_says_when_to_come_back(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        hour = w.clock.now() + timedelta(seconds=77)
        w[RED].troubles.append(refused(FaultKind.RATE_LIMITED, "slow down", retry_at=hour))
        one = await house.say("hello")
        await ended(house, one)
        assert w[RED].posts[0].at >= hour


async def test_threads_that_rest_take_no_slot_from_another_lane(world: Worlds) -> None:
    """More threads than slots, all in the middle and all out of room; a DM goes at once."""
    w = world()
    async with w.house(profiles=profiled(POSTS, DIRECT, concurrency=2)) as house:
        threads = [await house.say("one\n\ntwo\n\nthree", place=f"c{n}") for n in range(4)]
        await house.quiet()
        assert len(w[RED].posts) == 3
        dm = await house.say("psst", place="dm", private=True)
        await house.quiet()
        assert await house.state(dm) is State.DELIVERED
        await house.pass_time(400, 5.0)
        await ended(house, *threads)
    for n in range(4):
        assert w.texts(RED, f"c{n}") == ["one", "two", "three"]


async def test_a_full_memory_of_resting_ones_keeps_none_out_that_could_go(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineup, "KEPT", 20)
    w = world()
    async with w.house(profiles=profiled(POSTS, DIRECT)) as house:
        posts = [await house.say(f"{n}", place=f"c{n}") for n in range(40)]
        await house.quiet()
        dm = await house.say("psst", place="dm", private=True)
        await house.quiet()
        assert await house.state(dm) is State.DELIVERED
        await house.pass_time(1_000, 20.0)
        assert {await house.state(one) for one in posts} == {State.DELIVERED}
    assert len(w[RED].posts) == 41


async def test_a_backlog_longer_than_memory_leaves_in_order(world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineup, "KEPT", 10)
    w = world()
    house = w.house()
    await house.monitor.load()
    posts = [await house.say(f"{n}", place=f"c{n % 40}") for n in range(120)]
    async with house:
        await ended(house, *posts)
    assert len(w[RED].posts) == 120
    for n in range(40):
        assert w.texts(RED, f"c{n}") == [str(n), str(n + 40), str(n + 80)]


async def test_a_lane_that_fails_delays_no_other(world: Worlds) -> None:
    w = world()
    async with w.house(profiles=profiled(POSTS, DIRECT)) as house:
        w[RED].troubles.append(Trouble(hangs=True))
        await house.say("stuck", place="c1")
        await house.quiet()
        others = [await house.say(f"{n}", place=f"c{n}") for n in range(2, 4)]
        await house.quiet()
        assert {await house.state(one) for one in others} == {State.DELIVERED}


def test_the_longest_unused_window_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacer, "WINDOWS_MAX", 3)
    windows = Pacer([PER_PLACE], POLICIES)

    def part(place: str) -> Part:
        return Part(0, "post", "", {}, place)

    for at, place in enumerate(["busy", "a", "b"]):
        assert windows.wait_s(part(place), at) == 0.0
    assert windows.wait_s(part("busy"), 40) == 0.0
    assert windows.wait_s(part("c"), 41) == 0.0
    assert windows.wait_s(part("busy"), 42) == 28.0
    windows.heard([LaneState("place", 5, 1_000.0, f"stranger{n}") for n in range(50)])
    assert len(windows._live) == 0


def test_a_window_remembers_no_more_than_it_reaches_back() -> None:
    """Where the rate is high, what left long ago says nothing any more."""
    wide = structs.replace(PER_PLACE, n=1_000_000, per_s=60.0)
    windows = Pacer([wide], POLICIES)
    part = Part(0, wide.kinds[0], "", {}, "c1")
    for second in range(10_000):
        assert windows.wait_s(part, float(second)) == 0.0
        assert len(windows._taken[wide.name, "c1"]) <= 120

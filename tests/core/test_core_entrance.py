"""What can leave at once is stored as begun, and loses none of the promises for it."""

from __future__ import annotations

import asyncio

import pytest
from core_rig import RED, House, Worlds
from msgspec import structs

from gateway.books import StoreError
from gateway.model.capabilities import Idempotency, Lane
from gateway.model.delivery import State
from gateway.model.standing import Standing
from gateway.testing.scripted import Trouble, scripted_profile

HANGS = Trouble(hangs=True)


def writes(house: House) -> list[str]:
    return [name for name in house.store.calls if name in ("add", "begin", "settle")]


async def test_one_commit_before_the_request_and_one_after_it(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        one = await house.say("hello")
        assert (one.state, one.attempts, len(one.parts or ())) == (State.SENDING, 1, 1)
        await house.quiet()
        assert await house.state(one) is State.DELIVERED
        assert writes(house) == ["add", "settle"]
    assert w.texts(RED) == ["hello"]


async def test_where_nothing_can_be_asked_it_is_claimed_apart(world: Worlds) -> None:
    w = world()
    async with w.house(profiles={RED: scripted_profile(Idempotency.NONE)}) as house:
        assert (await house.say("hello")).state is State.QUEUED
        await house.quiet()
        assert writes(house) == ["add", "begin", "settle"]


async def test_one_behind_another_waits_and_takes_no_room_meanwhile(world: Worlds) -> None:
    w = world()
    lane = Lane("posts", 2, 60.0, ("post",))
    async with w.house(profiles={RED: scripted_profile(lanes=[lane])}) as house:
        w[RED].troubles.append(HANGS)
        await house.say("first", place="c1")
        second = await house.say("second", place="c1")
        assert (second.state, second.attempts, second.parts) == (State.WAITING, 0, None)
        await house.say("third", place="c2")
        await house.quiet()
        assert w.texts(RED) == ["third"]


async def test_nothing_overtakes_what_is_due_and_has_no_slot(world: Worlds) -> None:
    w = world()
    profile = structs.replace(scripted_profile(), concurrency=1)
    async with w.house(profiles={RED: profile}) as house:
        both = [asyncio.create_task(house.say(text, place=text)) for text in ("first", "second")]
        first, second = await asyncio.gather(*both)
        assert (first.state, second.state) == (State.SENDING, State.QUEUED)
        await house.quiet()
    assert w.texts(RED) == ["first", "second"]


async def test_one_key_is_one_send(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        saying = [house.say("hello", key="k", place=f"c{number}") for number in range(5)]
        told = await asyncio.gather(*saying)
        await house.quiet()
        assert len({one.id for one in told}) == 1
        assert house.outbox._workers[RED]._lineup._running == set()
    assert w.texts(RED) == ["hello"]


async def test_who_gives_up_waiting_does_not_stop_it(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        saying = asyncio.create_task(house.say("hello"))
        while "add" not in house.store.calls:
            await asyncio.sleep(0)
        saying.cancel()
        await house.quiet()
        (one,) = await house.real_store.deliveries()
        assert one.state is State.DELIVERED
    assert w.texts(RED) == ["hello"]


async def test_who_gives_up_waiting_for_several_does_not_stop_them(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        await house.until(lambda: house.standing(RED) is Standing.HEALTHY)
        task = asyncio.create_task(house.intake.submit([house.draft("one", place="a"), house.draft("two", place="b")]))
        while "add" not in house.store.calls:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await house.pass_time(60)
    assert w.texts(RED) == ["one", "two"]


@pytest.mark.parametrize("written", [True, False])
async def test_a_database_that_fails_while_it_is_stored(world: Worlds, written: bool) -> None:
    """Whoever asked hears it. What was taken in all the same goes out, once; nothing else does."""
    w = world()

    def fail(name: str) -> None:
        if name == "add":
            raise StoreError("the connection broke")

    async with w.house() as house:
        if written:
            house.store.after = fail
        else:
            house.store.before = fail
        with pytest.raises(StoreError):
            await house.say("hello")
        await house.quiet()
        assert [one.state for one in await house.real_store.deliveries()] == [State.DELIVERED] * written
        house.store.after = house.store.before = lambda _: None
        await house.say("there")
        await house.quiet()
    assert w.texts(RED) == ["hello"] * written + ["there"]

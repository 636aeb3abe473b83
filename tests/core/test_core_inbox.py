"""From the event to the answer: order, side by side, backpressure, agents that fail, crashes in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from core_rig import BLUE, RED, Crash, House, World, ended, words

from gateway import waiting
from gateway.books import StoreError
from gateway.model.events import MessageReceived
from gateway.model.ids import ConversationId
from gateway.pipeline import Limits
from gateway.testing.scripted import ScriptedAgent, message
from gateway.unanswered import StoredEvent

Worlds = Callable[..., World]


def said(house: House, name: str, place: str = "c1") -> MessageReceived:
    return message(RED, name, words(name), house.clock.now(), place=place)


class Gated(ScriptedAgent):
    """Takes its time with what is said to one account."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def __call__(self, message: MessageReceived, conversation: Any) -> str | None:
        if message.account == RED:
            await self.open.wait()
        return await super().__call__(message, conversation)


async def hears(house: House, *names: str, place: str = "c1") -> None:
    """Each comes in an arrival of its own."""
    for name in names:
        await house.pipeline.receive(RED, [said(house, name, place)], name)


async def test_one_conversation_is_answered_in_order_and_others_side_by_side(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    async with w.house(agent=agent) as house:
        for n in range(5):
            await hears(house, *(f"{place}.{n}" for place in ("a", "b")), place="x")
            await hears(house, f"y.{n}", place="y")
        await house.quiet()
        assert (agent.running, agent.at_once) == (2, 2)
        agent.gate.set()
        await house.quiet()
    expected = [f"you said {name}.{n}" for n in range(5) for name in ("a", "b")]
    assert w.texts(RED, "x") == expected
    assert w.texts(RED, "y") == [f"you said y.{n}" for n in range(5)]


async def test_no_more_than_allowed_run_at_once(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    async with w.house(agent=agent, limits=Limits(concurrency=3)) as house:
        agent.gate = asyncio.Event()
        for n in range(10):
            await hears(house, f"m{n}", place=f"c{n}")
        await house.quiet()
        assert agent.at_once == 3
        agent.gate.set()
        await house.quiet()
    assert len(w.texts(RED)) == 10


async def test_platforms_wait_when_the_agent_is_behind(world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAITING_MAX", 10)
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    async with w.house(agent=agent) as house:
        for n in range(25):
            house.scripted[RED].arrivals.put_nowait(([said(house, f"m{n}", f"c{n}")], str(n)))
        await house.quiet()
        assert 9 <= house.pipeline._rooms[RED].waiting <= 11
        assert not house.scripted[RED].arrivals.empty()
        agent.gate.set()
        await house.quiet()
    assert len(w.texts(RED)) == 25


@pytest.mark.parametrize("places", [1, 25], ids=["one conversation", "many"])
async def test_an_account_that_the_agent_is_behind_with_keeps_no_other_waiting(
    world: Worlds, monkeypatch: pytest.MonkeyPatch, places: int
) -> None:
    monkeypatch.setattr(waiting, "WAITING_MAX", 10)
    w, agent = world(RED, BLUE), Gated()
    async with w.house(agent=agent) as house:
        for n in range(25):
            house.scripted[RED].arrivals.put_nowait(([said(house, f"m{n}", f"c{n % places}")], str(n)))
        await house.quiet()
        there = message(BLUE, "b", words("anybody?"), house.clock.now())
        house.scripted[BLUE].arrivals.put_nowait(([there], "1"))
        await house.quiet()
        assert w.texts(BLUE) == ["you said anybody?"]
        agent.open.set()
        await house.quiet()
    assert len(w.texts(RED)) == 25


async def test_a_flood_in_one_conversation_keeps_no_other_of_its_account_waiting(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAITING_MAX", 10)
    monkeypatch.setattr(waiting, "LINE_MAX", 4)
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    async with w.house(agent=agent) as house:
        for n in range(60):
            house.scripted[RED].arrivals.put_nowait(([said(house, f"m{n}", "flood")], str(n)))
        house.scripted[RED].arrivals.put_nowait(([said(house, "anybody?", "other")], "60"))
        await house.quiet()
        assert agent.heard == ["m0", "anybody?"]
        assert house.pipeline._rooms[RED].waiting == 5
        agent.gate.set()
        await house.quiet()
        assert house.pipeline._rooms[RED].waiting == 0
    assert w.texts(RED, "flood") == [f"you said m{n}" for n in range(60)]


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_read_again_is_answered_once_and_in_its_order(
    world: Worlds, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(waiting, "LINE_MAX", 2)
    chance = random.Random(seed)  # noqa: S311 - a story, not a secret
    w, agent = world(), ScriptedAgent()
    names = [f"{chance.choice('aab')}{n}" for n in range(60)]
    left = list(names)
    async with w.house(agent=agent) as house:

        def told_late(work: Any) -> Any:
            async def call(*args: Any, **kwargs: Any) -> Any:
                result = await work(*args, **kwargs)
                await house.clock.sleep(chance.choice([0, 0, 1]))
                return result

            return call

        house.store.pending_events = told_late(house.store.pending_events)
        house.store.record = told_late(house.store.record)
        while left:
            together = [left.pop(0) for _ in range(min(len(left), chance.randint(1, 6)))]
            events = [said(house, name, name[0]) for name in together]
            house.scripted[RED].arrivals.put_nowait((events, together[-1]))
        await house.pass_time(60)
    assert sorted(agent.heard) == sorted(names)
    for place in "ab":
        assert w.texts(RED, place) == [f"you said {name}" for name in names if name[0] == place]


async def test_a_flood_that_the_last_process_left_is_answered_in_its_order(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LINE_MAX", 3)
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    house = w.house(agent=agent)
    await house.start()
    await hears(house, *(f"m{n}" for n in range(20)))
    await house.quiet()
    await house.die()
    agent.gate = None
    async with w.house(agent=agent) as later:
        await later.quiet()
    assert w.texts(RED) == [f"you said m{n}" for n in range(20)]


@pytest.mark.parametrize("how", ["stop", "forget"])
async def test_a_flood_does_not_outlive_its_account(world: Worlds, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(waiting, "LINE_MAX", 3)
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    async with w.house(agent=agent) as house:
        await hears(house, *(f"m{n}" for n in range(20)))
        await house.quiet()
        ending = house.pipeline.stop(5.0) if how == "stop" else house.pipeline.forget(RED, 5.0)
        ended_so = asyncio.create_task(ending)
        await house.quiet()
        agent.gate.set()
        await ended_so
        await house.quiet()
        assert agent.heard == ["m0"]
        assert house.pipeline._rooms[RED].waiting == 0


class Lingering(ScriptedAgent):
    """Takes its time to end when it is cancelled, the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.over = asyncio.Event()

    async def __call__(self, message: MessageReceived, conversation: Any) -> str | None:
        if not self.heard:
            self.heard.append(message.text)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await self.over.wait()
        return await super().__call__(message, conversation)


async def test_an_agent_that_lingers_takes_no_message_of_who_has_the_account_again(world: Worlds) -> None:
    w, agent = world(), Lingering()
    async with w.house(agent=agent) as house:
        await hears(house, "m0")
        await house.quiet()
        await house.pipeline.forget(RED, 0.0)
        await house.pipeline.recover(RED)
        await hears(house, "m1")
        await house.quiet()
        agent.over.set()
        await house.quiet()
        assert w.texts(RED) == ["you said m0", "you said m1"]
        assert house.pipeline._rooms[RED].waiting == 0


async def test_an_agent_that_fails_is_asked_again_in_order_and_the_message_is_parked_at_last(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    agent.script.extend([ValueError("a bug"), "first answer", *[ValueError("a bug")] * 3, "third answer"])
    async with w.house(agent=agent, limits=Limits(max_attempts=3)) as house:
        await hears(house, "first", "second", "third")
        await house.pass_time(60)
        assert await house.real_store.pending_events(house.clock.now()) == ()
    assert agent.heard == ["first", "first", "second", "second", "second", "third"]
    assert w.texts(RED) == ["first answer", "third answer"]


async def unpark(house: House, *parked: StoredEvent) -> None:
    seqs = [one.seq for one in parked]
    for account in await house.real_store.unpark(seqs, house.clock.now(), again=True):
        house.pipeline.again(account)


async def test_what_was_given_up_is_asked_again_at_the_operators_word(
    world: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    w, agent = world(), ScriptedAgent()
    agent.script.extend([ValueError("down")] * 6)
    async with w.house(agent=agent, limits=Limits(max_attempts=2)) as house:
        await hears(house, "first", "second")
        await hears(house, "elsewhere", place="c2")
        await house.pass_time(60)
        assert [record.getMessage() for record in caplog.records if "no answer" in record.getMessage()] == [
            f"{RED}: the agent failed on a message (try 2 of 2): it gets no answer; see `multihome unanswered`"
        ] * 3
        first, second, elsewhere = await house.real_store.parked(10)
        assert (first.event.text, first.attempts, first.error) == ("first", 2, "ValueError: down")
        agent.gate = asyncio.Event()
        await hears(house, "third")  # is being answered: the older ones wait for it
        await unpark(house, first, second)
        await house.pass_time(5)
        assert agent.heard[6:] == ["third"]
        agent.gate.set()
        await house.pass_time(5)
        assert await house.real_store.parked(10) == (elsewhere,)
    assert w.texts(RED) == ["you said third", "you said first", "you said second"]


async def test_what_is_to_be_asked_again_outlives_a_stop(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    agent.script.append(ValueError("down"))
    async with w.house(agent=agent, limits=Limits(max_attempts=1)) as house:
        await hears(house, "first")
        await house.quiet()
        agent.gate = asyncio.Event()
        await unpark(house, *await house.real_store.parked(1))
        await house.pass_time(3)
    agent.gate = None
    async with w.house(agent=agent) as house:
        await house.pass_time(3)
    assert w.texts(RED) == ["you said first"]


async def test_a_message_is_handed_out_again_however_far_the_clock_is_set_back(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    house = w.house(agent=agent)
    (one,) = await house.real_store.record(RED, [said(house, "first", "c1")], "1", house.clock.now())
    await house.real_store.postpone(one.seq, "ValueError: a bug", house.clock.now() + timedelta(hours=1))
    async with house:
        await house.pass_time(5)
    assert w.texts(RED) == ["you said first"]


async def test_a_failing_agent_keeps_no_other_conversation_waiting(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    async with w.house(agent=agent, limits=Limits(concurrency=1)) as house:
        agent.script.append(ValueError("a bug"))
        await hears(house, "unlucky", place="c1")
        await hears(house, "lucky", place="c2")
        await house.quiet()
        assert w.texts(RED) == ["you said lucky"]
        await house.pass_time(5)
    assert w.texts(RED) == ["you said lucky", "you said unlucky"]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(1), TimeoutError(), StoreError("its own")])
async def test_whatever_an_agent_raises_the_conversation_goes_on(world: Worlds, error: BaseException) -> None:
    w, agent = world(), ScriptedAgent()
    agent.script.append(error)
    async with w.house(agent=agent) as house:
        await hears(house, "one", "two")
        await house.pass_time(5)
    assert w.texts(RED) == ["you said one", "you said two"]


async def test_an_agent_that_hangs_is_given_up(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    async with w.house(agent=agent, limits=Limits(timeout_s=0.05, max_attempts=1)) as house:
        await hears(house, "one")
        await house.quiet()
        await asyncio.sleep(0.1)
        agent.gate = None
        await hears(house, "two")
        await house.quiet()
    assert w.texts(RED) == ["you said two"]


async def test_the_agent_is_asked_once_however_long_the_database_takes(world: Worlds) -> None:
    """It may cost money, or do things."""
    w, agent = world(), ScriptedAgent()
    async with w.house(agent=agent) as house:
        failures = 5

        def full(name: str) -> None:
            nonlocal failures
            if name == "handled" and failures:
                failures -= 1
                raise StoreError("the disk is full")

        house.store.before = full
        await hears(house, "one")
        await house.pass_time(10)
    assert agent.heard == ["one"]
    assert w.texts(RED) == ["you said one"]


async def test_an_event_that_a_mistake_of_ours_can_not_handle_is_parked(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    async with w.house(agent=agent, limits=Limits(max_attempts=2)) as house:
        prepare = house.intake.prepare

        async def broken(draft: Any) -> Any:
            if draft.document == words("you said one"):
                raise KeyError("a mistake of ours")
            return await prepare(draft)

        house.intake.prepare = broken  # type: ignore[method-assign]
        await hears(house, "one", "two")
        await house.pass_time(20)
        assert await house.real_store.pending_events(house.clock.now()) == ()
    assert w.texts(RED) == ["you said two"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_at_any_call_neither_drops_nor_repeats_an_answer(world: Worlds, after: bool) -> None:
    crashed = 0
    for at in range(40):
        w, agent = world(), ScriptedAgent()
        house = w.house(agent=agent)
        await house.start()
        crash = Crash(house, at, after=after)
        for n in range(3):
            house.scripted[RED].arrivals.put_nowait(([said(house, f"m{n}")], str(n)))
        await house.quiet()
        await house.die()
        if not crash.struck:
            break
        crashed += 1
        async with w.house(agent=agent) as later:
            came = later.scripted[RED].cursors[-1]
            for n in range(3 if came is None else 0, 3):
                later.scripted[RED].arrivals.put_nowait(([said(later, f"m{n}")], str(n)))
            # The platform gives what comes after the cursor; one more than that is known already and left out.
            for n in range(int(came or 0), 3):
                later.scripted[RED].arrivals.put_nowait(([said(later, f"m{n}")], str(n)))
            await later.quiet()
            await ended(later, *await later.real_store.deliveries())
            await later.quiet()
        assert w.texts(RED) == [f"you said m{n}" for n in range(3)], f"at call {at}"
    assert crashed > 8


async def test_what_the_last_process_left_is_answered_before_what_comes_new(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    house = w.house(agent=agent)
    await house.start()
    await hears(house, "old 1", "old 2")
    await house.quiet()
    await house.die()
    agent.gate = None
    agent.heard.clear()
    later = w.house(agent=agent)
    pending_events = later.real_store.pending_events

    async def slowly(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0.05)
        return await pending_events(*args, **kwargs)

    later.real_store.pending_events = slowly  # type: ignore[method-assign]
    later.scripted[RED].arrivals.put_nowait(([said(later, "new")], "9"))
    async with later:
        await later.quiet()
    assert agent.heard == ["old 1", "old 2", "new"]
    assert w.texts(RED) == ["you said old 1", "you said old 2", "you said new"]


async def test_a_long_backlog_does_not_keep_the_accounts_from_opening(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAITING_MAX", 4)
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    house = w.house(agent=agent)
    await house.start()
    for n in range(10):
        await house.real_store.record(RED, [said(house, f"m{n}", f"c{n}")], str(n), house.clock.now())
    await house.die()
    async with w.house(agent=agent) as later:
        one = await later.say("hello")
        await ended(later, one)
        agent.gate.set()
        await later.quiet()
    assert len(w.texts(RED)) == 11


async def test_a_stop_waits_for_answers_under_way_but_begins_none(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    house = w.house(agent=agent)
    await house.start()
    await hears(house, "one", "two")
    await house.quiet()
    stopping = asyncio.ensure_future(house.stop())
    await asyncio.sleep(0.05)
    agent.gate.set()
    async with asyncio.timeout(30):
        await stopping
    assert agent.heard == ["one"]
    async with w.house(agent=agent) as later:
        await later.quiet()
    assert w.texts(RED) == ["you said one", "you said two"]


async def test_a_resting_message_does_not_hold_up_a_stop(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    agent.script.append(ValueError("a bug"))
    house = w.house(agent=agent)
    await house.start()
    await hears(house, "one")
    await house.quiet()
    async with asyncio.timeout(30):
        await house.stop()


async def test_an_event_told_twice_is_answered_once(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    async with w.house(agent=agent) as house:
        await hears(house, "one")
        await hears(house, "one")
        await house.quiet()
    assert w.texts(RED) == ["you said one"]


async def test_typing_that_breaks_breaks_nothing_else(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()
    agent.gate = asyncio.Event()
    async with w.house(agent=agent) as house:

        async def show_typing(conversation: ConversationId) -> None:
            raise KeyError(conversation)

        house.scripted[RED].show_typing = show_typing  # type: ignore[attr-defined]
        await hears(house, "one")
        await house.pass_time(2)
        agent.gate.set()
        await house.quiet()
    assert w.texts(RED) == ["you said one"]

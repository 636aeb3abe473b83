"""One account's trouble never stops the others nor the process; a stop ends in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from core_rig import BLUE, RED, World, ended, road, words
from msgspec import structs

from gateway import seat
from gateway.books import StoreError, Tended
from gateway.leases import HOUSE, RENEW_EVERY_S
from gateway.model.delivery import Fault, FaultError, FaultKind, State
from gateway.model.standing import Signal, Source, Standing
from gateway.testing.scripted import ScriptedAdapter, ScriptedAgent, Trouble, message
from gateway.vault import VaultError

Worlds = Callable[..., World]


def opening(house: Any, account: Any, how: Any) -> None:
    """The account's factory does this first."""
    members = house.runtime._members
    at = next(n for n, member in enumerate(members) if member.account == account)
    members[at] = structs.replace(members[at], settings=how)


@pytest.mark.parametrize("error", [ImportError("no library"), FaultError(Fault(FaultKind.CONFIG, True, "bad server"))])
async def test_an_account_that_cannot_be_opened_is_told_and_stops_nobody(world: Worlds, error: Exception) -> None:
    w = world(RED, BLUE)
    house = w.house()
    opening(house, RED, error)
    async with house:
        assert house.standing(RED) is Standing.SIGNED_OUT
        record = house.monitor.record(RED)
        assert record is not None
        assert "can't be opened" in record.evidence
        one = await house.say("hello", BLUE)
        await ended(house, one)
        held = await house.say("hello", RED)
        await house.quiet()
        assert await house.state(held) is State.HELD


async def test_an_account_whose_platform_is_down_at_the_start_is_opened_later(world: Worlds) -> None:
    w = world(RED, BLUE)
    house = w.house()
    real = house.runtime._members[0].settings

    class Later:
        tries = 0

    async def attempt() -> Any:
        Later.tries += 1
        if Later.tries < 4:
            raise FaultError(Fault(FaultKind.NETWORK, True, "no route to host"))
        return real

    opening(house, RED, attempt)
    async with house:
        assert house.standing(RED) is Standing.CONNECTING
        one = await house.say("hello", RED)
        await house.pass_time(20)
        await ended(house, one)
        assert Later.tries == 4


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionError("no route to https://bot:hunter2@chat.example"), FaultKind.NETWORK),
        (ValueError("a bug with hunter2"), FaultKind.UNKNOWN),
    ],
)
async def test_what_no_factory_should_raise_is_no_verdict_on_the_account(
    world: Worlds, error: Exception, told: FaultKind
) -> None:
    w = world(RED, BLUE)
    house = w.house()
    member, tries = house.runtime._members[0], 0

    async def attempt() -> Any:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise error
        return member.settings

    opening(house, RED, attempt)
    await house.monitor.load()
    fault = await seat.Seat(house.runtime._members[0], house.runtime._rooms).connect()
    assert fault == Fault(told, False, type(error).__name__)
    async with house:
        assert house.standing(RED) is Standing.CONNECTING
        one = await house.say("hello", RED)
        await house.pass_time(20)
        await ended(house, one)
        assert tries == 4
    assert Standing.SIGNED_OUT not in house.changes()


@pytest.mark.parametrize("error", [FaultError(Fault(FaultKind.NETWORK, True, "no route to host")), ValueError("a bug")])
async def test_an_account_that_cannot_be_opened_for_long_is_offline_and_its_posts_take_their_road(
    world: Worlds, error: Exception
) -> None:
    w = world(RED, BLUE)
    house = w.house(routes=(road(RED, BLUE, when=frozenset({Standing.OFFLINE})),))
    member, down = house.runtime._members[0], True

    async def attempt() -> Any:
        if down:
            raise error
        return member.settings

    opening(house, RED, attempt)
    async with house:
        one = await house.say("hello", RED)
        await house.pass_time(20)
        await ended(house, one)
        assert house.changes() == [Standing.OFFLINE]
        assert any("hello" in text for text in w.texts(BLUE))
        down = False
        await house.pass_time(60)
        assert house.standing(RED) is Standing.HEALTHY


async def test_a_vault_with_another_key_tells_its_cure(world: Worlds) -> None:
    house = world().house()

    async def attempt() -> Any:
        raise VaultError("red: sealed with another vault_key: use that one")

    opening(house, RED, attempt)
    async with house:
        record = house.monitor.record(RED)
        assert record is not None
        assert record.standing is Standing.SIGNED_OUT
        assert record.evidence.endswith("sealed with another vault_key: use that one")


async def test_a_factory_that_hangs_keeps_no_other_account_closed(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seat, "OPEN_TIMEOUT_S", 0.3)
    w = world(RED, BLUE)
    house = w.house()

    async def hang() -> Any:
        await asyncio.get_running_loop().create_future()

    opening(house, RED, hang)
    await house.monitor.load()
    starting = asyncio.ensure_future(house.runtime.start())
    await asyncio.sleep(0.1)
    await house.quiet()
    one = await house.say("hello", BLUE)
    await house.quiet()
    assert await house.state(one) is State.DELIVERED
    assert not starting.done()
    await starting
    await house.stop()


@pytest.mark.parametrize(
    "end",
    [None, FaultError(Fault(FaultKind.NETWORK, True, "stream cut")), KeyError("a bug"), asyncio.CancelledError()],
    ids=["ends", "fault", "bug", "cancelled"],
)
async def test_receiving_that_ends_is_begun_again_from_the_stored_cursor(world: Worlds, end: Any) -> None:
    w, agent = world(RED, BLUE), ScriptedAgent()
    async with w.house(agent=agent) as house:
        red = house.scripted[RED]
        red.arrivals.put_nowait(([message(RED, "m1", words("one"), w.clock.now())], "c1"))
        red.arrivals.put_nowait(end)
        red.arrivals.put_nowait(([message(RED, "m2", words("two"), w.clock.now())], "c2"))
        await house.pass_time(5)
        assert red.cursors == [None, "c1"]
        assert house.standing(RED) is Standing.HEALTHY
    assert w.texts(RED) == ["you said one", "you said two"]


async def test_receiving_that_fails_for_ever_rests_ever_longer(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        for _ in range(1_000):
            house.scripted[RED].arrivals.put_nowait(None)
        await house.pass_time(600, 5.0)
        assert 10 < len(house.scripted[RED].cursors) < 30


def limited(world: World, rest: timedelta, kind: FaultKind = FaultKind.RATE_LIMITED) -> FaultError:
    return FaultError(Fault(kind, True, "429: too many requests", world.clock.now() + rest))


async def test_a_limit_on_reading_is_not_asked_again_before_its_hour(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        red = house.scripted[RED]
        red.arrivals.put_nowait(limited(w, timedelta(minutes=15)))
        await house.pass_time(890, 5.0)
        assert len(red.cursors) == 1
        await house.pass_time(15, 5.0)
        assert len(red.cursors) == 2
        assert house.standing() is Standing.HEALTHY


async def test_a_limit_on_reading_outlasts_a_doubt_about_the_account(world: Worlds) -> None:
    """That it is well again says nothing of the window: it was well before."""
    w = world()
    async with w.house() as house:
        red = house.scripted[RED]
        red.arrivals.put_nowait(limited(w, timedelta(minutes=15)))
        w[RED].probe = Fault(FaultKind.NETWORK, True, "no route to host")
        house.monitor.observe(RED, Signal(Source.SEND, w.clock.now(), "", w[RED].probe))
        await house.pass_time(3)
        w[RED].probe = None
        await house.pass_time(60)
        assert house.changes()[-2:] == [Standing.DEGRADED, Standing.HEALTHY]
        assert len(red.cursors) == 1


async def test_a_limit_until_a_day_that_makes_no_sense_ends_within_the_hour(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        house.scripted[RED].arrivals.put_nowait(limited(w, timedelta(days=400)))
        await house.pass_time(3_500, 20.0)
        assert len(house.scripted[RED].cursors) == 1
        await house.pass_time(200, 20.0)
        assert len(house.scripted[RED].cursors) == 2


async def test_an_hour_named_with_a_loss_does_not_outlast_the_return(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        red = house.scripted[RED]
        red.arrivals.put_nowait(limited(w, timedelta(minutes=50), FaultKind.QUOTA))
        await house.pass_time(600, 5.0)
        assert (house.standing(), len(red.cursors)) == (Standing.LIMITED, 1)
        house.monitor.resume(RED)
        await house.quiet()
        assert len(red.cursors) == 2


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_road_that_opens_while_one_is_judged_is_not_taken_before_who_is_held(
    world: Worlds, moment: str
) -> None:
    """Found by chaos: a network was connecting when the first was held, and connected when the second was judged."""
    w = world(RED, BLUE)
    house = w.house(routes=(road(RED, BLUE),))
    members = {member.account: member.settings for member in house.runtime._members}
    is_up = False

    async def attempt() -> Any:
        if not is_up:
            raise FaultError(Fault(FaultKind.NETWORK, True, "no route to host"))
        return members[BLUE]

    def comes_up(name: str) -> None:
        nonlocal is_up
        if name == "unsent" and not is_up:
            is_up = True
            house.monitor.observe(BLUE, Signal(Source.PROBE, w.clock.now(), "it answers"))

    opening(house, BLUE, attempt)
    async with house:
        await house.lose()
        first = await house.say("first")
        await house.quiet()
        assert await house.state(first) is State.HELD
        setattr(house.store, moment, comes_up)
        second = await house.say("second")
        await ended(house, first, second)
    assert w.texts(BLUE) == ["first", "second"]


async def test_an_account_that_is_limited_while_it_opens_is_tried_at_its_hour(world: Worlds) -> None:
    w = world(RED, BLUE)
    house = w.house()
    real, tries = house.runtime._members[0].settings, 0

    async def attempt() -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise limited(w, timedelta(minutes=15))
        return real

    opening(house, RED, attempt)
    async with house:
        await house.pass_time(890, 5.0)
        assert tries == 1
        await house.pass_time(15, 5.0)
        assert (tries, house.standing()) == (2, Standing.HEALTHY)


async def test_a_mistake_in_receiving_asks_the_probe_and_no_more(world: Worlds) -> None:
    """It may be about a refusal that the adapter did not understand."""
    w = world()
    async with w.house() as house:
        before = len(w[RED].probes)
        house.scripted[RED].arrivals.put_nowait(KeyError("min_id"))
        await house.pass_time(5)
        assert len(w[RED].probes) == before + 1
        assert house.standing() is Standing.HEALTHY
        w[RED].probe = Fault(FaultKind.SUSPENDED, True, "gone")
        house.scripted[RED].arrivals.put_nowait(KeyError("min_id"))
        await house.pass_time(5)
        assert house.standing() is Standing.SUSPENDED


async def test_an_arrival_the_database_refuses_comes_again(world: Worlds) -> None:
    w, agent = world(), ScriptedAgent()

    class Faithful(ScriptedAdapter):
        """Gives what comes after the cursor, as platforms do."""

        async def events(self, cursor: str | None) -> Any:
            self.cursors.append(cursor)
            for n in range(int(cursor or 0), 3):
                yield [message(RED, f"m{n}", words(f"m{n}"), w.clock.now())], str(n + 1)
            await asyncio.get_running_loop().create_future()

    house = w.house(agent=agent, kind=Faithful)
    failures = 3

    def full(name: str) -> None:
        nonlocal failures
        if name == "record" and failures:
            failures -= 1
            raise StoreError("the disk is full")

    house.store.before = full
    async with house:
        await house.pass_time(20)
    assert w.texts(RED) == [f"you said m{n}" for n in range(3)]


# The end.


class Stubborn(ScriptedAdapter):
    """Ends nothing when told to."""

    async def _never(self) -> Any:
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                if self.platform.lost is not None:  # the test is over
                    raise

    async def send(self, part: Any) -> Any:
        await self._never()

    async def events(self, cursor: str | None) -> Any:
        self.cursors.append(cursor)
        await self._never()
        yield [], ""

    async def aclose(self) -> None:
        await self._never()


async def test_a_stop_is_bounded_whatever_hangs(world: Worlds) -> None:
    """Sends, receiving, closing, an agent, and a database that takes nothing any more."""
    w = world(RED, BLUE)

    async def agent(*_: Any) -> str:
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                if w[RED].lost is not None:
                    raise

    house = w.house(agent=agent, kind=Stubborn)  # type: ignore[arg-type]
    await house.start()
    await house.say("hello")
    await house.pipeline.receive(RED, [message(RED, "m1", words("one"), w.clock.now())], "1")

    def full(name: str) -> None:
        if name == "save_record":
            raise StoreError("the disk is full")

    house.store.before = full
    await house.quiet()
    house.monitor.resume(RED)
    w[RED].probe = Fault(FaultKind.SUSPENDED, True, "gone")
    async with asyncio.timeout(30):
        await house.runtime.stop()
    w[RED].lost = w[BLUE].lost = Fault(FaultKind.NETWORK, True, "over")
    await house.die()


async def test_a_stop_lets_a_send_finish(world: Worlds) -> None:
    w = world()
    gate = asyncio.Event()

    class Slow(ScriptedAdapter):
        async def send(self, part: Any) -> Any:
            await gate.wait()
            return await super().send(part)

    house = w.house(kind=Slow)
    await house.start()
    one = await house.say("one\n\ntwo")
    await house.quiet()
    stopping = asyncio.ensure_future(house.runtime.stop())
    await asyncio.sleep(0.02)
    gate.set()
    await stopping
    found = await house.now(one)
    assert (found.state, len(found.sent)) == (State.QUEUED, 1)
    await house.real_store.aclose()
    async with w.house() as later:
        await ended(later, one)
    assert w.texts(RED) == ["one", "two"]


async def test_a_probe_that_breaks_is_no_standing(world: Worlds) -> None:
    w = world()

    class Blind(ScriptedAdapter):
        async def check(self) -> Any:
            raise KeyError("a bug")

    async with w.house(kind=Blind) as house:
        one = await house.say("hello")
        await house.pass_time(60)
        assert house.standing() is Standing.DEGRADED
        assert await house.state(one) is State.DELIVERED


async def test_what_an_adapter_reports_by_itself_counts(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        w[RED].troubles.append(Trouble(Fault(FaultKind.SIGNED_OUT, True, "token revoked")))
        w[RED].probe = Fault(FaultKind.SIGNED_OUT, True, "token revoked")
        one = await house.say("hello")
        await house.pass_time(5)
        assert (house.standing(), await house.state(one)) == (Standing.SIGNED_OUT, State.HELD)
        w[RED].probe = None
        await house.regain()
        await ended(house, one)
    assert w.texts(RED) == ["hello"]


async def test_the_house_lost_and_had_again_at_once_goes_on_rerouting(world: Worlds) -> None:
    """Another gateway had it between two renewals."""
    w = world(RED, BLUE)
    house = w.house(routes=(road(RED, BLUE),))
    epoch = 1

    async def tend(_member: str, wanted: Any, _ttl_s: float) -> Tended:
        return Tended(dict.fromkeys(wanted, 1) | {HOUSE: epoch}, (), 1)

    house.store.alone, house.store.tend = False, tend
    async with house:
        epoch = 2
        await house.pass_time(RENEW_EVERY_S * 2)
        await house.lose()
        one = await house.say("hello")
        await ended(house, one)
    assert (w.texts(RED), w.texts(BLUE)) == ([], ["hello"])

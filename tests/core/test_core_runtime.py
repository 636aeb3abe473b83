"""One account's trouble never stops the others nor the process; a stop ends in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from core_rig import BLUE, RED, World, ended, road, words
from msgspec import structs

from gateway import seat
from gateway.books import StoreError, Tended
from gateway.leases import HOUSE, RENEW_EVERY_S
from gateway.model.delivery import Fault, FaultError, FaultKind, State
from gateway.model.standing import Standing
from gateway.testing.scripted import ScriptedAdapter, ScriptedAgent, Trouble, message

Worlds = Callable[..., World]


def opening(house: Any, account: Any, how: Any) -> None:
    """The account's factory does this first."""
    members = house.runtime._members
    at = next(n for n, member in enumerate(members) if member.account == account)
    members[at] = structs.replace(members[at], settings=how)


@pytest.mark.parametrize(
    "error", [ImportError("no library"), FaultError(Fault(FaultKind.CONFIG, True, "bad server")), ValueError("bug")]
)
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

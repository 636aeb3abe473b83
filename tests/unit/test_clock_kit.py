"""gateway/testing/kit.py: time that moves only when told; gateway/clock.py: time that doesn't ask."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.clock import SystemClock
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.testing import Bench, ManualClock
from gateway.testing.kit import settle


@pytest.fixture
def clock():
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


async def test_time_stands_still_until_told(clock):
    before = clock.now(), clock.monotonic()
    await settle()
    assert (clock.now(), clock.monotonic()) == before
    await clock.advance(90)
    assert clock.now() == before[0] + timedelta(seconds=90)
    assert clock.monotonic() == before[1] + 90


async def test_sleepers_wake_in_the_order_of_their_hours_and_see_their_hour(clock):
    woken = []

    async def sleeper(name, delay_s):
        await clock.sleep(delay_s)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        for name, delay_s in [("late", 3), ("early", 1), ("also early", 1), ("never mind", 0)]:
            tasks.create_task(sleeper(name, delay_s))
        await settle()
        assert woken == [("never mind", 0)]
        await clock.advance(2.5)
        assert woken[1:] == [("early", 1), ("also early", 1)]
        assert clock.sleepers == 1
        await clock.advance(0.5)
    assert woken[-1] == ("late", 3)
    assert clock.sleepers == 0


async def test_whoever_sleeps_again_wakes_within_one_advance(clock):
    ticks = []

    async def ticker():
        while len(ticks) < 5:
            await clock.sleep(10)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(ticker())
    await settle()
    await clock.advance(35)
    assert ticks == [10, 20, 30]
    await clock.advance(15)
    assert ticks == [10, 20, 30, 40, 50]
    await task


async def test_a_cancelled_sleeper_is_forgotten(clock):
    task = asyncio.create_task(clock.sleep(5))
    await settle()
    assert clock.sleepers == 1
    task.cancel()
    await settle()
    assert clock.sleepers == 0
    await clock.advance(10)
    assert task.cancelled()


async def test_a_bench_hands_an_adapter_what_it_needs(clock):
    bench = Bench("net/main", clock)
    bench.pictures["ab"] = b"picture"
    assert bench.context.account == "net/main"
    assert bench.context.clock is clock
    assert await bench.context.media("ab") == b"picture"
    with pytest.raises(FaultError) as caught:
        await bench.context.media("cd")
    assert caught.value.fault == Fault(FaultKind.MEDIA, True, "its bytes are not kept any more")


async def test_the_machines_clock_is_aware_and_never_goes_back():
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    first = clock.monotonic()
    await clock.sleep(-1)
    await clock.sleep(0.01)
    assert clock.monotonic() > first

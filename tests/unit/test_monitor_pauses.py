"""When the monitor looks at an account again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from gateway.bus import Bus
from gateway.model.delivery import Fault, FaultKind
from gateway.model.ids import AccountId, WorkspaceId
from gateway.model.standing import Record, Signal, Source, Standing
from gateway.monitor import Monitor, Pauses
from gateway.services import Services
from gateway.testing.kit import ManualClock, settle

ACCOUNT = AccountId("x/main")
PAUSES = Pauses(first_s=1.0, longest_s=60.0, routine_s=900.0)


class Books:
    """What the monitor asks of a store."""

    async def records(self) -> tuple[Record, ...]:
        return ()

    async def save_record(self, record: Record) -> None:
        pass


class Platform:
    """Its probe says that all is well, whatever a send meets."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.looked: list[datetime] = []

    async def check(self) -> Signal:
        self.looked.append(self._clock.now())
        return Signal(Source.PROBE, self._clock.now(), "signed in")


class Profiled:
    """What of a profile the monitor looks at."""

    probe_sees_lock = True
    idempotency = None


@asynccontextmanager
async def watching() -> AsyncIterator[tuple[Monitor, Platform, ManualClock]]:
    clock = ManualClock()
    nothing: Any = None
    services = Services(WorkspaceId("w"), Books(), clock, Bus(), nothing, nothing)  # type: ignore[arg-type]
    monitor = Monitor(services, {ACCOUNT: Profiled()}, PAUSES)  # type: ignore[dict-item]
    await monitor.load()
    platform = Platform(clock)
    task = asyncio.create_task(monitor.watch(ACCOUNT, platform))  # type: ignore[arg-type]
    try:
        await settle()
        yield monitor, platform, clock
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await monitor.stop()


def refused(monitor: Monitor, clock: ManualClock) -> None:
    fault = Fault(FaultKind.SUSPENDED, certain=True, evidence="403")
    monitor.observe(ACCOUNT, Signal(Source.SEND, clock.now(), "403", fault))


def standing(monitor: Monitor) -> Standing | None:
    record = monitor.record(ACCOUNT)
    return record.standing if record is not None else None


async def test_a_loss_is_looked_into_at_once() -> None:
    async with watching() as (monitor, platform, clock):
        await clock.advance(1)
        refused(monitor, clock)
        await settle()
        assert len(platform.looked) == 2
        assert standing(monitor) is Standing.HEALTHY


async def test_a_second_loss_soon_after_is_looked_into_after_a_short_pause_not_the_routine() -> None:
    """The probe was wrong a moment ago, or the account was lost anew: neither waits a quarter of an hour."""
    async with watching() as (monitor, platform, clock):
        await clock.advance(1)
        refused(monitor, clock)
        await settle()
        await clock.advance(1)
        refused(monitor, clock)
        await settle()
        assert standing(monitor) is Standing.SUSPENDED
        assert len(platform.looked) == 2
        await clock.advance(2 * PAUSES.first_s)
        assert len(platform.looked) == 3
        assert standing(monitor) is Standing.HEALTHY


async def test_an_operator_who_resumes_waits_for_no_pause() -> None:
    async with watching() as (monitor, platform, clock):
        await clock.advance(1)
        refused(monitor, clock)
        await settle()
        refused(monitor, clock)
        monitor.resume(ACCOUNT)
        await clock.advance(1)
        assert standing(monitor) is Standing.HEALTHY
        assert len(platform.looked) == 3

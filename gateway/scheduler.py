"""What happens by the clock: expiry and forgetting. The jobs live in memory and in one process only."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from typing import Any

from gateway.services import Services

log = logging.getLogger("multihome.scheduler")

EXPIRE_EVERY_S = 10
PRUNE_EVERY_S = 3600
PRUNE_SHARE = 10
"""A history shorter than so many of these pauses is pruned so many times in its length."""
PRUNE_PAGE = 1_000


class Scheduler:
    """Expires what waited too long and forgets old history."""

    def __init__(self, services: Services, keep: timedelta, on_expired: Callable[[], None]) -> None:
        self._store = services.store
        self._clock = services.clock
        self._keep = keep
        self._on_expired = on_expired
        self._scheduler: Any = None

    def start(self) -> None:
        """Needs a running loop. The library comes only now: nobody has to wait for its 70 ms."""
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        self._scheduler = AsyncIOScheduler(timezone=UTC)
        prune_every_s = min(PRUNE_EVERY_S, self._keep.total_seconds() / PRUNE_SHARE)
        for job, every_s in ((self._expire, EXPIRE_EVERY_S), (self._prune, prune_every_s)):
            self._scheduler.add_job(_guarded, "interval", [job], seconds=every_s, max_instances=1, coalesce=True)
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler is not None and self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def _expire(self) -> None:
        expired = await self._store.expire(self._clock.now())
        if expired:
            log.warning("%d deliveries waited longer than their route allows and expired", expired)
            self._on_expired()

    async def _prune(self) -> None:
        before = self._clock.now() - self._keep
        while await self._store.prune(before, PRUNE_PAGE) == PRUNE_PAGE:
            pass


async def _guarded(job: Callable[[], Awaitable[None]]) -> None:
    try:
        await job()
    except Exception:
        log.exception("a scheduled job failed; it runs again at its next hour")

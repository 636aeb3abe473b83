"""The only module that reads time or sleeps. Everything else is handed a clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never backwards."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(max(0.0, delay_s))


async def rest(sleep: Coroutine[Any, Any, None], bell: asyncio.Event) -> None:
    """Until a clock's ``sleep`` is over, or somebody rings."""
    tasks = asyncio.ensure_future(sleep), asyncio.ensure_future(bell.wait())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

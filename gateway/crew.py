"""Tasks that belong together: started, kept alive, and ended with one word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.ports import Clock

log = logging.getLogger("multihome.runtime")

RESTART_FIRST_S = 0.5
RESTART_LONGEST_S = 60.0


class Crew:
    """The background work of one account, or of the gateway."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something to its end."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def supervise(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Run a task that should never end; when it fails, say so and start it again after a pause."""
        return self.begin(name, self._forever(name, work))

    async def stop(self, patience_s: float) -> None:
        """End all of it; what doesn't within ``patience_s`` is left behind."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience_s)

    async def _forever(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        pause_s = RESTART_FIRST_S
        while True:
            try:
                await work()
            except asyncio.CancelledError:
                # A library's own cancelling comes up here too; ours alone ends the task.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                log.warning("%s: cancelled from inside, starting again", name)
            except Exception:
                log.exception("%s: stopped, starting again", name)
            await self._clock.sleep(pause_s)
            pause_s = min(RESTART_LONGEST_S, pause_s * 2)

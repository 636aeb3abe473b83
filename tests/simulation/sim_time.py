"""Time that costs nothing: one hour for everybody, an event loop that jumps to it, and processes that can die.

The universe outlives every process. It has its own appointments (a request that travels, somebody who writes). A
process is one :class:`VirtualLoop`, and is dead once that loop is: nothing of it runs any more, whatever it waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Crash(KeyboardInterrupt):
    """The process ends here. A KeyboardInterrupt, because nothing else leaves asyncio's callbacks."""


class Stuck(Exception):  # noqa: N818 - what happened
    """Nothing will ever happen again."""


class Universe:
    """The true time, and what happens by itself."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._appointments: list[tuple[float, int, Callable[[], None]]] = []

    @property
    def true(self) -> datetime:
        """What a right clock would show."""
        return START + timedelta(seconds=self.now)

    @property
    def next_at(self) -> float:
        return self._appointments[0][0] if self._appointments else float("inf")

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._appointments, (max(when, self.now), next(self._order), do))

    def after(self, delay_s: float, do: Callable[[], None]) -> None:
        self.at(self.now + delay_s, do)

    def happen(self, until: float) -> None:
        """Let the next appointment happen when its hour is not later; else time passes."""
        if self.next_at > until:
            self.now = max(self.now, until)
            return
        self.now, _, do = heapq.heappop(self._appointments)
        do()

    def pass_until(self, when: float) -> None:
        """With no process running."""
        while self.now < when or self.next_at <= when:
            self.happen(when)


class SimClock:
    """The machine's clock: its wall may jump, its monotonic hand may not."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self.wrong_by = timedelta()

    def now(self) -> datetime:
        return self._universe.true + self.wrong_by

    def monotonic(self) -> float:
        return self._universe.now

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(max(0.0, delay_s))


class SimTask(asyncio.Task[Any]):
    """Counted, so that a set of tasks has the same order in every run."""

    _numbers = itertools.count()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(SimTask._numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number

    @classmethod
    def count_anew(cls) -> None:
        cls._numbers = itertools.count()


class VirtualLoop(asyncio.BaseEventLoop):
    """Never waits: where a real loop would sleep, the universe's time jumps. It is its own selector."""

    def __init__(self, universe: Universe) -> None:
        super().__init__()
        self.universe = universe
        self.dead = False
        self.turns_left: int | None = None
        """Turns of the loop until the process crashes: then between any two steps of any two tasks."""
        self.crash: Callable[[], None] = lambda: None
        self.crash_dice = Random(0)  # noqa: S311 - a story's chance
        self._selector = self
        self.tasks: list[SimTask] = []
        self.set_task_factory(self._task)

    def _task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **kwargs: Any
    ) -> asyncio.Future[Any]:
        task = SimTask(work, loop=loop, **kwargs)
        self.tasks.append(task)
        if len(self.tasks) > 512:
            self.tasks = [each for each in self.tasks if not each.done()]
        return task

    def time(self) -> float:
        return self.universe.now

    def select(self, timeout: float | None) -> list[Any]:
        if self.turns_left is not None:
            self.turns_left -= 1
            if self.turns_left < 0:
                self.turns_left = None
                ready = self._ready  # type: ignore[attr-defined]
                ready.insert(self.crash_dice.randint(0, len(ready)), asyncio.Handle(self.crash, (), self))
                return []
        if timeout is None and self.universe.next_at == float("inf"):
            raise Stuck
        self.universe.happen(float("inf") if timeout is None else self.universe.now + timeout)
        return []

    def _process_events(self, event_list: Any) -> None: ...

    def _write_to_self(self) -> None: ...

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """There are no threads in here."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it goes to the caller
            future.set_exception(error)
        return future

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.dead:
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon(callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if self.dead:
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    def bury(self) -> None:
        """Let go of everything. What the tasks say while they end is said to nobody."""
        self.dead = True
        self._ready.clear()  # type: ignore[attr-defined]  # asyncio keeps these to itself
        self._scheduled.clear()  # type: ignore[attr-defined]
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            for task in self.tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                if task.done():
                    task._log_traceback = False  # type: ignore[attr-defined]
                with contextlib.suppress(BaseException):
                    task.get_coro().close()  # type: ignore[union-attr]
        finally:
            sys.unraisablehook = hook
        self.tasks.clear()
        self.close()

"""What is in memory of what waits for the agent. The inbox has all of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from gateway.unanswered import StoredEvent

WAITING_MAX = 1_000
"""Events of one account in memory; beyond it its platform alone has to wait (it or the inbox keeps the rest)."""
LINE_MAX = 100
"""Those of one conversation: else one person's flood would take the whole room of an account."""


class Line:
    """One conversation's events in memory, in order. Once one finds it full, it and what follows stay in the inbox."""

    __slots__ = ("_newest", "_taken", "events")

    def __init__(self) -> None:
        self.events: deque[StoredEvent] = deque()
        self._taken = self._newest = 0

    @property
    def unread(self) -> range:
        """The numbers of those in the inbox alone; others' are among them."""
        return range(self._taken + 1, self._newest + 1)

    def add(self, stored: StoredEvent) -> int:
        """How many came in."""
        full = bool(self.unread) or len(self.events) >= LINE_MAX
        self._newest = stored.seq
        return 0 if full else self._put((stored,), stored.seq)

    def read_on(self, own: Sequence[StoredEvent], until: int) -> int:
        """What was read of the unread, which is all of it ``until`` there."""
        fit = own[:LINE_MAX]
        return self._put(fit, fit[-1].seq if len(own) > LINE_MAX else until)

    def leave(self, first: int) -> int:
        """Forget all but the first events: the inbox keeps them. How many that were."""
        left = len(self.events) - first
        for _ in range(left):
            self.events.pop()
        self._taken = self._newest
        return left

    def _put(self, more: Sequence[StoredEvent], taken: int) -> int:
        self.events.extend(more)
        self._taken = taken
        return len(more)


class Room:
    """How much of one account is in memory."""

    def __init__(self) -> None:
        self.waiting = 0
        self.free = asyncio.Event()
        self.free.set()

    def count(self, events: int) -> None:
        self.waiting += events
        if self.waiting >= WAITING_MAX:
            self.free.clear()
        elif self.waiting < WAITING_MAX // 2:
            self.free.set()

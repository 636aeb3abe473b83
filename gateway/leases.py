"""Which accounts are this process's, and until when it may believe so.

Several gateways on one database share the accounts out among themselves by leases that the database keeps. A lease
that isn't renewed ends; whoever slept through its end must not act on it any more, and finds that out from its own
clock, without asking anybody.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence

from gateway.books import Store, StoreError
from gateway.clock import rest
from gateway.crew import Crew
from gateway.ports import Clock

log = logging.getLogger("multihome.leases")

HOUSE = "house"
"""The lease on what is done once for all accounts: failover, expiry, forgetting, notices of a loss."""
RENEW_EVERY_S = 1.5
TTL_S = 5.0
"""From the last renewal to the moment at which another process may take over."""

Names = Sequence[str]


class Leases:
    """The leases of one process. Where it has the database to itself, it has everything, for ever.

    ``gained`` and ``lost`` are called at once, with names; ``finish`` is awaited for those that others should have,
    before they are given up.
    """

    def __init__(self, store: Store, clock: Clock, member: str, names: Names) -> None:
        self.member = member
        self.members = 1
        """How many gateways were alive at the last renewal."""
        self.gained: Callable[[Names], None] = lambda _: None
        self.lost: Callable[[Names], None] = lambda _: None
        self.finish: Callable[[Names], Awaitable[None]] = _nothing
        self._store = store
        self._clock = clock
        self._wanted = tuple(names)
        self._held: dict[str, int] = {}
        self._leaving: set[str] = set()
        self._until = -math.inf
        self._one_at_a_time = asyncio.Lock()
        self._bell = asyncio.Event()
        self._renewed = asyncio.Event()
        self._crew = Crew(clock)
        self._ending = self._failing = False

    def holds(self, name: str) -> bool:
        """Whether this process still has it, to the best of its own clock."""
        return name in self._held and self._clock.monotonic() < self._until

    def look(self) -> None:
        """Something changed among the gateways: renew now."""
        self._bell.set()

    async def begin(self) -> None:
        """Take what there is to take. Raises StoreError."""
        await self._renew()
        if not self._store.alone:
            self._crew.supervise("leases", self._keep)
            self._crew.supervise("lease watch", self._watch)

    def take_no_more(self) -> None:
        """The process is about to end: what it has it keeps till then."""
        self._ending = True
        self._wanted = tuple(self._held)

    async def stop(self, patience_s: float) -> None:
        """Leave everything to the others, at once."""
        await self._crew.stop(patience_s)
        self._held.clear()
        if self._store.alone:
            return
        try:
            async with asyncio.timeout(patience_s):
                await self._store.give_up(self.member, None)
        except (StoreError, TimeoutError) as error:
            log.warning("the leases could not be given up, others wait until they end: %s", error)

    async def _keep(self) -> None:
        while True:
            await rest(self._clock.sleep(RENEW_EVERY_S), self._bell)
            self._bell.clear()
            try:
                await self._renew()
            except StoreError as error:
                if not self._failing:
                    log.error("the leases can't be renewed, trying again: %s", error)  # noqa: TRY400 - it says it all
                self._failing = True
            else:
                self._failing = False

    async def _renew(self) -> None:
        """The lease counts from before the question: the database may have taken its time with the answer."""
        async with self._one_at_a_time:
            began = self._clock.monotonic()
            tended = await self._store.tend(self.member, self._wanted, TTL_S)
            self.members = tended.members
            self._until = math.inf if self._store.alone else began + TTL_S
            self._renewed.set()
            if self._clock.monotonic() >= self._until:
                return
            self._hold(tended.held)
            self._make_way(tended.excess)

    def _hold(self, told: dict[str, int]) -> None:
        """An epoch that changed means that somebody else had it in between."""
        gone = [name for name, epoch in self._held.items() if told.get(name) != epoch]
        fresh = [name for name in told if (name not in self._held or name in gone) and self._may_take(name)]
        self._held = {name: told[name] for name in told if name in fresh or name in self._held}
        if gone:
            self.lost(gone)
        if fresh:
            self.gained(fresh)

    def _may_take(self, name: str) -> bool:
        return not self._ending and name not in self._leaving

    def _make_way(self, excess: Names) -> None:
        leaving = [name for name in excess if name in self._held and name not in self._leaving]
        if leaving and not self._ending:
            self._leaving.update(leaving)
            self._crew.begin("leases given up", self._give_up(leaving))

    async def _give_up(self, names: Names) -> None:
        """First nothing of theirs is under way here any more, then others may have them."""
        try:
            await self.finish(names)
            async with self._one_at_a_time:
                for name in names:
                    self._held.pop(name, None)
                await self._store.give_up(self.member, names)
        except StoreError as error:
            log.warning("leases could not be given up: %s", error)
        finally:
            self._leaving.difference_update(names)

    async def _watch(self) -> None:
        """Once the leases ran out, nothing is held; a renewal may bring it back."""
        while True:
            while (left_s := self._until - self._clock.monotonic()) > 0:
                await self._clock.sleep(left_s)
            gone, self._held = list(self._held), {}
            if gone:
                log.error(
                    "%d leases ran out: the database didn't answer for %.0f s, or this process slept", len(gone), TTL_S
                )
                self.lost(gone)
            self._renewed.clear()
            await self._renewed.wait()


async def _nothing(_: Names) -> None:
    return

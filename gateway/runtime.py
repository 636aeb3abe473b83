"""Which accounts are at work here, and what is done once for all of them: from the start to a bounded stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from gateway.crew import Crew
from gateway.leases import HOUSE, Leases
from gateway.model.delivery import Fault
from gateway.model.events import GatewayEvent, StandingChanged
from gateway.model.ids import AccountId
from gateway.model.standing import Standing
from gateway.neighbours import Neighbours
from gateway.rerouter import Rerouter
from gateway.seat import END_PATIENCE_S, Member, Rooms, Seat, closed

log = logging.getLogger("multihome.runtime")

STOP_PATIENCE_S = 3.0
"""For answers, then for sends: with all else, within the ten seconds after which a container is killed."""
HAND_OVER_PATIENCE_S = 3.0
"""As long, when another gateway is to have an account; where the lease ran out there is no time at all."""


class Jobs(Protocol):
    """What is done by the clock, for the whole house."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Runtime:
    """Keeps every account connected that this process holds, and the house's work going where it holds that."""

    def __init__(self, members: Sequence[Member], rooms: Rooms, leases: Leases, rerouter: Rerouter, jobs: Jobs) -> None:
        self._members = sorted(members, key=lambda member: member.platform.import_ms)
        self._rooms = rooms
        self._leases = leases
        self._rerouter = rerouter
        self._jobs = jobs
        self._neighbours = Neighbours(rooms, leases, rerouter)
        self._seats: dict[AccountId, Seat] = {}
        self._leaving: dict[AccountId, asyncio.Task[None]] = {}
        self._house = Crew(rooms.services.clock)
        self._keeps_house = False
        self._busy = Crew(rooms.services.clock)
        self._settled_in = False
        leases.gained, leases.lost, leases.finish = self._gained, self._lost, self._finish
        rooms.outbox.holds = leases.holds
        rooms.services.bus.listen(self._heard)

    async def start(self) -> None:
        """Take what accounts there are to take and open them, the lightest first; returns when each was tried."""
        if not self._rooms.services.store.alone:
            await self._neighbours.meet(member.account for member in self._members)
        await self._leases.begin()
        await asyncio.gather(*(seat.tried.wait() for seat in tuple(self._seats.values())))
        self._settled_in = True
        if self._keeps_house:
            self._jobs.start()

    async def stop(self) -> None:
        """Stop taking in, let answers and sends finish, close everything. What can't finish is safe in the database."""
        self._leases.take_no_more()
        await asyncio.gather(
            self._end_house().stop(END_PATIENCE_S),
            self._neighbours.stop(END_PATIENCE_S),
            *(seat.hush() for seat in self._seats.values()),
        )
        await self._rooms.pipeline.stop(STOP_PATIENCE_S)
        await self._rooms.outbox.stop(STOP_PATIENCE_S)
        await self._rooms.monitor.stop(END_PATIENCE_S)
        await self._busy.stop(0.0)
        await self.disconnect()
        await self._leases.stop(END_PATIENCE_S)

    async def connect(self) -> dict[AccountId, Fault]:
        """Only open the accounts: neither send nor receive. Why some can't be opened."""
        tried = {member.account: await Seat(member, self._rooms).connect() for member in self._members}
        return {account: fault for account, fault in tried.items() if isinstance(fault, Fault)}

    async def disconnect(self) -> None:
        """Close every open account."""
        adapters = dict(self._rooms.adapters)
        self._rooms.adapters.clear()
        await closed(adapters)

    def _gained(self, names: Sequence[str]) -> None:
        wanted = set(names)
        for member in self._members:
            if member.account in wanted:
                self._seats[member.account] = seat = Seat(member, self._rooms)
                seat.begin(self._leaving.get(member.account))
        if HOUSE in wanted:
            self._begin_house()

    def _lost(self, names: Sequence[str]) -> None:
        """The leases ran out: somebody else may act by now."""
        self._leave(names, 0.0)
        if HOUSE in names:
            self._busy.begin("house left", self._end_house().stop(END_PATIENCE_S))

    async def _finish(self, names: Sequence[str]) -> None:
        """Others are to have these: nothing of them may be under way here any more."""
        leaving = self._leave(names, HAND_OVER_PATIENCE_S)
        if HOUSE in names:
            await self._end_house().stop(END_PATIENCE_S)
        if leaving:
            await asyncio.wait(leaving)

    def _leave(self, names: Iterable[str], patience_s: float) -> list[asyncio.Task[None]]:
        leaving = []
        for account in (AccountId(name) for name in names if name in self._seats):
            self._rooms.monitor.leave(account)
            seat = self._seats.pop(account)
            task = self._leaving[account] = self._busy.begin(f"{account} left", seat.leave(patience_s))
            leaving.append(task)
        return leaving

    def _begin_house(self) -> None:
        """With a crew of its own each time: the last one's may be about to be stopped."""
        self._house = Crew(self._rooms.services.clock)
        self._house.supervise("rerouter", self._rerouter.run)
        self._keeps_house = True
        if self._settled_in:
            self._jobs.start()

    def _end_house(self) -> Crew:
        """Its jobs end at once; its crew is for the caller to stop."""
        self._keeps_house = False
        if self._settled_in:
            self._jobs.stop()
        return self._house

    def _heard(self, event: GatewayEvent) -> None:
        """An account of ours that can send again looks for its posts: who keeps the house has brought them home."""
        if not isinstance(event, StandingChanged) or event.account not in self._seats:
            return
        if event.after == Standing.HEALTHY:
            self._seats[event.account].cheer()
        self._rooms.outbox.look(event.account)

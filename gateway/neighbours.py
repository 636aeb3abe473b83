"""Other gateways on the same database: what this one hears from them, and what it tells them of what it can't do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from gateway.books import StoreError, Topic
from gateway.crew import Crew
from gateway.leases import HOUSE, Leases
from gateway.model.ids import AccountId
from gateway.rerouter import Rerouter
from gateway.seat import Rooms

log = logging.getLogger("multihome.neighbours")

GATHER_S = 0.05
"""What is heard within so short a time is looked up once."""
STORE_PAUSE_S = 1.0


class Neighbours:
    """Nobody is here where the database is this process's alone."""

    def __init__(self, rooms: Rooms, leases: Leases, rerouter: Rerouter) -> None:
        self._store = rooms.services.store
        self._clock = rooms.services.clock
        self._monitor = rooms.monitor
        self._outbox = rooms.outbox
        self._pipeline = rooms.pipeline
        self._leases = leases
        self._rerouter = rerouter
        self._crew = Crew(self._clock)
        self._records_wanted = False
        self._untold: dict[AccountId, None] = {}
        rooms.outbox.on_stranded = self._stranded
        self._store.listen(self._heard)

    async def meet(self, accounts: Iterable[AccountId]) -> None:
        """At start, before any lease: every account may be somebody else's. Raises StoreError."""
        for account in accounts:
            self._monitor.leave(account)
        self._monitor.told(await self._store.records())

    async def stop(self, patience_s: float) -> None:
        await self._crew.stop(patience_s)

    def _heard(self, topic: Topic, name: str) -> None:
        match topic:
            case Topic.DELIVERIES:
                self._look_at(AccountId(name))
            case Topic.STANDING:
                self._want_records()
            case Topic.RESUME if self._leases.holds(name):
                self._monitor.resume(AccountId(name))
            case Topic.AGAIN if self._leases.holds(name):
                self._pipeline.again(AccountId(name))
            case Topic.LEASES:
                self._leases.look()
            case Topic.MISSED:
                self._leases.look()
                self._want_records()
                for record in self._monitor.records():
                    self._look_at(record.account)

    def _look_at(self, account: AccountId) -> None:
        if self._leases.holds(account):
            self._outbox.look(account)
        known = self._monitor.record(account) is not None  # else it is in the configuration of a newer gateway alone
        if known and self._leases.holds(HOUSE) and not self._outbox.can_send(account):
            self._rerouter.look_at(account)

    def _want_records(self) -> None:
        if not self._records_wanted:
            self._records_wanted = True
            self._soon("standings of the others", self._learn_records)

    async def _learn_records(self) -> None:
        self._records_wanted = False
        self._monitor.told(await self._store.records())

    def _stranded(self, account: AccountId) -> None:
        """Something here needs another road: who keeps the house finds one."""
        if self._leases.holds(HOUSE):
            self._rerouter.look_at(account)
            return
        if not self._untold:
            self._soon("stranded deliveries", self._tell_stranded)
        self._untold[account] = None

    async def _tell_stranded(self) -> None:
        while self._untold:
            account = next(iter(self._untold))
            await self._store.tell(Topic.DELIVERIES, account)
            self._untold.pop(account)

    def _soon(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._crew.begin(name, self._insist(name, work))

    async def _insist(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        pause_s = GATHER_S
        while True:
            await self._clock.sleep(pause_s)
            pause_s = STORE_PAUSE_S
            try:
                return await work()
            except StoreError as error:
                log.warning("%s: the database fails, trying again: %s", name, error)

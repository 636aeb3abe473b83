"""The outbox as the rest of the gateway sees it: workers by account, and who waits for a delivery's end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Protocol

from gateway.books import NewDelivery
from gateway.media.room import Room
from gateway.model.delivery import FINAL, Delivery, Draft, Part, State
from gateway.model.events import DeliveryChanged, GatewayEvent
from gateway.model.ids import AccountId, DeliveryId
from gateway.model.standing import Signal
from gateway.outbox.entrance import Stored, Write
from gateway.outbox.pacer import Pacer
from gateway.outbox.settle import Rules
from gateway.outbox.worker import Worker
from gateway.ports import Adapter
from gateway.services import Services

RESCUE_REST_S = 1.0
"""How long a dead process's unknown sends rest before they are asked about."""


class Standings(Protocol):
    """The monitor, as the outbox knows it."""

    def can_send(self, account: AccountId) -> bool: ...

    def observe(self, account: AccountId, signal: Signal) -> None: ...


class Outbox:
    """Holds the workers. It is the :class:`~gateway.outbox.house.House` they live in."""

    def __init__(self, services: Services, standings: Standings) -> None:
        self.store = services.store
        self.clock = services.clock
        self.bus = services.bus
        self.new_id = services.new_id
        self.room = Room()
        self._policies = services.policies
        self._standings = standings
        self._workers: dict[AccountId, Worker] = {}
        self._retired: set[Worker] = set()
        """Their accounts are gone from here; some still store what became of their last sends."""
        self._waiting: dict[DeliveryId, list[asyncio.Future[DeliveryChanged]]] = {}
        self._entering: set[asyncio.Task[Stored]] = set()
        self.on_stranded: Callable[[AccountId], None] = lambda _: None
        self.holds: Callable[[AccountId], bool] = lambda _: True
        """Whether an account is this process's own; one process alone has them all."""
        self.bus.listen(self._heard)

    async def rescue(self, account: AccountId, rules: Rules) -> int:
        """Before the account's worker: what a dead process was sending becomes a question, asked once the platform may
        know the answer. Returns how many.
        """
        rest_s = max(RESCUE_REST_S, rules.profile.settle_after_s)
        return await self.store.rescue([account], self.clock.now() + timedelta(seconds=rest_s))

    async def open(self, account: AccountId, adapter: Adapter, rules: Rules) -> None:
        """An account has a way out from now on."""
        worker = Worker(account, adapter, rules, Pacer(rules.profile.lanes, self._policies), self)
        self._workers[account] = worker
        await worker.start()

    async def close(self, account: AccountId, patience_s: float) -> None:
        """The account is another process's soon, or already: no more leaves by it here."""
        worker = self._workers.pop(account, None)
        if worker is not None:
            self._retired = {one for one in self._retired if one.is_busy} | {worker}
            await worker.retire(patience_s)

    async def stop(self, patience_s: float) -> None:
        """Finish what is under way; give up after ``patience_s``."""
        workers = {*self._workers.values(), *self._retired}
        await asyncio.gather(*(worker.stop(patience_s) for worker in workers))
        for future in [future for futures in self._waiting.values() for future in futures]:
            future.cancel()

    async def enter(self, new: Sequence[NewDelivery], write: Write) -> Stored:
        """New deliveries are stored by ``write`` and go on their way. Whoever gives up waiting doesn't end that."""
        worker = self._workers.get(new[0].account) if len(new) == 1 else None
        entered = worker.enter(new[0], write) if worker is not None else None
        if entered is not None:
            return await entered
        entering = asyncio.create_task(self._entered(new, write))
        self._entering.add(entering)
        entering.add_done_callback(self._forget)
        return await asyncio.shield(entering)

    async def _entered(self, new: Sequence[NewDelivery], write: Write) -> Stored:
        stored = await write(new)
        self.offer(stored)
        return stored

    def _forget(self, entering: asyncio.Task[Stored]) -> None:
        self._entering.discard(entering)
        if not entering.cancelled():
            entering.exception()  # whoever gave up waiting doesn't hear of it

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            worker = self._workers.get(delivery.account)
            if delivery.state in (State.QUEUED, State.WAITING) and not self.can_send(delivery.account):
                self.stranded(delivery.account)
            elif worker is not None:
                worker.offer(delivery)

    def is_open(self, account: AccountId) -> bool:
        """Whether deliveries leave by this account from here."""
        return account in self._workers

    def plan(self, account: AccountId, draft: Draft) -> tuple[Part, ...] | str | None:
        """How the account would say it, or why it can't; None where it isn't open here."""
        worker = self._workers.get(account)
        return worker.planner.parts(draft) if worker is not None else None

    def look(self, account: AccountId) -> None:
        """Somebody else stored something for this account."""
        worker = self._workers.get(account)
        if worker is not None:
            worker.look()

    def wake(self, account: AccountId) -> None:
        worker = self._workers.get(account)
        if worker is not None:
            worker.wake()

    def wake_all(self) -> None:
        """Many rows of many accounts changed at once."""
        for worker in self._workers.values():
            worker.wake()

    def can_send(self, account: AccountId) -> bool:
        return self._standings.can_send(account)

    def observe(self, account: AccountId, signal: Signal) -> None:
        self._standings.observe(account, signal)

    def stranded(self, account: AccountId) -> None:
        self.on_stranded(account)

    def ended(self, delivery: DeliveryId) -> asyncio.Future[DeliveryChanged]:
        """Resolves when the delivery reaches a final state from now on. Whoever gives up cancels it."""
        future: asyncio.Future[DeliveryChanged] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(delivery, []).append(future)
        future.add_done_callback(lambda done: self._unheard(delivery, done))
        return future

    def _unheard(self, delivery: DeliveryId, future: asyncio.Future[DeliveryChanged]) -> None:
        waiting = self._waiting.get(delivery, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._waiting.pop(delivery, None)

    def _heard(self, event: GatewayEvent) -> None:
        if not isinstance(event, DeliveryChanged) or event.state not in FINAL:
            return
        for future in self._waiting.pop(event.delivery, ()):
            if not future.done():
                future.set_result(event)

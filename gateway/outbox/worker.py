"""One account's way out: take what is due, plan it, pace it, claim it, send it, settle it.

Nothing polls: deliveries are offered by whoever stored them, and a timer waits for the next due one. The database is
read only at start and when more is due than is kept in memory.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from msgspec import structs

from gateway.books import Move, Settlement, Store
from gateway.bus import Bus
from gateway.model.delivery import Delivery, Fault, FaultError, FaultKind, Part, Receipt, State
from gateway.model.events import DeliveryChanged
from gateway.model.ids import AccountId, DeliveryId
from gateway.model.standing import Signal, Source
from gateway.outbox import settle
from gateway.outbox.pacer import Pacer
from gateway.outbox.settle import Rules
from gateway.ports import Adapter, Clock, Reconciles, Unsure

log = logging.getLogger("multihome.outbox")

KEPT = 2_000
"""Deliveries of one account kept in memory; the others wait in the database."""
STORE_PAUSE_S = 1.0
"""Between two tries to store what became of a send: a full disk must not lose a receipt."""


class House(Protocol):
    """What a worker asks of the rest of the gateway."""

    store: Store
    clock: Clock
    bus: Bus

    def can_send(self, account: AccountId) -> bool: ...

    def observe(self, account: AccountId, signal: Signal) -> None: ...

    def stranded(self, account: AccountId) -> None:
        """Something of this account is queued although it can't send: it needs another road."""
        ...

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """These are stored; each goes to its account's worker."""
        ...


class Worker:
    """Sends what one account has to send."""

    def __init__(self, account: AccountId, adapter: Adapter, rules: Rules, pacer: Pacer, house: House) -> None:
        self.account = account
        self._adapter = adapter
        self._rules = rules
        self._pacer = pacer
        self._house = house
        self._store = house.store
        self._clock = house.clock
        self._due: list[tuple[datetime, int, Delivery]] = []
        self._known: set[DeliveryId] = set()
        self._asked: dict[DeliveryId, int] = {}
        self._more = True
        self._more_at: datetime | None = None
        self._reading = False
        self._stopping = False
        self._active: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Task[None] | None = None
        self._timer_at: datetime | None = None
        self._planned_at = datetime.min.replace(tzinfo=UTC)

    # What others call.

    async def start(self) -> None:
        """Refill the rate windows from the database and begin."""
        reach = timedelta(seconds=self._pacer.longest_s)
        self._pacer.restore(await self._store.sent_since(self.account, self._clock.now() - reach))
        self.wake()

    def offer(self, delivery: Delivery) -> None:
        """A stored delivery: kept when it is due or becomes due by itself, else passed over."""
        self._keep(delivery)
        self._pump()

    def wake(self) -> None:
        """Something changed (the standing, many rows at once): what is known is looked up again."""
        for _, _, delivery in self._due:
            self._known.discard(delivery.id)
        self._due.clear()
        self._more = True
        self._pump()

    async def stop(self, patience_s: float) -> None:
        """Let requests under way finish for a while; what does not stays SENDING, for the rescue at the next start."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        if self._active:
            await asyncio.wait(self._active, timeout=patience_s)
        for task in self._active:
            task.cancel()
        await asyncio.gather(*self._active, return_exceptions=True)

    # The dispatcher.

    def _keep(self, delivery: Delivery) -> None:
        open_question = delivery.state is State.UNCERTAIN and delivery.due_at is not None
        if delivery.id in self._known or not (delivery.state is State.QUEUED or open_question):
            return
        if len(self._due) >= KEPT:
            self._more = True
            return
        self._known.add(delivery.id)
        heapq.heappush(self._due, (delivery.due_at or self._clock.now(), delivery.seq, delivery))

    def _pump(self) -> None:
        """Start everything that is due and has a slot; then see to it that somebody calls again."""
        if self._stopping or not self._house.can_send(self.account):
            return
        now = self._clock.now()
        slots = self._rules.profile.concurrency
        while self._due and len(self._active) < slots and self._due[0][0] <= now:
            self._spawn(self._carry(heapq.heappop(self._due)[2]))
        if len(self._active) >= slots:
            return
        if self._more_at is not None and self._more_at <= now:
            self._more, self._more_at = True, None
        if self._more and len(self._due) < KEPT // 2 and not self._reading:
            self._reading, self._more = True, False
            self._spawn(self._read())
        self._arm()

    def _arm(self) -> None:
        """Wake when the next delivery is due, in memory or in the database."""
        hours = [at for at in (self._due[0][0] if self._due else None, self._more_at) if at is not None]
        if not hours or (self._timer_at is not None and self._timer_at <= min(hours)):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = min(hours)
        self._timer = asyncio.create_task(self._ring(self._timer_at))

    async def _ring(self, at: datetime) -> None:
        await self._clock.sleep((at - self._clock.now()).total_seconds())
        self._timer = self._timer_at = None
        self._pump()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._active.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._active.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: a delivery's task failed", self.account, exc_info=error)
            self._more_at = self._clock.now() + timedelta(seconds=STORE_PAUSE_S)
        self._pump()

    async def _read(self) -> None:
        try:
            now = self._clock.now()
            found = await self._store.ready(self.account, now, KEPT // 2)
            for delivery in found:
                self._keep(delivery)
            if len(found) == KEPT // 2:
                self._more = True
            else:
                self._more_at = await self._store.next_due(self.account, after=now)
        finally:
            self._reading = False

    # One delivery.

    async def _carry(self, delivery: Delivery) -> None:
        again: Delivery | None = None
        try:
            again = await self._attempt(delivery)
        finally:
            self._known.discard(delivery.id)
        if again is not None:
            self._keep(again)

    async def _attempt(self, delivery: Delivery) -> Delivery | None:
        """One step on the delivery's way; returns it where this worker has to come back to it."""
        repeatable = settle.may_repeat(delivery, self._rules.profile, self._clock.now())
        if delivery.state is State.UNCERTAIN and not repeatable:
            return await self._ask(delivery)
        parts = delivery.parts if delivery.parts is not None else await self._plan(delivery)
        if parts is None:
            return None
        rest = self._rest(delivery, parts)
        if rest is not None:
            return rest
        if not await self._store.begin(delivery.id, self.account, parts, self._clock.now()):
            return None
        begun = structs.replace(delivery, parts=parts, attempts=delivery.attempts + 1, state=State.SENDING)
        return await self._send(begun)

    async def _plan(self, delivery: Delivery) -> tuple[Part, ...] | None:
        """The native parts; a draft that can't be carried is refused with the adapter's reason."""
        self._planned_at = max(self._clock.now(), self._planned_at + timedelta(microseconds=1))
        try:
            return self._adapter.plan(delivery.draft, self._planned_at)
        except FaultError as error:
            reason = f"{error.fault.kind}: {error.fault.evidence}"
        except Exception as error:
            log.exception("%s: planning %s failed", self.account, delivery.id)
            reason = f"{FaultKind.UNKNOWN}: planning failed with {type(error).__name__}"
        now = self._clock.now()
        move = Move(delivery.id, self.account, delivery.order_key, State.REFUSED, now, reason)
        self._house.offer(await self._store.move([move], now))
        self._tell(delivery, State.REFUSED, reason)
        self._more = True
        return None

    def _rest(self, delivery: Delivery, parts: tuple[Part, ...]) -> Delivery | None:
        """The delivery with its later hour when the rate windows say: not yet. Others go first meanwhile."""
        part = parts[min(len(delivery.sent), len(parts) - 1)]
        now = self._clock.now()
        wait_s = self._pacer.wait_s(part, now.timestamp())
        if wait_s <= 0.0:
            return None
        return structs.replace(delivery, parts=parts, due_at=now + timedelta(seconds=wait_s))

    async def _send(self, delivery: Delivery) -> Delivery | None:
        """Every part from the first unsent one; each is settled before the next begins."""
        parts = delivery.parts or ()
        while len(delivery.sent) < len(parts):
            part = _next_part(delivery)
            try:
                receipt = await self._adapter.send(part)
            except FaultError as error:
                return await self._failed(delivery, error.fault)
            self._pacer.heard(receipt.lanes)
            await self._settle(delivery, settle.after_receipt(delivery, part, receipt, self._clock.now()))
            delivery = structs.replace(delivery, sent=(*delivery.sent, receipt))
            await self._rest_between(delivery, parts)
        return None

    async def _rest_between(self, delivery: Delivery, parts: tuple[Part, ...]) -> None:
        if len(delivery.sent) == len(parts):
            return
        while (rest := self._rest(delivery, parts)) is not None and rest.due_at is not None:
            await self._clock.sleep((rest.due_at - self._clock.now()).total_seconds())

    async def _failed(self, delivery: Delivery, fault: Fault) -> Delivery | None:
        self._pacer.heard(fault.lanes)
        now = self._clock.now()
        self._house.observe(self.account, Signal(Source.SEND, now, fault.evidence, fault))
        if fault.kind is FaultKind.MOVED and fault.moved_to is not None:
            await self._follow(delivery, fault, now)
            return None
        return await self._settle(delivery, settle.after_fault(delivery, fault, self._rules, now))

    async def _follow(self, delivery: Delivery, fault: Fault, now: datetime) -> None:
        """The conversation has a new id: the unsent draft goes there."""
        await self._store.settle(delivery.id, Settlement(State.QUEUED, now, f"{fault.kind}: {fault.evidence}"), now)
        target = structs.replace(delivery.draft.target, conversation=fault.moved_to)
        draft = structs.replace(delivery.draft, target=target, in_reply_to=None)
        move = Move(delivery.id, self.account, delivery.order_key, State.QUEUED, now, str(fault.kind), draft)
        self._known.discard(delivery.id)
        self._house.offer(await self._store.move([move], now))

    async def _ask(self, delivery: Delivery) -> Delivery | None:
        """An unknown send: was it sent? Asked of the platform where it can be read back."""
        now = self._clock.now()
        if not isinstance(self._adapter, Reconciles) or delivery.parts is None:
            return await self._settle(delivery, settle.unasked(self._rules, delivery.reason, now))
        part = _next_part(delivery)
        asked = self._asked[delivery.id] = self._asked.get(delivery.id, 0) + 1
        answer = await self._answer(self._adapter, part, delivery.created_at)
        settlement = settle.after_asking(delivery, part, answer, self._rules, self._clock.now(), asked=asked)
        if settlement.state is not State.UNCERTAIN or settlement.due_at is None:
            del self._asked[delivery.id]
        return await self._settle(delivery, settlement)

    async def _answer(self, adapter: Reconciles, part: Part, since: datetime) -> Receipt | Unsure:
        try:
            return await adapter.reconcile(part, since)
        except FaultError as error:
            self._house.observe(self.account, Signal(Source.SEND, self._clock.now(), error.fault.evidence, error.fault))
            return Unsure.UNKNOWN

    async def _settle(self, delivery: Delivery, settlement: Settlement) -> Delivery | None:
        """Store the next state, tell it, and let what follows go on. Returns what this worker comes back to."""
        promoted = await self._stored(delivery, settlement)
        self._tell(delivery, settlement.state, settlement.reason, settlement.receipt)
        if promoted is not None:
            self._house.offer((promoted,))
        if settlement.state not in (State.QUEUED, State.UNCERTAIN):
            return None
        if not self._house.can_send(self.account):
            self._house.stranded(self.account)
            return None
        sent = (*delivery.sent, settlement.receipt) if settlement.receipt is not None else delivery.sent
        return structs.replace(
            delivery, state=settlement.state, due_at=settlement.due_at, reason=settlement.reason, sent=sent
        )

    async def _stored(self, delivery: Delivery, settlement: Settlement) -> Delivery | None:
        """Insist until the database has it: what a platform accepted must not be forgotten."""
        while True:
            try:
                return await self._store.settle(delivery.id, settlement, self._clock.now())
            except Exception:
                log.exception("%s: storing what became of %s failed, trying again", self.account, delivery.id)
                await self._clock.sleep(STORE_PAUSE_S)

    def _tell(self, delivery: Delivery, state: State, reason: str, receipt: Receipt | None = None) -> None:
        if state is State.SENDING:
            return
        ref = receipt.ref if receipt is not None else None
        self._house.bus.publish(DeliveryChanged(delivery.id, self.account, state, self._clock.now(), reason, ref))


def _next_part(delivery: Delivery) -> Part:
    """The first unsent part of a planned delivery, told what it follows."""
    part = (delivery.parts or ())[len(delivery.sent)]
    if not delivery.sent:
        return part
    return structs.replace(part, first=delivery.sent[0].ref, previous=delivery.sent[-1].ref)

"""One account's way out: take what is due, plan it, pace it, claim it, send it, settle it.

Nothing polls: deliveries are offered by whoever stored them, and a timer waits for the next due one. The database is
read only at start and when more is due than is kept in memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime, timedelta

from msgspec import structs

from gateway.books import Move, NewDelivery, Settlement, Superseded
from gateway.model.delivery import Delivery, Draft, Fault, FaultKind, InConversation, Part, State
from gateway.model.ids import AccountId, ConversationId, DeliveryId, DraftId
from gateway.model.standing import Signal, Source
from gateway.outbox import detour, settle
from gateway.outbox.claims import Claims
from gateway.outbox.ends import Ends
from gateway.outbox.entrance import STORE_PAUSE_S, Entrance, Stored, Write
from gateway.outbox.house import House
from gateway.outbox.lineup import Lineup
from gateway.outbox.pacer import Pacer
from gateway.outbox.planner import Planner
from gateway.outbox.requests import Requests
from gateway.outbox.reviser import Reviser, as_changed, withdrawn, without_edits
from gateway.outbox.settle import Rules
from gateway.ports import Adapter, Reconciles, Unsure

log = logging.getLogger("multihome.outbox")

END_PATIENCE_S = 0.5
"""How long a cancelled send may take to end when the gateway stops."""


class Worker:
    """Sends what one account has to send."""

    def __init__(self, account: AccountId, adapter: Adapter, rules: Rules, pacer: Pacer, house: House) -> None:
        self.account = account
        self._adapter = adapter
        self._requests = Requests(account, adapter, house)
        self._rules = rules
        self._pacer = pacer
        self._house = house
        self._store = house.store
        self._clock = house.clock
        self._lineup = Lineup()
        self._failed_in_a_row: dict[DeliveryId, tuple[FaultKind, int]] = {}
        self._asked: dict[DeliveryId, int] = {}
        self._more_at: datetime | None = None
        self._reading = False
        self._stopping = False
        self._active: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._claims = Claims(account, house.store, self._sending)
        self._ends = Ends(account, house)
        self._timer: asyncio.Task[None] | None = None
        self._timer_at: datetime | None = None
        self.planner = Planner(account, adapter, house.clock, rules.manner)
        self._reviser = Reviser(account, adapter, self.planner, rules.manner, house.store, house.clock)
        self._entrance = Entrance(self.planner, rules, pacer, house)

    # What others call.

    async def start(self) -> None:
        """Refill the rate windows from the database and begin."""
        reach = timedelta(seconds=self._pacer.longest_s)
        self._pacer.restore(await self._store.sent_since(self.account, self._clock.now() - reach))
        self.wake()

    def offer(self, delivery: Delivery) -> None:
        """A stored delivery, as it is now: kept when it is due or becomes due by itself, else passed over."""
        self._lineup.renew(delivery, self._clock.now())
        self._pump()

    def enter(self, new: NewDelivery, write: Write) -> asyncio.Future[Stored] | None:
        """Store it as begun and send it, where it can leave at once: whoever asked for it hears what was stored."""
        now = self._clock.now()
        waits = bool(new.draft.document.media) or self._lineup.running >= self._rules.profile.concurrency
        if waits or self._stopping or not self._lineup.is_free(now) or not self._house.can_send(self.account):
            return None
        planned = self._entrance.planned(new, now)
        if planned is None:
            return None
        told: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._lineup.enter(new.id)
        self._spawn(self._enter(planned, now, write, told))
        return told

    def look(self) -> None:
        """The database has something new."""
        self._lineup.more = True
        self._pump()

    def wake(self) -> None:
        """Something changed (the standing, many rows at once): what is known is looked up again."""
        self._lineup.clear()
        self._pump()

    @property
    def is_busy(self) -> bool:
        """Whether something is still under way."""
        return bool(self._active)

    async def retire(self, patience_s: float) -> None:
        """Begin nothing more. What is under way may finish for a while; what needs longer still stores its end."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        if self._active:
            await asyncio.wait(self._active, timeout=patience_s)

    async def stop(self, patience_s: float) -> None:
        """Let requests under way finish for a while; what does not stays SENDING, for the rescue at the next start."""
        await self.retire(patience_s)
        for task in self._active:
            task.cancel()
        if self._active:
            await asyncio.wait(self._active, timeout=END_PATIENCE_S)

    # The dispatcher.

    def _pump(self) -> None:
        """Start everything that is due and has a slot; then see to it that somebody calls again."""
        idle = self._lineup.is_empty and self._more_at is None
        if idle or self._stopping or not self._house.can_send(self.account):
            return
        now = self._clock.now()
        slots = self._rules.profile.concurrency
        while self._lineup.running < slots and (delivery := self._lineup.begin(now)) is not None:
            self._spawn(self._carry(delivery))
        if self._lineup.running >= slots:
            return
        if self._more_at is not None and self._more_at <= now:
            self._lineup.more, self._more_at = True, None
        if self._lineup.more and self._lineup.is_short and not self._reading:
            self._reading, self._lineup.more = True, False
            self._spawn(self._read())
        self._arm()

    def _arm(self) -> None:
        """Wake when the next delivery is due, in memory or in the database."""
        hours = [at for at in (self._lineup.next_at, self._more_at) if at is not None]
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
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: a delivery's task failed", self.account, exc_info=error)
            self._read_at(self._clock.now() + timedelta(seconds=STORE_PAUSE_S))
        self._pump()

    def _read_at(self, at: datetime | None) -> None:
        """The database is looked at again at that hour, or earlier where that was agreed before."""
        if at is not None:
            self._more_at = min(at, self._more_at) if self._more_at is not None else at

    async def _read(self) -> None:
        try:
            now = self._clock.now()
            found = await self._store.ready(self.account, now, self._lineup.page)
            for delivery in found:
                self._lineup.keep(delivery, now)
            if len(found) == self._lineup.page:
                self._lineup.more = True
            else:
                self._read_at(await self._store.next_due(self.account, after=now))
        finally:
            self._reading = False

    # One delivery.

    async def _enter(self, planned: NewDelivery, now: datetime, write: Write, told: asyncio.Future[Stored]) -> None:
        delivery: Delivery | None = None
        stored: Stored = ()
        try:
            stored, delivery = await self._entrance.store(planned, now, write, told)
        finally:
            if delivery is None:
                self._lineup.end(planned.id)
        if delivery is None:
            self._house.offer(stored)
        else:
            await self._carry(delivery)

    async def _carry(self, delivery: Delivery) -> None:
        again: Delivery | None = None
        try:
            again = await self._attempt(delivery)
        except Superseded as error:
            log.warning("%s: another one has gone on with a delivery: %s", self.account, error)
            self._lineup.more = True
        finally:
            if again is None:
                self._failed_in_a_row.pop(delivery.id, None)
                self._asked.pop(delivery.id, None)
            self._lineup.end(delivery.id, again)

    async def _attempt(self, delivery: Delivery) -> Delivery | None:
        """One step on the delivery's way; returns it where this worker has to come back to it."""
        if delivery.state is State.SENDING:
            return await self._send(delivery, doubtful=False)
        if self._must_ask(delivery):
            return await self._ask(delivery)
        async with self._house.room.of(delivery.draft.document):
            if self._must_ask(delivery):
                return delivery  # its key has grown too old while it waited
            return await self._begin(delivery)

    def _must_ask(self, delivery: Delivery) -> bool:
        """Questions take no room: who has it may not have to wait for who asks."""
        if delivery.state is not State.UNCERTAIN:
            return False
        return not settle.may_repeat(delivery, self._rules.profile, self._clock.now())

    async def _begin(self, delivery: Delivery) -> Delivery | None:
        if self._stopping:
            return None
        parts = delivery.parts if delivery.parts is not None else await self._plan(delivery)
        if parts is None:
            return None
        rest = self._rest(delivery, parts)
        if rest is not None:
            return rest
        if not await self._store.begin(delivery, parts, self._clock.now()):
            self._read_at(self._clock.now() + timedelta(seconds=STORE_PAUSE_S))
            return None
        begun = structs.replace(delivery, parts=parts, attempts=delivery.attempts + 1, state=State.SENDING)
        return await self._send(begun, doubtful=delivery.state is State.UNCERTAIN)

    async def _plan(self, delivery: Delivery) -> tuple[Part, ...] | None:
        """The native parts; a draft that can't be carried ends, or goes home, with the adapter's reason."""
        parts = await self._reviser.parts(delivery.draft)
        if not isinstance(parts, str):
            return parts
        await self._turn_away(delivery, parts)
        return None

    async def _turn_away(self, delivery: Delivery, reason: str) -> None:
        """The account will never carry it: what was diverted to it goes home, all else ends."""
        now = self._clock.now()
        changed = await as_changed(self._store, delivery)
        if changed is None:
            move = withdrawn(delivery, now)
        elif delivery.account != delivery.home:
            draft = detour.refused(detour.homeward(changed, DraftId(self._house.new_id())), self.account)
            key = detour.order_key(delivery.home, draft.target)
            move = Move(delivery.id, delivery.home, key, State.QUEUED, now, reason, draft)
        else:
            move = Move(delivery.id, self.account, delivery.order_key, State.REFUSED, now, reason)
        if await self._moved(delivery, move, now):
            self._ends.tell(delivery, Settlement(move.state, None, move.reason), now)

    async def _moved(self, delivery: Delivery, move: Move, now: datetime) -> bool:
        """Whether it could be: what was changed meanwhile is not what the move was meant for, and is looked at anew."""
        moved = await self._store.move([structs.replace(move, attempts=delivery.attempts)], now)
        self._lineup.more = True
        self._house.offer(moved)
        return bool(moved)

    def _rest(self, delivery: Delivery, parts: tuple[Part, ...]) -> Delivery | None:
        """The delivery with its later hour when the rate windows say: not yet. Others go first meanwhile."""
        part = parts[min(len(delivery.sent), len(parts) - 1)]
        now = self._clock.now()
        wait_s = self._pacer.wait_s(part, now.timestamp())
        if wait_s <= 0.0:
            return None
        return structs.replace(delivery, parts=parts, due_at=now + timedelta(seconds=wait_s))

    async def _send(self, delivery: Delivery, *, doubtful: bool) -> Delivery | None:
        """Every part from the first unsent one, which may be there already where ``doubtful``; each is settled before
        the next begins.
        """
        if (task := asyncio.current_task()) is not None:
            self._sending.add(task)
        while True:
            part = settle.next_part(delivery)
            outcome = await self._requests.post(part)
            if isinstance(outcome, Fault):
                return await self._failed(delivery, outcome, doubtful=doubtful)
            self._pacer.heard(outcome.lanes)
            self._failed_in_a_row.pop(delivery.id, None)
            now = self._clock.now()
            settlement = settle.after_receipt(delivery, part, outcome, now)
            if settlement.state is State.SENDING:
                settlement = self._unless_it_rests(delivery, settlement, now)
            again = await self._settle(delivery, settlement, now)
            if settlement.state is not State.SENDING:
                return again
            delivery, doubtful = structs.replace(delivery, sent=(*delivery.sent, outcome)), False

    def _unless_it_rests(self, delivery: Delivery, settlement: Settlement, now: datetime) -> Settlement:
        """Between two parts: what has to wait, for the rate windows or a lost account, waits in the queue. There it
        takes no slot, and a crash or a loss meanwhile leaves no question behind.
        """
        after = (delivery.parts or ())[len(delivery.sent) + 1]
        if self._stopping or not self._house.can_send(self.account):
            return structs.replace(settlement, state=State.QUEUED)
        wait_s = self._pacer.wait_s(after, now.timestamp())
        if wait_s <= 0.0:
            return settlement
        return structs.replace(settlement, state=State.QUEUED, due_at=now + timedelta(seconds=wait_s))

    async def _failed(self, delivery: Delivery, fault: Fault, *, doubtful: bool) -> Delivery | None:
        self._pacer.heard(fault.lanes)
        now = self._clock.now()
        self._house.observe(self.account, Signal(Source.SEND, now, fault.evidence, fault))
        kind, times = self._failed_in_a_row.get(delivery.id, (fault.kind, 0))
        times = times + 1 if kind is fault.kind else 1
        self._failed_in_a_row[delivery.id] = fault.kind, times
        if settle.must_follow(delivery, fault, doubtful=doubtful):
            await self._follow(delivery, fault, now)
            return None
        tried = structs.replace(delivery, attempts=times)
        settlement = settle.after_fault(tried, fault, self._rules, now, doubtful=doubtful)
        if settlement.state is State.REFUSED and delivery.account != delivery.home:
            await self._ends.store(delivery, structs.replace(settlement, state=State.QUEUED, due_at=now), now)
            await self._turn_away(delivery, settlement.reason)
            return None
        if (draft := without_edits(delivery, fault, settlement, self._rules.manner)) is not None:
            await self._anew(delivery, structs.replace(settlement, state=State.QUEUED, due_at=now), draft, now)
            return None
        return await self._settle(delivery, settlement, now)

    async def _follow(self, delivery: Delivery, fault: Fault, now: datetime) -> None:
        """The conversation has a new id: what is unsent goes there."""
        there = InConversation(fault.moved_to or ConversationId(""), getattr(delivery.draft.target, "private", False))
        draft = structs.replace(detour.remaining(delivery), target=there, in_reply_to=None)
        await self._anew(delivery, settle.moved(delivery, fault, now), draft, now)

    async def _anew(self, delivery: Delivery, settlement: Settlement, draft: Draft, now: datetime) -> None:
        await self._ends.store(delivery, settlement, now)
        draft = structs.replace(draft, id=DraftId(self._house.new_id()))
        move = Move(delivery.id, self.account, delivery.order_key, State.QUEUED, now, settlement.reason, draft)
        await self._moved(delivery, move, now)

    async def _ask(self, delivery: Delivery) -> Delivery | None:
        """An unknown send: was it sent? Asked of the platform where it can be read back."""
        now = self._clock.now()
        if not isinstance(self._adapter, Reconciles) or delivery.parts is None:
            return await self._settle(delivery, settle.unasked(self._rules, delivery.reason, now), now)
        part = settle.next_part(delivery)
        asked = self._asked[delivery.id] = self._asked.get(delivery.id, 0) + 1
        with self._claims.of(delivery.created_at) as taken:
            answer = await self._requests.read_back(self._adapter, part, delivery.created_at, taken)
            if answer is Unsure.NOT_SENT and not self._house.can_send(self.account):
                answer = Unsure.UNKNOWN  # what a lost account can't see may be there all the same
            now = self._clock.now()
            settlement = settle.after_asking(delivery, part, answer, self._rules, now, asked=asked)
            if settlement.state is not State.UNCERTAIN:
                del self._asked[delivery.id]
            return await self._settle(delivery, settlement, now)

    async def _settle(self, delivery: Delivery, settlement: Settlement, now: datetime) -> Delivery | None:
        """Store the next state, tell it, and let what follows go on. Returns what this worker comes back to."""
        promoted = await self._ends.store(delivery, settlement, now)
        self._ends.tell(delivery, settlement, now)
        if promoted is not None:
            self._house.offer((promoted,))
        if settlement.state is not State.SENDING and not self._house.can_send(self.account):
            self._house.stranded(self.account)
            return None
        if settlement.state not in (State.QUEUED, State.UNCERTAIN) or settlement.due_at is None:
            return None
        sent = (*delivery.sent, settlement.receipt) if settlement.receipt is not None else delivery.sent
        return structs.replace(
            delivery, state=settlement.state, due_at=settlement.due_at, reason=settlement.reason, sent=sent
        )

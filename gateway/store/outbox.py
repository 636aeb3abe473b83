"""The road out: into the outbox, claimed, settled. The busiest operations of all, so they work on whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import structs
from sqlalchemy import bindparam, select

from gateway.books import NewDelivery, Settlement, Superseded, Topic
from gateway.model.content import Document
from gateway.model.delivery import TRANSITIONS, Delivery, InConversation, Part, State
from gateway.model.ids import AccountId, DeliveryId, WorkspaceId
from gateway.store.codec import DELIVERY, delivery, encode, micros, micros_or_none, moment, scrub
from gateway.store.hot import upsert
from gateway.store.orders import fetched, go_on
from gateway.store.outbox_sql import CLAIM, IN_DOUBT, INSERT, KEEP, LOOK, REPEATED, SETTLE, WAITERS
from gateway.store.room import Room
from gateway.store.schema import deliveries, media_uses
from gateway.store.transaction import Transaction
from gateway.store.writer import Kind, Regroup

BY_KEY = select(*DELIVERY).where(deliveries.c.workspace == bindparam("workspace"), deliveries.c.key == bindparam("key"))

USE = upsert(media_uses).on_conflict_do_nothing()


class Adding(NamedTuple):
    new: Sequence[NewDelivery]
    drafts: Sequence[bytes]
    plans: Sequence[bytes | None]
    now: datetime


class Claiming(NamedTuple):
    """In the order of :data:`gateway.store.outbox_sql.CLAIM`."""

    id: DeliveryId
    account: AccountId
    order_key: str
    attempts: int
    sent_n: int
    parts: bytes
    now: int


class Settling(NamedTuple):
    id: DeliveryId
    order_key: str
    attempts: int
    sent_n: int
    settlement: Settlement
    receipt: str | None
    now: int


class Late(NamedTuple):
    """A part that arrived while its delivery came to be in doubt: the receipt is kept, and somebody else goes on."""

    delivery: DeliveryId


class Admission:
    """Who comes in with one transaction, in order."""

    def __init__(self, tx: Transaction, asked: Sequence[NewDelivery]) -> None:
        self._tx = tx
        self.rows: list[tuple[Any, ...]] = []
        self.pictures: list[dict[str, str]] = []
        looked = LOOK.fetch(tx, [(new.draft.key, new.order_key) for new in asked])
        self._there = {key: self._by_key(key) for known, key in looked if known}
        self._busy = {order for known, order in looked if not known}
        self._seqs = iter(tx.take("deliveries", len(asked)))
        self._lost = tx.lost(new.account for new in asked if new.parts is not None)

    def _by_key(self, key: str) -> Delivery:
        names = {"workspace": self._tx.workspace, "key": key}
        return delivery(self._tx.workspace, self._tx.connection.execute(BY_KEY, names).one())

    def admit(self, new: NewDelivery, draft: bytes, plan: bytes | None, now: datetime) -> Delivery:
        """The delivery that carries this draft: the one that is there, or a new one behind its order."""
        known = self._there.get(new.draft.key)
        if known is not None:
            return known
        state = self._state(new)
        begun = state is State.SENDING
        if state is not State.REFUSED:
            self._busy.add(new.order_key)
        admitted = Delivery(
            next(self._seqs),
            new.id,
            self._tx.workspace,
            new.account,
            new.account,
            new.order_key,
            state,
            new.due_at,
            new.draft,
            now,
            new.parts if begun else None,
            attempts=int(begun),
            reason=new.reason,
            expires_at=new.expires_at,
        )
        self._there[new.draft.key] = admitted
        self._tx.tell(Topic.DELIVERIES, new.account)
        self.rows.append(_row(admitted, draft, plan if begun else None))
        self.pictures += [_use(admitted, sha256) for sha256 in kept_for(new.draft.document)]
        return admitted

    def _state(self, new: NewDelivery) -> State:
        if new.state is not State.QUEUED:
            return new.state
        if new.order_key in self._busy:
            return State.WAITING
        return State.QUEUED if new.parts is None or new.account in self._lost else State.SENDING

    def write(self) -> None:
        INSERT.change(self._tx, self.rows)
        if self.pictures:
            self._tx.connection.execute(USE, self.pictures)


def kept_for(document: Document) -> set[str]:
    """The names of all bytes that it needs: what its media were made from as well, and its card's picture."""
    media = (*document.media, *([document.card.picture] if document.card and document.card.picture else []))
    return {sha256 for one in media for sha256 in (one.sha256, one.original) if sha256}


def _row(new: Delivery, draft: bytes, plan: bytes | None) -> tuple[Any, ...]:
    """In the order of :data:`gateway.store.outbox_sql.ADDED`."""
    now = micros(new.created_at)
    target = new.draft.target
    return (
        new.seq,
        new.workspace,
        new.id,
        new.draft.key,
        new.account,
        new.home,
        new.order_key,
        new.state.value,
        micros_or_none(new.due_at),
        now,
        now,
        micros_or_none(new.expires_at),
        new.attempts,
        0,
        new.draft.announcement,
        target.conversation if isinstance(target, InConversation) else None,
        scrub(new.reason),
        draft,
        plan,
    )


def _use(new: Delivery, sha256: str) -> dict[str, str]:
    return {"workspace": new.workspace, "sha256": sha256, "delivery": new.id}


def adding(workspace: WorkspaceId, new: Sequence[NewDelivery], now: datetime) -> Adding:
    """Encoded on the caller's side, so that what can't be encoded fails nobody else."""
    for each in new:
        if each.draft.workspace != workspace:
            raise ValueError(f"a draft of workspace {each.draft.workspace!r} can't enter the store of {workspace!r}")
    plans = [None if each.parts is None else encode(each.parts) for each in new]
    return Adding(new, [encode(each.draft) for each in new], plans, now)


def add_all(tx: Transaction, requests: Sequence[Adding]) -> list[tuple[Delivery, ...]]:
    """Every request's deliveries, in order."""
    admission = Admission(tx, [each for request in requests for each in request.new])
    results = [
        tuple(
            admission.admit(*each, request.now) for each in zip(request.new, request.drafts, request.plans, strict=True)
        )
        for request in requests
    ]
    admission.write()
    return results


def _claim_all(tx: Transaction, requests: Sequence[Claiming]) -> list[bool]:
    lost = tx.lost(request.account for request in requests)
    mine = [request for request in requests if request.account not in lost] if lost else requests
    if CLAIM.change(tx, mine) == len(mine):
        return [request.account not in lost for request in requests]
    if len(requests) > 1:
        raise Regroup
    return [False]


def settled(tx: Transaction, requests: Sequence[Settling]) -> None:
    """The rows alone; their orders are the caller's."""
    if SETTLE.change(tx, [_next(request) for request in requests]) < len(requests):
        if len(requests) > 1:
            raise Regroup
        if _is_repeated(tx, requests[0]):
            return
        raise Superseded(f"{requests[0].id} is no longer as it was")
    KEEP.change(tx, [_arrived(request) for request in requests if request.receipt is not None])


def _is_repeated(tx: Transaction, request: Settling) -> bool:
    """Whether this part's arrival is there already: whoever couldn't hear that it was written tells it again."""
    if request.settlement.state is not State.SENDING or request.receipt is None:
        return False
    names = {"of": tx.workspace, "id": request.id, "attempts": request.attempts, "sent_n": request.sent_n + 1}
    sent: str | None = tx.connection.execute(REPEATED, names).scalar()
    return sent is not None and sent.endswith(f"{request.receipt}]")


def _arrived_late(tx: Transaction, request: Settling) -> bool:
    """Whether it tells of a part whose sender was given up meanwhile. Then that ends the doubt, and the next part is
    due; never does it make the row SENDING again, which it is only for whoever has claimed it.
    """
    account = _in_doubt(tx, request)
    if request.settlement.state is not State.SENDING or request.receipt is None or account is None:
        return False
    due = structs.replace(request.settlement, state=State.QUEUED, due_at=moment(request.now))
    settled(tx, [request._replace(settlement=due)])
    go_on(tx, [request.order_key])
    tx.tell(Topic.DELIVERIES, account)
    return True


def _in_doubt(tx: Transaction, request: Settling) -> str | None:
    names = {"of": tx.workspace, "id": request.id, "attempts": request.attempts, "sent_n": request.sent_n}
    account: str | None = tx.connection.execute(IN_DOUBT, names).scalar()
    return account


def _settle_all(tx: Transaction, requests: Sequence[Settling]) -> list[Delivery | Late | None]:
    try:
        settled(tx, requests)
    except Superseded:
        if not _arrived_late(tx, requests[0]):
            raise
        return [Late(requests[0].id)]
    orders = dict(WAITERS.fetch(tx, [(request.id,) for request in requests]))
    if not orders:
        return [None] * len(requests)
    promoted = {one.order_key: one for one in fetched(tx, go_on(tx, orders.values()))}
    return [promoted.pop(orders[request.id], None) if request.id in orders else None for request in requests]


def _next(request: Settling) -> tuple[Any, ...]:
    settlement = request.settlement
    due_at = micros_or_none(settlement.due_at)
    known = (request.id, request.attempts, request.sent_n)
    return *known, settlement.state.value, due_at, request.now, settlement.reason, request.receipt


def _arrived(request: Settling) -> tuple[Any, ...]:
    settlement = request.settlement
    receipt = settlement.receipt
    assert receipt is not None  # noqa: S101 - asked for by the caller
    at = micros(receipt.at)
    return request.id, settlement.part_kind, settlement.part_conversation, receipt.ref, receipt.url, at


def entered(_: Transaction, requests: Sequence[Adding]) -> list[str]:
    """The orders that these enter."""
    return [each.order_key for request in requests for each in request.new]


def _theirs(_: Transaction, requests: Sequence[Claiming] | Sequence[Settling]) -> list[str]:
    return [request.order_key for request in requests]


ADD = Kind(add_all, entered)
CLAIM_THEM = Kind(_claim_all, _theirs)
SETTLE_THEM = Kind(_settle_all, _theirs)


class Outbox(Room):
    """Operations of :class:`gateway.books.Store` on the way from draft to receipt."""

    async def add(self, new: Sequence[NewDelivery], now: datetime) -> tuple[Delivery, ...]:
        return await self._write(ADD, adding(self._workspace, new, now))

    async def begin(self, delivery: Delivery, parts: Sequence[Part], now: datetime) -> bool:
        at = micros(now)
        known = (delivery.id, delivery.account, delivery.order_key, delivery.attempts, len(delivery.sent))
        return await self._write(CLAIM_THEM, Claiming(*known, encode(parts), at))

    async def settle(self, delivery: Delivery, settlement: Settlement, now: datetime) -> Delivery | None:
        if settlement.state not in TRANSITIONS[State.SENDING]:
            raise ValueError(f"no attempt ends {settlement.state}")
        receipt = None if settlement.receipt is None else encode(settlement.receipt).decode()
        at = micros(now)
        known = (delivery.id, delivery.order_key, delivery.attempts, len(delivery.sent))
        promoted = await self._write(SETTLE_THEM, Settling(*known, settlement, receipt, at))
        if isinstance(promoted, Late):
            raise Superseded(f"{promoted.delivery} came to be in doubt meanwhile: what arrived of it is kept")
        return promoted

"""Sends that nobody can say of whether they arrived: which there are, and what the operator makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, text

from gateway.books import Doubt, Settlement, Superseded, Topic
from gateway.model.delivery import TRANSITIONS, Delivery, State
from gateway.model.ids import AccountId, MessageRef
from gateway.store.codec import DELIVERY, delivery, encode, micros, moment
from gateway.store.hot import literal
from gateway.store.orders import fetched, go_on
from gateway.store.outbox import Settling, settled
from gateway.store.room import Room
from gateway.store.schema import OPEN, deliveries, sent_parts
from gateway.store.transaction import Transaction
from gateway.store.writer import single

_d = deliveries.c
_s = sent_parts.c
_uncertain = (_d.workspace == bindparam("of"), text(f"deliveries.{OPEN}"), _d.state == literal(State.UNCERTAIN))
DOUBTS = (
    select(*DELIVERY, _d.changed_at).where(*_uncertain, _d.due_at.is_(None)).order_by(_d.seq).limit(bindparam("limit"))
)
STILL = select(_d.seq, _d.order_key, _d.account).where(
    *_uncertain, _d.id == bindparam("id"), _d.attempts == bindparam("attempts")
)
KNOWN = (
    select(_s.seq)
    .where(
        _s.workspace == bindparam("of"),
        _s.account == bindparam("account"),
        _s.at >= bindparam("since"),
        _s.ref == bindparam("ref"),
    )
    .limit(1)
)


def _doubts(connection: Connection, names: dict[str, Any]) -> tuple[Doubt, ...]:
    rows = connection.execute(DOUBTS, names).all()
    return tuple(Doubt(delivery(names["of"], row[:-1]), moment(row[-1])) for row in rows)


def _known(connection: Connection, names: dict[str, Any]) -> bool:
    return connection.execute(KNOWN, names).first() is not None


def _decide(tx: Transaction, settling: Settling) -> tuple[Delivery, ...]:
    """Unlike the end of an attempt this may put one that blocked nobody back into its order: that is looked at anew."""
    names = {"of": tx.workspace, "id": settling.id, "attempts": settling.attempts}
    found = tx.connection.execute(STILL, names).first()
    if found is None:
        raise Superseded(f"{settling.id} is no longer uncertain")
    seq, order, account = found
    settled(tx, [settling])
    promoted = go_on(tx, [order])
    tx.tell(Topic.DELIVERIES, account)
    return tuple(fetched(tx, dict.fromkeys((seq, *promoted))))


DECIDE = single(_decide, lambda _, settling: [settling.order_key])


class Doubts(Room):
    """Operations of :class:`gateway.books.Store` on unknown sends."""

    async def doubts(self, limit: int) -> tuple[Doubt, ...]:
        return await self._read(_doubts, {"of": self._workspace, "limit": limit})

    async def decide(self, delivery: Delivery, settlement: Settlement, now: datetime) -> Sequence[Delivery]:
        if settlement.state not in TRANSITIONS[State.UNCERTAIN] - {State.SENDING}:
            raise ValueError(f"an unknown send can't be settled as {settlement.state}")
        receipt = None if settlement.receipt is None else encode(settlement.receipt).decode()
        at = micros(now)
        known = (delivery.id, delivery.order_key, delivery.attempts, len(delivery.sent))
        return await self._write(DECIDE, Settling(*known, settlement, receipt, at))

    async def is_known(self, account: AccountId, ref: MessageRef, since: datetime) -> bool:
        names = {"of": self._workspace, "account": account, "ref": ref, "since": micros(since)}
        return await self._read(_known, names)

"""What changes something that was said before: looked up, and carried out at once where nothing of it has left yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, null, select, text, update

from gateway.books import Topic
from gateway.model.delivery import Delivery, Draft, State
from gateway.model.ids import AnnouncementId, DeliveryId, WorkspaceId
from gateway.store.codec import DELIVERY, delivery, encode, micros, scrub
from gateway.store.diversions import UNSENT
from gateway.store.orders import fetched, go_on
from gateway.store.outbox import BY_KEY, USE, kept_for
from gateway.store.room import Room
from gateway.store.schema import deliveries
from gateway.store.transaction import Transaction
from gateway.store.writer import single

_d = deliveries.c
_mine = _d.workspace == bindparam("workspace")
COPIES = select(*DELIVERY).where(_mine, _d.announcement == bindparam("announcement")).order_by(_d.seq)
PLACE = select(_d.seq, _d.order_key, _d.account).where(_mine, _d.id == bindparam("id"))
_here = (
    _d.workspace == bindparam("of"),
    _d.seq == bindparam("row"),
    _d.attempts == bindparam("known"),
    text(UNSENT),
)
AMEND = (
    update(deliveries)
    .where(*_here, _d.sent_n == bindparam("none_sent"))
    .values(draft=bindparam("amended"), parts=null(), attempts=_d.attempts + 1, changed_at=bindparam("at"))
)
WITHDRAW = (
    update(deliveries)
    .where(*_here)
    .values(state=State.REFUSED.value, reason=bindparam("why"), due_at=bindparam("at"), changed_at=bindparam("at"))
)


class Amending(NamedTuple):
    delivery: Delivery
    draft: Draft | None
    """Without one it is withdrawn."""
    reason: str
    now: datetime


def _amend(tx: Transaction, request: Amending) -> Delivery | None:
    known, draft, at = request.delivery, request.draft, micros(request.now)
    row = tx.connection.execute(PLACE, {"workspace": tx.workspace, "id": known.id}).one_or_none()
    if row is None or row.order_key != known.order_key:
        return None
    names = {"of": tx.workspace, "row": row.seq, "known": known.attempts, "at": at}
    if draft is None:
        changed = tx.connection.execute(WITHDRAW, {**names, "why": scrub(request.reason)}).rowcount
    else:
        changed = tx.connection.execute(AMEND, {**names, "amended": encode(draft), "none_sent": 0}).rowcount
        _keep(tx, known.id, draft)
    if not changed:
        return None
    go_on(tx, [row.order_key])
    tx.tell(Topic.DELIVERIES, row.account)
    return fetched(tx, [row.seq])[0]


def _keep(tx: Transaction, of: DeliveryId, draft: Draft) -> None:
    uses = [{"workspace": tx.workspace, "sha256": sha256, "delivery": of} for sha256 in kept_for(draft.document)]
    if uses:
        tx.connection.execute(USE, uses)


def _many(connection: Connection, query: Select[Any], names: dict[str, Any]) -> tuple[Delivery, ...]:
    workspace: WorkspaceId = names["workspace"]
    return tuple(delivery(workspace, row) for row in connection.execute(query, names).all())


AMEND_IT = single(_amend, lambda _tx, request: [request.delivery.order_key])


class Revisions(Room):
    """Operations of :class:`gateway.books.Store` for edits and deletions."""

    async def copies(self, announcement: AnnouncementId) -> tuple[Delivery, ...]:
        return await self._read(_many, COPIES, {"workspace": self._workspace, "announcement": announcement})

    async def by_key(self, key: str) -> Delivery | None:
        found = await self._read(_many, BY_KEY, {"workspace": self._workspace, "key": key})
        return found[0] if found else None

    async def amend(self, delivery: Delivery, draft: Draft, now: datetime) -> Delivery | None:
        return await self._write(AMEND_IT, Amending(delivery, draft, "", now))

    async def withdraw(self, delivery: Delivery, reason: str, now: datetime) -> Delivery | None:
        return await self._write(AMEND_IT, Amending(delivery, None, reason, now))

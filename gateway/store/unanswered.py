"""Messages on which the agent failed too often: parked until the operator says what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, null, select, text, update

from gateway.books import Topic
from gateway.model.ids import AccountId
from gateway.store.codec import micros
from gateway.store.hot import literal
from gateway.store.inbox import HANDLED, PENDING, STORED, found
from gateway.store.room import Room
from gateway.store.schema import events
from gateway.store.transaction import Transaction
from gateway.store.writer import single
from gateway.unanswered import StoredEvent

AGAIN_MAX = 1_000
_e = events.c
_parked = text("events.state = 'parked'")
PARKED = STORED.where(_parked)
SEQS = select(_e.seq).where(_e.workspace == bindparam("workspace"), _parked).order_by(_e.seq).limit(bindparam("limit"))
AGAIN = STORED.where(
    text("events.state = 'pending'"), _e.account == bindparam("account"), _e.attempts == 0, _e.due_at > 0
)
"""What has just come in was never due; what the agent failed on was tried."""
UNPARK = (
    update(events)
    .where(_e.workspace == bindparam("of"), _e.seq.in_(bindparam("seqs", expanding=True)), _e.state == "parked")
    .values(
        state=case((bindparam("again") == 1, literal(PENDING)), else_=literal(HANDLED)),
        handled_at=case((bindparam("again") == 1, null()), else_=bindparam("now")),
        due_at=bindparam("now"),
        attempts=0,
    )
    .returning(_e.seq, _e.account)
)


class Unparking(NamedTuple):
    seqs: Sequence[int]
    now: datetime
    again: bool


def _seqs(connection: Connection, names: dict[str, Any]) -> tuple[int, ...]:
    return tuple(connection.execute(SEQS, names).scalars())


def _unpark(tx: Transaction, asked: Unparking) -> tuple[AccountId, ...]:
    names = {"of": tx.workspace, "seqs": asked.seqs, "now": micros(asked.now), "again": int(asked.again)}
    changed = sorted(tuple(row) for row in tx.connection.execute(UNPARK, names))
    accounts = tuple(AccountId(account) for _, account in changed)
    for account in dict.fromkeys(accounts) if asked.again else ():
        tx.tell(Topic.AGAIN, account)
    return accounts


UNPARK_THEM = single(_unpark)


class Unanswered(Room):
    """Operations of :class:`gateway.books.Store` on what is parked."""

    async def parked(self, limit: int) -> tuple[StoredEvent, ...]:
        return await self._read(found, PARKED, {"workspace": self._workspace, "limit": limit})

    async def parked_seqs(self, limit: int) -> tuple[int, ...]:
        return await self._read(_seqs, {"workspace": self._workspace, "limit": limit})

    async def unpark(self, seqs: Sequence[int], now: datetime, *, again: bool) -> tuple[AccountId, ...]:
        return await self._write(UNPARK_THEM, Unparking(tuple(seqs), now, again))

    async def again(self, account: AccountId) -> tuple[StoredEvent, ...]:
        return await self._read(found, AGAIN, {"workspace": self._workspace, "account": account, "limit": AGAIN_MAX})

"""The road out when something is lost, found again, or too late: whole sets of deliveries move at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, insert, select, text, update

from gateway.books import Move
from gateway.model.delivery import Delivery, InConversation, State
from gateway.model.ids import AccountId
from gateway.store.codec import DELIVERY, delivery, encode, micros, micros_or_none, scrub
from gateway.store.orders import go_on_all
from gateway.store.room import Room
from gateway.store.schema import OPEN, deliveries, media_uses
from gateway.store.transaction import Transaction
from gateway.store.writer import single

_d = deliveries.c
UNSENT = "state IN ('waiting', 'queued', 'held')"
_mine = _d.workspace == bindparam("of")
_this = (_mine, _d.id == bindparam("name"), text(f"deliveries.{UNSENT}"))

MOVES = frozenset({State.WAITING, State.QUEUED, State.HELD, State.REFUSED, State.EXPIRED})

ORDER_OF = select(_d.order_key).where(*_this)
STAY = (
    update(deliveries)
    .where(*_this)
    .values(
        state=bindparam("next"),
        due_at=bindparam("due"),
        reason=bindparam("because"),
        changed_at=bindparam("now"),
        expires_at=func.coalesce(bindparam("expires"), _d.expires_at),
    )
)
GO = STAY.values(
    account=bindparam("to"),
    order_key=bindparam("order"),
    draft=bindparam("draft_json"),
    conversation=bindparam("where"),
    parts=None,
    sent=None,
    sent_n=0,
)
FETCH = select(*DELIVERY).where(_mine, _d.id == bindparam("name"))
RESCUE = (
    update(deliveries)
    .where(_mine, _d.state == State.SENDING.value, text(f"deliveries.{OPEN}"))
    .values(state=State.UNCERTAIN.value, due_at=bindparam("due"))
)
LATE = select(_d.seq, _d.order_key).where(
    _mine,
    text("deliveries.expires_at IS NOT NULL"),
    _d.expires_at <= bindparam("now"),
    text(f"deliveries.{UNSENT}"),
)
EXPIRE = (
    update(deliveries)
    .where(_mine, _d.seq == bindparam("number"))
    .values(state=State.EXPIRED.value, reason=bindparam("because"), changed_at=bindparam("now"))
)
HELD = (
    select(_d.seq, _d.order_key)
    .where(_mine, _d.account == bindparam("from"), _d.state == State.HELD.value)
    .order_by(_d.seq)
)
RETURN = (
    update(deliveries)
    .where(_mine, _d.seq == bindparam("number"))
    .values(state=State.WAITING.value, due_at=bindparam("due"), reason="", changed_at=bindparam("now"))
)


def _move(tx: Transaction, request: tuple[Sequence[Move], datetime]) -> tuple[Delivery, ...]:
    moves, now = request
    moved: list[Move] = []
    orders: list[str] = []
    for move in moves:
        before = tx.connection.execute(ORDER_OF, {"of": tx.workspace, "name": move.delivery}).scalar()
        if before is not None:
            tx.connection.execute(STAY if move.draft is None else GO, _names(tx, move, now))
            _keep_pictures(tx, move)
            moved.append(move)
            orders += [before, move.order_key]
    go_on_all(tx, orders)
    rows = (tx.connection.execute(FETCH, {"of": tx.workspace, "name": move.delivery}).one() for move in moved)
    return tuple(delivery(tx.workspace, row) for row in rows)


def _names(tx: Transaction, move: Move, now: datetime) -> dict[str, Any]:
    names = {
        "of": tx.workspace,
        "name": move.delivery,
        "next": move.state.value,
        "due": micros(move.due_at),
        "because": scrub(move.reason),
        "now": micros(now),
        "expires": micros_or_none(move.expires_at),
    }
    if move.draft is None:
        return names
    target = move.draft.target
    return names | {
        "to": move.account,
        "order": move.order_key,
        "draft_json": encode(move.draft),
        "where": target.conversation if isinstance(target, InConversation) else None,
    }


def _keep_pictures(tx: Transaction, move: Move) -> None:
    pictures = move.draft.document.media if move.draft else ()
    if pictures:
        uses = [{"workspace": tx.workspace, "sha256": each.sha256, "delivery": move.delivery} for each in pictures]
        tx.connection.execute(insert(media_uses).prefix_with("OR IGNORE"), uses)


def _rescue(tx: Transaction, due_at: datetime) -> int:
    return tx.connection.execute(RESCUE, {"of": tx.workspace, "due": micros(due_at)}).rowcount


def _expire(tx: Transaction, now: datetime) -> int:
    late = tx.connection.execute(LATE, {"of": tx.workspace, "now": micros(now)}).all()
    _end(tx, [seq for seq, _ in late], "expired", now)
    go_on_all(tx, [order for _, order in late])
    return len(late)


def _end(tx: Transaction, seqs: Sequence[int], reason: str, now: datetime) -> None:
    names = {"of": tx.workspace, "because": reason, "now": micros(now)}
    if seqs:
        tx.connection.execute(EXPIRE, [{**names, "number": seq} for seq in seqs])


def _release(tx: Transaction, request: tuple[AccountId, datetime, float]) -> int:
    account, now, ramp_s = request
    names = {"of": tx.workspace, "from": account, "now": micros(now)}
    late = {seq for seq, _ in tx.connection.execute(LATE, names)}
    held = tx.connection.execute(HELD, names).all()
    _end(tx, [seq for seq, _ in held if seq in late], "expired while it was held", now)
    home = [seq for seq, _ in held if seq not in late]
    ramp = timedelta(seconds=ramp_s)
    back = [
        {"of": tx.workspace, "number": seq, "now": micros(now), "due": micros(now + at * ramp)}
        for at, seq in enumerate(home)
    ]
    if back:
        tx.connection.execute(RETURN, back)
    go_on_all(tx, [order for _, order in held])
    return len(home)


MOVE = single(_move)
RESCUE_THEM = single(_rescue)
EXPIRE_THEM = single(_expire)
RELEASE = single(_release)


class Diversions(Room):
    """Operations of :class:`gateway.books.Store` for failover, return and old age."""

    async def rescue(self, due_at: datetime) -> int:
        return await self._write(RESCUE_THEM, due_at)

    async def move(self, moves: Sequence[Move], now: datetime) -> tuple[Delivery, ...]:
        for move in moves:
            if move.state not in MOVES:
                raise ValueError(f"nothing is moved to {move.state}")
        return await self._write(MOVE, (moves, now))

    async def release(self, account: AccountId, now: datetime, ramp_s: float) -> int:
        return await self._write(RELEASE, (account, now, ramp_s))

    async def expire(self, now: datetime) -> int:
        return await self._write(EXPIRE_THEM, now)

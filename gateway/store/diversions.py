"""The road out when something is lost, found again, or too late: whole sets of deliveries move at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    update,
)

from gateway.books import Move, Topic
from gateway.model.delivery import RESENT, Delivery, InConversation, State
from gateway.model.ids import AccountId, DeliveryId
from gateway.store.codec import encode, micros, micros_or_none, own_hour, scrub
from gateway.store.hot import Batched, checked, given, literal
from gateway.store.orders import fetched, go_on
from gateway.store.outbox import USE, kept_for
from gateway.store.room import Room
from gateway.store.schema import OPEN, deliveries
from gateway.store.transaction import Transaction
from gateway.store.writer import single

_d = deliveries.c
_b = deliveries.alias("b")
_mine = _d.workspace == bindparam("of")
PAGE = 500
"""Rows per transaction where there may be very many: other writers go between the pages. Orders stay right, because
each page is a whole step of its own (every order that it touched has its head again) and pages are taken by age: what
is not released yet stands behind what is, and blocks nobody before it.
"""
UNSENT = "deliveries.state IN ('waiting', 'queued', 'held')"
MOVES = frozenset({State.WAITING, State.QUEUED, State.HELD, State.REFUSED, State.EXPIRED})


def _find(n: int) -> Select[Any]:
    rows = given("id", n)
    ahead = select(_b.c.seq).where(
        _b.c.workspace == _d.workspace,
        _b.c.order_key == _d.order_key,
        text(f"b.{OPEN}"),
        _b.c.state == literal(State.SENDING),
        _b.c.seq < _d.seq,
    )
    found = select(_d.id, _d.seq, _d.order_key, _d.account, ahead.exists(), _d.attempts)
    return found.where(_mine, _d.id == rows.c.id, checked(UNSENT))


def _stay(n: int) -> Update:
    rows = given("seq state due_at reason now expires_at", n)
    return (
        update(deliveries)
        .where(_mine, _d.seq == rows.c.seq)
        .values(
            state=rows.c.state,
            due_at=rows.c.due_at,
            reason=_marked(rows.c.reason),
            changed_at=rows.c.now,
            expires_at=_hour(rows.c.state, rows.c.expires_at),
        )
    )


def _hour(state: ColumnElement[str], given_hour: ColumnElement[int]) -> ColumnElement[int | None]:
    """A hold's hour ends with the hold: what goes on has the one it is given, all else at least the one it has."""
    goes_on = or_(state == literal(State.WAITING), state == literal(State.QUEUED))
    return case((goes_on, given_hour), else_=func.coalesce(given_hour, _d.expires_at))


def _marked(reason: ColumnElement[str]) -> ColumnElement[str]:
    """:func:`gateway.model.delivery.marked` in SQL: wherever it goes, what may be there twice says so."""
    start: Sequence[ColumnElement[int]] = (literal_column("1"), literal_column(str(len(RESENT))))
    says_so = func.substr(_d.reason, *start) == literal(RESENT)
    anew = func.substr(reason, *start) != literal(RESENT)
    told = literal(RESENT).concat(case((reason == literal(""), literal("")), else_=literal(": ").concat(reason)))
    return case((and_(says_so, anew), told), else_=reason)


def _go(n: int) -> Update:
    """Elsewhere, planned anew. It counts as an attempt, so that whoever knew it before sees that it has changed."""
    rows = given("seq account order_key conversation draft", n)
    there = {name: rows.c[name] for name in ("account", "order_key", "conversation", "draft")}
    anew = {
        "parts": null(),
        "sent": null(),
        "sent_n": literal_column("0"),
        "attempts": _d.attempts + literal_column("1"),
    }
    return update(deliveries).where(_mine, _d.seq == rows.c.seq).values(**there, **anew)


FIND = Batched(_find)
"""(id,) -> (id, seq, order key, account, is an earlier one of its order being sent, attempts) of those that may still
move.
"""
STAY = Batched(_stay)
GO = Batched(_go)
RESCUE = (
    update(deliveries)
    .where(
        _mine,
        _d.account.in_(bindparam("accounts", expanding=True)),
        _d.state == literal(State.SENDING),
        text(f"deliveries.{OPEN}"),
    )
    .values(state=State.UNCERTAIN.value, due_at=bindparam("due"))
)
LATE = (
    select(_d.seq, _d.order_key, _d.account)
    .where(_mine, text("deliveries.expires_at IS NOT NULL"), _d.expires_at <= bindparam("now"), text(UNSENT))
    .order_by(_d.expires_at, _d.seq)
    .limit(PAGE)
)
HELD = (
    select(_d.seq, _d.order_key, func.coalesce(_d.expires_at <= bindparam("now"), false()), _d.draft)
    .where(_mine, _d.account == bindparam("from"), _d.state == literal(State.HELD), _d.seq > bindparam("after"))
    .order_by(_d.seq)
    .limit(PAGE)
)


def _move(tx: Transaction, request: tuple[Sequence[Move], datetime]) -> tuple[Delivery, ...]:
    moves, now = {move.delivery: move for move in request[0]}, micros(request[1])
    found = _movable(tx, moves)
    moving = [(found[name][0], move) for name, move in moves.items() if name in found]
    STAY.change(tx, [_new_state(seq, move, now) for seq, move in moving])
    GO.change(tx, [_new_place(seq, move) for seq, move in moving if move.draft])
    _keep_pictures(tx, [move for _, move in moving])
    go_on(tx, [order for _, order, _ in found.values()] + [move.order_key for _, move in moving if move.draft])
    for account in {account for _, _, account in found.values()} | {move.account for _, move in moving}:
        tx.tell(Topic.DELIVERIES, account)
    now_there = {one.seq: one for one in fetched(tx, [seq for seq, _ in moving])}
    return tuple(now_there[seq] for seq, _ in moving)


def _movable(tx: Transaction, moves: Mapping[DeliveryId, Move]) -> dict[DeliveryId, tuple[int, str, AccountId]]:
    """Where each is now, of those that may go where they shall: who leaves an order passes nobody that stays in it."""
    movable = {}
    stays: set[str] = set()
    by_age = sorted(FIND.fetch(tx, [(name,) for name in moves]), key=lambda row: row[1])
    for name, seq, order, account, behind, attempts in by_age:
        move = moves[name]
        if move.attempts not in (None, attempts):
            stays.add(order)
        elif not (move.draft and (behind or order in stays)):
            movable[name] = (seq, order, account)
    return movable


def _new_state(seq: int, move: Move, now: int) -> tuple[Any, ...]:
    says = move.draft if move.draft is not None and move.state is not State.HELD else move
    expires_at = micros_or_none(says.expires_at)
    return seq, move.state.value, micros(move.due_at), scrub(move.reason), now, expires_at


def _new_place(seq: int, move: Move) -> tuple[Any, ...]:
    target = move.draft.target if move.draft else None
    conversation = target.conversation if isinstance(target, InConversation) else None
    return seq, move.account, move.order_key, conversation, encode(move.draft)


def _keep_pictures(tx: Transaction, moved: Sequence[Move]) -> None:
    uses = [
        {"workspace": tx.workspace, "sha256": sha256, "delivery": move.delivery}
        for move in moved
        if move.draft
        for sha256 in kept_for(move.draft.document)
    ]
    if uses:
        tx.connection.execute(USE, uses)


def _rescue(tx: Transaction, request: tuple[Sequence[AccountId], datetime]) -> int:
    accounts, due_at = request
    lost = tx.lost(accounts)
    accounts = [account for account in accounts if account not in lost]
    return tx.connection.execute(RESCUE, {"of": tx.workspace, "accounts": accounts, "due": micros(due_at)}).rowcount


def _expire(tx: Transaction, now: datetime) -> int:
    late = _late(tx, now)
    _end(tx, [seq for seq, _, _ in late], "expired", now)
    go_on(tx, [order for _, order, _ in late])
    for account in {account for _, _, account in late}:
        tx.tell(Topic.DELIVERIES, account)
    return len(late)


def _late(tx: Transaction, now: datetime) -> Sequence[Any]:
    return tx.connection.execute(LATE, {"of": tx.workspace, "now": micros(now)}).all()


def _end(tx: Transaction, seqs: Sequence[int], reason: str, now: datetime) -> None:
    at = micros(now)
    STAY.change(tx, [(seq, State.EXPIRED.value, at, reason, at, None) for seq in seqs])


class Releasing(NamedTuple):
    """A page: what is held after ``after``. ``released`` went home with the pages before."""

    account: AccountId
    now: datetime
    ramp_s: float
    after: int = 0
    released: int = 0


def _release(tx: Transaction, page: Releasing) -> Releasing | int:
    """The next page, or how many went home with all of them."""
    at_now = micros(page.now)
    held = _held(tx, page)
    _end(tx, [seq for seq, _, late, _ in held if late], "expired while it was held", page.now)
    home = [(seq, own_hour(draft)) for seq, _, late, draft in held if not late]
    ramp = timedelta(seconds=page.ramp_s)
    rows = [(seq, micros(page.now + at * ramp), own) for at, (seq, own) in enumerate(home, page.released)]
    STAY.change(tx, [(seq, State.WAITING.value, due_at, "", at_now, own) for seq, due_at, own in rows])
    go_on(tx, [order for _, order, *_ in held])
    tx.tell(Topic.DELIVERIES, page.account)
    released = page.released + len(home)
    return released if len(held) < PAGE else page._replace(after=held[-1][0], released=released)


def _held(tx: Transaction, page: Releasing) -> Sequence[Any]:
    names = {"of": tx.workspace, "from": page.account, "now": micros(page.now), "after": page.after}
    return tx.connection.execute(HELD, names).all()


def _left_and_entered(tx: Transaction, request: tuple[Sequence[Move], datetime]) -> list[str]:
    moves, _ = request
    left = [order for _, _, order, *_ in FIND.fetch(tx, [(move.delivery,) for move in moves])]
    return left + [move.order_key for move in moves if move.draft]


MOVE = single(_move, _left_and_entered)
RESCUE_THEM = single(_rescue)
EXPIRE_THEM = single(_expire, lambda tx, now: [order for _, order, _ in _late(tx, now)])
RELEASE = single(_release, lambda tx, page: [order for _, order, *_ in _held(tx, page)])


class Diversions(Room):
    """Operations of :class:`gateway.books.Store` for failover, return and old age."""

    async def rescue(self, accounts: Sequence[AccountId], due_at: datetime) -> int:
        return await self._write(RESCUE_THEM, (accounts, due_at))

    async def move(self, moves: Sequence[Move], now: datetime) -> tuple[Delivery, ...]:
        for move in moves:
            if move.state not in MOVES:
                raise ValueError(f"nothing is moved to {move.state}")
        return await self._write(MOVE, (moves, now))

    async def release(self, account: AccountId, now: datetime, ramp_s: float) -> int:
        page: Releasing | int = Releasing(account, now, ramp_s)
        while isinstance(page, Releasing):
            page = await self._write(RELEASE, page)
        return page

    async def expire(self, now: datetime) -> int:
        expired = last = await self._write(EXPIRE_THEM, now)
        while last == PAGE:
            last = await self._write(EXPIRE_THEM, now)
            expired += last
        return expired

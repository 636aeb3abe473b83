"""The road in: what happened on the platforms, kept before anybody handles it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Insert, Select, Update, and_, bindparam, select, text, update

from gateway.books import LeaseLost, NewDelivery
from gateway.model.delivery import Delivery
from gateway.model.events import MemberJoined, MemberLeft, MessageDeleted, MessageReceived, PlatformEvent
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, PersonId, WorkspaceId
from gateway.store.codec import decode_event, encode, micros, scrub
from gateway.store.hot import Batched, given, literal, records, upsert
from gateway.store.outbox import Adding, add_all, adding, entered
from gateway.store.people import is_known, known_person
from gateway.store.room import Room
from gateway.store.schema import conversations, cursors, events, identities
from gateway.store.transaction import PEOPLE, Transaction
from gateway.store.writer import Kind, Regroup, single
from gateway.unanswered import StoredEvent

PENDING = "pending"
HANDLED = "handled"
PARKED = "parked"

EVENT = "seq workspace account id kind conversation ref author_platform author_id at state due_at attempts error event"


def _insert(n: int) -> Insert:
    return upsert(events).values(records(events, EVENT, n)).on_conflict_do_nothing()


def _mark(n: int) -> Update:
    rows = given("seq now", n)
    e = events.c
    return (
        update(events)
        .where(e.seq == rows.c.seq, e.workspace == bindparam("of"), text("events.state <> 'handled'"))
        .values(state=literal(HANDLED), handled_at=rows.c.now)
    )


def _move_cursors(n: int) -> Insert:
    new = upsert(cursors).values(records(cursors, "workspace account cursor at", n))
    return new.on_conflict_do_update(
        index_elements=["workspace", "account"], set_={"cursor": new.excluded.cursor, "at": new.excluded.at}
    )


def _meet(n: int) -> Insert:
    new = upsert(conversations).values(
        records(conversations, "workspace account platform author private conversation ref at", n)
    )
    return new.on_conflict_do_update(
        index_elements=["workspace", "account", "platform", "author", "private"],
        set_={name: new.excluded[name] for name in ("conversation", "ref", "at")},
        where=new.excluded.at >= conversations.c.at,
    )


def _arrived(n: int) -> Select[Any]:
    rows = given("seq", n)
    return select(rows.c.seq).join(events, and_(events.c.seq == rows.c.seq, events.c.workspace == bindparam("of")))


INSERT = Batched(_insert)
ARRIVED = Batched(_arrived)
MARK = Batched(_mark)
MOVE_CURSORS = Batched(_move_cursors)
MEET = Batched(_meet)
_e = events.c
CURSOR = select(cursors.c.cursor).where(
    cursors.c.workspace == bindparam("workspace"), cursors.c.account == bindparam("account")
)
STORED = (
    select(_e.seq, _e.event, identities.c.person, _e.attempts, _e.error)
    .select_from(
        events.outerjoin(
            identities,
            and_(
                identities.c.workspace == _e.workspace,
                identities.c.platform == _e.author_platform,
                identities.c.id == _e.author_id,
            ),
        )
    )
    .where(_e.workspace == bindparam("workspace"))
    .order_by(_e.seq)
    .limit(bindparam("limit"))
)
"""What is in the inbox, oldest first, for :func:`found`."""
_pending_ones = STORED.where(
    text("events.state = 'pending'"), _e.seq > bindparam("after"), _e.due_at <= bindparam("now")
)
PENDING_EVENTS = {True: _pending_ones.where(_e.account == bindparam("account")), False: _pending_ones}
"""By whether an account is given."""
POSTPONE = (
    update(events)
    .where(_e.workspace == bindparam("of"), _e.seq == bindparam("number"), text("events.state = 'pending'"))
    .values(attempts=_e.attempts + 1, state=bindparam("next"), due_at=bindparam("retry_at"), error=bindparam("because"))
)


class Arrived(NamedTuple):
    account: AccountId
    events: Sequence[PlatformEvent]
    encoded: Sequence[bytes]
    cursor: str
    now: datetime


def _author(event: PlatformEvent) -> Identity | None:
    match event:
        case MessageDeleted():
            return None
        case MemberJoined(member=member) | MemberLeft(member=member):
            return member if member.id else None
        case _:
            return event.author if event.author.id else None


Line = tuple[Arrived, PlatformEvent, bytes]


def _record_all(tx: Transaction, requests: Sequence[Arrived]) -> list[tuple[StoredEvent, ...] | LeaseLost]:
    lost = tx.lost(request.account for request in requests)
    stored = _recorded(tx, [request for request in requests if request.account not in lost])
    told = iter(stored)
    return [
        LeaseLost(f"{request.account} is another gateway's now") if request.account in lost else next(told)
        for request in requests
    ]


def _recorded(tx: Transaction, requests: Sequence[Arrived]) -> list[tuple[StoredEvent, ...]]:
    rows = [(r, event, body) for r in requests for event, body in zip(r.events, r.encoded, strict=True)]
    lines: dict[int, Line] = dict(zip(tx.take("events", len(rows)), rows, strict=True))
    if INSERT.change(tx, [_row(tx, seq, *line) for seq, line in lines.items()]) < len(rows):
        lines = {seq: lines[seq] for (seq,) in ARRIVED.fetch(tx, [(seq,) for seq in lines])}
    stored = {id(line): _stored(tx, seq, line) for seq, line in lines.items()}
    MEET.change(tx, list({row[:5]: row for row in _met(tx, list(lines.values()))}.values()))
    at_now = {r.account: (tx.workspace, r.account, r.cursor, micros(r.now)) for r in requests}
    MOVE_CURSORS.change(tx, list(at_now.values()))
    return _dealt(requests, [stored.get(id(line)) for line in rows])


def _strangers(tx: Transaction, requests: Sequence[Arrived]) -> list[str]:
    """Whoever isn't known by heart has to be looked for, and may turn out to be somebody who was linked."""
    authors = (_author(event) for request in requests for event in request.events)
    return [PEOPLE for author in authors if author and not is_known(tx, author)]


def _row(tx: Transaction, seq: int, request: Arrived, event: PlatformEvent, body: bytes) -> tuple[Any, ...]:
    """In the order of :data:`EVENT`."""
    author = _author(event)
    return (
        seq,
        tx.workspace,
        request.account,
        event.id,
        type(event).__struct_config__.tag,
        event.conversation,
        getattr(event, "ref", None),
        author and author.platform,
        author and author.id,
        micros(event.at),
        PENDING,
        0,
        0,
        "",
        body,
    )


def _stored(tx: Transaction, seq: int, line: Line) -> StoredEvent:
    request, event, _ = line
    author = _author(event)
    return StoredEvent(seq, event, known_person(tx, author, request.now) if author else None)


def _met(tx: Transaction, lines: Sequence[Line]) -> list[tuple[Any, ...]]:
    """Who wrote to which account, oldest first: what :meth:`People.reach` looks for."""
    met = [
        (tx.workspace, request.account, who.platform, who.id, int(e.private), e.conversation, e.ref, micros(e.at))
        for request, e, _ in lines
        if isinstance(e, MessageReceived) and e.addressed and (who := e.author).id
    ]
    return sorted(met, key=lambda row: row[-1])


def _dealt(requests: Sequence[Arrived], stored: Iterable[StoredEvent | None]) -> list[tuple[StoredEvent, ...]]:
    """To each request its own, without those that were known already."""
    left = iter(stored)
    return [tuple(filter(None, islice(left, len(request.events)))) for request in requests]


class Handling(NamedTuple):
    seq: int
    answers: Adding


def _handle_all(tx: Transaction, requests: Sequence[Handling]) -> list[tuple[Delivery, ...]]:
    marked = MARK.change(tx, [(r.seq, micros(r.answers.now)) for r in requests])
    if marked < len(requests):
        if len(requests) > 1:
            raise Regroup
        return [()]
    return add_all(tx, [request.answers for request in requests])


def _postpone(tx: Transaction, request: dict[str, Any]) -> None:
    tx.connection.execute(POSTPONE, {"of": tx.workspace, **request})


RECORD: Kind[Arrived, Any] = Kind(_record_all, _strangers)
HANDLE = Kind(_handle_all, lambda tx, requests: entered(tx, [request.answers for request in requests]))
POSTPONE_IT = single(_postpone)


def found(connection: Connection, query: Select[Any], names: dict[str, Any]) -> tuple[StoredEvent, ...]:
    return tuple(
        StoredEvent(seq, decode_event(event), None if person is None else PersonId(person), attempts, error)
        for seq, event, person, attempts, error in connection.execute(query, names).all()
    )


def _cursor(connection: Connection, workspace: WorkspaceId, account: AccountId) -> str | None:
    found: str | None = connection.execute(CURSOR, {"workspace": workspace, "account": account}).scalar()
    return found


class Inbox(Room):
    """Operations of :class:`gateway.books.Store` on what comes in."""

    async def record(
        self, account: AccountId, events: Sequence[PlatformEvent], cursor: str, now: datetime
    ) -> tuple[StoredEvent, ...]:
        encoded = [encode(event) for event in events]
        return await self._write(RECORD, Arrived(account, events, encoded, cursor, now))

    async def cursor(self, account: AccountId) -> str | None:
        return await self._read(_cursor, self._workspace, account)

    async def pending_events(
        self, now: datetime, *, account: AccountId | None = None, after: int = 0, limit: int = 500
    ) -> tuple[StoredEvent, ...]:
        names = {"workspace": self._workspace, "now": micros(now), "after": after, "limit": limit}
        if account is not None:
            names["account"] = account
        return await self._read(found, PENDING_EVENTS[account is not None], names)

    async def handled(self, seq: int, answers: Sequence[NewDelivery], now: datetime) -> tuple[Delivery, ...]:
        return await self._write(HANDLE, Handling(seq, adding(self._workspace, answers, now)))

    async def postpone(self, seq: int, error: str, retry_at: datetime | None) -> None:
        state = PENDING if retry_at else PARKED
        due_at = micros(retry_at) if retry_at else 0
        request = {"number": seq, "because": scrub(error), "next": state, "retry_at": due_at}
        await self._write(POSTPONE_IT, request)

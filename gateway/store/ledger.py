"""What the outbox holds: reads, on the readers' threads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, bindparam, func, select, text, union_all

from gateway.books import SentPart
from gateway.model.delivery import Delivery, State
from gateway.model.ids import AccountId, AnnouncementId, DeliveryId, MessageRef, WorkspaceId
from gateway.store.codec import DELIVERY, delivery, micros, moment
from gateway.store.hot import literal
from gateway.store.room import Room
from gateway.store.schema import deliveries, sent_parts

_d = deliveries.c
_s = sent_parts.c
_mine = _d.workspace == bindparam("workspace")
_here = _d.account == bindparam("account")
_limit: BindParameter[int] = bindparam("limit")

_due = (_mine, _here, text("deliveries.state IN ('queued', 'uncertain')"), _d.due_at.is_not(None))
READY = select(*DELIVERY).where(*_due, _d.due_at <= bindparam("now")).order_by(_d.due_at, _d.seq).limit(_limit)
NEXT_DUE = select(func.min(_d.due_at)).where(*_due, _d.due_at > bindparam("after"))
ONE = select(*DELIVERY).where(_mine, _d.id == bindparam("id"))
COUNTS = select(_d.account, _d.state, func.count()).where(_mine).group_by(_d.account, _d.state)
ANNOUNCED = (
    select(_d.account)
    .distinct()
    .where(_mine, _d.announcement == bindparam("announcement"), text("deliveries.state NOT IN ('refused', 'expired')"))
)
_all_mine = _d.workspace.concat(literal("")) == bindparam("workspace")
LATEST = select(*DELIVERY).where(_all_mine).order_by(_d.seq.desc()).limit(_limit)
"""Walked from the newest; the planner would rather sort them all."""
_first = select(func.min(_d.account).label("account")).where(_mine).cte("accounts", recursive=True)
_next = select(func.min(_d.account)).where(_mine, _d.account > _first.c.account).scalar_subquery()
_each = _first.union_all(select(_next).where(_first.c.account.is_not(None)))
ACCOUNTS = select(_each.c.account).where(_each.c.account.is_not(None))
"""All that have deliveries: one step along the index for each account, however many these are."""
SENT = select(_s.delivery, _s.account, _s.part, _s.kind, _s.conversation, _s.ref, _s.at, _s.url).where(
    _s.workspace == bindparam("workspace")
)
SENT_OF = SENT.where(_s.delivery == bindparam("delivery")).order_by(_s.seq)
SENT_SINCE = SENT.where(_s.account == bindparam("account"), _s.at >= bindparam("since")).order_by(_s.at, _s.seq)

WAITS = frozenset({State.WAITING, State.QUEUED, State.HELD})


@cache
def _unsent(states: frozenset[State]) -> Select[Any]:
    return _listed(states, _d.seq.asc(), _mine, _here, _d.seq > bindparam("after"))


@cache
def _newest(states: frozenset[State]) -> Select[Any]:
    return _listed(states or frozenset(State), _d.seq.desc(), _mine, _here, _d.seq > bindparam("after"))


def _listed(states: frozenset[State], order: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    """State by state along the index, so that a page costs a page however long the list is."""
    pages = [
        select(select(_d.seq).where(*conditions, _d.state == literal(state)).order_by(order).limit(_limit).subquery())
        for state in sorted(states)
    ]
    return select(*DELIVERY).where(_d.seq.in_(union_all(*pages))).order_by(order).limit(_limit)


def _deliveries(connection: Connection, query: Select[Any], names: dict[str, Any]) -> tuple[Delivery, ...]:
    workspace: WorkspaceId = names["workspace"]
    return tuple(delivery(workspace, row) for row in connection.execute(query, names).all())


def _newest_of(
    connection: Connection, query: Select[Any], accounts: Sequence[str] | None, names: dict[str, Any]
) -> tuple[Delivery, ...]:
    """Of these accounts together, or of all. Each is asked only for what is newer than a whole page of the others'."""
    limit, after = names["limit"], 0
    newest: dict[int, Any] = {}
    for account in accounts or connection.execute(ACCOUNTS, names).scalars().all():
        rows = connection.execute(query, {**names, "account": account, "after": after}).all()
        newest |= {row.seq: row for row in rows}
        newest = {seq: newest[seq] for seq in sorted(newest, reverse=True)[:limit]}
        after = min(newest) if len(newest) == limit > 0 else 0
    return tuple(delivery(names["workspace"], row) for row in newest.values())


def _value(connection: Connection, query: Select[Any], names: dict[str, Any]) -> Any:
    return connection.execute(query, names).scalar()


def _parts(connection: Connection, query: Select[Any], names: dict[str, Any]) -> tuple[SentPart, ...]:
    return tuple(
        SentPart(DeliveryId(of), AccountId(account), part, kind, where, MessageRef(ref), moment(at), url)
        for of, account, part, kind, where, ref, at, url in connection.execute(query, names).all()
    )


def _counts(connection: Connection, workspace: WorkspaceId) -> dict[AccountId, dict[State, int]]:
    counts: defaultdict[AccountId, dict[State, int]] = defaultdict(dict)
    for account, state, n in connection.execute(COUNTS, {"workspace": workspace}).all():
        counts[AccountId(account)][State(state)] = n
    return dict(counts)


def _announced(connection: Connection, names: dict[str, Any]) -> frozenset[AccountId]:
    return frozenset(AccountId(account) for account in connection.execute(ANNOUNCED, names).scalars())


class Ledger(Room):
    """Operations of :class:`gateway.books.Store` that look into the outbox."""

    async def ready(self, account: AccountId, now: datetime, limit: int) -> tuple[Delivery, ...]:
        return await self._read(_deliveries, READY, self._named(account=account, now=micros(now), limit=limit))

    async def next_due(self, account: AccountId, *, after: datetime) -> datetime | None:
        at = await self._read(_value, NEXT_DUE, self._named(account=account, after=micros(after)))
        return None if at is None else moment(at)

    async def unsent(
        self, account: AccountId, *, after: int = 0, limit: int = 500, states: frozenset[State] = frozenset()
    ) -> tuple[Delivery, ...]:
        names = self._named(account=account, after=after, limit=limit)
        return await self._read(_deliveries, _unsent(states or WAITS), names)

    async def delivery(self, delivery: DeliveryId) -> Delivery | None:
        found = await self._read(_deliveries, ONE, self._named(id=delivery))
        return found[0] if found else None

    async def deliveries(
        self, *, account: AccountId | None = None, states: frozenset[State] = frozenset(), limit: int = 100
    ) -> tuple[Delivery, ...]:
        if account is None and not states:
            return await self._read(_deliveries, LATEST, self._named(limit=limit))
        accounts = None if account is None else [account]
        return await self._read(_newest_of, _newest(states), accounts, self._named(limit=limit))

    async def sent_parts(self, delivery: DeliveryId) -> tuple[SentPart, ...]:
        return await self._read(_parts, SENT_OF, self._named(delivery=delivery))

    async def sent_since(self, account: AccountId, since: datetime) -> tuple[SentPart, ...]:
        return await self._read(_parts, SENT_SINCE, self._named(account=account, since=micros(since)))

    async def counts(self) -> dict[AccountId, dict[State, int]]:
        return await self._read(_counts, self._workspace)

    async def announced_on(self, announcement: AnnouncementId) -> frozenset[AccountId]:
        return await self._read(_announced, self._named(announcement=announcement))

    def _named(self, **names: Any) -> dict[str, Any]:
        return {"workspace": self._workspace, **names}

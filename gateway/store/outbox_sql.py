"""The outbox's statements, each for a whole batch."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Insert,
    Select,
    Text,
    Update,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal_column,
    select,
    text,
    union_all,
    update,
)

from gateway.model.delivery import TRANSITIONS, State
from gateway.store.hot import Batched, checked, given, literal, records
from gateway.store.schema import OPEN, deliveries, sent_parts

_d = deliveries.c
_b = deliveries.alias("b")
_workspace: BindParameter[str] = bindparam("of")
_ONE: ColumnElement[int] = literal_column("1")

ADDED = (
    "seq workspace id key account home order_key state due_at created_at changed_at expires_at attempts sent_n "
    "announcement conversation reason draft parts"
)


def _look(n: int) -> CompoundSelect[Any]:
    rows = given("key order_key", n)
    known = select(_b.c.seq).where(_b.c.workspace == _workspace, _b.c.key == rows.c.key)
    ahead = select(_b.c.seq).where(
        _b.c.workspace == _workspace,
        _b.c.order_key == rows.c.order_key,
        text(f"b.{OPEN}"),
        text("(b.state <> 'uncertain' OR b.due_at IS NOT NULL)"),
    )
    return union_all(
        select(_ONE, rows.c.key).where(known.exists()),
        select(literal_column("0"), rows.c.order_key).where(ahead.exists()),
    )


def _insert(n: int) -> Insert:
    return insert(deliveries).values(records(deliveries, ADDED, n))


def _claim(n: int) -> Update:
    rows = given("id account order_key attempts sent_n parts now", n)
    known = " AND ".join(f"deliveries.{name} = given.{name}" for name in ("account", "order_key", "attempts", "sent_n"))
    claimable = "(deliveries.state = 'queued' OR (deliveries.state = 'uncertain' AND deliveries.due_at IS NOT NULL))"
    return (
        update(deliveries)
        .where(_d.workspace == _workspace, _d.id == rows.c.id, checked(f"{known} AND {claimable}"))
        .values(
            state=literal(State.SENDING),
            attempts=_d.attempts + _ONE,
            parts=func.coalesce(_d.parts, rows.c.parts),
            changed_at=rows.c.now,
        )
    )


def _settle(n: int) -> Update:
    rows = given("id attempts sent_n state due_at now reason receipt", n)
    body = func.substr(_d.sent, _ONE, func.length(_d.sent) - _ONE)
    opening = case((_d.sent.is_(None), literal_column("'['")), else_=body.concat(literal_column("','")))
    longer = opening.concat(cast(rows.c.receipt, Text)).concat(literal_column("']'"))
    return (
        update(deliveries)
        .where(_d.workspace == _workspace, _d.id == rows.c.id, _d.attempts == rows.c.attempts, checked(_allowed()))
        .values(
            state=rows.c.state,
            due_at=rows.c.due_at,
            changed_at=rows.c.now,
            reason=rows.c.reason,
            sent=case((rows.c.receipt.is_(None), _d.sent), else_=longer),
            sent_n=_d.sent_n + case((rows.c.receipt.is_(None), literal_column("0")), else_=_ONE),
        )
    )


def _allowed() -> str:
    """The state table as SQL. Only a claim makes an uncertain one SENDING again; who says of a part that it arrived
    knows how many did before.
    """
    after_doubt = ", ".join(f"'{state.value}'" for state in sorted(TRANSITIONS[State.UNCERTAIN] - {State.SENDING}))
    knows = "(given.receipt IS NULL OR deliveries.sent_n = given.sent_n)"
    doubted = f"deliveries.state = 'uncertain' AND given.state IN ({after_doubt}) AND {knows}"
    sending = "deliveries.state = 'sending' AND (given.state <> 'sending' OR deliveries.sent_n = given.sent_n)"
    return f"({sending} OR ({doubted}))"


def _keep(n: int) -> Insert:
    rows = given("id kind conversation ref url at", n)
    kept = select(_d.workspace, _d.id, _d.account, _d.sent_n - _ONE, *list(rows.c)[1:])
    names = ["workspace", "delivery", "account", "part", "kind", "conversation", "ref", "url", "at"]
    return insert(sent_parts).from_select(names, kept.where(_d.workspace == _workspace, _d.id == rows.c.id))


def _waiters(n: int) -> Select[Any]:
    rows = given("id", n)
    others = select(_b.c.seq).where(
        _b.c.workspace == _d.workspace,
        _b.c.order_key == _d.order_key,
        text(f"b.{OPEN}"),
        text("b.state IN ('waiting', 'queued', 'held')"),
        _b.c.seq != _d.seq,
    )
    return select(_d.id, _d.order_key).where(_d.workspace == _workspace, _d.id == rows.c.id, others.exists())


LOOK = Batched(_look)
"""(key, order key) -> (1, key) for each known key and (0, order key) for each order that has somebody to wait for."""
INSERT = Batched(_insert)
CLAIM = Batched(_claim)
"""(id, account, order key, attempts, sent_n, parts, now): SENDING, with the plan frozen where there was none."""
SETTLE = Batched(_settle)
"""(id, attempts, sent_n, state, due_at, now, reason, receipt): the next state where the state table allows it."""
KEEP = Batched(_keep)
"""(id, kind, conversation, ref, url, at): a part that arrived; after SETTLE has counted its receipt."""
_with_so_many = (
    _d.workspace == _workspace,
    _d.id == bindparam("id"),
    _d.attempts == bindparam("attempts"),
    _d.sent_n == bindparam("sent_n"),
)
REPEATED = select(_d.sent).where(*_with_so_many, _d.state == State.SENDING.value)
"""The receipts of one that is being sent, when it has just so many."""
IN_DOUBT = select(_d.account).where(*_with_so_many, _d.state == State.UNCERTAIN.value)
"""The account of one that is uncertain, when it has just so many receipts."""
WAITERS = Batched(_waiters)
"""(id,) -> (id, order key) of those that have others of their order waiting, queued or held."""

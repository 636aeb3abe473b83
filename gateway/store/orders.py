"""Who is next: at most one delivery of an order key is on its way, the others wait behind it by seq."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from gateway.books import Topic
from gateway.model.delivery import Delivery, State
from gateway.store.codec import DELIVERY, delivery
from gateway.store.hot import Batched, given, literal
from gateway.store.schema import OPEN, deliveries
from gateway.store.transaction import Transaction

_d = deliveries.c
_b = deliveries.alias("b")
_mine = _d.workspace == bindparam("of")


def _look(n: int) -> Select[Any]:
    orders = given("order_key", n)
    of = and_(_b.c.workspace == bindparam("of"), _b.c.order_key == orders.c.order_key, text(f"b.{OPEN}"))

    def first(state: State, *conditions: ColumnElement[bool]) -> Any:
        return select(func.min(_b.c.seq)).where(of, _b.c.state == literal(state), *conditions).scalar_subquery()

    doubtful = and_(_b.c.state == literal(State.UNCERTAIN), _b.c.due_at.is_not(None))
    return select(
        orders.c.order_key,
        exists().where(of, or_(_b.c.state == literal(State.SENDING), doubtful)),
        first(State.QUEUED, _b.c.sent_n > literal_column("0")),
        first(State.WAITING),
        first(State.QUEUED),
        first(State.HELD),
    )


def _demote(n: int) -> Update:
    rows = given("order_key head", n)
    these = (_d.order_key == rows.c.order_key, _d.state == literal(State.QUEUED), _d.seq != rows.c.head)
    queued = update(deliveries).where(_mine, *these, text(f"deliveries.{OPEN}"))
    return queued.values(state=literal(State.WAITING))


def _promote(n: int) -> Update:
    rows = given("seq", n)
    queued = update(deliveries).where(_mine, _d.seq == rows.c.seq).values(state=literal(State.QUEUED))
    return queued.returning(_d.account)


def _fetch(n: int) -> Select[Any]:
    rows = given("seq", n)
    return select(*DELIVERY).where(_mine, _d.seq == rows.c.seq)


LOOK = Batched(_look)
"""(order key,) -> (order key, is one on its way, first begun, first waiting, first queued, first held)."""
DEMOTE = Batched(_demote)
PROMOTE = Batched(_promote)
FETCH = Batched(_fetch)

NOBODY = -1


def go_on(tx: Transaction, orders: Iterable[str]) -> Sequence[int]:
    """Put the right one at the head of each order; returns the seqs of those that were waiting until now.

    What is on its way stays there. What was begun (has parts sent) goes before what is older; what is held blocks.
    """
    orders = list(dict.fromkeys(orders))
    tx.need(orders)
    looked = LOOK.fetch(tx, [(order,) for order in orders])
    heads = [(order, _head(*found), *found[2:4]) for order, *found in looked]
    demoted = [(order, head) for order, head, _, queued in heads if queued is not None]
    promoted = [head for _, head, waiting, _ in heads if head == waiting]
    DEMOTE.change(tx, demoted)
    for (account,) in PROMOTE.fetch(tx, [(head,) for head in promoted]):
        tx.tell(Topic.DELIVERIES, account)
    return promoted


def fetched(tx: Transaction, seqs: Iterable[int]) -> list[Delivery]:
    return [delivery(tx.workspace, row) for row in FETCH.fetch(tx, [(seq,) for seq in seqs])]


def _head(on_its_way: bool, begun: int | None, *firsts: int | None) -> int:
    """``firsts``: of the waiting, the queued and the held ones."""
    there = [seq for seq in firsts if seq is not None]
    if on_its_way or not there:
        return NOBODY
    if begun is not None:
        return begun
    return NOBODY if min(there) == firsts[-1] else min(there)

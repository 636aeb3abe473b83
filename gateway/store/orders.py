"""Who is next: at most one delivery of an order key is on its way, the others wait behind it by seq."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, literal_column, or_, select, text, update

from gateway.model.delivery import Delivery, State
from gateway.store.codec import DELIVERY, delivery
from gateway.store.schema import OPEN, deliveries
from gateway.store.transaction import Transaction

OPEN_DELIVERIES = text(f"deliveries.{OPEN}")
"""Said exactly like the condition of the partial index, or SQLite doesn't use it."""

_d = deliveries.c
_order = and_(_d.workspace == bindparam("of"), _d.order_key == bindparam("line"), OPEN_DELIVERIES)


def _is(state: State) -> ColumnElement[bool]:
    return _d.state == literal_column(f"'{state.value}'")


def _first(state: State) -> ColumnElement[Any]:
    return select(func.min(_d.seq)).where(_order, _is(state)).scalar_subquery()


_on_the_way = exists().where(_order, or_(_is(State.SENDING), and_(_is(State.UNCERTAIN), _d.due_at.is_not(None))))
_begun = select(func.min(_d.seq)).where(_order, _is(State.QUEUED), _d.sent_n > 0).scalar_subquery()
LOOK: Select[Any] = select(_on_the_way, _begun, _first(State.WAITING), _first(State.QUEUED), _first(State.HELD))
DEMOTE = (
    update(deliveries).where(_order, _is(State.QUEUED), _d.seq != bindparam("head")).values(state=State.WAITING.value)
)
PROMOTE = update(deliveries).where(_d.workspace == bindparam("of"), _d.seq == bindparam("head"))
PROMOTE = PROMOTE.values(state=State.QUEUED.value)
FETCH = select(*DELIVERY).where(_d.workspace == bindparam("of"), _d.seq == bindparam("head"))

NOBODY = -1


def go_on(tx: Transaction, order: str) -> Delivery | None:
    """Put the right one at the head of this order; returns it when it was waiting until now.

    What is on its way stays there. What was begun (has parts sent) goes before what is older; what is held blocks.
    """
    names = {"of": tx.workspace, "line": order}
    on_the_way, begun, waiting, queued, held = tx.connection.execute(LOOK, names).one()
    head = _head(on_the_way, begun, [seq for seq in (waiting, queued, held) if seq is not None], held)
    if queued is not None:
        tx.connection.execute(DEMOTE, {**names, "head": head})
    if head == NOBODY or head != waiting:
        return None
    tx.connection.execute(PROMOTE, {**names, "head": head})
    return delivery(tx.workspace, tx.connection.execute(FETCH, {**names, "head": head}).one())


def _head(on_the_way: bool, begun: int | None, firsts: list[int], held: int | None) -> int:
    if on_the_way or not firsts:
        return NOBODY
    if begun is not None:
        return begun
    first = min(firsts)
    return NOBODY if first == held else first


def go_on_all(tx: Transaction, orders: Iterable[str]) -> None:
    for order in dict.fromkeys(orders):
        go_on(tx, order)

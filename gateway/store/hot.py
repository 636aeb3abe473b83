"""Statements for whole batches, and the only place that goes around SQLAlchemy's execution.

SQLAlchemy writes the SQL, the driver runs it: a statement through SQLAlchemy costs about 60 us more. And every step
of every statement gives the GIL away, which a busy event loop may keep for 5 ms (both measured, see bench/store.py):
so a batch is few statements, not many rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import CTE, BindParameter, ClauseElement, Table, bindparam, column, values
from sqlalchemy.dialects.sqlite import dialect

from gateway.store.transaction import Transaction

SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows per statement: few sizes, so that the driver keeps every statement prepared."""

Row = Sequence[Any]


class Batched:
    """A statement over ``n`` rows of values, made by ``build(n)``; what else it binds comes after the rows."""

    def __init__(self, build: Callable[[int], ClauseElement]) -> None:
        self._sql = cache(lambda n: str(build(n).compile(dialect=dialect(paramstyle="qmark"))))

    def change(self, tx: Transaction, rows: Sequence[Row], *rest: Any) -> int:
        """Run it; returns how many rows it changed. (A cursor's ``rowcount`` knows nothing of WITH ... UPDATE.)"""
        before = tx.raw.total_changes
        for _ in self._run(tx, rows, rest):
            pass
        return tx.raw.total_changes - before

    def fetch(self, tx: Transaction, rows: Sequence[Row], *rest: Any) -> list[Any]:
        return [row for cursor in self._run(tx, rows, rest) for row in cursor.fetchall()]

    def _run(self, tx: Transaction, rows: Sequence[Row], rest: Row) -> Iterator[sqlite3.Cursor]:
        at = 0
        for size in SIZES:
            while len(rows) - at >= size:
                yield tx.raw.execute(self._sql(size), [*chain.from_iterable(rows[at : at + size]), *rest])
                at += size


def cells(names: Sequence[str], n: int) -> list[tuple[BindParameter[Any], ...]]:
    """Placeholders for ``n`` rows of these columns."""
    return [tuple(bindparam(f"{name}_{row}") for name in names) for row in range(n)]


def given(names: str, n: int) -> CTE:
    """``n`` rows of these columns as something to join with."""
    columns = names.split()
    return values(*(column(name) for name in columns), name="given").data(cells(columns, n)).cte("given")


def records(table: Table, names: str, n: int) -> list[dict[str, BindParameter[Any]]]:
    """``n`` rows for an INSERT into these columns."""
    columns = [table.c[name].name for name in names.split()]
    return [dict(zip(columns, row, strict=True)) for row in cells(columns, n)]

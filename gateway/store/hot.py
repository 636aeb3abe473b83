"""Statements for whole batches, and the only place that goes around SQLAlchemy's execution.

SQLAlchemy writes the SQL, the driver runs it. Measured (Python 3.11, SQLite 3.40): a point read costs 16 us of CPU
through SQLAlchemy and 1.4 us through the driver, an insert 14 and 2.3. What matters more: every step of every
statement gives the GIL away, and a loaded event loop may keep it for milliseconds (``bench/store.py --busy``). 64 rows
written one by one beside a spinning thread took 6 ms each, in one statement 0.2 ms. So: few statements, not many rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, cast

from sqlalchemy import (
    CTE,
    BindParameter,
    ClauseElement,
    ColumnElement,
    Table,
    bindparam,
    column,
    literal_column,
    values,
)
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.sql.compiler import SQLCompiler

from gateway.store.transaction import Transaction

SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows per statement: few sizes, so that the driver keeps every statement prepared."""

Row = Sequence[Any]


class Batched:
    """A statement over ``n`` rows of values, made by ``build(n)``. Besides them it binds only the workspace, ``of``."""

    def __init__(self, build: Callable[[int], ClauseElement]) -> None:
        self._build = build
        self._compiled = cache(self._compile)

    def change(self, tx: Transaction, rows: Sequence[Row]) -> int:
        """Run it; returns how many rows it changed. (A cursor's ``rowcount`` knows nothing of WITH ... UPDATE.)"""
        before = tx.raw.total_changes
        for _ in self._run(tx, rows):
            pass
        return tx.raw.total_changes - before

    def fetch(self, tx: Transaction, rows: Sequence[Row]) -> list[Any]:
        return [row for cursor in self._run(tx, rows) for row in cursor.fetchall()]

    def _run(self, tx: Transaction, rows: Sequence[Row]) -> Iterator[sqlite3.Cursor]:
        at = 0
        for size in SIZES:
            while len(rows) - at >= size:
                sql, times = self._compiled(size)
                yield tx.raw.execute(sql, [*chain.from_iterable(rows[at : at + size]), *[tx.workspace] * times])
                at += size

    def _compile(self, n: int) -> tuple[str, int]:
        """The SQL, and how often it names the workspace: always after the rows."""
        compiled = cast("SQLCompiler", self._build(n).compile(dialect=dialect(paramstyle="qmark")))
        return str(compiled), (compiled.positiontup or []).count("of")


def cells(names: Sequence[str], n: int) -> list[tuple[BindParameter[Any], ...]]:
    """Placeholders for ``n`` rows of these columns."""
    return [tuple(bindparam(f"{name}_{row}") for name in names) for row in range(n)]


def given(names: str, n: int) -> CTE:
    """``n`` rows of these columns as something to join with."""
    columns = names.split()
    return values(*(column(name) for name in columns), name="given").data(cells(columns, n)).cte("given")


def literal(value: str) -> ColumnElement[str]:
    """A word of ours, written into the SQL where a partial index or the planner wants to see it."""
    return literal_column(f"'{value!s}'")


def records(table: Table, names: str, n: int) -> list[dict[str, BindParameter[Any]]]:
    """``n`` rows for an INSERT into these columns."""
    columns = [table.c[name].name for name in names.split()]
    return [dict(zip(columns, row, strict=True)) for row in cells(columns, n)]

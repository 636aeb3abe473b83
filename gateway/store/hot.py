"""Statements for whole batches, and the only ones that go around SQLAlchemy's execution.

SQLAlchemy writes the SQL, the driver runs it. Measured (Python 3.11, SQLite 3.40): a point read costs 16 us of CPU
through SQLAlchemy and 1.4 us through the driver, an insert 14 and 2.3. What matters more: every step of every
statement gives the GIL away, and a loaded event loop may keep it for milliseconds (``bench/store.py --busy``). 64 rows
written one by one beside a spinning thread took 6 ms each, in one statement 0.2 ms. So: few statements, not many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import Any, cast

from sqlalchemy import (
    CTE,
    BigInteger,
    BindParameter,
    ClauseElement,
    ColumnElement,
    Dialect,
    LargeBinary,
    String,
    Table,
    TextClause,
    bindparam,
    column,
    literal_column,
    text,
    values,
)
from sqlalchemy.dialects.postgresql import insert as upsert  # SQLite understands it as well
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from gateway.store.transaction import Statements, Transaction

__all__ = ["Batched", "checked", "given", "literal", "records", "upsert"]

SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows per statement: few sizes, so that the driver keeps every statement prepared."""

Row = Sequence[Any]


class Batched:
    """A statement over ``n`` rows of values, made by ``build(n)``. Besides them it binds only the workspace, ``of``."""

    def __init__(self, build: Callable[[int], ClauseElement]) -> None:
        self._build = build
        self._compiled = cache(self._compile)

    def change(self, tx: Transaction, rows: Sequence[Row]) -> int:
        """Run it; returns how many rows it changed."""
        return tx.change(self._statements(tx, rows))

    def fetch(self, tx: Transaction, rows: Sequence[Row]) -> list[Any]:
        return tx.fetch(self._statements(tx, rows))

    def _statements(self, tx: Transaction, rows: Sequence[Row]) -> Statements:
        at = 0
        for size in SIZES:
            while len(rows) - at >= size:
                sql, before, after = self._compiled(tx.dialect, size)
                of = tx.workspace
                yield sql, [*[of] * before, *chain.from_iterable(rows[at : at + size]), *[of] * after]
                at += size

    def _compile(self, dialect: Dialect, n: int) -> tuple[str, int, int]:
        """The SQL, and how often it names the workspace: before the rows, and after them."""
        compiled = cast("SQLCompiler", self._build(n).compile(dialect=dialect))
        names = compiled.positiontup or []
        before = len(names) and int(names[0] == "of")
        return str(compiled), before, names.count("of") - before


NUMBERS = frozenset(["seq", "head", "attempts", "sent_n", "due_at", "expires_at", "now", "at", "epoch"])
BYTES = frozenset(["draft", "parts"])


def _type(name: str) -> TypeEngine[Any]:
    """What a column of this name holds. PostgreSQL wants to know; SQLite doesn't."""
    return BigInteger() if name in NUMBERS else LargeBinary() if name in BYTES else String()


def given(names: str, n: int) -> CTE:
    """``n`` rows of these columns as something to join with."""
    columns = [column(name, _type(name)) for name in names.split()]
    rows = [tuple(bindparam(f"{each.name}_{row}", type_=each.type) for each in columns) for row in range(n)]
    return values(*columns, name="given").data(rows).cte("given")


def literal(value: str) -> ColumnElement[str]:
    """A word of ours, written into the SQL where a partial index or the planner wants to see it."""
    return literal_column(f"'{value!s}'")


def checked(condition: str) -> TextClause:
    """A condition on rows that are found by something else: no planner shall look for them by this one, however few it
    believes them to be.
    """
    return text(f"CASE WHEN {condition} THEN TRUE ELSE FALSE END")


def records(table: Table, names: str, n: int) -> list[dict[str, BindParameter[Any]]]:
    """``n`` rows for an INSERT into these columns."""
    columns = [table.c[name].name for name in names.split()]
    return [{name: bindparam(f"{name}_{row}") for name in columns} for row in range(n)]

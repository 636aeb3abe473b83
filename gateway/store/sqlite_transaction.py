"""A transaction on SQLite, whose only writer this is."""

from __future__ import annotations

import sqlite3
from types import TracebackType

from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import dialect

from gateway.model.ids import WorkspaceId
from gateway.store.transaction import Statements, Transaction


class SqliteTransaction(Transaction):
    """``raw`` is the same connection without SQLAlchemy."""

    dialect = dialect(paramstyle="qmark")

    def __init__(self, workspace: WorkspaceId, connection: Connection) -> None:
        super().__init__(workspace)
        self._connection = connection
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - what it was opened with
        self.raw = raw
        numbered = raw.execute("SELECT name, seq FROM sqlite_sequence")
        self._next: dict[str, int] = {name: last + 1 for name, last in numbered}

    @property
    def connection(self) -> Connection:
        return self._connection

    def take(self, table: str, n: int) -> range:
        first = self._next.get(table, 1)
        self._next[table] = first + n
        return range(first, first + n)

    def change(self, statements: Statements) -> int:
        """A cursor's ``rowcount`` knows nothing of WITH ... UPDATE."""
        before = self.raw.total_changes
        for sql, bound in statements:
            self.raw.execute(sql, bound)
        return self.raw.total_changes - before

    def fetch(self, statements: Statements) -> list[object]:
        return [row for sql, bound in statements for row in self.raw.execute(sql, bound).fetchall()]

    def __enter__(self) -> None:
        self.raw.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        written = False
        try:
            if error is None:
                self.raw.execute("COMMIT")
                written = True
        finally:
            if not written:
                self._undo()

    def _undo(self) -> None:
        """SQLite itself has rolled back where the disk was too full to commit."""
        self.forget()
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")

    def close(self) -> None:
        self.connection.close()
        self.connection.engine.dispose()

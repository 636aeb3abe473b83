"""What an operation works with: the writing connection within one transaction, and what the writer remembers."""

from __future__ import annotations

import sqlite3
from types import TracebackType

from sqlalchemy import Connection

from gateway.model.ids import PersonId, WorkspaceId

KNOWN_MAX = 20_000
"""Identities remembered: about 5 MB."""

Known = tuple[str, str, PersonId]
"""An identity's handle and name as they are stored, and its person."""


class Transaction:
    """One at a time, on the writer's thread: ``with transaction:`` commits, or rolls back and raises.

    ``raw`` is the same connection without SQLAlchemy, for the statements where its share of the time would be the
    larger one (see :mod:`gateway.store.hot`).
    """

    def __init__(self, workspace: WorkspaceId, connection: Connection) -> None:
        self.workspace = workspace
        self.connection = connection
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - the only engine so far
        self.raw = raw
        numbered = raw.execute("SELECT name, seq FROM sqlite_sequence")
        self._next: dict[str, int] = {name: last + 1 for name, last in numbered}
        self._known: dict[tuple[str, str], Known] = {}

    def take(self, table: str, n: int) -> int:
        """The first of ``n`` numbers for new rows. Numbers of a transaction that fails are not used again."""
        first = self._next.get(table, 1)
        self._next[table] = first + n
        return first

    def known(self, platform: str, name: str) -> Known | None:
        return self._known.get((platform, name))

    def remember(self, platform: str, name: str, known: Known) -> None:
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[platform, name] = known

    def forget(self) -> None:
        """After links changed, or when what was remembered may never have been written."""
        self._known.clear()

    def __enter__(self) -> None:
        self.raw.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.raw.execute("COMMIT")
        finally:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
                self.forget()
            elif error is not None:
                self.forget()

    def close(self) -> None:
        self.connection.close()
        self.connection.engine.dispose()

"""A transaction on PostgreSQL, among those of other gateways.

Each statement sees what was committed before it began (READ COMMITTED). What must stand still between looking and
writing, the heads of orders above all, is locked first: by advisory locks on the names of orders, taken in one go and
in one order, so that nobody waits in a circle. Every transaction also shares a lock on the whole workspace, and who
needs very many, or everything, takes that one alone.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from hashlib import blake2b
from types import TracebackType
from typing import Any

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation
from sqlalchemy import Connection, LargeBinary, Select, bindparam, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from gateway.books import StoreError, Topic
from gateway.model.ids import WorkspaceId
from gateway.store.faults import cause, is_lost
from gateway.store.hot import Batched, given
from gateway.store.schema import leases
from gateway.store.server import Server
from gateway.store.transaction import ALL, Statements, Transaction

GROWN = (100, 1_000, 10_000, 100_000)
"""Rows after which a young database is looked at anew: plans that were made for empty tables take the wrong index, and
the server's own look may be a minute away.
"""
MANY = 500
"""Locks per transaction: the server has room for about 64 of each connection that it allows."""
IN_DOUBT_S = 6.0
"""How long a lost commit is asked about: longer than a lease, so what stays unknown is rescued with its account."""

WHOLE = "SELECT pg_current_xact_id()::text, pg_advisory_xact_lock($1)"
SHARE = "SELECT pg_current_xact_id()::text, pg_advisory_xact_lock_shared($1)"
LOCK = "SELECT pg_advisory_xact_lock(name) FROM unnest($1::bigint[]) AS name"
TAKE = "SELECT nextval($1::text::regclass) FROM generate_series(1, $2)"
TELL = "SELECT pg_notify($1, news) FROM unnest($2::text[]) AS news"
KNOWN = "SELECT reltuples FROM pg_class WHERE oid = 'deliveries'::regclass"
LEARN = "ANALYZE deliveries, sent_parts, events, identities, conversations"
OUTCOME = "SELECT pg_xact_status($1::xid8)"


def _held(n: int) -> Select[Any]:
    rows = given("name owner epoch", n)
    mine = (leases.c.name == rows.c.name, leases.c.owner == rows.c.owner, leases.c.epoch == rows.c.epoch)
    return select(leases.c.name).where(leases.c.workspace == bindparam("of"), *mine)


HELD = Batched(_held)
"""(name, owner, epoch) -> (name,) of the leases that are as they are believed to be."""


class _BegunAnewError(StoreError):
    """Something came in between looking for what to lock and locking it."""


class _Bytes(LargeBinary):
    render_bind_cast = True


class _Dialect(PGDialect_psycopg):
    """With the type of every value written out: in a list of rows the server can't see it from their use."""

    colspecs = {**PGDialect_psycopg.colspecs, LargeBinary: _Bytes}  # noqa: RUF012 - as there


def channel(workspace: WorkspaceId) -> str:
    """Where the gateways of a workspace tell each other."""
    return "multihome_" + blake2b(workspace.encode(), digest_size=8).hexdigest()


class PostgresTransaction(Transaction):
    dialect = _Dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy left it out
    alone = False
    tries = 10

    def __init__(self, workspace: WorkspaceId, server: Server, sender: str) -> None:
        super().__init__(workspace)
        self.sender = sender
        self.member = ""
        self.held: dict[str, int] = {}
        """The leases of this gateway and their epochs, as it was told last."""
        self.out_of_date = False
        """Set from anywhere: somebody else changed who is who."""
        self._server = server
        self._engine = server.engine()
        self._channel = channel(workspace)
        self._connection: Connection | None = None
        self._news: set[str] = set()
        self._locked: set[str] = set()
        self._verified: dict[str, bool] = {}
        """Whether the lease is held, of the accounts that were asked about in this transaction."""
        self._concerned: set[str] = set()
        self._all_locked = self._clashed = False
        self._xact = ""
        self._taken = 0
        self._grown: Sequence[int] = GROWN
        self._open()

    @property
    def connection(self) -> Connection:
        assert self._connection is not None  # noqa: S101 - within a transaction
        return self._connection

    def _open(self) -> None:
        self._connection = self._engine.connect()
        raw = self._connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)  # noqa: S101 - what it was opened with
        self._raw = raw

    def _drop(self) -> None:
        """The next transaction has another connection."""
        if self._connection is not None:
            self._raw.close()
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    # Statements.

    def take(self, table: str, n: int) -> Sequence[int]:
        self._taken += n
        return [number for (number,) in self._run(TAKE, [f"{table}_seq_seq", n]).fetchall()] if n else []

    def change(self, statements: Statements) -> int:
        return sum(cursor.rowcount for cursor in self._run_all(statements))

    def fetch(self, statements: Statements) -> list[Any]:
        return [row for cursor in self._run_all(statements) for row in cursor.fetchall()]

    def _run_all(self, statements: Statements) -> list[psycopg.RawCursor[Any]]:
        """With one wait for all of them."""
        asked = list(statements)
        with self._raw.pipeline() if len(asked) > 1 else nullcontext():
            return [self._run(sql, bound) for sql, bound in asked]

    def _run(self, sql: str, bound: Sequence[Any] = ()) -> psycopg.RawCursor[Any]:
        return psycopg.RawCursor(self._raw).execute(sql.encode(), bound, prepare=True, binary=True)

    # Begin and end.

    def __enter__(self) -> None:
        self._news.clear()
        self._concerned.clear()
        self._locked.clear()
        self._verified.clear()
        self._all_locked = False
        if self.out_of_date:
            self.out_of_date = False
            self.forget()
        if self._connection is None:
            self._open()

    def _learn(self) -> None:
        """See :data:`GROWN`."""
        if self._grown and self._taken >= self._grown[0]:
            self._grown = tuple(rows for rows in self._grown if rows > self._taken)
            found = self._raw.execute(KNOWN).fetchone()
            if found and found[0] < self._taken:
                self._raw.execute(LEARN)

    def lock(self, names: Iterable[str]) -> None:
        self._learn()
        self._locked = set(names)
        numbers = sorted({self._number(name) for name in self._locked})
        self._all_locked = ALL in self._locked or len(numbers) > MANY
        begin: list[tuple[str, Sequence[Any]]] = [
            # Whoever has waited for a lock must see what its owner wrote, whatever the server's default is.
            ("BEGIN ISOLATION LEVEL READ COMMITTED", ()),
            (WHOLE if self._all_locked else SHARE, [self._number(ALL)]),
        ]
        if numbers and not self._all_locked:
            begin.append((LOCK, [numbers]))
        _, first, *_ = self._run_all(begin)
        ((self._xact, _),) = first.fetchall()

    def _number(self, name: str) -> int:
        text = f"{self.workspace}\0{name}".encode("utf-8", "replace")
        return int.from_bytes(blake2b(text, digest_size=8).digest(), signed=True)

    def need(self, names: Iterable[str]) -> None:
        if not self._all_locked and not self._locked.issuperset(names):
            raise _BegunAnewError("others were in the way again and again: ask again")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._commit()
                self._clashed = False
                return
        except BaseException:
            self._undo()
            raise
        self._undo()

    def _undo(self) -> None:
        self.forget()
        if self._connection is None:
            return
        try:
            self._raw.execute("ROLLBACK")
        except psycopg.Error:
            self._drop()

    def _commit(self) -> None:
        if self._concerned:
            self._news |= {self._worded(Topic.DELIVERIES, account) for account in self.lost(self._concerned)}
        if self._news:
            self._run(TELL, [self._channel, sorted(self._news)])
        try:
            self._raw.execute("COMMIT")
        except psycopg.Error as error:
            if not is_lost(error):
                raise
            self._drop()
            if not self._was_written():
                raise

    def _was_written(self) -> bool:
        """The connection broke during the commit: only the server knows."""
        end = self._server.clock.monotonic() + IN_DOUBT_S
        while self._server.clock.monotonic() < end:
            outcome = self._outcome()
            if outcome in ("committed", "aborted"):
                return outcome == "committed"
            threading.Event().wait(0.1)
        raise StoreError(
            "the connection to the database broke while this was being written, and nobody can say yet whether it was:"
            " what is asked again is not done twice"
        )

    def _outcome(self) -> str | None:
        try:
            with self._server.connect() as asking:
                found = asking.execute(OUTCOME.replace("$1", "%s"), [self._xact]).fetchone()
        except (StoreError, psycopg.Error):
            return None
        return found and found[0]

    def may_try_again(self, error: Exception) -> bool:
        own = cause(error)
        if isinstance(own, UniqueViolation):  # of somebody who was faster, and is seen next time
            self._clashed, again = True, not self._clashed
            return again
        if isinstance(own, (_BegunAnewError, DeadlockDetected, SerializationFailure)):
            return True
        return self._connection is None and is_lost(own)

    def close(self) -> None:
        self._drop()
        self._engine.dispose()

    # Among others.

    def lost(self, accounts: Iterable[str]) -> Collection[str]:
        asked = set(accounts)
        believed = [(name, self.member, self.held[name]) for name in asked - self._verified.keys() if name in self.held]
        self._verified.update((name, True) for (name,) in HELD.fetch(self, believed))
        return {name for name in asked if not self._verified.setdefault(name, False)}

    def tell(self, topic: Topic, name: str) -> None:
        if topic is Topic.DELIVERIES:
            self._concerned.add(name)
        else:
            self.proclaim(topic, name)

    def proclaim(self, topic: Topic, name: str) -> None:
        """The others hear it also where whoever writes has the account: only its holder needs nobody to tell it that
        something is there to be sent.
        """
        self._news.add(self._worded(topic, name))

    def _worded(self, topic: Topic, name: str) -> str:
        return f"{self.sender} {topic.value} {name}"

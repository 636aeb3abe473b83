"""Reaching a PostgreSQL server: with bounded patience, and in one line with the cure when it can't be done."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.engine.interfaces import IsolationLevel

from gateway.books import StoreError
from gateway.ports import Clock
from gateway.store import sqlstates

OLDEST = 130000
"""What became of a commit can be asked since 13 with the numbers we use."""
PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "3",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",
}
SETTINGS = (
    "SET statement_timeout = '10s'",
    # Whoever stops in the middle of a transaction must not keep the others waiting for longer than a lease.
    "SET idle_in_transaction_session_timeout = '3s'",
    # All our statements look up by index. Plans are made once, and for tables that may have been empty then.
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET jit = off",
)
UNREACHED = "the database can't be reached: start it, or correct `database`"
REFUSED_FOR_S = 0.5
ANSWERS_WITHIN_S = 13.0
"""Later than the server itself gives up (``statement_timeout``)."""

_REASONS = (
    ("password authentication failed", "the database refuses this user's password: set PGPASSWORD or PGPASSFILE"),
    ("no password supplied", "the database wants a password: set PGPASSWORD or PGPASSFILE"),
    ("no pg_hba.conf entry", "the database lets nobody in from here: allow it in its pg_hba.conf"),
    ("too many clients", "the database has no connection left: raise its max_connections"),
    ("remaining connection slots", "the database has no connection left: raise its max_connections"),
    ("read-write", "this server only reads: name the primary one in `database`"),
)
_ABSENT = " does not exist"


class Words(Dumper):
    """Text of whatever type the server expects, without the one character that it can't keep."""

    def dump(self, obj: str) -> bytes:
        return obj.encode().replace(b"\0", "\ufffd".encode())


class Number(Dumper):
    """A whole number of whatever size the server expects: otherwise 1 and 100,000 would be two statements."""

    def dump(self, obj: int) -> bytes:
        return str(obj).encode()


class Octets(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


class Line(psycopg.Connection[Any]):
    """A connection that tells since when somebody waits for its answer."""

    clock: Clock
    waiting_since: float | None = None

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        self.waiting_since = self.clock.monotonic()
        try:
            return super().wait(gen, *args, **options)
        finally:
            self.waiting_since = None

    def hang_up(self) -> None:
        """From another thread: whoever waits for an answer finds the line broken."""
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


class Server:
    """Where a database is, and how it is spoken to."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self.clock = clock
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            raise StoreError("`database` is no address: write postgresql://user@host/multihome") from None
        defaults: dict[str, Any] = {
            "application_name": "multihome",
            "target_session_attrs": "read-write",
            **PATIENCE,
            **given,
        }
        self._conninfo = make_conninfo("", **defaults)
        self._lines: WeakSet[Line] = WeakSet()
        self._refusal: tuple[float, StoreError] | None = None

    def connect(self) -> Line:
        """A connection of which every statement is a transaction unless it says otherwise. Raises StoreError."""
        try:
            return self._set_up(Line.connect(self._conninfo, autocommit=True, prepare_threshold=3))
        except psycopg.Error as error:
            raise StoreError(sqlstates.cure(error) if error.sqlstate else self._why(error)) from error

    def _set_up(self, made: Line) -> Line:
        made.clock = self.clock
        self._lines.add(made)
        try:
            made.execute("; ".join(SETTINGS))
        except psycopg.Error:
            made.close()
            raise
        made.prepared_max = 1_000
        for kind, dumper in ((str, Words), (int, Number), (bytes, Octets)):
            made.adapters.register_dumper(kind, dumper)
        return made

    def hang_up(self) -> None:
        """Where a server that stands still should have answered long ago. For somebody who has time again and again."""
        late = self.clock.monotonic() - ANSWERS_WITHIN_S
        for line in list(self._lines):
            if line.waiting_since is not None and line.waiting_since < late:
                line.hang_up()

    def _connect_for_many(self) -> Line:
        """Those who queue for it after a failure don't each wait for the same answer."""
        if self._refusal and self.clock.monotonic() < self._refusal[0] + REFUSED_FOR_S:
            raise self._refusal[1]
        try:
            return self.connect()
        except StoreError as refusal:
            self._refusal = self.clock.monotonic(), refusal
            raise

    def engine(self, isolation_level: IsolationLevel = "AUTOCOMMIT") -> Engine:
        return create_engine(
            "postgresql+psycopg://",
            creator=self._connect_for_many,
            poolclass=NullPool,
            isolation_level=isolation_level,
            pool_reset_on_return=None,
        )

    def _why(self, error: psycopg.Error) -> str:
        lines = str(error).split("\n")
        line = next((each.strip() for each in lines if "FATAL" in each), lines[0].strip())
        known = conninfo_to_dict(self._conninfo)
        if f'database "{known.get("dbname")}"{_ABSENT}' in line:
            return f"the database {known['dbname']} isn't there: make it with `createdb {known['dbname']}` ({line})"
        if "role " in line and _ABSENT in line:
            return f"the database knows no such user: name another one in `database` ({line})"
        cure = next((cure for sign, cure in _REASONS if sign in line), UNREACHED)
        return f"{cure} ({line})"

"""The real SQLite store without its threads: its writer and readers work in callbacks of the virtual loop.

What is replaced is who calls them. Batches, transactions, SQL and errors are the store's own.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from sim_books import Books, Change
from sim_time import VirtualLoop
from sqlalchemy import Engine, NullPool, create_engine

from gateway.books import StoreError
from gateway.ports import Clock
from gateway.store import sqlite
from gateway.store.readers import Readers
from gateway.store.store import SqlStore
from gateway.store.writer import BATCH_MAX, Op, Writer, _settle

UNLIMITED_PAGES = 1 << 30

_engine: Engine | None = None
"""One for all seeds of this process, so that each statement is compiled once: a restart must not cost 30 ms."""


def _shared_engine(creator: Callable[[], sqlite3.Connection]) -> Engine:
    global _engine  # noqa: PLW0603 - a cache
    if _engine is None:
        _engine = create_engine("sqlite://", creator=creator, poolclass=NullPool)
        _engine.connect().close()
    _engine.pool = NullPool(creator)
    return _engine


class Disk:
    """What the store's callbacks ask of the world. It keeps the mirror of what is committed."""

    def __init__(self, latency_s: Callable[[], float], books: Books, dice: Random) -> None:
        self.latency_s = latency_s
        self.books = books
        self._dice = dice
        self.before_commit: Callable[[], None] = lambda: None
        self.after_commit: Callable[[list[Change]], None] = lambda _: None

    def read_s(self) -> float:
        """The real readers are several threads: one overtakes the other."""
        return self.latency_s() * self._dice.choice((0.1, 1.0, 1.0, 4.0))


class LoopWriter(Writer):
    """The writer, driven by the loop: a batch is committed soon after it was asked for, and heard of later still."""

    disk: Disk

    def __init__(self, transaction: Any) -> None:  # the thread of the original is not wanted
        self._tx = transaction
        self._waiting: deque[Op] = deque()
        self._closed = False
        self._busy = False
        transaction.raw.execute("PRAGMA synchronous=OFF")
        transaction.raw.execute("PRAGMA busy_timeout=0")
        self.disk.books.watch(transaction.raw)

    @property
    def raw(self) -> sqlite3.Connection:
        return self._tx.raw

    def submit(self, kind: Any, request: Any) -> asyncio.Future[Any]:
        if self._closed:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(Op(kind, request, future))
        if not self._busy:
            self._busy = True
            loop.call_later(self.disk.latency_s(), self._write_down, loop)
        return future

    def _write_down(self, loop: VirtualLoop) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
        outcomes = self._outcomes(batch)
        loop.call_later(self.disk.latency_s(), self._hand_back, loop, batch, outcomes)

    def _commit(self, batch: Any, *, grouped: bool = True) -> list[Any]:
        self.disk.books.begin()
        self.disk.before_commit()
        outcomes = super()._commit(batch, grouped=grouped)
        self.disk.after_commit(self.disk.books.commit())
        return outcomes

    def _hand_back(self, loop: VirtualLoop, batch: list[Op], outcomes: list[Any]) -> None:
        _settle([op.future for op in batch], outcomes)
        self._busy = bool(self._waiting)
        if self._busy:
            loop.call_later(self.disk.latency_s(), self._write_down, loop)

    async def aclose(self) -> None:
        self._closed = True
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            _settle([op.future for op in batch], self._outcomes(batch))
        self._tx.close()


class LoopReaders(Readers):
    """A reader, driven by the loop."""

    disk: Disk

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._connection = engine.connect()
        self._closed = False

    def submit(self, read: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        if self._closed:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        loop.call_later(self.disk.read_s(), self._answer, self._connection, (read, args, future))
        return future

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._connection.close()
            self._engine.dispose()


def open_in_loop(path: Path, workspace: Any, clock: Clock, disk: Disk) -> SqlStore:
    """As :func:`gateway.store.sqlite.open_store`, but for the threads."""
    LoopWriter.disk = LoopReaders.disk = disk
    threads = sqlite.Writer, sqlite.Readers, sqlite._engine
    sqlite.Writer, sqlite.Readers, sqlite._engine = LoopWriter, LoopReaders, _shared_engine  # type: ignore[misc]
    try:
        return sqlite.open_store(f"sqlite:///{path}", workspace, clock)
    finally:
        sqlite.Writer, sqlite.Readers, sqlite._engine = threads  # type: ignore[misc]


def die(store: SqlStore) -> None:
    """The process is gone: its connections and its lock with it. What was not committed is not there."""
    readers, writer = store._readers, store._writer
    assert isinstance(readers, LoopReaders)
    assert isinstance(writer, LoopWriter)
    readers.close()
    if not writer._closed:
        writer._closed = True
        writer._tx.close()
    store._lock.close()


def is_closed(store: SqlStore) -> bool:
    return bool(store._writer._closed)  # type: ignore[attr-defined]


class Obstruction:
    """A full disk, or another program that keeps the database locked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._other: sqlite3.Connection | None = None
        self.full = False

    def fill(self, store: SqlStore) -> None:
        """No page more than there are. (The free ones may still be used.)"""
        self.full = True
        self._limit(store, store._writer.raw.execute("PRAGMA page_count").fetchone()[0])  # type: ignore[attr-defined]

    def empty(self, store: SqlStore) -> None:
        self.full = False
        self._limit(store, UNLIMITED_PAGES)

    @staticmethod
    def _limit(store: SqlStore, pages: int) -> None:
        store._writer.raw.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    @property
    def in_the_way(self) -> bool:
        return self.full or self._other is not None

    def lock(self) -> None:
        if self._other is None:
            other = sqlite3.connect(self._path, isolation_level=None, timeout=0)
            other.execute("BEGIN IMMEDIATE")
            self._other = other

    def unlock(self) -> None:
        if self._other is not None:
            self._other.execute("ROLLBACK")
            self._other.close()
            self._other = None

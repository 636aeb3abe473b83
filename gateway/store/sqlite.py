"""Opening a SQLite database: look at everything first, change nothing when something is wrong.

SQLite before 3.51.3 can lose commits when two connections write or checkpoint (https://sqlite.org/wal.html#walresetbug):
so there is one gateway per database, kept by a lock file, one connection in it that writes and alone checkpoints, and
readers that are closed before it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, NullPool, create_engine, insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from gateway.books import InUse, StoreError
from gateway.clock import SystemClock
from gateway.model.ids import DEFAULT_WORKSPACE, WorkspaceId
from gateway.ports import Clock
from gateway.store.faults import told
from gateway.store.readers import Readers
from gateway.store.schema import HEAD, metadata, version
from gateway.store.sqlite_transaction import SqliteTransaction
from gateway.store.store import SqlStore
from gateway.store.writer import Writer

MAGIC = b"SQLite format 3\0"
OLDEST = (3, 35)
"""UPDATE ... FROM and upserts need it; Debian 11 has 3.34, every Python from python.org is newer."""
VERSIONS = Path(__file__).parent / "migrations" / "versions"


def open_store(url: str, workspace: WorkspaceId = DEFAULT_WORKSPACE, clock: Clock | None = None) -> SqlStore:
    """The store at ``sqlite:///path``, made or brought up to date where needed, and locked for this process.

    Raises StoreError, one line with the cure, before anything was changed.
    """
    path = database_path(url)
    _check_file(path)
    lock = _lock(path)
    try:
        found = _revision(path)
        path.touch(
            mode=0o600
        )  # what people wrote in private is for the owner; SQLite's other files take after this one
        return _open(path, found, workspace, clock or SystemClock(), lock)
    except BaseException as error:
        lock.close()
        if isinstance(error, (sqlite3.Error, DBAPIError)):
            raise StoreError(f"{path}: {told(error)}") from error
        raise


def database_path(url: str) -> Path:
    """Where the database of this URL is kept."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"database = {url!r} is not a database URL: write sqlite:///multihome.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(f"a {parsed.get_backend_name()} database can't be used: write sqlite:/// or postgresql://")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("the database needs a file, or a restart forgets everything: write sqlite:///multihome.db")
    return Path(parsed.database).absolute()


def _check_file(path: Path) -> None:
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: use a Python that brings 3.35 or newer")
    if not path.parent.is_dir():
        raise StoreError(f"the folder {path.parent} doesn't exist: make it, or name another one in `database`")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreError(f"the folder {path.parent} can't be written: give this user the right to")
    if path.is_dir():
        raise StoreError(f"{path} is a folder: name a file in `database`")
    if path.exists():
        _check_content(path)


def _check_content(path: Path) -> None:
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"{path} can't be read and written: give this user the right to")
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start not in (b"", MAGIC):
        raise StoreError(f"{path} is not a database: move it away, or name another file in `database`")


def _lock(path: Path) -> IO[str]:
    name = path.with_name(path.name + ".lock")
    try:
        lock = name.open("a+", encoding="ascii", errors="replace")
    except OSError as error:
        raise StoreError(f"{name} can't be written ({error.strerror}): give this user the right to") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read(20).strip()
        lock.close()
        raise InUse(
            f"another gateway{f' (process {holder})' if holder.isdecimal() else ''} uses {path}: stop it first"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _revision(path: Path) -> str | None:
    """The schema's version, None for a database that isn't there yet. Opens it read-only, without a trace."""
    if not path.exists() or not path.stat().st_size:
        return None
    unfinished = path.with_name(path.name + "-wal").exists()
    try:
        with closing(_connect(path, "mode=ro" if unfinished else "immutable=1")) as raw:
            tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            ours = {"alembic_version", "deliveries"} <= tables
            found = raw.execute("SELECT version_num FROM alembic_version").fetchone() if ours else None
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} can't be read as a database: {told(error)}") from error
    if found is None and not tables:
        return None
    if found is None:
        raise StoreError(f"{path} belongs to another program: name another file in `database`")
    return _known(path, str(found[0]))


def _known(path: Path, found: str) -> str:
    if found != HEAD and not any(script.name.startswith(f"{found}_") for script in VERSIONS.glob("*.py")):
        raise StoreError(f"{path} was made by a newer Multihome (schema {found}, this one knows {HEAD}): update it")
    return found


def _open(path: Path, found: str | None, workspace: WorkspaceId, clock: Clock, lock: IO[str]) -> SqlStore:
    connection = _engine(lambda: _connect_writer(path)).connect()
    try:
        _bring_up_to_date(connection, found)
        transaction = SqliteTransaction(workspace, connection)
    except BaseException:
        connection.close()
        raise
    readers = Readers(_engine(lambda: _connect_reader(path)))
    return SqlStore(workspace, Writer(transaction), readers, clock, lock)


def _bring_up_to_date(connection: Connection, found: str | None) -> None:
    if found == HEAD:
        return
    if found is not None:
        from gateway.store.migrate import upgrade

        upgrade(connection)
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(version).values(version_num=HEAD))
    connection.exec_driver_sql("COMMIT")


def _engine(creator: Callable[[], sqlite3.Connection]) -> Engine:
    return create_engine("sqlite://", creator=creator, poolclass=NullPool)


def _connect(path: Path, how: str) -> sqlite3.Connection:
    """Transactions are ours (``isolation_level=None``), and so is the promise that only one thread uses it."""
    return sqlite3.connect(
        f"{path.as_uri()}?{how}", uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
    )


def _connect_writer(path: Path) -> sqlite3.Connection:
    raw = _connect(path, "mode=rwc")
    mode = raw.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raw.close()
        raise StoreError(f"{path}: this disk can't keep a write-ahead log: use a local one")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA foreign_keys=ON")
    raw.execute("PRAGMA cache_size=-8192")  # 8 MiB: keys are random, so every insert touches many pages
    return raw


def _connect_reader(path: Path) -> sqlite3.Connection:
    raw = _connect(path, "mode=ro")
    raw.execute("PRAGMA wal_autocheckpoint=0")
    raw.execute("PRAGMA query_only=ON")
    return raw

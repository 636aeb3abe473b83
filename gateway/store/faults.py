"""What the database says when it can't, in one line with the cure."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import StatementError

from gateway.books import StoreError
from gateway.store import sqlstates

CURES = {
    sqlite3.SQLITE_FULL: "the disk is full: nothing of this was written; free some space and it goes on",
    sqlite3.SQLITE_BUSY: "another program keeps the database locked: close it, and ask again",
    sqlite3.SQLITE_LOCKED: "another program keeps the database locked: close it, and ask again",
    sqlite3.SQLITE_READONLY: "the database can't be written: give this user the right to, folder included",
    sqlite3.SQLITE_CANTOPEN: "the database can't be opened: look whether its folder is still there",
    sqlite3.SQLITE_IOERR: "the disk failed under the database: look at the system's log before anything else",
    sqlite3.SQLITE_CORRUPT: "the database is damaged: stop, copy the file away, and restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is not a database any more: stop, copy it away, and restore a backup",
}
FULL = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE})
"""Extended codes that say so in other words: after a crash, opening needs room for an index of what the log holds."""
PRIMARY = 0xFF
"""SQLite's extended codes carry the plain one in their low byte."""


def cause(error: BaseException) -> BaseException:
    """The driver's own error, or ours while it connected."""
    return error.orig if isinstance(error, StatementError) and error.orig else error


def _code(error: BaseException) -> int | None:
    code = getattr(cause(error), "sqlite_errorcode", None)
    return None if code is None else sqlite3.SQLITE_FULL if code in FULL else code & PRIMARY


def _cure(error: BaseException) -> str | None:
    own = cause(error)
    return sqlstates.cure(own) if sqlstates.is_postgres(own) else CURES.get(_code(error) or 0)


def is_lost(error: BaseException) -> bool:
    """Whether another connection may do better."""
    return sqlstates.is_postgres(cause(error)) and sqlstates.is_lost(cause(error))


def concerns_all(error: BaseException) -> bool:
    """Whether trying the neighbours one by one would only wait for the same answer again and again."""
    if isinstance(cause(error), StoreError):
        return True
    if sqlstates.is_postgres(cause(error)):
        return _cure(error) is not None
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def told(error: Exception) -> Exception:
    """The error as callers see it: trouble of the whole database as a StoreError, an operation's own as it is."""
    own, cure = cause(error), _cure(error)
    if cure is None:
        return own if isinstance(own, StoreError) else error
    clear = StoreError(f"{cure} ({' '.join(str(own).split())})")
    clear.__cause__ = error
    return clear

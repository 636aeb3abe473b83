"""A copy of the whole database while the gateway goes on, for an engine that is a file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection

from gateway.books import StoreError
from gateway.store.room import Room

UNFINISHED = ".unfinished"


def _copy(connection: Connection, target: Path) -> int:
    """As everything was at one moment. A reader copies: whoever writes goes on meanwhile."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise StoreError("this database has tools of its own: use pg_dump, see docs/operations.md")
    if target.exists():
        raise StoreError(f"{target} is there already: name a new file")
    fresh = target.with_name(target.name + UNFINISHED)
    try:
        fresh.unlink(missing_ok=True)
        _make_private(fresh)
        with closing(sqlite3.connect(fresh)) as copy:
            raw.backup(copy)
        _publish(fresh, target)
    except (OSError, sqlite3.Error) as error:
        fresh.unlink(missing_ok=True)
        raise StoreError(f"no copy was made at {target}: {error}") from error
    return target.stat().st_size


def _make_private(path: Path) -> None:
    """What people wrote in private is for the owner."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _publish(fresh: Path, target: Path) -> None:
    """Whole or not at all, also through a power cut; never over something that is there."""
    for path in (fresh, fresh.parent):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    os.link(fresh, target)
    fresh.unlink()


class Backups(Room):
    """One operation of :class:`gateway.books.Store`."""

    async def backup(self, target: Path) -> int:
        return await self._read(_copy, target)

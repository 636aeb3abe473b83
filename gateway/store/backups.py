"""A copy of the whole database while the gateway goes on, for an engine that is a file."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Connection

from gateway.books import StoreError
from gateway.store.room import Room

UNFINISHED = ".unfinished"
LINKLESS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
"""How disks say that they have no hard links: exFAT, network drives, some that run in user space."""
CURES = {
    errno.EEXIST: "name a new file",
    errno.ENAMETOOLONG: "choose a shorter one",
    errno.ENOENT: "make the folder first",
    errno.ENOTDIR: "name a file in a folder",
    errno.EACCES: "give the user who has the database the right to write there",
    errno.EPERM: "give the user who has the database the right to write there",
    errno.EROFS: "name a file on another disk",
    errno.ENOSPC: "free some space, or name a file on another disk",
    errno.EDQUOT: "free some space, or name a file on another disk",
}
ELSE = "name a file on another disk, with room for the copy"


def _copy(connection: Connection, target: Path) -> int:
    """As everything was at one moment. A reader copies: whoever writes goes on meanwhile."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise StoreError("this database has tools of its own: use pg_dump, see docs/operations.md")
    fresh = target.with_name(target.name + UNFINISHED)
    try:
        if target.exists():
            raise StoreError(f"{target} is there already: name a new file")
        fresh.unlink(missing_ok=True)
        _make_private(fresh)
        with closing(sqlite3.connect(fresh)) as copy:
            raw.backup(copy)
        _publish(fresh, target)
        return target.stat().st_size
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            fresh.unlink()
        raise StoreError(f"no copy was made at {target}: {_why(error)}") from error


def _why(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or error}; {CURES.get(error.errno or 0, ELSE)}"
    return f"{error}; {ELSE}"


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
    try:
        os.link(fresh, target)
    except OSError as error:
        if error.errno not in LINKLESS:
            raise
        _replace(fresh, target)
    else:
        fresh.unlink()


def _replace(fresh: Path, target: Path) -> None:
    """Where nothing can have two names: the name is taken first, so that it is nobody else's."""
    _make_private(target)
    try:
        fresh.replace(target)
    except OSError:
        target.unlink()
        raise


class Backups(Room):
    """One operation of :class:`gateway.books.Store`."""

    async def backup(self, target: Path) -> int:
        return await self._read(_copy, target)

"""Where everything is kept: named operations on one database, one writer, durable when they return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.books import StoreError
from gateway.model.ids import DEFAULT_WORKSPACE, WorkspaceId
from gateway.ports import Clock
from gateway.store import sqlite
from gateway.store.store import SqlStore

if TYPE_CHECKING:
    from gateway.books import Store

    _proof: type[Store] = SqlStore

__all__ = ["SqlStore", "open_store"]


def open_store(url: str, workspace: WorkspaceId = DEFAULT_WORKSPACE, clock: Clock | None = None) -> SqlStore:
    """The store at ``sqlite:///path`` or ``postgresql://user@host/database``. Raises StoreError."""
    if not url.startswith("postgresql://"):
        return sqlite.open_store(url, workspace, clock)
    try:
        from gateway.store import postgres
    except ImportError as error:
        raise StoreError("PostgreSQL's driver is missing: in the clone, pip install '.[postgres]'") from error
    return postgres.open_store(url, workspace, clock)

"""Where everything is kept: named operations on one database, one writer, durable when they return."""

from typing import TYPE_CHECKING

from gateway.store.sqlite import open_store
from gateway.store.store import SqlStore

if TYPE_CHECKING:
    from gateway.books import Store

    _proof: type[Store] = SqlStore

__all__ = ["SqlStore", "open_store"]

"""The store's suite on SQLite, and what is SQLite's own: opening, refusing to open, migrating."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store import SqlStore, open_store
from gateway.testing.store_conformance import StoreConformance


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'multihome.db'}")
    yield opened
    await opened.aclose()


class TestSqlite(StoreConformance):
    """All of it."""

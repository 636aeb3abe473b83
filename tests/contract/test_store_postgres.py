"""The store's suite on PostgreSQL, and what needs several gateways on one database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.store import SqlStore, open_store
from gateway.testing.store_conformance import StoreConformance
from gateway.testing.store_drafts import ACCOUNTS


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[SqlStore]:
    opened = open_store(postgres_url)
    await opened.tend("me", ACCOUNTS, 60.0)
    yield opened
    await opened.aclose()


class TestPostgres(StoreConformance):
    """All of it."""

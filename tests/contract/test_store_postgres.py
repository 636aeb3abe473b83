"""The store's suite on PostgreSQL, one gateway and two."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.store import SqlStore, open_store
from gateway.testing.store_conformance import StoreConformance
from gateway.testing.store_drafts import ACCOUNTS
from gateway.testing.store_gateways import GatewaysConformance


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[SqlStore]:
    opened = open_store(postgres_url)
    await opened.tend("me", ACCOUNTS, 60.0)
    yield opened
    await opened.aclose()


@pytest.fixture
async def neighbour(store: SqlStore, postgres_url: str) -> AsyncIterator[SqlStore]:
    opened = open_store(postgres_url)
    yield opened
    await opened.aclose()


class TestPostgres(StoreConformance, GatewaysConformance):
    """All of it."""

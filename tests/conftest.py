"""What tests of every folder may ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from postgres_rig import Postgres

from gateway.store import open_store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for the session; each of xdist's workers has its own."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def _migrated(postgres: Postgres) -> str:
    postgres.execute("CREATE DATABASE migrated")
    asyncio.run(open_store(postgres.url("migrated")).aclose())
    return "migrated"


@pytest.fixture
def postgres_url(postgres: Postgres, _migrated: str) -> Iterator[str]:
    """A fresh database with our tables, on the Unix socket."""
    url = postgres.new_database(_migrated)
    yield url
    postgres.drop(url)

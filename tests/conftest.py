"""What tests of every folder may ask for."""

from __future__ import annotations

import asyncio
import logging
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


class _Broken(logging.Handler):
    """Keeps what the sandbox failed with."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


@pytest.fixture(autouse=True)
def broken_faces() -> Iterator[list[BaseException]]:
    """To whoever is tested, a bug in a face of the sandbox is a platform's 500. It fails the test that met it."""
    log, broken = logging.getLogger("multihome.sandbox"), _Broken()
    log.addHandler(broken)
    yield broken.errors
    log.removeHandler(broken)
    if broken.errors:
        raise BaseExceptionGroup("the sandbox is broken", broken.errors)

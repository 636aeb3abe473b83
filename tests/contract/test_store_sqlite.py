"""The store's suite on SQLite, and what is SQLite's own: its disk may be full in the midst of a commit."""

from __future__ import annotations

import resource
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.books import StoreError
from gateway.store import SqlStore, open_store
from gateway.testing.store_conformance import StoreConformance
from gateway.testing.store_drafts import HOME, NOW
from gateway.testing.store_inbox import ANA, BEN, heard


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'multihome.db'}")
    yield opened
    await opened.aclose()


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """What a full disk is to a file, for this whole process. Python ignores the signal that would end it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestSqlite(StoreConformance):
    """All of it."""

    @pytest.mark.skipif(sys.platform != "linux", reason="a limit on the size of files stands for the full disk")
    async def test_what_no_commit_wrote_is_not_known_by_heart(self, store: SqlStore, tmp_path: Path) -> None:
        await store.record(HOME, [heard("a", BEN)], "1", NOW)
        log = tmp_path / "multihome.db-wal"
        with no_file_grows_beyond(log.stat().st_size + 1), pytest.raises(StoreError):
            await store.record(HOME, [heard("b", ANA)], "2", NOW)
        (stored,) = await store.record(HOME, [heard("b", ANA)], "2", NOW)
        person = await store.person(ANA)
        assert person is not None
        assert person.id == stored.person

"""The store's suite on SQLite, and what is SQLite's own: its disk may be full in the midst of a commit."""

from __future__ import annotations

import resource
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from gateway.books import StoreError
from gateway.model.delivery import State
from gateway.store import SqlStore, open_store
from gateway.testing.store_conformance import StoreConformance
from gateway.testing.store_drafts import AWAY, HOME, NOW, OTHER, new
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


@contextmanager
def asked() -> Iterator[list[tuple[str, Any]]]:
    """The statements that go through SQLAlchemy meanwhile, and what they bind."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, bound: Any, *_: Any) -> None:
        statements.append((statement, bound))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def steps_of(path: Path, statements: Sequence[tuple[str, Any]]) -> int:
    """How much work they are to SQLite, whatever the machine does besides."""
    steps = 0

    def note() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(path)) as raw:
        raw.set_progress_handler(note, 1)
        for sql, bound in statements:
            raw.execute(sql, bound).fetchall()
    return steps


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

    async def test_what_is_rare_is_listed_without_looking_at_all_there_is(
        self, store: SqlStore, tmp_path: Path
    ) -> None:
        await store.add([new("a", state=State.HELD), new("b", account=AWAY), new("c", account=OTHER)], NOW)
        steps = []
        for page in range(2):
            more = [new(f"{page} {n}", state=State.REFUSED, account=(HOME, AWAY)[n % 2]) for n in range(300)]
            await store.add(more, NOW)
            with asked() as statements:
                assert [one.id for one in await store.deliveries(states=frozenset({State.HELD}))] == ["a"]
            steps.append(steps_of(tmp_path / "multihome.db", statements))
        assert steps[1] < steps[0] * 1.2

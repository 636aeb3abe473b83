"""The writer: what is asked for together is committed together, and nobody pays for a neighbour."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from gateway.books import StoreError
from gateway.model.content import Document, Text
from gateway.model.ids import DeliveryId
from gateway.store import SqlStore, open_store
from gateway.store.transaction import Transaction
from gateway.store.writer import BATCH_MAX, Kind, single
from gateway.testing.store_drafts import new

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'my.db'}")
    yield opened
    await opened.aclose()


def raw(store: SqlStore) -> sqlite3.Connection:
    return store._writer._tx.raw


@asynccontextmanager
async def together(store: SqlStore):
    """What is asked for inside waits for one transaction."""
    go, started = threading.Event(), threading.Event()

    def hold(tx: Transaction, _: None) -> None:
        started.set()
        assert go.wait(10)

    held = store._write(single(hold), None)
    while not started.is_set():
        await asyncio.sleep(0.001)
    try:
        yield held
    finally:
        go.set()


@contextmanager
def statements(store: SqlStore):
    seen: list[str] = []
    raw(store).set_trace_callback(seen.append)
    try:
        yield seen
    finally:
        raw(store).set_trace_callback(None)


async def everybody(*waiting: Any) -> list[Any]:
    return await asyncio.gather(*waiting, return_exceptions=True)


def clash(name: str) -> Any:
    """A draft of its own under an id that is taken."""
    return structs.replace(new(name), id=DeliveryId("taken"))


async def test_one_commit_and_one_call_into_the_loop_for_all(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    loop = asyncio.get_running_loop()
    call = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *args: (calls.append(args), call(*args)))
    with statements(store) as seen:
        async with together(store) as held:
            tasks = [asyncio.create_task(store.add([new(f"d{n}")], NOW)) for n in range(100)]
            tasks += [asyncio.create_task(store.once(f"k{n}", NOW)) for n in range(100)]
            await asyncio.sleep(0)
        await everybody(held, *tasks)
    assert seen.count("COMMIT") == 2
    assert len([statement for statement in seen if "INSERT INTO deliveries" in statement]) == 3  # 64 + 32 + 4
    assert len(calls) == 2


async def test_a_batch_is_bounded(store: SqlStore) -> None:
    with statements(store) as seen:
        async with together(store) as held:
            tasks = [asyncio.create_task(store.once(f"k{n}", NOW)) for n in range(BATCH_MAX + 1)]
            await asyncio.sleep(0)
        await everybody(held, *tasks)
    assert seen.count("COMMIT") == 3


async def test_a_bad_one_fails_alone(store: SqlStore) -> None:
    await store.add([new("taken")], NOW)
    async with together(store):
        asked = [store.add([new(f"d{n}")], NOW) for n in range(20)]
        asked.insert(7, store.add([new("lost"), clash("other")], NOW))
        tasks = [asyncio.create_task(each) for each in (*asked, store.once("k", NOW))]
        await asyncio.sleep(0)
    *added, once = await everybody(*tasks)
    assert isinstance(added.pop(7), Exception)
    assert [one.id for (one,) in added] == [f"d{n}" for n in range(20)]
    assert once is True
    assert {one.id for one in await store.deliveries()} == {"taken"} | {f"d{n}" for n in range(20)}


async def test_all_bad_ones_fail_each_with_its_own_reason(store: SqlStore) -> None:
    def refuse(tx: Transaction, why: str) -> None:
        raise LookupError(why)

    kind = single(refuse)
    async with together(store):
        asked = [store._write(kind, why) for why in ("a", "b")]
        await asyncio.sleep(0)
    assert [error.args for error in await everybody(*asked)] == [("a",), ("b",)]


async def test_what_failed_is_not_remembered(store: SqlStore) -> None:
    """Numbers and identities that were never written are not taken for written."""
    await store.add([new("taken")], NOW)
    for n in range(3):
        with pytest.raises(sqlite3.IntegrityError):
            await store.add([clash(f"c{n}")], NOW)
    (one,) = await store.add([new("good")], NOW)
    assert await store.delivery(one.id) == one


async def test_one_kind_runs_in_the_order_of_asking(store: SqlStore) -> None:
    runs: list[Sequence[int]] = []

    def run(tx: Transaction, requests: Sequence[int]) -> Sequence[int]:
        runs.append(requests)
        return [request * 10 for request in requests]

    first, second = Kind(run), Kind(run)
    async with together(store):
        asked = [store._write(second if n % 3 else first, n) for n in range(9)]
        await asyncio.sleep(0)
    assert await everybody(*asked) == [n * 10 for n in range(9)]
    assert runs == [[0, 3, 6], [1, 2, 4, 5, 7, 8]]


async def test_a_caller_who_left_changes_nothing(store: SqlStore) -> None:
    async with together(store):
        tasks = [asyncio.create_task(store.once(key, NOW)) for key in "abc"]
        await asyncio.sleep(0)
        tasks[1].cancel()
    left, gone, stayed = await everybody(*tasks)
    assert (left, type(gone), stayed) == (True, asyncio.CancelledError, True)
    assert not await store.once("b", NOW)


async def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'my.db'}")
    async with together(store):
        tasks = [asyncio.create_task(store.once(f"k{n}", NOW)) for n in range(BATCH_MAX * 2)]
        await asyncio.sleep(0)
        closing_ = asyncio.create_task(store.aclose())
        await asyncio.sleep(0)
    await closing_
    assert await everybody(*tasks) == [True] * (BATCH_MAX * 2)
    with closing(sqlite3.connect(tmp_path / "my.db")) as after:
        assert after.execute("SELECT count(*) FROM onces").fetchone() == (BATCH_MAX * 2,)
    for late in (store.once("late", NOW), store.records()):
        with pytest.raises(StoreError, match="closed"):
            await late
    await store.aclose()


async def test_a_full_disk_is_told_and_loses_nothing(store: SqlStore) -> None:
    await store.add([new("before")], NOW)
    (pages,) = raw(store).execute("PRAGMA page_count").fetchone()
    raw(store).execute(f"PRAGMA max_page_count={pages + 8}")
    huge = structs.replace(new("huge").draft, document=Document(((Text("x" * 300_000),),)))
    async with together(store):
        tasks = [
            asyncio.create_task(store.add([each], NOW))
            for each in (new("small"), structs.replace(new("huge"), draft=huge), new("tiny"))
        ]
        await asyncio.sleep(0)
    small, full, tiny = await everybody(*tasks)
    assert isinstance(full, StoreError)
    assert str(full).startswith("the disk is full: nothing of this was written; free some space")
    assert {one.id for one in await store.deliveries()} == {"before", small[0].id, tiny[0].id}
    raw(store).execute("PRAGMA max_page_count=100000")
    (again,) = await store.add([structs.replace(new("huge"), draft=huge)], NOW)
    assert again == await store.delivery(DeliveryId("huge"))


async def test_a_locked_database_is_told_to_all_at_once(store: SqlStore, tmp_path: Path) -> None:
    raw(store).execute("PRAGMA busy_timeout=100")
    keys = [f"k{n}" for n in range(50)]
    with closing(sqlite3.connect(tmp_path / "my.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with statements(store) as seen:
            told = await everybody(*(store.once(key, NOW) for key in keys))
        other.execute("ROLLBACK")
    assert {type(error) for error in told} == {StoreError}
    assert str(told[0]).startswith("another program keeps the database locked: close it")
    assert seen.count("BEGIN IMMEDIATE") < len(keys)
    assert await everybody(*(store.once(key, NOW) for key in keys)) == [True] * len(keys)

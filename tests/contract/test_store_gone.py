"""A PostgreSQL that goes away, comes back, is cut off in the middle of a commit, or stands still."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from postgres_rig import Postgres

from gateway.books import Store, StoreError, Topic
from gateway.clock import SystemClock
from gateway.model.delivery import State
from gateway.model.ids import DEFAULT_WORKSPACE
from gateway.store import SqlStore, open_store
from gateway.store.ears import Ears
from gateway.store.outbox import add_all, adding
from gateway.store.postgres_transaction import PostgresTransaction, channel
from gateway.store.server import Line, Server
from gateway.store.transaction import Transaction
from gateway.store.writer import Kind
from gateway.testing.store_drafts import ACCOUNTS, NOW, begun, new, row, settled, states
from gateway.testing.store_gateways import until


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One that may be stopped."""
    with Postgres() as own:
        yield own


@pytest.fixture
async def store(server: Postgres, request: pytest.FixtureRequest) -> AsyncIterator[SqlStore]:
    server.restart()
    url = server.new_database()
    if setting := getattr(request, "param", ""):
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            name = connection.info.dbname
            await connection.execute(f'ALTER DATABASE "{name}" SET {setting}'.encode())
    opened = open_store(url)
    await opened.tend("me", ACCOUNTS, 600.0)
    yield opened
    await opened.aclose()


def writing(store: SqlStore) -> PostgresTransaction:
    tx = store._writer._tx
    assert isinstance(tx, PostgresTransaction)
    return tx


async def everything(store: Store) -> list[Any]:
    """One of each way to the database, and many at once."""
    asked = [
        store.delivery(new("a").id),
        store.records(),
        store.tend("me", ACCOUNTS, 600.0),
        *(store.add([new(f"late{n}")], NOW) for n in range(300)),
    ]
    return await asyncio.gather(*asked, return_exceptions=True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_gone_and_back(server: Postgres, store: SqlStore, how: signal.Signals) -> None:
    heard: list[Topic] = []
    store.listen(lambda topic, _: heard.append(topic))
    await store.add([new("a")], NOW)
    server.stop(how)
    async with asyncio.timeout(30):
        told = await everything(store)
    assert {type(one) for one in told} == {StoreError}
    assert all("\n" not in str(one) for one in told)
    assert "the database can't be reached: start it" in str(told[-1])
    server.start()
    async with asyncio.timeout(30):
        while not all(not isinstance(one, Exception) for one in await everything(store)):
            await asyncio.sleep(0.1)
    await begun(store, "a")
    await until(lambda: Topic.MISSED in heard)


async def test_a_restart_between_two_calls_goes_unnoticed(server: Postgres, store: SqlStore) -> None:
    await store.add([new("a")], NOW)
    server.restart()
    assert (await row(store, "a")).state is State.QUEUED
    await begun(store, "a")
    await settled(store, "a", State.DELIVERED)
    assert await states(store, "a") == [State.DELIVERED]


@pytest.mark.parametrize("written", [True, False])
async def test_a_commit_whose_answer_is_lost(store: SqlStore, monkeypatch: pytest.MonkeyPatch, written: bool) -> None:
    """It is asked for; and done again where it wasn't."""
    tx = writing(store)
    await store.add([new("a"), new("b", order="a")], NOW)
    lost = 0

    async def lose_the_next() -> None:
        await store.once(f"there is a connection again {lost}", NOW)
        raw = tx._raw
        execute = raw.execute

        def cut(query: Any, *args: Any, **options: Any) -> Any:
            nonlocal lost
            if query != "COMMIT":
                return execute(query, *args, **options)
            if written:
                execute(query)
            lost += 1
            raw.close()
            raise psycopg.OperationalError("the connection is lost")

        monkeypatch.setattr(raw, "execute", cut)

    await lose_the_next()
    (added,) = await store.add([new("c")], NOW)
    assert added == await row(store, "c")
    await lose_the_next()
    await begun(store, "a")
    assert (await row(store, "a")).attempts == 1
    await lose_the_next()
    promoted = await settled(store, "a", State.DELIVERED)
    assert promoted is not None
    assert [len((await row(store, "a")).sent), promoted.id] == [1, "b"]
    assert lost == 3


async def test_a_commit_that_nobody_can_ask_about(
    server: Postgres, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks again finds it, or does it."""
    monkeypatch.setattr("gateway.store.postgres_transaction.IN_DOUBT_S", 0.3)
    tx = writing(store)
    raw, execute = tx._raw, tx._raw.execute

    def cut(query: Any, *args: Any, **options: Any) -> Any:
        result = execute(query, *args, **options)
        if query == "COMMIT":
            server.stop(signal.SIGQUIT)
            raw.close()
            raise psycopg.OperationalError("the connection is lost")
        return result

    monkeypatch.setattr(raw, "execute", cut)
    with pytest.raises(StoreError, match="nobody can say yet whether it was"):
        await store.add([new("a")], NOW)
    server.start()
    async with asyncio.timeout(30):
        while not isinstance(
            added := (await asyncio.gather(store.add([new("a")], NOW), return_exceptions=True))[0], tuple
        ):
            await asyncio.sleep(0.1)
    assert added[0] == await row(store, "a")


async def test_a_server_that_stands_still(server: Postgres, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.server.ANSWERS_WITHIN_S", 0.5)
    await store.add([new("a")], NOW)
    server.freeze()
    try:
        async with asyncio.timeout(30):
            told = await everything(store)
        assert {type(one) for one in told} == {StoreError}
    finally:
        server.thaw()
    async with asyncio.timeout(30):
        while not all(not isinstance(one, Exception) for one in await everything(store)):
            await asyncio.sleep(0.1)
    await begun(store, "a")


def test_who_comes_to_listen_when_all_is_over_hangs_up(server: Postgres) -> None:
    lines: list[Line] = []
    there, over = threading.Event(), threading.Event()

    class Late(Server):
        def connect(self) -> Line:
            lines.append(line := super().connect())
            if len(lines) > 1:
                there.set()
                over.wait(30)
            return line

    ears = Ears(Late(server.new_database(), SystemClock()), "somewhere", "me", lambda *_: None)
    lines[0].hang_up()
    assert there.wait(30)
    closing = threading.Thread(target=ears.close)
    closing.start()
    assert ears._closed.wait(30)
    over.set()
    closing.join(30)
    assert [line.closed for line in lines] == [True, True]


async def test_who_stops_in_a_transaction_holds_nobody_up(store: SqlStore) -> None:
    """As a process does that is stopped: what it had locked is free before its leases are."""
    await store.add([new("a")], NOW)
    await begun(store, "a")
    other = open_store(store._writer._tx._server.url)  # type: ignore[attr-defined]
    woken, inside = threading.Event(), threading.Event()

    def sleep(tx: Transaction, requests: Any) -> Any:
        added = add_all(tx, requests)
        inside.set()
        woken.wait(30)
        return added

    asleep = other._write(Kind(sleep, lambda _tx, _requests: ["a"]), adding("default", [new("b", order="a")], NOW))
    await asyncio.to_thread(inside.wait, 30)
    async with asyncio.timeout(25):
        await settled(store, "a", State.DELIVERED)
        await store.tend("me", ACCOUNTS, 600.0)
    woken.set()
    await asleep
    assert await states(store, "a", "b") == [State.DELIVERED, State.QUEUED]
    await other.aclose()


@pytest.mark.parametrize("store", ["", "default_transaction_isolation = 'repeatable read'"], indirect=True)
async def test_who_is_settled_waits_for_who_is_being_added(store: SqlStore) -> None:
    """Else neither would see the other, and the new one would wait for nobody for ever; whatever the server's usual
    isolation is.
    """
    await store.add([new("a", order="o")], NOW)
    await begun(store, "a")
    other = open_store(store._writer._tx._server.url)  # type: ignore[attr-defined]
    go, inside = threading.Event(), threading.Event()

    def slowly(tx: Transaction, requests: Any) -> Any:
        added = add_all(tx, requests)
        inside.set()
        go.wait(30)
        return added

    adding_b = other._write(Kind(slowly, lambda _tx, _requests: ["o"]), adding("default", [new("b", order="o")], NOW))
    await asyncio.to_thread(inside.wait, 30)
    settling = asyncio.create_task(settled(store, "a", State.DELIVERED))
    await asyncio.sleep(0.2)
    assert not settling.done()
    go.set()
    await adding_b
    promoted = await settling
    assert promoted is not None
    assert promoted.id == "b"
    await other.aclose()


@pytest.mark.parametrize("news", ["", "x", "x y", "a b c d"])
async def test_what_nobody_of_ours_would_tell_deafens_nobody(store: SqlStore, news: str) -> None:
    heard: list[tuple[Topic, str]] = []
    store.listen(lambda topic, name: heard.append((topic, name)))
    url = store._writer._tx._server.url  # type: ignore[attr-defined]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SELECT pg_notify(%s, %s)", [channel(DEFAULT_WORKSPACE), news])
    other = open_store(url)
    await other.add([new("a")], NOW)
    await until(lambda: (Topic.DELIVERIES, ACCOUNTS[0]) in heard)
    await other.aclose()


async def test_ears_go_on_after_a_listener_that_fails(store: SqlStore) -> None:
    url, heard = store._writer._tx._server.url, []  # type: ignore[attr-defined]

    def failing(topic: Topic, name: str) -> None:
        heard.append((topic, name))
        if len(heard) == 1:
            raise RuntimeError("a bug")

    ears = Ears(Server(url, SystemClock()), channel(DEFAULT_WORKSPACE), "me", failing)
    other = open_store(url)
    await other.add([new("a")], NOW)
    await until(lambda: (Topic.MISSED, "") in heard)
    await other.add([new("b")], NOW)
    await until(lambda: heard[-1] == (Topic.DELIVERIES, ACCOUNTS[0]))
    await other.aclose()
    ears.close()

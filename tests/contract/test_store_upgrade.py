"""An SQLite database of the first schema, with something in every state, is brought up to date when it is opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import NullPool, create_engine

from gateway.model.delivery import State
from gateway.model.identity import Link
from gateway.model.standing import Record, Standing
from gateway.store import SqlStore, open_store
from gateway.store.migrate import config
from gateway.store.schema import HEAD
from gateway.testing.store_drafts import DAY, HOME, begun, held, new, part, planned, row, settled, states
from gateway.testing.store_inbox import ANA, BEN, NOW, heard

SINCE_THEN = ("members", "leases", "secrets")
"""Tables that the first schema has not."""
BY_STATE = {state: str(state) for state in State}


async def in_every_state(store: SqlStore) -> None:
    """A delivery in each state, named after it, besides those that make it so."""
    queued = (new("queued", due_at=NOW + DAY), new("held"), new("sending"), new("uncertain"))
    behind = (new("first", order="line"), new("waiting", order="line"))
    late = new("expired", expires_at=NOW)
    await store.add([*queued, *behind, late, new("delivered"), new("refused")], NOW)
    await store.move([held("held", "held", NOW + DAY)], NOW)
    assert await store.expire(NOW + DAY / 2) == 1
    await begun(store, "sending", "uncertain", "delivered", "refused")
    await settled(store, "uncertain", State.UNCERTAIN)
    await settled(store, "delivered", State.DELIVERED)
    await settled(store, "refused", State.REFUSED)


async def what_people_said(store: SqlStore) -> None:
    """One is answered, one waits for its answer, on one the agent failed."""
    arrived = await store.record(HOME, [heard("handled"), heard("parked", BEN), heard("pending")], "here", NOW)
    by_name = {one.event.id: one.seq for one in arrived}
    await store.handled(by_name["handled"], [], NOW)
    await store.postpone(by_name["parked"], "OSError: gone", None)


async def filled(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """A database as the first version left it; its rows by table. Rows are written as they are today: later scripts
    have added tables and indexes, no columns.
    """
    store = open_store(f"sqlite:///{path}")
    await store.tend("me", [HOME], 60.0)
    await in_every_state(store)
    await what_people_said(store)
    await store.link(Link(ANA, BEN, "operator", NOW))
    await store.save_record(Record(HOME, Standing.LOCKED, NOW, "as it was"))
    assert await store.once("said", NOW)
    await store.put_media(b"picture", "image/png")
    await store.aclose()
    rows = tables(path)
    path.unlink()
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        command.upgrade(config(connection), "0001")
    engine.dispose()
    first = {name: found for name, found in rows.items() if name not in SINCE_THEN}
    with closing(sqlite3.connect(path)) as raw:
        for name, found in first.items():
            for one in found:
                raw.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(one))})", one)  # noqa: S608 - our names
        raw.commit()
    return first


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as raw:
        ask = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        names = [name for (name,) in raw.execute(ask) if name != "alembic_version"]
        return {name: raw.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names}  # noqa: S608 - our names


def version(path: Path) -> str:
    with closing(sqlite3.connect(path)) as raw:
        return str(raw.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@pytest.fixture
async def old(tmp_path: Path) -> Path:
    """A first one; what was in it is in it still after it was opened."""
    path = tmp_path / "my.db"
    before = await filled(path)
    assert version(path) == "0001"
    await open_store(f"sqlite:///{path}").aclose()
    assert version(path) == HEAD
    assert before == {name: rows for name, rows in tables(path).items() if name not in SINCE_THEN}
    assert all(before[name] for name in ("deliveries", "sent_parts", "events", "cursors", "identities", "links"))
    return path


async def test_what_was_under_way_goes_on(old: Path) -> None:
    store = open_store(f"sqlite:///{old}")
    assert await states(store, *BY_STATE.values()) == list(BY_STATE)
    await store.tend("me", [HOME], 60.0)
    assert await store.begin(await row(store, "first"), [part()], NOW)
    await settled(store, "first", State.DELIVERED)
    assert (await row(store, "waiting")).state is State.QUEUED
    assert await store.rescue([HOME], NOW) == 1
    assert [doubt.delivery.id for doubt in await store.doubts(10)] == ["uncertain"]
    assert await store.release(HOME, NOW, 1.0) == 1
    assert await states(store, "held", "sending") == [State.QUEUED, State.UNCERTAIN]
    (again,) = await store.add([new("delivered")], NOW)
    assert (again.state, [one.ref for one in again.sent]) == (State.DELIVERED, ["ref-delivered"])
    (added,) = await store.add([planned("added")], NOW)
    assert added.seq > again.seq
    await store.aclose()


async def test_what_was_heard_is_answered_once(old: Path) -> None:
    store = open_store(f"sqlite:///{old}")
    await store.tend("me", [HOME], 60.0)
    assert await store.cursor(HOME) == "here"
    assert [one.event.id for one in await store.pending_events(NOW)] == ["pending"]
    known = [heard("handled"), heard("parked", BEN), heard("pending")]
    assert await store.record(HOME, known, "later", NOW) == ()
    (parked,) = await store.parked(10)
    assert (parked.event, parked.error, parked.attempts) == (heard("parked", BEN), "OSError: gone", 1)
    assert await store.unpark([parked.seq], NOW, again=True) == (HOME,)
    assert [one.event.id for one in await store.again(HOME)] == ["parked"]
    await store.aclose()


async def test_who_is_who_and_how_accounts_stand_is_known(old: Path) -> None:
    store = open_store(f"sqlite:///{old}")
    person = await store.person(ANA)
    assert person is not None
    assert set(person.identities) == {ANA, BEN}
    assert [(one.first, one.second) for one in await store.links()] == [(ANA, BEN)]
    (record,) = await store.records()
    assert (record.standing, record.evidence) == (Standing.LOCKED, "as it was")
    assert not await store.once("said", NOW)
    await store.aclose()

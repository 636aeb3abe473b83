"""A gateway that is killed while it writes: whatever was acknowledged is there afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.model.delivery import State
from gateway.model.ids import DeliveryId
from gateway.store import open_store
from gateway.testing.store_drafts import HOME

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

WRITER = """
import asyncio, itertools, os, sys
sys.path.insert(0, sys.argv[2])
from gateway.model.delivery import State
from gateway.store import open_store
from gateway.testing.store_drafts import HOME, NOW, begun, new, settled

def acknowledge(line):
    os.write(1, (line + "\\n").encode())

async def caller(store, me, order):
    for n in itertools.count():
        name = f"{me}-{n}"
        await store.add([new(name, order=f"{me}-{n if order else 'all'}")], NOW)
        acknowledge(f"queued {name}")
        await begun(store, name)
        acknowledge(f"sending {name}")
        await settled(store, name, State.DELIVERED)
        acknowledge(f"delivered {name}")
        assert await store.once(name, NOW)
        acknowledge(f"once {name}")

async def main():
    store = open_store(sys.argv[1])
    await store.tend("me", [HOME], 0.0)
    await asyncio.gather(*(caller(store, me, me % 2) for me in range(24)))

asyncio.run(main())
"""
PROGRESS = [State.QUEUED, State.SENDING, State.DELIVERED]


@pytest.mark.parametrize("lines", [1, 400, 2_500])
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "my.db"
    asyncio.run(_check(f"sqlite:///{path}", _killed(f"sqlite:///{path}", lines)))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("lines", [1, 400])
def test_what_was_acknowledged_survives_a_kill_on_postgresql(postgres_url: str, lines: int) -> None:
    asyncio.run(_check(postgres_url, _killed(postgres_url, lines)))


def _killed(url: str, lines: int) -> list[list[str]]:
    command = [sys.executable, "-c", WRITER, url, str(Path(__file__).parents[2])]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child, child.stdout:
        told = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        told += child.stdout.readlines()
    assert child.returncode == -9
    acknowledged = [line.split() for line in told if line.endswith("\n")]
    assert len(acknowledged) >= lines
    return acknowledged


async def _check(url: str, acknowledged: list[list[str]]) -> None:
    store = open_store(url)
    await store.tend("another", [HOME], 60.0)
    try:
        await _each(acknowledged, store.delivery, store.once)
        rescued = await store.rescue([HOME], NOW)
        counts = await store.counts()
        assert sum(of.get(State.UNCERTAIN, 0) for of in counts.values()) == rescued
    finally:
        await store.aclose()


async def _each(acknowledged: list[list[str]], delivery: Callable, once: Callable) -> None:
    for told, name in acknowledged:
        if told == "once":
            assert not await once(name, NOW), name
            continue
        found = await delivery(DeliveryId(name))
        assert found is not None, name
        assert PROGRESS.index(found.state) >= PROGRESS.index(State(told)), name
        if told == "delivered":
            assert [receipt.ref for receipt in found.sent] == [f"ref-{name}"]

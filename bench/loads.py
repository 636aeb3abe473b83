"""Measured processes without a network: a gateway on the instant platform, and what its disk can do at best."""

from __future__ import annotations

import asyncio
import itertools
import resource
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
from house import House, draft
from instant import build
from rounds import CALLERS, Round, measure

from gateway.model.delivery import InConversation, State
from gateway.model.events import DeliveryChanged, GatewayEvent
from gateway.model.ids import AccountId, ConversationId

PATIENCE_S = 300.0
MOST_S = 80.0
"""For one round: whoever waits for its answer waits 90 s."""
AT_ONCE = 500
ACCOUNTS = 8
"""Of gateways that share a database."""


@asynccontextmanager
async def instant(_platform: str, database: str, folder: Path) -> AsyncIterator[Round]:
    """From the draft to the receipt, both in the database."""
    house = House(build(database, folder))
    await house.begin()

    async def send(caller: int) -> None:
        await house.deliver("instant", caller)

    yield lambda told: measure(send, told["seconds"], told.get("callers", CALLERS))
    await house.gateway.stop()


@asynccontextmanager
async def shared(_platform: str, database: str, folder: Path) -> AsyncIterator[Round]:
    """One of several gateways on a database: its callers use the accounts that it holds."""
    gateway = build(database, folder, ACCOUNTS)
    accounts = [account.id for account in gateway.config.accounts]
    await gateway.start()

    def held() -> list[AccountId]:
        return [one for one in accounts if gateway.outbox.holds(one) and gateway.outbox.can_send(one)]

    async def do_round(told: dict[str, Any]) -> dict[str, Any]:
        if "seconds" not in told:
            return {"held": len(held())}
        mine = held()

        async def send(caller: int) -> None:
            place = (InConversation(ConversationId(f"{caller}")), None)
            (delivery,) = await gateway.intake.submit([draft("", place, account=mine[caller % len(mine)])])
            await gateway.outbox.ended(delivery.id)

        return await measure(send, told["seconds"])

    yield do_round
    await gateway.stop()


@asynccontextmanager
async def asleep(_platform: str, database: str, folder: Path) -> AsyncIterator[Round]:
    """Drafts accepted while nothing is sent: of ``callers`` for a while, or ``fill`` of them, each in a conversation
    of its own.
    """
    house = House(build(database, folder))
    await house.gateway.monitor.load()

    async def accept(caller: int) -> None:
        await house.accept("instant", caller)

    async def fill(told: dict[str, Any]) -> dict[str, Any]:
        if "seconds" in told:
            return await measure(accept, told["seconds"], told.get("callers", CALLERS))
        places = [(InConversation(ConversationId(f"c{number}")), None) for number in range(told["fill"])]
        for at in range(0, len(places), AT_ONCE):
            await house.gateway.intake.submit([draft("instant", place) for place in places[at : at + AT_ONCE]])
        return {}

    yield fill
    await house.gateway.services.store.aclose()


@asynccontextmanager
async def drain(_platform: str, database: str, folder: Path) -> AsyncIterator[Round]:
    """A gateway that finds a backlog at its start."""
    house = House(build(database, folder))
    left = 0
    done = asyncio.Event()

    def heard(event: GatewayEvent) -> None:
        nonlocal left
        if isinstance(event, DeliveryChanged) and event.state == State.DELIVERED:
            left -= 1
            if not left:
                done.set()

    async def empty(told: dict[str, Any]) -> dict[str, Any]:
        nonlocal left
        left = told["backlog"]
        house.gateway.services.bus.listen(heard)
        before, began = rss_mib(), time.perf_counter()
        await house.gateway.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(MOST_S):
                await done.wait()
        delivered, took = told["backlog"] - left, time.perf_counter() - began
        return {"per_s": delivered / took, "left": left, "grown_mib": rss_mib(peak=True) - before}

    yield empty
    await house.gateway.stop()


@asynccontextmanager
async def idle(_platform: str, _database: str, folder: Path) -> AsyncIterator[Round]:
    """Many accounts that nobody uses."""
    house: House | None = None

    async def rest(told: dict[str, Any]) -> dict[str, Any]:
        nonlocal house
        if house is None:
            began = time.perf_counter()
            house = House(build("", folder, told["accounts"]))
            await house.begin(MOST_S)
            return {"ready_s": time.perf_counter() - began}
        start, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(told["seconds"])
        share = (time.process_time() - cpu) / (time.perf_counter() - start)
        return {"rss_mib": rss_mib(peak=True), "cpu_share": share}

    yield rest
    if house is not None:
        await house.gateway.stop()


@asynccontextmanager
async def floor(_platform: str, _database: str, folder: Path) -> AsyncIterator[Round]:
    """What one thread can group-commit to this disk: sqlite3 as it is, WAL and FULL as ours, the row of a draft with a
    unique key and one more index, and callers that await it.
    """
    desk = Desk(folder / "floor.db")
    body = msgspec.json.encode(draft("instant", (InConversation(ConversationId("c1")), None)))
    numbers = itertools.count(1)

    async def insert(caller: int) -> None:
        await desk.insert((f"{next(numbers):020d}", f"instant/main:{caller}", body))

    yield lambda told: measure(insert, told["seconds"], told.get("callers", CALLERS))
    desk.close()


class Desk:
    """A thread with a connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: SimpleQueue[tuple[tuple[Any, ...], asyncio.Future[None]] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def insert(self, row: tuple[Any, ...]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((row, done))
        return done

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, key TEXT UNIQUE, place TEXT, body BLOB)")
        connection.execute("CREATE INDEX ix_place ON rows (place, seq)")
        while (first := self._queue.get()) is not None:
            batch = [first]
            while self._queue.qsize() and (more := self._queue.get()) is not None:
                batch.append(more)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO rows (key, place, body) VALUES (?, ?, ?)", [row for row, _ in batch])
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_tell, [done for _, done in batch])
        connection.close()


def _tell(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        done.set_result(None)


def rss_mib(*, peak: bool = False) -> float:
    """Of this process. Where only the peak is known, that."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    word = "VmHWM:" if peak else "VmRSS:"
    line = next(line for line in status.read_text().splitlines() if line.startswith(word))
    return int(line.split()[1]) / 1024


ROLES = {role.__name__: role for role in (instant, shared, asleep, drain, idle, floor)}

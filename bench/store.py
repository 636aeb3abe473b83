"""What the store does on this machine: accepted drafts, whole deliveries, and one caller's wait.

    python bench/store.py [--json] [--seconds 2] [--busy] [--switch-ms 5] [--db PATH | --url postgresql://...]

``--busy`` keeps the event loop at work all the time: what a thread next to a loaded loop has to live with.
``cpu_ms`` is the whole process, the callers' own work included.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import structs

from gateway.books import NewDelivery, Settlement
from gateway.model.content import Document, Text
from gateway.model.delivery import Draft, InConversation, Part, Receipt, State
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DeliveryId, DraftId, MessageRef
from gateway.store import SqlStore, open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ACCOUNT = AccountId("x/main")
TEXT = Document(((Text("Something to say that is about as long as a post usually is. " * 4),),))
CALLERS = 64
CROWD = 500
_numbers = itertools.count()


def new_delivery() -> NewDelivery:
    n = next(_numbers)
    name = f"{n * 2654435761 % 2**32:08x}{n:06x}"
    target = InConversation(ConversationId(f"c{n}"))
    draft = Draft(DraftId(name), DEFAULT_WORKSPACE, ACCOUNT, target, TEXT, NOW, f"reply:{name}")
    return NewDelivery(DeliveryId(name), draft, ACCOUNT, f"{ACCOUNT}:c{n}", State.QUEUED, NOW)


def plan(name: str) -> tuple[Part, ...]:
    return (Part(0, "post", f"{name}.0", {"text": "Something to say " * 15, "reply": {"id": name}}),)


async def accept(store: SqlStore) -> None:
    await store.add([new_delivery()], NOW)


async def deliver(store: SqlStore) -> None:
    (one,) = await store.add([new_delivery()], NOW)
    await store.begin(one, plan(one.id), NOW)
    begun = structs.replace(one, attempts=1)
    receipt = Receipt(MessageRef(one.id), NOW, f"https://x.example/{one.id}")
    await store.settle(begun, Settlement(State.DELIVERED, None, receipt=receipt, part_kind="post"), NOW)


async def measure(
    store: SqlStore, work: Callable[[SqlStore], Awaitable[None]], callers: int, seconds: float
) -> dict[str, float]:
    waits: list[float] = []
    end = time.perf_counter() + seconds

    async def caller() -> None:
        while (start := time.perf_counter()) < end:
            await work(store)
            waits.append(time.perf_counter() - start)

    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(callers)))
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    waits.sort()
    return {
        "per_s": round(len(waits) / took),
        "p50_ms": round(statistics.median(waits) * 1e3, 3),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1e3, 3),
        "cpu_ms": round(cpu / len(waits) * 1e3, 4),
    }


async def busy(stop: asyncio.Event) -> None:
    """About 100 us of Python between two looks at the selector, for ever: a loop with more to do than it can."""
    while not stop.is_set():
        for _ in range(20):
            json.loads('{"a": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}')
        await asyncio.sleep(0)


async def run(url: str, seconds: float, *, loaded: bool) -> dict[str, dict[str, float]]:
    store = open_store(url)
    await store.tend("bench", [ACCOUNT], 3600.0)
    stop = asyncio.Event()
    noise = asyncio.create_task(busy(stop)) if loaded else None
    try:
        await measure(store, deliver, CALLERS, 0.3)  # warms the statements up
        return {
            "accept_64": await measure(store, accept, CALLERS, seconds),
            "accept_1": await measure(store, accept, 1, seconds),
            "deliver_64": await measure(store, deliver, CALLERS, seconds),
            "deliver_500": await measure(store, deliver, CROWD, seconds),
            "deliver_1": await measure(store, deliver, 1, seconds),
        }
    finally:
        stop.set()
        if noise:
            await noise
        await store.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--switch-ms", type=float, default=5.0)
    parser.add_argument("--db", type=Path)
    parser.add_argument("--url")
    options = parser.parse_args()
    sys.setswitchinterval(options.switch_ms / 1e3)
    with tempfile.TemporaryDirectory() as folder:
        url = options.url or f"sqlite:///{options.db or Path(folder) / 'bench.db'}"
        found = asyncio.run(run(url, options.seconds, loaded=options.busy))
    if options.json:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(f"{name:12}", "  ".join(f"{key} {value:>9}" for key, value in figures.items()))


if __name__ == "__main__":
    main()

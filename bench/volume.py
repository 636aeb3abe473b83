"""What is measured without a network: the queue beside ready-made ones, a long history, a backlog, many accounts."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from cores import count as machine_cores
from measures import Effort
from postgres import Postgres
from stage import Process, Stage

from gateway.store import open_store

Figures = dict[str, Any]
SETTLING_ROUNDS = 20
SETTLED_SHARE = 0.02
"""Of a core."""
PROCESSES_CORES = 4
"""Two gateways, their database and the bench itself have a core each."""
ACCOUNTS = 8
"""See ``loads.py``."""


async def accepted(stage: Stage, effort: Effort) -> Figures:
    """Drafts made durable for an account that isn't sending, beside what one thread group-commits to the same disk."""
    ours, floor = await stage.load("asleep"), await stage.load("floor")
    found = await _in_turns(effort, ours=ours, floor=floor)
    await ours.end()
    await floor.end()
    return {
        "accepted_drafts_per_s": round(_median(found["ours"], "per_s")),
        "accepted_cpu_ms": round(_median(found["ours"], "cpu_ms"), 4),
        "floor_per_s": round(_median(found["floor"], "per_s")),
        "accepted_ratio": _ratio(found["ours"], found["floor"]),
    }


async def rendering(stage: Stage, effort: Effort) -> Figures:
    """A post of 300 words and five links, planned for all five platforms; and a megabyte cut into posts."""
    worker = await stage.load("render")
    found = [await worker.ask(times=effort.echoes) for _ in range(effort.rounds)]
    await worker.end()
    each = {name: statistics.median(one["each_ms"][name] for one in found) for name in found[0]["each_ms"]}
    return {
        "render_ms": round(statistics.median(one["all_ms"] for one in found), 3),
        "render_each_ms": {name: round(took, 3) for name, took in each.items()},
        "split_s": round(statistics.median(one["split_s"] for one in found), 3),
    }


async def dbos(stage: Stage, effort: Effort) -> Figures:
    """Enqueue to done on SQLite, 64 callers."""
    with tempfile.TemporaryDirectory() as folder:
        ours, rival = await stage.load("instant"), await stage.rival("dbos", f"sqlite:///{folder}/dbos.db")
        return {"queue_dbos": await _beside(effort, ours, rival)}


async def procrastinate(stage: Stage, effort: Effort) -> Figures:
    """Enqueue to done on PostgreSQL, 64 callers."""
    async with Postgres(stage.server_cpu) as database:
        ours = await stage.load("instant", await database("ours"))
        rival = await stage.rival("procrastinate", await database("theirs"))
        return {"queue_procrastinate": await _beside(effort, ours, rival)}


async def processes(stage: Stage, effort: Effort) -> Figures:
    """Two gateways on one PostgreSQL beside one, nobody pinned: as many cores as there are."""
    async with Postgres(None) as server:
        database = await server("shared")
        first = await stage.load("shared", database, pinned=False)
        await _sharing(first)
        before = await _together(effort, first)
        second = await stage.load("shared", database, pinned=False)
        await _sharing(first, second)
        both = await _together(effort, first, second)
        await second.end()
        await _sharing(first)
        after = await _together(effort, first)
        await first.end()
    one = statistics.mean((before, after))
    figures = {"one_process_per_s": round(one), "two_processes_per_s": round(both)}
    cores = machine_cores()
    if cores < PROCESSES_CORES:
        told = f"two processes / one wants {PROCESSES_CORES} cores, here are {cores}: {both / one:.2f} without a mark"
        return figures | {"skipped": [told]}
    return figures | {"processes_ratio": round(both / one, 3)}


async def _sharing(*gateways: Process) -> None:
    """Until each holds its share of the accounts; a gateway may hold the lease on the house instead of one."""
    async with asyncio.timeout(60):
        while True:
            held = [(await one.ask())["held"] for one in gateways]
            if sum(held) == ACCOUNTS and min(held) >= ACCOUNTS // len(gateways) - 1:
                return
            await asyncio.sleep(0.2)


async def _together(effort: Effort, *gateways: Process) -> float:
    """What all of them deliver in a second."""
    rounds = []
    for _ in range(effort.rounds):
        found = await asyncio.gather(*(one.ask(seconds=effort.seconds) for one in gateways))
        rounds.append(sum(each["per_s"] for each in found))
    return statistics.median(rounds)


async def _beside(effort: Effort, ours: Process, rival: Process) -> Figures:
    found = await _in_turns(effort, effort.queue_s, ours=ours, rival=rival)
    await ours.end()
    await rival.end()
    return {
        "per_s": round(_median(found["ours"], "per_s")),
        "cpu_ms": round(_median(found["ours"], "cpu_ms"), 3),
        "rival_per_s": round(_median(found["rival"], "per_s")),
        "rival_cpu_ms": round(_median(found["rival"], "cpu_ms"), 3),
        "ratio": _ratio(found["ours"], found["rival"]),
    }


async def history(stage: Stage, effort: Effort) -> Figures:
    """Enqueue to done on a database that delivered a million, beside an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        old, new = (f"sqlite:///{folder}/{name}.db" for name in ("old", "new"))
        size = await asyncio.to_thread(_write_history, Path(folder, "old.db"), effort.history)
        full, empty = await stage.load("instant", old), await stage.load("instant", new)
        found = await _in_turns(effort, full=full, empty=empty)
        await full.end()
        await empty.end()
    return {
        "history_rows": effort.history,
        "history_mib": round(size / 2**20),
        "history_per_s": round(_median(found["full"], "per_s")),
        "empty_per_s": round(_median(found["empty"], "per_s")),
        "history_ratio": _ratio(found["full"], found["empty"]),
    }


def _write_history(path: Path, rows: int) -> int:
    """What so many deliveries leave behind; the size of it. It needn't survive anything while it is made."""
    asyncio.run(open_store(f"sqlite:///{path}").aclose())
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("PRAGMA cache_size=-200000")
        raw.execute("BEGIN")
        raw.execute(_DELIVERIES, {"n": rows, "draft": b'{"document":"' + b"w" * 420 + b'"}', "parts": b"p" * 220})
        raw.execute(_SENT_PARTS)
        raw.execute("COMMIT")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("rb") as file:
        os.fsync(file.fileno())  # or the disk would be busy with it while something else is measured
    return path.stat().st_size


_DELIVERIES = """
INSERT INTO deliveries (seq, workspace, id, key, account, home, order_key, state, due_at, created_at, changed_at,
    attempts, sent_n, conversation, reason, draft, parts, sent)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n)
SELECT i, 'default', printf('00%018d', i), printf('reply:instant/main:%d', i), 'instant/main', 'instant/main',
    'instant/main:c' || (i % 5000), 'delivered', 1790000000000000 + i, 1790000000000000 + i, 1790000000000000 + i,
    1, 1, 'c' || (i % 5000), '', :draft, :parts, '[{"ref":"' || i || '","at":"2026-10-01T12:00:00Z"}]'
FROM n
"""

_SENT_PARTS = """
INSERT INTO sent_parts
SELECT seq, workspace, id, account, 0, 'post', conversation, 'r' || seq, NULL, changed_at FROM deliveries
"""


async def backlog(stage: Stage, effort: Effort) -> Figures:
    """So many drafts of so many conversations, found at a start: how fast they leave, and what memory it takes."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/backlog.db"
        filling = await stage.load("asleep", database)
        await filling.ask(fill=effort.backlog)
        await filling.end()
        draining, fresh = await stage.load("drain", database), await stage.load("instant")
        rate = await fresh.ask(seconds=effort.seconds)
        found = await draining.ask(backlog=effort.backlog)
        again = await fresh.ask(seconds=effort.seconds)
        await draining.end()
        await fresh.end()
    return {
        "backlog_rows": effort.backlog,
        "backlog_per_s": round(found["per_s"]),
        "backlog_ratio": round(found["per_s"] / statistics.mean((rate["per_s"], again["per_s"])), 3),
        "backlog_left": found["left"],
        "backlog_grown_mib": round(found["grown_mib"], 1),
    }


async def idle(stage: Stage, effort: Effort) -> Figures:
    """Many accounts that nobody uses, once what a start leaves to be stored is stored."""
    process = await stage.load("idle")
    ready_s = (await process.ask(accounts=effort.accounts))["ready_s"]
    settled_s = ready_s
    for _ in range(SETTLING_ROUNDS):
        if (await process.ask(seconds=2.0))["cpu_share"] < SETTLED_SHARE:
            break
        settled_s += 2.0
    found = await process.ask(seconds=effort.idle_s)
    await process.end()
    return {
        "idle_accounts": effort.accounts,
        "idle_ready_s": round(ready_s, 1),
        "idle_settled_s": round(settled_s, 1),
        "idle_rss_mib": round(found["rss_mib"]),
        "idle_cpu_percent": round(found["cpu_share"] * 100, 2),
    }


async def _in_turns(effort: Effort, seconds: float = 0.0, **processes: Process) -> dict[str, list[Figures]]:
    """Rounds that alternate between the processes, in either order; the first ones warm up."""
    found: dict[str, list[Figures]] = {name: [] for name in processes}
    for number in range(-1, effort.rounds):
        for name in processes if number % 2 else reversed(processes):
            figures = await processes[name].ask(seconds=(seconds or effort.seconds) if number >= 0 else 0.3)
            if number >= 0:
                found[name].append(figures)
    return found


def _median(rounds: list[Figures], name: str) -> float:
    return statistics.median(each[name] for each in rounds)


def _ratio(ours: list[Figures], theirs: list[Figures]) -> float:
    return round(statistics.median(one["per_s"] / other["per_s"] for one, other in zip(ours, theirs, strict=True)), 3)

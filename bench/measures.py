"""What is measured: each function one question, as medians of rounds that alternate between the sides."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bare import BOT_TOKENS
from house import ENVIRONMENT, PLATFORMS, TOKENS, write_config
from msgspec import Struct
from stage import Stage

HEALTHY = re.compile(r"(\w+)/main: \w+ -> healthy")
SETTLE_S = 1.0
"""After the last account is ready, before the memory is read."""


class Effort(Struct, frozen=True):
    """How much is measured."""

    rounds: int = 7
    seconds: float = 0.6
    queue_s: float = 1.5
    """A round of the ready-made queues has to be longer: their callers wait for a second."""
    echoes: int = 150
    starts: int = 5
    failovers: int = 5
    history: int = 1_000_000
    backlog: int = 100_000
    accounts: int = 10_000
    idle_s: float = 6.0


async def sends(stage: Stage, platform: str, effort: Effort) -> dict[str, float]:
    """The same sends by the bare library and through the gateway, 64 callers each."""
    bare, gateway = await stage.worker("bare", platform), await stage.worker("gateway", platform)
    found: dict[str, list[dict[str, float]]] = {"bare": [], "gateway": []}
    for number in range(-1, effort.rounds):
        both = [("bare", bare), ("gateway", gateway)]
        for name, process in both if number % 2 else reversed(both):
            figures = await process.ask(seconds=effort.seconds if number >= 0 else 0.3)
            if number >= 0:
                found[name].append(figures)
    alone = await bare.ask(seconds=effort.seconds, callers=1)
    await bare.end()
    await gateway.end()
    pairs = list(zip(found["bare"], found["gateway"], strict=True))
    cpu = {name: statistics.median(each["cpu_ms"] for each in rounds) for name, rounds in found.items()}
    return {
        "bare_per_s": round(statistics.median(each["per_s"] for each in found["bare"])),
        "gateway_per_s": round(statistics.median(each["per_s"] for each in found["gateway"])),
        "ratio": round(statistics.median(ours["per_s"] / theirs["per_s"] for theirs, ours in pairs), 3),
        "added_cpu_ms": round(statistics.median(ours["cpu_ms"] - theirs["cpu_ms"] for theirs, ours in pairs), 3),
        "bare_cpu_ms": round(cpu["bare"], 3),
        "gateway_cpu_ms": round(cpu["gateway"], 3),
        "bare_one_caller_cpu_ms": round(alone["cpu_ms"], 3),
        "bare_one_caller_per_s": round(alone["per_s"]),
        "core_share": round(statistics.median(each["cpu_share"] for each in found["gateway"]), 2),
    }


async def replies(stage: Stage, platform: str, effort: Effort) -> dict[str, float]:
    """One message in flight: handed to the bot, until its reply is at the server."""
    native, gateway = await stage.worker("native", platform), await stage.worker("agent", platform)
    floor = await stage.load("floor")
    commits_ms: list[float] = []
    took: dict[str, list[float]] = {"native": [], "gateway": []}
    spent_ms: dict[str, list[float]] = {"native": [], "gateway": []}
    processes = {"native": native, "gateway": gateway}
    tokens = {"native": BOT_TOKENS[platform], "gateway": TOKENS[platform]}
    await asyncio.sleep(SETTLE_S)
    for number in range(-1, effort.rounds):
        commits_ms.append((await floor.ask(seconds=0.2, callers=1))["p50_ms"])
        for name in tokens if number % 2 else reversed(tokens):
            count = effort.echoes if number >= 0 else 20
            before = (await processes[name].ask())["cpu_ms"]
            found = await stage.server("echo", platform=platform, token=tokens[name], count=count)
            after = (await processes[name].ask())["cpu_ms"]
            if number >= 0:
                took[name] += found
                spent_ms[name].append((after - before) / count)
    for process in (native, gateway, floor):
        await process.end()
    points = {name: (statistics.median(found), _p99(found)) for name, found in took.items()}
    return {
        "p50": round(points["gateway"][0] - points["native"][0], 2),
        "p99": round(points["gateway"][1] - points["native"][1], 2),
        "commit_ms": round(statistics.median(commits_ms), 3),
        "native_cpu_ms": round(statistics.median(spent_ms["native"]), 3),
        "gateway_cpu_ms": round(statistics.median(spent_ms["gateway"]), 3),
        "native_p50": round(points["native"][0], 2),
        "native_p99": round(points["native"][1], 2),
        "gateway_p50": round(points["gateway"][0], 2),
        "gateway_p99": round(points["gateway"][1], 2),
    }


def _p99(found: list[float]) -> float:
    return sorted(found)[int(len(found) * 0.99)]


async def failover(stage: Stage, effort: Effort) -> dict[str, float]:
    """The first refused send of a post, until the same post is at the next platform."""
    process = await stage.worker("failover", "")
    took = []
    for _ in range(effort.failovers):
        await process.ask(count=3)
        await stage.server("suspend", on=True)
        await process.ask(count=3)
        took += (await stage.server("state"))["seen_after_s"][:1]
        await stage.server("suspend", on=False)
        await process.ask(healthy=True)
    await process.end()
    return {"failover_seconds": round(statistics.median(took), 4)}


async def starts(stage: Stage, effort: Effort) -> dict[str, Any]:
    """From the start of the process until each account is healthy *and* listened to, and the memory it then has."""
    found = [await _start(stage) for _ in range(effort.starts + 1)][1:]  # the first one compiles
    each = {name: round(statistics.median(one[0][name] for one in found), 3) for name in PLATFORMS}
    return {
        "ready_s": round(statistics.median(max(one[0].values()) for one in found), 3),
        "ready_each_s": each,
        "rss_mib": round(statistics.median(one[1] for one in found), 1),
        "ready_cpu_s": round(statistics.median(one[2] for one in found), 3),
    }


async def _start(stage: Stage) -> tuple[dict[str, float], float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_config(folder, stage.url, PLATFORMS, agent=True)
        await stage.server("forget")
        began = time.time()
        program = await stage.program(
            "run", "--config", str(config), environment={**os.environ, **ENVIRONMENT}, cwd=folder
        )
        try:
            ready = await _healthy(program, began)
            await asyncio.sleep(SETTLE_S)
            for platform, at in (await stage.server("state"))["listened"].items():
                ready[platform] = max(ready[platform], at - began)
            return ready, _rss_mib(program.pid), _cpu_s(program.pid)
        finally:
            program.terminate()
            await program.communicate()


async def _healthy(program: asyncio.subprocess.Process, began: float) -> dict[str, float]:
    ready: dict[str, float] = {}
    assert program.stderr is not None  # noqa: S101  # for the type checker
    async with asyncio.timeout(30):
        while len(ready) < len(PLATFORMS):
            line = (await program.stderr.readline()).decode()
            if not line:
                raise SystemExit("bench: the gateway ended at its start")
            if found := HEALTHY.search(line):
                ready[found[1]] = time.time() - began
    return ready


def flush_ms() -> float:
    """What one append and its flush take on the disk that the databases are on: every durable send waits for three."""
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(200):
            start = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - start) * 1e3)
    return round(statistics.median(took), 3)


def _rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
        return int(found[1]) / 1024 if found else 0.0
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])) / 1024


def _cpu_s(pid: int) -> float:
    """CPU of the start and the settling; 0 where it can't be told."""
    stat = Path(f"/proc/{pid}/stat")
    if sys.platform != "linux" or not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

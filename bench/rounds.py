"""How every measured process works: rounds when it is told to, one line each way. Nothing of ours is imported here."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

CALLERS = 64
Round = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def measure(work: Callable[[int], Awaitable[Any]], seconds: float, callers: int = CALLERS) -> dict[str, Any]:
    """``callers`` that work one after the other for so long; per second, and CPU of the whole process."""
    end = time.perf_counter() + seconds
    waits: list[float] = []

    async def caller(number: int) -> None:
        while (began := time.perf_counter()) < end:
            await work(number)
            waits.append(time.perf_counter() - began)

    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    done = len(waits)
    return {
        "per_s": done / took,
        "cpu_ms": cpu / done * 1e3,
        "cpu_share": cpu / took,
        "p50_ms": sorted(waits)[done // 2] * 1e3,
    }


async def answer_rounds(do_round: Round) -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await do_round(json.loads(line))), flush=True)

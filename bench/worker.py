"""One measured process: a bare library, a native bot or a gateway. It does rounds when told to, one line each way.

    python bench/worker.py ROLE PLATFORM URL [--cpu N]

It says ``{"ready": true}``, then answers each line ``{"seconds": ...}`` or ``{"count": ...}`` with figures, and ends
with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cores import pin

CALLERS = 64
Round = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def measure(work: Callable[[int], Awaitable[Any]], seconds: float, callers: int = CALLERS) -> dict[str, Any]:
    """``callers`` that work one after the other for so long; per second, and CPU of the whole process."""
    end = time.perf_counter() + seconds
    done = 0

    async def caller(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await work(number)
            done += 1

    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"per_s": done / took, "cpu_ms": cpu / done * 1e3, "cpu_share": cpu / took}


@asynccontextmanager
async def bare(platform: str, url: str, _folder: Path) -> AsyncIterator[Round]:
    from bare import sender

    send, close = await sender(platform, url)
    yield lambda told: measure(send, told["seconds"], told.get("callers", CALLERS))
    await close()


@asynccontextmanager
async def native(platform: str, url: str, _folder: Path) -> AsyncIterator[Round]:
    import bare as libraries

    bot = {"telegram": libraries.telegram_bot, "discord": libraries.discord_bot}[platform]
    task = asyncio.create_task(bot(url))
    yield _spent
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def gateway(platform: str, url: str, folder: Path) -> AsyncIterator[Round]:
    """Durable sends of one account."""
    from house import House, write_config

    house = await House.open(write_config(folder, url, (platform,)))

    async def send(caller: int) -> None:
        await house.deliver(platform, caller)

    yield lambda told: measure(send, told["seconds"], told.get("callers", CALLERS))
    await house.gateway.stop()


@asynccontextmanager
async def agent(platform: str, url: str, folder: Path) -> AsyncIterator[Round]:
    """A gateway with a handler; the server counts its replies."""
    from house import House, write_config

    house = await House.open(write_config(folder, url, (platform,), agent=True))
    yield _spent
    await house.gateway.stop()


@asynccontextmanager
async def intake(platform: str, url: str, folder: Path) -> AsyncIterator[Round]:
    """A gateway whose account does not send."""
    from house import House, write_config

    house = await House.open(write_config(folder, url, (platform,)), start=False)

    async def accept(caller: int) -> None:
        await house.accept(platform, caller)

    yield lambda told: measure(accept, told["seconds"])
    await house.gateway.stop()


@asynccontextmanager
async def failover(_platform: str, url: str, folder: Path) -> AsyncIterator[Round]:
    """Two accounts and a route; the server suspends the first one in between."""
    from house import House, write_config

    house = await House.open(write_config(folder, url, ("x", "bluesky")))

    async def divert(told: dict[str, Any]) -> dict[str, Any]:
        if told.get("healthy"):
            await house.until_healthy()
        else:
            await house.divert(told["count"])
        return {}

    yield divert
    await house.gateway.stop()


async def _spent(_told: dict[str, Any]) -> dict[str, Any]:
    return {"cpu_ms": time.process_time() * 1e3}


ROLES = {role.__name__: role for role in (bare, native, gateway, agent, intake, failover)}


async def work(role: str, platform: str, url: str) -> None:
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder:
        async with ROLES[role](platform, url, Path(folder)) as do_round:
            print(json.dumps({"ready": True}), flush=True)
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                print(json.dumps(await do_round(json.loads(line))), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("platform")
    parser.add_argument("url")
    parser.add_argument("--cpu", type=int, default=None)
    options = parser.parse_args()
    pin(options.cpu)
    asyncio.run(work(options.role, options.platform, options.url))

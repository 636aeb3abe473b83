"""One measured process: a bare library, a native bot or a gateway. It does rounds when told to, one line each way.

    python bench/worker.py ROLE PLATFORM URL [--cpu N]

The URL is the server's, or in a role without a network the database's.

It says ``{"ready": true}``, then answers each line ``{"seconds": ...}`` or ``{"count": ...}`` with figures, and ends
with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from cores import pin
from rounds import CALLERS, Round, answer_rounds, measure


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


ROLES = {role.__name__: role for role in (bare, native, gateway, agent, failover)}


def _role(name: str) -> Callable[[str, str, Path], AbstractAsyncContextManager[Round]]:
    """A bare library's process has nothing of ours in it."""
    if name in ROLES:
        return ROLES[name]
    import loads
    import rendering

    return {**loads.ROLES, "render": rendering.render}[name]


async def work(role: str, platform: str, url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with _role(role)(platform, url, Path(folder)) as do_round:
            print(json.dumps({"ready": True}), flush=True)
            await answer_rounds(do_round)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("role")
    parser.add_argument("platform")
    parser.add_argument("url")
    parser.add_argument("--cpu", type=int, default=None)
    options = parser.parse_args()
    pin(options.cpu)
    asyncio.run(work(options.role, options.platform, options.url))

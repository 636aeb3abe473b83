"""What agents do in threads that never end leaves the gateway's own alone."""

from __future__ import annotations

import asyncio
import threading

from gateway.threads import Threads, an_agents

MANY = 100
"""More than either kind has."""


def name() -> str:
    return threading.current_thread().name


async def test_an_agents_threads_are_its_own() -> None:
    let_go = threading.Event()
    asyncio.get_running_loop().set_default_executor(Threads(4))
    try:
        with an_agents():
            stuck = [asyncio.ensure_future(asyncio.to_thread(let_go.wait)) for _ in range(MANY)]
            late = asyncio.ensure_future(asyncio.to_thread(name))
            await asyncio.sleep(0)
        assert (await asyncio.to_thread(name)).startswith("loop")
        assert not late.done()
    finally:
        let_go.set()
    assert await asyncio.gather(*stuck) == [True] * MANY
    assert (await late).startswith("agent")

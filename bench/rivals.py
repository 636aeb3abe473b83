"""Ready-made durable queues with a job that does nothing, as their documents say to use them. Runs in .venv-bench.

    python bench/rivals.py NAME DATABASE [--cpu N]

It talks like ``worker.py``. Done is, in their favour, the job's return (procrastinate) or the result (DBOS).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from cores import pin
from rounds import CALLERS, answer_rounds, measure

Job = Callable[[int], Awaitable[None]]
_numbers = itertools.count(1)
WORDS = "Something to say that is about as long as a post usually is, and a second sentence to it."


@asynccontextmanager
async def procrastinate(database: str) -> AsyncIterator[Job]:
    """A worker of 64 jobs at once in the same process, woken by LISTEN/NOTIFY."""
    from procrastinate import App, PsycopgConnector

    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    app = App(connector=PsycopgConnector(conninfo=database, min_size=4, max_size=16))
    waiting: dict[int, asyncio.Future[None]] = {}

    @app.task(name="post")
    async def post(number: int, words: str) -> None:
        del words
        waiting.pop(number).set_result(None)

    async def job(_caller: int) -> None:
        number = next(_numbers)
        done = waiting[number] = asyncio.get_running_loop().create_future()
        await post.defer_async(number=number, words=WORDS)
        await done

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        working = asyncio.create_task(app.run_worker_async(concurrency=CALLERS, install_signal_handlers=False))
        yield job
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


@asynccontextmanager
async def dbos(database: str) -> AsyncIterator[Job]:
    """A workflow of one step, started directly: several times as fast as its queues."""
    from dbos import DBOS

    DBOS(config={"name": "bench", "system_database_url": database, "log_level": "ERROR"})

    @DBOS.step()
    async def post(words: str) -> int:
        del words
        return next(_numbers)

    @DBOS.workflow()
    async def deliver(words: str) -> int:
        return await post(words)

    async def job(_caller: int) -> None:
        await deliver(WORDS)

    DBOS.launch()
    yield job
    DBOS.destroy()


RIVALS = {rival.__name__: rival for rival in (procrastinate, dbos)}


async def work(name: str, database: str) -> None:
    async with RIVALS[name](database) as job:
        print(json.dumps({"ready": True}), flush=True)
        await answer_rounds(lambda told: measure(job, told["seconds"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("name", choices=RIVALS)
    parser.add_argument("database")
    parser.add_argument("--cpu", type=int, default=None)
    options = parser.parse_args()
    pin(options.cpu)
    sys.stdout.reconfigure(line_buffering=True)
    asyncio.run(work(options.name, options.database))

"""The long-running commands: the gateway and the sandbox, from start to a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gateway import logs, wiring
from gateway.agent import AgentError
from gateway.api.local import EndpointError
from gateway.books import StoreError
from gateway.commands import trial
from gateway.config import Config
from gateway.threads import Threads

log = logging.getLogger("multihome")

EXIT_PATIENCE_S = 2.0
"""How long Python may take to end once everything is stored and closed."""
AT_ONCE = 130
"""The exit code of who was told to twice."""
YOUNG_MAX = 20_000
"""Objects made and not gone again, until garbage is looked for."""
M_ARENA_MAX = -8
"""malloc.h of the GNU C library."""


class RunError(Exception):
    """One line for people: why it can't run, and the cure."""


def serve(config: Config, *, log_json: bool = False, level: int = logging.INFO) -> int:
    """Run a gateway until a signal; returns the exit code."""
    logs.configure(config, as_json=log_json, level=level)
    share_one_heap()
    try:
        return asyncio.run(_gateway(config))
    except (StoreError, AgentError, EndpointError) as error:
        raise RunError(str(error)) from error


def serve_sandbox(port: int, *, as_json: bool = False, config: Path | None = None, handler: str = "") -> int:
    """Run a sandbox until a signal; prints where everything is; writes ``config`` for it where one is named."""
    try:
        return asyncio.run(_sandbox(port, config, handler, as_json=as_json))
    except trial.TrialError as error:
        raise RunError(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"port {port} or one after it can't be used ({reason}): choose another with --port") from error


async def _gateway(config: Config) -> int:
    asyncio.get_running_loop().set_default_executor(Threads(config.gateway.agent_concurrency))
    gateway = await wiring.build(config)
    async with _until_signal() as stopped:
        agent = config.agent.handler if config.agent else "none"
        log.info("multihome %s: %d accounts, agent: %s", version("multihome"), len(config.accounts), agent)
        starting = asyncio.create_task(_start(gateway))
        try:
            await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            await stopped
            log.info("stopping: what is under way is finished; a second signal ends it at once")
        finally:
            await _end(gateway, starting)
    log.info("stopped")
    _exit_soon(0)
    return 0


async def _end(gateway: wiring.Gateway, starting: asyncio.Task[None]) -> None:
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    async with _until_signal() as impatient:
        stopping = asyncio.create_task(gateway.stop())
        await asyncio.wait((stopping, impatient), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            log.warning("stopped at once: what was under way is looked into at the next start")
            os._exit(AT_ONCE)  # the database is as good as after a crash, and that is made to be harmless
        stopping.result()


def _exit_soon(code: int) -> None:
    """Python's own end waits for every thread, and what an agent does in one can't be ended. It had its time."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(AT_ONCE))
    late = threading.Timer(EXIT_PATIENCE_S, _exit, (code,))
    late.daemon = True
    late.start()


def _exit(code: int) -> None:
    log.warning("what the agent still does is not waited for")
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


async def _start(gateway: wiring.Gateway) -> None:
    gc.disable()
    try:
        await gateway.start()
    finally:
        collect_rarely()
        gc.enable()


def collect_rarely() -> None:
    """What the imports made stays: looking through it again and again is a tenth of the start, and a pause later. What
    is under way for 64 senders at once is no garbage either: looking through that was a tenth of each send.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)


def share_one_heap() -> None:
    """Before there are threads. The GNU C library gives each a heap of its own, and what one has freed the others can't
    use: a growing part of the whole (docs/chaos.md). Our threads take turns anyway.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(M_ARENA_MAX, 1)


async def _sandbox(port: int, config: Path | None, handler: str, *, as_json: bool) -> int:
    world = await wiring.sandbox()(port=port)
    try:
        faces = {name: {"url": face.url, **face.account()} for name, face in world.faces.items()}
        if config is not None:
            trial.write(config, faces, handler)
        async with _until_signal() as stopped:
            _print_world(world.url, faces, config, as_json=as_json)
            await stopped
    finally:
        await world.stop()
    return 0


def _print_world(control: str, faces: dict[str, dict[str, Any]], config: Path | None, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"control": control, "networks": faces}), flush=True)  # noqa: T201 - it is the output
        return
    lines = [f"The sandbox is up. Control: {control}", *(f"  {name:<10} {face['url']}" for name, face in faces.items())]
    if config is not None:
        lines.append(f"A gateway for it: multihome run --config {config}")
    print("\n".join([*lines, "Stop it with Ctrl-C."]), flush=True)  # noqa: T201 - it is the output


@contextlib.asynccontextmanager
async def _until_signal() -> AsyncIterator[asyncio.Future[None]]:
    """A future that resolves on SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _resolve, stopped)
    try:
        yield stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

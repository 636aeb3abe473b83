"""The processes: a sandbox and gateways, started, watched, hurt and ended. None outlives us."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp

from gateway.cli import BUG

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
ASK_TIMEOUT_S = 5.0
"""A frozen gateway keeps its callers waiting; they ask again, with the same key."""
RESTART_PAUSE_S = 0.2
BIND = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
"""On Linux the kernel kills it when we die, however we die."""
SCRIPT = str(Path(sys.executable).with_name("multihome"))
PROGRAM = (sys.executable, "-Sc", BIND, SCRIPT) if sys.platform == "linux" else (SCRIPT,)


class ChaosError(Exception):
    """One line for people: what can't go on."""


class Sandbox:
    """The world, as a process of its own, ruled over its control."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        self._log = folder / "sandbox.log"
        self._session = session
        self._url = ""
        self._process: asyncio.subprocess.Process | None = None
        self.networks: dict[str, dict[str, Any]] = {}

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """The secrets of the accounts there."""
        return {name: value for one in self.networks.values() for name, value in one["environment"].items()}

    async def start(self) -> None:
        self._process = await begin(("sandbox", "--json"), self._log, out=asyncio.subprocess.PIPE)
        assert self._process.stdout is not None
        async with asyncio.timeout(START_TIMEOUT_S):
            line = await self._process.stdout.readline()
        if not line:
            raise ChaosError(f"the sandbox didn't start; {self._log} says why")
        world = json.loads(line)
        self._url, self.networks = world["control"], world["networks"]

    async def stop(self) -> None:
        await finish(self._process)

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        async with self._session.request(method, f"{self._url}/{path}", json=body or None) as answer:
            if answer.status >= 400:
                raise ChaosError(f"the sandbox refused {path}: {(await answer.text()).strip()}")
            return await answer.json()


class Gateway:
    """One gateway, which a supervisor starts again whenever it ends, as a service manager would."""

    def __init__(
        self, name: str, config: Path, endpoint: Path, environment: dict[str, str], session: aiohttp.ClientSession
    ) -> None:
        self.name = name
        self.config = config
        self.log = config.with_name("gateway.log")
        self.starts = 0
        self.failures: list[str] = []
        """How it ended when nobody asked it to."""
        self.callers: set[int] = set()
        """Processes of the command line: while one has the database's file, no gateway can start on it."""
        self.on_start: Callable[[Gateway], None] | None = None
        self._endpoint = endpoint
        self._environment = environment
        self._session = session
        self._process: asyncio.subprocess.Process | None = None
        self._told: set[int] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._free = asyncio.Event()
        self._free.set()

    @property
    def pid(self) -> int | None:
        """Of the process that runs; None between two."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def open(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._signal(signal.SIGCONT)
        await finish(self._process)

    async def _keep(self) -> None:
        while True:
            await self._free.wait()
            self._endpoint.unlink(missing_ok=True)
            arguments = ("run", "--config", str(self.config))
            self._process = await begin(arguments, self.log, environment=self._environment)
            self.starts += 1
            if self.on_start is not None:
                self.on_start(self)
            code = await self._process.wait()
            if self._process.pid not in self._told:
                self.failures.append(f"{self.name} ended with {code}: {last_line(self.log)}")
            await asyncio.sleep(RESTART_PAUSE_S)

    # What is done to it.

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self._end_with(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM: it may say goodbye; the supervisor starts it again."""
        self._end_with(signal.SIGTERM)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def hold(self, held: bool) -> None:
        """While held it isn't started again."""
        (self._free.clear if held else self._free.set)()

    def _end_with(self, number: signal.Signals) -> None:
        if self.pid is not None:
            self._told.add(self.pid)
        self._signal(number)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    # What it is asked.

    async def ask(self, operation: str, **arguments: Any) -> Any:
        """``None`` when there is no answer: it is dead, frozen, starting, or its database can't be written now. A bug
        is no such moment: asking again would hide it, or never end.
        """
        try:
            address = json.loads(self._endpoint.read_text())
            head = {"Authorization": f"Bearer {address['token']}"}
            url = f"{address['url']}/local/{operation}"
            timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
            async with self._session.post(url, json=arguments, headers=head, timeout=timeout) as answer:
                body = await answer.json()
        except (OSError, ValueError, KeyError, aiohttp.ClientError, TimeoutError):
            return None
        if answer.status == 500:
            raise ChaosError(f"{self.name} has a bug: {body['error']}")
        if answer.status > 500:
            return None
        if answer.status >= 400:
            raise ChaosError(f"the gateway refused {operation}: {body['error']}")
        return body

    async def call(self, *arguments: str, words: str = "") -> Any:
        """The same by the command line, in a process of its own; ``None`` when it says that it couldn't."""
        process = await begin(
            (*arguments, "--config", str(self.config), "--json"),
            self.log.with_name("cli.log"),
            environment=self._environment,
            out=asyncio.subprocess.PIPE,
            into=asyncio.subprocess.PIPE,
        )
        self.callers.add(process.pid)
        try:
            async with asyncio.timeout(4 * ASK_TIMEOUT_S):
                out, _ = await process.communicate(words.encode())
        except TimeoutError:
            return None
        finally:
            await finish(process)
        if process.returncode == BUG:
            raise ChaosError(f"the command line has a bug: {last_line(self.log.with_name('cli.log'))}")
        return json.loads(out) if process.returncode == 0 else None


async def begin(
    arguments: tuple[str, ...],
    log: Path,
    *,
    environment: dict[str, str] | None = None,
    out: int | None = None,
    into: int | None = None,
) -> asyncio.subprocess.Process:
    """Start ``multihome`` with these arguments. A Ctrl-C at the terminal reaches only us."""
    with log.open("ab") as sink:
        return await asyncio.create_subprocess_exec(
            *PROGRAM,
            *arguments,
            stdin=into if into is not None else asyncio.subprocess.DEVNULL,
            stdout=out if out is not None else sink,
            stderr=sink,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )


async def finish(process: asyncio.subprocess.Process | None) -> None:
    """End it, patiently at first."""
    if process is None or process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def was_refused(failure: str, refusals: Iterable[str]) -> bool:
    """Whether it was a start that couldn't be, told in one line as it should be. A gateway that has started ends with a
    signal alone.
    """
    how = failure.partition(" ended with ")[2]
    return how.startswith("1: multihome: ") and any(one in how for one in refusals)


def last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines()[-20:] if line.strip()]
    return lines[-1][:300] if lines else "no word"

"""The stage: the sandbox and the gateway as processes, and lines to talk to both."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Self

import aiohttp

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
_PROGRAM = (sys.executable, "-c", "from gateway.cli import main; main()")


class StageError(Exception):
    """One line for people: what didn't come up, and where to look."""


class Stage:
    """Everything runs on loopback and in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.networks: dict[str, dict[str, Any]] = {}
        self._control = ""
        self._environment: dict[str, str] = {}
        self._processes: list[asyncio.subprocess.Process] = []
        self._gateway: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            await _end(process)
        if self._session is not None:
            await self._session.close()

    # Processes.

    async def open_sandbox(self) -> None:
        process = await self._start("sandbox", "--json", log="sandbox.log", out=asyncio.subprocess.PIPE)
        assert process.stdout is not None  # noqa: S101 - asked for in the line above
        async with asyncio.timeout(START_TIMEOUT_S):
            line = await process.stdout.readline()
        if not line:
            raise StageError(f"the sandbox didn't start; {self.folder / 'sandbox.log'} says why")
        world = json.loads(line)
        self._control, self.networks = world["control"], world["networks"]
        for network in self.networks.values():
            self._environment.update(network["environment"])

    async def open_gateway(self) -> None:
        """Start it and wait until its endpoint answers."""
        (self.folder / "multihome.db.endpoint").unlink(missing_ok=True)
        self._gateway = await self._start("run", "--config", str(self.folder / "multihome.toml"), log="gateway.log")
        async with asyncio.timeout(START_TIMEOUT_S):
            while not (self.folder / "multihome.db.endpoint").exists():
                if self._gateway.returncode is not None:
                    raise StageError(f"the gateway didn't start; {self.folder / 'gateway.log'} says why")
                await _pause(0.02)

    async def kill_gateway(self) -> None:
        """SIGKILL: no goodbye."""
        if self._gateway is not None:
            self._gateway.kill()
            await self._gateway.wait()

    async def _start(self, *arguments: str, log: str, out: int | None = None) -> asyncio.subprocess.Process:
        with (self.folder / log).open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *_PROGRAM,
                *arguments,
                stdout=out if out is not None else sink,
                stderr=sink,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    # Lines.

    async def control(self, method: str, path: str, **body: Any) -> Any:
        """Ask the sandbox."""
        assert self._session is not None  # noqa: S101 - inside the context
        async with self._session.request(method, f"{self._control}/{path}", json=body or None) as answer:
            if answer.status >= 400:
                raise StageError(f"the sandbox refused {path}: {(await answer.text()).strip()}")
            return await answer.json()

    async def desk(self, operation: str, **arguments: Any) -> Any:
        """Ask the gateway; ``None`` when it isn't there (killed, starting)."""
        assert self._session is not None  # noqa: S101 - inside the context
        try:
            address = json.loads((self.folder / "multihome.db.endpoint").read_text())
            url = f"{address['url']}/local/{operation}"
            head = {"Authorization": f"Bearer {address['token']}"}
            async with self._session.post(url, json=arguments, headers=head) as answer:
                body = await answer.json()
        except (OSError, ValueError, aiohttp.ClientError, TimeoutError):
            return None
        if answer.status >= 400:
            raise StageError(f"the gateway refused {operation}: {body['error']}")
        return body

    async def until_healthy(self, accounts: list[str], timeout_s: float) -> bool:
        """Wait until these accounts can send and listen."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    rows = await self.desk("accounts") or []
                    well = {row["account"] for row in rows if row["standing"] == "healthy" and row["listening"]}
                    if well >= set(accounts):
                        return True
                    await _pause(0.05)
        except TimeoutError:
            return False


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - the demonstration plays in real time, outside the gateway

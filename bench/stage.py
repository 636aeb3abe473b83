"""The processes of a measurement: the server on its core, what is measured on the other, and lines to talk to them."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cores import choose, pin

HERE = Path(__file__).parent
RIVALS = HERE.parent / ".venv-bench" / "bin" / "python"
"""Where the queues that are measured beside ours are installed."""
PATIENCE_S = 90.0


class Process:
    """A child that answers each line with a line, and ends with its input."""

    def __init__(self, child: asyncio.subprocess.Process, name: str) -> None:
        self._child = child
        self._name = name

    @staticmethod
    async def start(script: str, *arguments: str, python: str = sys.executable) -> Process:
        pipe = asyncio.subprocess.PIPE
        command = (python, str(HERE / script), *arguments)
        child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 24)
        return Process(child, " ".join((script, *arguments)))

    async def line(self) -> dict[str, Any]:
        assert self._child.stdout is not None  # noqa: S101  # for the type checker
        async with asyncio.timeout(PATIENCE_S):
            line = await self._child.stdout.readline()
        if not line:
            raise SystemExit(f"bench: {self._name} ended without an answer")
        said: dict[str, Any] = json.loads(line)
        return said

    async def ask(self, **told: Any) -> dict[str, Any]:
        assert self._child.stdin is not None  # noqa: S101  # for the type checker
        self._child.stdin.write(json.dumps(told).encode() + b"\n")
        return await self.line()

    async def end(self) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            async with asyncio.timeout(15):
                await self._child.wait()
        except TimeoutError:
            self._child.kill()
            await self._child.wait()


class Stage:
    """The server, for as long as the measurement lasts."""

    def __init__(self) -> None:
        self.client_cpu, self.server_cpu = choose()
        self._server: Process | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await Process.start("server.py", *_on(self.server_cpu))
        self.url = (await self._server.line())["url"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            await self._server.end()

    async def worker(self, role: str, platform: str) -> Process:
        return await self._ready("worker.py", role, platform, self.url)

    async def load(self, role: str, database: str = "", *, pinned: bool = True) -> Process:
        """A process of ``loads.py``."""
        return await self._ready("worker.py", role, "", database, pinned=pinned)

    async def rival(self, name: str, database: str) -> Process:
        return await self._ready("rivals.py", name, database, python=str(RIVALS))

    async def _ready(self, script: str, *arguments: str, python: str = sys.executable, pinned: bool = True) -> Process:
        process = await Process.start(script, *arguments, *_on(self.client_cpu if pinned else None), python=python)
        await process.line()
        return process

    async def server(self, do: str, **told: Any) -> Any:
        """Ask the server to do something; its state, or what was asked for."""
        return await asyncio.to_thread(self._post, json.dumps({"do": do, **told}).encode())

    def _post(self, body: bytes) -> Any:
        with urllib.request.urlopen(f"{self.url}/bench", body, timeout=PATIENCE_S) as answer:  # noqa: S310  # loopback
            return json.loads(answer.read())

    async def program(self, *arguments: str, environment: dict[str, str], cwd: Path) -> asyncio.subprocess.Process:
        """``multihome`` itself, its log on a pipe."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from gateway.cli import main; main()",
            *arguments,
            env=environment,
            cwd=cwd,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=partial(pin, self.client_cpu),
        )


def _on(cpu: int | None) -> tuple[str, ...]:
    return () if cpu is None else ("--cpu", str(cpu))

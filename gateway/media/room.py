"""How many bytes of media are in memory at once, over everything that is being sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from gateway.model.content import Document

ROOM_BYTES = 256 * 1024 * 1024


class Room:
    """First come, first served. A post with more than the whole room goes when it is alone."""

    def __init__(self, most_bytes: int = ROOM_BYTES) -> None:
        self._most = most_bytes
        self._taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def of(self, document: Document) -> AbstractAsyncContextManager[None]:
        """Room for what a document shows, waited for; words need none."""
        size = sum(one.size_bytes for one in document.media)
        return self._taking(size) if size else nullcontext()

    @asynccontextmanager
    async def _taking(self, size: int) -> AsyncIterator[None]:
        await self._wait(size)
        try:
            yield
        finally:
            self._taken -= size
            self._let_in()

    async def _wait(self, size: int) -> None:
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, let_in))
        self._let_in()
        try:
            await let_in
        except asyncio.CancelledError:
            if not let_in.cancelled():
                self._taken -= size
            self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting:
            size, let_in = self._waiting[0]
            if not let_in.cancelled():
                if self._taken and self._taken + size > self._most:
                    return
                self._taken += size
                let_in.set_result(None)
            self._waiting.popleft()

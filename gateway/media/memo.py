"""Remembering what was asked for, for some minutes: several who ask at once, and soon again, ask once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from gateway.media.errors import MediaError
from gateway.ports import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
REMEMBERED_MAX = 500
AGAIN_AFTER_S = 30.0
"""What failed is asked for again after this."""


class _Entry(Generic[V]):
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.found: V | MediaError | None = None
        self.until_s = float("-inf")


class Memo(Generic[K, V]):
    """Values by their keys, made when they are asked for."""

    def __init__(self, clock: Clock, keep_s: float) -> None:
        self._clock = clock
        self._keep_s = keep_s
        self._entries: dict[K, _Entry[V]] = {}

    async def get(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        """What ``make`` gave not long ago, or gives now. Its MediaError is remembered for a shorter while."""
        entry = self._entries.setdefault(key, _Entry())
        while len(self._entries) > REMEMBERED_MAX:
            del self._entries[next(iter(self._entries))]
        async with entry.lock:
            if self._clock.monotonic() >= entry.until_s:
                await self._make(entry, make)
        if isinstance(entry.found, MediaError):
            raise MediaError(str(entry.found))
        return entry.found  # type: ignore[return-value]  # it was made: None is a value too

    async def _make(self, entry: _Entry[V], make: Callable[[], Awaitable[V]]) -> None:
        keep_s = self._keep_s
        try:
            entry.found = await make()
        except MediaError as error:
            entry.found, keep_s = error, AGAIN_AFTER_S
        entry.until_s = self._clock.monotonic() + keep_s

"""A clock to hold, a vault in memory, and an adapter's context."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

from gateway.media.kept import kept
from gateway.model.ids import AccountId
from gateway.model.secret import Secret
from gateway.model.standing import Signal
from gateway.ports import Clock, Context


class ManualClock:
    """Time that moves only when told. Sleepers wake in order as it passes their hour."""

    def __init__(self, start: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    async def sleep(self, delay_s: float) -> None:
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + delay_s, next(self._order), future))
        await future

    @property
    def sleepers(self) -> int:
        """How many wait for time to pass."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Let time pass; everybody whose hour comes runs before this returns."""
        until = self._elapsed_s + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            self._elapsed_s, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await settle()
        self._elapsed_s = until
        await settle()


async def settle(turns: int = 20) -> None:
    """Give every ready task its turn."""
    for _ in range(turns):
        await asyncio.sleep(0)


class MemoryVault:
    """A vault that forgets."""

    def __init__(self) -> None:
        self.secrets: dict[str, Secret] = {}

    async def get(self, name: str) -> Secret | None:
        return self.secrets.get(name)

    async def put(self, name: str, secret: Secret) -> None:
        self.secrets[name] = secret


class Bench:
    """A context for one adapter under test, with everything it is handed in reach."""

    def __init__(self, account: str, clock: Clock) -> None:
        self.vault = MemoryVault()
        self.reports: list[Signal] = []
        self.pictures: dict[str, bytes] = {}
        self.context = Context(AccountId(account), clock, self.vault, kept(self._media), self.reports.append)

    async def _media(self, sha256: str) -> bytes:
        return self.pictures[sha256]

"""What goes wrong. Each trouble takes something, hurts it for a while, and leaves it as it was."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from chaos_count import Loss
from chaos_database import Server
from chaos_processes import ChaosError
from chaos_town import Town
from chaos_traffic import now_unix_s

LEASE_S = 5.0
"""How long a gateway's word is good without being renewed: what sleeps longer has been replaced."""
SUSPENDED_S = (2.0, 7.0)
COUNTED = ("drop_before", "drop_after", "fail_before", "fail_after")


@dataclass(frozen=True)
class Kind:
    """``hurt(town, target, chance)`` lasts as long as the trouble; ``targets`` are what only one may hold at a time.

    ``rough`` ones hurt a process or its disk, not a network.
    """

    name: str
    weight: int
    targets: Callable[[Town], list[str]]
    hurt: Callable[[Town, str, random.Random], Awaitable[None]]
    rough: bool = False


def _networks(what: str) -> Callable[[Town], list[str]]:
    return lambda town: [f"{what} {name}" for name in town.sandbox.networks]


def _gateways(town: Town) -> list[str]:
    return [f"process {number}" for number in range(len(town.gateways))]


def _last(target: str) -> str:
    return target.rpartition(" ")[2]


async def _kill(town: Town, target: str, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0.0, 1.0))
    town.shake()
    town.gateways[int(_last(target))].kill()


async def _restart(town: Town, target: str, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0.0, 1.0))
    town.shake()
    town.gateways[int(_last(target))].terminate()


async def _freeze(town: Town, target: str, chance: random.Random) -> None:
    gateway = town.gateways[int(_last(target))]
    gateway.freeze()
    try:
        await asyncio.sleep(LEASE_S + chance.uniform(0.2, 1.5))
    finally:
        town.shake()
        gateway.thaw()


async def _full(town: Town, _: str, chance: random.Random) -> None:
    disk = town.database.disk
    assert disk is not None
    town.shake()
    disk.fill(chance.choice((0, 4, 16, 64, 256)))
    try:
        await asyncio.sleep(chance.uniform(0.5, 3.0))
    finally:
        disk.free()
        town.shake()


async def _gone(town: Town, _: str, chance: random.Random) -> None:
    """As in a restart, or as in a crash; it is back at once, soon, or too late for the leases."""
    assert isinstance(town.database, Server)
    town.shake()
    await town.database.stop(chance.choice((signal.SIGINT, signal.SIGQUIT)))
    try:
        await asyncio.sleep(chance.choice((0.0, 1.0, 3.0, LEASE_S + 2.0)))
    finally:
        await town.database.start()
        town.shake()


async def _down(town: Town, target: str, chance: random.Random) -> None:
    name = _last(target)
    await town.sandbox.ask("POST", f"{name}/down")
    try:
        await asyncio.sleep(chance.uniform(0.5, 4.0))
    finally:
        await town.sandbox.ask("POST", f"{name}/up")


async def _cut(town: Town, target: str, _: random.Random) -> None:
    await town.sandbox.ask("POST", f"{_last(target)}/cut")


async def _answers(town: Town, target: str, chance: random.Random) -> None:
    """A few writes end badly: before or after they were accepted, by an error or by silence."""
    rule = {"kind": chance.choice(COUNTED), "on": "write", "count": chance.randint(1, 5)}
    async with _rule(town, _last(target), rule):
        await asyncio.sleep(chance.uniform(0.5, 3.0))


async def _storm(town: Town, target: str, chance: random.Random) -> None:
    """429 to every write. Always with a word on how long: without one, gateways rightly wait for many minutes."""
    rule = {"kind": "rate_limit", "on": "write", "retry_after_s": chance.choice((0.2, 1.0, 2.0))}
    async with _rule(town, _last(target), rule):
        await asyncio.sleep(chance.uniform(0.5, 2.0))


async def _slow(town: Town, target: str, chance: random.Random) -> None:
    rule = {"kind": "delay", "on": "write", "delay_s": round(chance.uniform(0.2, 1.5), 2)}
    async with _rule(town, _last(target), rule):
        await asyncio.sleep(chance.uniform(0.5, 2.0))


async def _broken_event(town: Town, target: str, _: random.Random) -> None:
    await town.sandbox.ask("POST", f"{_last(target)}/faults", kind="malformed_event", count=1)


def _take_away(kind: str) -> Callable[[Town, str, random.Random], Awaitable[None]]:
    """The account is lost and comes back; a lock also wants the operator's word."""

    async def hurt(town: Town, target: str, chance: random.Random) -> None:
        name = _last(target)
        loss = Loss(name, kind, now_unix_s())
        town.losses.append(loss)
        try:
            async with _rule(town, name, {"kind": kind, "account": "agent"}):
                await asyncio.sleep(chance.uniform(*SUSPENDED_S))
        finally:
            loss.until_unix_s = now_unix_s()
        if kind == "lock":
            await town.resume(name)

    return hurt


@asynccontextmanager
async def _rule(town: Town, name: str, rule: dict[str, object]) -> AsyncIterator[None]:
    made = await town.sandbox.ask("POST", f"{name}/faults", **rule)
    try:
        yield
    finally:
        with suppress(ChaosError):  # a counted one is used up
            await town.sandbox.ask("DELETE", f"{name}/faults/{made['id']}")


KINDS = (
    Kind("kill -9", 6, _gateways, _kill, rough=True),
    Kind("restart", 2, _gateways, _restart, rough=True),
    Kind("freeze", 2, _gateways, _freeze, rough=True),
    Kind("disk full", 4, lambda town: ["disk"] if town.database.disk is not None else [], _full, rough=True),
    Kind("database gone", 3, lambda town: ["server"] if isinstance(town.database, Server) else [], _gone, rough=True),
    Kind("down", 3, _networks("house"), _down),
    Kind("cut", 2, _networks("streams"), _cut),
    Kind("bad answers", 6, _networks("answers"), _answers),
    Kind("429 storm", 2, _networks("answers"), _storm),
    Kind("slow", 2, _networks("pace"), _slow),
    Kind("malformed", 1, _networks("events"), _broken_event),
    Kind("suspend", 2, _networks("standing"), _take_away("suspend")),
    Kind("lock", 2, _networks("standing"), _take_away("lock")),
    Kind("revoke", 2, _networks("standing"), _take_away("revoke")),
)


class Troubles:
    """Those that are under way. Several at once, but never two of the same thing."""

    def __init__(self, town: Town, only: frozenset[str] = frozenset()) -> None:
        self._town = town
        self._kinds = [kind for kind in KINDS if (not only or kind.name in only) and kind.targets(town)]
        self._busy: dict[str, asyncio.Task[None]] = {}
        self.times: dict[str, int] = {}

    def begin(self, chance: random.Random, *, most: int = 3) -> list[str]:
        """One to ``most`` new ones; returns what they are."""
        return [name for _ in range(min(most, chance.choice((1, 1, 2, 3)))) if (name := self._one(chance))]

    async def end(self) -> None:
        """When all have passed. Raises what went wrong in making them."""
        await asyncio.gather(*self._busy.values())

    async def stop(self) -> None:
        """At once."""
        busy = list(self._busy.values())
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)

    def _one(self, chance: random.Random) -> str:
        kind = chance.choices(self._kinds, [one.weight for one in self._kinds])[0]
        targets = kind.targets(self._town)
        target = chance.choice(targets) if targets else ""
        if not target or target in self._busy:
            return ""
        own = random.Random(chance.random())  # noqa: S311 - troubles, not secrets
        task = self._busy[target] = asyncio.create_task(kind.hurt(self._town, target, own))
        task.add_done_callback(lambda done: self._passed(target, done))
        self.times[kind.name] = self.times.get(kind.name, 0) + 1
        return f"{kind.name} ({target})"

    def _passed(self, target: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is None:
            del self._busy[target]

"""One of several gateways dies for good: the others must have its accounts soon, and share them fairly."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from chaos_count import found_in
from chaos_database import Server
from chaos_gauge import crowding, effort
from chaos_town import Town
from chaos_troubles import LEASE_S

SOON_S = 10.0
"""As it is promised. What others than we take of the machine makes the second half longer; the first is the leases'."""
CROWDED_MOST = 3.0
"""While we only wait, others may take all there is: that slows nobody down, and must not excuse everything."""
GIVEN_UP_AFTER_S = 60.0
"""A late one is waited for, so that it can be told how late."""
EVEN_WITHIN_S = 20.0
LOOK_EVERY_S = 0.1


async def succeed(town: Town, chance: random.Random) -> tuple[float, list[str]]:
    """In a calm: how long the others took, and what is wrong with it. Afterwards all gateways are there again."""
    if not await _within(EVEN_WITHIN_S, lambda: _is_even(town, len(town.gateways))):
        return 0.0, [f"uneven: leases stay {await _told(town)}"]
    victim = chance.choice(town.gateways)
    victim.hold(True)
    town.shake()
    victim.kill()
    killed, before = time.monotonic(), effort()
    try:
        asked = [await town.traffic.ask(name) for name in town.sandbox.networks]
        served = await _within(GIVEN_UP_AFTER_S, lambda: _all_there(town, set(asked)))
        took_s = time.monotonic() - killed
        wrong = _late(took_s, victim.name, crowding(before, effort()), town.tell, served=served)
        even = await _within(EVEN_WITHIN_S, lambda: _is_even(town, len(town.gateways) - 1))
        wrong += [] if even else [f"uneven: after {victim.name} died leases stay {await _told(town)}"]
    finally:
        victim.hold(False)
    return took_s, wrong


def _late(took_s: float, victim: str, crowded: float, tell: Callable[[str], None], *, served: bool) -> list[str]:
    soon_s = LEASE_S + (SOON_S - LEASE_S) * min(crowded, CROWDED_MOST)
    others = f"others took {1 - 1 / crowded:.0%} of the machine, which allows for {soon_s:.1f} s"
    if not served:
        return [f"late: after {took_s:.1f} s not everybody had an answer since {victim} died; {others}"]
    if took_s > soon_s:
        return [f"late: {took_s:.1f} s until everybody had an answer after {victim} died; {others}"]
    if took_s > SOON_S:
        tell(f"late by the clock, {took_s:.1f} s after {victim} died; but {others}")
    return []


async def _within(limit_s: float, condition: Callable[[], Awaitable[bool]]) -> bool:
    end = time.monotonic() + limit_s
    while not await condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return True


async def _is_even(town: Town, number: int) -> bool:
    """Every lease has an owner, and none of so many gateways has two more than another."""
    assert isinstance(town.database, Server)
    held = (await town.database.holdings()).values()
    return len(held) == number and sum(held) == len(town.sandbox.networks) + 1 and max(held) - min(held) <= 1


async def _all_there(town: Town, marks: set[str]) -> bool:
    there = set()
    for name in town.sandbox.networks:
        messages = await town.sandbox.ask("GET", f"{name}/messages?by=agent")
        there |= {one.mark for one in found_in(name, messages)}
    return marks <= there


async def _told(town: Town) -> str:
    assert isinstance(town.database, Server)
    return ", ".join(map(str, sorted((await town.database.holdings()).values())))

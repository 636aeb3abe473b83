"""One of several gateways dies for good: the others must have its accounts soon, and share them fairly."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable

from chaos_count import found_in
from chaos_database import Server
from chaos_town import Town

SOON_S = 10.0
"""On a machine that has no more to do than it can: else as many times longer as it has more."""
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
    killed = time.monotonic()
    try:
        asked = [await town.traffic.ask(name) for name in town.sandbox.networks]
        soon_s = SOON_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        served = await _within(soon_s, lambda: _all_there(town, set(asked)))
        took_s = time.monotonic() - killed
        even = await _within(EVEN_WITHIN_S, lambda: _is_even(town, len(town.gateways) - 1))
        wrong = [] if even else [f"uneven: after {victim.name} died leases stay {await _told(town)}"]
    finally:
        victim.hold(False)
    if not served:
        wrong.append(f"late: {took_s:.1f} s after {victim.name} died not everybody had an answer")
    return took_s, wrong


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

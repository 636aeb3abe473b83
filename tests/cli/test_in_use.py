"""A database that somebody else has: waited for a while, for a command is soon done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from cli_rig import House

from gateway import wiring
from gateway.books import InUse, Store
from gateway.config import load
from gateway.store import open_store
from gateway.testing.kit import ManualClock


async def starting_beside(house: Callable[..., House]) -> tuple[Store, asyncio.Task[wiring.Gateway], ManualClock]:
    """Somebody who has the database, and a gateway that is started meanwhile."""
    h, clock = house("mastodon"), ManualClock()
    config = load(h.folder / "multihome.toml", wiring.platforms(), h.secrets)
    other = open_store(config.gateway.database)
    starting = asyncio.create_task(wiring.build(config, clock=clock))
    await clock.advance(0.0)
    return other, starting, clock


async def test_a_gateway_waits_for_a_command_that_works_on_its_database(house: Callable[..., House]) -> None:
    command, starting, clock = await starting_beside(house)
    await clock.advance(2.0)
    assert not starting.done()
    await command.aclose()
    await clock.advance(0.5)
    gateway = await starting
    await gateway.services.store.aclose()


async def test_one_that_is_another_gateways_is_not_waited_for_long(house: Callable[..., House]) -> None:
    other, starting, clock = await starting_beside(house)
    await clock.advance(4.0)
    with pytest.raises(InUse, match="another gateway"):
        await starting
    await other.aclose()

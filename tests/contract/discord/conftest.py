"""Every test here has a Discord of its own, and an account there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.discord.adapter import DiscordAccount
from tests.contract.discord.discord_rig import Rig, discord_rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with discord_rig() as one:
        yield one


@pytest.fixture
async def account(rig: Rig) -> DiscordAccount:
    return await rig.open()

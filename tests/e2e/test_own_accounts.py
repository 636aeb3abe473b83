"""Two accounts of ours on one platform: they hear each other, and keep their peace."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gateway.model.standing import Standing


@pytest.mark.parametrize("network", ["x", "bluesky", "mastodon"])
async def test_they_dont_answer_each_other(town: Any, network: str, caplog: pytest.LogCaptureFixture) -> None:
    """Discord and Telegram show a bot no other bot's words."""
    caplog.set_level(logging.INFO, "multihome")
    second = f"{network}/second"
    async with town(network, handles=("agent", "second")) as t:
        await t.until_standing(second, Standing.HEALTHY)
        await t.until_listening(second)
        t.says(network, "hello cousin1", person="agent", account="second")
        t.says(network, "hello later2", account="second")
        await t.until(lambda: any("own_account" in line for line in caplog.messages))
        held_by = t.sandbox.faces[network].network.held_by
        await t.until(lambda: bool(held_by("second")))
        await t.until_settled()
        assert [m.text.split()[-1] for m in held_by("second")] == ["later2"]
        assert [m.text.split()[-1] for m in held_by("agent")] == ["cousin1"]

"""Exactly one effect: plan frozen, resumed after a crash anywhere, certain and uncertain, keys, reading back."""

from __future__ import annotations

from collections.abc import Callable

from core_rig import RED, World

from gateway.model.delivery import State

Worlds = Callable[..., World]


async def test_a_post_goes_out_once(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        one = await house.say("hello")
        await house.quiet()
        assert await house.state(one) is State.DELIVERED
    assert w.texts(RED) == ["hello"]

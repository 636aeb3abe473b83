"""What the simulated world found: marks that were lost on the way, and a send that left a lost account."""

from __future__ import annotations

import pytest
from core_rig import LOCKED, RED, SUSPENDED, World, Worlds
from msgspec import structs
from revising_rig import changing

from gateway.model.capabilities import Idempotency
from gateway.model.delivery import RESENT, FaultKind, State
from gateway.model.ids import ConversationId
from gateway.model.standing import Signal, Source
from gateway.testing.scripted import refused, scripted_profile, unclear

NONE = structs.replace(scripted_profile(Idempotency.NONE), probe_sees_lock=True)


@pytest.mark.parametrize("held", [True, False])
async def test_what_may_be_there_twice_says_so_wherever_it_goes(world: Worlds, held: bool) -> None:
    """It is held and goes home, or its conversation moves: before the second time, or after it."""
    w: World = world()
    async with w.house(profiles={RED: NONE}, on_uncertain="resend") as house:
        w[RED].troubles.append(unclear(accepted=True))
        if not held:
            w[RED].troubles.append(refused(FaultKind.MOVED, "it is elsewhere", moved_to=ConversationId("c2")))
        one = await house.say("hello", place="c1")
        await house.quiet()
        if held:
            await house.lose(fault=LOCKED)
            found = await house.now(one)
            assert (found.state, found.reason.startswith(RESENT)) == (State.HELD, True), found.reason
            await house.regain()
        await house.pass_time(60)
        found = await house.now(one)
        assert found.state is State.DELIVERED
        assert found.reason.startswith(RESENT), found.reason
    assert len(w.texts(RED)) == 2


async def test_what_may_be_there_says_so_when_it_is_withdrawn(world: Worlds) -> None:
    w: World = world()
    async with w.house(profiles={RED: NONE}, on_uncertain="resend") as house:
        w[RED].troubles.append(unclear(accepted=True))
        one = await house.say("hello", place="c1")
        await house.quiet()
        await house.lose(fault=LOCKED)
        (outcome,) = await changing(house).delete(one.id)
        assert (outcome.delivery.state, outcome.reason) == (State.REFUSED, f"{RESENT}: withdrawn")
    assert w.texts(RED) == ["hello"]


async def test_an_account_that_is_lost_while_a_send_is_claimed_sends_nothing(world: Worlds) -> None:
    w: World = world()
    async with w.house() as house:

        def lost(name: str) -> None:
            if name in ("add", "begin"):  # stored as begun, or claimed later
                w[RED].lost = SUSPENDED
                signal = Signal(Source.RECEIVE, w.clock.now(), SUSPENDED.evidence, SUSPENDED)
                house.monitor.observe(RED, signal)

        house.store.after = lost
        asked: list[str] = []
        w[RED].before_send = lambda _, part: asked.append(part.key)
        one = await house.say("hello")
        await house.quiet()
        house.store.after = lambda _: None
        assert asked == []
        assert await house.state(one) is State.HELD
        await house.regain()
        await house.pass_time(60)
        assert w.texts(RED) == ["hello"]

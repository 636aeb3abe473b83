"""X shows late what it has taken: a list without it proves little, and a second one only after a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import structs

from adapters.sandbox.faults import Trouble
from adapters.x.adapter import XAdapter
from adapters.x.profile import Settings
from gateway.clock import SystemClock
from gateway.model.content import Media
from gateway.model.delivery import FaultKind, Part, Receipt
from gateway.ports import Unsure
from gateway.testing.kit import ManualClock
from tests.contract.x_rig import AT, NEVER_S, XRig, answer, asked_for_directs, draft, fault_of

LATE_S = next(each.default for each in structs.fields(Settings) if each.name == "shown_within_s")


async def lost_direct(rig: XRig, adapter: XAdapter, trouble: Trouble) -> Part:
    """A direct message whose answer never came."""
    (part,) = adapter.plan(answer(rig.face.say("ana", "direct", "hello"), "hello ana"), AT)
    rig.strike(trouble, on="write", count=1)
    assert not (await fault_of(adapter.send(part))).certain
    return part


async def test_a_direct_message_that_is_shown_late_is_found(rig: XRig) -> None:
    clock, since = ManualClock(), SystemClock().now()
    adapter = await rig.open(clock=clock)
    rig.face.shown_after_s = NEVER_S
    part = await lost_direct(rig, adapter, Trouble.DROP_AFTER)
    assert await adapter.reconcile(part, since) is Unsure.UNKNOWN
    rig.face.shown_after_s = 0.0
    await clock.advance(LATE_S)
    found = await adapter.reconcile(part, since)
    assert isinstance(found, Receipt)
    assert found.ref == f"dm/{rig.held()[0].id}"


async def test_a_direct_message_was_not_sent_when_two_looks_say_so(rig: XRig) -> None:
    clock, since = ManualClock(), SystemClock().now()
    adapter = await rig.open(clock=clock)
    part = await lost_direct(rig, adapter, Trouble.DROP_BEFORE)
    for _ in range(2):  # what is found out of one attempt says nothing of the next
        before = asked_for_directs(rig)
        assert await adapter.reconcile(part, since) is Unsure.UNKNOWN
        await clock.advance(LATE_S - 1)
        assert await adapter.reconcile(part, since) is Unsure.UNKNOWN
        await clock.advance(1)
        assert await adapter.reconcile(part, since) is Unsure.NOT_SENT
        assert asked_for_directs(rig) - before == 2  # they are billed
        rig.strike(Trouble.DROP_BEFORE, on="write", count=1)
        await fault_of(adapter.send(part))


async def test_an_older_direct_message_in_the_same_words_is_another_one(rig: XRig) -> None:
    adapter = await rig.open()
    said = answer(rig.face.say("ana", "direct", "hello"), "thank you")
    (part,) = adapter.plan(said, AT)
    await adapter.send(part)
    rig.held()[0].at -= timedelta(hours=2)
    since = SystemClock().now()
    rig.strike(Trouble.DROP_BEFORE, on="write", count=1)
    await fault_of(adapter.send(part))
    assert await adapter.reconcile(part, since) is Unsure.UNKNOWN


async def test_a_look_that_could_not_be_finished_is_none(rig: XRig) -> None:
    clock, since = ManualClock(), SystemClock().now()
    adapter = await rig.open(clock=clock)
    part = await lost_direct(rig, adapter, Trouble.DROP_BEFORE)
    rig.strike(Trouble.MALFORMED_EVENT, on="read", action="dm_events", count=1)
    assert await adapter.reconcile(part, since) is Unsure.UNKNOWN
    await clock.advance(LATE_S)
    assert await adapter.reconcile(part, since) is Unsure.UNKNOWN
    await clock.advance(LATE_S)
    assert await adapter.reconcile(part, since) is Unsure.NOT_SENT


async def test_a_post_that_x_calls_a_duplicate_is_looked_for_till_late(rig: XRig) -> None:
    clock, since = ManualClock(), SystemClock().now()
    adapter = await rig.open(clock=clock)
    rig.face.shown_after_s = NEVER_S
    (part,) = adapter.plan(draft("once"), AT)
    rig.strike(Trouble.DROP_AFTER, on="write", count=1)
    await fault_of(adapter.send(part))
    assert await adapter.reconcile(part, since) is Unsure.NOT_SENT  # a repeat is harmless
    assert (await fault_of(adapter.send(part))).kind is FaultKind.DUPLICATE
    assert await adapter.reconcile(part, since) is Unsure.UNKNOWN
    rig.face.shown_after_s = 0.0
    await clock.advance(LATE_S)
    assert isinstance(await adapter.reconcile(part, since), Receipt)
    assert len(rig.held()) == 1


@pytest.mark.parametrize("words", ["", "look"])
async def test_a_post_with_a_picture_is_looked_for_twice(rig: XRig, words: str) -> None:
    clock, since = ManualClock(), SystemClock().now()
    adapter = await rig.open(clock=clock)
    rig.bench.pictures["aa"] = b"png"
    rig.face.shown_after_s = NEVER_S
    (part,) = adapter.plan(draft(words, media=(Media("aa", "image/png", 3),)), AT)
    rig.strike(Trouble.DROP_AFTER, on="write", action="post", count=1)
    await fault_of(adapter.send(part))
    assert await adapter.reconcile(part, since) is Unsure.UNKNOWN
    rig.face.shown_after_s = 0.0
    await clock.advance(LATE_S)
    assert isinstance(await adapter.reconcile(part, since), Receipt)
    assert len(rig.held()) == 1


async def test_the_duplicate_of_what_others_said_before_is_refused_in_the_end(rig: XRig) -> None:
    clock, since = ManualClock(), SystemClock().now()
    adapter = await rig.open(clock=clock)
    rig.strike(Trouble.REFUSE, on="write", code="duplicate")
    (part,) = adapter.plan(draft("once"), AT)
    assert (await fault_of(adapter.send(part))).kind is FaultKind.DUPLICATE
    assert await adapter.reconcile(part, since) is Unsure.UNKNOWN
    await clock.advance(LATE_S)
    assert await adapter.reconcile(part, since) is Unsure.NOT_SENT

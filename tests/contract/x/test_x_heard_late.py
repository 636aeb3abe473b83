"""X shows late what somebody wrote: what is younger may be there first, and hides it from who asks from there on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import structs

from adapters.sandbox.world import Message
from adapters.sandbox.x_wire import wire_id
from adapters.x.profile import Settings
from adapters.x.receive import BEGINNING, HEARD_MAX, SEQUENCE_BITS
from gateway.model.events import MessageEdited
from gateway.testing.conformance.rig import Listener
from tests.contract.x_rig import NEVER_S, XRig, asked_for_directs

LATE_S = next(each.default for each in structs.fields(Settings) if each.name == "shown_within_s")
FLOOD = HEARD_MAX + 250
KINDS = pytest.mark.parametrize("kind", ["mention", "direct"])


def held_back(rig: XRig, kind: str, text: str) -> Message:
    message = rig.face.say("ana", kind, text)
    message.extra["held_back"] = True
    return message


def told(listener: Listener) -> list[str]:
    return [event.text.split()[-1] for event in listener.messages("number")]


@KINDS
async def test_what_is_shown_behind_something_younger_is_heard_once(rig: XRig, kind: str) -> None:
    async with Listener(await rig.open()) as listener:
        await listener.started()
        late = held_back(rig, kind, "number 1")
        rig.face.say("ben", kind, "number 2")
        await listener.until(lambda: told(listener) == ["2"])
        late.extra["held_back"] = False
        await listener.until(lambda: told(listener) == ["2", "1"])
        rig.face.say("ben", kind, "number 3")
        await listener.until(lambda: "3" in told(listener))
    assert told(listener) == ["2", "1", "3"]


@KINDS
@pytest.mark.parametrize("many", [99, 100, 150, HEARD_MAX])
async def test_what_is_late_is_looked_for_behind_all_that_was_heard(rig: XRig, kind: str, many: int) -> None:
    rig.face.say("ana", kind, "said before")
    async with Listener(await rig.open()) as listener:
        await listener.started()
        late = held_back(rig, kind, "number late")
        for number in range(many):
            rig.face.say("ben", kind, f"number {number}")
        await listener.until(lambda: len(told(listener)) == many)
        late.extra["held_back"] = False
        await listener.until(lambda: "late" in told(listener))
    assert len(told(listener)) == many + 1


async def test_after_a_flood_two_pages_of_direct_messages_are_read_again(rig: XRig) -> None:
    """No more: 15 requests are allowed in 15 minutes."""
    async with Listener(await rig.open()) as flooded:
        await flooded.started()
        for number in range(FLOOD):
            rig.face.say("ben", "direct", f"number {number}")
        await flooded.until(lambda: len(told(flooded)) == FLOOD)
    before = asked_for_directs(rig)
    async with Listener(await rig.open(poll_direct_s=NEVER_S), flooded.cursor) as listener:
        for text in ("before the look", "behind it"):
            rig.face.say("ana", "mention", text)
            await listener.message(text)
    assert asked_for_directs(rig) - before == 2


@KINDS
async def test_a_restart_hears_what_was_late_before_it(rig: XRig, kind: str) -> None:
    adapter = await rig.open()
    async with Listener(adapter) as first:
        await first.started()
        late = held_back(rig, kind, "number 1")
        rig.face.say("ben", kind, "number 2")
        await first.until(lambda: told(first) == ["2"])
    late.extra["held_back"] = False
    async with Listener(adapter, first.cursor) as again:
        await again.until(lambda: "1" in told(again))
    assert told(again) == ["1"]


@KINDS
@pytest.mark.parametrize("shown_within_s", [0.001, LATE_S])
async def test_the_place_follows_what_was_heard_once_nothing_older_can_show(
    rig: XRig, kind: str, shown_within_s: float
) -> None:
    async with Listener(await rig.open(shown_within_s=shown_within_s)) as listener:
        await listener.started()
        first = rig.face.say("ben", kind, "number 1")
        await listener.until(lambda: told(listener) == ["1"])
        rig.face.say("ben", kind, "number 2")
        await listener.until(lambda: told(listener) == ["1", "2"])
        assert listener.cursor is not None
        sure = int(msgspec.json.decode(listener.cursor)[f"{kind}s"]["sure"])
    assert (sure >= int(wire_id(first))) == (shown_within_s < LATE_S)


async def test_an_edit_of_what_may_still_be_read_again_is_an_edit(rig: XRig) -> None:
    async with Listener(await rig.open()) as listener:
        await listener.started()
        said = rig.face.say("ana", "mention", "number 1")
        await listener.until(lambda: told(listener) == ["1"])
        rig.face.person_edits(said.id, "number 2")
        await listener.until(lambda: any(isinstance(event, MessageEdited) for event in listener.events))
    assert told(listener) == ["1"]


def edits(listener: Listener) -> list[MessageEdited]:
    return [event for event in listener.events if isinstance(event, MessageEdited)]


async def test_what_was_edited_before_it_was_shown_is_a_message(rig: XRig) -> None:
    async with Listener(await rig.open()) as listener:
        await listener.started()
        late = held_back(rig, "mention", "number 1")
        rig.face.say("ben", "mention", "number 2")
        await listener.until(lambda: told(listener) == ["2"])
        rig.face.person_edits(late.id, "number 3")
        late.extra["held_back"] = False
        await listener.until(lambda: len(listener.events) == 2)
    assert told(listener) == ["2", "3"]


@pytest.mark.parametrize("shown_within_s", [0.001, LATE_S])
@pytest.mark.parametrize("is_late", [True, False])
async def test_an_edit_names_the_version_that_came_as_a_message(
    rig: XRig, shown_within_s: float, is_late: bool
) -> None:
    async with Listener(await rig.open(shown_within_s=shown_within_s)) as listener:
        await listener.started()
        said = held_back(rig, "mention", "number 1")
        if is_late:
            rig.face.person_edits(said.id, "number 1, a second version: 1")
        said.extra["held_back"] = False
        await listener.until(lambda: told(listener) == ["1"])
        for count in (1, 2):
            rig.face.say("ben", "mention", "number more")
            await listener.until(lambda count=count: told(listener).count("more") == count)  # type: ignore[misc]  # it is bound
            rig.face.person_edits(said.id, f"number {count}")
            await listener.until(lambda count=count: len(edits(listener)) == count)  # type: ignore[misc]  # it is bound
    assert {edit.ref for edit in edits(listener)} == {listener.messages("number 1")[0].ref}


async def test_a_cursor_of_before_says_only_what_was_heard(rig: XRig) -> None:
    said = rig.face.say("ana", "mention", "number 1")
    old = msgspec.json.encode({"mention": wire_id(said), "direct": "1"}).decode()
    async with Listener(await rig.open(), old) as listener:
        rig.face.say("ben", "mention", "number 2")
        await listener.until(lambda: told(listener) == ["2"])


async def test_in_a_flood_the_place_stays_small(rig: XRig) -> None:
    adapter = await rig.open()
    async with Listener(adapter) as listener:
        await listener.started()
        for number in range(FLOOD):
            rig.face.say("ben", "mention", f"number {number}")
        await listener.until(lambda: len(told(listener)) == FLOOD)
        rig.face.say("ben", "mention", "number last")
        await listener.until(lambda: "last" in told(listener))
    assert len(told(listener)) == FLOOD + 1
    assert listener.cursor is not None
    assert len(msgspec.json.decode(listener.cursor)["mentions"]["heard"]) == HEARD_MAX


def test_an_id_tells_the_hour_as_x_says() -> None:
    """An X id and its hour: docs.x.com/x-api/posts/lookup/quickstart."""
    hour = BEGINNING + timedelta(milliseconds=1460323737035677698 >> SEQUENCE_BITS)
    assert hour.replace(microsecond=0) == datetime(2021, 11, 15, 19, 8, 5, tzinfo=UTC)

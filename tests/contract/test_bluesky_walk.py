"""The real atproto library against the Bluesky face: how far back notifications are read, and what of it is new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bluesky_rig import (
    Rig,
    bluesky_rig,  # noqa: F401 - a fixture
    fault_of,
    listening,
    one_part,
)
from msgspec import json

from adapters.bluesky import receive, transport
from adapters.bluesky.events import SAID
from adapters.bluesky.pages import Page
from adapters.bluesky.receive import Place, Position
from adapters.sandbox import bluesky_methods
from adapters.sandbox.bluesky_bodies import stamp
from gateway.model.delivery import FaultKind

LIST = "app.bsky.notification.listNotifications"


def mention(rig: Rig, text: str, **ago: float) -> str:
    """Somebody's, stamped so long ago; its address."""
    at = stamp(datetime.now(UTC) - timedelta(**ago))
    return rig.face.say("ana", "mention", text, record={"createdAt": at}).id


# Pages with nothing on them, and with too much.


async def test_an_empty_page_isnt_the_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Likes are left out after the page was cut, so between two mentions there may be a page of nothing."""
    monkeypatch.setattr(bluesky_methods, "FETCHES_MAX", 1)
    adapter = await rig.open()
    await adapter.send(one_part(adapter, "please like"))
    async with listening(adapter) as ear:
        pass
    said = [mention(rig, "before they came")]
    for number in range(250):
        rig.face.person_reacts(f"fan{number}", rig.held()[0].id)
    said.append(mention(rig, "after"))
    async with listening(adapter, ear.cursor) as later:
        await later.until(2)
    assert [event.id for event in later.heard] == said


async def test_empty_pages_are_read_no_further_than_something_new_may_be(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index's cursor is a time (@atproto/bsky 0.0.280, IsoSortAtKey)."""
    adapter = await rig.open(poll_direct_s=0)
    async with listening(adapter) as ear:
        mention(rig, "hello")
        await ear.until(1)
    asked: list[str | None] = []

    async def emptied(_: str, params: dict[str, Any]) -> Page:
        if params["reasons"][0] == "mention":
            asked.append(params.get("cursor"))
        return Page(cursor=stamp(datetime.now(UTC) - timedelta(seconds=40 * len(asked))))

    monkeypatch.setattr(adapter._session, "page", emptied)
    receiver = receive.Receiver(adapter._session, rig.settings(), rig.bench.context)
    assert await receiver._unread(SAID, json.decode(ear.cursor or "", type=Position)) == []
    assert len(asked) == 2


@pytest.mark.parametrize("cursor", ["1", "20240102", "1712010112345", "3n3badtmspe22", "2024-13-01", "-"])
def test_a_cursor_that_is_no_time_is_never_past(cursor: str) -> None:
    assert not receive._is_past(cursor, datetime.now(UTC))


async def test_a_page_longer_than_it_was_asked_for_is_read_whole(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor is behind all of it."""
    adapter = await rig.open()
    page = adapter._session.page

    async def longer(nsid: str, params: dict[str, Any], *more: Any) -> Any:
        return await page(nsid, params | {"limit": 3 * params["limit"]} if nsid == LIST else params, *more)

    async with listening(adapter) as ear:
        mention(rig, "hello")
        await ear.until(1)
        monkeypatch.setattr(adapter._session, "page", longer)
        for number in range(25):
            mention(rig, f"number {number}")
        await ear.until(26)


# Records so long that a page of them is more than is read.


def long_ones(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ANSWER_MAX_BYTES", 200_000)
    for number in range(60):
        rig.face.say("mallory", "mention", f"long {number}", record={"x": "a" * 5_000})


async def test_a_page_that_is_too_large_is_read_in_pieces(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        pass
    long_ones(rig, monkeypatch)
    async with listening(adapter, ear.cursor) as later:
        await later.until(60)
        mention(rig, "after them")
        rig.face.say("ben", "direct", "in private")
        await later.until(62)
    assert {event.text for event in later.heard[60:]} == {"@agent.test after them", "in private"}


async def test_a_start_among_long_ones_is_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ones(rig, monkeypatch)
    adapter = await rig.open()
    async with listening(adapter) as ear:
        new = mention(rig, "after them")
        await ear.until(1)
    assert [event.id for event in ear.heard] == [new]


async def test_a_look_back_among_long_ones_silences_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "LOOK_BACK_S", 0.0)
    adapter = await rig.open()
    async with listening(adapter) as ear:
        long_ones(rig, monkeypatch)
        await ear.until(60)
        mention(rig, "after them")
        await ear.until(61)
        rig.face.say("ben", "direct", "in private")
        await ear.until(62)
    assert [event.text for event in ear.heard[60:]] == ["@agent.test after them", "in private"]


async def test_one_that_is_too_large_by_itself_is_a_fault(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        pass
    mention(rig, "hello")
    monkeypatch.setattr(transport, "ANSWER_MAX_BYTES", 100)
    async with listening(adapter, ear.cursor) as later:
        fault = await fault_of(later.step())
    assert fault.kind is FaultKind.SERVER


# What is shown again: people are unmuted, blocks are lifted.


@pytest.mark.parametrize("known", [0, 1])
async def test_what_is_shown_again_is_old(rig: Rig, known: int) -> None:
    hidden = [rig.face.network.messages[mention(rig, f"old {n}", days=30, seconds=-n)] for n in range(20)]
    for one in hidden:
        one.deleted = True
    for number in range(known):
        mention(rig, f"before {number}", minutes=10)
    adapter = await rig.open()
    async with listening(adapter) as ear:
        for one in hidden:
            one.deleted = False
        late, new = mention(rig, "by a slow clock", seconds=90), mention(rig, "new")
        await ear.until(2)
        further = mention(rig, "and on")
        await ear.until(3)
    assert [event.id for event in ear.heard] == [late, new, further]


async def test_what_is_shown_again_in_the_course_of_things_is_old(rig: Rig) -> None:
    for number in range(20):
        mention(rig, f"old {number}", hours=25, seconds=-number)
    adapter = await rig.open()
    lately = datetime.now(UTC) - timedelta(minutes=30)
    async with listening(adapter, Position(at=lately, marks=Place()).cursor) as ear:
        said = [mention(rig, "late", hours=23), mention(rig, "new")]
        await ear.until(2)
    assert [event.id for event in ear.heard] == said


async def test_after_a_long_absence_everything_is_new(rig: Rig) -> None:
    said = [mention(rig, f"number {n}", days=29 - n) for n in range(20)]
    last = datetime.now(UTC) - timedelta(days=30)
    adapter = await rig.open()
    async with listening(adapter, Position(at=last, floor=last, marks=Place()).cursor) as ear:
        await ear.until(20)
    assert [event.id for event in ear.heard] == said

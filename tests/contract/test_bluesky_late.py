"""The real atproto library against the Bluesky face: what comes late or can't be read, and what isn't lost by it."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bluesky_rig import (
    Rig,
    bluesky_rig,  # noqa: F401 - a fixture
    fault_of,
    listening,
    one_part,
    raw_server,
)
from msgspec import Raw, json

from adapters.bluesky import receive, wire
from adapters.bluesky.pages import DEPTH_MAX, shallow
from adapters.bluesky.receive import Place, Position
from adapters.sandbox.bluesky_bodies import stamp
from gateway.model.delivery import FaultKind, InConversation
from gateway.model.events import Kind
from gateway.testing.kit import ManualClock

LIST = "app.bsky.notification.listNotifications"


def mention(rig: Rig, text: str, **ago: float) -> str:
    """Somebody's, stamped so long ago; its address."""
    at = stamp(datetime.now(UTC) - timedelta(**ago))
    return rig.face.say("ana", "mention", text, record={"createdAt": at}).id


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"x": value}
    return value


# What is stamped earlier than what was read.


async def test_a_late_mention_is_heard_once_and_never_again(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        first = mention(rig, "in time", seconds=1)
        await ear.until(1)
        late = mention(rig, "by a slow clock", seconds=91)
        await ear.until(2)
        second = mention(rig, "and on")
        await ear.until(3)
    async with listening(adapter, ear.cursor) as later:
        third = mention(rig, "after a restart")
        await later.until(1)
    assert [event.id for event in ear.heard + later.heard] == [first, late, second, third]
    assert ear.heard[1].at < ear.heard[0].at


async def test_what_comes_late_while_nobody_listens_is_heard(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        for number in range(40):
            mention(rig, f"number {number}", minutes=40 - number)
        await ear.until(40)
    late = mention(rig, "by a late relay", minutes=30.5)
    async with listening(adapter, ear.cursor) as later:
        await later.until(1)
    assert [event.id for event in later.heard] == [late]


async def test_what_comes_late_among_many_is_heard(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and then a poll looks further back than the newest ten."""
    monkeypatch.setattr(receive, "LOOK_BACK_S", 0.0)
    adapter = await rig.open()
    async with listening(adapter) as ear:
        for number in range(40):
            mention(rig, f"number {number}", minutes=40 - number)
        await ear.until(40)
        late = mention(rig, "by a late relay", minutes=30.5)
        await ear.until(41)
    assert ear.heard[-1].id == late


async def test_a_late_like_is_heard(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.send(one_part(adapter, "please like"))
    async with listening(adapter) as ear:
        rig.face.person_reacts("ana", rig.held()[0].id)
        await ear.until(1)
        record = {"createdAt": stamp(datetime.now(UTC) - timedelta(hours=1))}
        likes = {"$type": "app.bsky.feed.like", "subject": {"uri": rig.held()[0].id, "cid": "cid"}, **record}
        uri = "at://did:plc:ben/app.bsky.feed.like/3kaaaaaaaaa2a"
        rig.face.tell_author(rig.face.network.member("ana"), uri, "cid", likes)  # type: ignore[arg-type]  # she was here
        await ear.until(2)
    assert ear.heard[1].id == uri


async def test_what_was_there_before_the_start_never_comes_late(rig: Rig) -> None:
    """A deletion brings what is further back onto the page."""
    for number in range(150):
        mention(rig, f"before {number}", minutes=200 - number)
    newest = mention(rig, "the newest", minutes=1)
    adapter = await rig.open()
    async with listening(adapter) as ear:
        for message in list(rig.face.network.messages.values())[60:150]:
            message.deleted = True
        new = mention(rig, "new")
        await ear.until(1)
        rig.face.network.messages[newest].deleted = True
        again = mention(rig, "and again")
        await ear.until(2)
    assert [event.id for event in ear.heard] == [new, again]


async def test_what_is_forgotten_is_never_new_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "SEEN_MAX", 5)
    monkeypatch.setattr(receive, "LOOK_BACK_S", 0.0)
    adapter = await rig.open()
    async with listening(adapter) as ear:
        said = [mention(rig, f"number {n}", seconds=30 - n) for n in range(20)]
        await ear.until(20)
        said.append(mention(rig, "late, but not too late", seconds=12.5))
        await ear.until(21)
    assert ear.cursor is not None
    assert len(json.decode(ear.cursor, type=Position).known) == 5
    async with listening(adapter, ear.cursor) as later:
        said.append(mention(rig, "one more"))
        await later.until(1)
    assert [event.id for event in ear.heard + later.heard] == said


async def test_a_start_in_the_middle_of_others_notifications_hears_nothing_old(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may be empty and not the last: the real index drops other reasons after it counted."""
    mention(rig, "long ago", hours=5)
    adapter = await rig.open()
    page = adapter._session.page

    async def emptied(*args: Any) -> Any:
        told = await page(*args)
        told.notifications, told.cursor = [], "1"
        return told

    monkeypatch.setattr(adapter._session, "page", emptied)
    async with listening(adapter) as ear:
        monkeypatch.undo()
        new = mention(rig, "new")
        await ear.until(1)
    assert [event.id for event in ear.heard] == [new]


async def test_a_cursor_without_times_repeats_nothing(rig: Rig) -> None:
    """As they were kept until 2026-11-27."""
    old = [mention(rig, f"number {n}", minutes=20 - n) for n in range(20)]
    at = datetime.now(UTC) - timedelta(minutes=1)
    place = {"at": at.isoformat(), "seen": old[-5:]}
    adapter = await rig.open()
    async with listening(adapter, json.encode({**place, "marks": place}).decode()) as ear:
        new = mention(rig, "new")
        await ear.until(1)
        late = mention(rig, "late", seconds=80)
        await ear.until(2)
    assert [event.id for event in ear.heard] == [new, late]


async def test_a_quiet_poll_costs_ten_items_and_one_request(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(150):
        mention(rig, f"number {number}", minutes=200 - number)
    adapter = await rig.open(poll_direct_s=0)
    asked: list[tuple[Any, ...]] = []
    page = adapter._session.page

    async def noted(nsid: str, params: dict[str, Any]) -> Any:
        asked.append((params["reasons"][0], params["limit"]))
        return await page(nsid, params)

    monkeypatch.setattr(adapter._session, "page", noted)
    async with listening(adapter) as ear:
        mention(rig, "one")
        await ear.step()
        mention(rig, "two")
        await ear.step()
    first = [("mention", 100), ("like", 100)]
    assert asked == [*first, ("mention", 100), ("like", 100), ("mention", 10)]


# A conversation that isn't shown any more.


def left(rig: Rig, person: str, text: str) -> str:
    """Somebody says a last word to us; we are gone from there before it is read."""
    convo = rig.face.say(person, "direct", text).conversation
    rig.face.chat.leave(rig.member, convo)
    return convo


async def test_a_conversation_that_is_gone_holds_up_no_other(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        gone = left(rig, "ana", "a last word")
        rig.face.say("ben", "direct", "hello")
        heard = await ear.until(2)
        assert [(event.text, event.kind, event.addressed) for event in heard] == [
            ("a last word", Kind.GROUP, False),
            ("hello", Kind.DIRECT, True),
        ]
        assert (heard[0].private, heard[0].author.id) == (True, rig.face.network.member("ana").id)  # type: ignore[union-attr]
        fault = await fault_of(adapter.send(one_part(adapter, "too late", InConversation(heard[0].conversation))))
        assert fault.kind is FaultKind.TARGET_GONE
    assert sum(gone in line or "isn't shown" in line for line in caplog.messages) == 1
    async with listening(adapter, ear.cursor) as later:
        rig.face.say("ben", "direct", "again")
        await later.until(1)
    assert [event.text for event in later.heard] == ["again"]


async def test_a_conversation_that_is_shown_again_is_known_again(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        left(rig, "ana", "a last word")
        await ear.until(1)
        convo = rig.face.chat.between(rig.member, rig.face.network.member("ana"))  # type: ignore[arg-type]  # she was here
        convo.members = (rig.member, rig.face.network.member("ana"))  # type: ignore[assignment]
        rig.face.say("ana", "direct", "back again")
        await ear.until(2)
    assert (ear.heard[1].text, ear.heard[1].kind, ear.heard[1].addressed) == ("back again", Kind.DIRECT, True)
    assert ear.heard[1].author.handle == "ana.test"


@pytest.mark.parametrize("trouble", [{"kind": "rate_limit"}, {"kind": "outage", "status": 403}, {"kind": "outage"}])
async def test_what_may_pass_is_waited_for(rig: Rig, trouble: dict[str, Any]) -> None:
    """Nothing is handed over meanwhile as if nobody knew who talks there."""
    adapter = await rig.open()
    async with listening(adapter) as ear:
        rig.strike(**trouble, action="convo", count=2)
        rig.face.say("ana", "direct", "hello")
        (event,) = await ear.until(1)
    assert (event.text, event.kind, event.author.handle) == ("hello", Kind.DIRECT, "ana.test")


# Records nested deeper than a decoder goes.


@pytest.mark.parametrize("depth", [DEPTH_MAX, 300])
async def test_a_deep_record_holds_up_nothing(rig: Rig, depth: int) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        rig.face.say("mallory", "mention", "deep", record={"x": nested(depth)})
        rig.face.say("ana", "mention", "in public")
        rig.face.say("ben", "direct", "in private")
        async with asyncio.timeout(10):
            while not {"in public", "in private"} <= {event.text.removeprefix("@agent.test ") for event in ear.heard}:
                await ear.step()
    async with listening(adapter, ear.cursor) as later:
        rig.face.say("ana", "mention", "and on")
        await later.until(1)
    assert [event.text for event in later.heard] == ["@agent.test and on"]


async def test_no_depth_is_too_deep(rig: Rig) -> None:
    """Also where the decoder has just managed it and what is done with it next doesn't."""
    adapter = await rig.open()
    receiver = receive.Receiver(adapter._session, rig.settings(), rig.bench.context)
    rig.face.say("ana", "mention", "hello")
    (note,) = rig.member.extra["heard"]
    flat = json.encode(note)
    for depth in (*range(800, 1_010, 5), 5_000):
        deep = flat.replace(b'"text":', b'"x":' + b'{"x":' * depth + b"1" + b"}" * depth + b',"text":', 1)
        events, _ = await receiver._heard(list(receiver._readable([Raw(deep), Raw(flat)])), Place())
        assert events[-1].id == note["uri"]


async def test_a_deep_quoted_post_is_not_waited_for(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.send(one_part(adapter, "our own words"))
    ours = rig.held()[0]
    deep = rig.face.say("mallory", "post", "deep", record={"x": nested(300)})
    async with listening(adapter) as ear:
        rig.face.say("ana", "quote", "of the deep", of=deep.id)
        rig.face.say("ana", "quote", "of ours", of=ours.id)
        heard = await ear.until(2)
    assert heard[1].document.quote.text == "our own words"


async def test_an_item_that_no_decoder_reads_is_left_out_alone(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    body = b'{"notifications": [{"uri": 1e999}, {"uri": "\xff"}, {"uri": "a"}], "cursor": "c"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    adapter = await rig.open()
    receiver = receive.Receiver(adapter._session, rig.settings(), rig.bench.context)
    async with raw_server(head + body) as (url, _):
        line = wire.Wire(url, ManualClock())
        page = await line.page(LIST, {}, {})
        await line.aclose()
    with caplog.at_level(logging.WARNING):
        assert list(receiver._readable(page.notifications)) == [{"uri": "a"}]
    assert sum("left out" in line for line in caplog.messages) == 2


@pytest.mark.parametrize("depth", [199, 201, 1_100, 100_000])
async def test_a_page_with_a_deep_item_is_read(depth: int) -> None:
    deep = b'{"uri": "deep", "record": {"text": "[[\\"{", "x": ' + b'{"x":[' * depth + b"]}" * depth + b', "y": 1}}'
    body = b'{"notifications": [' + deep + b', {"uri": "flat"}], "cursor": "c"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with raw_server(head + body) as (url, _):
        line = wire.Wire(url, ManualClock())
        page = await line.page(LIST, {}, {})
        await line.aclose()
    assert page.cursor == "c"
    assert json.decode(page.notifications[1]) == {"uri": "flat"}


def test_what_is_too_deep_is_null() -> None:
    inside = {"words": '[{"\\', "list": [1, [2]], "other": {}}
    deep = b'{"a":' * DEPTH_MAX + b'{"b":[{}]}' + b"}" * DEPTH_MAX
    kept = json.decode(shallow(b'{"deep":[%s],"flat":%s}' % (deep, json.encode(inside))))
    assert kept["flat"] == inside
    assert b"null" in json.encode(kept["deep"])
    assert shallow(json.encode(inside)) == json.encode(inside)


@pytest.mark.parametrize("broken", [b"", b"[" * 5_000, b"]" * 5_000, b'"' + b'\\"' * 5_000, b"\\", b"{" * 200 + b'"'])
def test_what_is_no_json_stays_none(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        json.decode(shallow(broken))

"""The real atproto library against the Bluesky face: what people see of a draft, as the network holds it."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from bluesky_rig import (
    Rig,
    bluesky_rig,  # noqa: F401 - a fixture
    draft,
    fault_of,
    listening,
    one_part,
    send_all,
)
from msgspec import structs

from adapters.sandbox.bluesky_lexicon import GATES, LIKES, POSTS, QUOTE_GATES, REPOSTS
from gateway.model.content import Card, Document, Media, Quote, Text
from gateway.model.delivery import FaultKind, InConversation, Receipt, Repliers
from gateway.ports import Previews, Reposts
from gateway.text.markdown import from_markdown
from gateway.text.plain import from_text

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
MP4 = b"\x00\x00\x00\x18ftypmp42" + b"film"


def media(rig: Rig, data: bytes = PNG, mime: str = "image/png", **more: Any) -> Media:
    digest = sha256(data).hexdigest()
    rig.bench.pictures[digest] = data
    return Media(digest, mime, len(data), **{"alt": "words", "width_px": 4, "height_px": 3, **more})


def record(rig: Rig, place: int = -1) -> dict[str, Any]:
    held: dict[str, Any] = rig.held()[place].extra["record"]
    return held


SAID = from_text("look: https://example.org/a/rather/long/path")


async def test_links_are_short_and_lead_to_the_whole_address(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.send(
        one_part(adapter, from_markdown("[the page](https://e.org/x), https://e.org/y. #news in `#code`"))
    )
    text = rig.held()[0].text
    assert text == "the page, e.org/y. #news in #code"
    told = [
        (text.encode()[f["index"]["byteStart"] : f["index"]["byteEnd"]].decode(), f["features"][0])
        for f in record(rig)["facets"]
    ]
    assert [(words, feature.get("uri") or feature.get("tag")) for words, feature in told] == [
        ("the page", "https://e.org/x"),
        ("e.org/y", "https://e.org/y"),
        ("#news", "news"),
    ]


async def test_a_film(rig: Rig) -> None:
    adapter = await rig.open()
    part = one_part(adapter, structs.replace(SAID, media=(media(rig, MP4, "video/mp4"),)))
    first = await adapter.send(part)
    assert rig.held()[0].media == [{"mime": "video/mp4", "size_bytes": len(MP4), "alt": "words"}]
    assert record(rig)["embed"]["aspectRatio"] == {"width": 4, "height": 3}
    assert (await adapter.send(part)).ref == first.ref
    assert len(rig.held()) == 1


async def test_a_card_with_its_picture(rig: Rig) -> None:
    adapter = await rig.open()
    url = "https://example.org/a/rather/long/path"
    card = Card(url, "A page", "All about it", media(rig))
    await adapter.send(one_part(adapter, structs.replace(SAID, card=card)))
    external = record(rig)["embed"]["external"]
    assert (external["uri"], external["title"], external["description"]) == (url, "A page", "All about it")
    assert external["thumb"]["size"] == len(PNG)
    assert rig.held()[0].media == []


async def test_a_quote_with_four_pictures(rig: Rig) -> None:
    adapter = await rig.open()
    theirs = rig.face.say("ana", "post", "said before")
    quote = Quote("bluesky", f"{theirs.id} {theirs.extra['cid']}")  # type: ignore[arg-type]  # a ref
    pictures = tuple(media(rig, PNG + bytes([n]), alt=f"number {n}") for n in range(4))
    await adapter.send(one_part(adapter, structs.replace(SAID, quote=quote, media=pictures, sensitive=True)))
    embed = record(rig)["embed"]
    assert embed["record"]["record"] == {"uri": theirs.id, "cid": theirs.extra["cid"]}
    assert [shown["alt"] for shown in rig.held()[0].media] == [f"number {n}" for n in range(4)]
    assert record(rig)["labels"]["values"] == [{"val": "graphic-media"}]


async def test_a_numbered_thread_with_a_picture_on_the_part_that_mentions_it(rig: Rig) -> None:
    adapter = await rig.open()
    paragraphs = tuple((Text(f"{name} " + "word " * 50),) for name in ("one", "two", "three"))
    said = Document(paragraphs, (media(rig, at=1),), "en")
    await send_all(adapter, structs.replace(draft(said), numbered=True))
    assert [message.text.rpartition("\n\n")[2] for message in rig.held()] == ["1/3", "2/3", "3/3"]
    assert [len(message.media) for message in rig.held()] == [0, 1, 0]
    assert record(rig, 2)["reply"]["root"]["uri"] == rig.held()[0].id
    assert record(rig, 2)["reply"]["parent"]["uri"] == rig.held()[1].id


async def test_who_may_reply_stands_beside_the_post(rig: Rig) -> None:
    adapter = await rig.open()
    (part,) = adapter.plan(structs.replace(draft("quiet, please"), repliers=Repliers.FOLLOWED), datetime.now(UTC))
    first = await adapter.send(part)
    rules = [rule["$type"] for rule in rig.held()[0].extra["gate"]]
    assert rules == [f"{GATES}#mentionRule", f"{GATES}#followingRule"]
    assert (await adapter.send(part)).ref == first.ref
    assert [attempt.action for attempt in rig.face.network.attempts] == ["post", "gate", "post", "gate"]
    assert len(rig.face.repos.keys(rig.member.id, GATES)) == 1


@pytest.mark.parametrize("trouble", ["fail_before", "fail_after", "drop_before", "drop_after"])
async def test_a_post_whose_reply_rule_failed_is_asked_about_and_gets_it(rig: Rig, trouble: str) -> None:
    adapter = await rig.open()
    (part,) = adapter.plan(structs.replace(draft("quiet, please"), repliers=Repliers.NOBODY), datetime.now(UTC))
    rig.strike(trouble, count=1, on="write", action="gate")
    fault = await fault_of(adapter.send(part))
    assert not fault.certain
    assert isinstance(await adapter.reconcile(part, datetime.now(UTC)), Receipt)
    assert rig.held()[0].extra["gate"] == []
    assert len(rig.held()) == 1


async def test_a_refused_reply_rule_is_never_certain_that_nothing_was_sent(rig: Rig) -> None:
    adapter = await rig.open()
    (part,) = adapter.plan(structs.replace(draft("quiet, please"), repliers=Repliers.NOBODY), datetime.now(UTC))
    rig.strike("rate_limit", count=1, on="write", action="gate", retry_after_s=30)
    fault = await fault_of(adapter.send(part))
    assert (fault.kind, fault.certain) == (FaultKind.RATE_LIMITED, False)


async def test_a_deleted_post_takes_what_guards_it_along(rig: Rig) -> None:
    adapter = await rig.open()
    (part,) = adapter.plan(structs.replace(draft("quiet, please"), repliers=Repliers.NOBODY), datetime.now(UTC))
    receipt = await adapter.send(part)
    uri = receipt.ref.partition(" ")[0]
    rig.face.repos.write(rig.member, QUOTE_GATES, part.key, {"$type": QUOTE_GATES, "post": uri})
    await adapter.delete(receipt.ref)
    await adapter.delete(receipt.ref)
    assert not [name for name in (POSTS, GATES, QUOTE_GATES) if rig.face.repos.keys(rig.member.id, name)]
    assert [attempt.action for attempt in rig.face.network.attempts] == ["post", "gate", "delete"]


async def test_showing_a_post_to_others_twice_is_once(rig: Rig) -> None:
    adapter = await rig.open()
    assert isinstance(adapter, Reposts)
    async with listening(adapter) as ear:
        said = rig.face.say("ana", "mention", "worth reading")
        (event,) = await ear.until(1)
    await adapter.repost(event.ref)
    await adapter.repost(event.ref)
    await adapter.react(event.ref, "❤️")
    assert said.extra["reposts"] == [rig.member.id]
    assert len(rig.face.repos.keys(rig.member.id, REPOSTS)) == len(rig.face.repos.keys(rig.member.id, LIKES)) == 1
    fault = await fault_of(adapter.repost("direct a b"))  # type: ignore[arg-type]  # a ref
    assert (fault.kind, fault.certain) == (FaultKind.TARGET_REFUSED, True)


async def test_a_post_is_shown_in_a_direct_message(rig: Rig) -> None:
    adapter = await rig.open()
    theirs = rig.face.say("ana", "post", "said before")
    async with listening(adapter) as ear:
        rig.face.say("ana", "direct", "hello")
        (event,) = await ear.until(1)
    quote = Quote("bluesky", f"{theirs.id} {theirs.extra['cid']}")  # type: ignore[arg-type]  # a ref
    said = structs.replace(SAID, quote=quote)
    await adapter.send(one_part(adapter, said, InConversation(event.conversation, private=True)))
    assert rig.held()[-1].extra["embed"]["record"]["value"]["text"] == "said before"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"langs": ["engl"]}, FaultKind.INVALID),
        ({"text": "x" * 301}, FaultKind.TOO_LONG),
        ({"facets": [{"index": {"byteStart": 0, "byteEnd": 9}, "features": []}]}, FaultKind.INVALID),
    ],
)
async def test_what_the_lexicons_refuse_is_a_fault_of_its_kind(rig: Rig, changes: Any, kind: FaultKind) -> None:
    adapter = await rig.open()
    part = one_part(adapter, "x")
    body = {"record": {**part.body["record"], **changes}, "media": []}
    fault = await fault_of(adapter.send(structs.replace(part, body=body)))
    assert (fault.kind, fault.certain) == (kind, True)


async def test_a_picture_that_is_bigger_than_was_told_is_refused_as_media(rig: Rig) -> None:
    adapter = await rig.open()
    big = structs.replace(media(rig, PNG + b"x" * 2_000_000), size_bytes=1000)
    fault = await fault_of(adapter.send(one_part(adapter, structs.replace(SAID, media=(big,)))))
    assert (fault.kind, fault.certain) == (FaultKind.MEDIA, True)


async def test_a_film_by_name_alone_is_refused_as_media(rig: Rig) -> None:
    """The server looks into the bytes: they are a picture's."""
    adapter = await rig.open()
    part = one_part(adapter, structs.replace(SAID, media=(media(rig, PNG, "video/mp4"),)))
    fault = await fault_of(adapter.send(part))
    assert (fault.kind, fault.certain) == (FaultKind.MEDIA, True)
    assert rig.held() == []


async def test_a_preview_is_what_the_network_then_holds(rig: Rig) -> None:
    adapter = await rig.open()
    assert isinstance(adapter, Previews)
    part = one_part(adapter, structs.replace(SAID, media=(media(rig),)))
    shown = adapter.preview(part)
    await adapter.send(part)
    assert shown.text == rig.held()[0].text
    assert shown.media == (f"image image/png, {len(PNG)} bytes: words",)

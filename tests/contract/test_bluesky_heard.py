"""The real atproto library against the Bluesky face: what others show, like and show on, and how it is fetched."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest
from bluesky_rig import (
    Rig,
    bluesky_rig,  # noqa: F401 - a fixture
    draft,
    fault_of,
    listening,
    one_part,
    raw_server,
    send_all,
)
from msgspec import json

from adapters.bluesky.blobs import Blobs
from adapters.bluesky.receive import Position
from gateway.model.content import Link
from gateway.model.delivery import FaultKind, InConversation
from gateway.model.events import Reacted, Reposted
from gateway.model.media import Attachment
from gateway.ports import Fetches

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 50_000


def pictured(rig: Rig, person: str = "ana") -> dict[str, Any]:
    author = rig.face.network.member(person)
    assert author is not None
    blob = rig.face.repos.store(author, PNG, "image/png")
    image = {"image": blob, "alt": "a blue square", "aspectRatio": {"width": 2, "height": 1}}
    return {"$type": "app.bsky.embed.images", "images": [image]}


async def fetched(adapter: Fetches, attachment: Attachment) -> bytes:
    async with aclosing(adapter.fetch(attachment)) as pieces:  # type: ignore[type-var]  # it is a generator
        return b"".join([piece async for piece in pieces])


async def test_a_picture_is_told_and_fetched(rig: Rig) -> None:
    adapter = await rig.open()
    assert isinstance(adapter, Fetches)
    rig.face.say("ana", "post", "I am here")
    async with listening(adapter) as ear:
        record = {"embed": pictured(rig), "langs": ["de"], "labels": {"values": [{"val": "nudity"}]}}
        rig.face.say("ana", "mention", "look", record=record)
        (event,) = await ear.until(1)
    (one,) = event.attachments
    assert (one.mime, one.size_bytes, one.alt, one.width_px, one.height_px) == (
        "image/png",
        len(PNG),
        "a blue square",
        2,
        1,
    )
    assert one.sensitive
    assert event.document.language == "de"
    assert await fetched(adapter, one) == PNG


async def test_a_fetch_that_is_given_up_leaves_nothing_open(rig: Rig) -> None:
    adapter = await rig.open()
    rig.face.say("ana", "post", "I am here")
    said = rig.face.say("ana", "post", "look", record={"embed": pictured(rig)})
    link = said.extra["record"]["embed"]["images"][0]["image"]["ref"]["$link"]
    async with aclosing(adapter.fetch(Attachment(f"{said.author} {link}"))) as pieces:  # type: ignore[type-var]  # it is a generator
        assert await anext(pieces)


@pytest.mark.parametrize(
    ("handle", "kind"),
    [
        ("", FaultKind.INVALID),
        ("https://evil.example/x", FaultKind.INVALID),
        ("did:web:localhost/x bafkreinone", FaultKind.INVALID),
        ("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa bafkreinone", FaultKind.TARGET_GONE),
    ],
)
async def test_what_cant_be_fetched(rig: Rig, handle: str, kind: FaultKind) -> None:
    adapter = await rig.open()
    fault = await fault_of(fetched(adapter, Attachment(handle)))
    assert fault.kind is kind


@pytest.mark.parametrize("did", ["did:web:localhost", "did:web:127.0.0.1"])
async def test_an_author_who_lives_inside_isnt_asked(did: str) -> None:
    """The own server doesn't know the author; the author's document is said to be on this very machine."""
    none = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
    async with raw_server(none) as (url, asked):

        async def own() -> str:
            return url

        blobs = Blobs(own, public=True)
        fault = await fault_of(fetched(blobs, Attachment(f"{did} bafkreinone")))
    assert (fault.kind, fault.certain) == (FaultKind.TARGET_REFUSED, True)
    assert len(asked) == 1


async def test_an_answer_that_leads_elsewhere_isnt_followed() -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(elsewhere) as (url, asked):

        async def own() -> str:
            return url

        blobs = Blobs(own, public=True)
        fault = await fault_of(fetched(blobs, Attachment("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa bafkreinone")))
    assert fault.kind is FaultKind.SERVER
    assert len(asked) == 1


async def test_a_quote_has_its_author_and_words(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.send(one_part(adapter, "our own words"))
    (ours,) = rig.held()
    async with listening(adapter) as ear:
        rig.face.say("ana", "quote", "look at this", of=ours.id)
        (event,) = await ear.until(1)
    quote = event.document.quote
    assert quote is not None
    assert quote.author is not None
    assert (quote.text, quote.author.id) == ("our own words", rig.member.id)
    assert quote.ref == f"{ours.id} {ours.extra['cid']}"


@pytest.mark.parametrize("code", ["InvalidRequest", "UpstreamFailure"])
async def test_nothing_waits_for_what_is_quoted(rig: Rig, code: str) -> None:
    adapter = await rig.open()
    await adapter.send(one_part(adapter, "our own words"))
    rig.strike("refuse", code=code, action="posts")
    async with listening(adapter) as ear:
        rig.face.say("ana", "quote", "look at this", of=rig.held()[0].id)
        rig.face.person_reacts("ben", rig.held()[0].id)
        await ear.until(2)
    assert ear.heard[0].document.quote.text == ""
    assert isinstance(ear.heard[1], Reacted)


async def test_a_card_is_a_link(rig: Rig) -> None:
    adapter = await rig.open()
    external = {"uri": "https://e.org/a", "title": "A page", "description": ""}
    async with listening(adapter) as ear:
        embed = {"$type": "app.bsky.embed.external", "external": external}
        rig.face.say("ana", "mention", "look", record={"embed": embed})
        (event,) = await ear.until(1)
    assert event.document.paragraphs[-1] == (Link("https://e.org/a", "A page"),)


async def test_a_reply_names_what_it_answers_and_where_the_thread_began(rig: Rig) -> None:
    adapter = await rig.open()
    receipts = await send_all(adapter, draft("word " * 100))
    async with listening(adapter) as ear:
        rig.face.say("ana", "reply", "which one?", to=rig.held()[1].id)
        (event,) = await ear.until(1)
    assert event.in_reply_to == receipts[1].ref
    assert event.thread_root == receipts[0].ref
    assert event.url == ""  # a network of one's own has no pages
    assert json.decode(event.raw)["reason"] == "reply"


async def test_likes_and_reposts_name_the_post_as_its_receipt_does(rig: Rig) -> None:
    adapter = await rig.open()
    receipts = await send_all(adapter, draft("word " * 100))
    async with listening(adapter) as ear:
        rig.face.person_reacts("ana", rig.held()[1].id)
        rig.face.person_reposts("ben", rig.held()[0].id)
        rig.face.person_reacts("agent", rig.held()[0].id)
        await ear.until(2)
    liked, reposted = ear.heard
    assert isinstance(liked, Reacted)
    assert isinstance(reposted, Reposted)
    assert (liked.ref, liked.author.handle, liked.reaction) == (receipts[1].ref, "ana.test", "❤️")
    assert (reposted.ref, reposted.author.handle) == (receipts[0].ref, "ben.test")
    assert liked.conversation == reposted.conversation


async def test_reactions_in_direct_messages_go_both_ways(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        said = rig.face.say("ana", "direct", "hello")
        await ear.until(1)
        await adapter.react(ear.heard[0].ref, "🎉")
        receipt = await adapter.send(one_part(adapter, "hello yourself", InConversation(ear.heard[0].conversation)))
        rig.face.person_reacts("ana", rig.held()[-1].id, "🙏")
        await ear.until(2)
    assert [message.kind for message in rig.held()] == ["direct"]
    assert said.reactions
    reaction = ear.heard[1]
    assert isinstance(reaction, Reacted)
    assert (reaction.reaction, reaction.ref, reaction.author.handle) == ("🙏", receipt.ref, "ana.test")
    assert reaction.conversation == ear.heard[0].conversation


async def test_likes_never_push_out_what_was_said(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters.bluesky import receive

    monkeypatch.setattr(receive, "PAGES_MAX", 2)
    adapter = await rig.open()
    await adapter.send(one_part(adapter, "please like"))
    async with listening(adapter) as ear:
        cursor = ear.cursor
    rig.face.say("ana", "mention", "a question")
    for number in range(200):
        rig.face.person_reacts(f"fan{number}", rig.held()[0].id)
    async with listening(adapter, cursor) as ear:
        heard = await ear.until(2)
    assert heard[0].text == "@agent.test a question"


async def test_a_cursor_from_before_likes_were_told_starts_with_those_to_come(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.send(one_part(adapter, "please like"))
    rig.face.person_reacts("ana", rig.held()[0].id)
    async with listening(adapter, Position().cursor) as ear:
        rig.face.say("ana", "mention", "hello")
        await ear.until(1)
        rig.face.person_reacts("ben", rig.held()[0].id)
        heard = await ear.until(2)
    assert [event.author.handle for event in heard] == ["ana.test", "ben.test"]
    assert isinstance(heard[1], Reacted)

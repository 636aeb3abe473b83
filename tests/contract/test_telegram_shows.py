"""python-telegram-bot itself with everything besides words: albums, polls, edits of what is shown, files that came."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from conformance_rig import SandboxRig
from msgspec import structs
from telegram_rig import TOKEN, adapter_at, face_of, http, opened, stub, telegram_rig

from adapters.telegram import session
from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.planning import STAYS
from gateway.model.content import Media, Poll, Quote, plain
from gateway.model.delivery import FaultKind, Receipt
from gateway.model.events import Kind, MemberJoined, MemberLeft, MessageReceived, PlatformEvent
from gateway.model.identity import Identity
from gateway.model.ids import MessageRef
from gateway.model.media import Attachment
from gateway.testing.conformance.rig import (
    Listener,
    answer_to,
    draft,
    hear,
    now,
    picture,
    publish,
    refused,
    send_all,
)
from gateway.text.plain import from_text

__all__ = ["telegram_rig"]  # the fixture "rig"


def file(rig: SandboxRig, mime: str, name: str = "", **more: Any) -> Media:
    data = f"{mime} {name}".encode() * 20
    digest = sha256(data).hexdigest()
    rig.bench.pictures[digest] = data
    return Media(digest, mime, len(data), name=name, **more)


async def shown(rig: SandboxRig, adapter: TelegramAdapter, text: str, *media: Media, **more: Any) -> list[Receipt]:
    said = draft(rig, text, media=media)
    said = structs.replace(said, document=structs.replace(said.document, **more))
    return await send_all(adapter, adapter.plan(said, now()))


def forms(rig: SandboxRig) -> list[list[str]]:
    return [[one["type"] for one in message.media] for message in rig.held()]


# Out.


async def test_each_kind_is_shown_in_its_own_way(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    media = (
        file(rig, "video/mp4", "film.mp4", width_px=640, height_px=360, duration_s=2.4),
        file(rig, "image/gif", animated=True),
        file(rig, "audio/mpeg", "song.mp3", duration_s=61.0),
        file(rig, "application/pdf", "report.pdf"),
        file(rig, "video/webm", "film.webm"),
    )
    for one in media:
        (receipt,) = await shown(rig, adapter, "Look", one)
        assert receipt.url
    assert forms(rig) == [["video"], ["animation"], ["audio"], ["document"], ["document"]]
    assert [message.media[0]["mime"] for message in rig.held()] == [one.mime for one in media]
    assert [message.text for message in rig.held()] == ["Look"] * 5
    assert rig.held()[3].media[0]["name"] == "report.pdf"
    assert rig.held()[0].extra["json"]["video"]["duration"] == 2


async def test_an_album_is_one_request_whose_ref_reaches_every_message(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    one, other = picture(rig, "One"), file(rig, "video/mp4")
    before = rig.attempts()
    (receipt,) = await shown(rig, adapter, "Two of them", one, other)
    assert rig.attempts() == before + 1
    assert forms(rig) == [["photo"], ["video"]]
    assert [message.text for message in rig.held()] == ["Two of them", ""]
    assert len({message.extra["json"]["media_group_id"] for message in rig.held()}) == 1
    await adapter.edit(receipt.ref, structs.replace(from_text("Both"), media=(one, other)))
    assert [message.text for message in rig.held()] == ["Both", ""]
    await adapter.edit(receipt.ref, structs.replace(from_text("Turned"), media=(other, one)))
    assert forms(rig) == [["video"], ["photo"]]
    assert [message.text for message in rig.held()] == ["Turned", ""]
    async with refused() as faults:
        await adapter.edit(receipt.ref, structs.replace(from_text("Three"), media=(one, one, one)))
    assert (faults[0].kind, faults[0].certain) == (FaultKind.TARGET_REFUSED, True)
    await adapter.delete(receipt.ref)
    assert rig.held() == []
    await adapter.delete(receipt.ref)


async def test_a_thread_answers_an_albums_first_picture(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    event = await hear(rig, adapter, "ana", Kind.GROUP, "Show me")
    pictures = (picture(rig, "One"), picture(rig, "Two"))
    await send_all(adapter, adapter.plan(answer_to(rig, event, "word " * 400, media=pictures), now()))
    first, second, text = rig.held()
    assert [first.in_reply_to, second.in_reply_to, text.in_reply_to] == [event.ref, event.ref, first.id]


async def test_what_is_sensitive_waits_under_a_veil(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    await shown(rig, adapter, "Careful", picture(rig, "One"), picture(rig, "Two"), sensitive=True)
    await shown(rig, adapter, "Careful", picture(rig, "One"), sensitive=True)
    assert [message.media[0].get("spoiler") for message in rig.held()] == [True] * 3


async def test_a_broken_picture_is_a_fault_of_the_media(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    for media in ((file(rig, "image/png"),), (picture(rig, "A square"), file(rig, "image/png"))):
        async with refused() as faults:
            await shown(rig, adapter, "Look", *media)
        assert (faults[0].kind, faults[0].certain) == (FaultKind.MEDIA, True)
    assert rig.held() == []


async def test_a_poll_is_asked_after_what_explains_it(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    poll = Poll(("Monday", "Tuesday"), 3600.0, multiple=True)
    receipts = await shown(rig, adapter, "Reasons. " * 60 + "\n\nWhich day?", poll=poll)
    before, asked = rig.held()
    assert asked.text == "Which day?"
    assert asked.extra["poll"]["open_period"] == 3600
    assert asked.extra["poll"]["allows_multiple_answers"]
    assert [option["text"] for option in asked.extra["poll"]["options"]] == ["Monday", "Tuesday"]
    assert asked.in_reply_to == before.id
    changed = structs.replace(from_text("Other?"), poll=poll)
    for document in (from_text("Other?"), changed, structs.replace(from_text("Seen?"), media=(picture(rig, "One"),))):
        async with refused() as faults:
            await adapter.edit(receipts[-1].ref, document)
        assert (faults[0].kind, faults[0].certain) == (FaultKind.TARGET_REFUSED, True)
        assert faults[0].evidence.startswith(STAYS)
    await adapter.delete(receipts[-1].ref)
    assert rig.held() == [before]


async def test_a_quoted_message_of_the_group_is_answered(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    event = await hear(rig, adapter, "ana", Kind.GROUP, "Worth quoting")
    said = structs.replace(answer_to(rig, event, "Indeed"), in_reply_to=None)
    said = structs.replace(said, document=structs.replace(said.document, quote=Quote("telegram", event.ref)))
    await send_all(adapter, adapter.plan(said, now()))
    assert (rig.held()[-1].text, rig.held()[-1].in_reply_to) == ("Indeed", event.ref)


async def test_a_picture_can_be_added_to_words_and_changed(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    ref, _ = await publish(rig, adapter, "Words")
    await adapter.edit(ref, structs.replace(from_text("With a picture"), media=(picture(rig, "One"),)))
    (held,) = rig.held()
    assert (held.text, forms(rig)) == ("With a picture", [["photo"]])
    await adapter.edit(ref, structs.replace(from_text("A paper"), media=(file(rig, "application/pdf", "a.pdf"),)))
    assert (held.text, forms(rig)) == ("A paper", [["document"]])


async def test_what_is_older_than_two_days_stays(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    ref, message = await publish(rig, adapter, "Old news")
    rig.message(message).at -= timedelta(days=3)
    async with refused() as faults:
        await adapter.delete(ref)
    assert (faults[0].kind, faults[0].certain) == (FaultKind.TARGET_REFUSED, True)


async def test_the_nearest_reaction_is_given(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    event = await hear(rig, adapter, "ana", Kind.GROUP, "Funny")
    await adapter.react(event.ref, "😂")
    assert [mark["reaction"] for mark in rig.message(event.ref).reactions] == ["🤣"]


async def test_an_older_server_without_a_method_takes_no_account_down(rig: SandboxRig) -> None:
    answer = http(b'{"ok":false,"error_code":404,"description":"Not Found: method not found"}', "404 Not Found")
    async with stub(lambda _: answer) as server, adapter_at(server.url, announce_to="@a") as adapter:
        said = draft(rig, "Which?")
        said = structs.replace(said, document=structs.replace(said.document, poll=Poll(("a", "b"))))
        async with refused() as faults:
            await send_all(adapter, adapter.plan(said, now()))
    assert (faults[0].kind, faults[0].certain) == (FaultKind.INVALID, True)


# In.


async def heard(rig: SandboxRig, adapter: TelegramAdapter, text: str, **options: Any) -> MessageReceived:
    async with Listener(adapter) as listener:
        await listener.started()
        face_of(rig).say("ana", options.pop("kind", "direct"), text, **options)
        return await listener.message(text)


async def fetched(adapter: TelegramAdapter, attachment: Attachment) -> bytes:
    return b"".join([piece async for piece in adapter.fetch(attachment)])


async def test_what_somebody_attached_can_be_fetched(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    kept = face_of(rig).files.keep(b"%PDF" * 5000, "application/pdf", "a.pdf")
    document = {"file_id": kept.id, "file_name": "../a.pdf", "mime_type": "application/pdf", "file_size": 20_000}
    event = await heard(rig, adapter, "The paper", fields={"document": document})
    assert event.attachments == (Attachment(kept.id, "application/pdf", 20_000, name="a.pdf"),)
    assert await fetched(adapter, event.attachments[0]) == kept.data
    pictured = await heard(rig, adapter, "A picture", image=True)
    (photo,) = pictured.attachments
    assert (photo.mime, photo.width_px, photo.size_bytes) == ("image/jpeg", 90, 1234)
    assert len(await fetched(adapter, photo)) == 1234


async def test_what_cannot_be_fetched_says_why_without_the_token(
    rig: SandboxRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    adapter = await opened(rig)
    large = face_of(rig).files.keep(bytes(20 * 2**20 + 1), "video/mp4")
    for attachment in (Attachment("gone"), Attachment(large.id), Attachment(large.id, size_bytes=30_000_000)):
        async with refused() as faults:
            await fetched(adapter, attachment)
        assert (faults[0].kind, faults[0].certain) == (FaultKind.MEDIA, True)
    assert not any(secret in caplog.text for secret in rig.secrets)


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/var/lib/file", "http://127.0.0.1/x", "a?b", "a/../b", "", 7, None, "@host/x"]
)
async def test_a_place_that_leads_elsewhere_is_not_gone_to(path: object) -> None:
    answer = http(json.dumps({"ok": True, "result": {"file_id": "x", "file_path": path}}).encode())
    async with stub(lambda _: answer) as server, adapter_at(server.url) as adapter:
        async with refused() as faults:
            await fetched(adapter, Attachment("x"))
        assert faults[0].kind is FaultKind.MEDIA
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        http(b"gone", "404 Not Found", kind="text/plain"),
        http(b"", "302 Found", head="Location: http://127.0.0.1/secret\r\n"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    ],
)
async def test_a_file_that_does_not_come_is_a_fault(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "READ_TIMEOUT_S", 0.05)
    place = http(b'{"ok":true,"result":{"file_id":"x","file_path":"documents/x"}}')
    async with (
        stub(lambda request: place if "getFile" in request else answer) as server,
        adapter_at(server.url) as adapter,
        refused() as faults,
    ):
        await fetched(adapter, Attachment("x"))
    assert faults[0].kind in (FaultKind.NETWORK, FaultKind.SERVER)
    assert TOKEN.partition(":")[2] not in faults[0].evidence


async def test_an_album_that_comes_is_one_message(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    async with Listener(adapter) as listener:
        await listener.started()
    for text in ("", "Both of them", ""):
        face_of(rig).say("ana", "group", text, image=True, fields={"media_group_id": "7"})
    face_of(rig).say("ana", "group", "After")
    async with Listener(adapter, listener.cursor) as later:
        await later.message("After")
    assert [event.text for event in later.messages()] == ["Both of them", "After"]
    assert [len(event.attachments) for event in later.messages()] == [3, 0]


async def test_who_comes_and_who_goes_is_told(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    async with Listener(adapter) as listener:
        await listener.started()
        face_of(rig).person_joins("ana")
        face_of(rig).person_leaves("ana")
        await listener.until(lambda: any(isinstance(event, MemberLeft) for event in listener.events))
    found: list[PlatformEvent] = [e for e in listener.events if isinstance(e, MemberJoined | MemberLeft)]
    assert [type(event) for event in found] == [MemberJoined, MemberLeft]


async def test_a_forward_says_whose_words_they_are(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    cats = {"id": -1009, "type": "channel", "title": "Cats", "username": "cats"}
    origin = {"type": "channel", "chat": cats, "message_id": 4, "date": 1_795_000_000}
    event = await heard(rig, adapter, "Meow", fields={"forward_origin": origin})
    author = Identity("telegram", "-1009", "cats", "Cats")
    assert event.document.quote == Quote("telegram", MessageRef("-1009/4"), "https://t.me/cats/4", author, "Meow")
    assert plain(event.document) == "Meow"
    assert '"forward_origin"' in event.raw

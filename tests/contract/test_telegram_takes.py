"""Any document with media, polls and spoilers, planned by the real adapter and edited into any other: the face, which
counts by itself, takes all of it, and every word is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from conformance_rig import SandboxRig
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import structs
from some_documents import documents, texts
from telegram_rig import opened, telegram_rig

from adapters.sandbox.world import Message
from adapters.telegram import entities
from adapters.telegram.adapter import TelegramAdapter
from gateway.model.content import Document, Media, Poll, plain
from gateway.model.delivery import Fault, FaultError, FaultKind, Receipt
from gateway.model.manner import Manner
from gateway.outbox.planner import planned
from gateway.testing.conformance.rig import draft, now, outcome, picture, send_all

__all__ = ["telegram_rig"]  # the fixture "rig"

MIMES = ("video/mp4", "image/gif", "audio/mpeg", "application/pdf", "video/webm")
IMPOSSIBLE = (FaultKind.TOO_LONG, FaultKind.TARGET_REFUSED)
"""Words that one caption has no room for; a poll's, and other media than an album has."""

polls = st.builds(
    Poll,
    st.lists(texts.map(lambda text: text[:100].strip()), min_size=2, max_size=12, unique=True).map(tuple),
    st.sampled_from([1.0, 3600.0, 10.0**9]),
    st.booleans(),
)


def shelf(rig: SandboxRig) -> list[Media]:
    """One of each kind."""
    for mime in MIMES:
        rig.bench.pictures[sha256(mime.encode()).hexdigest()] = mime.encode()
    files = [Media(sha256(mime.encode()).hexdigest(), mime, len(mime), animated=mime == "image/gif") for mime in MIMES]
    return [picture(rig, "A square"), *files]


@st.composite
def said(draw: st.DrawFn, media: Sequence[Media]) -> Document:
    document = draw(documents("telegram"))
    places = st.none() | st.integers(0, len(document.paragraphs) - 1)
    shown = st.builds(lambda one, at: structs.replace(one, at=at), st.sampled_from(media), places)
    return structs.replace(
        document,
        paragraphs=document.paragraphs * draw(st.sampled_from([1, 1, 9])),
        media=tuple(draw(st.lists(shown, max_size=10))),
        poll=draw(st.none() | polls),
        sensitive=draw(st.booleans()),
    )


def words(document: Document) -> list[str]:
    """Without the signs of quotations, of which there are as many as a quotation has lines."""
    return [word for word in plain(document).split() if word.strip(">")]


def read(messages: Sequence[Message]) -> Iterator[str]:
    """The words that readers see, with the addresses behind them."""
    for message in messages:
        json = message.extra["json"]
        marks = json.get("entities", json.get("caption_entities", []))
        text = json.get("text") or json.get("caption") or json.get("poll", {}).get("question", "")
        yield from words(entities.document(text, msgspec.convert(marks, list[entities.Entity])))


def fits(message: Message) -> bool:
    """Whether a caption is a caption's length, and a text a text's."""
    json = message.extra["json"]
    return len(json.get("caption", "")) <= 1024 and len(json.get("text", "")) <= 4096


async def published(rig: SandboxRig, adapter: TelegramAdapter, document: Document) -> list[Receipt]:
    asked = structs.replace(draft(rig, "x"), document=document)
    try:
        parts = planned(adapter, asked, asked.account, now(), Manner(parts_max=1_000))
    except FaultError as error:
        assume(error.fault.kind is not FaultKind.TOO_LONG)  # an address that is longer than a question
        raise
    return await send_all(adapter, parts)


def held_after(rig: SandboxRig, before: int) -> list[Message]:
    return list(rig.held())[before:]


# One network lives through all examples: it only ever gets more to hold.
@settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
async def test_any_document_is_shown_whole(rig: SandboxRig, data: st.DataObject) -> None:
    adapter, before = await opened(rig), len(rig.held())
    document = data.draw(said(shelf(rig)))
    await published(rig, adapter, document)
    held = held_after(rig, before)
    assert list(read(held)) == words(document)
    assert all(map(fits, held))
    assert sorted(_types(held)) == sorted(_wanted(document))
    asked = [message.extra["poll"] for message in held if "poll" in message.extra]
    assert [[option["text"] for option in poll["options"]] for poll in asked] == (
        [[*document.poll.options]] if document.poll else []
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
async def test_any_message_is_edited_into_any_other_or_says_why_not(rig: SandboxRig, data: st.DataObject) -> None:
    adapter, before = await opened(rig), len(rig.held())
    (first, *_) = await published(rig, adapter, data.draw(said(shelf(rig))))
    shown = list(read(held_after(rig, before)))
    (message, *_) = held_after(rig, before)
    other = structs.replace(data.draw(said(shelf(rig))), poll=None)
    ended = await outcome(adapter.edit(first.ref, other))
    if isinstance(ended, Fault):
        assert ended.kind in IMPOSSIBLE, ended
        begun = "," in first.ref  # an album's pictures are changed one by one
        assert begun or list(read(held_after(rig, before))) == shown
    else:
        assert list(read([message])) == words(other)
        assert fits(message)


def _types(held: Sequence[Message]) -> list[Any]:
    return [one["mime"] for message in held for one in message.media]


def _wanted(document: Document) -> list[str]:
    return [one.mime for one in document.media]

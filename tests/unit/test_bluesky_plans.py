"""Bluesky's plans: what a draft becomes, whole and before anything is sent; and how it is shown to people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json as msgjson
from msgspec import structs
from some_documents import documents

from adapters.bluesky.embeds import blob_places
from adapters.bluesky.measure import length
from adapters.bluesky.parts import gate_of, plan, preview, tid
from adapters.bluesky.translate import DirectMessage, Post, direct_conversation, read
from adapters.sandbox.bluesky_lexicon import check_record
from gateway.model.content import Card, Document, Link, Media, Quote, Text, plain
from gateway.model.delivery import (
    Draft,
    FaultError,
    FaultKind,
    InConversation,
    Part,
    Repliers,
    Shown,
    Target,
    Timeline,
    ToPerson,
)
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, DraftId, MessageRef, WorkspaceId
from gateway.text.measure import graphemes
from gateway.text.plain import from_text

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def draft(said: str | Document, target: Target | None = None, to: str | None = None) -> Draft:
    document = from_text(said) if isinstance(said, str) else said
    ref = MessageRef(to) if to else None
    return Draft(
        DraftId("d1"),
        WorkspaceId("default"),
        AccountId("bluesky/main"),
        target or Timeline(),
        document,
        AT,
        "key",
        in_reply_to=ref,
    )


def test_the_record_is_frozen_whole() -> None:
    (part,) = plan(draft(structs.replace(from_text("hello"), language="de")), AT)
    assert part == Part(
        0,
        "post",
        tid(AT, 0),
        {
            "record": {
                "$type": "app.bsky.feed.post",
                "text": "hello",
                "createdAt": "2026-11-22T12:00:00.123Z",
                "langs": ["de"],
            },
            "media": [],
        },
    )
    assert msgjson.decode(msgjson.encode(part), type=Part) == part


@given(st.text(alphabet="aé日👩‍👩‍👧‍👧 .\n", min_size=1, max_size=2500).filter(lambda text: text.strip()))
def test_every_part_is_within_both_limits(text: str) -> None:
    parts = plan(draft(text), AT)
    texts = [part.body["record"]["text"] for part in parts]
    assert all(graphemes(t) <= 300 and len(t.encode()) <= 3000 for t in texts)
    assert "".join("".join(texts).split()) == "".join(text.split())
    assert len({part.key for part in parts}) == len(parts)
    assert all((part.rest is None) == (len(parts) == 1) for part in parts)


@given(st.lists(documents("bluesky"), min_size=1, max_size=5), st.booleans())
def test_any_document_is_records_that_the_lexicons_take(found: list[Document], numbered: bool) -> None:
    """Lengths, places of facets and the rest are looked at by the sandbox, which shares no code with the adapter."""
    whole = Document(tuple(paragraph for one in found for paragraph in one.paragraphs))
    said, words = [], []
    for part in plan(structs.replace(draft(whole), numbered=numbered), AT):
        record = part.body["record"]
        check_record("app.bsky.feed.post", record, {})
        assert record["text"].strip()
        said += plain(read(record["text"], record.get("facets"))).split()
        words += plain(part.rest or whole).split()
    assert numbered or said == words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("नमस्ते", 3),
        ("क्षत्रिय", 3),
        ("ភាសាខ្មែរ", 5),
        ("မြန်မာဘာသာ", 8),
        ("\u0d4d\u0939", 2),
        ("\u094d\u1786\u17cf", 2),
        ("e\u0301👩‍👩‍👧🇩🇪", 3),
    ],
)
def test_characters_are_counted_as_a_real_server_does(text: str, count: int) -> None:
    """By @atproto/common-web's ``graphemeLen``, 2026-11."""
    assert length(text) == count


def test_bytes_count_where_characters_dont() -> None:
    family = "👨‍👩‍👧‍👦"
    assert len(plan(draft(family * 150), AT)) == 2  # 150 characters, 3750 bytes


def test_a_direct_message_may_be_longer() -> None:
    convo = InConversation(direct_conversation("c1"), private=True)
    (part,) = plan(draft("x" * 1000, convo), AT)
    assert (part.kind, part.key, part.conversation) == ("direct", "", "direct c1")
    assert len(plan(draft("word " * 201, convo), AT)) == 2


ROOT = "at://did:plc:b/app.bsky.feed.post/1"
THREAD = ConversationId(f"{ROOT} cidroot")


def test_a_reply_without_a_message_answers_the_root() -> None:
    (part,) = plan(draft("yes", InConversation(THREAD)), AT)
    assert part.body["record"]["reply"]["parent"] == {"uri": ROOT, "cid": "cidroot"}


def test_a_reply_deep_in_a_thread() -> None:
    parent = Post("at://did:plc:c/app.bsky.feed.post/2", "cid2", ROOT, "cidroot")
    (part,) = plan(draft("yes", InConversation(THREAD), parent.ref), AT)
    assert part.kind == "reply"
    assert part.body["record"]["reply"] == {
        "root": {"uri": ROOT, "cid": "cidroot"},
        "parent": {"uri": parent.uri, "cid": "cid2"},
    }


def test_a_person_is_called_by_a_mention() -> None:
    (part,) = plan(draft("hello", ToPerson(Identity("bluesky", "did:plc:ana", "ana.test"))), AT)
    record = part.body["record"]
    assert record["text"] == "@ana.test hello"
    assert record["facets"][0]["features"][0]["did"] == "did:plc:ana"


@pytest.mark.parametrize(
    ("target", "to"),
    [
        (InConversation(THREAD, private=True), None),  # what was private stays private
        (InConversation(THREAD), DirectMessage("c1", "m1").ref),
        (InConversation(ConversationId("nonsense")), None),
        (Timeline(), DirectMessage("c1", "m1").ref),
        (ToPerson(Identity("mastodon", "17", "ana")), None),
        (ToPerson(Identity("bluesky", "ana.test"), private=True), None),
    ],
)
def test_what_cant_be_reached_is_refused(target: Target, to: str | None) -> None:
    assert _refusal(draft("hello", target, to)) is FaultKind.TARGET_REFUSED


def test_a_direct_conversation_is_never_public() -> None:
    for private in (True, False):
        (part,) = plan(draft("psst", InConversation(direct_conversation("c1"), private)), AT)
        assert part.kind == "direct"


def media(**changes: Any) -> Media:
    return structs.replace(Media("ab" * 32, "image/png", 1000, "alt"), **changes)


FILM = media(mime="video/mp4", size_bytes=40_000_000, width_px=16, height_px=9)


@pytest.mark.parametrize(
    "shown",
    [
        (media(),) * 5,
        (media(size_bytes=2_000_001),),
        (media(mime="image/tiff"),),
        (FILM, FILM),
        (media(), FILM),
        (media(mime="video/webm"),),
        (media(mime="video/mp4", size_bytes=50_000_001),),
        (media(mime="image/gif", animated=True),),
        (media(mime="audio/ogg"),),
    ],
)
def test_media_that_dont_go(shown: tuple[Media, ...]) -> None:
    assert _refusal(draft(structs.replace(from_text("look"), media=shown))) is FaultKind.MEDIA


def test_a_picture_needs_no_words() -> None:
    (part,) = plan(draft(Document(media=(media(),))), AT)
    assert part.body["record"]["text"] == ""
    assert "aspectRatio" not in part.body["record"]["embed"]["images"][0]


def embed(document: Document) -> Any:
    (part,) = plan(draft(document), AT)
    assert msgjson.decode(msgjson.encode(part), type=Part) == part
    assert len(list(blob_places(part.body["record"].get("embed")))) == len(part.body["media"])
    return part.body["record"].get("embed")


QUOTE = Quote("bluesky", MessageRef("at://did:plc:b/app.bsky.feed.post/1 bafy1"))
RECORD = {"$type": "app.bsky.embed.record", "record": {"uri": "at://did:plc:b/app.bsky.feed.post/1", "cid": "bafy1"}}
CARD = Card("https://e.org/a", "A page", "All about it", media(mime="image/jpeg"))
SAID = from_text("look: https://e.org/a")


def test_what_a_post_shows() -> None:
    with_card = embed(structs.replace(SAID, card=CARD))
    assert with_card["external"].pop("thumb")["mimeType"] == "image/jpeg"
    words = {"uri": "https://e.org/a", "title": "A page", "description": "All about it"}
    assert with_card == {"$type": "app.bsky.embed.external", "external": words}
    film = embed(structs.replace(SAID, media=(FILM,), card=CARD))
    assert (film["$type"], film["alt"], film["aspectRatio"]) == (
        "app.bsky.embed.video",
        "alt",
        {"width": 16, "height": 9},
    )
    assert embed(structs.replace(SAID, quote=QUOTE)) == RECORD
    both = embed(structs.replace(SAID, quote=QUOTE, card=CARD, media=(media(),) * 4))
    assert (both["$type"], both["record"]) == ("app.bsky.embed.recordWithMedia", RECORD)
    assert [image["alt"] for image in both["media"]["images"]] == ["alt"] * 4
    assert embed(structs.replace(SAID, quote=QUOTE, card=CARD))["media"]["$type"] == "app.bsky.embed.external"
    assert embed(SAID) is None


def test_a_card_whose_picture_is_too_big_has_none() -> None:
    big = structs.replace(CARD, picture=media(size_bytes=1_000_001))
    assert "thumb" not in embed(structs.replace(SAID, card=big))["external"]


@pytest.mark.parametrize("quote", [Quote("mastodon", MessageRef("17")), Quote("bluesky", MessageRef("direct a b"))])
def test_what_isnt_a_post_cant_be_quoted(quote: Quote) -> None:
    assert _refusal(draft(structs.replace(SAID, quote=quote))) is FaultKind.INVALID


def test_a_thread_says_which_part_it_is_and_shows_each_picture_at_its_place() -> None:
    paragraphs = tuple((Text(f"{name} " + "word " * 50),) for name in ("one", "two", "three"))
    shown = (media(at=2, alt="third"), media(alt="first"))
    long = Document(paragraphs, shown, "en", sensitive=True, quote=QUOTE)
    parts = plan(structs.replace(draft(long), numbered=True, repliers=Repliers.NOBODY), AT)
    records = [part.body["record"] for part in parts]
    assert [record["text"].rpartition("\n\n")[2] for record in records] == ["1/3", "2/3", "3/3"]
    assert records[0]["embed"]["record"] == RECORD
    assert [image["alt"] for image in records[0]["embed"]["media"]["images"]] == ["first"]
    assert "embed" not in records[1]
    assert [image["alt"] for image in records[2]["embed"]["images"]] == ["third"]
    assert ["labels" in record for record in records] == [True, False, True]
    assert all(record["langs"] == ["en"] for record in records)
    assert ["allow" in part.body for part in parts] == [True, False, False]
    assert all("/3" not in plain(part.rest) for part in parts if part.rest)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("pt-BR", ["pt-BR"]),
        ("EN-us", ["en-us"]),
        ("sr-Latn-RS-x-a", ["sr-Latn-RS"]),
        ("de-1996", ["de"]),
        ("english", None),
        ("en_US", None),
    ],
)
def test_a_language_is_told_as_far_as_no_server_refuses_it(language: str, told: list[str] | None) -> None:
    (part,) = plan(draft(structs.replace(SAID, language=language)), AT)
    assert part.body["record"].get("langs") == told


@pytest.mark.parametrize(
    ("repliers", "rules"),
    [(Repliers.NOBODY, []), (Repliers.MENTIONED, ["mention"]), (Repliers.FOLLOWED, ["mention", "following"])],
)
def test_who_may_reply(repliers: Repliers, rules: list[str]) -> None:
    one = structs.replace(draft("hello"), repliers=repliers)
    (part,) = plan(one, AT)
    gate = gate_of(part, "at://did:plc:me/app.bsky.feed.post/5")
    assert gate is not None
    assert (gate["post"], gate["createdAt"]) == ("at://did:plc:me/app.bsky.feed.post/5", "2026-11-22T12:00:00.123Z")
    assert [rule["$type"] for rule in gate["allow"]] == [f"app.bsky.feed.threadgate#{rule}Rule" for rule in rules]
    assert _refusal(structs.replace(one, target=InConversation(THREAD))) is FaultKind.INVALID


def test_in_private_media_are_told_in_words_and_a_post_is_quoted() -> None:
    shown = (media(alt="a blue square"), media(alt="", mime="video/mp4", source="https://e.org/film.mp4"))
    said = Document(((Text("look"),),), shown, quote=QUOTE)
    (part,) = plan(draft(said, InConversation(direct_conversation("c1"), private=True)), AT)
    message = part.body["message"]
    assert message["text"] == "look\n\n[image: a blue square]\n\n[video]"
    assert message["facets"][0]["features"][0]["uri"] == "https://e.org/film.mp4"
    assert message["embed"] == RECORD


# Previews.


def test_a_preview_says_what_people_will_see() -> None:
    said = structs.replace(from_text("Zoë: https://example.org/a/long/path/to/it"), media=(media(),), language="en")
    one = structs.replace(
        draft(structs.replace(said, quote=QUOTE, sensitive=True)),
        repliers=Repliers.FOLLOWED,
    )
    (part,) = plan(one, AT)
    assert preview(part) == Shown(
        "Zoë: example.org/a/long/path/...",
        32,
        300,
        "graphemes",
        ("image image/png, 1000 bytes: alt",),
        (
            "link: example.org/a/long/path/... leads to https://example.org/a/long/path/to/it",
            "quotes at://did:plc:b/app.bsky.feed.post/1",
            "media are hidden until asked for (label graphic-media)",
            "only who is mentioned or followed may reply",
            "language: en",
        ),
    )


def test_a_preview_of_a_card_and_of_a_direct_message() -> None:
    (part,) = plan(draft(structs.replace(SAID, card=CARD)), AT)
    assert preview(part).extras == ("card: A page (https://e.org/a), with a picture",)
    (part,) = plan(draft(SAID, InConversation(direct_conversation("c1"), private=True)), AT)
    assert preview(part) == Shown("look: e.org/a", 13, 1000, "graphemes")


def test_nothing_to_say_and_too_much_at_once() -> None:
    assert _refusal(draft(" ")) is FaultKind.INVALID
    assert _refusal(draft(Document(((Link("https://example.org/", "x" * 301),),)))) is FaultKind.TOO_LONG


def _refusal(one: Draft) -> FaultKind:
    with pytest.raises(FaultError) as caught:
        plan(one, AT)
    assert caught.value.fault.certain
    return caught.value.fault.kind

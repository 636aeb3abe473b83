"""What people do on Bluesky, as events: all that a post shows, and nothing that it shouldn't do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from adapters.bluesky import directs
from adapters.bluesky.blobs import home_in
from adapters.bluesky.events import Here, Notification, View, kept, marked, received, wanted
from adapters.bluesky.translate import Post
from gateway.model.content import Link, Quote, Text
from gateway.model.events import RAW_MAX, Kind, MemberJoined, MemberLeft, MessageReceived, Reacted, Reposted
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId
from gateway.model.media import Attachment, MediaKind

OWN = "did:plc:own"
HERE = Here(AccountId("bluesky/main"), OWN, True)
ROOT = "at://did:plc:b/app.bsky.feed.post/1"
THREAD = ConversationId(f"{ROOT} cidroot")
ANA = "did:plc:ana"


def notification(**changes: Any) -> dict[str, Any]:
    return {
        "uri": "at://did:plc:ana/app.bsky.feed.post/5",
        "cid": "cid5",
        "author": {"did": "did:plc:ana", "handle": "ana.test", "displayName": "Ana"},
        "reason": "reply",
        "record": {"text": "yes", "createdAt": "2026-11-22T12:00:00Z"},
        "indexedAt": "2026-11-22T12:00:01.000Z",
        **changes,
    }


def test_a_reply_to_us_is_addressed() -> None:
    parent = {"uri": f"at://{OWN}/app.bsky.feed.post/4", "cid": "cid4"}
    reply = {"root": {"uri": ROOT, "cid": "cidroot"}, "parent": parent}
    raw = convert(notification(record={"text": "yes", "reply": reply}), Notification)
    event = received(raw, HERE, {})
    assert (event.kind, event.addressed, event.private) == (Kind.REPLY, True, False)
    assert event.conversation == THREAD
    assert event.in_reply_to == Post(parent["uri"], "cid4", ROOT, "cidroot").ref
    assert event.author == Identity("bluesky", "did:plc:ana", "ana.test", "Ana")
    assert event.at == datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)


def test_a_reply_to_others_in_our_thread_isnt_addressed() -> None:
    other = {"uri": "at://did:plc:b/app.bsky.feed.post/4", "cid": "cid4"}
    raw = convert(notification(record={"text": "yes", "reply": {"root": other, "parent": other}}), Notification)
    assert not received(raw, HERE, {}).addressed


@pytest.mark.parametrize(
    "broken",
    [
        {"uri": "with space"},
        {"cid": ""},
        {"author": {"handle": "x"}},
        {"record": None},
        {"record": {"text": "x" * 50_000}},
        {"record": {"text": "x", "reply": {"root": {}}}},
        {"indexedAt": "yesterday"},
    ],
)
def test_a_broken_notification_is_a_value_error(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever msgspec says
        convert(notification(**broken), Notification)


def heard(record: dict[str, Any], views: dict[str, View] | None = None, **changes: Any) -> Any:
    given = notification(record={"text": "look", **record}, **changes)
    return received(convert(given, Notification), HERE, views or {}, kept(given))


def blob(cid: str = "bafkrei1", mime: str = "image/png", size: int = 1000) -> dict[str, Any]:
    return {"$type": "blob", "ref": {"$link": cid}, "mimeType": mime, "size": size}


def images(*items: Any) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.images", "images": list(items)}


RATIO = {"width": 4, "height": 3}
QUOTED = {"uri": "at://did:plc:cleo/app.bsky.feed.post/7", "cid": "cid7"}
CARD = {"uri": "https://e.org/a", "title": " A\npage ", "description": "..."}


def test_pictures_are_attached_with_their_words() -> None:
    event = heard(
        {"embed": images({"image": blob(), "alt": "a cat", "aspectRatio": RATIO}, {"image": blob("bafkrei2")})}
    )
    assert event.attachments == (
        Attachment(f"{ANA} bafkrei1", "image/png", 1000, "a cat", width_px=4, height_px=3),
        Attachment(f"{ANA} bafkrei2", "image/png", 1000),
    )


def test_a_film_beside_a_quote() -> None:
    video = {"$type": "app.bsky.embed.video", "video": blob(mime="video/mp4"), "alt": "waves"}
    embed = {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": QUOTED}, "media": video}
    event = heard({"embed": embed})
    assert [(one.kind, one.alt) for one in event.attachments] == [(MediaKind.VIDEO, "waves")]
    ref = Post(QUOTED["uri"], "cid7", QUOTED["uri"], "cid7").ref
    assert event.document.quote == Quote("bluesky", ref, "https://bsky.app/profile/did:plc:cleo/post/7")


def test_a_quote_that_the_index_tells_has_author_and_words() -> None:
    root = {"uri": ROOT, "cid": "cidroot"}
    record = {"text": "the older words", "reply": {"root": root, "parent": root}}
    view = convert({**QUOTED, "author": {"did": "did:plc:cleo", "handle": "cleo.test"}, "record": record}, View)
    event = heard({"embed": {"$type": "app.bsky.embed.record", "record": QUOTED}}, {QUOTED["uri"]: view})
    assert event.document.quote.ref == Post(QUOTED["uri"], "cid7", ROOT, "cidroot").ref
    assert event.document.quote.author == Identity("bluesky", "did:plc:cleo", "cleo.test")
    assert event.document.quote.text == "the older words"


def test_a_card_is_a_link_where_the_text_has_none() -> None:
    embed = {"$type": "app.bsky.embed.external", "external": CARD}
    assert heard({"embed": embed}).document.paragraphs == ((Text("look"),), (Link("https://e.org/a", "A page"),))
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": "https://e.org/a"}
    facets = [{"index": {"byteStart": 0, "byteEnd": 4}, "features": [feature]}]
    assert heard({"embed": embed, "facets": facets}).document.paragraphs == ((Link("https://e.org/a", "look"),),)
    script = {**CARD, "uri": "javascript:alert(1)"}
    assert heard({"embed": {**embed, "external": script}}).document.paragraphs == ((Text("look"),),)


def test_language_place_and_payload() -> None:
    root, parent = {"uri": ROOT, "cid": "cidroot"}, {"uri": f"at://{OWN}/app.bsky.feed.post/4", "cid": "cid4"}
    event = heard({"langs": ["pt-BR", "en"], "reply": {"root": root, "parent": parent}})
    assert event.document.language == "pt-BR"
    assert event.thread_root == Post(ROOT, "cidroot", ROOT, "cidroot").ref
    assert event.url == "https://bsky.app/profile/did:plc:ana/post/5"
    assert json.loads(event.raw)["record"]["langs"] == ["pt-BR", "en"]
    assert heard({"tags": ["x" * RAW_MAX]}).raw == ""
    assert heard({}).thread_root is None


def test_half_a_character_cant_be_kept() -> None:
    """The client library refuses such an answer already."""
    with pytest.raises(ValueError, match="surrogates"):
        kept({"record": {"text": "\ud83d"}})


@pytest.mark.parametrize(
    ("record", "labels", "hidden"),
    [
        ({"labels": {"values": [{"val": "graphic-media"}]}}, [], True),
        ({}, [{"val": "porn", "src": "did:plc:mod"}], True),
        ({}, [{"val": "porn", "neg": True}], False),
        ({"labels": {"values": [{"val": "!no-unauthenticated"}]}}, [], False),
        ({"labels": "x"}, "x", False),
        ({"labels": {"values": [None, 7, {"val": []}]}}, [7, {"val": {}}], False),
    ],
)
def test_labels_hide_media(record: dict[str, Any], labels: Any, *, hidden: bool) -> None:
    event = heard({**record, "embed": images({"image": blob(), "alt": ""})}, labels=labels)
    assert (event.document.sensitive, event.attachments[0].sensitive) == (hidden, hidden)


def mark(reason: str, uri: str = f"at://{OWN}/app.bsky.feed.post/4") -> dict[str, Any]:
    return notification(
        uri=f"at://{ANA}/app.bsky.feed.{reason}/9", reason=reason, record={"subject": {"uri": uri, "cid": "cid4"}}
    )


@pytest.mark.parametrize(("reason", "kind"), [("like", Reacted), ("repost", Reposted)])
def test_a_like_and_a_repost_name_our_post_in_its_thread(reason: str, kind: type) -> None:
    given = mark(reason)
    root = {"uri": ROOT, "cid": "cidroot"}
    ours = {"uri": f"at://{OWN}/app.bsky.feed.post/4", "cid": "cid4", "author": {"did": OWN}}
    view = convert({**ours, "record": {"text": "x", "reply": {"root": root, "parent": root}}}, View)
    event = marked(convert(given, Notification), HERE, {view.uri: view})
    assert isinstance(event, kind)
    assert event is not None
    assert (event.id, event.ref) == (given["uri"], Post(view.uri, "cid4", ROOT, "cidroot").ref)
    assert (event.conversation, event.author.handle) == (THREAD, "ana.test")
    unknown = marked(convert(given, Notification), HERE, {})
    assert unknown is not None
    assert unknown.ref == f"{view.uri} cid4"
    assert wanted(given) == view.uri


def test_marks_on_what_isnt_ours_are_none() -> None:
    assert marked(convert(mark("like", "at://did:plc:b/app.bsky.feed.post/4"), Notification), HERE, {}) is None
    assert marked(convert(mark("like", f"at://{OWN}/app.bsky.feed.generator/x"), Notification), HERE, {}) is None
    assert wanted(mark("like", "at://did:plc:b/app.bsky.feed.post/a b")) == ""
    assert wanted(None) == wanted({"record": {"embed": {"record": 5}}}) == wanted({"record": []}) == ""


def test_a_direct_message_with_a_post() -> None:
    value = {"text": "look at this", "createdAt": "2026-11-22T12:00:00Z"}
    shown = {"$type": "app.bsky.embed.record#viewRecord", **QUOTED, "author": {"did": "did:plc:cleo"}, "value": value}
    embed = {"$type": "app.bsky.embed.record#view", "record": shown}
    given = {"id": "m1", "sender": {"did": ANA}, "sentAt": "2026-11-22T12:00:00Z", "text": "this?", "embed": embed}
    convo = convert({"id": "c1", "members": [{"did": ANA, "handle": "ana.test"}]}, directs.Convo)
    entry = {"$type": "chat.bsky.convo.defs#logCreateMessage", "convoId": "c1", "message": given}
    event = directs.heard(entry, convo, HERE)
    assert isinstance(event, MessageReceived)
    assert event.document.quote is not None
    assert event.document.quote.text == "look at this"
    blocked = {**given, "embed": {**embed, "record": {"$type": "app.bsky.embed.record#viewBlocked"}}}
    event = directs.heard({**entry, "message": blocked}, convo, HERE)
    assert isinstance(event, MessageReceived)
    assert event.document.quote is None


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("logAddMember", MemberJoined),
        ("logMemberJoin", MemberJoined),
        ("logMemberLeave", MemberLeft),
        ("logRemoveMember", MemberLeft),
    ],
)
def test_who_comes_to_a_group_and_goes(told: str, kind: type) -> None:
    group = {"$type": "chat.bsky.convo.defs#groupConvo"}
    convo = convert({"id": "g1", "members": [], "kind": group}, directs.Convo)
    notice = {"id": "n1", "rev": "r", "sentAt": "2026-11-22T12:00:00Z", "data": {"member": {"did": ANA}}}
    beside = [7, {"did": ANA, "handle": "ana.test"}]
    entry = {
        "$type": f"chat.bsky.convo.defs#{told}", "convoId": "g1", "message": notice, "relatedProfiles": beside
    }  # fmt: skip
    event = directs.heard(entry, convo, HERE)
    assert isinstance(event, kind)
    assert isinstance(event, MemberJoined | MemberLeft)
    assert (event.id, event.conversation, event.member.handle) == ("n1", "direct g1", "ana.test")
    ours = {**notice, "data": {"member": {"did": OWN}}}
    assert directs.heard({**entry, "message": ours}, convo, HERE) is None


@pytest.mark.parametrize("told", ["logDeleteMessage", "logReadConvo", "logRemoveReaction", "", "x#y"])
def test_what_is_no_event(told: str) -> None:
    entry = {"$type": f"chat.bsky.convo.defs#{told}", "convoId": "c1", "message": {"id": "m1"}}
    assert directs.kind_of(entry) == directs.kind_of(None) == directs.kind_of({"$type": 7}) == ""


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["$type", "images", "image", "items", "video", "external", "uri", "cid", "record", "media", "ref", "$link",
         "alt", "aspectRatio", "width", "height", "mimeType", "size", "values", "val", "title"]), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip
TYPES = st.sampled_from([f"app.bsky.embed.{n}" for n in ("images", "gallery", "video", "external", "record")])


@given(JUNK, JUNK, JUNK, TYPES, st.booleans())
def test_no_junk_in_a_record_loses_its_words(embed: Any, labels: Any, langs: Any, kind: str, both: bool) -> None:
    shown = {**embed, "$type": kind} if isinstance(embed, dict) else embed
    if both:
        shown = {"$type": "app.bsky.embed.recordWithMedia", "record": embed, "media": shown}
    event = heard({"embed": shown, "labels": labels, "langs": langs}, labels=labels)
    assert event.text.startswith("look")
    wanted({"record": {"embed": shown}})


# Where attachments are fetched from.


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("https://pds.example", "https://pds.example"),
        ("https://pds.example:8443/", "https://pds.example:8443"),
        ("http://pds.example", ""),
        ("https://user@pds.example", ""),
        ("https://pds.example/path", ""),
        ("https://[::1]", ""),
        ("file:///etc/passwd", ""),
    ],
)
def test_where_an_author_lives(url: str, home: str) -> None:
    service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": url}
    assert home_in(json.dumps({"service": [{"id": "#other"}, service]}).encode()) == home


@pytest.mark.parametrize("document", [b"", b"[]", b"{", b'{"service": 5}', b'{"service": [5, {}]}'])
def test_a_document_that_tells_nothing(document: bytes) -> None:
    assert home_in(document) == ""

"""Bluesky's pure halves: text with facets both ways, references, keys and plans."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.bluesky.embeds import blob_cid
from adapters.bluesky.parts import mark_key, tid
from adapters.bluesky.profile import PROFILE
from adapters.bluesky.translate import (
    DirectMessage,
    Post,
    page_of,
    place_of,
    read,
    render,
    shown,
)
from gateway.model.content import Block, BlockKind, Document, Link, Mark, Mention, Text, marked
from gateway.model.ids import ConversationId

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
OWN = "did:plc:own"
ROOT = "at://did:plc:b/app.bsky.feed.post/1"
THREAD = ConversationId(f"{ROOT} cidroot")
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda t: t.strip() == t)
LINE = WORDS.map(lambda text: " ".join(text.split()) or "x")
SPANS = st.one_of(
    LINE.map(Text),
    LINE.map(lambda t: Link("https://example.org/x", t)),
    LINE.map(lambda t: Mention("bluesky", "did:plc:x", t.replace("@", "") or "y")),
)


@given(st.lists(st.lists(SPANS, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3).map(tuple))
def test_what_was_rendered_is_read_back(paragraphs: Any) -> None:
    text, facets = render(Document(paragraphs))
    back = read(text, facets)
    assert render(back) == (text, facets)


HOSTILE = st.one_of(
    st.integers(-3, 200),
    st.sampled_from([-(2**70), 2**70, None, "1", 1.5, [], True]),
)
FEATURES = st.lists(
    st.sampled_from(
        [
            {"$type": "app.bsky.richtext.facet#link", "uri": "https://evil.example"},
            {"$type": "app.bsky.richtext.facet#link", "uri": "javascript:alert(1)"},
            {"$type": "app.bsky.richtext.facet#link", "uri": 7},
            {"$type": "app.bsky.richtext.facet#tag", "tag": "x"},
            {"$type": ["x"]},
            {},
        ]
    ),
    max_size=3,
)


@given(st.text(max_size=60), st.lists(st.tuples(HOSTILE, HOSTILE, FEATURES), max_size=8))
def test_hostile_facets_never_change_the_words(text: str, facets: list[tuple[Any, Any, Any]]) -> None:
    text = text.encode(errors="replace").decode()
    told = [{"index": {"byteStart": a, "byteEnd": b}, "features": features} for a, b, features in facets]
    words = "".join(
        (span.text or span.url) if isinstance(span, Link) else span.text  # type: ignore[union-attr]  # no mentions here
        for paragraph in read(text, told).paragraphs
        for span in paragraph
    )
    assert "".join(words.split()) == "".join(text.split())


@given(st.integers(1, 10), st.integers(1, 10))
def test_a_facet_that_cuts_a_character_is_none(begin: int, end: int) -> None:
    """Of "é日👍", in bytes 0-2, 2-5 and 5-9."""
    facet = {"index": {"byteStart": begin, "byteEnd": end}, "features": [LINK]}
    spans = read("é日👍", [facet]).paragraphs[0]
    assert any(isinstance(span, Link) for span in spans) is ((begin, end) in ((2, 5), (2, 9), (5, 9)))


LINK = {"$type": "app.bsky.richtext.facet#link", "uri": "https://e.org/"}


def test_of_facets_that_overlap_the_first_counts() -> None:
    facets = [
        {"index": {"byteStart": b, "byteEnd": e}, "features": [LINK]} for b, e in ((4, 7), (0, 5), (2, 3), (0, 2))
    ]
    assert read("one two", facets).paragraphs == (
        (Link("https://e.org/", "on"), Link("https://e.org/", "e"), Text(" "), Link("https://e.org/", "two")),
    )


@pytest.mark.parametrize("facets", [None, 5, "x", {}, [None], [{}], [{"index": 1, "features": 2}], [[]] * 1000])
def test_what_isnt_a_facet_is_no_facet(facets: Any) -> None:
    assert read("hello", facets) == Document(((Text("hello"),),))


def test_a_stranger_with_the_same_handle_isnt_called() -> None:
    text, facets = render(Document(((Mention("mastodon", "17", "ana.test"), Text(" hi")),)))
    assert (text, facets) == ("ana.test hi", [])


# Links and hashtags.

SHOWN = {
    "https://example.org": "example.org",
    "https://example.org/": "example.org",
    "http://www.Example.org:8080/a/b?c=d": "www.example.org:8080/a/b?c=d",
    "https://example.org/123456789012345": "example.org/123456789012...",
    "https://example.org/12345678901234": "example.org/12345678901234",
    "https://example.org?q=a+long+question#there": "example.org?q=a+long+que...",
    "https://user:pass@example.org/": "example.org",
    "https://bücher.example/Straße": "bücher.example/Straße",
    "https://example.org/👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧": "example.org/👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧...",
    "https://evil.example\\@bank.example/": "https://evil.example\\@bank.example/",
    "https://[::1]/x": "[::1]/x",
    "https://[::1/x": "https://[::1/x",
    "mailto:ana@example.org": "mailto:ana@example.org",
}


@pytest.mark.parametrize("url", SHOWN)
def test_an_address_is_shown_short_and_kept_whole(url: str) -> None:
    text, facets = render(Document(((Text("see "), Link(url), Text(".")),)))
    assert shown(url) == SHOWN[url]
    assert text == f"see {SHOWN[url]}."
    assert facets[0]["features"][0]["uri"] == url
    if url.startswith("http"):
        assert read(text, facets).paragraphs[0][1] == Link(url)


@pytest.mark.parametrize(
    ("words", "is_address"),
    [
        ("https://bank.example/account", False),
        ("bank.example", False),
        ("evil.example.org", False),
        ("evil.example...", False),
        ("evil.example/way...", True),
        ("evil.example/wayward", False),
        ("EVIL.example/way/in", True),
        ("here", False),
    ],
)
def test_words_that_name_another_address_stay(words: str, *, is_address: bool) -> None:
    url = "https://evil.example/way/in"
    facet = {"index": {"byteStart": 0, "byteEnd": len(words)}, "features": [{**LINK, "uri": url}]}
    assert read(words, [facet]).paragraphs == ((Link(url, None if is_address else words),),)


def test_hashtags_stay_out_of_code_and_links() -> None:
    code = Block((Text("#include <x>"),), BlockKind.CODE)
    spans = (Text("#yes "), marked("#no", Mark.CODE), Text(" "), Link("https://e.org", "#link"), Text("\n#two, #2"))
    _, facets = render(Document((spans, code)))
    features = [facet["features"][0] for facet in facets]
    assert [feature.get("tag") or feature.get("uri") for feature in features] == ["yes", "https://e.org", "two"]


@pytest.mark.parametrize("text", ["#" + "z\u0323\u0301" * 129, "#👩‍👩‍👧", "#a\u20e2"])
def test_a_hashtag_that_is_too_big_or_would_cut_a_character_is_words(text: str) -> None:
    assert render(Document(((Text(text),),)))[1] == []


def test_pages_of_records() -> None:
    assert page_of("at://did:plc:a/app.bsky.feed.post/5") == "https://bsky.app/profile/did:plc:a/post/5"
    assert page_of("at://did:plc:a/app.bsky.feed.generator/cats") == "https://bsky.app/profile/did:plc:a/feed/cats"
    assert page_of("at://did:plc:a/com.example.thing/5") == page_of("at://did:plc:a") == page_of("x") == ""


def test_a_link_that_is_no_address_stays_words() -> None:
    assert render(Document(((Link("not an address"),),))) == ("not an address", [])


@pytest.mark.parametrize(
    "place",
    [
        Post("at://did:plc:a/app.bsky.feed.post/1", "c1", "at://did:plc:a/app.bsky.feed.post/1", "c1"),
        Post("at://did:plc:a/app.bsky.feed.post/2", "c2", "at://did:plc:b/app.bsky.feed.post/1", "c1"),
        DirectMessage("convo", "message"),
    ],
)
def test_references_come_back(place: Post | DirectMessage) -> None:
    assert place_of(place.ref) == place


@pytest.mark.parametrize("ref", ["", "x", "direct", "http://x c", "a b c d", "direct a b c"])
def test_foreign_references_name_nothing(ref: str) -> None:
    assert place_of(ref) is None


# Keys.


def test_a_key_is_microseconds_and_the_parts_number() -> None:
    assert tid(datetime(1970, 1, 1, tzinfo=UTC), 0) == "2222222222222"
    assert tid(AT, 1) > tid(AT, 0)
    assert tid(AT + timedelta(microseconds=1), 0) > tid(AT, 1023)
    value = 0
    for character in tid(AT, 5):
        value = value * 32 + "234567abcdefghijklmnopqrstuvwxyz".index(character)
    assert (value >> 10, value & 1023) == (round(AT.timestamp() * 1e6), 5)


def test_a_blobs_address_is_known_before_its_upload() -> None:
    """The address a real server gave for these bytes."""
    data = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")
    assert blob_cid(sha256(data).hexdigest()) == "bafkreigectgq4icn5f2pon2ty7ri25ry46zwsg5ywgrlvnvslo375v6oo4"


def test_a_like_has_one_key_per_post() -> None:
    keys = {mark_key(f"at://did:plc:{name}/app.bsky.feed.post/3n2wbin4pk622") for name in ("a", "b", "c")}
    assert len(keys) == 3
    assert all(key.startswith("3n2wbin4pk6") and len(key) == 13 for key in keys)
    odd = mark_key("at://did:plc:a/app.bsky.feed.generator/cats")
    assert len(odd) == 13
    assert odd == mark_key("at://did:plc:a/app.bsky.feed.generator/cats")


def test_rules_have_sources() -> None:
    from adapters.bluesky.profile import FAULTS

    assert all(rule.source for rule in FAULTS)
    assert {lane.name for lane in PROFILE.lanes} == {"points_hour", "points_day", "requests"}

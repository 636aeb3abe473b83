"""What a Mastodon status says becomes a document, whoever wrote it and whatever it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from growth import grows_with_the_square
from hypothesis import given
from hypothesis import strategies as st

from adapters.mastodon.content import attachments, document, same_words
from adapters.mastodon.entities import Instance, Notification, Status
from adapters.mastodon.facts import can_quote, limits_of, profile_of
from adapters.mastodon.markup import DEPTH_MAX, HTML_MAX, SPANS_MAX, blocks
from adapters.mastodon.places import Here
from adapters.mastodon.profile import PROFILE
from adapters.mastodon.translate import Thread, edited, kept, marked, message
from adapters.sandbox.mastodon_entities import Entities
from adapters.sandbox.world import Network
from gateway.model.capabilities import Feature, Support
from gateway.model.content import Document, Link, Poll, Text, block, plain
from gateway.model.events import RAW_MAX
from gateway.model.ids import AccountId, ConversationId
from gateway.model.media import MediaKind

HERE = Here("1", "agent@home.example", "home.example")
ACCOUNT = AccountId("mastodon/main")
ANA = {"id": "2", "acct": "ana", "display_name": "Ana :blobcat:"}
FACE = Entities(Network("mastodon"))


def status(content: str = "<p>hello</p>", **more: Any) -> Status:
    raw = {"id": "7", "created_at": "2026-11-22T12:00:00Z", "account": ANA, "visibility": "public", "content": content}
    return msgspec.json.decode(msgspec.json.encode({**raw, **more}), type=Status)


def nobody(_: str) -> None:
    return None


# Any HTML.

_OPEN = st.sampled_from(
    [*"pabisu", "ul", "ol", "li", "blockquote", "pre", "code", "h1", "em", "del", "ruby", "rt", "span", "div", "br"]
)
_ATTRIBUTES = st.sampled_from(
    ["", " class='mention'", " class='invisible'", " class=quote-inline", " start=9", " href='https://a.bc/d'"]
)
_PIECES = st.one_of(
    st.builds("<{}{}>".format, _OPEN, _ATTRIBUTES),
    st.builds("</{}>".format, _OPEN),
    st.text(alphabet="ab \n&<>:#@\u00a0\u200d\u0301", max_size=6),
)


@given(st.lists(_PIECES, max_size=60).map("".join), st.booleans())
def test_any_html_becomes_blocks_within_bounds(html: str, quoting: bool) -> None:
    found = blocks(html, nobody, quoting=quoting)
    for each in map(block, found):
        assert each.spans
        assert max(each.quote, each.indent) <= DEPTH_MAX
        assert all(span.text for span in each.spans if isinstance(span, Text))
    plain(Document(found))


HOSTILE = [
    ("<blockquote>", "x", ""),
    ("<ul><li>", "x", "</li></ul>"),
    ("<ol start='99999999999999999999'><li>", "x", ""),
    ("<b><i><s><code>", "x", ""),
    ("<pre>\n", "x", ""),
    ("<h1>", "x", "</h1>"),
    ("</ul></li>", "x", ""),
    ("<a href='https://example.org'>x", "", ""),
    ("<div>", "", ""),
    ("a<br>", "", ""),
    ("&<", "", ""),
]
"""What is opened again and again, what is inside, what is closed again and again."""


def hostile(kind: tuple[str, str, str], size: int) -> str:
    opened, inside, closed = kind
    times = size // len(opened + closed)
    return opened * times + inside + closed * times


@pytest.mark.parametrize("kind", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_html_costs_no_more_than_its_length(kind: tuple[str, str, str]) -> None:
    assert not grows_with_the_square(lambda size: blocks(hostile(kind, size), nobody), HTML_MAX // 8)


@pytest.mark.parametrize("kind", [*HOSTILE, ("x", "", "")])
def test_hostile_html_is_bounded(kind: tuple[str, str, str]) -> None:
    found = blocks(hostile(kind, 1_000_000), nobody)
    assert sum(len(block(each).spans) for each in found) <= SPANS_MAX
    assert all(block(each).quote <= DEPTH_MAX for each in found)
    assert len(plain(Document(found))) <= 100_000


_WORDS = st.one_of(
    st.text(alphabet="abé漢👍🏽ع \n&<>'\"", min_size=1, max_size=12),
    st.sampled_from(["https://example.org/a/very/long/path/indeed?a=1&b=2#c", "#tag", "@nobody", "1. one", "> quoted"]),
)


@given(st.lists(_WORDS, max_size=12).map(" ".join))
def test_what_a_server_makes_of_words_is_read_as_those_words(text: str) -> None:
    shown = plain(Document(blocks(FACE.html(text), nobody)))
    assert shown.split() == text.split()
    assert same_words(status(FACE.html(text)), HERE, text)


# The rest of a status.


def test_a_quote_is_known_and_its_fallback_line_is_not_shown() -> None:
    quoted = {"id": "5", "created_at": "2026-11-22T12:00:00Z", "account": {"id": "3", "acct": "bo@far.example"}}
    quoted |= {"visibility": "public", "content": "<p>mine</p>", "url": "https://far.example/@bo/5"}
    html = '<p class="quote-inline">RE: <a href="https://far.example/@bo/5">far</a></p><p>so true</p>'
    quotes: list[Any] = [{"state": "accepted", "quoted_status": quoted}, quoted]
    for quote in quotes:
        said = document(status(html, quote=quote), HERE)
        assert plain(said) == "so true"
        assert said.quote
        assert (said.quote.ref, said.quote.url) == ("5|public|bo@far.example", "https://far.example/@bo/5")
        assert (said.quote.text, said.quote.author and said.quote.author.id) == ("mine", "bo@far.example")
    unseen: list[Any] = [{"state": "pending", "quoted_status": quoted}, {"state": "deleted"}, {"state": 7}, [], 7, "x"]
    for quote in unseen:
        said = document(status(html, quote=quote), HERE)
        assert said.quote is None
        assert "RE:" in plain(said)


def test_a_poll_is_read_and_a_broken_one_left_out() -> None:
    poll = {"options": [{"title": "a\nb", "votes_count": 1}, {"title": "c" * 999}] + [{"title": "x"}] * 99}
    said = document(status(poll={**poll, "expires_at": "2026-11-22T13:00:00Z", "multiple": False}), HERE)
    assert said.poll
    assert (said.poll.options[0], len(said.poll.options[1]), len(said.poll.options)) == ("a b", 200, 20)
    assert (said.poll.open_for_s, said.poll.multiple) == (3_600.0, False)
    assert document(status(poll={"options": [{"title": "a"}], "expires_at": None}), HERE).poll == Poll(("a",), 0.0)
    unread: list[Any] = [{}, {"options": 7}, {"options": []}, [], "x", {"options": [{"title": None}]}]
    for broken in unread:
        assert document(status(poll=broken), HERE).poll is None


FILES: list[tuple[dict[str, Any], Any]] = [
    (
        {"type": "image", "url": "https://f.example/a.png", "meta": {"original": {"width": 4, "height": 3}}},
        ("image", "image/png", 4, 3, None, False),
    ),
    (
        {"type": "gifv", "url": "https://f.example/a.mp4?x=1", "meta": {"original": {"duration": 2.5}}},
        ("video", "video/mp4", None, None, 2.5, True),
    ),
    (
        {"type": "audio", "url": None, "remote_url": "https://far.example/a.ogg", "meta": {"duration": 60}},
        ("audio", "audio/ogg", None, None, 60.0, False),
    ),
    ({"type": "image", "url": "https://f.example/a", "meta": None}, ("image", "image/*", None, None, None, False)),
    ({"type": "unknown", "url": "https://f.example/a.pdf"}, ("file", "application/pdf", None, None, None, False)),
    (
        {"type": "image", "url": "https://f.example/a.exe", "meta": {"original": {"width": -1, "height": "x"}}},
        ("image", "image/*", None, None, None, False),
    ),
]


@pytest.mark.parametrize(("file", "expected"), FILES, ids=range(len(FILES)))
def test_files_are_what_the_instance_says(file: dict[str, Any], expected: Any) -> None:
    (one,) = attachments(status(media_attachments=[{"id": "9", "description": " alt ", **file}], sensitive=True))
    assert (one.kind, one.mime, one.width_px, one.height_px, one.duration_s, one.animated) == expected
    assert (one.alt, one.sensitive) == ("alt", True)


def test_a_file_without_an_address_is_none() -> None:
    for url in (None, "", "javascript:alert(1)", "file:///etc/passwd", "https://" + "a" * 3_000):
        assert attachments(status(media_attachments=[{"id": "9", "type": "image", "url": url}])) == ()
    assert len(attachments(status(media_attachments=[{"id": "9", "url": "https://a.bc/d"}] * 500))) == 16


def test_a_message_knows_its_thread_and_its_payload() -> None:
    first, parent = ("5|public|bo@home.example", "6|public|bo@home.example")
    said = status(url="https://home.example/@ana/7", in_reply_to_id="6")
    event = message(said, HERE, ACCOUNT, Thread("5", parent, first), b'{"id":"7"}')  # type: ignore[arg-type]  # refs
    assert (event.in_reply_to, event.thread_root) == (parent, first)
    assert (event.url, event.raw) == ("https://home.example/@ana/7", '{"id":"7"}')
    assert event.author.name == "Ana :blobcat:"
    assert kept(b"x" * (RAW_MAX + 1)) == ""


def test_edits_of_warnings_polls_and_files_are_edits() -> None:
    at = {"edited_at": "2026-11-22T12:30:00Z"}
    file = {"id": "9", "type": "image", "url": "https://a.bc/d.png"}
    several: list[dict[str, Any]] = [at, {**at, "spoiler_text": "w"}, {**at, "poll": {"options": [{"title": "a"}]}}]
    several.append({**at, "media_attachments": [file]})
    several.append({**at, "media_attachments": [{**file, "description": "d"}]})
    events = [edited(status(**more), HERE, ACCOUNT, ConversationId("c")) for more in several]
    assert len({event.id for event in events}) == len(several)
    assert events[0].id == edited(status(**at), HERE, ACCOUNT, ConversationId("c")).id


def test_a_repost_is_told_with_who_did_it() -> None:
    own = status(account={"id": "1", "acct": "agent"})
    note = Notification("9", "reblog", status().account, own, datetime(2026, 11, 22, tzinfo=UTC))
    told = marked(note, HERE, ACCOUNT, "7")
    assert (told.ref, told.author.id, told.id) == ("7|public|", "ana@home.example", "reblog:9")


def test_links_keep_what_they_show() -> None:
    html = '<p><a href="https://example.org/a?b=1&amp;c">here</a></p>'
    assert document(status(html), HERE).paragraphs == ((Link("https://example.org/a?b=1&c", "here"),),)


# What the instance states.


def instance(**more: Any) -> Instance:
    return msgspec.convert({"domain": "home.example", **more}, Instance)


def test_polls_and_films_are_as_the_instance_says() -> None:
    polls = {"max_options": 8, "max_characters_per_option": 100, "min_expiration": 60, "max_expiration": 600}
    files = {
        "supported_mime_types": ["image/png", "image/gif", "video/webm"],
        "image_matrix_limit": 1_000_000,
        "video_size_limit": 50_000_000,
        "video_matrix_limit": 2_000_000,
    }
    limits = limits_of(instance(configuration={"polls": polls, "media_attachments": files}), PROFILE.limits)
    assert (limits.poll_options_max, limits.poll_option_length) == (8, 100)
    assert (limits.poll_shortest_s, limits.poll_longest_s) == (60, 600)
    assert limits.image_pixels_max == 1_000_000
    video, gif = limits.of(MediaKind.VIDEO), limits.of(MediaKind.GIF)
    assert video
    assert gif
    assert (video.size_bytes, video.mimes, video.pixels_max) == (49_999_999, ("video/webm",), 2_000_000)
    assert gif.mimes == ("image/gif",)
    assert limits.of(MediaKind.AUDIO) is None


def test_absurd_limits_change_nothing() -> None:
    polls = dict.fromkeys(("max_options", "max_characters_per_option", "min_expiration", "max_expiration"), -1)
    files = dict.fromkeys(("image_matrix_limit", "video_size_limit", "video_matrix_limit"), 0)
    told = instance(configuration={"polls": polls, "media_attachments": files})
    assert limits_of(told, PROFILE.limits) == PROFILE.limits


@pytest.mark.parametrize(("versions", "quotes"), [({"mastodon": 7}, True), ({"mastodon": 6}, False), ({}, False)])
def test_quotes_come_with_the_version(versions: dict[str, Any], quotes: bool) -> None:
    told = instance(api_versions=versions)
    assert can_quote(told) is quotes
    support = profile_of(told, PROFILE).support(Feature.QUOTE)
    assert support is (Support.PARTIAL if quotes else Support.FALLBACK)

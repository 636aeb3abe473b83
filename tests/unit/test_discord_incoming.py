"""What Discord's messages hold besides words, read so that a reader elsewhere understands it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.discord import enclosed, translate
from adapters.discord.markup import document as read
from gateway.model.content import Mark, Poll, plain, spans


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("at <t:1763812800>", "at 2025-11-22 12:00 UTC"),
        ("ends <t:1763812800:R>.", "ends 2025-11-22 12:00 UTC."),
        ("on <t:1763812800:D>", "on 2025-11-22"),
        ("far <t:99999999999:F>", "far 5138-11-16 09:46 UTC"),
        ("`<t:1763812800>`", "<t:1763812800>"),
        (r"\<t:1763812800>", "<t:1763812800>"),
        ("<t:123456789012>", "<t:123456789012>"),
    ],
)
def test_times_are_legible(said: str, shown: str) -> None:
    assert plain(read(said, {})) == shown


@pytest.mark.parametrize("hidden", ["<@42>", "<:wave:77>", "<t:1763812800>", "<https://e.org/a>", "<mention:x:@ana>"])
def test_a_spoiler_hides_whatever_it_holds(hidden: str) -> None:
    (said,) = spans(read(f"||{hidden}||", {}))
    assert said.marks == (Mark.SPOILER,)


def raw(**more: Any) -> translate.RawMessage:
    author = {"id": "9", "username": "ana", "global_name": "Ana"}
    message = {"id": "500", "channel_id": "77", "author": author, "timestamp": "2026-11-22T12:00:00+00:00"}
    return msgspec.convert(message | more, translate.RawMessage)


@pytest.mark.parametrize("key", ["attachments", "message_snapshots", "sticker_items", "poll", "embeds"])
@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "x",
        {},
        [None],
        [7],
        [{}],
        [[]],
        {"question": 1},
        [{"id": "1", "url": "u" * 3000}],
        [{"id": "1", "url": "u", "size": -1}],
        [{"id": "x", "url": "u"}],
    ],
)
def test_what_is_malformed_beside_the_words_loses_no_word(key: str, value: Any) -> None:
    message = raw(content="hello", **{key: value})
    assert plain(translate.document(message)) == "hello"
    assert enclosed.attachments(message, message.ref) == ()


def test_embeds_speak_where_nobody_else_does() -> None:
    embeds = [{"title": "News", "description": "It rains."}, {"description": 7}]
    assert plain(translate.document(raw(embeds=embeds))) == "News\n\nIt rains."
    assert plain(translate.document(raw(content="look", embeds=embeds))) == "look"


def test_a_poll_tells_how_long_it_is_open() -> None:
    asked = {"question": {"text": "Tea?"}, "answers": [{"poll_media": {"text": "yes"}}, {"poll_media": None}]}
    poll = translate.document(raw(poll=asked | {"expiry": "2026-11-22T14:00:00"})).poll
    assert poll == Poll(("yes",), 7200.0)


def test_a_payload_that_cant_be_kept_is_malformed() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        translate.kept({"content": "\ud800"})
    assert translate.kept({"content": "x" * 40_000}) == ""

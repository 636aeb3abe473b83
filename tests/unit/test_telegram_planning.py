"""What Telegram is asked to show: threads with media, albums, polls, quotes; and how that looks beforehand. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from adapters.telegram import planning, uploads
from adapters.telegram.preview import preview
from adapters.telegram.profile import PROFILE
from adapters.telegram.reactions import TAKEN, nearest
from gateway.model.content import Block, BlockKind, Document, Link, Media, Mention, Poll, Quote, Span, Text, plain
from gateway.model.delivery import Change, Draft, FaultError, FaultKind, InConversation, Part, Target, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, MessageRef
from gateway.model.manner import Manner
from gateway.outbox.pacer import Pacer
from gateway.text.carried import carried
from gateway.text.plain import from_text
from policies.chain import POLICIES

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
PHOTO = Media("aa" * 32, "image/png", 1000, "A square", 800, 600)
FILM = Media("bb" * 32, "video/mp4", 2000, width_px=640, height_px=360, duration_s=3.6)
SONG = Media("cc" * 32, "audio/mpeg", 3000, duration_s=61.0, name="song.mp3")
PAPER = Media("dd" * 32, "application/pdf", 4000, name="report.pdf")
GIF = Media("ee" * 32, "image/gif", 5000, animated=True)
GROUP = InConversation(ConversationId("-1001000000005"))


def draft(content: Document, target: Target | None = None, **more: Any) -> Draft:
    account = AccountId("telegram/main")
    return Draft(DraftId("d1"), DEFAULT_WORKSPACE, account, target or Timeline(), content, AT, "key", **more)


def said(text: str, *media: Media, **more: Any) -> Document:
    return structs.replace(from_text(text), media=media, **more)


def plan(content: Document, target: Target | None = None, **more: Any) -> tuple[Part, ...]:
    return planning.plan(draft(content, target, **more), "@news")


def methods(parts: tuple[Part, ...]) -> list[str]:
    return [part.body["method"] for part in parts]


def refused(content: Document, target: Target | None = None, **more: Any) -> FaultKind:
    with pytest.raises(FaultError) as info:
        plan(content, target, **more)
    assert info.value.fault.certain
    return info.value.fault.kind


# More than a message sets apart.


@pytest.mark.parametrize(
    "one",
    [
        Link("https://a.example"),
        Link("https://a.example", "a"),
        Mention("telegram", "42", "ben"),
        Mention("telegram", "42", "", "Ben"),
    ],
)
def test_what_a_message_has_no_entity_for_comes_in_the_next(one: Span) -> None:
    def count(part: Part) -> int:
        return len(part.body.get("entities", ())) or part.body["text"].count("https:") + part.body["text"].count("@")

    row = (one, Text(" ")) * 100
    assert [count(part) for part in plan(Document((row,)))] == [100]
    assert [count(part) for part in plan(Document((row, (one,))))] == [100, 1]


def test_code_sets_nothing_apart_in_it() -> None:
    assert len(plan(Document((Block((Text("@a /b #c\n" * 100),), BlockKind.CODE),)))) == 1


# Media.


def test_a_picture_takes_a_short_text_as_its_caption() -> None:
    (part,) = plan(Document(((Text("See "), Link("https://a.example", "this")),), (PHOTO,)))
    files = part.body.pop("files")
    assert part.body == {
        "method": "sendPhoto",
        "chat_id": "@news",
        "caption": "See this",
        "caption_entities": [{"type": "text_link", "url": "https://a.example", "offset": 4, "length": 4}],
    }
    assert (files[0]["sha256"], files[0]["mime"], uploads.names(files)) == (PHOTO.sha256, "image/png", ["photo"])


def test_words_that_are_too_long_for_a_caption_are_a_message_after_the_picture() -> None:
    shown, text = plan(said("a " * 600, PHOTO))
    assert methods((shown, text)) == ["sendPhoto", "sendMessage"]
    assert "caption" not in shown.body
    assert shown.rest is not None
    assert text.rest is not None
    assert (shown.rest.media, shown.rest.paragraphs, text.rest.media) == ((PHOTO,), (), ())
    assert len(plan(said("a" * 1024, PHOTO))) == 1
    assert len(plan(said("\U0001f9d1" * 1024, PHOTO))) == 1
    (alone,) = plan(Document((), (PHOTO,)))
    assert "caption" not in alone.body


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        (PHOTO, "photo"),
        (FILM, "video"),
        (SONG, "audio"),
        (PAPER, "document"),
        (GIF, "animation"),
        (structs.replace(FILM, animated=True), "animation"),
        (structs.replace(FILM, mime="video/webm"), "document"),
        (structs.replace(SONG, mime="audio/flac"), "document"),
        (structs.replace(GIF, mime="image/webp"), "document"),
        (structs.replace(PHOTO, mime="image/tiff"), "document"),
        (structs.replace(PHOTO, size_bytes=10_000_001), "document"),
        (structs.replace(PHOTO, width_px=2100, height_px=100), "document"),
        (structs.replace(PHOTO, width_px=2000, height_px=100), "photo"),
        (structs.replace(PHOTO, width_px=9000, height_px=1001), "document"),
        (structs.replace(PHOTO, width_px=None, height_px=None), "photo"),
    ],
)
def test_each_is_shown_as_telegram_can_or_is_a_file(media: Media, expected: str) -> None:
    assert uploads.type_of(media) == expected


def test_photos_and_films_are_one_album_and_others_have_their_own() -> None:
    parts = plan(said("All of it", PHOTO, SONG, FILM, PAPER, GIF, PAPER, SONG))
    assert methods(parts) == ["sendMediaGroup", "sendMediaGroup", "sendMediaGroup", "sendAnimation"]
    assert [[file["type"] for file in part.body["files"]] for part in parts] == [
        ["photo", "video"],
        ["audio", "audio"],
        ["document", "document"],
        ["animation"],
    ]
    assert [part.body.get("caption") for part in parts] == ["All of it", None, None, None]


def test_an_album_has_ten_at_most() -> None:
    parts = plan(said("Many", *[PHOTO] * 11))
    assert methods(parts) == ["sendMediaGroup", "sendPhoto"]
    assert [len(part.body["files"]) for part in parts] == [10, 1]


def test_an_albums_words_are_its_first_pictures() -> None:
    (part,) = plan(said("Two", PHOTO, FILM, sensitive=True))
    made = uploads.parameters(part.body)
    assert [item["media"] for item in made["media"]] == ["attach://file0", "attach://file1"]
    assert [item.get("caption") for item in made["media"]] == ["Two", None]
    assert all(item["has_spoiler"] for item in made["media"])
    assert made["media"][1]["supports_streaming"]
    assert made["media"][1]["duration"] == 4
    assert "files" not in made


def test_only_what_can_be_hidden_is_hidden() -> None:
    shown, paper = plan(said("Careful", PHOTO, PAPER, sensitive=True))
    assert shown.body["has_spoiler"]
    assert "has_spoiler" not in paper.body
    (words,) = plan(said("https://a.example", sensitive=True))
    assert words.body["link_preview_options"] == {"is_disabled": True}


def test_a_file_beyond_the_limit_is_refused() -> None:
    assert refused(Document((), (structs.replace(PAPER, size_bytes=50_000_001),))) is FaultKind.MEDIA


# Threads.


def test_a_thread_is_numbered_and_has_its_pictures_where_they_are_mentioned() -> None:
    paragraphs = [f"Paragraph {n}. " + "word " * 300 for n in range(6)]
    content = structs.replace(from_text("\n\n".join(paragraphs)), media=(structs.replace(PHOTO, at=5),))
    parts = plan(content, GROUP, numbered=True)
    texts = [part.body["text"] for part in parts if "text" in part.body]
    assert [text.split()[-1] for text in texts] == [f"{n}/{len(texts)}" for n in range(1, len(texts) + 1)]
    assert all(len(text) <= 4096 for text in texts)
    assert methods(parts)[-2:] == ["sendPhoto", "sendMessage"]
    assert all(part.rest is not None for part in parts)
    kept = " ".join(plain(part.rest) for part in parts if part.rest)
    assert kept.split() == " ".join(paragraphs).split()
    assert [part.index for part in parts] == list(range(len(parts)))


# Polls.

POLL = Poll(("Monday", "Tuesday"), 3600.0, multiple=True)


def test_a_polls_question_is_the_text() -> None:
    (part,) = plan(said("Which day suits you?", poll=POLL))
    assert part.body == {
        "method": "sendPoll",
        "chat_id": "@news",
        "question": "Which day suits you?",
        "options": [{"text": "Monday"}, {"text": "Tuesday"}],
        "allows_multiple_answers": True,
        "open_period": 3600,
    }


@pytest.mark.parametrize(("wanted_s", "given_s"), [(1.0, 5), (300.5, 300), (86400.0 * 365, 2_628_000)])
def test_a_poll_is_open_as_long_as_one_can_be(wanted_s: float, given_s: int) -> None:
    (part,) = plan(said("When?", poll=structs.replace(POLL, open_for_s=wanted_s)))
    assert part.body["open_period"] == given_s


def test_a_longer_text_goes_before_the_poll_and_its_last_paragraph_asks() -> None:
    before, asks = plan(said("Reasons. " * 60 + "\n\nWhich day suits you?", poll=POLL))
    assert methods((before, asks)) == ["sendMessage", "sendPoll"]
    assert asks.body["question"] == "Which day suits you?"
    assert "Which day" not in before.body["text"]
    assert asks.rest is not None
    assert before.rest is not None
    assert (asks.rest.poll, before.rest.poll) == (POLL, None)


def test_one_long_paragraph_asks_with_its_end_and_loses_no_word() -> None:
    text = "This is why. " * 60 + "Which day suits you?"
    before, asks = plan(said(text, poll=POLL))
    assert len(asks.body["question"]) <= 300
    assert asks.body["question"].endswith("Which day suits you?")
    assert (before.body["text"] + " " + asks.body["question"]).split() == text.split()


def test_pictures_stand_before_a_poll() -> None:
    shown, asks = plan(said("Which?", PHOTO, poll=POLL))
    assert methods((shown, asks)) == ["sendPhoto", "sendPoll"]
    assert "caption" not in shown.body


def test_a_poll_needs_a_question_and_cannot_be_changed() -> None:
    assert refused(Document(poll=POLL)) is FaultKind.INVALID
    assert refused(said("https://a.example/" + "a" * 300, poll=POLL)) is FaultKind.TOO_LONG
    with pytest.raises(FaultError, match="delete it and post anew"):
        planning.edited(said("Other?", poll=POLL))


# Pace.


@pytest.mark.parametrize("kind", ["post", "reply", "direct"])
def test_one_message_a_second_goes_to_a_chat_of_whatever_kind(kind: str) -> None:
    windows = Pacer(PROFILE.lanes, POLICIES)
    part = Part(0, kind, "k", {}, "-100")
    assert windows.wait_s(part, 0.0) == 0
    assert windows.wait_s(part, 0.5) == pytest.approx(0.5)
    assert windows.wait_s(structs.replace(part, conversation="-200"), 0.5) == 0
    for second in range(1, 20):
        assert windows.wait_s(part, second) == 0
    assert windows.wait_s(part, 20.0) == (0 if kind == "direct" else pytest.approx(40))


def test_an_edit_takes_a_messages_place_and_each_change_is_paced() -> None:
    windows = Pacer(PROFILE.lanes, POLICIES)
    edit = Part(0, Change.EDIT, "", {"ref": "-100/5"}, "-100")
    for number in range(10):
        assert windows.wait_s(edit, 3.0 * number) == 0
        assert windows.wait_s(edit, 3.0 * number + 2.5) == pytest.approx(0.5)
        assert windows.wait_s(Part(0, "reply", "k", {}, "-100"), 3.0 * number + 1.5) == 0
    assert windows.wait_s(Part(0, "reply", "k", {}, "-100"), 30.0) == pytest.approx(30)
    assert windows.wait_s(structs.replace(edit, conversation="-200"), 30.0) == 0
    for kind in (Change.DELETE, Change.REACT):
        many = [windows.wait_s(Part(0, kind, "", {"ref": "-100/5"}, ""), 100.0) for _ in range(31)]
        windows = Pacer(PROFILE.lanes, POLICIES)
        assert many[-1] > many[0] == 0


# Quotes and warnings.


def quoting(ref: str, url: str = "") -> Document:
    return said("Look", quote=Quote("telegram", MessageRef(ref), url))


def test_a_message_of_the_same_chat_is_quoted_by_answering_it() -> None:
    (part,) = plan(quoting("-1001000000005/7"), GROUP)
    assert part.body["reply_parameters"]["message_id"] == 7
    assert part.body["text"] == "Look"
    (same,) = plan(quoting("-1001000000005/7"), GROUP, in_reply_to=MessageRef("-1001000000005/7"))
    assert same.body["text"] == "Look"
    (news,) = plan(quoting("-1009/7", "https://t.me/News/7"))
    assert news.body["reply_parameters"]["message_id"] == 7


def test_another_quote_is_a_link_that_telegram_previews() -> None:
    (other,) = plan(quoting("-1001000000009/7", "https://t.me/cats/7"), GROUP)
    assert other.body["text"] == "Look\n\nhttps://t.me/cats/7"
    (closed,) = plan(quoting("-1001000000009/7"), GROUP)
    assert closed.body["text"].endswith("https://t.me/c/1000000009/7")
    (beside,) = plan(quoting("-1001000000005/7"), GROUP, in_reply_to=MessageRef("-1001000000005/8"))
    assert beside.body["reply_parameters"]["message_id"] == 8
    assert beside.body["text"].endswith("https://t.me/c/1000000005/7")


def test_what_was_said_in_private_is_never_shown_elsewhere() -> None:
    assert refused(quoting("42/7"), GROUP) is FaultKind.INVALID
    (part,) = plan(quoting("42/7"), InConversation(ConversationId("42"), private=True), in_reply_to=MessageRef("42/8"))
    assert part.body["reply_parameters"]["message_id"] == 7


def test_a_warning_stands_before_words_that_are_hidden() -> None:
    warned, notes = carried(
        draft(said("She did it", PHOTO, warning="the end of the film")), AccountId("telegram/main"), PROFILE, Manner()
    )
    (part,) = planning.plan(warned, "@news")
    assert part.body["caption"] == "CW: the end of the film\n\nShe did it"
    assert part.body["caption_entities"] == [{"type": "spoiler", "offset": 25, "length": 10}]
    assert part.body["has_spoiler"]
    assert notes


# Refs.


def test_an_albums_ref_names_each_message() -> None:
    assert planning.messages_of("-5:9/7,8,9") == (-5, (7, 8, 9))
    assert planning.message_of("-5/7,8") == (-5, 7)
    for ref in ("-5/", "-5/7,", "x/7", "7"):
        with pytest.raises(FaultError):
            planning.messages_of(ref)


# Previews.


def test_a_preview_tells_all_that_is_seen() -> None:
    content = Document(((Text("\U0001f9d1 see "), Link("https://a.example", "this")),), (PHOTO, FILM), sensitive=True)
    (part,) = plan(content, GROUP, in_reply_to=MessageRef("-1001000000005/7"))
    shown = preview(part)
    assert (shown.text, shown.length, shown.limit, shown.unit) == ("\U0001f9d1 see this", 10, 1024, "code points")
    assert shown.media == (
        "photo, image/png, 1000 bytes; its alt text is left out",
        "video, video/mp4, 2000 bytes",
    )
    assert shown.extras == (
        "set apart: text_link 'this' to https://a.example",
        "answers message 7",
        "media are hidden until asked for",
        "an album of 2",
    )
    (asks,) = plan(said("Which?", poll=POLL))
    assert preview(asks).limit == 300
    assert preview(asks).extras == ("poll, open for 1 h, several may be chosen: Monday / Tuesday",)


# Reactions.


@pytest.mark.parametrize(
    ("meant", "given"),
    [("❤️", "❤"), ("👍🏽", "👍"), ("😂", "🤣"), ("⭐", "🤩"), ("✅", "👍"), ("💙", "❤"), ("🤷‍♂️", "🤷‍♂"), ("🥔", "🥔")],
)
def test_the_nearest_reaction_is_taken(meant: str, given: str) -> None:
    assert nearest(meant) == given


def test_what_is_near_is_always_one_of_the_list() -> None:
    assert all(nearest(each) == each for each in TAKEN)

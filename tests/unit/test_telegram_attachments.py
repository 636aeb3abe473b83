"""What comes with a message on Telegram: files, quotes, polls, places. Pure; nonsense does no harm."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.albums import album_of, before_a_cut_album, gathered, together
from adapters.telegram.translate import Me, parse
from gateway.model.content import Link, Mark, Mention, Poll, Quote, Text, marked, plain
from gateway.model.events import RAW_MAX, Kind, MemberLeft, MessageEdited, MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, MessageRef
from gateway.model.media import Attachment, MediaKind

ME = Me(AccountId("telegram/main"), 7, "Agent_Bot", "@News")
ANA = {"id": 42, "is_bot": False, "first_name": "Ana", "username": "ana"}
BEN = {"id": 43, "is_bot": False, "first_name": "Ben", "username": "ben"}
GROUP = {"id": -1001000000005, "type": "supergroup", "title": "general", "username": "general"}
CLOSED = GROUP | {"username": ""}
CHANNEL = {"id": -200, "type": "channel", "title": "News", "username": "news"}
CATS = {"id": -300, "type": "channel", "title": "Cats", "username": "cats"}
SEEN = {"file_id": "f1", "file_unique_id": "u", "width": 640, "height": 360, "file_size": 9}


def message(chat: dict[str, Any] = GROUP, **more: Any) -> dict[str, Any]:
    return {"message_id": 5, "from": ANA, "chat": chat, "date": 1_795_000_000, **more}


def received(kind: str = "message", **content: Any) -> MessageReceived:
    (event,) = parse({"update_id": 9, kind: content}, ME)
    assert isinstance(event, MessageReceived)
    return event


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"photo": [SEEN | {"width": 90, "file_id": "s"}, SEEN]}, Attachment("f1", "image/jpeg", 9, "", "", 640, 360)),
        (
            {"video": SEEN | {"duration": 3, "mime_type": "video/mp4", "file_name": "a.mp4"}},
            Attachment("f1", "video/mp4", 9, "", "a.mp4", 640, 360, 3.0),
        ),
        (
            {"animation": SEEN | {"duration": 3}, "document": {"file_id": "f1"}},
            Attachment("f1", "video/mp4", 9, "", "", 640, 360, 3.0, animated=True),
        ),
        ({"voice": {"file_id": "f1", "duration": 8}}, Attachment("f1", "audio/ogg", duration_s=8.0)),
        (
            {"audio": {"file_id": "f1", "duration": 8, "title": "Song", "mime_type": "audio/mpeg"}},
            Attachment("f1", "audio/mpeg", name="Song", duration_s=8.0),
        ),
        (
            {"document": {"file_id": "f1", "file_name": "C:\\x\\a.pdf", "mime_type": "Application/PDF"}},
            Attachment("f1", "application/pdf", name="a.pdf"),
        ),
        (
            {"sticker": {"file_id": "f1", "width": 512, "height": 512, "emoji": "🔥", "is_video": True}},
            Attachment("f1", "video/webm", None, "🔥", "", 512, 512, animated=True),
        ),
        (
            {"video_note": {"file_id": "f1", "length": 240, "duration": 5}},
            Attachment("f1", "video/mp4", None, "", "", 240, 240, 5.0),
        ),
    ],
)
def test_each_kind_of_file_is_an_attachment(fields: dict[str, Any], expected: Attachment) -> None:
    assert received(**message(**fields)).attachments == (expected,)


def test_a_veiled_picture_is_sensitive_and_its_caption_is_the_text() -> None:
    mark = {"type": "spoiler", "offset": 0, "length": 4}
    event = received(**message(photo=[SEEN], caption="Dead", caption_entities=[mark], has_media_spoiler=True))
    assert event.document.paragraphs == ((marked("Dead", Mark.SPOILER),),)
    assert event.document.sensitive
    assert event.attachments[0].sensitive
    assert event.attachments[0].kind is MediaKind.IMAGE


@pytest.mark.parametrize("file_id", ["", "x" * 257, "a\nb"])
def test_a_handle_nobody_could_use_is_left_out(file_id: str) -> None:
    event = received(**message(text="See", document={"file_id": file_id}))
    assert event.attachments == ()


def test_names_are_bounded_and_hold_no_folder() -> None:
    (found,) = received(**message(document={"file_id": "x", "file_name": "a/../" + "b\x00" * 600})).attachments
    assert found.name == "b" * 255


def test_a_poll_is_its_question_and_answers() -> None:
    poll = {"question": "Which?", "options": [{"text": "a"}, {"text": "b"}], "allows_multiple_answers": True}
    event = received(**message(poll=poll | {"open_period": 60}))
    assert event.text == "Which?"
    assert event.document.poll == Poll(("a", "b"), 60.0, multiple=True)
    closing = received(**message(poll=poll | {"close_date": 1_795_000_100}))
    assert closing.document.poll == Poll(("a", "b"), 100.0, multiple=True)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (
            {"type": "channel", "chat": CATS, "message_id": 4},
            Quote(
                "telegram", MessageRef("-300/4"), "https://t.me/cats/4", Identity("telegram", "-300", "cats", "Cats")
            ),
        ),
        ({"type": "user", "sender_user": BEN}, Quote("telegram", author=Identity("telegram", "43", "ben", "Ben"))),
        (
            {"type": "hidden_user", "sender_user_name": "Somebody"},
            Quote("telegram", author=Identity("telegram", "", "", "Somebody")),
        ),
        (
            {"type": "chat", "sender_chat": CLOSED},
            Quote("telegram", author=Identity("telegram", str(GROUP["id"]), "", "general")),
        ),
    ],
)
def test_a_forward_is_a_quote(origin: dict[str, Any], expected: Quote) -> None:
    event = received(**message(text="Meow", forward_origin=origin | {"date": 1}))
    assert event.document.quote == msgspec.structs.replace(expected, text="Meow")
    assert event.text == "Meow"


def test_what_is_picked_out_of_an_answered_message_is_a_quote() -> None:
    theirs = message(message_id=3, text="A long story") | {"from": BEN}
    event = received(**message(text="Really?", reply_to_message=theirs, quote={"text": "long", "position": 2}))
    ben = Identity("telegram", "43", "ben", "Ben")
    ref = MessageRef(f"{GROUP['id']}/3")
    assert event.document.quote == Quote("telegram", ref, "https://t.me/general/3", ben, "long")
    assert event.in_reply_to == ref
    assert received(**message(text="Really?", reply_to_message=theirs)).document.quote is None


def test_an_answer_to_another_chats_message_is_a_quote() -> None:
    external = {"origin": {"type": "channel", "chat": CATS, "message_id": 4}, "chat": CATS, "message_id": 4}
    event = received(**message(text="See", external_reply=external, quote={"text": "Meow"}))
    cats = Identity("telegram", "-300", "cats", "Cats")
    assert event.document.quote == Quote("telegram", MessageRef("-300/4"), "https://t.me/cats/4", cats, "Meow")
    assert event.in_reply_to is None


def test_mentions_name_those_whom_the_payload_names() -> None:
    marks = [{"type": "mention", "offset": at, "length": 4} for at in (0, 5, 10)]
    theirs = message(message_id=3, text="x") | {"from": BEN}
    said = received(**message(text="@ana @ben @cleo", entities=marks, reply_to_message=theirs)).document
    mentions = [span for span in said.paragraphs[0] if isinstance(span, Mention)]  # type: ignore[union-attr]  # plain
    assert [(each.id, each.handle) for each in mentions] == [("42", "ana"), ("43", "ben"), ("", "cle")]


def test_a_link_under_words_keeps_its_address() -> None:
    mark = {"type": "text_link", "offset": 4, "length": 4, "url": "https://a.example/x"}
    event = received(**message(text="See this", entities=[mark]))
    assert event.document.paragraphs == ((Text("See "), Link("https://a.example/x", "this")),)


def test_a_topic_has_a_root_and_so_has_a_thread_of_answers() -> None:
    topic = received(**message(text="Hi", message_thread_id=4, is_topic_message=True))
    assert topic.thread_root == f"{GROUP['id']}:4/4"
    assert received(**message(text="Hi", message_thread_id=3)).thread_root == f"{GROUP['id']}/3"
    assert received(**message(text="Hi", message_thread_id=5)).thread_root is None
    copy = message(message_id=8, text="News", sender_chat=CHANNEL, is_automatic_forward=True)
    copy["forward_origin"] = {"type": "channel", "chat": CHANNEL, "message_id": 31, "date": 1}
    comment = received(**message(text="Great", message_thread_id=8, reply_to_message=copy))
    assert (comment.thread_root, comment.in_reply_to) == ("-200/31", "-200/31")


def test_an_address_is_told_where_anybody_can_read() -> None:
    assert received(**message(text="Hi")).url == "https://t.me/general/5"
    assert received(**message(CLOSED, text="Hi")).url == ""
    assert received(**message({"id": 42, "type": "private", "username": "ana"}, text="Hi")).url == ""
    assert received(**message(GROUP | {"username": "x/../y"}, text="Hi")).url == ""


def test_the_payload_is_kept_unless_it_is_long() -> None:
    event = received(**message(text="a\ud83d", new="field"))
    assert json.loads(event.raw)["message"]["new"] == "field"
    event.raw.encode()
    assert received(**message(text="x", new="y" * RAW_MAX)).raw == ""


def test_posts_of_channels_are_heard_but_not_our_own() -> None:
    post = {"message_id": 5, "chat": CATS, "sender_chat": CATS, "date": 1, "text": "Meow"}
    event = received("channel_post", **post)
    assert (event.kind, event.addressed, event.private) == (Kind.GROUP, False, False)
    assert event.author == Identity("telegram", "-300", "cats", "Cats")
    assert event.url == "https://t.me/cats/5"
    (edit,) = parse({"update_id": 9, "edited_channel_post": post | {"edit_date": 2}}, ME)
    assert isinstance(edit, MessageEdited)
    ours = post | {"chat": CHANNEL, "sender_chat": CHANNEL}
    assert parse({"update_id": 9, "channel_post": ours}, ME) == []
    assert parse({"update_id": 9, "edited_channel_post": ours}, ME) == []


def test_an_edit_carries_what_is_attached_now() -> None:
    (edit,) = parse({"update_id": 9, "edited_message": message(photo=[SEEN], caption="New", edit_date=2)}, ME)
    assert isinstance(edit, MessageEdited)
    assert [each.handle for each in edit.attachments] == ["f1"]
    assert plain(edit.document) == "New"
    assert edit.raw


def test_who_leaves_is_an_event() -> None:
    (event,) = parse({"update_id": 9, "message": message(left_chat_member=BEN)}, ME)
    assert isinstance(event, MemberLeft)
    assert event.member.id == "43"
    assert parse({"update_id": 9, "message": message(left_chat_member={"id": 7, "is_bot": True})}, ME) == []


def test_an_album_is_put_together() -> None:
    raws = [
        {"update_id": n, "message": message(message_id=n, photo=[SEEN | {"file_id": f"f{n}"}], media_group_id="g")}
        for n in (1, 2)
    ]
    raws[1]["message"]["caption"] = "Both"
    assert [album_of(raw) for raw in raws] == ["g", "g"]
    (event,) = together([event for raw in raws for event in parse(raw, ME)])
    assert isinstance(event, MessageReceived)
    assert (event.ref, event.text) == (f"{GROUP['id']}/1", "Both")
    assert [each.handle for each in event.attachments] == ["f1", "f2"]


def test_a_page_is_cut_before_the_album_at_its_end_unless_that_is_all() -> None:
    a, b = ({"message": {"media_group_id": group}} for group in "ab")
    assert before_a_cut_album([a, {}, b, {}, b]) == [a, {}]
    assert before_a_cut_album([a, {}]) == [a, {}]
    assert before_a_cut_album([a, a]) == [a, a]
    assert gathered([a, {}, b, a, {}]) == [[a, a], [{}], [b], [{}]]


@pytest.mark.parametrize("raw", [None, [], {}, {"message": 7}, {"message": {"media_group_id": 7}}, {"message": []}])
def test_what_is_no_album_is_none(raw: object) -> None:
    assert album_of(raw) == ""


_FIELDS = ["photo", "video", "sticker", "poll", "quote", "external_reply", "forward_origin", "document", "voice"]
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["file_id", "file_size", "width", "type", "text", "chat", "id"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(_FIELDS), _ANYTHING, max_size=3))
def test_whatever_a_field_holds_it_is_an_event_or_a_validation_error(fields: dict[str, Any]) -> None:
    try:
        events = parse({"update_id": 9, "message": message(text="x", **fields)}, ME)
    except msgspec.ValidationError:
        return
    for event in events:
        msgspec.json.encode(event)

"""Telegram's JSON and the model, both ways. Pure."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_documents import glued

from adapters.sandbox.telegram_text import trimmed
from adapters.telegram import planning
from adapters.telegram.entities import Entity, Words, document, render
from adapters.telegram.profile import PROFILE, Settings
from adapters.telegram.translate import Me, parse
from gateway.model.content import Block, BlockKind, Document, Link, Mark, Mention, Text, marked, plain, spans
from gateway.model.delivery import Draft, FaultError, FaultKind, InConversation, Part, Target, Timeline, ToPerson
from gateway.model.events import Kind, MemberJoined, MessageEdited, MessageReceived, Reacted
from gateway.model.identity import Identity
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, MessageRef
from gateway.text.apart import apart
from gateway.text.plain import from_text

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
ME = Me(AccountId("telegram/main"), 7, "Agent_Bot", "@News")
ANA = {"id": 42, "is_bot": False, "first_name": "Ana", "last_name": "Lima", "username": "ana"}
PRIVATE = {"id": 42, "type": "private", "first_name": "Ana", "username": "ana"}
GROUP = {"id": -100, "type": "supergroup", "title": "general"}
CHANNEL = {"id": -200, "type": "channel", "title": "News", "username": "news"}


def message(text: str = "Hello", chat: dict[str, Any] = PRIVATE, **more: Any) -> dict[str, Any]:
    return {"message_id": 5, "from": ANA, "chat": chat, "date": 1_795_000_000, "text": text, **more}


def update(kind: str = "message", **content: Any) -> dict[str, Any]:
    return {"update_id": 9, kind: content}


def received(**content: Any) -> MessageReceived:
    (event,) = parse(update(**content), ME)
    assert isinstance(event, MessageReceived)
    return event


def spoken(text: str, marks: list[dict[str, Any]]) -> Document:
    return received(**message(text, entities=marks)).document


# In.


def test_a_private_message_is_direct_and_addressed() -> None:
    event = received(**message())
    assert (event.kind, event.private, event.addressed) == (Kind.DIRECT, True, True)
    assert event.author == Identity("telegram", "42", "ana", "Ana Lima")
    assert (event.conversation, event.ref, event.id) == ("42", "42/5", "42/5")
    assert event.at == datetime.fromtimestamp(1_795_000_000, UTC)
    assert event.text == "Hello"


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("hi @agent_bot", {"type": "mention", "offset": 3, "length": 10}),
        ("\U0001f44b @AGENT_BOT", {"type": "mention", "offset": 3, "length": 10}),
        ("/ask@agent_bot why", {"type": "bot_command", "offset": 0, "length": 14}),
        ("Agent, hi", {"type": "text_mention", "offset": 0, "length": 5, "user": {"id": 7, "is_bot": True}}),
    ],
)
def test_a_group_message_that_calls_us_is_a_mention(text: str, mark: dict[str, Any]) -> None:
    event = received(**message(text, GROUP, entities=[mark]))
    assert (event.kind, event.private, event.addressed) == (Kind.MENTION, False, True)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("no call", None),
        ("@agent_bot without an entity", None),
        ("hi @agent_bots", {"type": "mention", "offset": 3, "length": 11}),
        ("/ask", {"type": "bot_command", "offset": 0, "length": 4}),
        ("Ana", {"type": "text_mention", "offset": 0, "length": 3, "user": ANA}),
        ("hi @agent_bot", {"type": "mention", "offset": 300, "length": 10}),
    ],
)
def test_other_group_messages_are_overheard(text: str, mark: dict[str, Any] | None) -> None:
    event = received(**message(text, GROUP, entities=[mark] if mark else []))
    assert (event.kind, event.addressed) == (Kind.GROUP, False)


def test_an_answer_to_us_is_a_reply() -> None:
    ours = message("Ours", GROUP, **{"message_id": 3, "from": {"id": 7, "is_bot": True}})
    event = received(**message("Yes", GROUP, reply_to_message=ours))
    assert (event.kind, event.addressed, event.in_reply_to) == (Kind.REPLY, True, "-100/3")


def test_an_answer_to_somebody_else_is_not_for_us() -> None:
    event = received(**message("Yes", GROUP, reply_to_message=message("Theirs", GROUP)))
    assert (event.kind, event.in_reply_to) == (Kind.GROUP, "-100/5")


def test_a_comment_on_our_channel_is_a_reply_to_the_post() -> None:
    copy = message("News", GROUP, message_id=8, sender_chat=CHANNEL, is_automatic_forward=True)
    copy["forward_origin"] = {"type": "channel", "chat": CHANNEL, "message_id": 31, "date": 1}
    event = received(**message("Great", GROUP, reply_to_message=copy))
    assert (event.kind, event.addressed, event.in_reply_to) == (Kind.REPLY, True, "-200/31")
    assert parse(update(**copy), ME) == []


def test_another_channels_post_is_not_ours() -> None:
    copy = message("News", GROUP, is_automatic_forward=True)
    copy["forward_origin"] = {"type": "channel", "chat": CHANNEL | {"id": -3, "username": ""}, "message_id": 31}
    assert received(**message("Great", GROUP, reply_to_message=copy)).kind is Kind.GROUP


def test_topics_are_conversations_and_plain_threads_are_not() -> None:
    topic = received(**message("Hi", GROUP, message_thread_id=4, is_topic_message=True))
    assert (topic.conversation, topic.ref) == ("-100:4", "-100:4/5")
    assert received(**message("Hi", GROUP, message_thread_id=4)).conversation == "-100"


def test_a_picture_speaks_by_its_caption() -> None:
    photo = message(chat=PRIVATE, photo=[{"file_id": "x"}], caption="See\n\n@ana", caption_entities=[])
    del photo["text"]
    assert received(**photo).text == "See\n\n@ana"
    del photo["caption"]
    assert received(**photo).document == Document()


def test_own_messages_are_left_out() -> None:
    assert parse(update(**message(**{"from": {"id": 7, "is_bot": True}})), ME) == []


def test_an_anonymous_admin_is_the_group() -> None:
    event = received(**message("Hi", GROUP, sender_chat=GROUP))
    assert event.author == Identity("telegram", "-100", "", "general")


def test_edits_differ_from_each_other_and_name_the_message() -> None:
    (event,) = parse(update("edited_message", **message("Better", edit_date=1_795_000_050)), ME)
    assert isinstance(event, MessageEdited)
    assert (event.ref, event.id, event.private) == ("42/5", "edit/9", True)
    assert event.at == datetime.fromtimestamp(1_795_000_050, UTC)
    assert plain(event.document) == "Better"


def test_only_new_reactions_are_events() -> None:
    change = {
        "chat": GROUP,
        "message_id": 5,
        "date": 1,
        "user": ANA,
        "old_reaction": [{"type": "emoji", "emoji": "👍"}],
    }
    new = [{"type": "emoji", "emoji": "👍"}, {"type": "emoji", "emoji": "🔥"}, {"type": "custom_emoji", "id": "1"}]
    (event,) = parse(update("message_reaction", **change, new_reaction=new), ME)
    assert isinstance(event, Reacted)
    assert (event.reaction, event.ref, event.author.handle, event.id) == ("🔥", "-100/5", "ana", "reaction/9/0")
    ours = change | {"user": {"id": 7, "is_bot": True}}
    assert parse(update("message_reaction", **ours, new_reaction=new), ME) == []


def test_who_joins_is_an_event_each() -> None:
    joined = message("", GROUP, new_chat_members=[ANA, {"id": 7, "is_bot": True}])
    (event,) = parse(update(**joined), ME)
    assert isinstance(event, MemberJoined)
    assert (event.member.id, event.conversation) == ("42", "-100")


def test_unknown_kinds_of_update_are_nothing() -> None:
    assert parse({"update_id": 1, "poll": {"id": "x"}}, ME) == []


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "text",
        {},
        {"update_id": "one"},
        update(**message(chat={"id": []})),
        update(**message(date=10**15)),
        update(**message(date=None)),
        update(**message(entities=[{"type": "url", "offset": -1, "length": 3}])),
        update(**message(entities=[{"type": "url"}])),
        update(**message(reply_to_message={"message_id": "x"})),
        update("message_reaction", chat=GROUP),
    ],
)
def test_nonsense_is_a_validation_error(raw: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        parse(raw, ME)


def test_entities_become_links_and_mentions() -> None:
    text = "\U0001f9d1 see here or https://a.example/x or b.example, asks @ana and Ben"
    marks = [
        {"type": "bold", "offset": 0, "length": 6},
        {"type": "text_link", "offset": 7, "length": 4, "url": "https://hidden.example/"},
        {"type": "url", "offset": 15, "length": 19},
        {"type": "url", "offset": 38, "length": 9},
        {"type": "mention", "offset": 54, "length": 4},
        {"type": "text_mention", "offset": 63, "length": 3, "user": {"id": 8, "first_name": "Ben"}},
    ]
    assert spoken(text, marks).paragraphs == (
        (
            marked("\U0001f9d1 see", Mark.BOLD),
            Text(" "),
            Link("https://hidden.example/", "here"),
            Text(" or "),
            Link("https://a.example/x"),
            Text(" or "),
            Link("http://b.example", "b.example"),
            Text(", asks "),
            Mention("telegram", "42", "ana"),
            Text(" and "),
            Mention("telegram", "8", "", "Ben"),
        ),
    )


def test_a_spoiler_hides_links_and_names_too() -> None:
    marks = [
        {"type": "spoiler", "offset": 0, "length": 10},
        {"type": "text_link", "offset": 0, "length": 4, "url": "https://hidden.example/"},
        {"type": "mention", "offset": 5, "length": 4},
    ]
    hidden = (Mark.SPOILER,)
    assert spoken("here @ana.", marks).paragraphs == (
        (
            Link("https://hidden.example/", "here", hidden),
            Text(" ", hidden),
            Mention("telegram", "42", "ana", marks=hidden),
            Text(".", hidden),
        ),
    )


def test_blank_lines_divide_paragraphs_around_entities_too() -> None:
    mark = {"type": "mention", "offset": 6, "length": 4}
    assert spoken("One\n \n@ana\ntwo\n\n\nthree", [mark]).paragraphs == (
        (Text("One"),),
        (Mention("telegram", "42", "ana"), Text("\ntwo")),
        (Text("three"),),
    )


def test_overlapping_and_outlying_entities_are_passed_over() -> None:
    marks = [
        {"type": "url", "offset": 0, "length": 5},
        {"type": "text_link", "offset": 2, "length": 4, "url": "https://x.example"},
        {"type": "mention", "offset": 4, "length": 90},
    ]
    assert plain(spoken("a.example", marks)) == "http://a.example"


def test_half_a_surrogate_pair_can_be_stored() -> None:
    event = received(**message("a\ud83db", **{"from": ANA | {"first_name": "A\udc00"}}))
    json.dumps(msgspec.to_builtins(event), ensure_ascii=False).encode()
    assert event.text == "a\ufffdb"


# Out.


def draft(content: Document, target: Target, **more: Any) -> Draft:
    return Draft(DraftId("d1"), DEFAULT_WORKSPACE, ME.account, target, content, AT, "key", **more)


def plan(content: Document | str, target: Target | None = None, **more: Any) -> tuple[Part, ...]:
    made = from_text(content) if isinstance(content, str) else content
    return planning.plan(draft(made, target or Timeline(), **more), "@news")


def refused(content: Document | str, target: Target | None = None, **more: Any) -> FaultKind:
    with pytest.raises(FaultError) as info:
        plan(content, target, **more)
    assert info.value.fault.certain
    return info.value.fault.kind


def test_a_post_goes_to_the_channel() -> None:
    (part,) = plan("Hello")
    assert part == Part(0, "post", "d1.0", {"method": "sendMessage", "chat_id": "@news", "text": "Hello"}, "@news")


def test_without_a_channel_the_cure_is_told() -> None:
    with pytest.raises(FaultError) as info:
        planning.plan(draft(from_text("Hello"), Timeline()), None)
    assert info.value.fault.kind is FaultKind.CONFIG
    assert "announce_to" in info.value.fault.evidence


def test_an_answer_needs_nothing_but_the_draft() -> None:
    (part,) = plan("Yes", InConversation(ConversationId("-100:4")), in_reply_to=MessageRef("-100:4/5"))
    assert part.kind == "reply"
    assert part.conversation == "-100"
    assert part.body == {
        "method": "sendMessage",
        "chat_id": -100,
        "message_thread_id": 4,
        "reply_parameters": {"message_id": 5, "allow_sending_without_reply": True},
        "text": "Yes",
    }


def test_a_message_of_another_chat_is_not_answered_here() -> None:
    (part,) = plan("Yes", InConversation(ConversationId("42"), private=True), in_reply_to=MessageRef("-100/5"))
    assert part.kind == "direct"
    assert "reply_parameters" not in part.body


def test_a_person_is_reached_in_private_only() -> None:
    ana = Identity("telegram", "42", "ana")
    (part,) = plan("Hi", ToPerson(ana, private=True))
    assert (part.kind, part.body["chat_id"]) == ("direct", 42)
    assert refused("Hi", ToPerson(ana)) is FaultKind.TARGET_REFUSED
    assert refused("Hi", ToPerson(Identity("elsewhere", "42", "ana"), private=True)) is FaultKind.TARGET_REFUSED
    assert refused("Hi", ToPerson(Identity("telegram", "@ana", "ana"), private=True)) is FaultKind.TARGET_REFUSED


def test_what_is_private_never_goes_to_a_group() -> None:
    assert refused("Psst", InConversation(ConversationId("-100"), private=True)) is FaultKind.TARGET_REFUSED


@pytest.mark.parametrize("conversation", ["", "abc", "1:2:3", "1:x"])
def test_a_foreign_conversation_is_refused(conversation: str) -> None:
    assert refused("Hi", InConversation(ConversationId(conversation))) is FaultKind.INVALID


def test_a_long_text_is_several_parts_that_carry_their_slices() -> None:
    text = "\n\n".join(f"Paragraph {n}. " + "word " * 150 for n in range(12))
    parts = plan(text, InConversation(ConversationId("-100")), in_reply_to=MessageRef("-100/5"))
    assert len(parts) > 1
    assert [part.index for part in parts] == list(range(len(parts)))
    assert all(len(part.body["text"]) <= 4096 for part in parts)
    assert ["reply_parameters" in part.body for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [plain(part.rest) for part in parts if part.rest] == [part.body["text"] for part in parts]


def test_the_limit_counts_code_points() -> None:
    assert len(plan("\U0001f9d1" * 4096)) == 1
    assert len(plan("\U0001f9d1 " * 2100)) == 2


def test_an_unbreakable_span_too_long_is_refused() -> None:
    long = Document(((Link("https://example.org/" + "a" * 4096),),))
    assert refused(long) is FaultKind.TOO_LONG


def test_nothing_to_say_is_refused() -> None:
    assert refused("  \n ") is FaultKind.INVALID


@pytest.mark.parametrize("name", ["@durov", "@@durov", "Team @durov", "(@durov)", "@", "@@", "@ana@mastodon.sandbox"])
@pytest.mark.parametrize("follows", [Text("durov"), Text(" and all"), marked("durov", Mark.BOLD)])
def test_somebody_from_elsewhere_calls_nobody_whatever_the_name(name: str, follows: Text) -> None:
    said = Document(((Text("thanks "), Mention("discord", "1", "x", name), follows),))
    assert not re.search(r"@\w", render(said).text)


def test_people_elsewhere_are_named_without_a_ping() -> None:
    said = Document(
        (
            (
                Mention("telegram", "42", "ana"),
                Text(" "),
                Mention("telegram", "8", "", "Ben"),
                Text(" "),
                Mention("elsewhere", "9", "cleo"),
                Text(" "),
                Mention("elsewhere", "9", "dan", "Dan @durov"),
            ),
        )
    )
    words = render(said)
    assert words.text == "@ana Ben cleo Dan durov"
    (mark,) = words.entities
    assert (mark["type"], mark["user"]["id"], mark["offset"], mark["length"]) == ("text_mention", 8, 5, 3)


def test_an_address_that_cannot_hide_is_written_out() -> None:
    assert render(Document(((Link("gemini://a.example", "this"),),))) == Words("this (gemini://a.example)", [])
    assert render(Document(((Link("https://a.example", "https://a.example"),),))).entities == []
    many = Document(tuple((Link(f"https://a.example/{n}", "x"),) for n in range(101)))
    words = render(many)
    assert words.entities == []
    assert "x (https://a.example/100)" in words.text


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


@given(st.lists(st.lists(st.tuples(texts, st.booleans()), min_size=1, max_size=4), min_size=1, max_size=4))
def test_entities_lie_on_their_words(paragraphs: list[list[tuple[str, bool]]]) -> None:
    """Whatever the script: in UTF-16, each link's entity covers exactly the link's text, but for blank ends."""
    said = Document(
        tuple(
            tuple(Link("https://a.example", words) if linked else Text(words) for words, linked in paragraph)
            for paragraph in paragraphs
        )
    )
    words = render(said)
    raw = words.text.encode("utf-16-le")
    covered = [raw[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le") for e in words.entities]
    assert covered == [text.strip() for row in paragraphs for text, linked in row if linked and text.strip()]


SET = Document(
    (
        Block((Text("Title"),), BlockKind.HEADING, level=1),
        (Text("\U0001f9d1 "), marked("b ", Mark.BOLD), marked("x*y", Mark.BOLD, Mark.CODE), marked("s", Mark.SPOILER)),
        Block((Text("quoted"),), quote=1),
        Block((Text("deeper"),), quote=2),
        Block((Text("if a:\n\n  b"),), BlockKind.CODE, language="py"),
    )
)


def test_formatting_becomes_entities_and_comes_back() -> None:
    words = render(SET)
    assert words.text == "Title\n\n\U0001f9d1 b x*ys\n\nquoted\n\n> deeper\n\nif a:\n\n  b"
    assert words.entities == [
        {"type": "bold", "offset": 0, "length": 5},
        {"type": "bold", "offset": 10, "length": 1},
        {"type": "code", "offset": 12, "length": 3},
        {"type": "spoiler", "offset": 15, "length": 1},
        {"type": "blockquote", "offset": 18, "length": 16},
        {"type": "pre", "language": "py", "offset": 36, "length": 10},
    ]
    said = spoken(words.text, words.entities)
    assert said.paragraphs[0] == (marked("Title", Mark.BOLD),)
    assert said.paragraphs[2:] == (
        Block((Text("quoted"),), quote=1),
        Block((Text("> deeper"),), quote=1),
        Block((Text("if a:\n\n  b"),), BlockKind.CODE, language="py"),
    )


def test_without_room_for_entities_quotations_have_a_sign() -> None:
    links = tuple(
        Block((Link(f"https://a.example/{n}", f"{n}"), marked(".", Mark.BOLD)), quote=n % 2) for n in range(80)
    )
    words = render(Document(links))
    assert len(words.entities) == 20  # the addresses that are spelled out take the others
    assert words.text.startswith("0 (https://a.example/0).\n\n> 1 (https://a.example/1).")


def test_settings_want_a_token_and_know_their_keys() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"server": "http://a.example"}, Settings)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"token": None, "tokn": "x"}, Settings)


def test_no_words_are_no_paragraphs() -> None:
    assert document("", []) == Document()


# Addresses that touch what is around them.


@given(glued("telegram"))
def test_what_touches_an_address_stays_outside_of_it(said: Document) -> None:
    said = apart(said, "telegram", PROFILE)
    meant = [span for span in spans(said) if isinstance(span, Link)]
    text, marks = trimmed(*render(said))
    heard = document(text, msgspec.convert(marks, list[Entity]))
    assert [Link(span.url) for span in spans(heard) if isinstance(span, Link)] == meant
    assert "".join(plain(heard).split()) == "".join(plain(said).split())


def test_an_address_that_ends_where_the_server_ends_it_needs_nothing() -> None:
    assert render(from_text("see https://e.org/a, (https://e.org/b).")).entities == []
    assert render(from_text("【https://e.org/a】次")).entities == [
        {"type": "text_link", "url": "https://e.org/a", "offset": 1, "length": 15}
    ]
    assert [each["url"] for each in render(from_text("https://e.org/(a)")).entities] == ["https://e.org/(a)"]

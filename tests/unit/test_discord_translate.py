"""Discord's pure halves: raw events to ours, documents to payloads, and the position."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import planning, position, translate
from adapters.discord.markup import Person, spell
from adapters.discord.markup import document as read
from adapters.discord.memory import Bounded, Place
from adapters.discord.profile import Settings
from gateway.model.content import (
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Media,
    Mention,
    Poll,
    Quote,
    Span,
    Text,
    marked,
    plain,
    spelled,
)
from gateway.model.delivery import Draft, FaultError, FaultKind, InConversation, Target, Timeline, ToPerson
from gateway.model.events import Kind
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, DraftId, MessageRef, WorkspaceId
from gateway.model.media import Attachment
from gateway.model.secret import Secret
from gateway.text.plain import from_text

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ACCOUNT = AccountId("discord/main")
SETTINGS = Settings(token=Secret("t"), announce_to="77")
ME = "1"


def raw(content: str = "hello", **more: Any) -> translate.RawMessage:
    message = {
        "id": "500",
        "channel_id": "77",
        "guild_id": "7",
        "author": {"id": "9", "username": "ana", "global_name": "Ana"},
        "timestamp": "2026-11-22T12:00:00.123000+00:00",
        "content": content,
    }
    return msgspec.convert(message | more, translate.RawMessage)


def draft(said: str | Document, target: Target | None = None, **more: Any) -> Draft:
    document = from_text(said) if isinstance(said, str) else said
    draft_id = DraftId("abcdefghij0123456789")
    return Draft(draft_id, WorkspaceId("w"), ACCOUNT, target or Timeline(), document, NOW, "k", **more)


def heard(message: translate.RawMessage, *, private: bool = False) -> Any:
    return translate.received(message, ACCOUNT, ME, Place(private, message.guild_id))


def planned_kind(said: str | Document, target: Target | None = None, **more: Any) -> FaultKind:
    with pytest.raises(FaultError) as caught:
        planning.plan(draft(said, target, **more), SETTINGS)
    assert caught.value.fault.certain
    return caught.value.fault.kind


# Raw to events.


def test_words_links_mentions_and_emoji_are_read() -> None:
    users = [{"id": "9", "username": "ana", "global_name": "Ana"}]
    document = translate.document(raw("<@!9> and <@8> see https://e.org.\n\n<:wave:123> <#5>", mentions=users))
    assert document.paragraphs == (
        (
            Mention("discord", "9", "ana", "Ana"),
            Text(" and "),
            Mention("discord", "8", "8"),
            Text(" see "),
            Link("https://e.org"),
            Text("."),
        ),
        (Text(":wave: <#5>"),),
    )


def test_attachments_are_told_with_all_that_is_known_of_them() -> None:
    picture = {
        "id": "1",
        "url": "https://cdn.example/1",
        "filename": "SPOILER_a.gif",
        "description": "a cat",
        "size": 9,
    }
    picture |= {"content_type": "image/gif; x=1", "width": 4, "height": 3}
    sound = {
        "id": "2",
        "url": "https://cdn.example/2",
        "filename": "a.ogg",
        "content_type": "audio/ogg",
        "duration_secs": 1.5,
    }
    event = heard(raw("look", attachments=[picture, sound]))
    assert event.text == "look"
    shown = Attachment("77/500/1", "image/gif", 9, "a cat", "SPOILER_a.gif", 4, 3, None, True, True)
    assert event.attachments == (shown, Attachment("77/500/2", "audio/ogg", name="a.ogg", duration_s=1.5))


def test_a_forward_is_a_quote_with_its_attachments() -> None:
    said = {"message": {"content": "**the** news", "attachments": [{"id": "1", "url": "https://cdn.example/1"}]}}
    where = {"type": 1, "message_id": "5", "channel_id": "6", "guild_id": "7"}
    event = heard(raw("", message_snapshots=[said], message_reference=where))
    url = "https://discord.com/channels/7/6/5"
    assert event.document.quote == Quote("discord", MessageRef("6/5"), url, text="the news")
    assert [one.handle for one in event.attachments] == ["77/500/1"]
    assert event.in_reply_to is None


def test_polls_and_stickers_are_read() -> None:
    answers = [{"poll_media": {"text": "Monday"}}, {"poll_media": {"text": "Tuesday"}}]
    poll = {"question": {"text": "Which day?"}, "answers": answers, "allow_multiselect": True}
    event = heard(raw("", poll=poll))
    assert (event.text, event.document.poll) == ("Which day?", Poll(("Monday", "Tuesday"), 0.0, multiple=True))
    assert heard(raw("hi", sticker_items=[{"name": "wave"}])).text == "hi\n\n:wave:"


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, Kind.GROUP),
        ({"mentions": [{"id": ME}]}, Kind.MENTION),
        (
            {"type": 19, "message_reference": {"message_id": "4"}, "referenced_message": {"author": {"id": ME}}},
            Kind.REPLY,
        ),
        (
            {"type": 19, "message_reference": {"message_id": "4"}, "referenced_message": {"author": {"id": "8"}}},
            Kind.GROUP,
        ),
        ({"type": 19, "message_reference": {"message_id": "4"}, "referenced_message": None}, Kind.GROUP),
        ({"mention_everyone": True}, Kind.GROUP),
    ],
)
def test_who_was_spoken_to(more: dict[str, Any], kind: Kind) -> None:
    event = heard(raw(**more))
    assert (event.kind, event.addressed, event.private) == (kind, kind is not Kind.GROUP, False)
    assert event.in_reply_to == ("77/4" if more.get("type") == 19 else None)


def test_a_dm_is_private_and_addressed() -> None:
    event = heard(raw(), private=True)
    assert (event.kind, event.private, event.addressed, event.ref) == (Kind.DIRECT, True, True, "77/500")
    assert event.author == Identity("discord", "9", "ana", "Ana")


@pytest.mark.parametrize(
    "more",
    [{"author": {"id": ME}}, {"author": {"id": "9", "bot": True}}, {"webhook_id": "3"}, {"type": 7}],
    ids=["ours", "a bot", "a webhook", "a join notice"],
)
def test_what_is_no_persons_message_is_left_out(more: dict[str, Any]) -> None:
    assert heard(raw(**more)) is None


def test_only_real_edits_count() -> None:
    assert translate.edited(raw(), ACCOUNT, ME, Place()) is None
    first, second = (
        translate.edited(raw(edited_timestamp=f"2026-11-22T12:00:0{i}+00:00"), ACCOUNT, ME, Place()) for i in (1, 2)
    )
    assert first is not None
    assert second is not None
    assert first.id != second.id


@pytest.mark.parametrize(
    "broken",
    [
        {"id": None},
        {"id": "5; DROP"},
        {"id": "5\n"},
        {"id": "1" * 21},
        {"author": "ana"},
        {"timestamp": "yesterday"},
        {"content": "x" * 10_001},
        {"mentions": 3},
    ],
)
def test_a_malformed_message_is_refused_whole(broken: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        raw(**broken)


def test_a_servers_own_emoji_is_told_by_its_name() -> None:
    about = {"user_id": "9", "channel_id": "77", "message_id": "500"}
    own_emoji = translate.RawReaction(**about, emoji=translate.RawEmoji("42", "wave"))
    event = translate.reacted(own_emoji, ACCOUNT, ME, NOW)
    assert event is not None
    assert event.reaction == ":wave:"
    assert translate.reacted(own_emoji, ACCOUNT, "9", NOW) is None
    assert translate.reacted(translate.RawReaction(**about, emoji=translate.RawEmoji()), ACCOUNT, ME, NOW) is None


# Documents to payloads.


def test_a_plan_is_frozen_and_its_key_fits() -> None:
    one, same = (planning.plan(draft("hello"), SETTINGS) for _ in range(2))
    assert one == same
    [part] = one
    assert part.body["payload"] == {
        "content": "hello",
        "allowed_mentions": {"parse": [], "users": [], "replied_user": False},
        "nonce": "abcdefghij0123456789.0",
        "enforce_nonce": True,
    }
    assert (part.body["channel"], part.conversation, part.kind, part.rest) == ("77", "77", "post", None)


def test_a_reply_stays_in_its_channel() -> None:
    here = InConversation(ConversationId("77"))
    [part] = planning.plan(draft("yes", here, in_reply_to=MessageRef("77/500")), SETTINGS)
    assert part.body["payload"]["message_reference"] == {"message_id": "500"}
    [part] = planning.plan(draft("yes", here, in_reply_to=MessageRef("78/500")), SETTINGS)
    assert "message_reference" not in part.body["payload"]


@pytest.mark.parametrize(
    "target", [InConversation(ConversationId("5"), True), ToPerson(Identity("discord", "9"), True)]
)
def test_what_is_private_never_plans_a_public_part(target: Target) -> None:
    parts = planning.plan(draft("word " * 900, target), SETTINGS)
    assert {part.kind for part in parts} == {"direct"}
    assert all(part.body.get("channel") != SETTINGS.announce_to for part in parts)


def test_a_public_word_to_a_person_names_them_and_keeps_the_draft_clean() -> None:
    ana = ToPerson(Identity("discord", "9", "ana"))
    parts = planning.plan(draft("word " * 900, ana), SETTINGS)
    assert parts[0].body["payload"]["content"].startswith("<@9>\n\nword")
    assert parts[0].body["payload"]["allowed_mentions"]["users"] == ["9"]
    rest = " ".join(plain(part.rest) for part in parts if part.rest)
    assert rest.split() == ["word"] * 900


def test_what_cant_be_carried_is_refused() -> None:
    assert planned_kind("") is FaultKind.INVALID
    assert planned_kind("hi", InConversation(ConversationId("elsewhere"))) is FaultKind.TARGET_REFUSED
    assert planned_kind("hi", ToPerson(Identity("x", "9"), True)) is FaultKind.TARGET_REFUSED
    assert planned_kind("https://e.org/" + "a" * 2000) is FaultKind.TOO_LONG
    image = Media("0" * 64, "image/png", 10)
    assert planned_kind(Document(media=(image,) * 11)) is FaultKind.MEDIA
    assert planned_kind(Document(media=(msgspec.structs.replace(image, size_bytes=10_485_761),))) is FaultKind.MEDIA
    with pytest.raises(FaultError) as caught:
        translate.located(MessageRef("at://elsewhere"))
    assert caught.value.fault.kind is FaultKind.TARGET_GONE


def test_pictures_go_first_with_their_alt_text() -> None:
    image = Media("0" * 64, "image/png", 10, alt="a" * 2000)
    parts = planning.plan(draft(Document(((Text("word " * 900),),), media=(image,))), SETTINGS)
    assert [("media" in part.body) for part in parts] == [True, False, False][: len(parts)]
    [described] = parts[0].body["payload"]["attachments"]
    assert len(described["description"]) == 1024


SPANS = st.one_of(
    st.text(min_size=1, max_size=700).map(Text),
    st.sampled_from(["1", "22", "333"]).map(lambda i: Mention("discord", i, "h")),
    st.sampled_from(["x", "discord"]).map(lambda p: Mention(p, "not a number", "h")),
    st.just(Link("https://e.org/x")),
)


@given(st.lists(st.lists(SPANS, min_size=1, max_size=5), min_size=1, max_size=6))
def test_every_part_fits_and_pings_only_whom_it_names(paragraphs: list[list[Span]]) -> None:
    document = Document(tuple(tuple(paragraph) for paragraph in paragraphs))
    if document.is_empty:
        return
    for part in planning.plan(draft(document), SETTINGS):
        payload = part.body["payload"]
        assert 0 < len(payload["content"]) <= 2000
        assert len(payload["nonce"]) <= 25
        assert all(f"<@{user}>" in payload["content"] for user in payload["allowed_mentions"]["users"])
        assert payload["allowed_mentions"]["parse"] == []


def test_strangers_are_spelled_and_never_pinged() -> None:
    stranger = Mention("x", "9", "ana")
    assert spell(stranger) == spelled(stranger) == "@ana"
    assert spell(Mention("discord", "9> <@8", "h")) == "@h"


# The position.


def test_ids_and_times_meet() -> None:
    assert abs(position.moment(position.snowflake(NOW)) - NOW) < timedelta(milliseconds=1)
    assert position.moment(175928847299117063) == datetime(2016, 4, 30, 11, 18, 25, 796000, UTC)  # the docs' example


def test_a_position_comes_back_as_it_was() -> None:
    one = position.load(None, NOW)
    one.saw("5", 10, private=False)
    one.saw("6", 11, private=True)
    one.session = ("s", "wss://x", 0)
    one.heard(7)
    one.heard(0)
    again = position.load(one.dump(), NOW + timedelta(days=1))
    assert again.dump() == one.dump()
    assert (again.since("5"), again.since("6"), again.since("7")) == (10, 11, position.snowflake(NOW))
    assert again.session is not None
    assert again.session[2] == 7


@pytest.mark.parametrize("cursor", ["", "{}", "[]", "nonsense", '{"floor": "x"}'])
def test_a_cursor_that_cant_be_read_starts_from_now(cursor: str) -> None:
    assert position.load(cursor, NOW).floor == position.snowflake(NOW)


def test_a_position_stays_small_and_forgets_nothing_unread() -> None:
    one = position.Position(0)
    for channel in range(1, 2 * position.CHANNELS_MAX):
        one.saw(str(channel), channel, private=False)
    one.saw("5", 4, private=False)
    assert len(one.channels) == position.CHANNELS_MAX
    assert one.since("1") >= 1  # what was seen there is not read again
    one.saw("900", 1, private=False)
    one.saw("900", 999, private=False)
    one.saw("900", 5, private=False)
    assert one.since("900") == 999


def test_logins_rest_longer_and_longer_and_calm_down() -> None:
    one, now, pauses = position.Position(0), NOW, []
    for _ in range(14):
        pauses.append(one.pause_s(now, 5.0))
        now += timedelta(seconds=pauses[-1])
        one.logged_in(now, 5.0)
    assert pauses == [0, 0, 0, 5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]
    now += timedelta(seconds=900 + 601)
    one.logged_in(now, 5.0)
    assert (one.streak, one.pause_s(now, 5.0)) == (1, 0)


def test_a_bounded_map_forgets_the_oldest() -> None:
    kept: Bounded[str, int] = Bounded(2)
    for number in range(3):
        kept[str(number)] = number
    assert list(kept) == ["1", "2"]


def test_the_profile_loads_without_the_library() -> None:
    code = "import sys, adapters.discord.profile; sys.exit('discord' in sys.modules or 'aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SET = Document(
    (
        Block((Text("Title"),), BlockKind.HEADING, level=5),
        (marked("bold ", Mark.BOLD), marked("both", Mark.BOLD, Mark.ITALIC), Text(" "), marked("a`b", Mark.CODE)),
        (
            Link("https://e.org/a_b", "docs [1]"),
            Text(" "),
            Link("https://e.org", "evil.example"),
            marked("!", Mark.SPOILER),
        ),
        Block((Text("quoted\n# not"),), quote=1),
        Block((Text("a"),), BlockKind.ITEM, marker="•"),
        Block((Text("- b"),), BlockKind.ITEM, marker="2.", indent=1),
        Block((Text("if `x`:\n  ```"),), BlockKind.CODE, language="py"),
    )
)  # fmt: skip


def test_formatting_is_written_as_markdown() -> None:
    assert planning.render(SET) == (
        "### Title\n\n**bold** **_both_** ``a`b``\n\n[docs \\[1\\]](https://e.org/a_b) evil.example (<https://e.org>)||!||\n\n"
        "> quoted\n> \\# not\n\n- a\n  2. \\- b\n\n```py\nif `x`:\n  ``\u2060`\n```"
    )


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("snake_case, 2 < 3 & #a7, 5 - 3 = 2", r"snake\_case, 2 < 3 & #a7, 5 - 3 = 2"),
        ("*a* _b_ `c` ~~d~~ ||e||", r"\*a\* \_b\_ \`c\` \~\~d\~\~ \|\|e\|\|"),
        ("# a\n- b\n> c\n1. d\n-# e", "\\# a\n\\- b\n\\> c\n1\\. d\n\\-# e"),
        ("[x](https://e.org)", r"\[x](https://e.org)"),
        ("<@1> <#2> <:e:3> </c:4> <b> <t:5>", r"\<@1> \<#2> \<:e:3> \</c:4> <b> \<t:5>"),
        (r"C:\dir \* ¯\_(ツ)_/¯", r"C:\dir \\\* ¯\\\_(ツ)\_/¯"),
    ],
)
def test_what_was_not_meant_as_markup_is_escaped(text: str, content: str) -> None:
    assert planning.render(Document(((Text(text),),))) == content
    assert plain(read(content, {})) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("**b** ||s|| `<@9> <:e:1>`", "b s <@9> <:e:1>"),
        (r"\<@9> \\<@9> <mention:x:@ana> [y](mention:x:@ana)", "<@9> \\@ben @ana y"),
        (">>> a\nb", "> a\n> b"),
        ("```py\n<@9>\n```", "<@9>"),
    ],
)
def test_markdown_is_read_and_calls_nobody_elsewhere(content: str, text: str) -> None:
    assert plain(read(content, {"9": Person("ben")})) == text

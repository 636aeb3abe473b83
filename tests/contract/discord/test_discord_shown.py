"""What people see on Discord and what an agent hears of it, through the real discord.py."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import aiohttp
import pytest
from msgspec import structs

from adapters.discord.adapter import DiscordAccount
from adapters.sandbox.discord_files import GONE, PICTURE
from adapters.sandbox.discord_people import FORUM
from gateway.model.content import Document, Media, Poll, Quote, Text, plain
from gateway.model.delivery import FaultError, FaultKind
from gateway.model.events import MessageReceived, PlatformEvent, Reacted
from gateway.model.ids import MessageRef
from gateway.model.media import Attachment, MediaKind
from gateway.text.plain import from_text
from tests.contract.discord.discord_rig import (
    Rig,
    channel,
    draft,
    forgotten,
    listening,
    refused,
    send_all,
    until,
)

FILM = bytes(3_000_000)
NOTES = b"a,b\n1,2\n"


def kept(rig: Rig, data: bytes, mime: str, **more: Any) -> Media:
    """A file that the account can be given."""
    sha256 = hashlib.sha256(data).hexdigest()
    rig.benches["agent"].pictures[sha256] = data
    return Media(sha256, mime, len(data), **more)


async def heard(rig: Rig, account: DiscordAccount, kind: str, text: str, **options: Any) -> MessageReceived:
    """What somebody's message is to the account."""
    async with listening(rig, account) as listener:
        rig.face.say("ana", kind, text, **options)
        [event] = await listener.heard(1)
    assert isinstance(event, MessageReceived)
    return event


async def fetched(account: DiscordAccount, attachment: Attachment) -> bytes:
    return b"".join([piece async for piece in account.fetch(attachment)])


# Files.


@pytest.mark.parametrize(("hidden", "begins"), [(False, ""), (True, "SPOILER_")])
async def test_films_and_files_are_uploaded_and_hidden_by_name(
    rig: Rig, account: DiscordAccount, hidden: bool, begins: str
) -> None:
    media = (kept(rig, FILM, "video/mp4", alt="a cat jumps"), kept(rig, NOTES, "text/csv", name="notes.csv"))
    await send_all(account, draft(structs.replace(from_text("look"), media=media, sensitive=hidden)))
    [message] = rig.held()
    assert [(one["mime"], one["size_bytes"], one["alt"]) for one in message.media] == [
        ("video/mp4", len(FILM), "a cat jumps"),
        ("text/csv", len(NOTES), ""),
    ]
    shown = rig.face.message_object(message)["attachments"]
    assert [one["filename"] for one in shown] == [f"{begins}video0.mp4", f"{begins}notes.csv"]
    async with aiohttp.ClientSession() as session, session.get(shown[0]["url"]) as answer:
        assert await answer.read() == FILM


async def test_files_that_are_too_much_together_are_refused_before_anything_is_sent(
    rig: Rig, account: DiscordAccount
) -> None:
    media = tuple(Media(f"{n}" * 64, "video/mp4", 10_000_000) for n in range(3))
    error = await refused(account, Document(media=media))
    assert (error.fault.kind, error.fault.certain) == (FaultKind.MEDIA, True)
    assert rig.face.network.attempts == []


async def test_what_is_attached_is_fetched_under_an_address_of_the_day(rig: Rig, account: DiscordAccount) -> None:
    files = [("SPOILER_a.gif", PICTURE), ("b.bin", bytes(200_000))]
    event = await heard(rig, account, "direct", "look", files=files)
    hidden, plain_file = event.attachments
    assert (hidden.kind, hidden.sensitive, hidden.name) == (MediaKind.GIF, True, "SPOILER_a.gif")
    assert (plain_file.size_bytes, plain_file.sensitive) == (200_000, False)
    rig.face.files.expire()
    [told, _] = json.loads(event.raw)["attachments"]
    async with aiohttp.ClientSession() as session, session.get(told["url"]) as answer:
        assert (answer.status, await answer.text()) == (404, GONE)
    assert await fetched(account, hidden) == PICTURE
    assert await fetched(account, plain_file) == bytes(200_000)


@pytest.mark.parametrize("what", ["file", "message", "no reference", "https://e.org/a.png", ""])
async def test_what_is_gone_can_not_be_fetched(rig: Rig, account: DiscordAccount, what: str) -> None:
    event = await heard(rig, account, "direct", "look", image=True)
    [attached] = event.attachments
    handles = {"file": f"{event.ref}/1", "message": attached.handle}
    if what == "message":
        rig.face.person_deletes(event.id)
    with pytest.raises(FaultError) as caught:
        await fetched(account, structs.replace(attached, handle=handles.get(what, what)))
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.TARGET_GONE, True)


async def test_a_file_elsewhere_is_not_fetched(rig: Rig, account: DiscordAccount) -> None:
    event = await heard(rig, account, "direct", "look", image=True)
    for server in ("https://elsewhere.example", f"{rig.face.url}0", "file:///etc/passwd?", "http://["):
        rig.face.file_server = server
        with pytest.raises(FaultError) as caught:
            await fetched(account, event.attachments[0])
        assert caught.value.fault.kind is FaultKind.INVALID


# Polls, stickers, forwards.


async def test_a_poll_is_asked_and_is_never_edited(rig: Rig, account: DiscordAccount) -> None:
    asked = structs.replace(from_text("Which day?"), poll=Poll(("Monday", "Tuesday"), 7200.0, multiple=True))
    [receipt] = await send_all(account, draft(asked))
    [message] = rig.held()
    shown = rig.face.message_object(message)
    assert (shown["content"], shown["poll"]["question"]["text"]) == ("", "Which day?")
    assert [one["poll_media"]["text"] for one in shown["poll"]["answers"]] == ["Monday", "Tuesday"]
    with pytest.raises(FaultError) as caught:
        await account.edit(receipt.ref, from_text("Which week?"))
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.TARGET_REFUSED, True)


async def test_a_poll_is_heard(rig: Rig, account: DiscordAccount) -> None:
    answers = [{"poll_media": {"text": text}} for text in ("yes", "no")]
    poll = {"question": {"text": "Tea?"}, "answers": answers, "duration": 2, "allow_multiselect": True}
    event = await heard(rig, account, "group", "", poll=poll)
    assert (event.text, event.document.poll) == ("Tea?", Poll(("yes", "no"), 7200.0, multiple=True))


async def test_stickers_are_named(rig: Rig, account: DiscordAccount) -> None:
    assert (await heard(rig, account, "group", "hi", stickers=["wave"])).text == "hi\n\n:wave:"


async def test_a_forward_is_a_quote_and_its_files_can_be_fetched(rig: Rig, account: DiscordAccount) -> None:
    said = rig.face.say("ben", "group", "**the** news", files=[("a.txt", NOTES)])
    event = await heard(rig, account, "group", "", forwards=said.id)
    where = MessageRef(f"{said.conversation}/{said.id}")
    url = f"https://discord.com/channels/{rig.face.guild}/{where}"
    assert event.document.quote == Quote("discord", where, url, text="the news")
    assert (event.in_reply_to, event.thread_root) == (None, None)
    assert await fetched(account, event.attachments[0]) == NOTES


async def test_a_hostile_payload_loses_no_other_message(rig: Rig, account: DiscordAccount) -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    worst = [
        {"content": "x" * 20_000},
        {"content": "||" * 4_000 + "> " * 900, "embeds": deep, "attachments": deep, "poll": {"answers": deep}},
        {"content": "[](" * 3_000 + "<@" * 400, "sticker_items": [{"name": "n" * 600}] * 50},
        {"content": "```" * 600 + "\\" * 4_000, "attachments": [{"id": "1", "url": "u"}] * 5_000},
        {"content": "\x00\ud800", "message_snapshots": [{"message": {"message_snapshots": deep}}]},
        {"timestamp": "9999-99-99", "referenced_message": deep},
    ]
    async with listening(rig, account) as listener:
        [session] = rig.face.gateway.of("agent")
        for hostile in worst:
            message = rig.face.message_object(rig.face.say("ana", "group", "before"))
            more = {"id": str(int(message["id"]) + 1), "guild_id": rig.face.guild, "position": deep}
            session.dispatch("MESSAGE_CREATE", message | more | hostile)
        rig.face.say("ana", "group", "end")
        await until(lambda: any(plain(one.document) == "end" for one in listener.events) or listener.fault)
        assert listener.fault is None
    received = [event for event in listener.events if isinstance(event, MessageReceived)]
    assert [event.text for event in received].count("before") == len(worst)
    assert all(len(event.attachments) <= 10 for event in received)


# Threads and chains of replies.


async def test_messages_of_a_thread_name_what_it_began_with(rig: Rig, account: DiscordAccount) -> None:
    said = rig.face.say("ana", "group", "a question")
    thread, private = rig.face.start_thread(said.id), rig.face.start_private_thread(rig.face.general)
    forum = rig.face.open_channel("help", FORUM)
    async with listening(rig, account) as listener:
        late = rig.face.start_thread(rig.face.say("ana", "group", "a later one").id)
        post = rig.face.post_in_forum("ben", forum, "help me")
        for place in (thread, late, private, post.conversation):
            rig.face.say("ben", "group", "an answer", channel=place)
        _, first, *answers = await listener.heard(6)
    assert first.thread_root is None
    roots = [f"{rig.face.general}/{thread}", f"{rig.face.general}/{late}", None, f"{post.conversation}/{post.id}"]
    assert [event.thread_root for event in answers] == roots
    assert {event.url.split("/")[4] for event in answers} == {rig.face.guild}


async def test_threads_are_known_after_a_pause_too(rig: Rig, account: DiscordAccount) -> None:
    thread = rig.face.start_thread(rig.face.say("ana", "group", "a question").id)
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "in it", channel=thread)
        await listener.heard(1)
    for resumed in (True, False):
        if not resumed:
            await forgotten(rig)
        again = await rig.open()
        rig.face.say("ana", "group", "meanwhile", channel=thread)
        async with listening(rig, again, listener.cursor) as listener:
            [event] = await listener.heard(1)
        assert event.thread_root == f"{rig.face.general}/{thread}"
        assert event.url == f"https://discord.com/channels/{rig.face.guild}/{thread}/{event.id}"


async def test_a_chain_of_replies_has_one_root(rig: Rig, account: DiscordAccount) -> None:
    first = said = rig.face.say("ana", "group", "one")
    root = f"{first.conversation}/{first.id}"
    async with listening(rig, account) as listener:
        for who in ("ben", "ana", "ben", "ana"):
            said = rig.face.say(who, "reply", "more", to=said.id)
        chain = await listener.heard(4)
    assert [event.thread_root for event in chain] == [root] * 4
    fresh = await rig.open()
    async with listening(rig, fresh) as listener:
        rig.face.say("ben", "reply", "last", to=said.id)
        [event] = await listener.heard(1)
    assert event.in_reply_to == f"{said.conversation}/{said.id}"
    assert event.thread_root == f"{said.conversation}/{said.in_reply_to}"  # the payload tells of two


# Reactions.


async def reactions(rig: Rig, listener: Any, *reacted: tuple[str, str]) -> list[PlatformEvent]:
    message = rig.held()[-1]
    for person, emoji in reacted:
        rig.face.person_reacts(person, message.id, emoji)
    events: list[PlatformEvent] = await listener.heard(len(reacted))
    return events


async def test_reactions_go_both_ways(rig: Rig, account: DiscordAccount) -> None:
    own = rig.face.add_emoji("wave")
    async with listening(rig, account) as listener:
        [receipt] = await send_all(account, draft("news"))
        events = await reactions(rig, listener, ("ana", "🎉"), ("ben", f"wave:{own}"))
        assert [(one.reaction, one.author.handle, one.ref) for one in events if isinstance(one, Reacted)] == [
            ("🎉", "ana", receipt.ref),
            (":wave:", "ben", receipt.ref),
        ]
        for event in events:
            await account.react(receipt.ref, event.reaction)
    given = [one["reaction"] for one in rig.held()[0].reactions]
    assert given == ["🎉", f"wave:{own}"] * 2


@pytest.mark.parametrize(("asked", "given"), [("❤️", "❤️"), ("👍️", "👍"), (":wave:", "wave:{own}"), ("👩‍👩‍👧", "👩‍👩‍👧")])
async def test_an_emoji_is_found_in_discords_spelling(
    rig: Rig, account: DiscordAccount, asked: str, given: str
) -> None:
    own = rig.face.add_emoji("wave")
    [receipt] = await send_all(account, draft("news"))
    await account.react(receipt.ref, asked)
    assert [one["reaction"] for one in rig.held()[0].reactions] == [given.format(own=own)]


@pytest.mark.parametrize("asked", [":unknown:", "no emoji", "x:1", ""])
async def test_what_is_no_emoji_here_is_refused(rig: Rig, account: DiscordAccount, asked: str) -> None:
    [receipt] = await send_all(account, draft("news"))
    with pytest.raises(FaultError) as caught:
        await account.react(receipt.ref, asked)
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.INVALID, True)
    assert rig.held()[0].reactions == []


async def test_in_a_dm_only_everybodys_emoji_are_known(rig: Rig, account: DiscordAccount) -> None:
    rig.face.add_emoji("wave")
    said = rig.face.say("ana", "direct", "psst")
    [receipt] = await send_all(account, draft("yes", channel(said.conversation, private=True)))
    await asyncio.gather(*(account.react(receipt.ref, "👍") for _ in range(2)))
    with pytest.raises(FaultError, match="wave"):
        await account.react(receipt.ref, ":wave:")
    assert [one["reaction"] for one in rig.held()[0].reactions] == ["👍"]


async def test_a_message_takes_twenty_reactions(rig: Rig, account: DiscordAccount) -> None:
    [receipt] = await send_all(account, draft("news"))
    for number in range(20):
        rig.face.person_reacts("ana", rig.held()[0].id, chr(0x1F600 + number))
    with pytest.raises(FaultError) as caught:
        await account.react(receipt.ref, "👍")
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.TARGET_REFUSED, True)


async def test_an_edit_tells_what_is_left_of_its_window(rig: Rig, account: DiscordAccount) -> None:
    [receipt] = await send_all(account, draft("frist"))
    edited = await account.edit(receipt.ref, Document(((Text("first"),),)))
    assert [(lane.lane, lane.conversation) for lane in edited.lanes] == [("edits", rig.face.announcements)]

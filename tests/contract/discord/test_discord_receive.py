"""Discord's receiving half: discord.py's gateway client against the face."""

from __future__ import annotations

import json

import pytest

from adapters.sandbox.faults import Rule, Trouble
from gateway.model.delivery import FaultKind
from gateway.model.events import (
    Kind,
    MemberJoined,
    MemberLeft,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    Reacted,
)
from gateway.model.ids import MessageRef
from tests.contract.discord.discord_rig import (
    Listener,
    Rig,
    channel,
    draft,
    forgotten,
    listening,
    send_all,
    texts,
    until,
)


async def test_what_people_say_arrives_in_order(rig: Rig) -> None:
    account = await rig.open()
    [receipt] = await send_all(account, draft("news"))
    async with listening(rig, account) as listener:
        rig.face.say("ana", "mention", "look https://example.org")
        rig.face.say("bob", "reply", "nice", to=rig.held()[0].id)
        rig.face.say("ana", "group", "idle talk")
        rig.face.say("ana", "direct", "psst", image=True)
        mention, reply, group, direct = await listener.heard(4)
    kinds = [(e.kind, e.addressed, e.private) for e in (mention, reply, group, direct)]
    assert kinds == [
        (Kind.MENTION, True, False),
        (Kind.REPLY, True, False),
        (Kind.GROUP, False, False),
        (Kind.DIRECT, True, True),
    ]
    assert mention.text.endswith("look https://example.org")
    assert (mention.author.platform, mention.author.handle, mention.author.name) == ("discord", "ana", "Ana")
    assert reply.in_reply_to == receipt.ref
    assert direct.text == "psst"
    assert direct.url == f"https://discord.com/channels/@me/{direct.conversation}/{direct.id}"
    assert json.loads(direct.raw)["content"] == "psst"
    (attached,) = direct.attachments
    assert (attached.mime, attached.size_bytes, attached.alt) == ("image/png", 68, "a picture")


async def test_edits_deletions_reactions_and_newcomers(rig: Rig) -> None:
    account = await rig.open(member_joins=True)
    [receipt] = await send_all(account, draft("ours"))
    async with listening(rig, account) as listener:
        said = rig.face.say("ana", "group", "frist")
        rig.face.person_edits(said.id, "first")
        rig.face.person_reacts("bob", rig.held()[0].id, "🎉")
        rig.face.person_deletes(said.id)
        rig.face.person_joins("zoe")
        rig.face.person_leaves("zoe")
        _, edited, reacted, deleted, joined, left = await listener.heard(6)
    assert isinstance(edited, MessageEdited)
    assert (edited.ref, edited.document.paragraphs[0][0].text) == (f"{said.conversation}/{said.id}", "first")
    assert isinstance(reacted, Reacted)
    assert (reacted.ref, reacted.reaction, reacted.author.handle) == (receipt.ref, "🎉", "bob")
    assert isinstance(deleted, MessageDeleted)
    assert isinstance(joined, MemberJoined)
    assert (joined.member.handle, joined.conversation) == ("zoe", rig.face.general)
    assert isinstance(left, MemberLeft)
    assert (left.member.handle, left.conversation) == ("zoe", rig.face.general)


async def test_our_own_doings_are_left_out(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        [receipt] = await send_all(account, draft("ours"))
        await account.react(receipt.ref, "👍")
        await account.delete(receipt.ref)
        rig.face.say("ana", "group", "end")
        assert texts(await listener.heard(1)) == ["end"]


async def test_it_starts_from_now(rig: Rig) -> None:
    rig.face.say("ana", "mention", "long ago")
    account = await rig.open(watch=(rig.face.general,))
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "now")
        assert texts(await listener.heard(1)) == ["now"]


async def test_a_malformed_event_is_skipped(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.faults.add(Rule(Trouble.MALFORMED_EVENT, on="stream", count=3))
        for index in range(4):
            rig.face.say("ana", "group", f"m{index}")
        assert texts(await listener.heard(4)) == ["m0", "m1", "m2", "m3"]
    assert rig.face.gateway.identified == ["agent"]
    assert caplog.text.count("skipped a malformed MESSAGE_CREATE") == 3


@pytest.mark.parametrize("frame", ["[]", "not json", '{"op": 0, "s": 9, "t": "READY", "d": {}}'])
async def test_a_frame_that_cant_be_read_fails_the_connection(rig: Rig, frame: str) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        [session] = rig.face.gateway.of("agent")
        assert session.socket is not None
        session.socket.put_raw(frame)
        fault = (await listener.failed()).fault
    assert fault.kind is FaultKind.NETWORK


async def test_what_was_missed_is_fetched_after_a_restart(rig: Rig) -> None:
    lounge, quiet = rig.face.open_channel("lounge"), rig.face.open_channel("quiet")
    account = await rig.open(watch=(quiet,))
    async with listening(rig, account) as listener:
        rig.face.say("ana", "direct", "hello")
        rig.face.say("ana", "group", "known")
        await listener.heard(2)
        await send_all(account, draft("ours"))
    cursor = listener.cursor
    await forgotten(rig)
    rig.face.faults.add(Rule(Trouble.MALFORMED_EVENT, on="read", count=1))
    rig.face.say("ana", "direct", "are you there?")
    rig.face.say("ana", "mention", "in a known channel")
    rig.face.say("bob", "group", "in one never heard of", channel=lounge)
    rig.face.say("bob", "group", "in a watched one", channel=quiet)
    again = await rig.open(watch=(quiet,))
    async with listening(rig, again, cursor) as listener:
        events = await listener.heard(4)
        rig.face.say("ana", "group", "live")
        await listener.heard(5)
    assert sorted(texts(events)[:4]) == sorted(
        ["are you there?", "@agent in a known channel", "in one never heard of", "in a watched one"]
    )
    private = {event.text: event.private for event in events if isinstance(event, MessageReceived)}
    assert private["are you there?"]
    assert not private["in one never heard of"]
    assert texts(events)[4] == "live"
    assert len({event.id for event in events}) == 5


async def test_a_short_absence_is_resumed(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        said = rig.face.say("ana", "group", "before")
        await listener.heard(1)
    await account.aclose()
    rig.face.say("zoe", "direct", "a stranger's first word")
    rig.face.person_edits(said.id, "before, mended")
    again = await rig.open()
    async with listening(rig, again, listener.cursor) as listener:
        first, edited = await listener.heard(2)
    assert (first.text, first.private) == ("a stranger's first word", True)
    assert isinstance(edited, MessageEdited)
    assert rig.face.gateway.identified == ["agent"]


@pytest.mark.parametrize("stored", range(1, 6))
async def test_a_crash_after_any_arrival_loses_nothing(rig: Rig, stored: int) -> None:
    """A session is resumed only when all that was before it has been read."""
    lounge = rig.face.open_channel("lounge")
    places = (rig.face.general, rig.face.announcements, lounge)
    account = await rig.open(watch=places[:2])
    async with listening(rig, account) as listener:
        cursor = listener.cursor
    await forgotten(rig)
    for place in places:
        rig.face.say("ana", "group", f"missed in {place}", channel=place)
    stream, seen = account.events(cursor), []
    for _ in range(stored):
        events, cursor = await anext(stream)
        seen += texts(events)
    await stream.aclose()  # type: ignore[attr-defined]  # an async generator
    async with listening(rig, account, cursor) as listener:
        rig.face.say("ana", "group", "end")
        await until(lambda: "end" in texts(listener.events))
        await until(lambda: len(seen + texts(listener.events)) > len(places))
        seen += texts(listener.events)
    assert sorted(seen) == sorted(["end", *(f"missed in {place}" for place in places)])


async def test_what_history_and_gateway_both_tell_comes_once(rig: Rig) -> None:
    account = await rig.open(watch=(rig.face.general,))
    rig.face.faults.add(Rule(Trouble.DELAY, on="read", action="history", delay_s=0.1, count=1))
    listener = Listener(account)
    await until(lambda: not rig.face.faults.rules())
    rig.face.say("ana", "group", "twice told")
    await until(lambda: listener.events)
    rig.face.say("ana", "group", "end")
    assert texts(await listener.heard(2)) == ["twice told", "end"]
    await listener.stop()


async def test_a_first_connection_that_fails_leaves_a_position(rig: Rig) -> None:
    account = await rig.open()
    rig.face.faults.add(Rule(Trouble.OUTAGE))
    listener = Listener(account)
    await listener.failed()
    assert listener.cursor is not None
    rig.face.faults.lift_all()
    rig.face.say("ana", "mention", "while nobody was there")
    async with listening(rig, account, listener.cursor) as listener:
        assert texts(await listener.heard(1)) == ["@agent while nobody was there"]


async def test_a_dm_we_opened_is_known_from_then_on(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        bot = rig.face.network.member("agent")
        assert bot is not None
        dm = rig.face.direct_channel(bot, rig.face.person("ana"))
        await send_all(account, draft("hi", channel(dm, private=True)))
        rig.face.say("ana", "group", "later")
        await listener.heard(1)
    await forgotten(rig)
    rig.face.say("ana", "direct", "an answer")
    async with listening(rig, account, listener.cursor) as listener:
        [event] = await listener.heard(1)
    assert (event.text, event.private) == ("an answer", True)


async def test_a_long_gap_comes_page_by_page(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "start")
        await listener.heard(1)
    await forgotten(rig)
    for index in range(230):
        rig.face.say("ana", "group", f"m{index}")
    async with listening(rig, account, listener.cursor) as listener:
        assert texts(await listener.heard(230)) == [f"m{index}" for index in range(230)]


async def test_a_crash_between_pages_loses_nothing(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "start")
        await listener.heard(1)
    await forgotten(rig)
    for index in range(150):
        rig.face.say("ana", "group", f"m{index}")
    stream = account.events(listener.cursor)
    events, cursor = await anext(stream)
    while not events:
        events, cursor = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # an async generator
    assert len(events) == 100
    async with listening(rig, account, cursor) as listener:
        assert texts(await listener.heard(50)) == [f"m{index}" for index in range(100, 150)]


async def test_a_closed_channel_is_no_reason_to_stop(rig: Rig) -> None:
    account = await rig.open(watch=("123", rig.face.general))
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "still here")
        assert texts(await listener.heard(1)) == ["still here"]


async def test_a_watched_dm_stays_private(rig: Rig) -> None:
    told = rig.face.say("ana", "direct", "first")
    account = await rig.open(watch=(told.conversation,))
    async with listening(rig, account) as listener:
        cursor = listener.cursor
    await forgotten(rig)
    rig.face.say("ana", "direct", "second")
    async with listening(rig, account, cursor) as listener:
        [event] = await listener.heard(1)
    assert (event.text, event.kind, event.private) == ("second", Kind.DIRECT, True)
    answer = draft("for you", channel(event.conversation, private=event.private), to=MessageRef(event.ref))
    [part] = account.plan(answer, event.at)
    assert part.kind == "direct"

"""Discord's receiving half: discord.py's gateway client against the face."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.discord import wire
from adapters.discord.position import load
from adapters.sandbox.faults import Rule, Trouble
from gateway.model.delivery import FaultError, FaultKind
from gateway.model.events import (
    Kind,
    MemberJoined,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    Reacted,
)
from gateway.model.ids import MessageRef
from tests.contract.discord_rig import Listener, Restless, Rig, channel, discord_rig, draft, listening, send_all, until


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with discord_rig() as one:
        yield one


def texts(events: list[PlatformEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, MessageReceived)]


async def forgotten(rig: Rig) -> None:
    """Minutes pass: no session is left to resume."""
    await until(lambda: rig.face.gateway.open_sockets() == 0)
    rig.face.gateway.forget()


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
    assert direct.text == "psst\n\na picture (https://cdn.discordapp.example/0/picture.png)"


async def test_edits_deletions_reactions_and_newcomers(rig: Rig) -> None:
    account = await rig.open(member_joins=True)
    [receipt] = await send_all(account, draft("ours"))
    async with listening(rig, account) as listener:
        said = rig.face.say("ana", "group", "frist")
        rig.face.person_edits(said.id, "first")
        rig.face.person_reacts("bob", rig.held()[0].id, "🎉")
        rig.face.person_deletes(said.id)
        rig.face.person_joins("zoe")
        _, edited, reacted, deleted, joined = await listener.heard(5)
    assert isinstance(edited, MessageEdited)
    assert (edited.ref, edited.document.paragraphs[0][0].text) == (f"{said.conversation}/{said.id}", "first")
    assert isinstance(reacted, Reacted)
    assert (reacted.ref, reacted.reaction, reacted.author.handle) == (receipt.ref, "🎉", "bob")
    assert isinstance(deleted, MessageDeleted)
    assert isinstance(joined, MemberJoined)
    assert (joined.member.handle, joined.conversation) == ("zoe", rig.face.general)


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


async def test_a_session_is_resumed_only_when_its_beginning_was_read(rig: Rig) -> None:
    account = await rig.open(watch=(rig.face.general, rig.face.announcements))
    async with listening(rig, account) as listener:
        pass
    await forgotten(rig)
    for place in (rig.face.general, rig.face.announcements):
        rig.face.say("ana", "group", f"missed in {place}", channel=place)
    stream, seen, cursor = account.events(listener.cursor), [], listener.cursor
    while not seen:
        events, cursor = await anext(stream)
        seen += texts(list(events))
    await stream.aclose()  # type: ignore[attr-defined]  # an async generator
    async with listening(rig, account, cursor) as listener:
        await listener.heard(1)
        seen += texts(listener.events)
    assert sorted(seen) == sorted(f"missed in {place}" for place in (rig.face.general, rig.face.announcements))


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


@pytest.mark.parametrize("how", ["cut", "reconnect", "invalid", "4000", "4007", "4009"])
async def test_a_broken_connection_is_resumed(rig: Rig, how: str) -> None:
    account = await rig.open()
    gateway = rig.face.gateway
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "before")
        await listener.heard(1)
        if how == "cut":
            rig.face.cut_streams("agent")
        elif how == "reconnect":
            gateway.reconnect("agent")
        elif how == "invalid":
            gateway.invalidate("agent", resumable=True)
        else:
            gateway.close(int(how), "agent")
        rig.face.say("ana", "group", "meanwhile")
        await until(lambda: gateway.resumed)
        rig.face.say("ana", "group", "after")
        assert texts(await listener.heard(3)) == ["before", "meanwhile", "after"]
    assert gateway.identified == ["agent"]


async def test_a_lost_session_is_filled_from_history(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "before")
        await listener.heard(1)
        rig.face.gateway.invalidate("agent")
        rig.face.say("ana", "group", "meanwhile")
        assert texts(await listener.heard(2)) == ["before", "meanwhile"]
    assert rig.face.gateway.identified == ["agent", "agent"]
    assert load(listener.cursor, rig.benches["agent"].context.clock.now()).streak == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("4004", FaultKind.SIGNED_OUT),
        ("4010", FaultKind.CONFIG),
        ("4011", FaultKind.CONFIG),
        ("4012", FaultKind.CONFIG),
        ("4013", FaultKind.CONFIG),
        ("4014", FaultKind.CONFIG),
    ],
)
async def test_a_fatal_close_is_a_fault_and_leaves_rest_alone(rig: Rig, code: str, kind: FaultKind) -> None:
    rig.face.faults.add(Rule(Trouble.REFUSE, code=code, on="stream"))
    account = await rig.open()
    listener = Listener(account)
    assert (await listener.failed()).fault.kind is kind
    await send_all(account, draft("still sending"))
    assert [message.text for message in rig.held()] == ["still sending"]


async def test_missing_intents_name_the_cure(rig: Rig) -> None:
    rig.face.gateway.portal_intents = 0
    fault = (await Listener(await rig.open()).failed()).fault
    assert fault.kind is FaultKind.CONFIG
    assert "Message Content" in fault.evidence


@pytest.mark.parametrize("trouble", [Trouble.SUSPEND, Trouble.REVOKE])
async def test_a_suspension_is_heard_and_so_is_the_return(rig: Rig, trouble: Trouble) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "before")
        await listener.heard(1)
        rig.face.faults.add(Rule(trouble))
        assert (await listener.failed()).fault.kind is FaultKind.SIGNED_OUT
    logins = len(rig.face.gateway.identified)
    again = Listener(account, listener.cursor)
    assert (await again.failed()).fault.kind is FaultKind.SIGNED_OUT
    assert len(rig.face.gateway.identified) == logins  # no login is spent on a token that is refused
    rig.face.say("ana", "group", "meanwhile")
    rig.face.faults.lift_all()
    async with listening(rig, account, again.cursor) as listener:
        assert texts(await listener.heard(1)) == ["meanwhile"]


@pytest.mark.parametrize("status", [None, 502])
async def test_an_outage_is_a_fault_and_not_waited_out(rig: Rig, status: int | None) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.faults.add(Rule(Trouble.OUTAGE, status=status))
        assert (await listener.failed()).fault.kind in (FaultKind.NETWORK, FaultKind.SERVER)
    again = Listener(account, listener.cursor)
    assert (await again.failed()).fault.kind in (FaultKind.NETWORK, FaultKind.SERVER)
    signal = await account.check()
    assert signal.fault is not None
    assert signal.fault.kind in (FaultKind.NETWORK, FaultKind.SERVER)
    rig.face.faults.lift_all()
    async with listening(rig, account, again.cursor) as listener:
        rig.face.say("ana", "group", "back")
        assert texts(await listener.heard(1)) == ["back"]


async def test_sending_goes_on_while_the_gateway_is_down(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.faults.add(Rule(Trouble.REFUSE, code="4004", on="stream"))
        rig.face.gateway.invalidate("agent")
        await listener.failed()
        await send_all(account, draft("over REST"))
    assert [message.text for message in rig.held()] == ["over REST"]


async def test_a_connection_that_keeps_breaking_is_a_fault(rig: Rig) -> None:
    rig.face.faults.add(Rule(Trouble.REFUSE, code="4000", on="stream"))
    account = await rig.open(clock=Restless())
    assert (await Listener(account).failed()).fault.kind is FaultKind.NETWORK


async def test_a_crash_loop_slows_its_logins_down(rig: Rig) -> None:
    clock = Restless()
    cursor = None
    pauses = []
    for _ in range(7):
        account = await rig.open(clock=clock, identify_pause_s=5.0)
        clock.slept.clear()
        async with listening(rig, account, cursor) as listener:
            pauses.append(round(sum(clock.slept)))
        cursor = listener.cursor
        await forgotten(rig)
    assert pauses == [0, 0, 0, 5, 10, 20, 40]


async def test_a_loop_of_first_connections_slows_down_too(rig: Rig) -> None:
    rig.face.gateway.portal_intents = 0
    clock = Restless()
    cursor = None
    for _ in range(5):
        listener = Listener(await rig.open(clock=clock, identify_pause_s=5.0), cursor)
        await listener.failed()
        cursor = listener.cursor
    assert [round(pause) for pause in clock.slept if pause] == [5, 10]


async def test_leaving_releases_the_connection(rig: Rig) -> None:
    account = await rig.open()
    for _ in range(2):
        async with listening(rig, account):
            assert rig.face.gateway.open_sockets() == 1
        await until(lambda: rig.face.gateway.open_sockets() == 0)


async def test_a_reader_that_lags_behind_starts_over_from_history(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await rig.open()
    stream = account.events(None)
    await anext(stream)
    monkeypatch.setattr(wire, "QUEUE_MAX", 5)
    for index in range(20):
        rig.face.say("ana", "group", f"m{index}")
    seen: list[str] = []
    with pytest.raises(FaultError) as caught:  # noqa: PT012 - whichever step it is
        while True:
            events, cursor = await anext(stream)
            seen += texts(list(events))
    assert caught.value.fault.kind is FaultKind.NETWORK
    monkeypatch.setattr(wire, "QUEUE_MAX", 10_000)
    async with listening(rig, account, cursor) as listener:
        rig.face.say("ana", "group", "end")
        await until(lambda: "end" in texts(listener.events))
        assert seen + texts(listener.events) == [*(f"m{index}" for index in range(20)), "end"]


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

"""Receiving: everything people say to the account, once, in order, also across restarts and trouble."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.model.content import plain
from gateway.model.delivery import FaultError, FaultKind
from gateway.model.events import Kind, MessageDeleted, MessageEdited, MessageReceived, Reacted
from gateway.ports import Adapter
from gateway.testing.conformance.rig import (
    Listener,
    Rig,
    answer_to,
    approach,
    draft,
    hear,
    listen,
    needs_kind,
    now,
    publish,
    send_all,
    stream,
    unique,
    until,
)

_KINDS = tuple(Kind)
_SEVERAL_PAGES = 250
"""More than platforms give at once: 80 to 100."""


class Receiving:
    @pytest.mark.parametrize("kind", _KINDS)
    async def test_a_message_says_who_what_and_where(self, rig: Rig, kind: Kind) -> None:
        needs_kind(rig, kind)
        adapter = await rig.open()
        before = now()
        text = unique("Hello <world> & https://example.org/a?b=1")
        event = await hear(rig, adapter, "ana", kind, text)
        assert event.kind is kind
        assert event.account == rig.bench.context.account
        assert event.author.platform == rig.platform.name
        assert event.author.id
        assert "ana" in (event.author.handle + event.author.name).lower()
        assert event.private is (kind is Kind.DIRECT)
        assert event.addressed or kind is Kind.GROUP
        assert event.conversation
        assert event.id
        assert abs((event.at - before).total_seconds()) < 60

    async def test_people_are_told_apart(self, rig: Rig) -> None:
        adapter, kind = await rig.open(), min(rig.kinds)
        ana = await hear(rig, adapter, "ana", kind, unique("Ana here"))
        ben = await hear(rig, adapter, "ben", kind, unique("Ben here"))
        again = await hear(rig, adapter, "ana", kind, unique("Ana again"))
        assert ana.author.id == again.author.id != ben.author.id
        if kind is Kind.DIRECT:
            assert ana.conversation == again.conversation != ben.conversation

    async def test_a_reply_names_our_message(self, rig: Rig) -> None:
        needs_kind(rig, Kind.REPLY)
        adapter = await rig.open()
        async with listen(rig, adapter) as listener:
            await listener.started()
            (receipt,) = await send_all(adapter, adapter.plan(draft(rig, unique("What do you think?")), now()))
            text = unique("I like it")
            rig.say("ana", Kind.REPLY, text, to=rig.held()[-1].id)
            assert (await listener.message(text)).in_reply_to == receipt.ref

    async def test_what_people_change_is_told(self, rig: Rig) -> None:
        _needs_shown(rig, "edit")
        adapter = await rig.open()
        async with listen(rig, adapter) as listener:
            await listener.started()
            first, words = unique("Frist"), [unique("First"), unique("Second")]
            message = await approach(rig, adapter, "ana", min(rig.kinds - {Kind.DIRECT}), first)
            event = await listener.message(first)
            for text in words:
                rig.meddle("edit", "ana", message, text=text)
                await _reworded(listener, text)
            edits = _edits(listener)
            assert [edit.author.id for edit in edits] == [event.author.id] * 2
            assert {edit.conversation for edit in edits} == {event.conversation}
            assert len({edit.id for edit in edits} | {event.id}) == 3

    async def test_what_people_delete_is_told(self, rig: Rig) -> None:
        _needs_shown(rig, "delete")
        adapter = await rig.open()
        async with listen(rig, adapter) as listener:
            await listener.started()
            text = unique("Wrong window")
            message = await approach(rig, adapter, "ana", min(rig.kinds - {Kind.DIRECT}), text)
            event = await listener.message(text)
            rig.meddle("delete", "ana", message)
            await listener.until(lambda: any(isinstance(e, MessageDeleted) for e in listener.events))
            (gone,) = [e for e in listener.events if isinstance(e, MessageDeleted)]
            assert gone.id != event.id
            assert gone.conversation == event.conversation

    async def test_reactions_are_told(self, rig: Rig) -> None:
        _needs_shown(rig, "react")
        adapter = await rig.open()
        async with listen(rig, adapter) as listener:
            await listener.started()
            ref, message = await publish(rig, adapter, unique("What do you think?"))
            rig.meddle("react", "ana", message)
            await listener.until(lambda: any(isinstance(e, Reacted) for e in listener.events))
            (reacted,) = [e for e in listener.events if isinstance(e, Reacted)]
            assert reacted.ref == ref
            assert reacted.reaction
            assert "ana" in (reacted.author.handle + reacted.author.name).lower()

    async def test_own_messages_do_not_come_back(self, rig: Rig) -> None:
        adapter, kind = await rig.open(), min(rig.kinds)
        async with listen(rig, adapter) as listener:
            await listener.started()
            question = unique("A question")
            await approach(rig, adapter, "ana", kind, question)
            await publish(rig, adapter, unique("Our own post"))
            answer = answer_to(rig, await listener.message(question), unique("Our own answer"))
            await send_all(adapter, adapter.plan(answer, now()))
            last = unique("And another thing")
            rig.say("ana", kind, last)
            await listener.message(last)
            assert [event.text for event in listener.messages("Our own")] == []

    @pytest.mark.parametrize("kind", _KINDS)
    async def test_messages_come_in_order(self, rig: Rig, kind: Kind) -> None:
        needs_kind(rig, kind)
        adapter = await rig.open()
        async with listen(rig, adapter) as listener:
            await listener.started()
            texts = [unique("Counting") for _ in range(12)]
            to = (await publish(rig, adapter, unique("To answer")))[1] if kind is Kind.REPLY else None
            for text in texts:
                rig.say("ana", kind, text, to=to)
            await listener.message(texts[-1])
            assert _order(listener, texts) == texts

    @pytest.mark.parametrize("kind", _KINDS)
    async def test_what_was_said_while_we_were_away_arrives(self, rig: Rig, kind: Kind) -> None:
        needs_kind(rig, kind)
        adapter = await rig.open()
        async with listen(rig, adapter) as listener:
            await listener.started()
            known = unique("Known")
            to = (await publish(rig, adapter, unique("To answer")))[1] if kind is Kind.REPLY else None
            rig.say("ana", kind, known, to=to)
            await listener.message(known)
        await adapter.aclose()
        missed = [unique("Missed") for _ in range(_SEVERAL_PAGES)]
        for text in missed:
            rig.say("ana", kind, text, to=to)
        async with listen(rig, await rig.open(), listener.cursor) as again:
            await again.message(missed[-1])
            live = unique("Live")
            rig.say("ana", kind, live, to=to)
            await again.message(live)
            assert _order(again, [known, *missed, live]) == [*missed, live]

    async def test_the_first_position_already_loses_nothing(self, rig: Rig) -> None:
        """Started on an empty account, stopped at once, written to while away."""
        adapter, kind = await rig.open(), _first_contact(rig)
        async with listen(rig, adapter) as listener:
            await listener.started()
        await adapter.aclose()
        text = unique("Too early")
        rig.say("ana", kind, text)
        async with listen(rig, await rig.open(), listener.cursor) as again:
            await again.message(text)

    async def test_history_is_not_news(self, rig: Rig) -> None:
        """Without a cursor nothing that was said before is handed to the agent."""
        kind = min(rig.kinds)
        adapter = await rig.open()
        old = unique("Long ago")
        rig.say("ana", kind, old)
        new = unique("Just now")
        assert (await hear(rig, adapter, "ana", kind, new)).text
        async with listen(rig, adapter) as listener:
            await listener.started()
            rig.say("ana", kind, unique("Marker"))
            await listener.message("Marker")
            assert listener.messages(old) == []

    async def test_what_was_not_stored_comes_again(self, rig: Rig) -> None:
        """The consumer died between getting an arrival and asking for the next one."""
        adapter, kind = await rig.open(), min(rig.kinds)
        async with listen(rig, adapter) as listener:
            await listener.started()
            known = unique("Known")
            await approach(rig, adapter, "ana", kind, known)
            await listener.message(known)
        text = unique("Read, not stored")
        rig.say("ana", kind, text)
        read = await _read_and_die(adapter, listener.cursor, text)
        await adapter.aclose()
        async with listen(rig, await rig.open(), listener.cursor) as again:
            assert _named(await again.message(text)) == _named(read)
            assert again.messages(known) == []

    async def test_what_was_not_stored_comes_again_from_the_same_adapter(self, rig: Rig) -> None:
        """The runtime starts a broken iterator again without closing the account."""
        adapter, kind = await rig.open(), min(rig.kinds)
        async with listen(rig, adapter) as listener:
            await listener.started()
            known = unique("Known")
            await approach(rig, adapter, "ana", kind, known)
            await listener.message(known)
        text = unique("Read, not stored")
        rig.say("ana", kind, text)
        read = await _read_and_die(adapter, listener.cursor, text)
        async with listen(rig, adapter, listener.cursor) as again:
            assert _named(await again.message(text)) == _named(read)

    async def test_a_malformed_event_is_passed_over(self, rig: Rig) -> None:
        adapter, kind = await rig.open(), min(rig.kinds)
        async with listen(rig, adapter) as listener:
            await listener.started()
            for _ in range(2):
                rig.strike("malformed_event", count=1, on="any")
                text = unique("After the broken one")
                rig.say("ana", kind, text)
                await listener.message(text)

    async def test_a_malformed_event_in_the_gap_is_passed_over(self, rig: Rig) -> None:
        adapter, kind = await rig.open(), min(rig.kinds)
        async with listen(rig, adapter) as listener:
            await listener.started()
            known = unique("Known")
            await approach(rig, adapter, "ana", kind, known)
            await listener.message(known)
        rig.strike("malformed_event", count=1, on="any")
        text = unique("Missed")
        rig.say("ana", kind, text)
        async with listen(rig, adapter, listener.cursor) as again:
            await again.message(text)

    @pytest.mark.parametrize("trouble", ["cut", "outage", "error page"])
    async def test_a_broken_connection_loses_nothing(self, rig: Rig, trouble: str) -> None:
        adapter, kind = await rig.open(), min(rig.kinds)
        known, missed = unique("Known"), [unique("Said in the storm") for _ in range(3)]
        async with listen(rig, adapter) as listener:
            await listener.started()
            await approach(rig, adapter, "ana", kind, known)
            await listener.message(known)
            _break(rig, trouble)
            for text in missed:
                rig.say("ana", kind, text)
            rig.lift()
            heard, cursor = await _heard(listener, missed[-1])
        while not any(missed[-1] in event.text for event in heard):
            async with listen(rig, adapter, cursor) as again:
                more, cursor = await _heard(again, missed[-1])
                heard += more
        ids = {event.id: event.text for event in heard}
        assert [text for text in ids.values() if "storm" in text] == missed

    @pytest.mark.parametrize("cursor", ["nonsense", "{}", "[7]"])
    async def test_a_cursor_that_can_not_be_read_silences_nobody(self, rig: Rig, cursor: str) -> None:
        """Another version's, say. With anything but a fault the account would be deaf, and look well."""
        adapter = await rig.open()
        async with listen(rig, adapter, cursor) as listener:
            await until(lambda: listener.fault is not None or rig.listening())
            rig.say("ana", _first_contact(rig), unique("Can you hear me?"))
            await listener.until(lambda: listener.fault is not None or listener.cursor != cursor)

    async def test_a_limit_on_reading_says_when_to_come_back(self, rig: Rig) -> None:
        """The gateway rests until then: who asks again by himself only makes it last longer."""
        adapter = await rig.open()
        for _ in range(2):
            rig.strike("rate_limit", count=1, on="read", retry_after_s=90.0)
        before = now()
        async with listen(rig, adapter) as listener:
            fault = await listener.failed()
        assert fault.kind is FaultKind.RATE_LIMITED
        assert fault.retry_at is not None
        assert timedelta(seconds=80) < fault.retry_at - before < timedelta(seconds=100)
        assert rig.standing_troubles() == 1, "it was asked again"


def _first_contact(rig: Rig) -> Kind:
    """How a stranger can be heard who wrote while nobody listened: by mention, where the network has it."""
    return Kind.MENTION if Kind.MENTION in rig.kinds else min(rig.kinds)


def _needs_shown(rig: Rig, doing: str) -> None:
    if doing not in rig.shown:
        pytest.skip(f"{rig.platform.name} tells nobody of a {doing}")


async def _reworded(listener: Listener, text: str) -> None:
    await listener.until(lambda: any(text in plain(event.document) for event in _edits(listener)))


def _edits(listener: Listener) -> list[MessageEdited]:
    return [event for event in listener.events if isinstance(event, MessageEdited)]


def _order(listener: Listener, texts: list[str]) -> list[str]:
    """Which of the texts were heard, in the order of hearing."""
    heard = (event.text for event in listener.messages())
    return [text for line in heard for text in texts if line.endswith(text)]


def _break(rig: Rig, trouble: str) -> None:
    if trouble != "cut":
        rig.strike("outage", status=503 if trouble == "error page" else None)
    rig.cut_streams()


async def _heard(listener: Listener, text: str) -> tuple[list[MessageReceived], str | None]:
    """What a listener heard until the text came or it was thrown out."""
    try:
        await listener.until(lambda: bool(listener.messages(text)) or listener.fault is not None)
    except FaultError:
        pytest.fail("a fault must end events(), not the wait")
    return listener.messages(), listener.cursor


async def _read_and_die(adapter: Adapter, cursor: str | None, text: str) -> MessageReceived:
    arrivals = stream(adapter, cursor)
    try:
        async for events, _ in arrivals:
            for event in events:
                if isinstance(event, MessageReceived) and text in event.text:
                    return event
    finally:
        await arrivals.aclose()
    pytest.fail("events() ended")


def _named(event: MessageReceived) -> tuple[str, str, str]:
    """By what the gateway knows that it had an event before, and where it answers."""
    return event.id, event.ref, event.conversation

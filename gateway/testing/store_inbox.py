"""The part of the store's suite on what comes in: see :mod:`gateway.testing.store_conformance`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from msgspec import structs

from gateway.books import NewDelivery, Settlement, Store
from gateway.model.content import Document, Text
from gateway.model.delivery import Draft, InConversation, Receipt, State
from gateway.model.events import (
    Kind,
    MemberJoined,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    Reacted,
)
from gateway.model.identity import Identity
from gateway.model.ids import DEFAULT_WORKSPACE, ConversationId, DeliveryId, DraftId, MessageRef
from gateway.testing.store_drafts import AWAY, HOME, OTHER, row

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROOM = ConversationId("c1")
ANA = Identity("red", "1", "ana", "Ana")
BEN = Identity("red", "2", "ben", "Ben")
SECOND = timedelta(seconds=1)


def heard(
    name: str, author: Identity = ANA, *, at: datetime = NOW, room: str = ROOM, private: bool = True, to_us: bool = True
) -> MessageReceived:
    text = Document(((Text(f"text of {name}"),),))
    ref, where = MessageRef(f"m-{name}"), ConversationId(room)
    return MessageReceived(HOME, name, ref, where, Kind.DIRECT, author, text, at, private, to_us)


def answer(name: str) -> NewDelivery:
    text = Document(((Text(f"answer {name}"),),))
    draft = Draft(DraftId(name), DEFAULT_WORKSPACE, HOME, InConversation(ROOM, True), text, NOW, f"reply:{name}")
    return NewDelivery(DeliveryId(name), draft, HOME, f"{HOME}:{ROOM}", State.QUEUED, NOW)


class InboxConformance:
    """Recorded once, handled once."""

    async def test_events_and_cursor_come_together(self, store: Store) -> None:
        assert await store.cursor(HOME) is None
        stored = await store.record(HOME, [heard("a"), heard("b", BEN)], "after b", NOW)
        assert [one.event for one in stored] == [heard("a"), heard("b", BEN)]
        assert await store.cursor(HOME) == "after b"
        assert await store.pending_events(NOW) == stored
        assert await store.record(HOME, [], "later", NOW) == ()
        assert await store.cursor(HOME) == "later"

    async def test_known_events_are_left_out(self, store: Store) -> None:
        first = await store.record(HOME, [heard("a"), heard("a")], "1", NOW)
        again = await store.record(HOME, [heard("a"), heard("b"), heard("a")], "2", NOW)
        assert [one.event.id for one in (*first, *again)] == ["a", "b"]
        assert [one.event.id for one in await store.pending_events(NOW)] == ["a", "b"]

    async def test_accounts_dont_share_ids_nor_cursors(self, store: Store) -> None:
        await store.record(HOME, [heard("a")], "1", NOW)
        (theirs,) = await store.record(OTHER, [heard("a")], "2", NOW)
        assert (await store.cursor(HOME), await store.cursor(OTHER)) == ("1", "2")
        assert await store.pending_events(NOW, account=OTHER) == (theirs,)
        assert await store.pending_events(NOW, account=OTHER, after=theirs.seq) == ()
        assert await store.pending_events(NOW, account=AWAY) == ()

    async def test_many_arrivals_at_once(self, store: Store) -> None:
        names = [f"e{n % 40}" for n in range(80)]
        stored = await asyncio.gather(*(store.record(HOME, [heard(name)], name, NOW) for name in names))
        assert sum(map(len, stored)) == 40
        assert {one.event.id for one in await store.pending_events(NOW)} == set(names)
        assert len({one.person for few in stored for one in few}) == 1

    async def test_every_kind_of_event(self, store: Store) -> None:
        text = Document(((Text("new"),),))
        events: list[PlatformEvent] = [
            MessageEdited(HOME, "e", MessageRef("m-a"), ROOM, ANA, text, NOW),
            MessageDeleted(HOME, "d", MessageRef("m-a"), ROOM, NOW),
            Reacted(HOME, "r", MessageRef("m-a"), ROOM, BEN, "+1", NOW),
            MemberJoined(HOME, "j", ROOM, BEN, NOW),
        ]
        stored = await store.record(HOME, events, "1", NOW)
        assert [one.event for one in await store.pending_events(NOW)] == events
        assert [one.person is None for one in stored] == [False, True, False, False]

    async def test_handled_with_its_answers_or_not_at_all(self, store: Store) -> None:
        (stored,) = await store.record(HOME, [heard("a")], "1", NOW)
        told = await asyncio.gather(*(store.handled(stored.seq, [answer(name)], NOW) for name in "xyz"))
        assert [len(deliveries) for deliveries in told] == [1, 0, 0]
        assert await store.pending_events(NOW) == ()
        assert [one.id for one in await store.deliveries()] == ["x"]

    async def test_many_are_handled_at_once(self, store: Store) -> None:
        stored = await store.record(HOME, [heard(f"e{n}") for n in range(70)], "1", NOW)
        told = await asyncio.gather(*(store.handled(one.seq, [answer(one.event.id)], NOW) for one in stored))
        assert [one.id for (one,) in told] == [f"e{n}" for n in range(70)]
        assert [one.state for (one,) in told] == [State.QUEUED] + [State.WAITING] * 69

    async def test_postponed_counts_and_parked_rests(self, store: Store) -> None:
        one, two = await store.record(HOME, [heard("a"), heard("b")], "1", NOW)
        await store.postpone(one.seq, "boom", NOW + SECOND)
        await store.postpone(two.seq, "boom", None)
        assert await store.pending_events(NOW) == ()
        (due,) = await store.pending_events(NOW + SECOND)
        assert (due.seq, due.attempts) == (one.seq, 1)
        assert len(await store.handled(two.seq, [answer("late")], NOW)) == 1

    async def test_what_is_parked_is_tried_again_or_dropped_at_a_word(self, store: Store) -> None:
        ours = await store.record(HOME, [heard(name) for name in "abc"], "1", NOW)
        (away,) = await store.record(AWAY, [structs.replace(heard("d"), account=AWAY)], "1", NOW)
        for one in (*ours[:2], away):
            await store.postpone(one.seq, "boom", None)
        parked = await store.parked(10)
        assert [(one.seq, one.event, one.attempts, one.error) for one in parked] == [
            (one.seq, one.event, 1, "boom") for one in (*ours[:2], away)
        ]
        assert parked[0].person == ours[0].person
        assert await store.parked(1) == parked[:1]
        assert await store.parked_seqs(1) == (ours[0].seq,)
        assert await store.parked_seqs(10) == tuple(one.seq for one in parked)
        assert await store.again(HOME) == ()  # what has only just come in was never given up
        assert await store.unpark([ours[0].seq, ours[2].seq, away.seq, 10**6], NOW + SECOND, again=True) == (HOME, AWAY)
        assert await store.unpark([ours[1].seq], NOW + SECOND, again=False) == (HOME,)
        assert await store.unpark([one.seq for one in parked], NOW + SECOND, again=False) == ()
        assert await store.parked(10) == ()
        assert [one.seq for one in await store.pending_events(NOW + SECOND)] == [ours[0].seq, ours[2].seq, away.seq]
        (again,) = await store.again(HOME)
        assert (again.seq, again.attempts) == (ours[0].seq, 0)
        await store.postpone(again.seq, "boom", NOW + 2 * SECOND)
        assert await store.again(HOME) == ()
        assert await store.handled(ours[1].seq, [answer("late")], NOW + SECOND) == ()
        assert await store.prune(NOW + 2 * SECOND, 10) == 1

    async def test_pages(self, store: Store) -> None:
        stored = await store.record(HOME, [heard(f"e{n}") for n in range(5)], "1", NOW)
        first = await store.pending_events(NOW, limit=2)
        rest = await store.pending_events(NOW, after=first[-1].seq)
        assert first + rest == stored

    async def test_history_has_both_sides(self, store: Store) -> None:
        first, *_ = await store.record(HOME, [heard("a"), heard("b", BEN, at=NOW + 2 * SECOND)], "1", NOW)
        await store.record(HOME, [heard("elsewhere", room="c2")], "2", NOW)
        await store.handled(first.seq, [answer("x"), answer("unsent")], NOW)
        await store.begin(await row(store, "x"), [], NOW)
        got = Receipt(MessageRef("r"), NOW + SECOND)
        await store.settle(await row(store, "x"), Settlement(State.DELIVERED, None, receipt=got), NOW)
        turns = await store.history(HOME, ROOM, 10)
        assert [(turn.author, turn.text) for turn in turns] == [
            (ANA, "text of a"),
            (None, "answer x"),
            (BEN, "text of b"),
        ]
        assert await store.history(HOME, ROOM, 2) == turns[1:]
        assert await store.history(HOME, ROOM, 0) == ()

    async def test_history_knows_edits_and_forgets_what_was_deleted(self, store: Store) -> None:
        text = Document(((Text("better"),),))
        events: list[PlatformEvent] = [
            heard("a"),
            heard("b"),
            MessageEdited(HOME, "e", MessageRef("m-a"), ROOM, ANA, text, NOW + SECOND),
            MessageDeleted(HOME, "d", MessageRef("m-b"), ROOM, NOW + SECOND),
        ]
        await store.record(HOME, events, "1", NOW)
        assert [turn.text for turn in await store.history(HOME, ROOM, 10)] == ["better"]

    async def test_where_somebody_can_be_reached(self, store: Store) -> None:
        later = NOW + SECOND
        events: list[PlatformEvent] = [
            heard("new", at=later, room="dm2"),
            heard("old", at=NOW, room="dm1"),
            heard("open", room="open", private=False),
            heard("overheard", at=later, room="hall", private=False, to_us=False),
        ]
        await store.record(HOME, events, "1", NOW)
        private = await store.reach(HOME, ANA, private=True)
        public = await store.reach(HOME, Identity("red", "", "@Ana"), private=False)
        assert private is not None
        assert public is not None
        assert (private.conversation, private.ref, private.at, private.private) == ("dm2", "m-new", later, True)
        assert (public.conversation, public.ref, public.private) == ("open", "m-open", False)
        assert await store.reach(HOME, BEN, private=True) is None
        assert await store.reach(OTHER, ANA, private=True) is None

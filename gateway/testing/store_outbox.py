"""The part of the store's suite on what leaves: see :mod:`gateway.testing.store_conformance`."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from gateway.books import Settlement, Store, Superseded
from gateway.model.delivery import Delivery, InConversation, State
from gateway.model.ids import DEFAULT_WORKSPACE, AnnouncementId, ConversationId, DeliveryId, WorkspaceId
from gateway.testing.store_drafts import (
    AWAY,
    DAY,
    HOME,
    NOW,
    OTHER,
    begun,
    new,
    part,
    planned,
    receipt,
    row,
    said,
    settled,
    states,
)


class OutboxConformance:
    """Into the outbox, claimed, settled."""

    async def test_an_added_delivery_comes_back_as_it_was_told(self, store: Store) -> None:
        asked = new("a", announcement="n1", expires_at=NOW + DAY, target=InConversation(ConversationId("c"), True))
        (told,) = await store.add([asked], NOW)
        assert told == await store.delivery(DeliveryId("a"))
        assert (told.draft, told.home, told.state, told.expires_at) == (asked.draft, HOME, State.QUEUED, NOW + DAY)
        assert (told.workspace, told.attempts, told.parts, told.sent) == (DEFAULT_WORKSPACE, 0, None, ())

    async def test_a_known_key_gives_the_delivery_that_is_there(self, store: Store) -> None:
        (first,) = await store.add([new("a")], NOW)
        again = structs.replace(new("a"), id=DeliveryId("other"))
        assert await store.add([again, again], NOW) == (first, first)
        assert await store.delivery(DeliveryId("other")) is None

    async def test_two_callers_with_one_key_get_one_delivery(self, store: Store) -> None:
        told = await asyncio.gather(
            *(store.add([structs.replace(new("a"), id=DeliveryId(str(n)))], NOW) for n in range(9))
        )
        assert len({one.id for (one,) in told}) == 1

    async def test_numbers_grow_in_the_order_of_arrival(self, store: Store) -> None:
        told = await asyncio.gather(*(store.add([new(f"d{n}"), new(f"e{n}")], NOW) for n in range(50)))
        seqs = [one.seq for pair in told for one in pair]
        assert seqs == sorted(set(seqs))

    async def test_one_of_an_order_is_queued_the_others_wait(self, store: Store) -> None:
        told = await store.add([new("a", order="o"), new("b", order="o"), new("c", order="p")], NOW)
        later = await asyncio.gather(store.add([new("d", order="o")], NOW), store.add([new("e", order="q")], NOW))
        assert [one.state for one in told] == [State.QUEUED, State.WAITING, State.QUEUED]
        assert [one.state for (one,) in later] == [State.WAITING, State.QUEUED]

    async def test_held_ones_block_and_refused_ones_do_not(self, store: Store) -> None:
        told = await store.add(
            [
                new("a", order="o", state=State.REFUSED),
                new("b", order="o", state=State.HELD),
                new("c", order="o"),
            ],
            NOW,
        )
        assert [one.state for one in told] == [State.REFUSED, State.HELD, State.WAITING]

    async def test_all_or_nothing(self, store: Store) -> None:
        await store.add([new("a")], NOW)
        clash = structs.replace(new("c"), id=DeliveryId("a"))
        with pytest.raises(Exception, match=r"UNIQUE|unique|duplicate"):
            await store.add([new("b"), clash], NOW)
        assert await store.delivery(DeliveryId("b")) is None

    async def test_another_workspaces_draft_stays_out(self, store: Store) -> None:
        asked = new("a")
        foreign = structs.replace(asked, draft=structs.replace(asked.draft, workspace=WorkspaceId("other")))
        with pytest.raises(ValueError, match="other"):
            await store.add([foreign], NOW)

    async def test_one_claim_wins_and_freezes_the_plan(self, store: Store) -> None:
        await store.add([new("a")], NOW)
        plans = [[part(n)] for n in range(5)]
        known = await row(store, "a")
        won = await asyncio.gather(*(store.begin(known, plan, NOW) for plan in plans))
        assert won == [True, False, False, False, False]
        found = await store.delivery(DeliveryId("a"))
        assert found is not None
        assert (found.state, found.parts, found.attempts) == (State.SENDING, (part(0),), 1)

    async def test_a_frozen_plan_is_kept(self, store: Store) -> None:
        await store.add([new("a")], NOW)
        await begun(store, "a")
        await settled(store, "a", State.QUEUED, NOW)
        assert await store.begin(await row(store, "a"), [part(7)], NOW)
        found = await store.delivery(DeliveryId("a"))
        assert found is not None
        assert (found.parts, found.attempts) == ((part(0),), 2)

    async def test_who_knows_of_fewer_parts_claims_nothing(self, store: Store) -> None:
        (one,) = await store.add([planned("a")], NOW)
        assert await store.rescue([HOME], NOW) == 1
        doubtful = await row(store, "a")
        await store.settle(one, Settlement(State.QUEUED, NOW, "", receipt("r0"), "post", "c1"), NOW)
        known = await row(store, "a")
        assert (known.attempts, known.sent) == (doubtful.attempts, (receipt("r0"),))
        assert not await store.begin(doubtful, [part()], NOW)
        assert await store.begin(known, [part()], NOW)

    async def test_a_part_that_arrived_is_told_after_the_rescue_too(self, store: Store) -> None:
        await store.add([planned("a", order="o"), new("b", order="o"), new("c", order="o")], NOW)
        one = await row(store, "a")
        assert await store.rescue([HOME], NOW) == 1
        doubtful = await row(store, "a")
        await store.settle(doubtful, Settlement(State.UNCERTAIN, None, "who knows"), NOW)
        await begun(store, "b")
        with pytest.raises(Superseded):
            await store.settle(one, Settlement(State.SENDING, None, "", receipt("r0"), "post", "c1"), NOW)
        known = await row(store, "a")
        assert (known.state, known.due_at, known.sent) == (State.WAITING, NOW, (receipt("r0"),))
        await settled(store, "b", State.DELIVERED)
        assert await states(store, *"abc") == [State.QUEUED, State.DELIVERED, State.WAITING]

    async def test_what_was_known_before_a_part_arrived_settles_no_doubt(self, store: Store) -> None:
        (one,) = await store.add([planned("a")], NOW)
        await store.settle(one, Settlement(State.SENDING, NOW, "", receipt("r0"), "post", "c1"), NOW)
        assert await store.rescue([HOME], NOW) == 1
        for state in (State.SENDING, State.QUEUED, State.DELIVERED):
            with pytest.raises(Superseded):
                await store.settle(one, Settlement(state, NOW, "", receipt("other"), "post", "c1"), NOW)
        doubtful = await row(store, "a")
        assert (doubtful.state, doubtful.sent) == (State.UNCERTAIN, (receipt("r0"),))
        await store.settle(doubtful, Settlement(State.DELIVERED, None, "", receipt("r1"), "post", "c1"), NOW)
        assert [(one.index, one.ref) for one in await store.sent_parts(one.id)] == [(0, "r0"), (1, "r1")]

    async def test_one_with_a_plan_comes_in_claimed(self, store: Store) -> None:
        (one,) = await store.add([planned("a")], NOW)
        assert (one.state, one.parts, one.attempts) == (State.SENDING, (part(0), part(1)), 1)
        assert await row(store, "a") == one
        assert await store.ready(HOME, NOW, 10) == ()
        assert not await store.begin(structs.replace(one, attempts=0), [part()], NOW)
        await store.settle(one, Settlement(State.SENDING, NOW, "", receipt("r0"), "post", "c1"), NOW)
        await store.settle(one, Settlement(State.DELIVERED, NOW, "", receipt("r1"), "post", "c1"), NOW)
        assert (await row(store, "a")).sent == (receipt("r0"), receipt("r1"))
        assert [(one.index, one.ref) for one in await store.sent_parts(one.id)] == [(0, "r0"), (1, "r1")]

    async def test_a_plan_is_dropped_where_it_can_not_begin(self, store: Store) -> None:
        held = structs.replace(planned("d", order="p"), state=State.HELD)
        added = await store.add([planned("a", order="o"), planned("b", order="o"), planned("a"), held], NOW)
        assert [one.state for one in added] == [State.SENDING, State.WAITING, State.SENDING, State.HELD]
        assert [(one.parts, one.attempts) for one in (added[1], added[3])] == [(None, 0)] * 2
        assert added[2] == added[0]
        assert [await row(store, name) for name in "abd"] == [added[0], added[1], added[3]]
        assert await store.rescue([HOME], NOW) == 1
        assert (await store.add([planned("c", order="o")], NOW))[0].state is State.WAITING

    async def test_what_is_not_there_to_be_claimed(self, store: Store) -> None:
        await store.add([new("a", order="o"), new("b", order="o"), new("c", state=State.HELD)], NOW)
        a, b, c = [await row(store, name) for name in "abc"]
        elsewhere = structs.replace(a, account=AWAY)
        nobody = structs.replace(a, id=DeliveryId("nobody"))
        assert [await store.begin(known, [], NOW) for known in (elsewhere, b, c, nobody)] == [False] * 4

    async def test_an_uncertain_one_is_claimed_only_while_it_is_due_some_time(self, store: Store) -> None:
        await store.add([new("a"), new("b")], NOW)
        await begun(store, "a", "b")
        await settled(store, "a", State.UNCERTAIN, NOW + DAY)
        await settled(store, "b", State.UNCERTAIN)
        assert await store.begin(await row(store, "a"), [], NOW)
        assert not await store.begin(await row(store, "b"), [], NOW)

    async def test_who_slept_through_another_claim_has_no_say(self, store: Store) -> None:
        await store.add([new("a")], NOW)
        old = await row(store, "a")
        await begun(store, "a")
        sleeper = await row(store, "a")
        await settled(store, "a", State.QUEUED, NOW)
        assert not await store.begin(old, [], NOW)
        await begun(store, "a")
        with pytest.raises(Superseded):
            await store.settle(sleeper, Settlement(State.DELIVERED, None, "", receipt("late"), "post", "c1"), NOW)
        assert await states(store, "a") == [State.SENDING]
        assert await store.sent_parts(DeliveryId("a")) == ()

    async def test_part_after_part(self, store: Store) -> None:
        await store.add([new("a"), new("b")], NOW)
        await begun(store, "a", "b")
        for n in range(3):
            state = State.SENDING if n < 2 else State.DELIVERED
            settlement = Settlement(state, None, "", receipt(f"r{n}", NOW + n * DAY), "post", "c1")
            assert await store.settle(await row(store, "a"), settlement, NOW) is None
        found = await store.delivery(DeliveryId("a"))
        assert found is not None
        assert found.sent == tuple(receipt(f"r{n}", NOW + n * DAY) for n in range(3))
        parts = await store.sent_parts(DeliveryId("a"))
        assert [(p.index, p.ref, p.kind, p.conversation, p.url) for p in parts] == [
            (n, f"r{n}", "post", "c1", f"https://red.example/r{n}") for n in range(3)
        ]
        assert [p.ref for p in await store.sent_since(HOME, NOW + DAY)] == ["r1", "r2"]
        assert await store.sent_since(AWAY, NOW) == ()

    async def test_a_part_that_is_told_again_is_one_part(self, store: Store) -> None:
        await store.add([new("a")], NOW)
        await begun(store, "a")
        before = await row(store, "a")
        first = Settlement(State.SENDING, None, "", receipt("r1"), "post", "c1")
        for _ in range(2):
            assert await store.settle(before, first, NOW) is None
        now_there = await row(store, "a")
        assert [one.ref for one in now_there.sent] == ["r1"]
        with pytest.raises(Superseded):
            await store.settle(before, Settlement(State.SENDING, None, "", receipt("r2"), "post", "c1"), NOW)
        await store.settle(now_there, Settlement(State.DELIVERED, None, "", receipt("r2"), "post", "c1"), NOW)
        assert [one.ref for one in await store.sent_parts(before.id)] == ["r1", "r2"]

    async def test_a_settled_one_lets_the_next_go(self, store: Store) -> None:
        await store.add([new(name, order="o") for name in "abc"], NOW)
        for name, following in (("a", "b"), ("b", "c")):
            await begun(store, name)
            promoted = await settled(store, name, State.DELIVERED)
            assert promoted is not None
            assert promoted == await store.delivery(DeliveryId(following))
            assert (promoted.state, promoted.draft) == (State.QUEUED, new(following).draft)
        await begun(store, "c")
        assert await settled(store, "c", State.DELIVERED) is None

    @pytest.mark.parametrize(
        ("state", "due_at", "goes_on"),
        [
            (State.REFUSED, None, True),
            (State.EXPIRED, None, True),
            (State.UNCERTAIN, None, True),
            (State.UNCERTAIN, NOW, False),
            (State.QUEUED, NOW, False),
            (State.HELD, None, False),
        ],
    )
    async def test_what_blocks_its_order(
        self, store: Store, state: State, due_at: datetime | None, goes_on: bool
    ) -> None:
        await store.add([new("a", order="o"), new("b", order="o")], NOW)
        await begun(store, "a")
        promoted = await settled(store, "a", state, due_at)
        assert (promoted is not None) is goes_on
        assert await states(store, "a", "b") == [state, State.QUEUED if goes_on else State.WAITING]

    async def test_an_answer_to_a_doubt_that_no_longer_blocked(self, store: Store) -> None:
        await store.add([new("a", order="o"), new("b", order="o")], NOW)
        await begun(store, "a")
        await settled(store, "a", State.UNCERTAIN)
        await settled(store, "a", State.QUEUED, NOW)
        assert await states(store, "a", "b") == [State.QUEUED, State.WAITING]

    async def test_final_is_final(self, store: Store) -> None:
        await store.add([new("a"), new("b")], NOW)
        await begun(store, "a")
        await settled(store, "a", State.REFUSED)
        for name in "ab":
            with pytest.raises(Superseded):
                await settled(store, name, State.DELIVERED)
        assert await states(store, "a", "b") == [State.REFUSED, State.QUEUED]
        assert await store.sent_parts(DeliveryId("a")) == ()
        with pytest.raises(ValueError, match="waiting"):
            await settled(store, "b", State.WAITING)

    async def test_settling_many_at_once_is_like_one_after_the_other(self, store: Store) -> None:
        names = [f"d{n}" for n in range(100)]
        await store.add([new(name, order=f"o{n // 2}") for n, name in enumerate(names)], NOW)
        await begun(store, *names[::2])
        late = [*names[::2], names[1]]
        ends = (settled(store, name, State.DELIVERED) for name in late)
        *promoted, refused = await asyncio.gather(*ends, return_exceptions=True)
        assert [one.id for one in promoted if isinstance(one, Delivery)] == names[1::2]
        assert isinstance(refused, Superseded)

    async def test_what_is_ready_and_when_more_is(self, store: Store) -> None:
        later = NOW + timedelta(microseconds=1)
        await store.add([new("late", due_at=later), new("b"), new("a", due_at=NOW - DAY), new("c"), new("h")], NOW)
        await begun(store, "c", "h")
        await settled(store, "c", State.UNCERTAIN, NOW)
        await settled(store, "h", State.UNCERTAIN)
        assert [one.id for one in await store.ready(HOME, NOW, 9)] == ["a", "b", "c"]
        assert [one.id for one in await store.ready(HOME, NOW, 1)] == ["a"]
        assert await store.ready(AWAY, NOW, 9) == ()
        assert await store.next_due(HOME, after=NOW) == later
        assert await store.next_due(HOME, after=NOW - 2 * DAY) == NOW - DAY
        assert await store.next_due(HOME, after=later) is None

    async def test_what_a_dead_process_left_is_asked_about(self, store: Store) -> None:
        await store.add([new("a", order="o"), new("b", order="o"), new("c")], NOW)
        await begun(store, "a", "c")
        assert await store.rescue([AWAY], NOW) == await store.rescue([], NOW) == 0
        assert await store.rescue([HOME, AWAY], NOW + DAY) == 2
        assert [(one.id, one.state) for one in await store.ready(HOME, NOW + DAY, 9)] == [
            ("a", State.UNCERTAIN),
            ("c", State.UNCERTAIN),
        ]
        assert await states(store, "b") == [State.WAITING]

    async def test_lists_and_counts(self, store: Store) -> None:
        added = [new("a"), new("b", state=State.HELD), new("c", account=AWAY, announcement="n"), new("d", order="a")]
        await store.add(added, NOW)
        queued = frozenset({State.QUEUED})
        assert [one.id for one in await store.deliveries()] == ["d", "c", "b", "a"]
        assert [one.id for one in await store.deliveries(account=HOME, limit=2)] == ["d", "b"]
        assert [one.id for one in await store.deliveries(states=queued)] == ["c", "a"]
        assert [one.id for one in await store.deliveries(account=AWAY, states=queued)] == ["c"]
        assert [one.id for one in await store.unsent(HOME)] == ["a", "b", "d"]
        assert [one.id for one in await store.unsent(HOME, after=1, limit=1)] == ["b"]
        assert [one.id for one in await store.unsent(HOME, states=queued)] == ["a"]
        assert await store.counts() == {
            HOME: {State.QUEUED: 1, State.HELD: 1, State.WAITING: 1},
            AWAY: {State.QUEUED: 1},
        }
        assert await store.announced_on(AnnouncementId("n")) == {AWAY}

    async def test_the_newest_of_some_states_wherever_they_are(self, store: Store) -> None:
        places = [HOME, AWAY, OTHER, AWAY, HOME, OTHER, HOME]
        ends = [State.HELD, State.HELD, State.REFUSED, State.QUEUED, State.HELD, State.HELD, State.REFUSED]
        await store.add(
            [
                new(name, account=account, state=state)
                for name, account, state in zip("abcdefg", places, ends, strict=True)
            ],
            NOW,
        )
        held, unsaid = frozenset({State.HELD}), frozenset({State.HELD, State.REFUSED})
        for limit in (1, 2, 3, 9):
            assert [one.id for one in await store.deliveries(states=held, limit=limit)] == list("feba")[:limit]
            assert [one.id for one in await store.deliveries(states=unsaid, limit=limit)] == list("gfecba")[:limit]
        assert await store.deliveries(states=frozenset({State.EXPIRED})) == ()
        assert [one.id for one in await store.deliveries(account=HOME, states=unsaid, limit=2)] == ["g", "e"]

    async def test_huge_and_strange_texts_are_kept(self, store: Store) -> None:
        strange = "\0 \ud800 \U0001f469\u200d\U0001f680 '; DROP TABLE deliveries; --"
        await store.add([new("a", document=said("x" * 3_000_000)), new("b", document=said(strange))], NOW)
        found = [await store.delivery(DeliveryId(name)) for name in "ab"]
        assert found[0] is not None
        assert found[1] is not None
        assert found[0].draft.document == said("x" * 3_000_000)
        assert found[1].draft.document == said(strange.replace("\ud800", "?"))

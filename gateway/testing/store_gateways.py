"""The part of the store's suite for engines that several gateways share: leases, fencing, what they tell each other.

Besides ``store``, which has tended :data:`gateway.testing.store_drafts.ACCOUNTS` as "me", it wants a fixture
``neighbour``: another store on the same database, of a gateway that hasn't said yet that it is alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.books import LeaseLost, Settlement, Store, Superseded, Topic
from gateway.model.delivery import State
from gateway.model.identity import Identity, Link
from gateway.model.ids import DeliveryId
from gateway.model.standing import Record, Standing
from gateway.testing.store_drafts import (
    ACCOUNTS,
    AWAY,
    DAY,
    HOME,
    NOW,
    begun,
    diverted,
    held,
    new,
    part,
    planned,
    receipt,
    row,
    settled,
    states,
)
from gateway.testing.store_inbox import ANA, BEN, heard

PATIENCE_S = 20.0

Heard = list[tuple[Topic, str]]


def listening(store: Store) -> Heard:
    """What it hears from now on."""
    told: Heard = []
    store.listen(lambda topic, name: told.append((topic, name)))
    return told


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - the others' doing sets no event here
            await asyncio.sleep(0.005)


async def taken_over(store: Store, neighbour: Store) -> None:
    """The one fell asleep, and the other took all it had."""
    await store.tend("me", ACCOUNTS, 0.0)
    assert set((await neighbour.tend("you", ACCOUNTS, 60.0)).held) == set(ACCOUNTS)


@pytest.mark.asyncio
class GatewaysConformance:
    """Two gateways, "me" and "you"."""

    async def test_they_share(self, store: Store, neighbour: Store) -> None:
        theirs = await neighbour.tend("you", ACCOUNTS, 60.0)
        assert (theirs.held, theirs.excess, theirs.members) == ({}, (), 2)
        mine = await store.tend("me", ACCOUNTS, 60.0)
        assert (set(mine.held), len(mine.excess), mine.members) == (set(ACCOUNTS), 1, 2)
        assert await store.tend("me", ACCOUNTS, 60.0) == mine
        told = listening(neighbour)
        await store.give_up("me", mine.excess)
        await until(lambda: (Topic.LEASES, "") in told)
        theirs = await neighbour.tend("you", ACCOUNTS, 60.0)
        assert tuple(theirs.held) == mine.excess
        assert theirs.held[mine.excess[0]] > mine.held[mine.excess[0]]
        left = {name: epoch for name, epoch in mine.held.items() if name not in mine.excess}
        assert (await store.tend("me", ACCOUNTS, 60.0)).held == left

    async def test_who_leaves_leaves_all_at_once(self, store: Store, neighbour: Store) -> None:
        await neighbour.tend("you", ACCOUNTS, 60.0)
        told = listening(neighbour)
        await store.give_up("me", None)
        await until(lambda: (Topic.LEASES, "") in told)
        theirs = await neighbour.tend("you", ACCOUNTS, 60.0)
        assert (set(theirs.held), theirs.members) == (set(ACCOUNTS), 1)

    async def test_the_living_hear_of_a_new_one(self, store: Store, neighbour: Store) -> None:
        told = listening(store)
        await neighbour.tend("you", ACCOUNTS, 60.0)
        await until(lambda: told == [(Topic.LEASES, "")])

    async def test_what_a_dead_one_had_goes_to_the_living(self, store: Store, neighbour: Store) -> None:
        before = (await store.tend("me", ACCOUNTS, 0.0)).held
        theirs = await neighbour.tend("you", ACCOUNTS, 60.0)
        assert (set(theirs.held), theirs.members) == (set(ACCOUNTS), 1)
        assert all(theirs.held[name] > before[name] for name in before)
        again = await store.tend("me", ACCOUNTS, 60.0)
        assert (again.held, again.members) == ({}, 2)

    async def test_who_slept_can_neither_claim_nor_record(self, store: Store, neighbour: Store) -> None:
        await store.add([new("a"), new("b")], NOW)
        await begun(store, "a")
        await taken_over(store, neighbour)
        assert not await store.begin(await row(store, "b"), [part()], NOW)
        with pytest.raises(LeaseLost):
            await store.record(HOME, [heard("e")], "9", NOW)
        assert await store.rescue([HOME], NOW) == 0
        assert await store.cursor(HOME) is None
        assert await neighbour.rescue([HOME], NOW) == 1
        assert await states(store, "a", "b") == [State.UNCERTAIN, State.QUEUED]
        await begun(neighbour, "a", "b")
        await neighbour.record(HOME, [heard("e")], "9", NOW)

    async def test_who_lost_one_account_keeps_the_other(self, store: Store, neighbour: Store) -> None:
        await store.add([new("a"), new("b", account=AWAY)], NOW)
        await taken_over(store, neighbour)
        await neighbour.give_up("you", [AWAY])
        assert set((await store.tend("me", [AWAY], 60.0)).held) == {AWAY}
        a, b = await row(store, "a"), await row(store, "b")
        asked = [store.begin(one, [part()], NOW) for one in (a, b)]
        assert await asyncio.gather(*asked) == [False, True]
        lost, kept = await asyncio.gather(
            store.record(HOME, [heard("e")], "1", NOW),
            store.record(AWAY, [heard("e")], "1", NOW),
            return_exceptions=True,
        )
        assert isinstance(lost, LeaseLost)
        assert isinstance(kept, tuple)
        assert len(kept) == 1

    async def test_what_was_sent_before_sleep_is_still_told(self, store: Store, neighbour: Store) -> None:
        await store.add([new("a")], NOW)
        await begun(store, "a")
        await taken_over(store, neighbour)
        await settled(store, "a", State.DELIVERED)
        assert await states(neighbour, "a") == [State.DELIVERED]

    async def test_a_part_that_arrived_before_sleep_is_still_told(self, store: Store, neighbour: Store) -> None:
        await store.add([planned("a", order="o"), new("b", order="o")], NOW)
        mine = await row(store, "a")
        await taken_over(store, neighbour)
        assert await neighbour.rescue([HOME], NOW) == 1
        doubtful = await row(neighbour, "a")
        told = listening(neighbour)
        with pytest.raises(Superseded):
            await store.settle(mine, Settlement(State.SENDING, NOW, "", receipt("r0"), "post", "c1"), NOW + DAY)
        await until(lambda: (Topic.DELIVERIES, HOME) in told)
        known = await row(neighbour, "a")
        assert (known.state, known.due_at, known.sent) == (State.QUEUED, NOW + DAY, (receipt("r0"),))
        assert [one.ref for one in await neighbour.sent_parts(known.id)] == ["r0"]
        assert not await neighbour.begin(doubtful, [part()], NOW)
        assert await neighbour.begin(known, [part()], NOW)
        with pytest.raises(Superseded):
            await store.settle(mine, Settlement(State.SENDING, NOW, "", receipt("r1"), "post", "c1"), NOW + DAY)
        assert await states(neighbour, "a", "b") == [State.SENDING, State.WAITING]

    async def test_without_a_lease_nothing_is_claimed(self, store: Store, neighbour: Store) -> None:
        await store.add([new("a")], NOW)
        assert not await neighbour.begin(await row(store, "a"), [part()], NOW)
        (one,) = await neighbour.add([planned("b")], NOW)
        assert (one.state, one.parts, one.attempts) == (State.QUEUED, None, 0)
        assert await row(store, "b") == one
        with pytest.raises(LeaseLost):
            await neighbour.record(HOME, [heard("e")], "1", NOW)

    async def test_who_has_the_account_hears_of_its_deliveries(self, store: Store, neighbour: Store) -> None:
        told = listening(store)
        news = (Topic.DELIVERIES, HOME)
        await neighbour.add([new("a"), new("b", account=AWAY)], NOW)
        await until(lambda: news in told and (Topic.DELIVERIES, AWAY) in told)
        for changed in (
            neighbour.move([held("a", "a")], NOW),
            neighbour.release(HOME, NOW, 0.0),
            neighbour.move([diverted("a", "a")], NOW),
        ):
            told.clear()
            await changed
            await until(lambda: news in told)

    async def test_who_has_the_account_hears_what_expired_and_what_was_decided(
        self, store: Store, neighbour: Store
    ) -> None:
        await store.add([new("a", expires_at=NOW), new("b")], NOW)
        await begun(store, "b")
        await settled(store, "b", State.UNCERTAIN)
        told = listening(store)
        await neighbour.expire(NOW)
        await until(lambda: (Topic.DELIVERIES, HOME) in told)
        told.clear()
        (doubt,) = await neighbour.doubts(9)
        await neighbour.decide(doubt.delivery, Settlement(State.QUEUED, NOW), NOW)
        await until(lambda: (Topic.DELIVERIES, HOME) in told)

    async def test_nobody_is_told_what_concerns_nobody_else(self, store: Store, neighbour: Store) -> None:
        told = listening(neighbour)
        await store.add([new("a")], NOW)
        await begun(store, "a")
        await settled(store, "a", State.DELIVERED)
        await store.tell(Topic.RESUME, HOME)
        await until(lambda: bool(told))
        assert told == [(Topic.RESUME, HOME)]

    async def test_standings_are_told(self, store: Store, neighbour: Store) -> None:
        told = listening(neighbour)
        await store.save_record(Record(HOME, Standing.HEALTHY, NOW))
        await until(lambda: (Topic.STANDING, HOME) in told)
        assert [one.account for one in await neighbour.records()] == [HOME]

    async def test_who_is_who_is_told_and_asked_anew(self, store: Store, neighbour: Store) -> None:
        await store.record(HOME, [heard("e1", BEN)], "1", NOW)
        (alone,) = await store.record(HOME, [heard("e2", ANA)], "2", NOW)
        told = listening(store)
        both = await neighbour.link(Link(ANA, BEN, "a proof", NOW))
        await until(lambda: (Topic.PEOPLE, "") in told)
        (joined,) = await store.record(HOME, [heard("e3", ANA)], "3", NOW)
        assert joined.person == both.id != alone.person
        told.clear()
        assert await neighbour.unlink(ANA, BEN)
        await until(lambda: (Topic.PEOPLE, "") in told)
        (parted,) = await store.record(HOME, [heard("e4", ANA)], "4", NOW)
        assert parted.person == alone.person

    async def test_one_draft_from_two_gateways_is_one_delivery(self, store: Store, neighbour: Store) -> None:
        for n in range(20):
            mine, theirs = new(f"m{n}", key=f"k{n}"), new(f"t{n}", key=f"k{n}", order="another")
            added = await asyncio.gather(store.add([mine], NOW), neighbour.add([theirs], NOW))
            assert added[0][0].id == added[1][0].id

    async def test_strangers_met_by_two_gateways_are_one_person(self, store: Store, neighbour: Store) -> None:
        await store.give_up("me", [AWAY])
        await neighbour.tend("you", [AWAY], 60.0)
        for n in range(20):
            who = Identity("red", f"s{n}", f"s{n}", "S")
            met = await asyncio.gather(
                store.record(HOME, [heard(f"e{n}", author=who)], "1", NOW),
                neighbour.record(AWAY, [heard(f"e{n}", author=who)], "1", NOW),
            )
            assert len({stored.person for (stored,) in met}) == 1

    async def test_an_event_is_handled_once(self, store: Store, neighbour: Store) -> None:
        (stored,) = await store.record(HOME, [heard("e")], "1", NOW)
        answers = [[new("mine")], [new("theirs")]]
        added = await asyncio.gather(
            *(one.handled(stored.seq, each, NOW) for one, each in zip((store, neighbour), answers, strict=True))
        )
        assert sorted(len(each) for each in added) == [0, 1]
        there = [await store.delivery(DeliveryId(name)) for name in ("mine", "theirs")]
        assert sum(one is not None for one in there) == 1

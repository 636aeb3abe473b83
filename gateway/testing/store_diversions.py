"""The part of the store's suite on failover: see :mod:`gateway.testing.store_conformance`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import structs

from gateway.books import Settlement, Store
from gateway.model.delivery import State
from gateway.model.ids import AnnouncementId, DeliveryId
from gateway.testing.store_drafts import (
    AWAY,
    DAY,
    HOME,
    NOW,
    begun,
    diverted,
    held,
    new,
    part,
    receipt,
    row,
    said,
    settled,
    states,
)


class DiversionConformance:
    """Failover, return, old age."""

    async def test_a_diverted_one_starts_anew_elsewhere(self, store: Store) -> None:
        (before,) = await store.add([new("a")], NOW)
        await begun(store, "a")
        await store.settle(await row(store, before.id), Settlement(State.SENDING, None, "", receipt("r0"), "post"), NOW)
        await settled(store, "a", State.QUEUED, NOW)
        (moved,) = await store.move([diverted("a", "there")], NOW)
        assert moved == await store.delivery(before.id)
        assert (moved.account, moved.home, moved.order_key, moved.reason) == (AWAY, HOME, "there", "diverted")
        assert (moved.parts, moved.sent, moved.due_at, moved.seq) == (None, (), NOW + DAY, before.seq)
        assert moved.draft.document == said("the rest")
        assert await store.add([new("a")], NOW) == (moved,)
        assert [p.account for p in await store.sent_parts(before.id)] == [HOME]
        assert await store.announced_on(AnnouncementId("n")) == frozenset()

    async def test_who_knew_it_before_it_went_and_came_back_has_no_say(self, store: Store) -> None:
        (before,) = await store.add([new("a")], NOW)
        await store.move([diverted("a", "there")], NOW)
        (back,) = await store.move([diverted("a", before.order_key, account=HOME)], NOW)
        assert not await store.begin(before, [part()], NOW)
        assert await store.begin(back, [part()], NOW)

    async def test_both_orders_go_on(self, store: Store) -> None:
        await store.add([new("a", order="o"), new("b", order="o"), new("x", order="p", account=AWAY)], NOW)
        (moved,) = await store.move([diverted("a", "p")], NOW)
        assert moved.state is State.QUEUED
        assert await states(store, "b", "x") == [State.QUEUED, State.WAITING]

    async def test_nobody_overtakes_what_is_on_its_way(self, store: Store) -> None:
        await store.add([new("a"), new("x", order="p", account=AWAY)], NOW)
        await begun(store, "x", account=AWAY)
        (moved,) = await store.move([diverted("a", "p")], NOW)
        assert moved.state is State.WAITING
        promoted = await settled(store, "x", State.DELIVERED)
        assert promoted is not None
        assert promoted.id == "a"

    async def test_what_is_begun_finishes_before_older_ones_that_came_later(self, store: Store) -> None:
        await store.add([new("a"), new("x", order="p", account=AWAY)], NOW)
        await begun(store, "x", account=AWAY)
        await store.settle(await row(store, "x"), Settlement(State.SENDING, None, "", receipt("r0")), NOW)
        await settled(store, "x", State.QUEUED, NOW)
        (moved,) = await store.move([diverted("a", "p")], NOW)
        assert moved.state is State.WAITING
        assert await states(store, "x") == [State.QUEUED]

    async def test_only_what_is_unsent_moves(self, store: Store) -> None:
        await store.add([new("a"), new("b"), new("c")], NOW)
        await begun(store, "a", "b")
        await settled(store, "b", State.DELIVERED)
        moves = [diverted("a", "o"), diverted("b", "o"), diverted("nobody", "o"), held("c", "c")]
        assert [(one.id, one.state, one.account) for one in await store.move(moves, NOW)] == [("c", State.HELD, HOME)]
        with pytest.raises(ValueError, match="delivered"):
            await store.move([diverted("c", "o", state=State.DELIVERED)], NOW)

    async def test_nobody_leaves_an_order_whose_earlier_one_is_being_sent(self, store: Store) -> None:
        await store.add([new(name, order="o") for name in "abc"], NOW)
        await begun(store, "a")
        assert await store.move([diverted("b", "there"), held("c", "o")], NOW)
        assert await states(store, *"abc") == [State.SENDING, State.WAITING, State.HELD]
        await settled(store, "a", State.QUEUED, NOW)
        moved = await store.move([diverted("a", "there"), diverted("b", "there")], NOW)
        assert [(one.id, one.state) for one in moved] == [("a", State.QUEUED), ("b", State.WAITING)]

    async def test_nobody_passes_one_whose_move_was_too_late(self, store: Store) -> None:
        await store.add([new(name, order="o") for name in "abcd"] + [new("x", order="p")], NOW)
        before = await row(store, "b")
        assert await store.amend(before, before.draft, NOW)
        moves = [diverted(name, "there") for name in "abdx"]
        moves[1] = structs.replace(moves[1], attempts=before.attempts)
        assert [one.id for one in await store.move([*reversed(moves), held("c", "o")], NOW)] == ["x", "a", "c"]
        assert await states(store, *"abcd") == [State.QUEUED, State.QUEUED, State.HELD, State.WAITING]

    async def test_a_held_one_blocks_until_its_account_is_back(self, store: Store) -> None:
        await store.add([new(name, order="o") for name in "abc"] + [new("d"), new("e")], NOW)
        await store.move([held("a", "o"), held("c", "o"), held("d", "d"), held("e", "e", NOW)], NOW)
        assert await states(store, *"abcde") == [State.HELD, State.WAITING, State.HELD, State.HELD, State.HELD]
        assert await store.release(HOME, NOW, 2.0) == 3
        assert await states(store, *"abcde") == [
            State.QUEUED, State.WAITING, State.WAITING, State.QUEUED, State.EXPIRED,
        ]  # fmt: skip
        due = [one.due_at for name in "acd" if (one := await store.delivery(DeliveryId(name)))]
        assert due == [NOW, NOW + timedelta(seconds=2), NOW + timedelta(seconds=4)]
        assert await store.release(HOME, NOW, 2.0) == 0

    async def test_what_has_to_be_sent_again_waits_behind_what_was_held_meanwhile(self, store: Store) -> None:
        await store.add([new("a", order="o"), new("x", order="p")], NOW)
        await begun(store, "x")
        (moved,) = await store.move([diverted("a", "p", account=HOME, state=State.HELD)], NOW)
        assert moved.state is State.HELD
        await settled(store, "x", State.QUEUED, NOW)
        assert await states(store, "a", "x") == [State.HELD, State.WAITING]

    async def test_a_move_without_a_hour_keeps_the_tighter_one(self, store: Store) -> None:
        await store.add([new("a", expires_at=NOW + DAY)], NOW)
        (moved,) = await store.move([held("a", "a")], NOW)
        assert moved.expires_at == NOW + DAY

    async def test_a_holds_hour_ends_with_the_hold(self, store: Store) -> None:
        own, hold = NOW + 3 * DAY, NOW + DAY
        names = ["home", "away", "own home"]
        await store.add([new(name, expires_at=own if "own" in name else None) for name in names], NOW)
        await store.move([held(name, name, hold) for name in names], NOW)
        await store.move([diverted("away", "there")], NOW)
        assert await store.release(HOME, NOW, 2.0) == 2
        assert await store.expire(hold) == 0
        assert [(await row(store, name)).expires_at for name in names] == [None, None, own]
        await store.move([held("home", "home", 2 * DAY + NOW), held("away", "there")], NOW)
        assert [(await row(store, name)).expires_at for name in names] == [NOW + 2 * DAY, None, own]
        assert await store.expire(own) == 2

    async def test_who_goes_another_road_takes_its_own_hour_along(self, store: Store) -> None:
        await store.add([new("a")], NOW)
        await store.move([held("a", "a", NOW + DAY)], NOW)
        there = diverted("a", "there")
        assert there.draft is not None
        draft = structs.replace(there.draft, expires_at=NOW + 2 * DAY)
        (moved,) = await store.move([structs.replace(there, draft=draft)], NOW)
        assert moved.expires_at == NOW + 2 * DAY

    async def test_the_late_expire_and_their_orders_go_on(self, store: Store) -> None:
        await store.add(
            [
                new("a", order="o", expires_at=NOW),
                new("b", order="o", expires_at=NOW),
                new("c", order="o", expires_at=NOW + DAY),
                new("d", expires_at=NOW),
            ],
            NOW,
        )
        await begun(store, "d")
        assert await store.expire(NOW - DAY) == 0
        assert await store.expire(NOW) == 2
        assert await states(store, *"abcd") == [State.EXPIRED, State.EXPIRED, State.QUEUED, State.SENDING]

    async def test_very_many_go_home_in_their_order(self, store: Store) -> None:
        names = [f"d{n:04}" for n in range(1_203)]
        order = {name: f"o{at % 400}" for at, name in enumerate(names)}
        hours = {name: NOW if at % 3 else None for at, name in enumerate(names)}
        for start in range(0, len(names), 300):
            page = names[start : start + 300]
            await store.add([new(one, order=order[one], expires_at=hours[one], state=State.HELD) for one in page], NOW)
        home = [name for name in names if hours[name] is None]
        assert await store.release(HOME, NOW, 1.0) == len(home)
        due = {one.id: one.due_at for one in await store.unsent(HOME, limit=2_000)}
        assert due == {name: NOW + timedelta(seconds=at) for at, name in enumerate(home)}
        heads = {order[name]: name for name in reversed(home)}
        assert {one.id for one in await store.ready(HOME, NOW + DAY, 2_000)} == set(heads.values())

    async def test_very_many_expire_and_their_orders_go_on(self, store: Store) -> None:
        names = [f"d{n:04}" for n in range(1_101)]
        for start in range(0, len(names), 300):
            page = names[start : start + 300]
            await store.add([new(one, order="o", expires_at=NOW) for one in page], NOW)
        await store.add([new("last", order="o")], NOW)
        assert await store.expire(NOW) == len(names)
        assert [one.id for one in await store.ready(HOME, NOW, 9)] == ["last"]

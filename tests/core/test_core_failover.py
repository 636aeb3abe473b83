"""Standing, and what failover means: what goes where when accounts are lost, and what comes home."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from core_rig import BLUE, GREEN, LOCKED, RAMP_S, RED, SUSPENDED, World, ended, road, words
from msgspec import structs
from people_rig import ana, is_known_on_both, linked, meets
from revising_rig import changing

from gateway.books import StoreError
from gateway.model.capabilities import Feature, Idempotency, Lane
from gateway.model.delivery import Fault, FaultKind, State
from gateway.model.ids import AccountId, ConversationId
from gateway.model.standing import Signal, Source, Standing
from gateway.ports import Unsure
from gateway.testing.scripted import FEATURES, ScriptedAdapter, Trouble, refused, scripted_profile, unclear

Worlds = Callable[..., World]
THREAD = "one\n\ntwo\n\nthree"


# What goes where.


async def test_a_diverted_thread_throws_away_only_unsent_parts_and_loses_no_word(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        sends = 0

        def taken_after_one(_account: AccountId, _part: Any) -> None:
            nonlocal sends
            sends += 1
            if sends == 2:
                w[RED].lost = SUSPENDED

        w[RED].before_send = taken_after_one
        one = await house.say(THREAD)
        await ended(house, one)
    assert (w.texts(RED), w.texts(BLUE)) == (["one"], ["two", "three"])


async def test_nothing_leaves_between_two_parts_once_the_monitor_knows(world: Worlds) -> None:
    lane = Lane("posts", 1, 60.0, ("post",))
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),), profiles={RED: scripted_profile(lanes=[lane])}) as house:
        one = await house.say(THREAD)
        await house.quiet()
        await house.lose()
        w[RED].refused_while_lost = 0
        await house.pass_time(200, 10.0)
        assert w[RED].refused_while_lost == 0
        assert await house.state(one) is State.DELIVERED
    assert (w.texts(RED), w.texts(BLUE)) == (["one"], ["two", "three"])


async def test_a_loss_that_is_learnt_during_a_part_stops_the_next(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:

        def heard_elsewhere(_account: AccountId, _part: Any) -> None:
            house.monitor.observe(RED, Signal(Source.RECEIVE, w.clock.now(), "told by the stream", SUSPENDED))
            w[RED].probe = SUSPENDED

        w[RED].before_send = heard_elsewhere
        one = await house.say(THREAD)
        await ended(house, one)
    assert (w.texts(RED), w.texts(BLUE)) == (["one"], ["two", "three"])


async def test_posts_keep_their_order_on_the_new_road(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        w[RED].lost = SUSPENDED
        posts = [await house.say(f"post {n}") for n in range(10)]
        await ended(house, *posts)
    assert w.texts(BLUE) == [f"post {n}" for n in range(10)]


async def test_an_uncertain_post_stays_for_the_accounts_return_and_the_others_go_on(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        w[RED].troubles.append(unclear(accepted=True))
        first = await house.say("maybe there")
        await house.quiet()
        later = await house.say("later")
        await house.lose()
        await ended(house, later)
        assert await house.state(first) is State.UNCERTAIN
        await house.regain()
        await ended(house, first)
    assert (w.texts(RED), w.texts(BLUE)) == (["maybe there"], ["later"])


async def test_what_a_lost_account_does_not_find_may_be_there_all_the_same(world: Worlds) -> None:
    w = world(RED, BLUE)
    asked, told = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedAdapter):
        async def reconcile(self, part: Any, since: Any, taken: Any = None) -> Any:
            answer = await super().reconcile(part, since)
            if self.account == RED and not told.is_set():
                asked.set()
                await told.wait()
                return Unsure.NOT_SENT
            return answer

    async with w.house(routes=(road(RED, BLUE),), kind=Slow) as house:
        w[RED].troubles.append(unclear(accepted=True))
        first = await house.say("maybe there")
        while not asked.is_set():
            await house.pass_time(1)
        await house.lose()
        told.set()
        await ended(house, await house.say("later"))
        assert await house.state(first) is State.UNCERTAIN
        await house.regain()
        await ended(house, first)
    assert (w.texts(RED), w.texts(BLUE)) == (["maybe there"], ["later"])


async def test_what_an_outage_held_goes_on_first_when_it_turns_out_to_be_a_suspension(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        w[RED].lost = refused(FaultKind.NETWORK).fault
        first = await house.say("first")
        await house.pass_time(10)
        assert house.monitor.record(RED).standing is Standing.OFFLINE
        assert await house.state(first) is State.HELD
        await house.lose()
        await ended(house, first, await house.say("later"))
    assert (w.texts(RED), w.texts(BLUE)) == ([], ["first", "later"])


async def test_what_is_changed_while_it_is_judged_keeps_its_place(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        w[RED].lost = refused(FaultKind.NETWORK).fault
        posts = [await house.say(text) for text in ("first", "second")]
        await house.pass_time(10)
        assert await house.state(posts[0]) is State.HELD
        judge = house.intake.judge

        async def late(draft: Any, account: AccountId) -> Any:
            verdict = await judge(draft, account)
            if draft.document == words("first"):
                await changing(house).edit(posts[0].id, words("first, in other words"))
            return verdict

        house.intake.judge = late  # type: ignore[method-assign]
        await house.lose()
        await ended(house, *posts)
    assert w.texts(BLUE) == ["first, in other words", "second"]


async def test_two_accounts_lost_at_once_and_the_next_road_lost_while_diverting(world: Worlds) -> None:
    w = world(RED, BLUE, GREEN)
    async with w.house(routes=(road(RED, BLUE, GREEN), road(BLUE, GREEN))) as house:
        w[RED].lost = SUSPENDED
        w[BLUE].lost = SUSPENDED
        posts = [await house.say(f"post {n}") for n in range(5)]
        await ended(house, *posts)
    assert (w.texts(RED), w.texts(BLUE)) == ([], [])
    assert w.texts(GREEN) == [f"post {n}" for n in range(5)]


async def test_all_roads_lost_and_one_coming_back(world: Worlds) -> None:
    w = world(RED, BLUE, GREEN)
    async with w.house(routes=(road(RED, BLUE, GREEN),)) as house:
        for account in (RED, BLUE, GREEN):
            await house.lose(account)
        posts = [await house.say(f"post {n}") for n in range(3)]
        await house.pass_time(10)
        assert {await house.state(one) for one in posts} == {State.HELD}
        await house.regain(GREEN)
        await ended(house, *posts)
    assert w.texts(GREEN) == ["post 0", "post 1", "post 2"]


async def test_what_waits_for_a_send_on_the_lost_road_goes_on_when_that_arrives(world: Worlds) -> None:
    w = world(RED, BLUE, GREEN)
    gate = asyncio.Event()

    class Slow(ScriptedAdapter):
        async def send(self, part: Any) -> Any:
            if self.account == BLUE:
                await gate.wait()
            return await super().send(part)

    async with w.house(routes=(road(RED, BLUE, GREEN),), kind=Slow) as house:
        await house.lose()
        first = await house.say("first")
        await house.quiet()
        house.monitor.observe(BLUE, Signal(Source.RECEIVE, w.clock.now(), "told by the stream", SUSPENDED))
        w[BLUE].probe = SUSPENDED
        second = await house.say("second")
        await house.pass_time(5)
        assert w.texts(GREEN) == []
        gate.set()
        await ended(house, first, second)
    assert (w.texts(BLUE), w.texts(GREEN)) == (["first"], ["second"])


@pytest.mark.parametrize("own_route", [True, False])
async def test_posts_diverted_to_an_account_that_is_lost_too_go_on_as_their_home_says(
    world: Worlds, own_route: bool
) -> None:
    """Even where the second account has no route of its own."""
    lane = Lane("posts", 1, 600.0, ("post",))
    w = world(RED, BLUE, GREEN)
    routes = (road(RED, BLUE, GREEN), *([road(BLUE, GREEN)] if own_route else []))
    async with w.house(routes=routes, profiles={BLUE: scripted_profile(lanes=[lane])}) as house:
        await house.lose()
        posts = [await house.say(f"post {n}") for n in range(3)]
        await house.quiet()
        assert w.texts(BLUE) == ["post 0"]
        await house.lose(BLUE)
        await ended(house, *posts)
    assert (w.texts(BLUE), w.texts(GREEN)) == (["post 0"], ["post 1", "post 2"])


async def test_nothing_waits_for_what_waits_on_another_road_and_who_leaves_that_says_so(world: Worlds) -> None:
    lane = Lane("posts", 1, 900.0, ("post",))
    w = world(RED, BLUE, GREEN)
    profiles = {GREEN: scripted_profile(lanes=[lane])}
    async with w.house(routes=(road(RED, BLUE, GREEN),), profiles=profiles) as house:
        for account in (RED, BLUE):
            await house.lose(account)
        posts = [await house.say(f"post {n}") for n in range(2)]
        await house.quiet()
        await house.regain(BLUE)
        posts.append(await house.say("post 2"))
        await house.quiet()
        await house.lose(GREEN)
        await ended(house, *posts)
        rows = [await house.store.delivery(one.id) for one in posts]
    assert (w.texts(GREEN), w.texts(BLUE)) == (["post 0"], ["post 2", "post 1"])
    assert [row and row.draft.been_on for row in rows] == [(), (GREEN,), ()]


async def test_a_diverted_post_goes_home_when_the_other_is_lost_and_home_is_well(world: Worlds) -> None:
    lane = Lane("posts", 1, 900.0, ("post",))
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),), profiles={BLUE: scripted_profile(lanes=[lane])}) as house:
        await house.lose()
        await house.say("post 0")
        one = await house.say("post 1\n\nand more")
        await house.quiet()
        await house.regain()
        await house.lose(BLUE)
        await ended(house, one)
    assert (w.texts(BLUE), w.texts(RED)) == (["post 0"], ["post 1", "and more"])


@pytest.mark.parametrize("when", ["planning", "sending"])
async def test_what_the_new_road_refuses_is_not_lost(world: Worlds, when: str) -> None:
    w = world(RED, BLUE, GREEN)
    short = scripted_profile(text_max=5 if when == "planning" else 500)
    async with w.house(routes=(road(RED, BLUE, GREEN),), profiles={BLUE: short}) as house:
        if when == "sending":
            w[BLUE].troubles.append(refused(FaultKind.INVALID, "not with us"))
        await house.lose()
        one = await house.say("quite long")
        await ended(house, one)
        assert await house.state(one) is State.DELIVERED
    assert (w.texts(BLUE), w.texts(GREEN)) == ([], ["quite long"])


async def test_what_every_road_refuses_waits_for_its_home(world: Worlds) -> None:
    w = world(RED, BLUE)
    short = scripted_profile(text_max=5)
    async with w.house(routes=(road(RED, BLUE),), profiles={BLUE: short}) as house:
        await house.lose()
        one = await house.say("quite long")
        await house.pass_time(30)
        found = await house.now(one)
        assert (found.state, found.account) == (State.HELD, RED)
        await house.regain()
        await ended(house, one)
    assert (w.texts(BLUE), w.texts(RED)) == ([], ["quite long"])


# People.


async def test_a_conversation_goes_on_with_the_same_person_and_says_so_once(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        await is_known_on_both(house)
        await house.lose()
        said = [await house.say(f"answer {n}", place="r1", whom=ana(RED)) for n in range(3)]
        await ended(house, *said)
    assert w.texts(BLUE, "b1") == [f"(Going on here: {RED} is unavailable.)", "answer 0", "answer 1", "answer 2"]


async def test_a_preface_whose_move_fails_is_said_all_the_same(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        await is_known_on_both(house)
        failures = 2

        def fails(name: str) -> None:
            nonlocal failures
            if name == "move" and failures:
                failures -= 1
                raise StoreError("the disk is full")

        house.store.before = fails
        await house.lose()
        one = await house.say("answer", place="r1", whom=ana(RED))
        await ended(house, one)
        assert not failures
    assert w.texts(BLUE, "b1") == [f"(Going on here: {RED} is unavailable.)", "answer"]


async def test_what_is_left_of_a_diverted_thread_goes_home_whole_although_its_place_moved(world: Worlds) -> None:
    """Found by seed 183296: the first of what was left was taken for the words about the loss, and dropped."""
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        await is_known_on_both(house)
        then = [
            refused(FaultKind.MOVED, "it is elsewhere", moved_to=ConversationId("b2")),
            refused(FaultKind.TARGET_REFUSED, "not by you"),
        ]

        def after_the_first(_: Any, part: Any) -> None:
            if w.texts(BLUE, "b1")[1:] and then:
                w[BLUE].troubles.append(then.pop(0))

        w[BLUE].before_send = after_the_first
        await house.lose()
        one = await house.say(THREAD, place="r1", whom=ana(RED))
        await house.pass_time(10)
        await house.regain()
        await ended(house, one)
        assert not then
    assert w.texts(BLUE, "b1") == [f"(Going on here: {RED} is unavailable.)", "one"]
    assert (w.texts(BLUE, "b2"), w.texts(RED, "r1")) == ([], ["two", "three"])


async def test_what_is_cut_off_twice_goes_home_without_a_preface(world: Worlds) -> None:
    lane = Lane("posts", 1, 9_000.0, ("post",))
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),), profiles={BLUE: scripted_profile(lanes=[lane])}) as house:
        await is_known_on_both(house)
        await house.say("fills the window", BLUE)
        await house.lose()
        one = await house.say("answer", place="r1", whom=ana(RED))
        await house.quiet()
        assert (await house.now(one)).account == BLUE
        await house.regain()
        await house.lose(BLUE)
        await ended(house, one)
    assert w.texts(RED, "r1") == ["answer"]
    assert w.texts(BLUE) == ["fills the window"]


@pytest.mark.parametrize("closed", ["dm", "group"])
async def test_what_was_said_among_few_never_goes_out_in_public(world: Worlds, closed: str) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        await is_known_on_both(house, privately=closed == "dm")
        await house.lose()
        one = await house.say("secret", place="r1", private=closed == "dm", whom=ana(RED), closed=True)
        await house.pass_time(10)
        assert await house.state(one) is State.HELD
        await meets(house, BLUE, "b2", private=True)
        await house.lose(BLUE)
        await house.regain(BLUE)
        await ended(house, one)
    assert [post.private for post in w[BLUE].posts if post.text == "secret"] == [True]
    assert w.texts(RED) == []


async def test_a_dm_is_not_opened_where_strangers_cannot_be_written_to(world: Worlds) -> None:
    w = world(RED, BLUE)
    open_door = scripted_profile(features=(*FEATURES, Feature.DIRECT_ANYONE))
    for profile, state in ((scripted_profile(), State.HELD), (open_door, State.DELIVERED)):
        w = world(RED, BLUE)
        async with w.house(routes=(road(RED, BLUE),), profiles={BLUE: profile}) as house:
            await meets(house, RED, "r1", private=True)
            await linked(house, RED, BLUE)
            await house.lose()
            one = await house.say("secret", place="r1", private=True, whom=ana(RED))
            await house.pass_time(10)
            assert await house.state(one) is state
        assert all(post.private for post in w[BLUE].posts)


# Announcements.


async def test_an_announcement_is_said_once_on_each_account_however_many_are_lost(world: Worlds) -> None:
    w = world(RED, BLUE, GREEN)
    async with w.house(routes=(road(RED, GREEN), road(BLUE, GREEN))) as house:
        await house.lose(RED)
        await house.lose(BLUE)
        await house.announcer.announce(words("news"), accounts=(RED, BLUE), key="n1")
        await house.pass_time(30)
        assert w.texts(GREEN) == ["news"]
        assert [one.state for one in await house.open()] == [State.HELD]
        await house.regain(RED)
        await house.regain(BLUE)
        await house.pass_time(30)
        assert await house.open() == []
    assert sorted(w.texts(RED) + w.texts(BLUE)) == ["news"]
    assert w.texts(GREEN) == ["news"]


async def test_an_announcement_asked_for_twice_is_made_once(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house() as house:
        _, first = await house.announcer.announce(words("news"), key="n1")
        _, again = await house.announcer.announce(words("news"), key="n1")
        assert [one.id for one in first] == [one.id for one in again]
        await ended(house, *first)
    assert (w.texts(RED), w.texts(BLUE)) == (["news"], ["news"])


async def test_a_loss_is_told_once_by_each_of_the_others_also_by_who_comes_later(world: Worlds) -> None:
    w = world(RED, BLUE, GREEN)
    routes = (road(RED, announce=True, notice="find us"),)
    async with w.house(routes=routes) as house:
        await house.lose(GREEN)
        await house.lose(RED)
        await house.pass_time(10)
        assert (w.texts(BLUE), w.texts(GREEN)) == (["find us"], [])
        await house.regain(GREEN)
        await house.pass_time(10)
    async with w.house(routes=routes) as house:
        await house.pass_time(60)
    assert (w.texts(BLUE), w.texts(GREEN)) == (["find us"], ["find us"])


async def test_a_loss_is_told_in_spite_of_a_full_disk_and_of_a_crash(world: Worlds) -> None:
    w = world(RED, BLUE)
    routes = (road(RED, announce=True, notice="find us"),)
    house = w.house(routes=routes)
    await house.start()

    def fails(name: str) -> None:
        if name == "add":
            raise StoreError("the disk is full")

    house.store.before = fails
    await house.lose()
    await house.pass_time(5)
    await house.die()
    assert w.texts(BLUE) == []
    async with w.house(routes=routes) as later:
        await later.pass_time(10)
    assert w.texts(BLUE) == ["find us"]


async def test_a_loss_is_told_once_the_disk_has_room_again(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, announce=True, notice="find us"),)) as house:
        failures = 3

        def fails(name: str) -> None:
            nonlocal failures
            if name == "add" and failures:
                failures -= 1
                raise StoreError("the disk is full")

        house.store.before = fails
        await house.lose()
        await house.pass_time(10)
        assert not failures
    assert w.texts(BLUE) == ["find us"]


async def test_old_news_is_not_told(world: Worlds) -> None:
    w = world(RED, BLUE)
    house = w.house()
    await house.start()
    await house.lose()
    await house.stop()
    w.clock._elapsed_s += 86_400 * 2
    async with w.house(routes=(road(RED, announce=True, notice="find us"),)) as later:
        await later.pass_time(60)
    assert w.texts(BLUE) == []


async def test_a_loss_is_not_told_again_once_it_is_forgotten_that_it_was(world: Worlds) -> None:
    """Found by seed 9234: history was kept for less than a loss is news."""
    w, keep, routes = world(RED, BLUE), timedelta(hours=10), (road(RED, announce=True, notice="find us"),)
    async with w.house(routes=routes, keep=keep) as house:
        await house.lose()
        await house.pass_time(60)
        assert w.texts(BLUE) == ["find us"]
        await house.pass_time(3_600 * 11, 60.0)
        await house.real_store.prune(w.clock.now() - keep, 100)
    async with w.house(routes=routes, keep=keep) as later:
        await later.pass_time(60)
    assert w.texts(BLUE) == ["find us"]


# Coming home.


async def test_held_posts_go_home_in_order_ramped_and_new_ones_queue_behind(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        await house.lose()
        held = [await house.say(f"held {n}") for n in range(5)]
        await house.pass_time(5)
        assert {await house.state(one) for one in held} == {State.HELD}
        w[RED].lost = None
        await house.until(lambda: house.standing() is Standing.HEALTHY, 400)
        new = await house.say("new")
        await ended(house, new)
    assert w.texts(RED) == [*(f"held {n}" for n in range(5)), "new"]
    gaps = [(b.at - a.at).total_seconds() for a, b in zip(w[RED].posts[:4], w[RED].posts[1:5], strict=True)]
    assert all(gap >= RAMP_S - 1.0 for gap in gaps)
    assert sum(gaps) >= RAMP_S * 4 - 1.0


async def test_lost_again_while_going_home_nothing_is_lost(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        await house.lose()
        held = [await house.say(f"held {n}", place=f"c{n % 2}") for n in range(6)]
        await house.pass_time(5)
        await house.regain()
        await house.pass_time(3)
        await house.lose()
        await house.pass_time(60)
        await house.regain()
        await ended(house, *held)
    assert sorted(w.texts(RED)) == [f"held {n}" for n in range(6)]
    for place in ("c0", "c1"):
        assert w.texts(RED, place) == sorted(w.texts(RED, place))


async def test_what_waited_longer_than_the_route_allows_expires_with_that_reason(world: Worlds) -> None:
    w = world()
    async with w.house(routes=(road(RED, hold_at_most=timedelta(hours=1)),)) as house:
        await house.lose()
        old = await house.say("old")
        await house.pass_time(3_000, 100.0)
        young = await house.say("young")
        await house.pass_time(700, 100.0)
        await house.regain()
        await ended(house, old, young)
        assert await house.state(old) is State.EXPIRED
        assert "expired" in (await house.now(old)).reason
    assert w.texts(RED) == ["young"]


async def test_a_standing_survives_the_process_and_nothing_is_posted_to_find_out(world: Worlds) -> None:
    w = world()
    house = w.house()
    await house.start()
    await house.lose()
    one = await house.say("hello")
    await house.pass_time(5)
    await house.stop()
    w[RED].refused_while_lost = 0
    async with w.house() as later:
        assert later.standing() is Standing.SUSPENDED
        await later.pass_time(120, 10.0)
        assert w[RED].refused_while_lost == 0
        await later.regain()
        await ended(later, one)
    assert w.texts(RED) == ["hello"]


async def test_a_lock_the_probe_cannot_see_is_lifted_by_the_operator_alone(world: Worlds) -> None:

    w = world()
    blind = structs.replace(scripted_profile(), probe_sees_lock=False)
    async with w.house(profiles={RED: blind}) as house:
        w[RED].troubles.append(Trouble(LOCKED))
        one = await house.say("hello")
        await house.pass_time(4_000, 100.0)
        assert house.standing() is Standing.LOCKED
        assert len(w[RED].probes) > 3
        house.monitor.resume(RED)
        await ended(house, one)
    assert w.texts(RED) == ["hello"]


# False alarms.


@pytest.mark.parametrize("kind", [FaultKind.SERVER, FaultKind.FORBIDDEN, FaultKind.NETWORK, FaultKind.UNKNOWN])
@pytest.mark.parametrize("idempotency", list(Idempotency))
async def test_one_bad_answer_takes_no_account_down(world: Worlds, kind: FaultKind, idempotency: Any) -> None:
    w = world()
    async with w.house(profiles={RED: scripted_profile(idempotency)}) as house:
        probes = len(w[RED].probes)
        w[RED].troubles.append(refused(kind))
        one = await house.say("hello")
        await house.pass_time(30)
        assert house.changes() == ["healthy"]
        assert len(w[RED].probes) == probes + 1
        if kind is not FaultKind.UNKNOWN:
            assert await house.state(one) is State.DELIVERED


async def test_an_outage_is_believed_after_three_probes_and_diverts_nothing(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        w[RED].lost = Fault(FaultKind.SERVER, True, "503")
        posts = [await house.say(f"post {n}") for n in range(3)]
        await house.until(lambda: house.standing() is Standing.OFFLINE)
        await house.pass_time(60)
        await house.regain()
        await ended(house, *posts)
    assert (w.texts(RED), w.texts(BLUE)) == (["post 0", "post 1", "post 2"], [])


async def test_where_nothing_settles_a_lost_send_an_outage_makes_one_question_not_many(world: Worlds) -> None:
    w = world()
    async with w.house(profiles={RED: scripted_profile(Idempotency.NONE)}) as house:
        w[RED].lost = Fault(FaultKind.NETWORK, False, "reset")
        posts = [await house.say(f"post {n}", place=f"c{n}") for n in range(1)]
        await house.quiet()
        posts += [await house.say(f"post {n}", place=f"c{n}") for n in range(1, 8)]
        await house.pass_time(30)
        await house.regain()
        await house.pass_time(30)
        states = [await house.state(one) for one in posts]
    assert states == [State.UNCERTAIN] + [State.DELIVERED] * 7


async def test_a_doubt_ends_when_the_platform_answers_whatever_it_says(world: Worlds) -> None:
    w = world()
    async with w.house(profiles={RED: scripted_profile(Idempotency.NONE)}) as house:
        w[RED].probe = Fault(FaultKind.FORBIDDEN, True, "no reading here")
        w[RED].troubles.append(unclear(accepted=False))
        await house.say("lost")
        one = await house.say("hello")
        await ended(house, one)
    assert w.texts(RED) == ["hello"]


async def test_a_suspended_account_is_probed_with_growing_pauses_and_never_by_posting(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        await house.lose()
        await house.say("hello")
        w[RED].probes.clear()
        w[RED].refused_while_lost = 0
        await house.pass_time(7_000, 5.0)
        gaps = [(b - a).total_seconds() for a, b in zip(w[RED].probes, w[RED].probes[1:], strict=False)]
        assert gaps == sorted(gaps)
        assert gaps[-1] > 4 * gaps[0]
        assert w[RED].refused_while_lost == 0


async def test_a_spent_account_rests_although_the_probe_sees_nothing(world: Worlds) -> None:
    """Reads go on working: believing them would send, and be refused, for ever."""
    w = world()
    async with w.house() as house:
        w[RED].troubles.extend([refused(FaultKind.QUOTA, "no credits")] * 1_000)
        one = await house.say("hello")
        await house.pass_time(3_600, 5.0)
        assert 1_000 - len(w[RED].troubles) <= 5
        assert len(house.changes()) < 12
        w[RED].troubles.clear()
        house.monitor.resume(RED)
        await ended(house, one)
    assert w.texts(RED) == ["hello"]


async def test_a_spent_account_stays_away_until_the_hour_the_platform_named(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        hour = w.clock.now() + timedelta(hours=5)
        w[RED].troubles.append(refused(FaultKind.QUOTA, "monthly cap", retry_at=hour))
        one = await house.say("hello")
        await house.pass_time(4.9 * 3_600, 60.0)
        assert house.standing() is Standing.LIMITED
        assert w.texts(RED) == []
        await house.pass_time(0.6 * 3_600, 60.0)
        assert await house.state(one) is State.DELIVERED


async def test_a_loss_that_the_probe_does_not_see_makes_no_merry_go_round(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, announce=True, notice="find us"),)) as house:
        w[RED].troubles.extend([Trouble(SUSPENDED)] * 1_000)
        await house.say("hello")
        await house.pass_time(3_600, 5.0)
        assert 1_000 - len(w[RED].troubles) < 12
        assert w.texts(BLUE).count("find us") <= 2


async def test_one_post_that_cannot_be_judged_keeps_no_other_waiting(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        judge = house.intake.judge
        calls = 0

        async def broken(draft: Any, account: AccountId) -> Any:
            nonlocal calls
            calls += draft.document == words("poison")
            if calls > 1 and draft.document == words("poison"):
                raise KeyError("a mistake of ours")
            return await judge(draft, account)

        house.intake.judge = broken  # type: ignore[method-assign]
        await house.lose(RED)
        await house.say("poison")
        one = await house.say("goes on")
        await ended(house, one)
        assert calls > 1
    assert w.texts(BLUE) == ["goes on"]

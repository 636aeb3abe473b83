"""Exactly one effect: plan frozen, resumed after a crash anywhere, certain and uncertain, keys, reading back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from core_rig import BLUE, RED, SUSPENDED, Crash, House, World, ended, road
from msgspec import structs

from gateway.books import StoreError
from gateway.model.capabilities import Idempotency, Lane, MediaLimits
from gateway.model.content import Document, Media
from gateway.model.delivery import Fault, FaultKind, Part, Receipt, State
from gateway.model.ids import ConversationId
from gateway.model.media import MediaKind
from gateway.model.standing import Standing
from gateway.outbox import requests
from gateway.ports import Context
from gateway.testing.scripted import (
    RevisingAdapter,
    ScriptedAdapter,
    Trouble,
    refused,
    scripted_profile,
    unclear,
)
from gateway.text.plain import from_text

Worlds = Callable[..., World]
THREAD = "one\n\ntwo\n\nthree"
KEYED, READ_BACK, NONE = (scripted_profile(kind) for kind in Idempotency)


# The plan.


async def test_a_post_goes_out_once(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        one = await house.say("hello")
        await house.quiet()
        assert await house.state(one) is State.DELIVERED
    assert w.texts(RED) == ["hello"]


class Shouting(ScriptedAdapter):
    """A newer version that plans otherwise."""

    def plan(self, draft: Any, at: Any) -> Any:
        raise AssertionError("planned again")


async def test_the_plan_is_frozen_for_whoever_comes_later(world: Worlds) -> None:
    w = world()
    house = w.house(profiles={RED: KEYED})
    await house.start()
    w[RED].troubles.append(Trouble(hangs=True))
    one = await house.say(THREAD)
    await house.quiet()
    first = (await house.now(one)).parts
    await house.die()
    later = w.house(profiles={RED: KEYED}, kind=Shouting)
    async with later:
        await ended(later, one)
        assert (await later.now(one)).parts == first
    assert w.texts(RED) == ["one", "two", "three"]
    assert [post.key for post in w[RED].posts] == [part.key for part in first or ()]


# A crash anywhere.


@pytest.mark.parametrize("profile", [KEYED, READ_BACK], ids=["keyed", "read back"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_at_any_call_neither_loses_nor_repeats_a_part(world: Worlds, profile: Any, after: bool) -> None:
    """Every call of the store and the adapter in turn: the process ends there, and the next one finishes."""
    crashed = 0
    for at in range(40):
        w = world()
        house = w.house(profiles={RED: profile})
        await house.start()
        crash = Crash(house, at, after=after)
        saying = asyncio.ensure_future(house.say(THREAD))
        await house.quiet()
        accepted = saying.done() and not saying.cancelled() and saying.exception() is None
        await house.die()
        if not crash.struck:
            break
        crashed += 1
        async with w.house(profiles={RED: profile}) as later:
            open_ = await later.real_store.deliveries()
            await ended(later, *open_)
        assert w.texts(RED) == (["one", "two", "three"] if open_ else []), f"at call {at}"
        assert open_ or not accepted
    assert crashed >= 7


async def test_between_two_parts_that_rest_a_crash_leaves_no_question(world: Worlds) -> None:
    """Not even where nothing can be asked: what rests is provably not sent."""
    lane = Lane("posts", 1, 60.0, ("post",))
    profile = scripted_profile(Idempotency.NONE, lanes=[lane])
    w = world()
    house = w.house(profiles={RED: profile})
    await house.start()
    one = await house.say("one\n\ntwo")
    await house.quiet()
    assert w.texts(RED) == ["one"]
    await house.die()
    async with w.house(profiles={RED: profile}) as later:
        await ended(later, one)
    assert w.texts(RED) == ["one", "two"]


# Certain and uncertain.


@pytest.mark.parametrize("profile", [KEYED, READ_BACK, NONE])
async def test_what_is_certainly_not_sent_is_sent_again(world: Worlds, profile: Any) -> None:
    w = world()
    async with w.house(profiles={RED: profile}) as house:
        w[RED].troubles.append(refused(FaultKind.RATE_LIMITED))
        one = await house.say("hello")
        await ended(house, one)
    assert w.texts(RED) == ["hello"]


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("profile", [KEYED, READ_BACK], ids=["keyed", "read back"])
async def test_a_lost_answer_neither_loses_nor_doubles(world: Worlds, profile: Any, accepted: bool) -> None:
    w = world()
    async with w.house(profiles={RED: profile}) as house:
        w[RED].troubles.append(unclear(accepted=accepted))
        one = await house.say("hello")
        await ended(house, one)
        assert bool(w[RED].asked) == (profile is READ_BACK)
    assert w.texts(RED) == ["hello"]


@pytest.mark.parametrize("choice", ["hold", "resend"])
async def test_where_nothing_can_settle_it_the_operator_chooses_and_it_shows(world: Worlds, choice: str) -> None:
    w = world()
    async with w.house(profiles={RED: NONE}, on_uncertain=choice) as house:
        w[RED].troubles.append(unclear(accepted=True))
        one = await house.say("hello")
        after = await house.say("later")
        await house.pass_time(60)
        found = await house.now(one)
        assert "maybe sent" in found.reason
        assert (await house.state(after)) is State.DELIVERED
        if choice == "hold":
            assert (found.state, found.due_at) == (State.UNCERTAIN, None)
            assert w.texts(RED) == ["hello", "later"]
        else:
            assert w.texts(RED) == ["hello", "hello", "later"]


async def test_a_key_is_trusted_only_while_the_platform_honours_it(world: Worlds) -> None:
    """After that the part is read back: a repeat would be a second post."""
    profile = scripted_profile(Idempotency.KEYED)

    profile = structs.replace(profile, key_lifetime_s=30.0)
    w = world()
    w[RED].key_lifetime_s = 30.0
    house = w.house(profiles={RED: profile})
    await house.start()
    w[RED].troubles.append(unclear(accepted=True))
    one = await house.say("hello")
    await house.quiet()
    await house.die()
    w.clock._elapsed_s += 3_600  # the machine was off for an hour
    async with w.house(profiles={RED: profile}) as later:
        await ended(later, one)
        assert w[RED].asked
    assert w.texts(RED) == ["hello"]


async def test_a_platform_that_cannot_say_is_asked_ever_more_rarely_and_then_the_operator(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        w[RED].troubles.append(unclear(accepted=True))
        w[RED].reads = Fault(FaultKind.RATE_LIMITED, True, "too many reads")
        one = await house.say("hello")
        await house.pass_time(1_200, 5.0)
        found = await house.now(one)
        assert (found.state, found.due_at) == (State.UNCERTAIN, None)
        assert 5 <= len(w[RED].asked) <= 10
        assert house.outbox._workers[RED]._asked == {}


async def test_duplicate_from_us_is_delivered_and_from_others_refused(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        w[RED].troubles += [Trouble(Fault(FaultKind.DUPLICATE, True, "said before"), accepted=True)]
        ours = await house.say("hello")
        await ended(house, ours)
        w[RED].troubles += [refused(FaultKind.DUPLICATE, "said before")]
        theirs = await house.say("hi")
        await ended(house, theirs)
        assert await house.state(ours) is State.DELIVERED
        assert await house.state(theirs) is State.REFUSED
    assert w.texts(RED) == ["hello"]


@pytest.mark.parametrize("profile", [KEYED, READ_BACK, NONE], ids=list(Idempotency))
@pytest.mark.parametrize("choice", ["hold", "resend"])
async def test_an_eternal_duplicate_ends(world: Worlds, profile: Any, choice: str) -> None:
    """Whoever calls it a duplicate for ever is not asked for ever."""
    w = world()
    w[RED].troubles.extend([refused(FaultKind.DUPLICATE, "said before")] * 500)
    async with w.house(profiles={RED: profile}, on_uncertain=choice) as house:
        one = await house.say("hello")
        await house.pass_time(60)
        assert await house.state(one) is State.REFUSED
    assert 500 - len(w[RED].troubles) < 5


async def test_a_moved_conversation_is_followed_without_saying_anything_twice(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        moves = refused(FaultKind.MOVED, "the group is a supergroup now", moved_to=ConversationId("c2"))
        count = 0

        def second_part_moves(_: Any, part: Any) -> None:
            nonlocal count
            count += 1
            if count == 2:
                w[RED].troubles.append(moves)

        w[RED].before_send = second_part_moves
        one = await house.say(THREAD, place="c1")
        await ended(house, one)
    assert w.texts(RED, "c1") == ["one"]
    assert w.texts(RED, "c2") == ["two", "three"]


async def test_a_public_place_that_moved_is_followed_too(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        w[RED].troubles.append(refused(FaultKind.MOVED, "moved", moved_to=ConversationId("c2")))
        one = await house.say("hello")
        await ended(house, one)
    assert w.texts(RED, "c2") == ["hello"]


# What an adapter must not do, and does.


@pytest.mark.parametrize("error", [RuntimeError("a bug"), asyncio.CancelledError(), KeyError("x")])
async def test_a_bug_of_the_adapter_is_a_question_and_blocks_nothing(world: Worlds, error: BaseException) -> None:
    w = world()
    async with w.house() as house:
        w[RED].troubles.append(Trouble(accepted=True, error=error))
        one, two = await house.say("hello"), await house.say("there")
        await ended(house, one, two)
    assert w.texts(RED) == ["hello", "there"]


async def test_a_send_that_hangs_blocks_only_its_conversation_and_not_for_ever(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "SEND_TIMEOUT_S", 0.3)
    w = world()
    async with w.house() as house:
        w[RED].troubles.append(Trouble(hangs=True))
        stuck = await house.say("stuck", place="c1")
        await house.quiet()
        other = await house.say("other", place="c2")
        await ended(house, other)
        await asyncio.sleep(0.4)
        await ended(house, stuck)
    assert sorted(w.texts(RED)) == ["other", "stuck"]


class Uploading(ScriptedAdapter):
    """As real adapters do, it keeps in a part's body by which digest the bytes are found."""

    def plan(self, draft: Any, at: Any) -> Any:
        (part,) = super().plan(draft, at)
        files = [{"sha256": one.sha256} for one in draft.document.media]
        return (structs.replace(part, rest=None, body={**part.body, "files": files}),)

    async def send(self, part: Part) -> Receipt:
        await self.done.wait()
        return await super().send(part)

    done = asyncio.Event()


FILM = Media("0" * 64, "video/mp4", 100)


async def test_an_upload_may_take_longer_than_words(world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "SEND_TIMEOUT_S", 0.2)
    monkeypatch.setattr(Uploading, "done", asyncio.Event())
    w = world()
    limits = structs.replace(NONE.limits, others={MediaKind.VIDEO: MediaLimits(1_000)})
    async with w.house(kind=Uploading, profiles={RED: structs.replace(NONE, limits=limits)}) as house:
        shown = await house.say("film", place="c1", document=structs.replace(from_text("film"), media=(FILM,)))
        await house.quiet()
        said = await house.say("words", place="c2")
        async with asyncio.timeout(30):
            while await house.state(said) is not State.UNCERTAIN:
                await asyncio.sleep(0.01)
        Uploading.done.set()
        await ended(house, shown)
        assert await house.state(shown) is State.DELIVERED
        assert (await house.now(said)).reason.startswith("maybe sent: network: no answer within")
    assert w.texts(RED) == ["film"]


@pytest.mark.parametrize(
    "part",
    [
        Part(0, "post", "k", {"place": "c1", "text": "", "private": False, "files": [{"sha256": FILM.sha256}]}),
        Part(0, "edit", "", {"ref": "c1:0"}, rest=structs.replace(from_text("film"), media=(FILM,))),
    ],
    ids=["post", "edit"],
)
async def test_an_upload_that_hangs_is_given_up_too(world: Worlds, monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    monkeypatch.setattr(requests, "SEND_TIMEOUT_S", 0.1)
    monkeypatch.setattr(requests, "MEDIA_TIMEOUT_S", 1.2)
    w = world()
    async with w.house(kind=RevisingAdapter) as house:
        w[RED].accept(RED, Part(0, "post", "", {"place": "c1", "text": "", "private": False}), keyed=False)
        w[RED].troubles.append(Trouble(hangs=True))
        request = requests.Requests(RED, house.scripted[RED], house.outbox)
        assert await request.post(part) == Fault(FaultKind.NETWORK, False, "no answer within 1 s")


class Reading(Uploading):
    """Reads the bytes before it asks for the post."""

    context: Context

    async def send(self, part: Part) -> Receipt:
        for file in part.body["files"]:
            await self.context.media(file["sha256"])
        return await ScriptedAdapter.send(self, part)


@asynccontextmanager
async def reading(w: World, **parts: Any) -> AsyncIterator[tuple[House, Document]]:
    """A house whose account shows what is kept, and something to show."""
    limits = structs.replace(NONE.limits, others={MediaKind.VIDEO: MediaLimits(1_000)})
    async with w.house(kind=Reading, profiles={RED: structs.replace(NONE, limits=limits)}, **parts) as house:
        (member,) = house.members
        house.scripted[RED].context = member.context  # type: ignore[attr-defined]
        film = structs.replace(FILM, sha256=await house.real_store.put_media(b"film", FILM.mime))
        yield house, structs.replace(from_text("film"), media=(film,))


@pytest.mark.parametrize("on_uncertain", ["hold", "resend"])
async def test_bytes_that_a_database_can_not_give_are_asked_for_later(world: Worlds, on_uncertain: str) -> None:
    """Nothing was begun: nothing is unknown, and the account is as well as it was."""
    w = world()
    async with reading(w, on_uncertain=on_uncertain) as (house, document):
        gone = True

        def restarting(name: str) -> None:
            if name == "media" and gone:
                raise StoreError("the database doesn't answer")

        house.store.before = restarting
        one = await house.say("film", document=document)
        await house.pass_time(30)
        row = await house.now(one)
        assert (row.state, row.reason) == (
            State.QUEUED,
            "media_pending: its bytes can't be read now: the database doesn't answer",
        )
        assert house.store.calls.count("media") < 8
        assert house.standing() is Standing.HEALTHY
        assert len(w[RED].probes) == 1
        gone = False
        await ended(house, one)
        assert await house.state(one) is State.DELIVERED
    assert w.texts(RED) == ["film"]


async def test_bytes_that_are_gone_are_a_refusal_that_says_so(world: Worlds) -> None:
    w = world()
    async with reading(w) as (house, document):
        missing = structs.replace(document, media=(structs.replace(document.media[0], sha256="f" * 64),))
        one = await house.say("film", document=missing)
        await house.quiet()
        row = await house.now(one)
        assert (row.state, row.reason) == (State.REFUSED, "media: its bytes are not kept any more")
        assert house.standing() is Standing.HEALTHY
    assert w.texts(RED) == []


async def test_an_adapter_that_plans_nothing_is_not_asked_for_ever(world: Worlds) -> None:
    w = world()

    class Silent(ScriptedAdapter):
        def plan(self, draft: Any, at: Any) -> Any:
            return ()

    async with w.house(kind=Silent) as house:
        one = await house.say("hello")
        await house.quiet()
        assert await house.state(one) is State.REFUSED


async def test_refusals_are_counted_in_a_row(world: Worlds) -> None:
    """One bare 403 after a bad day is still only one."""
    w = world()
    async with w.house() as house:
        w[RED].troubles += [refused(FaultKind.RATE_LIMITED)] * 4 + [refused(FaultKind.FORBIDDEN)]
        one = await house.say("hello")
        await ended(house, one)
        assert await house.state(one) is State.DELIVERED
        w[RED].troubles += [refused(FaultKind.FORBIDDEN)] * 3
        two = await house.say("there")
        await ended(house, two)
        assert await house.state(two) is State.REFUSED


# A database that fails for a while.


OPERATIONS = ["add", "begin", "settle", "ready", "next_due", "move", "release", "unsent", "once", "announced_on"]


@pytest.mark.parametrize("operation", [*OPERATIONS, "record", "handled", "postpone", "save_record", "cursor"])
async def test_a_full_disk_loses_nothing(world: Worlds, operation: str) -> None:
    """Each operation fails for a while; afterwards everything stands once."""
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        failing = True

        def full(name: str) -> None:
            if failing and name == operation:
                raise StoreError("the disk is full")

        house.store.before = full
        w[RED].troubles += [refused(FaultKind.RATE_LIMITED)]
        said = []
        for n in range(3):
            try:
                said.append(await house.say(f"post {n}"))
            except StoreError:
                assert operation == "add"
        await house.pass_time(20)
        w[RED].lost = SUSPENDED
        await house.lose()
        await house.pass_time(20)
        failing = False
        if operation == "add":
            said = [await house.say(f"post {n}") for n in range(3)]
        await house.pass_time(60)
        await ended(house, *said)
        await house.regain()
        await house.pass_time(60)
    assert sorted(w.texts(RED) + w.texts(BLUE)) == ["post 0", "post 1", "post 2"]
    for account in (RED, BLUE):
        assert w.texts(account) == sorted(w.texts(account))


async def test_what_no_database_will_take_becomes_a_question_and_the_conversation_goes_on(world: Worlds) -> None:
    w = world()
    async with w.house() as house:
        struck = False

        def broken(name: str) -> None:
            nonlocal struck
            if name == "settle" and not struck:
                struck = True
                raise ValueError("a mistake of ours")

        house.store.before = broken
        one, two = await house.say("one"), await house.say("two")
        await house.pass_time(10)
        found = await house.now(one)
        assert (found.state, found.due_at) == (State.UNCERTAIN, None)
        assert "could not be stored" in found.reason
        assert await house.state(two) is State.DELIVERED
    assert w.texts(RED) == ["one", "two"]


# Expiry.


async def test_what_waits_behind_an_expired_one_goes_on(world: Worlds) -> None:
    lane = Lane("posts", 1, 200.0, ("post",))
    w = world()
    async with w.house(profiles={RED: scripted_profile(lanes=[lane])}) as house:
        await house.say("first")
        soon = house.clock.now() + timedelta(seconds=100)
        late = await house.say("late", expires_at=soon, place="c1")
        behind = await house.say("behind", place="c1")
        await house.pass_time(120, 10.0)
        await house.scheduler._expire()
        await house.quiet()
        assert await house.state(late) is State.EXPIRED
        await ended(house, behind)
    assert w.texts(RED) == ["first", "behind"]


async def test_who_gives_up_waiting_for_an_end_leaves_nothing_behind(world: Worlds) -> None:
    w = world()
    async with w.house(profiles={RED: NONE}) as house:
        w[RED].troubles.append(unclear(accepted=True))
        one = await house.say("hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(house.outbox.ended(one.id), 0.01)
        assert house.outbox._waiting == {}


async def test_a_failure_while_the_database_is_read_is_not_forgotten(world: Worlds) -> None:
    """What the reading ends with must not put off the second try."""
    w = world()
    async with w.house() as house:
        gate = asyncio.Event()

        async def later(*_: Any, **__: Any) -> Any:
            await gate.wait()
            return w.clock.now() + timedelta(seconds=300)

        house.real_store.next_due = later  # type: ignore[method-assign]
        house.outbox.wake(RED)
        await asyncio.sleep(0.05)
        failures = 1

        def fails(name: str) -> None:
            nonlocal failures
            if name == "begin" and failures:
                failures -= 1
                raise StoreError("the disk is full")

        house.store.before = fails
        one = await house.say("hello")
        await asyncio.sleep(0.05)
        gate.set()
        await house.pass_time(5)
        assert await house.state(one) is State.DELIVERED

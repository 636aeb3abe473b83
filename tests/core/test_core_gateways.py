"""Several gateways on one database: each account is one's at a time; who dies is replaced, without loss or double."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Self

import psycopg
import pytest
from core_rig import BLUE, GREEN, RED, SUSPENDED, House, World, ended, road, words
from msgspec import structs
from revising_rig import changing

from gateway.books import LeaseLost, StoreError, Topic
from gateway.leases import HOUSE, RENEW_EVERY_S
from gateway.model.capabilities import Lane
from gateway.model.delivery import Part, Receipt, State
from gateway.model.ids import AccountId
from gateway.model.standing import Standing
from gateway.pipeline import Limits
from gateway.store import open_store
from gateway.testing.scripted import ScriptedAdapter, ScriptedAgent, Trouble, message, scripted_profile
from gateway.testing.store_drafts import new

ACCOUNTS = (RED, BLUE, GREEN, AccountId("gold/main"), AccountId("grey/main"))
PATIENCE_S = 60.0


class Mortal(ScriptedAdapter):
    """Its process can end."""

    dead = False

    async def send(self, part: Part) -> Receipt:
        if self.dead:
            raise asyncio.CancelledError
        return await super().send(part)


class Jobs:
    """Of the clock, as far as it matters who has them."""

    running = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


class Town:
    """Gateways on one PostgreSQL database, and the world they share."""

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        world.url = self.url = url
        self.houses: dict[str, House] = {}

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        return self

    async def __aexit__(self, *_: object) -> None:
        for house in self.houses.values():  # the dead are buried in order
            house.store.before = house.store.after = lambda _: None
        await self._stack.aclose()

    async def open(self, name: str, **parts: Any) -> House:
        house = House(self.world, name=name, kind=Mortal, **parts)
        self.houses[name] = house
        await house.start()
        self._stack.push_async_callback(house.stop)
        return house

    async def until(self, condition: Callable[[], Any] | Callable[[], Awaitable[Any]]) -> None:
        """Time passes, and what the gateways tell each other arrives."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                met = condition()
                if met if not asyncio.iscoroutine(met) else await met:
                    return
                await asyncio.sleep(0.01)
                await self.world.clock.advance(0.25)

    async def pair(self, **parts: Any) -> tuple[House, House]:
        """Two that have shared everything out; the first has RED."""
        one, two = [await self.open(name, **parts) for name in ("one", "two")]
        await self.until(lambda: self.is_shared_out("one", "two"))
        return (one, two) if one.leases.holds(RED) else (two, one)

    def holds(self, name: str) -> set[str]:
        return {one for one in (*ACCOUNTS, HOUSE) if self.houses[name].leases.holds(one)}

    def is_shared_out(self, *names: str) -> bool:
        """Everything is somebody's, and nobody has two more than another."""
        held = [self.holds(name) for name in names]
        sizes = sorted(len(each) for each in held)
        return (
            sum(sizes) == len(ACCOUNTS) + 1
            and len(set().union(*held)) == len(ACCOUNTS) + 1
            and sizes[-1] - sizes[0] <= 1
        )

    async def die(self, name: str) -> None:
        """The process is gone from one moment to the next: it writes and sends nothing more, and gives nothing up."""
        house = self.houses[name]

        def gone(_: str) -> None:
            raise asyncio.CancelledError

        house.store.before = house.store.after = gone
        for adapter in house.scripted.values():
            assert isinstance(adapter, Mortal)
            adapter.dead = True
        await self.forget_member(name)

    async def forget_member(self, name: str) -> None:
        """Its time is over, by the database's clock."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute("UPDATE members SET until = 0 WHERE id = %s", [name])

    async def delivered(self, house: House, *ids: Any) -> bool:
        found = [await house.real_store.delivery(one) for one in ids]
        return all(one is not None and one.state is State.DELIVERED for one in found)


@pytest.fixture
def town(world: Callable[..., World], postgres_url: str) -> Town:
    return Town(world(*ACCOUNTS), postgres_url)


async def test_accounts_are_shared_out_and_whoever_leaves_leaves_them_to_the_others(town: Town) -> None:
    async with town:
        await town.open("one")
        assert town.holds("one") == {*ACCOUNTS, HOUSE}
        await town.open("two")
        await town.until(lambda: town.is_shared_out("one", "two"))
        before = town.holds("one")
        await town.open("three")
        await town.until(lambda: town.is_shared_out("one", "two", "three"))
        assert town.holds("one") < before
        mine = {name for name, holder in (await town.houses["two"].real_store.holders()).items() if holder == "one"}
        assert mine == town.holds("one")
        await town.houses["two"].runtime.stop()
        await town.until(lambda: town.is_shared_out("one", "three"))


async def test_a_start_ends_although_another_takes_what_was_not_open_yet(town: Town) -> None:
    """Only then is garbage collected again, and has the house its jobs."""
    async with town:
        one = House(town.world, name="one", kind=Mortal)
        town.houses["one"], jobs = one, Jobs()
        one.runtime._jobs = jobs
        hanging = ACCOUNTS[3:]
        members = one.runtime._members
        members[:] = [structs.replace(each, settings=_hang) if each.account in hanging else each for each in members]
        await one.monitor.load()
        starting = asyncio.create_task(one.runtime.start())
        town._stack.push_async_callback(one.stop)
        await town.until(lambda: one.adapters.keys() == set(ACCOUNTS) - set(hanging))
        assert not starting.done()
        two = await town.open("two")
        await town.until(lambda: town.is_shared_out("one", "two"))
        assert town.holds("two") == {*hanging, HOUSE}
        await town.until(starting.done)
        starting.result()
        assert not jobs.running
        await two.runtime.stop()
        await town.until(lambda: jobs.running)


async def test_what_one_accepts_the_one_that_has_the_account_sends(town: Town) -> None:
    async with town:
        one = await town.open("one")
        two = await town.open("two")
        await town.until(lambda: town.is_shared_out("one", "two"))
        said = [await one.say(f"{account} says hello", account) for account in ACCOUNTS]
        said += [await two.say(f"{account} says more", account) for account in ACCOUNTS]
        await town.until(lambda: town.delivered(one, *(delivery.id for delivery in said)))
        for account in ACCOUNTS:
            assert town.world.texts(account) == [f"{account} says hello", f"{account} says more"]


async def test_a_dead_one_s_accounts_go_on_where_it_stopped(town: Town) -> None:
    async with town:
        one = await town.open("one")
        two = await town.open("two")
        await town.until(lambda: town.is_shared_out("one", "two"))
        ids = [(await two.say(f"n{n}", account)).id for n in range(6) for account in ACCOUNTS]
        await town.die("one")
        ids += [(await two.say(f"n{n}", account)).id for n in range(6, 9) for account in ACCOUNTS]
        await town.until(lambda: town.holds("two") == {*ACCOUNTS, HOUSE})
        await town.until(lambda: town.delivered(two, *ids))
        for account in ACCOUNTS:
            assert town.world.texts(account) == [f"n{n}" for n in range(9)]
        assert one.leases.member == "one"


async def test_who_gets_an_account_but_not_the_house_sends_what_was_left_there(town: Town) -> None:
    async with town:
        names = ("one", "two", "three")
        for name in names:
            await town.open(name)
        await town.until(lambda: town.is_shared_out(*names))
        keeper = next(name for name in names if HOUSE in town.holds(name))
        dead, heir = (name for name in names if name != keeper)
        left = sorted(town.holds(dead))
        await town.die(dead)
        said = [(await town.houses[keeper].say(f"{account} says hello", AccountId(account))).id for account in left]
        await town.until(lambda: town.is_shared_out(keeper, heir))
        assert town.holds(heir) & set(left)
        await town.until(lambda: town.delivered(town.houses[keeper], *said))


async def test_who_slept_past_its_lease_can_neither_claim_nor_record(town: Town) -> None:
    async with town:
        one = await town.open("one")
        one.store.before = _fails("tend")
        await town.forget_member("one")
        two = await town.open("two")
        assert town.holds("two") == {*ACCOUNTS, HOUSE}
        assert one.leases.holds(RED)  # it believes so still: its clock stood
        delivery = await two.say("hello", RED)
        assert await one.real_store.begin(delivery, (), one.clock.now()) is False
        with pytest.raises(LeaseLost):
            await one.real_store.record(RED, [message(RED, "m1", words("one"), one.clock.now())], "c9", one.clock.now())
        assert await one.real_store.rescue([RED], one.clock.now()) == 0
        await town.until(lambda: town.delivered(two, delivery.id))
        assert town.world.texts(RED) == ["hello"]
        one.store.before = lambda _: None
        await town.until(lambda: town.is_shared_out("one", "two"))


async def test_a_loss_is_seen_everywhere_and_its_posts_take_their_road_and_come_home(town: Town) -> None:
    async with town:
        holder, other = await town.pair(routes=(road(RED, BLUE),))
        town.world[RED].lost = SUSPENDED
        first = await other.say("hello", RED)
        await town.until(lambda: all(h.standing(RED) is Standing.SUSPENDED for h in (holder, other)))
        await town.until(lambda: town.delivered(holder, first.id))
        held = await other.say("for the conversation", RED, place="c1")
        await town.until(lambda: _is(other, held.id, State.HELD))
        town.world[RED].lost = None
        await town.until(lambda: all(h.standing(RED) is Standing.HEALTHY for h in (holder, other)))
        await town.until(lambda: town.delivered(holder, held.id))
        assert town.world.texts(BLUE) == ["hello"]
        assert town.world.texts(RED) == ["for the conversation"]


async def test_what_is_said_where_the_lost_account_is_takes_its_road(town: Town) -> None:
    """Whoever keeps the house hears of it, although only who has the account wrote it."""
    async with town:
        holder, keeper = await town.pair(routes=(road(RED, BLUE),))
        assert keeper.leases.holds(HOUSE)
        await holder.lose(RED)
        await town.until(lambda: all(h.standing(RED) is Standing.SUSPENDED for h in (holder, keeper)))
        await town.until(lambda: not keeper.rerouter._todo)
        await keeper.quiet()
        said = await holder.say("hello", RED)
        await town.until(lambda: town.delivered(holder, said.id))
        assert town.world.texts(BLUE) == ["hello"]


async def test_what_a_dead_gateway_left_on_a_lost_account_takes_its_road(town: Town) -> None:
    routes = (road(RED, BLUE),)
    async with town:
        houses = [await town.open(name, routes=routes) for name in ("one", "two", "three")]
        await town.until(lambda: town.is_shared_out("one", "two", "three"))
        (holder,) = [house for house in houses if house.leases.holds(RED)]
        others = [house for house in houses if house is not holder]
        assert not holder.leases.holds(HOUSE)
        town.world[RED].troubles.append(Trouble(hangs=True))
        await holder.say("first", RED)
        second = await holder.say("second", RED)
        await holder.lose(RED)
        await town.until(lambda: all(house.standing(RED) is Standing.SUSPENDED for house in houses))
        (keeper,) = [house for house in others if house.leases.holds(HOUSE)]
        await town.until(lambda: not keeper.rerouter._todo)
        await keeper.quiet()
        await town.die(_name(town, holder))
        await town.until(lambda: town.delivered(others[0], second.id))
        assert town.world.texts(BLUE) == ["second"]


async def test_a_keeper_of_an_older_configuration_refuses_nothing_of_a_newer_one(town: Town) -> None:
    told = new("d1", account=AccountId("silver/main"))
    async with town:
        old = await town.open("old")
        newer = open_store(town.url, clock=town.world.clock)
        await newer.add([told], old.clock.now())
        await newer.aclose()
        known = await old.say("hello", RED)
        await town.until(lambda: town.delivered(old, known.id))
        await old.pass_time(5)
        assert await _is(old, told.id, State.QUEUED)


def _name(town: Town, wanted: House) -> str:
    return next(name for name, house in town.houses.items() if house is wanted)


async def test_every_message_is_answered_once_whoever_dies(town: Town) -> None:
    async with town:
        one = await town.open("one", agent=ScriptedAgent())
        two = await town.open("two", agent=ScriptedAgent())
        await town.until(lambda: town.is_shared_out("one", "two"))
        mine = sorted(town.holds("one") - {HOUSE})
        for n in range(4):
            for account in mine:
                arrival = ([message(AccountId(account), f"m{n}", words(f"m{n}"), one.clock.now())], f"c{n}")
                one.scripted[AccountId(account)].arrivals.put_nowait(arrival)
        await town.until(lambda: town.world.texts(AccountId(mine[0])))
        await town.die("one")
        await town.until(lambda: town.holds("two") == {*ACCOUNTS, HOUSE})
        await town.until(lambda: _all_handled(two))
        for account in mine:
            texts = town.world.texts(AccountId(account))
            assert texts == [f"you said m{n}" for n in range(len(texts))]


async def test_a_resume_reaches_the_gateway_that_has_the_account(town: Town) -> None:
    async with town:
        one = await town.open("one")
        two = await town.open("two")
        await town.until(lambda: town.is_shared_out("one", "two"))
        other = two if one.leases.holds(RED) else one
        holder = one if other is two else two
        await holder.lose(RED)
        await town.until(lambda: other.standing(RED) is Standing.SUSPENDED)
        town.world[RED].lost = None
        await other.real_store.tell(Topic.RESUME, RED)
        await town.until(lambda: all(h.standing(RED) is Standing.HEALTHY for h in (one, two)))


async def test_a_message_is_tried_again_by_the_gateway_that_has_its_account(town: Town) -> None:
    agents = {name: ScriptedAgent() for name in ("one", "two")}
    for agent in agents.values():
        agent.script.append(ValueError("down"))
    async with town:
        houses = [await town.open(name, agent=agent, limits=Limits(max_attempts=1)) for name, agent in agents.items()]
        await town.until(lambda: town.is_shared_out("one", "two"))
        holder, other = sorted(houses, key=lambda house: not house.leases.holds(RED))
        arrival = [message(RED, "m1", words("m1"), holder.clock.now())], "c1"
        holder.scripted[RED].arrivals.put_nowait(arrival)
        await town.until(lambda: other.real_store.parked(1))
        (parked,) = await other.real_store.parked(2)
        assert await other.real_store.unpark([parked.seq], other.clock.now(), again=True) == (RED,)
        await town.until(lambda: town.world.texts(RED))
    assert town.world.texts(RED) == ["you said m1"]
    assert sorted(len(agent.heard) for agent in agents.values()) == [0, 2]


async def test_a_database_that_is_gone_for_longer_than_a_lease_costs_nothing(town: Town) -> None:
    async with town:
        one = await town.open("one")
        first = await one.say("first", RED)
        await town.until(lambda: town.delivered(one, first.id))
        one.store.before = _fails("tend", "begin", "record")
        await town.until(lambda: not one.leases.holds(RED))
        second = await one.say("second", RED)
        await one.pass_time(RENEW_EVERY_S * 4)
        assert town.world.texts(RED) == ["first"]
        one.store.before = lambda _: None
        await town.until(lambda: town.delivered(one, second.id))
        assert town.world.texts(RED) == ["first", "second"]


async def _hang() -> Any:
    await asyncio.get_running_loop().create_future()


def _fails(*names: str) -> Callable[[str], None]:
    def before(name: str) -> None:
        if name in names:
            raise StoreError("the database is gone")

    return before


async def _is(house: House, delivery: Any, state: State) -> bool:
    found = await house.real_store.delivery(delivery)
    return found is not None and found.state is state


async def _all_handled(house: House) -> bool:
    return not await house.real_store.pending_events(house.clock.now()) and not await house.open()


async def test_what_rests_in_one_is_changed_by_another_and_still_leaves(town: Town) -> None:
    """For one post an hour, the second rests in the memory of who has the account."""
    slow = scripted_profile(lanes=(Lane("posts", 1, 60.0, ("post",)),))
    async with town:
        one = await town.open("one", profiles={RED: slow})
        two = await town.open("two", profiles={RED: slow})
        await town.until(lambda: town.is_shared_out("one", "two"))
        holder, other = (one, two) if RED in town.holds("one") else (two, one)
        await ended(holder, await holder.say("first", RED, place="c1"))
        rests = await holder.say("second", RED, place="c2")
        behind = await holder.say("third", RED, place="c2")
        await holder.quiet()
        outcomes = await changing(other).edit(rests.id, words("changed"))
        assert [outcome.word for outcome in outcomes] == ["changed"]
        await town.until(lambda: town.delivered(holder, rests.id, behind.id))
        assert town.world.texts(RED) == ["first", "changed", "third"]

"""A loss is one, however the platform names it, however short the return in between, whoever tells of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from core_rig import BLUE, LOCKED, RED, SUSPENDED, House, World, ended, road
from msgspec import json
from people_rig import ana, is_known_on_both

from gateway.books import StoreError
from gateway.model.delivery import Fault, FaultKind
from gateway.model.standing import Standing
from gateway.testing.scripted import Trouble

Worlds = Callable[..., World]
SIGNED_OUT = Fault(FaultKind.SIGNED_OUT, True, "your token was revoked")
TOLD = (road(RED, announce=True, notice="find us"),)
PREFACE = f"(Going on here: {RED} is unavailable.)"


async def answers(house: House, text: str) -> None:
    await ended(house, await house.say(text, place="r1", whom=ana(RED)))


async def passes(house: House, minutes: float) -> None:
    await house.pass_time(minutes * 60, 20.0)


async def test_a_lock_that_becomes_a_suspension_is_announced_once_also_by_the_next_process(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=TOLD) as house:
        await house.lose(fault=LOCKED)
        await passes(house, 1)
        await house.lose(fault=SUSPENDED)
        await passes(house, 1)
        await house.lose(fault=SIGNED_OUT)
        assert house.changes()[-3:] == [Standing.LOCKED, Standing.SUSPENDED, Standing.SIGNED_OUT]
    async with w.house(routes=TOLD) as later:
        await passes(later, 2)
        assert later.standing() is Standing.SIGNED_OUT
    assert w.texts(BLUE) == ["find us"]


async def test_who_read_of_a_loss_does_not_read_of_it_again_when_it_gets_another_name(world: Worlds) -> None:
    w, routes = world(RED, BLUE), (road(RED, BLUE),)
    async with w.house(routes=routes) as house:
        await is_known_on_both(house)
        await house.lose(fault=LOCKED)
        await answers(house, "first")
        await house.lose(fault=SUSPENDED)
        await answers(house, "second")
    async with w.house(routes=routes) as later:
        await answers(later, "third")
    assert w.texts(BLUE, "b1") == [PREFACE, "first", "second", "third"]


@pytest.mark.parametrize("restarted", ["while lost", "while back"])
async def test_a_relapse_is_the_same_loss_also_to_the_next_process(world: Worlds, restarted: str) -> None:
    w, routes = world(RED, BLUE), (road(RED, BLUE, announce=True, notice="find us"),)
    house = w.house(routes=routes)
    await house.start()
    await is_known_on_both(house)
    await house.lose()
    await answers(house, "first")
    await house.regain()
    if restarted == "while back":
        await house.stop()
        house = w.house(routes=routes)
        await house.start()
    await passes(house, 5)
    await house.lose(fault=LOCKED)
    if restarted == "while lost":
        await house.stop()
        house = w.house(routes=routes)
        await house.start()
    await answers(house, "second")
    await house.stop()
    assert w.texts(BLUE, "b1") == [PREFACE, "first", "second"]
    assert w.texts(BLUE).count("find us") == 1


async def test_who_announces_only_a_suspension_does_so_however_long_the_account_was_locked(world: Worlds) -> None:
    w = world(RED, BLUE)
    routes = (road(RED, when=frozenset({Standing.SUSPENDED}), announce=True, notice="find us"),)
    async with w.house(routes=routes) as house:
        await house.lose(fault=LOCKED)
        await house.pass_time(86_400 + 3_600, 600.0)
        assert w.texts(BLUE) == []
        await house.lose(fault=SUSPENDED)
        await passes(house, 1)
        assert w.texts(BLUE) == ["find us"]
    async with w.house(routes=routes) as later:
        await passes(later, 1)
    assert w.texts(BLUE) == ["find us"]


async def test_a_loss_after_a_longer_return_is_news(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=TOLD) as house:
        await house.lose()
        await house.regain()
        await passes(house, 11)
        await house.lose()
        await passes(house, 1)
    assert w.texts(BLUE) == ["find us"] * 2


async def test_a_bad_hour_after_the_return_makes_a_later_loss_no_relapse(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=TOLD) as house:
        await house.lose()
        await house.regain()
        w[RED].lost = Fault(FaultKind.NETWORK, True, "no route to host")
        house.monitor._nudges[RED].set()
        await passes(house, 11)
        assert house.standing() is Standing.OFFLINE
        await house.lose()
        await passes(house, 1)
    assert w.texts(BLUE) == ["find us"] * 2


async def test_what_an_older_program_stored_of_a_loss_is_that_loss_still(world: Worlds) -> None:
    """And its notice, which has the same name as ever, isn't said again."""
    w = world(RED, BLUE)
    async with w.house(routes=TOLD) as house:
        await house.lose(fault=LOCKED)
        await passes(house, 1)
    as_stored_before_there_were_losses(w)
    async with w.house(routes=TOLD) as later:
        before = later.monitor.record(RED)
        assert before is not None
        assert (before.loss, before.lost_since) == (None, before.since)
        await passes(later, 1)
        await later.lose(fault=SUSPENDED)
        after = later.monitor.record(RED)
        assert after is not None
        assert after.lost_since == before.since < after.since
    async with w.house(routes=TOLD) as last:
        await passes(last, 1)
    assert w.texts(BLUE) == ["find us"]


def as_stored_before_there_were_losses(w: World) -> None:
    with closing(sqlite3.connect(w.url.removeprefix("sqlite:///"))) as raw:
        stored = json.decode(raw.execute("SELECT record FROM accounts WHERE account = ?", [RED]).fetchone()[0])
        assert stored.pop("loss")
        raw.execute("UPDATE accounts SET record = ? WHERE account = ?", [json.encode(stored), RED])
        raw.commit()


async def test_what_a_dead_process_was_sending_on_a_lost_account_keeps_nobody_behind_it(world: Worlds) -> None:
    w = world(RED, BLUE)
    w[RED].troubles.append(Trouble(hangs=True))
    dead = w.house(routes=(road(RED, BLUE),))
    await dead.start()
    await dead.say("first")
    second = await dead.say("second")
    await dead.lose()
    await dead.die()
    house = w.house(routes=(road(RED, BLUE),))

    def fails(name: str) -> None:
        if name == "rescue" and house.store.calls.count("rescue") == 1:
            raise StoreError("the disk is full")

    house.store.before = fails
    async with house:  # the other account is well, and what is unsent was looked at, before that is rescued
        assert house.standing(BLUE) is Standing.HEALTHY
        await ended(house, second)
    assert w.texts(BLUE) == ["second"]

"""gateway/leases.py: what a process may believe to hold, by its own clock, and what it does when that changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest_asyncio

from gateway.books import StoreError, Tended
from gateway.leases import RENEW_EVERY_S, TTL_S, Leases
from gateway.testing.kit import ManualClock

A, B, C = "red/a", "red/b", "red/c"
TURNS = 20


class Shared:
    """What the database answers, as the test says."""

    alone = False

    def __init__(self) -> None:
        self.tended = Tended({A: 1, B: 1}, (), 1)
        self.fails = False
        self.slow: asyncio.Future[None] | None = None
        self.given_up: list[Sequence[str] | None] = []
        self.wanted: list[tuple[str, ...]] = []

    async def tend(self, member: str, wanted: Sequence[str], ttl_s: float) -> Tended:
        assert (member, ttl_s) == ("me", TTL_S)
        self.wanted.append(tuple(wanted))
        if self.slow is not None:
            await self.slow
        if self.fails:
            raise StoreError("the database is gone")
        return self.tended

    async def give_up(self, member: str, names: Sequence[str] | None) -> None:
        if self.fails:
            raise StoreError("the database is gone")
        self.given_up.append(names)


class Watched:
    """The leases of one process, with what they said."""

    def __init__(self) -> None:
        self.clock, self.store = ManualClock(), Shared()
        store: Any = self.store
        self.leases = Leases(store, self.clock, "me", [A, B, C])
        self.said: list[tuple[str, list[str]]] = []
        self.leases.gained = lambda names: self.said.append(("gained", sorted(names)))
        self.leases.lost = lambda names: self.said.append(("lost", sorted(names)))
        self.leases.finish = self._finish
        self.finished = asyncio.Event()

    async def _finish(self, names: Sequence[str]) -> None:
        self.said.append(("finish", sorted(names)))
        await self.finished.wait()

    async def settle(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float) -> None:
        await self.settle()
        await self.clock.advance(seconds)
        await self.settle()

    def held(self) -> set[str]:
        return {name for name in (A, B, C) if self.leases.holds(name)}


@pytest_asyncio.fixture
async def w() -> AsyncIterator[Watched]:
    watched = Watched()
    await watched.leases.begin()
    yield watched
    watched.store.fails, watched.store.slow = False, None
    await watched.leases.stop(1.0)


async def test_what_the_database_says_is_held_and_renewed(w: Watched) -> None:
    assert w.said == [("gained", [A, B])]
    for _ in range(5):
        await w.pass_time(RENEW_EVERY_S)
    assert w.held() == {A, B}
    assert len(w.store.wanted) == 6
    assert w.said == [("gained", [A, B])]


async def test_who_cannot_renew_holds_nothing_any_more_when_the_time_is_over(w: Watched) -> None:
    w.store.fails = True
    await w.pass_time(TTL_S - 0.01)
    assert w.held() == {A, B}
    await w.clock.advance(0.02)
    assert w.held() == set()  # before anything else ran
    await w.settle()
    assert w.said[1:] == [("lost", [A, B])]
    w.store.fails = False
    await w.pass_time(RENEW_EVERY_S)
    assert w.said[2:] == [("gained", [A, B])]
    assert w.held() == {A, B}


async def test_who_slept_past_the_end_knows_it_from_its_own_clock(w: Watched) -> None:
    w.clock._elapsed_s += 600.0  # nothing of the process ran meanwhile
    assert w.held() == set()


async def test_a_lease_counts_from_before_the_question(w: Watched) -> None:
    w.store.slow = asyncio.get_running_loop().create_future()
    await w.pass_time(RENEW_EVERY_S)
    await w.pass_time(TTL_S)
    assert w.held() == set()
    w.store.slow.set_result(None)
    w.store.slow = None
    await w.settle()
    assert w.held() == set()
    await w.pass_time(RENEW_EVERY_S)
    assert w.held() == {A, B}


async def test_a_new_epoch_means_that_somebody_had_it_in_between(w: Watched) -> None:
    w.store.tended = Tended({A: 1, B: 3}, (), 2)
    await w.pass_time(RENEW_EVERY_S)
    assert w.said[1:] == [("lost", [B]), ("gained", [B])]
    assert w.held() == {A, B}


async def test_what_somebody_else_has_is_lost(w: Watched) -> None:
    w.store.tended = Tended({A: 1}, (), 2)
    await w.pass_time(RENEW_EVERY_S)
    assert w.said[1:] == [("lost", [B])]
    assert w.held() == {A}


async def test_what_others_should_have_is_finished_first_and_then_given_up(w: Watched) -> None:
    w.store.tended = Tended({A: 1, B: 1}, (B,), 2)
    await w.pass_time(RENEW_EVERY_S)
    await w.pass_time(RENEW_EVERY_S)
    assert w.said[1:] == [("finish", [B])]
    assert w.held() == {A, B}
    assert w.store.given_up == []
    w.finished.set()
    await w.settle()
    assert w.store.given_up == [[B]]
    assert w.held() == {A}
    w.store.tended = Tended({A: 1}, (), 2)
    await w.pass_time(RENEW_EVERY_S)
    assert w.said[2:] == []


async def test_a_change_among_the_gateways_is_looked_at_at_once(w: Watched) -> None:
    w.store.tended = Tended({A: 1, B: 1, C: 1}, (), 1)
    w.leases.look()
    await w.settle()
    assert w.said[1:] == [("gained", [C])]


async def test_who_ends_takes_nothing_more_and_leaves_all(w: Watched) -> None:
    w.leases.take_no_more()
    w.store.tended = Tended({A: 1, B: 1, C: 1}, (A,), 2)
    await w.pass_time(RENEW_EVERY_S)
    assert w.store.wanted[-1] == (A, B)
    assert w.said == [("gained", [A, B])]
    await w.leases.stop(1.0)
    assert w.store.given_up == [None]
    assert w.held() == set()


async def test_a_database_that_is_gone_hinders_no_end(w: Watched) -> None:
    w.store.fails = True
    await w.leases.stop(1.0)
    assert w.held() == set()

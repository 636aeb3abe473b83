"""Which troubles strike when. Everything is decided by the seed; the world carries it out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from sim_network import Account

from gateway.model.delivery import Fault, FaultKind

if TYPE_CHECKING:
    from sim_world import World

MINUTE, HOUR = 60.0, 3600.0
LOSSES = (FaultKind.SUSPENDED, FaultKind.SIGNED_OUT, FaultKind.LOCKED, FaultKind.QUOTA)


class Weather:
    """Plans the troubles of one story and lifts them all at its end."""

    def __init__(self, world: World, rng: Random, span_s: float) -> None:
        self.world = world
        self.rng = rng
        self.span_s = span_s
        self.over = False

    def plan(self) -> None:
        """A few kinds of trouble in each story, so that one alone is seen as well as all together."""
        rng = self.rng
        for account in self.world.networks.accounts.values():
            account.flaky = rng.choice((0.0, 0.0, 0.05, 0.2))
        troubles: list[Callable[[], None]] = [
            self._rough, self._outage, self._storm, self._loss, self._loss, self._silent, self._crash, self._crash,
            self._restart, self._clock_jumps, self._disk_full, self._busy, self._slow_disk, self._short_loss,
        ]  # fmt: skip
        kinds = rng.sample(troubles, rng.randint(1, 8))
        for _ in range(rng.choice((1, 2, 4, 8, 12))):
            self.world.universe.at(rng.uniform(0, self.span_s), rng.choice(kinds))

    def lift(self) -> None:
        """All is well again, for good."""
        self.over = True
        world = self.world
        for there in world.networks.accounts.values():
            there.lost, there.outage, there.storm, there.silent, there.flaky = None, False, False, False, 0.0
        world.set_clock(timedelta())
        self._quick_disk()
        world.free_disk()
        world.unlock_database()
        world.doom = None

    # One kind of trouble each.

    def _for_a_while(self, shortest_s: float, longest_s: float, undo: Callable[[], None]) -> float:
        lasts_s = min(self.rng.uniform(shortest_s, longest_s), max(60.0, self.span_s / 2))

        def end() -> None:
            if not self.over:
                undo()

        self.world.universe.after(lasts_s, end)
        return lasts_s

    def _somebody(self) -> Account:
        return self.rng.choice(list(self.world.networks.accounts.values()))

    def _strikes(self, trouble: str, there: Account, lasts_s: float) -> None:
        self.world.story.strikes(trouble, f"{there.name}: {trouble} for {lasts_s / 60:.0f} min")

    def _rough(self) -> None:
        if self.over:
            return
        there, before = self._somebody(), 0.05

        def calm() -> None:
            there.flaky = before

        there.flaky = self.rng.choice((0.3, 0.5, 0.9))
        self._strikes("rough weather", there, self._for_a_while(MINUTE, 2 * HOUR, calm))

    def _outage(self) -> None:
        if self.over:
            return
        there = self._somebody()

        def back() -> None:
            there.outage = False
            self.world.story.tell(f"{there.name} can be reached again")
            if there.lost is None and self.rng.random() < 0.3:
                self._take(there, MINUTE, 8 * HOUR)

        there.outage = True
        self._strikes("outage", there, self._for_a_while(0.2 * MINUTE, 5 * HOUR, back))
        if self.rng.random() < 0.3:
            for other in self.world.networks.accounts.values():
                other.outage = True
                self._for_a_while(MINUTE, HOUR, lambda other=other: setattr(other, "outage", False))

    def _storm(self) -> None:
        if self.over:
            return
        there = self._somebody()
        there.storm = True
        self._strikes("429 storm", there, self._for_a_while(MINUTE, 2 * HOUR, lambda: setattr(there, "storm", False)))

    def _loss(self) -> None:
        self._lose(MINUTE, 8 * HOUR)

    def _short_loss(self) -> None:
        self._lose(1.0, 2 * MINUTE)

    def _lose(self, shortest_s: float, longest_s: float) -> None:
        if not self.over:
            self._take(self._somebody(), shortest_s, longest_s)

    def _take(self, there: Account, shortest_s: float, longest_s: float) -> None:
        kind = self.rng.choice(LOSSES)
        retry_at = None
        if kind is FaultKind.QUOTA and self.rng.random() < 0.5:
            retry_at = self.world.universe.true + timedelta(seconds=self.rng.choice((-60, 600, 3600)))
        there.lost = Fault(kind, True, f"{kind} by the network", retry_at)
        sees_lock = not there.locks_unseen
        there.probe_sees = sees_lock if kind is FaultKind.LOCKED else kind is not FaultKind.QUOTA
        lasts_s = self._for_a_while(shortest_s, longest_s, lambda: self._give_back(there))
        self._strikes(f"loss: {kind}", there, lasts_s)
        self._much_is_said(there, lasts_s)
        if kind is FaultKind.LOCKED and self.rng.random() < 0.2:
            self.world.universe.after(self.rng.uniform(5, HOUR), lambda: self.world.operator.resumes(there.name))

    def _much_is_said(self, there: Account, within_s: float) -> None:
        """Nobody outside knows that the account is lost: what is meant for it needs a road, or waits."""
        world = self.world
        for _ in range(self.rng.choice((0, 0, 3, 8))):
            says = self.rng.choice((world.operator.announces, lambda: world.people.writes(there.name)))
            world.universe.after(self.rng.uniform(0, within_s), says)

    def _give_back(self, there: Account) -> None:
        if there.lost is None:
            return
        kind, there.lost = there.lost.kind, None
        self.world.story.tell(f"{there.name} is given back")
        if kind is FaultKind.LOCKED and self.rng.random() < 0.8:
            self.world.universe.after(self.rng.uniform(1, HOUR), lambda: self.world.operator.resumes(there.name))

    def _silent(self) -> None:
        if self.over:
            return
        there = self._somebody()
        there.silent = True
        self._strikes(
            "silent suspension", there,
            self._for_a_while(10 * MINUTE, 5 * HOUR, lambda: setattr(there, "silent", False)),
        )  # fmt: skip

    def _crash(self) -> None:
        """At any await, or between any two statements that commit, or when a network has just taken something."""
        if self.over:
            return
        where = self.rng.choice(("turns", "turns", "before commit", "after commit", "accepted", "sending"))
        after = self.rng.randrange(60) if where == "turns" else self.rng.randrange(6)
        self.world.doom = (where, after)
        self.world.story.tell(f"** the process will crash: {where} {after}")

    def _restart(self) -> None:
        if not self.over:
            self.world.story.strikes("restart", "the operator restarts the gateway")
            self.world.stop_process()

    def _clock_jumps(self) -> None:
        if self.over:
            return
        now_s = self.world.clock.wrong_by.total_seconds()
        to_s = self.rng.choice((0.0, 0.0, -40.0, 30.0, 900.0, self.rng.uniform(-45, 1500)))
        if to_s != now_s:
            back = to_s < now_s
            self.world.set_clock(timedelta(seconds=to_s))
            self.world.story.strikes(
                f"clock set {'back' if back else 'forward'}", f"the clock is {to_s:+.0f} s wrong now"
            )

    def _disk_full(self) -> None:
        if self.over:
            return
        self.world.fill_disk()
        lasts_s = self._for_a_while(1, 20 * MINUTE, self.world.free_disk)
        self.world.story.strikes("disk full", f"the disk is full for {lasts_s:.0f} s")

    def _busy(self) -> None:
        if self.over:
            return
        self.world.lock_database()
        lasts_s = self._for_a_while(0.5, 5 * MINUTE, self.world.unlock_database)
        self.world.story.strikes("database busy", f"another program keeps the database locked for {lasts_s:.0f} s")

    def _quick_disk(self) -> None:
        self.world.disk_latency_s = 0.002
        self.world.watch.slow_s = self.world.universe.now
        self.world.watch.counts_may_differ()

    def _slow_disk(self) -> None:
        if self.over:
            return
        self.world.disk_latency_s = self.rng.choice((0.2, 1.0, 5.0))
        self._for_a_while(MINUTE, HOUR, self._quick_disk)
        self.world.story.strikes("slow disk", f"the disk takes {self.world.disk_latency_s} s")

"""One seed, one world: networks, people, weather, and the gateway that has to live through it."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import invariants_at_rest
import sim_agent
import sim_store
from invariants import Broken
from msgspec import Struct
from sim_books import Books, Change
from sim_dealer import Dealer
from sim_network import Networks
from sim_operator import Operator
from sim_people import People
from sim_platforms import BY_WORDS, KEY_LIVES_S, profile_of
from sim_process import Listening, Process, configuration
from sim_story import Story
from sim_time import Crash, SimClock, SimTask, Universe
from sim_watch import CHECK_EVERY_S, Watch
from sim_weather import HOUR, Weather

from gateway.model.capabilities import Idempotency
from gateway.model.delivery import Part
from gateway.model.ids import AccountId, platform_of
from gateway.model.route import Route
from gateway.model.standing import GONE, Standing
from gateway.store.store import SqlStore

ACCOUNTS = ("red/main", "blue/main", "green/main", "gold/main", "grey/main", "red/second", "grey/second")
SPANS_S = (0.2 * HOUR,) * 4 + (HOUR,) * 4 + (4 * HOUR,) * 3 + (12 * HOUR,) * 2 + (40 * HOUR,)
REST_EVERY_S = 120.0
RESTS_WITHIN_S = 30 * HOUR
"""From the end of all troubles: the slowest lane has sent its backlog by then, and the longest pause is over."""
STARTS_MAX = 60
MEMORY = Path("/dev/shm")
"""A disk that needs no flushing, where there is one."""


class Outcome(Struct, frozen=True):
    """What became of a seed."""

    seed: int
    digest: str
    broken: str
    invariant: str
    happened: dict[str, int]
    story: list[str]
    span_s: float


def play(seed: int, echo: Callable[[str], None] | None = None) -> Outcome:
    """One story, from its first hour until all is at rest."""
    folder = Path(tempfile.mkdtemp(prefix="multihome-simulation-", dir=MEMORY if MEMORY.is_dir() else None))
    world = World(seed, folder, echo)
    try:
        world.live()
    except Broken as broken:
        world.watch.broken = world.watch.broken or broken
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    story, broken = world.story, world.watch.broken
    told = "" if broken is None else str(broken)
    name = "" if broken is None else broken.invariant
    return Outcome(seed, story.digest, told, name, dict(story.happened), story.lines, world.universe.now)


class World:
    """Everything there is. What outlives a process is kept in here."""

    def __init__(self, seed: int, folder: Path, echo: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.folder = folder
        self.path = folder / "books.db"
        self.universe = Universe()
        self.story = Story(self.universe, echo)
        self.clock = SimClock(self.universe)
        SimTask.count_anew()
        rng = self.chance("world")
        self.rng = rng
        self.span_s = rng.choice(SPANS_S)
        names = sorted(rng.sample(ACCOUNTS, rng.randint(2, 5)))
        self.networks = Networks(self.universe, names, lambda name: not profile_of(name).probe_sees_lock)
        self.dice = {name: self.chance(name) for name in names}
        self.people = People(self.networks, self.chance("people"), self.story.happened, self.story.tell)
        self.operator = Operator(self, self.chance("operator"))
        self.weather = Weather(self, self.chance("weather"), self.span_s)
        self.on_uncertain = {name: rng.choice(("hold", "resend")) for name in names}
        self.keeps = timedelta(days=rng.choice((30.0, 30.0, 0.25)))
        self.config = configuration(self.path, names, self._routes(rng), self.on_uncertain, self.keeps, rng)
        self.books = Books(lambda: self.universe.now)
        self.disk_latency_s = 0.002
        self.disk = sim_store.Disk(lambda: self.disk_latency_s, self.books, self.chance("disk"))
        self.obstruction = sim_store.Obstruction(self.path)
        self.process: Process | None = None
        self.doom: tuple[str, int] | None = None
        """Where the next crash comes, and after how many such occasions."""
        self.finished = False
        self.calm_since: float | None = None
        self.set_backs: list[tuple[float, float]] = []
        self.watch = Watch(self)
        self.networks.on_post = self.watch.posted
        self.people.on_asked = self.watch.agent_asked
        self.people.on_own_voice = self.watch.own_voice_heard
        self.disk.before_commit = lambda: self._doom_comes("before commit")
        self.disk.after_commit = self._committed

    def chance(self, concern: str) -> Random:
        """Each concern rolls its own dice, so that one more roll here doesn't change everything there."""
        return Random(f"{self.seed} {concern}")  # noqa: S311 - a story's chance, no secret

    def _routes(self, rng: Random) -> tuple[Route, ...]:
        names = list(self.networks.accounts)
        routes = []
        for name in names:
            others = [AccountId(other) for other in names if other != name]
            when = GONE | set(rng.sample([Standing.LIMITED, Standing.OFFLINE], rng.randint(0, 2)))
            there = tuple(rng.sample(others, rng.randint(0, len(others))))
            held = timedelta(minutes=rng.choice((10, 120, 10_080)))
            words = rng.choice((None, "{account} is away, we are here"))
            way = rng.choice(("person", "person", "hold"))
            if rng.random() < 0.8:
                routes.append(Route(AccountId(name), when, there, way, rng.random() < 0.5, words, held))
        return tuple(routes)

    # The way of the story.

    def live(self) -> None:
        """Processes come and go until the world is at rest."""
        listening = Listening(self.watch.logged)
        log = logging.getLogger("multihome")
        before, sim_agent.PLAYED = (log.level, log.propagate), [self.people]
        log.addHandler(listening)
        log.setLevel(logging.WARNING)
        log.propagate = False
        try:
            self._schedule()
            for _ in range(STARTS_MAX):
                self._one_process()
                if self.finished:
                    return
            raise Broken("everything comes to rest", f"{STARTS_MAX} starts were not enough")
        finally:
            log.removeHandler(listening)
            log.setLevel(before[0])
            log.propagate = before[1]
            self.obstruction.unlock()

    def _schedule(self) -> None:
        rng, universe = self.rng, self.universe
        names = list(self.networks.accounts)
        busy = [rng.uniform(0, self.span_s) for _ in range(3)]

        def hour(rng: Random = rng) -> float:
            return rng.uniform(1, self.span_s) if rng.random() < 0.5 else rng.choice(busy) + rng.uniform(0, 60)

        for _ in range(rng.choice((4, 8, 16, 30))):
            universe.at(hour(), lambda: self.people.writes(rng.choice(names)))
        for _ in range(rng.choice((1, 3, 6, 12))):
            universe.at(hour(), self.operator.announces)
        for _ in range(rng.randint(0, 6)):
            universe.at(hour(), self.operator.links)
        self.weather.plan()
        dice = self.operator.dice
        for _ in range(dice.choice((0, 6, 20, 60))):
            universe.at(hour(dice), self.operator.changes)
        universe.at(self.span_s, self._calm)
        universe.after(CHECK_EVERY_S, self.watch.checkpoint)

    def _one_process(self) -> None:
        self.process = process = Process(
            self.universe, self.config, self.clock, self.disk, self.chance(f"{self.universe.now}")
        )
        self.watch.process_begins(process)
        process.on_assembled = self._assembled
        self.watch.nobody_is_able()
        self.watch.only_what_is_stored_is_known()
        self._open_doors()
        self.story.tell("a gateway starts")
        ended = process.run()
        self.watch.nobody_is_able()
        self.watch.raise_broken()
        self.story.tell(f"the gateway {ended}")
        if ended.startswith("stuck"):
            raise Broken("no lane starves", ended)
        self.watch.compare_with_the_disk()
        if not self.finished:
            wait_s = self.rng.choice((0.6, 1.0, 3.0, 20.0))
            if ended.startswith("could not start"):
                wait_s = 30.0
            try:
                self.universe.pass_until(self.universe.now + wait_s)
            except Crash:
                self.watch.raise_broken()

    def _open_doors(self) -> None:
        """Each account's network, for this process."""
        Dealer.by_account = {}
        for name, account in self.networks.accounts.items():
            platform = platform_of(AccountId(name))
            Dealer.by_account[name] = dealer = Dealer(
                account, self.networks, self.dice[name], self.story.happened, self.story.tell, self._leaves,
                KEY_LIVES_S.get(platform), profile_of(name).idempotency is Idempotency.KEYED, platform in BY_WORDS,
            )  # fmt: skip
            dealer.now = self.clock.now
            dealer.on_header = self.watch.pace.is_unsure
            dealer.on_accepted = lambda: self._doom_comes("accepted")

    def _assembled(self, process: Process) -> None:
        assert process.store is not None
        if self.obstruction.full:
            self.obstruction.fill(process.store)
        process.loop.crash = lambda: self._crash("any await")
        process.loop.crash_dice = self.rng

    def _calm(self) -> None:
        self.story.tell("-- all troubles are lifted")
        self.weather.lift()
        self.calm_since = self.universe.now
        self.universe.after(REST_EVERY_S, self._look_for_rest)

    def _look_for_rest(self) -> None:
        if self.finished or self.calm_since is None:
            return
        if self._is_at_rest():
            self.watch.judge(self._judge_the_end)
            self.story.tell("-- all is at rest")
            self.finished = True
            self.stop_process()
            return
        if self.universe.now - self.calm_since > RESTS_WITHIN_S:
            self.watch.judge(invariants_at_rest.everything_came_to_rest, self)
            self.watch.judge(self._all_are_well)
            self.watch.breaks(Broken("everything comes to rest", "not everything that was written was read"))
        self._cure()
        self.universe.after(REST_EVERY_S, self._look_for_rest)

    def _cure(self) -> None:
        """The operator unlocks what only they can."""
        process = self.running()
        if process is not None and process.gateway is not None:
            for record in process.gateway.monitor.records():
                if record.standing is Standing.LOCKED:
                    self.operator.resumes(record.account)

    def _is_at_rest(self) -> bool:
        process = self.running()
        if process is None or process.gateway is None:
            return False
        well = all(record.standing is Standing.HEALTHY for record in process.gateway.monitor.records())
        read = all(
            name in self.books.cursors and self.books.cursors[name] == len(there.log)
            for name, there in self.networks.accounts.items()
        )
        try:
            invariants_at_rest.everything_came_to_rest(self)
        except Broken:
            return False
        return well and read

    def _all_are_well(self) -> None:
        process = self.running()
        if process is None or process.gateway is None:
            raise Broken("everything comes to rest", "no gateway runs")
        for record in process.gateway.monitor.records():
            if record.standing is not Standing.HEALTHY:
                raise Broken("every account comes back", f"{record} although its network has been well for a day")

    def _judge_the_end(self) -> None:
        invariants_at_rest.everything_came_to_rest(self)
        invariants_at_rest.only_what_nobody_can_say_is_left(self)
        invariants_at_rest.every_post_is_in_the_books(self)
        invariants_at_rest.every_message_is_answered(self)
        self.story.happened["open questions for the operator"] += len(self.books.open)

    # What the weather and the operator can do.

    def running(self) -> Process | None:
        return self.process if self.process is not None and self.process.up else None

    def stop_process(self) -> None:
        if self.process is not None:
            self.process.stop()

    def set_clock(self, wrong_by: timedelta) -> None:
        back_s = (self.clock.wrong_by - wrong_by).total_seconds()
        self.clock.wrong_by = wrong_by
        self.watch.counts_may_differ()
        if back_s > 0:
            self.set_backs.append((self.universe.now, back_s))

    def set_back_s(self, key: str) -> float:
        """How far the clock was set back since this draft was accepted."""
        accepted = self.books.accepted[key]
        return sum(back_s for at, back_s in self.set_backs if at >= accepted.at_s)

    def fill_disk(self) -> None:
        self.watch.nobody_is_able()
        self.obstruction.full = True
        if (store := self._open_store()) is not None:
            self.obstruction.fill(store)

    def free_disk(self) -> None:
        self.watch.nobody_is_able()
        self.obstruction.full = False
        if (store := self._open_store()) is not None:
            self.obstruction.empty(store)

    def _open_store(self) -> SqlStore | None:
        """That of the process, be it starting, at work or stopping."""
        store = self.process.store if self.process is not None else None
        return None if store is None or sim_store.is_closed(store) else store

    def lock_database(self) -> None:
        self.watch.nobody_is_able()
        if self.path.exists():
            self.obstruction.lock()

    def unlock_database(self) -> None:
        self.watch.nobody_is_able()
        self.obstruction.unlock()

    def may_resend(self, account: str) -> bool:
        return self.on_uncertain[account] == "resend"

    @staticmethod
    def by_words(account: str) -> bool:
        return platform_of(AccountId(account)) in BY_WORDS

    @staticmethod
    def keys_end(account: str) -> bool:
        return platform_of(AccountId(account)) in KEY_LIVES_S

    @staticmethod
    def can_be_asked(account: str) -> bool:
        return profile_of(account).idempotency is not Idempotency.NONE

    # How a process dies.

    @property
    def is_dead(self) -> bool:
        """Whether the process that is or was is no more."""
        return self.process is None or self.process.loop.dead

    def _committed(self, changes: list[Change]) -> None:
        self.watch.committed(changes)
        self._doom_comes("after commit")

    def _leaves(self, account: str, part: Part) -> None:
        self._doom_comes("sending")
        self.watch.leaves(account, part)

    def _doom_comes(self, where: str) -> None:
        """An occasion to crash."""
        if self.doom is None or self.process is None or self.is_dead:
            return
        if self.doom[0] == "turns":
            self.process.loop.turns_left, self.doom = self.doom[1], None
        elif self.doom == (where, 0):
            self._crash(where)
        elif self.doom[0] == where:
            self.doom = (where, self.doom[1] - 1)

    def _crash(self, where: str) -> None:
        self.doom = None
        self.story.strikes(f"crash: {where}")
        raise Crash

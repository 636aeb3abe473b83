"""A house put together by hand: the real store on a file, a clock to hold, scripted platforms."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from msgspec import structs

from gateway.announcer import Announcer
from gateway.books import Store
from gateway.bus import Bus
from gateway.fitting import Fitting
from gateway.leases import HOUSE, Leases
from gateway.media.kept import kept
from gateway.media.pictures import Pictures
from gateway.model.capabilities import Profile
from gateway.model.content import Document
from gateway.model.delivery import (
    FINAL,
    Delivery,
    Draft,
    Fault,
    FaultKind,
    InConversation,
    State,
    Target,
    Timeline,
)
from gateway.model.events import GatewayEvent, StandingChanged
from gateway.model.fetching import Fetching
from gateway.model.identity import Identity
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, platform_of
from gateway.model.manner import USUAL, Manner
from gateway.model.route import Route
from gateway.model.standing import Signal, Source, Standing
from gateway.monitor import Monitor, Pauses
from gateway.outbox.intake import Intake
from gateway.outbox.outbox import Outbox
from gateway.outbox.roads import Roads
from gateway.outbox.settle import Rules
from gateway.pipeline import Limits, Pipeline
from gateway.ports import Context, Platform
from gateway.rerouter import Rerouter
from gateway.runtime import Runtime
from gateway.scheduler import Scheduler
from gateway.seat import Member, Rooms
from gateway.services import Services
from gateway.store import open_store
from gateway.testing.kit import ManualClock, MemoryVault
from gateway.testing.scripted import ScriptedAdapter, ScriptedAgent, ScriptedPlatform, scripted_profile
from gateway.text.plain import from_text
from policies.chain import POLICIES

RED, BLUE, GREEN = AccountId("red/main"), AccountId("blue/main"), AccountId("green/main")
SUSPENDED = Fault(FaultKind.SUSPENDED, True, "your account is suspended")
LOCKED = Fault(FaultKind.LOCKED, True, "unlock your account")
ALL_LOSSES = frozenset({Standing.SUSPENDED, Standing.LOCKED, Standing.SIGNED_OUT, Standing.LIMITED})
RAMP_S = 2.0
CALM_TURNS = 40


def road(source: AccountId, *to: AccountId, **changes: Any) -> Route:
    made = Route(source, ALL_LOSSES, to, "person")
    return structs.replace(made, **changes)


class Watched:
    """The store, with every call counted; ``before`` and ``after`` may raise, or never come back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.pending = 0
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            self.before(name)
            self.pending += 1
            try:
                result = await method(*args, **kwargs)
            finally:
                self.pending -= 1
            self.after(name)
            return result

        return call


class Crash:
    """Ends the process at its ``at``-th call of the store or an adapter: nothing after it happens any more."""

    def __init__(self, house: House, at: int, *, after: bool) -> None:
        self.struck = False
        self._left = at
        self._house = house
        store: Watched = house.store
        if after:
            store.after = self._call
        else:
            store.before = self._call
        for account in house.world.platforms:
            house.world[account].before_send = lambda _account, part: self._call(part.key)

    def _call(self, _: str) -> None:
        if self.struck:
            raise asyncio.CancelledError
        self._left -= 1
        if self._left < 0:
            self.struck = True
            raise asyncio.CancelledError


class World:
    """What outlives every process: the disk, the platforms, and time."""

    def __init__(self, folder: Path, *accounts: AccountId) -> None:
        self.clock = ManualClock()
        self.url = f"sqlite:///{folder / 'core.db'}"
        self.platforms = {account: ScriptedPlatform(self.clock) for account in accounts or (RED,)}
        self.numbers = itertools.count()
        self.posted_from = self.clock.now()

    def __getitem__(self, account: AccountId) -> ScriptedPlatform:
        return self.platforms[account]

    def texts(self, account: AccountId, place: str | None = None) -> list[str]:
        return self.platforms[account].texts(place)

    def house(self, **parts: Any) -> House:
        return House(self, **parts)


class Worlds:
    """Makes a world with these accounts; each has a disk of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def __call__(self, *accounts: AccountId) -> World:
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        return World(folder, *accounts)


class ByHand:
    """The jobs of the clock: a test calls those it wants."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class House:
    """One gateway process. ``async with`` runs it; ``die()`` ends it as a crash would."""

    def __init__(
        self,
        world: World,
        *,
        routes: tuple[Route, ...] = (),
        profiles: Mapping[AccountId, Profile] | None = None,
        on_uncertain: Any = "hold",
        agent: ScriptedAgent | None = None,
        limits: Limits | None = None,
        pauses: Pauses | None = None,
        kind: type[ScriptedAdapter] = ScriptedAdapter,
        name: str = "me",
        keep: timedelta = timedelta(days=30),
        manner: Manner = USUAL,
    ) -> None:
        self.world = world
        self.clock = world.clock
        self.bus = Bus()
        self.events: list[GatewayEvent] = []
        self.bus.listen(self.events.append)
        self.real_store = open_store(world.url, clock=world.clock)
        self.store: Any = Watched(self.real_store)
        services = Services(
            DEFAULT_WORKSPACE, self.store, world.clock, self.bus, POLICIES, lambda: f"id{next(world.numbers):06}"
        )
        self.services = services
        given = profiles or {}
        self.profiles = {account: given.get(account, scripted_profile()) for account in world.platforms}
        self.monitor = Monitor(services, self.profiles, pauses or Pauses())
        self.outbox = Outbox(services, self.monitor)
        self.monitor.on_cleared = self.outbox.wake
        by_source = {route.source: route for route in routes}
        self.adapters: dict[AccountId, Any] = {}
        pictures = Pictures(self.store, world.clock, Fetching(cards=False))
        fitting = Fitting(self.store, self.profiles, pictures, self.adapters)
        roads = Roads(self.store, by_source, self.profiles, self.monitor.record)
        self.intake = Intake(services, roads, self.outbox.enter, fitting.fit)
        self.announcer = Announcer(services, self.monitor, self.intake, by_source, tuple(world.platforms), keep=keep)
        self.rerouter = Rerouter(
            services, self.monitor, self.intake, self.outbox, ramp_s=RAMP_S, tell=self.announcer.notice
        )
        self.scripted = {
            account: kind(account, platform, self.profiles[account]) for account, platform in world.platforms.items()
        }
        self.pipeline = Pipeline(
            services,
            self.intake,
            self.outbox,
            self.adapters,
            self.profiles,
            agent,
            limits or Limits(),
            lambda: self.monitor.own_voices,
        )
        self.members = [
            self._member(account, adapter, on_uncertain, manner) for account, adapter in self.scripted.items()
        ]
        rooms = Rooms(services, self.monitor, self.outbox, self.pipeline, self.adapters, asyncio.Lock())
        self.leases = Leases(self.store, self.clock, name, [*world.platforms, HOUSE])
        self.scheduler = Scheduler(services, timedelta(days=30), self.outbox.wake_all)
        self.runtime = Runtime(self.members, rooms, self.leases, self.rerouter, ByHand())

    def _member(self, account: AccountId, adapter: Any, on_uncertain: Any, manner: Manner) -> Member:
        profile = self.profiles[account]
        platform = Platform(platform_of(account), dict, profile, "core_rig:open_scripted")
        context = Context(
            account,
            self.clock,
            MemoryVault(),
            kept(self.store.media),
            lambda signal: self.monitor.observe(account, signal),
        )
        return Member(account, platform, adapter, Rules(profile, on_uncertain, manner), context)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        await self.monitor.load()
        await self.runtime.start()
        await self.quiet()

    async def stop(self) -> None:
        await self.runtime.stop()
        await self.real_store.aclose()

    async def die(self) -> None:
        """Everything ends where it stands; nothing more is written but what the database had accepted."""
        for platform in self.world.platforms.values():
            platform.before_send = lambda _account, _part: None
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.real_store.aclose()

    # What a test does.

    async def quiet(self) -> None:
        """Until nothing moves any more without time passing: the store has answered and was heard."""
        calm = 0
        while calm < CALM_TURNS:
            await asyncio.sleep(0.0005 if self.store.pending else 0)
            calm = 0 if self.store.pending else calm + 1

    async def pass_time(self, seconds: float, step_s: float = 1.0) -> None:
        """Time passes in steps, and at each one everything settles."""
        while seconds > 0:
            await self.clock.advance(min(step_s, seconds))
            seconds -= step_s
            await self.quiet()

    async def until(self, condition: Callable[[], Any], seconds: float = 120.0, step_s: float = 1.0) -> None:
        """Let time pass until the condition holds."""
        while not condition():
            assert seconds > 0, f"never came true: {condition}"
            await self.pass_time(step_s, step_s)
            seconds -= step_s

    async def say(
        self,
        text: str,
        account: AccountId = RED,
        *,
        place: str = "",
        private: bool = False,
        whom: Identity | None = None,
        **changes: Any,
    ) -> Delivery:
        (delivery,) = await self.intake.submit(
            [self.draft(text, account, place=place, private=private, whom=whom, **changes)]
        )
        return delivery

    def draft(
        self,
        text: str,
        account: AccountId = RED,
        *,
        place: str = "",
        private: bool = False,
        whom: Identity | None = None,
        **changes: Any,
    ) -> Draft:
        target: Target = InConversation(ConversationId(place), private) if place else Timeline()
        name = f"d{next(self.world.numbers)}"
        made = Draft(
            DraftId(name), DEFAULT_WORKSPACE, account, target, from_text(text), self.clock.now(), f"key:{name}",
            with_person=whom,
        )  # fmt: skip
        return structs.replace(made, **changes)

    async def now(self, delivery: Delivery) -> Delivery:
        found = await self.real_store.delivery(delivery.id)
        assert found is not None
        return found

    async def state(self, delivery: Delivery) -> State:
        return (await self.now(delivery)).state

    async def open(self) -> list[Delivery]:
        """Whatever has not come to an end."""
        found = await self.real_store.deliveries(limit=10_000)
        return [one for one in reversed(found) if one.state not in FINAL]

    def standing(self, account: AccountId = RED) -> Standing:
        record = self.monitor.record(account)
        assert record is not None
        return record.standing

    def changes(self, account: AccountId = RED) -> list[str]:
        return [event.after for event in self.events if isinstance(event, StandingChanged) and event.account == account]

    async def lose(self, account: AccountId = RED, fault: Fault = SUSPENDED) -> None:
        """The platform takes the account, and the probe sees it."""
        self.world[account].lost = fault
        self.monitor.observe(account, Signal(Source.RECEIVE, self.clock.now(), fault.evidence, fault))
        await self.quiet()

    async def regain(self, account: AccountId = RED) -> None:
        """The platform gives the account back; the next probe sees it."""
        self.world[account].lost = None
        await self.until(lambda: self.standing(account) is Standing.HEALTHY, 4_000, 15.0)


async def open_scripted(settings: Any, context: Context) -> Any:
    """The factory of the runtime: the adapter was made beforehand."""
    del context
    if isinstance(settings, BaseException):
        raise settings
    return await settings() if inspect.iscoroutinefunction(settings) else settings


def words(text: str) -> Document:
    return from_text(text)


async def ended(house: House, *deliveries: Delivery) -> None:
    """Let time pass until these are over, one way or the other."""

    async def over() -> bool:
        found = [await house.now(one) for one in deliveries]
        return all(one.state in (State.DELIVERED, State.REFUSED, State.EXPIRED) for one in found)

    for _ in range(400):
        if await over():
            return
        await house.pass_time(1.0)
    raise AssertionError([await house.now(one) for one in deliveries])

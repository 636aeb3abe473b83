"""One gateway process: put together by the real composition root, on the virtual loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import sim_store
from sim_people import ATTEMPTS
from sim_platforms import PLATFORMS, Nothing
from sim_time import Crash, SimClock, Stuck, Universe, VirtualLoop

from gateway import wiring
from gateway.books import StoreError
from gateway.config import AccountConfig, AgentSection, AnnounceSection, Config, GatewaySection
from gateway.ids import id_source
from gateway.model.events import GatewayEvent
from gateway.model.fetching import Fetching
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, platform_of
from gateway.model.route import Route
from gateway.scheduler import _guarded
from policies.chain import POLICIES

EXPIRE_EVERY_S = 300.0
"""Not ten, as the real one: days pass here in a moment."""
PRUNE_EVERY_S = 20_000.0


def configuration(
    path: Path,
    accounts: list[str],
    routes: tuple[Route, ...],
    on_uncertain: dict[str, Any],
    keeps: timedelta,
    rng: Random,
) -> Config:
    gateway = GatewaySection(
        f"sqlite:///{path}", health_check_s=rng.choice((1800.0, 3600.0)), probe_longest_s=1800.0,
        keep_days=keeps.total_seconds() / 86_400, ramp_s=rng.choice((0.0, 0.5, 2.0)),
        agent_concurrency=rng.choice((2, 64)),
    )  # fmt: skip
    return Config(
        gateway,
        tuple(
            AccountConfig(AccountId(name), platform_of(AccountId(name)), on_uncertain[name], Nothing())
            for name in accounts
        ),
        routes,
        AgentSection("sim_agent:reply", max_attempts=ATTEMPTS, timeout_s=60.0),
        AnnounceSection(),
        Path(__file__).parent,
        Fetching(cards=False),
    )


class Process:
    """Runs until it crashes, is stopped, or can't start."""

    def __init__(self, universe: Universe, config: Config, clock: SimClock, disk: sim_store.Disk, rng: Random) -> None:
        self.universe = universe
        self.config = config
        self.clock = clock
        self.loop = VirtualLoop(universe)
        self.disk = disk
        self.rng = rng
        self.store: sim_store.SqlStore | None = None
        self.gateway: wiring.Gateway | None = None
        self.up = False
        """Started, and neither stopping nor dead."""
        self._stop: asyncio.Future[None] | None = None
        self._errands: set[asyncio.Task[Any]] = set()
        self.on_event: Callable[[GatewayEvent], None] = lambda _: None
        self.on_assembled: Callable[[Process], None] = lambda _: None

    def run(self) -> str:
        """How it ended."""
        try:
            self.loop.run_until_complete(self._main())
        except Crash:
            return "crashed"
        except StoreError as error:
            return f"could not start: {error}"
        except Stuck:
            return "stuck: nothing would ever happen again"
        else:
            return "stopped"
        finally:
            self.up = False
            self.loop.bury()
            if self.store is not None:
                sim_store.die(self.store)

    async def _main(self) -> None:
        path = Path(self.config.gateway.database.removeprefix("sqlite:///"))
        self.store = sim_store.open_in_loop(path, DEFAULT_WORKSPACE, self.clock, self.disk)
        self._stop = self.loop.create_future()
        self.gateway = self._assembled()
        self.on_assembled(self)
        await self.gateway.monitor.load()
        await self.gateway.runtime.start()
        self.up = True
        await self._stop
        self.up = False
        for task in tuple(self._errands):
            task.cancel()
        await self.gateway.runtime.stop()
        await self.store.aclose()

    def _assembled(self) -> wiring.Gateway:
        """The real wiring; what it would ask the machine for is handed in: the policies' entry point, and chance."""
        assert self.store is not None
        found = wiring.policies, wiring.id_source
        wiring.policies = lambda: POLICIES  # type: ignore[assignment]
        wiring.id_source = lambda clock, _=None: id_source(clock, self.rng)  # type: ignore[assignment]
        try:
            gateway = wiring.assemble(self.config, self.store, self.clock, PLATFORMS)
        finally:
            wiring.policies, wiring.id_source = found
        gateway.services.bus.listen(self._heard)
        # The scheduler's library goes by the machine's clock.
        gateway.scheduler.start = lambda: self.errand(self._jobs())  # type: ignore[method-assign]
        gateway.scheduler.stop = lambda: None  # type: ignore[method-assign]
        return gateway

    def _heard(self, event: GatewayEvent) -> None:
        self.on_event(event)

    async def _jobs(self) -> None:
        """The scheduler's own jobs, by this world's clock."""
        assert self.gateway is not None
        pruned_at = self.universe.now
        while True:
            await asyncio.sleep(EXPIRE_EVERY_S)
            await _guarded(self.gateway.scheduler._expire)
            if self.universe.now - pruned_at > PRUNE_EVERY_S:
                pruned_at = self.universe.now
                await _guarded(self.gateway.scheduler._prune)

    def errand(self, work: Coroutine[Any, Any, Any]) -> None:
        """Something that runs in this process as long as it lives."""
        if self.loop.dead or self.loop.is_closed():
            work.close()
            return
        task = self.loop.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def stop(self) -> None:
        """Asked to end in order."""
        if self._stop is not None and not self._stop.done() and not self.loop.dead:
            self._stop.set_result(None)


class Listening(logging.Handler):
    """What the gateway's log says: told, and looked through for errors that nobody planned."""

    def __init__(self, heard: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.WARNING)
        self.emit = heard  # type: ignore[method-assign]

"""The composition root: the only place that loads adapters and policies, and puts the house together."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from gateway import agent, logs
from gateway.announcer import Announcer
from gateway.api.local import LocalEndpoint
from gateway.books import InUse, Store
from gateway.bus import Bus
from gateway.clock import SystemClock
from gateway.config import AccountConfig, Config
from gateway.desk.corrections import Corrections
from gateway.desk.desk import Desk, Papers
from gateway.desk.previewer import Previewer
from gateway.desk.unheard import Unheard
from gateway.directory import Directory
from gateway.fitting import Fitting
from gateway.ids import id_source
from gateway.leases import HOUSE, Leases
from gateway.media.kept import kept
from gateway.media.pictures import Pictures
from gateway.model.capabilities import Profile
from gateway.model.ids import AccountId
from gateway.monitor import Monitor, Pauses
from gateway.outbox.intake import Intake
from gateway.outbox.outbox import Outbox
from gateway.outbox.roads import Roads
from gateway.outbox.settle import Rules
from gateway.pipeline import Limits, Pipeline
from gateway.ports import Adapter, Clock, Context, Platform, Policies, Vault
from gateway.rerouter import Rerouter
from gateway.revisions import Revisions
from gateway.runtime import Runtime
from gateway.scheduler import Scheduler
from gateway.sealed_vault import SealedVault
from gateway.seat import Member, Rooms
from gateway.services import Services
from gateway.store import open_store
from gateway.text.markdown import from_markdown
from gateway.text.plain import from_text
from gateway.vault import FileVault

IN_USE_PATIENCE_S = 3.0
IN_USE_LOOK_S = 0.1


class Gateway(Struct, frozen=True):
    """The whole house, put together and not yet started."""

    config: Config
    services: Services
    monitor: Monitor
    intake: Intake
    outbox: Outbox
    announcer: Announcer
    directory: Directory
    desk: Desk
    runtime: Runtime
    scheduler: Scheduler
    endpoint: LocalEndpoint
    adapters: dict[AccountId, Adapter]

    async def start(self) -> None:
        """Begin: first the endpoint, so that it can be watched; then the accounts."""
        await self.monitor.load()
        await self.endpoint.start(self.config.gateway.api_port)
        await self.runtime.start()

    async def stop(self) -> None:
        """End cleanly; what could not finish is safe in the database."""
        await self.endpoint.stop()
        await self.runtime.stop()
        await self.services.store.aclose()


def platforms() -> dict[str, Platform]:
    """Every platform there is, without importing a client library."""
    return {point.name: point.load() for point in entry_points(group="multihome.adapters")}


def policies() -> Policies:
    """The policy set that is installed."""
    found: Policies = entry_points(group="multihome.policies")["default"].load()
    return found


def sandbox() -> Any:
    """The function that starts a sandbox."""
    return entry_points(group="multihome.sandboxes")["default"].load()


async def build(config: Config, *, clock: Clock | None = None) -> Gateway:
    """Put a gateway together. Opens the database, and so takes its lock."""
    clock = clock or SystemClock()
    store = await _opened(config, clock)
    try:
        return assemble(config, store, clock, platforms())
    except BaseException:
        await store.aclose()
        raise


async def _opened(config: Config, clock: Clock) -> Store:
    """A command that works on the database itself is soon done: nobody is refused for its sake."""
    until = clock.monotonic() + IN_USE_PATIENCE_S
    while True:
        try:
            return open_store(config.gateway.database, config.gateway.workspace, clock)
        except InUse:
            if clock.monotonic() >= until:
                raise
        await clock.sleep(IN_USE_LOOK_S)


@asynccontextmanager
async def offline(config: Config, *, connect: bool = False) -> AsyncIterator[Desk]:
    """The desk on the database itself, for when no gateway runs. Nothing is sent or received.

    ``connect`` opens the accounts as well, for questions that only their platforms can answer. What is seen of them
    then is stored nowhere: another gateway may have them, and believes what is stored.
    """
    gateway = await build(structs.replace(config, agent=None))
    try:
        await gateway.monitor.load(connecting=connect)
        if connect:
            gateway.monitor.remembers = False
            gateway.desk.unopened = await gateway.runtime.connect()
        yield gateway.desk
    finally:
        await gateway.runtime.disconnect()
        await gateway.monitor.stop()
        await gateway.services.store.aclose()


def assemble(config: Config, store: Store, clock: Clock, known: Mapping[str, Platform]) -> Gateway:
    """The house on an open store."""
    bus = Bus()
    services = Services(config.gateway.workspace, store, clock, bus, policies(), id_source(clock))
    profiles = {account.id: known[account.platform].profile for account in config.accounts}
    routes = {route.source: route for route in config.routes}
    adapters: dict[AccountId, Adapter] = {}

    monitor = Monitor(services, profiles, _pauses(config))
    outbox = Outbox(services, monitor)
    monitor.on_cleared = outbox.wake
    pictures = Pictures(store, clock, config.media)
    manners = {account.id: account.manner for account in config.accounts}
    fitting = Fitting(store, profiles, pictures, adapters)
    intake = Intake(services, Roads(store, routes, profiles, monitor.record), outbox.enter, fitting.fit)
    announced = config.announce.accounts or tuple(account.id for account in config.accounts)
    keep = timedelta(days=config.gateway.keep_days)
    announcer = Announcer(services, monitor, intake, routes, announced, keep=keep)
    rerouter = Rerouter(services, monitor, intake, outbox, ramp_s=config.gateway.ramp_s, tell=announcer.notice)
    pipeline = Pipeline(
        services, intake, outbox, adapters, profiles, handler(config), _limits(config), lambda: monitor.own_voices
    )
    members = [_member(account, known, config, services, monitor) for account in config.accounts]
    directory = Directory(services)
    importing = asyncio.Lock()
    previewer = Previewer(services, fitting, adapters, manners, Unheard(members, importing))
    papers = Papers(pictures, previewer, Corrections(store, Revisions(services, intake, outbox)))
    desk = Desk(services, monitor, announcer, directory, outbox, pipeline, adapters, papers)
    rooms = Rooms(services, monitor, outbox, pipeline, adapters, importing)
    leases = Leases(store, clock, _member_name(services.new_id()), [*(member.account for member in members), HOUSE])
    scheduler = Scheduler(services, keep, outbox.wake_all)
    return Gateway(
        config,
        services,
        monitor,
        intake,
        outbox,
        announcer,
        directory,
        desk,
        Runtime(members, rooms, leases, rerouter, scheduler),
        scheduler,
        LocalEndpoint(desk, config.place),
        adapters,
    )


def _member(
    account: AccountConfig, known: Mapping[str, Platform], config: Config, services: Services, monitor: Monitor
) -> Member:
    platform = known[account.platform]
    context = Context(
        account.id,
        services.clock,
        logs.QuietVault(_vault(account.id, config, services)),
        kept(services.store.media),
        lambda signal: monitor.observe(account.id, signal),
    )
    profile = at_rate(platform.profile, account.rate_factor)
    rules = Rules(profile, account.on_uncertain, account.manner)
    return Member(account.id, platform, account.settings, rules, context)


def _member_name(new_id: str) -> str:
    """What a gateway is called among those on its database: for people to read, and never the same again."""
    return f"{socket.gethostname() or 'gateway'}:{os.getpid()}:{new_id[-4:]}"


def _vault(account: AccountId, config: Config, services: Services) -> Vault:
    """Where gateways share the database they share the secrets too, sealed; else they are files."""
    key = config.gateway.vault_key
    if services.store.alone or key is None:
        return FileVault(Path(config.place.files + ".vault"), account)
    return SealedVault(services.store, services.clock, services.workspace, account, key)


def at_rate(profile: Profile, factor: float) -> Profile:
    """The profile of an account that is allowed more (a paid tier, a server of one's own) or less."""
    if factor == 1.0:
        return profile
    lanes = tuple(structs.replace(lane, n=max(lane.cost, int(lane.n * factor))) for lane in profile.lanes)
    return structs.replace(profile, lanes=lanes)


def handler(config: Config) -> agent.Handler | None:
    """The operator's agent, found beside the configuration too. Raises AgentError."""
    _look_in(config.folder)
    return agent.load(config.agent.handler) if config.agent else None


def listener(config: Config) -> agent.Listener | None:
    """Who of the operator's is told of what is no message. Raises AgentError."""
    _look_in(config.folder)
    return agent.load_listener(config.agent.events) if config.agent and config.agent.events else None


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _limits(config: Config) -> Limits:
    if config.agent is None:
        return Limits(config.gateway.agent_concurrency)
    read = from_text if config.agent.text == "plain" else from_markdown
    most = config.agent.max_attempts
    return Limits(config.gateway.agent_concurrency, config.agent.timeout_s, most, read, listener(config))


def _pauses(config: Config) -> Pauses:
    gateway = config.gateway
    return Pauses(gateway.probe_first_s, gateway.probe_longest_s, gateway.health_check_s)

"""Start order, supervision, graceful stop. One account's trouble never stops the others nor the process."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

from msgspec import Struct, structs

from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.events import GatewayEvent, StandingChanged
from gateway.model.ids import AccountId
from gateway.model.standing import Signal, Source, Standing
from gateway.monitor import Monitor
from gateway.outbox.outbox import Outbox
from gateway.outbox.settle import Rules
from gateway.pipeline import Pipeline
from gateway.ports import Adapter, Context, Factory, Platform
from gateway.rerouter import Rerouter
from gateway.services import Services

log = logging.getLogger("multihome.runtime")

RESTART_FIRST_S = 0.5
RESTART_LONGEST_S = 60.0
STOP_PATIENCE_S = 3.0
"""For answers, then for sends: with all below, within the ten seconds after which a container is killed."""
END_PATIENCE_S = 0.5
CLOSE_PATIENCE_S = 1.5
OPEN_TIMEOUT_S = 60.0
PERMANENT = frozenset({FaultKind.SIGNED_OUT, FaultKind.CONFIG, FaultKind.INVALID})
"""Why an account can't be opened until the operator changes something and restarts."""


class Member(Struct, frozen=True):
    """One configured account: its platform, its settings, and how its unknown sends are settled."""

    account: AccountId
    platform: Platform
    settings: Any
    rules: Rules
    context: Context


class Runtime:
    """Keeps every account connected for as long as the process lives."""

    def __init__(
        self,
        members: Sequence[Member],
        adapters: dict[AccountId, Adapter],
        services: Services,
        monitor: Monitor,
        outbox: Outbox,
        pipeline: Pipeline,
        rerouter: Rerouter,
    ) -> None:
        self._members = sorted(members, key=lambda member: member.platform.import_ms)
        self._adapters = adapters
        self._store = services.store
        self._clock = services.clock
        self._monitor = monitor
        self._outbox = outbox
        self._pipeline = pipeline
        self._rerouter = rerouter
        self._tasks: set[asyncio.Task[None]] = set()
        self._importing = asyncio.Lock()
        self._nudges: dict[AccountId, asyncio.Event] = {member.account: asyncio.Event() for member in members}
        services.bus.listen(self._heard)

    async def start(self) -> None:
        """Pick up what the last process left, then open the accounts, the lightest first; returns when all are open."""
        rescued = await self._outbox.rescue([member.account for member in self._members])
        if rescued:
            log.warning("%d sends of the last process have an unknown outcome: asking the platforms", rescued)
        self._supervise("rerouter", self._rerouter.run)
        self._begin("recovery", self._recover())
        await asyncio.gather(*(self._open(member) for member in self._members))

    async def _recover(self) -> None:
        try:
            recovered = sum([await self._pipeline.recover(member.account) for member in self._members])
        except Exception:
            log.exception("not every message that the last process left could be handed out again")
            return
        if recovered:
            log.warning("%d messages were not answered by the last process: handing them out again", recovered)

    async def stop(self) -> None:
        """Stop taking in, let answers and sends finish, close everything. What can't finish is safe in the database."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_PATIENCE_S)
        await self._pipeline.stop(STOP_PATIENCE_S)
        await self._outbox.stop(STOP_PATIENCE_S)
        await self._monitor.stop(END_PATIENCE_S)
        await self.disconnect()

    async def connect(self) -> None:
        """Only open the accounts: neither send nor receive."""
        for member in self._members:
            await self._adapter(member)

    async def disconnect(self) -> None:
        """Close every open account."""
        closing = [asyncio.create_task(self._close(*item)) for item in self._adapters.items()]
        self._adapters.clear()
        if closing:
            _, hanging = await asyncio.wait(closing, timeout=CLOSE_PATIENCE_S)
            for task in hanging:
                task.cancel()

    async def _close(self, account: AccountId, adapter: Adapter) -> None:
        try:
            await adapter.aclose()
        except Exception:
            log.exception("%s: closing failed", account)

    async def _open(self, member: Member) -> None:
        """Open an account and put it to work; where its platform is in the way, go on trying in the background."""
        fault = await self._opened(member)
        if fault is not None and fault.kind not in PERMANENT:
            self._begin(f"{member.account} open", self._open_later(member))

    async def _open_later(self, member: Member) -> None:
        failures = 1
        fault: Fault | None = None
        while failures == 1 or (fault is not None and fault.kind not in PERMANENT):
            await self._pause(member.account, failures)
            failures += 1
            try:
                fault = await self._opened(member)
            except Exception as error:
                log.exception("%s: can't be opened", member.account)
                fault = Fault(FaultKind.UNKNOWN, True, type(error).__name__)

    async def _opened(self, member: Member) -> Fault | None:
        """Why it could not be opened, or nothing when it is at work."""
        adapter = await self._adapter(member)
        if isinstance(adapter, Fault):
            return adapter
        await self._outbox.open(member.account, adapter, member.rules)
        self._supervise(f"{member.account} probe", lambda: self._monitor.watch(member.account, adapter))
        self._supervise(f"{member.account} receive", lambda: self._receive(member.account, adapter))
        return None

    async def _adapter(self, member: Member) -> Adapter | Fault:
        try:
            async with self._importing:
                factory = await asyncio.to_thread(_factory, member.platform.factory)
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                adapter = await factory(member.settings, member.context)
        except FaultError as error:
            log.warning("%s: can't be opened: %s", member.account, error.fault.evidence)
            fault = error.fault
        except TimeoutError:
            log.warning("%s: can't be opened within %.0f s", member.account, OPEN_TIMEOUT_S)
            fault = Fault(FaultKind.NETWORK, True, f"no answer within {OPEN_TIMEOUT_S:.0f} s")
        except Exception as error:
            log.exception("%s: can't be opened", member.account)
            fault = Fault(FaultKind.SIGNED_OUT, True, f"{type(error).__name__}: {error}")
        else:
            self._adapters[member.account] = adapter
            return adapter
        told = FaultKind.SIGNED_OUT if fault.kind in PERMANENT else fault.kind
        self._report(member.account, structs.replace(fault, kind=told, evidence=f"can't be opened: {fault.evidence}"))
        return fault

    def _report(self, account: AccountId, fault: Fault) -> None:
        self._monitor.observe(account, Signal(Source.RECEIVE, self._clock.now(), fault.evidence, fault))

    def _supervise(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._begin(name, self._forever(name, work))

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forever(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task that should never end; when it fails, say so and start it again after a pause."""
        pause_s = RESTART_FIRST_S
        while True:
            try:
                await work()
            except asyncio.CancelledError:
                # A library's own cancelling comes up here too; ours alone ends the task.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                log.warning("%s: cancelled from inside, starting again", name)
            except Exception:
                log.exception("%s: stopped, starting again", name)
            await self._clock.sleep(pause_s)
            pause_s = min(RESTART_LONGEST_S, pause_s * 2)

    async def _receive(self, account: AccountId, adapter: Adapter) -> None:
        """Listen to one account for ever; after a fault go on from the stored cursor."""
        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                async with aclosing(adapter.events(await self._store.cursor(account))) as arrivals:  # type: ignore[type-var]  # adapters write generators
                    async for events, cursor in arrivals:
                        await self._pipeline.receive(account, events, cursor)
            except FaultError as error:
                self._report(account, error.fault)
                log.warning("%s: receiving stopped: %s", account, error.fault.evidence)
            except Exception:
                log.exception("%s: receiving failed", account)
            failures = 1 if self._clock.monotonic() - began > RESTART_LONGEST_S else failures + 1
            await self._pause(account, failures)

    async def _pause(self, account: AccountId, failures: int) -> None:
        """Growing pauses, cut short when the account is well again."""
        nudge = self._nudges[account]
        nudge.clear()
        rest_s = min(RESTART_LONGEST_S, RESTART_FIRST_S * 2 ** min(failures - 1, 10))
        rest = asyncio.ensure_future(self._clock.sleep(rest_s))
        well = asyncio.ensure_future(nudge.wait())
        try:
            await asyncio.wait((rest, well), return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest.cancel()
            well.cancel()
            await asyncio.gather(rest, well, return_exceptions=True)

    def _heard(self, event: GatewayEvent) -> None:
        if not isinstance(event, StandingChanged) or event.after != Standing.HEALTHY:
            return
        if event.account in self._nudges:
            self._nudges[event.account].set()


def _factory(spelled: str) -> Factory:
    """Import an adapter by name. In a thread: the client libraries take their time."""
    module, _, name = spelled.partition(":")
    factory: Factory = getattr(importlib.import_module(module), name)
    return factory

"""One account while this process has it: opened, listened to, probed, and shut again."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from contextlib import aclosing
from typing import Any

from msgspec import Struct, structs

from gateway.books import LeaseLost, StoreError
from gateway.clock import rest
from gateway.crew import RESTART_FIRST_S, RESTART_LONGEST_S, Crew
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.ids import AccountId
from gateway.model.standing import Signal, Source
from gateway.monitor import Monitor
from gateway.outbox.outbox import Outbox
from gateway.outbox.settle import Rules
from gateway.pipeline import Pipeline
from gateway.ports import Adapter, Context, Factory, Platform
from gateway.services import Services
from gateway.vault import VaultError

log = logging.getLogger("multihome.runtime")

END_PATIENCE_S = 0.5
CLOSE_PATIENCE_S = 1.5
OPEN_TIMEOUT_S = 60.0
TOLD_LONGEST_S = 3600.0
"""However late the hour that a platform names: a header that makes no sense must not silence an account for a day."""
PERMANENT = frozenset({FaultKind.SIGNED_OUT, FaultKind.CONFIG, FaultKind.INVALID})
"""Why an account can't be opened until the operator changes something and restarts."""


class Member(Struct, frozen=True):
    """One configured account: its platform, its settings, and how its unknown sends are settled."""

    account: AccountId
    platform: Platform
    settings: Any
    rules: Rules
    context: Context


class Rooms(Struct, frozen=True):
    """What an account is put to work in. ``importing`` lets one client library be loaded at a time."""

    services: Services
    monitor: Monitor
    outbox: Outbox
    pipeline: Pipeline
    adapters: dict[AccountId, Adapter]
    importing: asyncio.Lock


class Seat:
    """From :meth:`begin` until :meth:`leave` the account is connected, or one tries to connect it."""

    def __init__(self, member: Member, rooms: Rooms) -> None:
        self.account = member.account
        self.tried = asyncio.Event()
        """Set once it was tried to open the account, or won't be any more."""
        self._member = member
        self._monitor = rooms.monitor
        self._outbox = rooms.outbox
        self._pipeline = rooms.pipeline
        self._store = rooms.services.store
        self._clock = rooms.services.clock
        self._adapters = rooms.adapters
        self._importing = rooms.importing
        self._crew = Crew(self._clock)
        self._well = asyncio.Event()
        self._rescued = False

    def begin(self, before: asyncio.Task[None] | None = None) -> None:
        """Put the account to work, once what is left of the time ``before`` has ended."""
        self._monitor.take(self.account)
        self._crew.begin(f"{self.account} open", self._work(before))

    async def hush(self) -> None:
        """Listen and probe no more; what was heard may still be answered."""
        self.tried.set()  # a start that waits for it would never end
        await self._crew.stop(END_PATIENCE_S)

    async def leave(self, patience_s: float) -> None:
        """Shut the account. Answers under way may take ``patience_s``, and so may sends after them."""
        await self.hush()
        await self._pipeline.forget(self.account, patience_s)
        await self._outbox.close(self.account, patience_s)
        adapter = self._adapters.pop(self.account, None)
        if adapter is not None:
            await closed({self.account: adapter})

    def cheer(self) -> None:
        """The account is well again: no pause is worth waiting for."""
        self._well.set()

    async def connect(self) -> Adapter | Fault:
        """Only open the account; else why that can't be done, which the monitor is told as well."""
        opening = await opened(self._member, self._importing)
        if isinstance(opening, Fault):
            told = FaultKind.SIGNED_OUT if opening.kind in PERMANENT else opening.kind
            fault = structs.replace(opening, kind=told, evidence=f"can't be opened: {opening.evidence}")
            self._report(fault, Source.OPEN)
        else:
            self._adapters[self.account] = opening
        return opening

    async def _work(self, before: asyncio.Task[None] | None) -> None:
        """Until the account is at work, or can't be before the operator changes something."""
        if before is not None:
            await asyncio.wait((before,))
        self._crew.begin(f"{self.account} recovery", self._recover())
        failures = 0
        while (fault := await self._put_to_work()) is not None and fault.kind not in PERMANENT:
            self.tried.set()
            failures += 1
            await self._pause(failures, fault)
        self.tried.set()

    async def _recover(self) -> None:
        try:
            recovered = await self._pipeline.recover(self.account)
        except Exception:
            log.exception("%s: not every message that the last process left could be handed out again", self.account)
            return
        if recovered:
            told = "%s: %d messages were not answered by the last process: handing them out again"
            log.warning(told, self.account, recovered)

    async def _put_to_work(self) -> Fault | None:
        """Why it could not be, or nothing when it is."""
        try:
            if not self._rescued:
                await self._rescue()
            adapter = self._adapters.get(self.account) or await self.connect()
            if isinstance(adapter, Fault):
                return adapter
            self._monitor.introduce(self.account, adapter)
            await self._outbox.open(self.account, adapter, self._member.rules)
        except Exception as error:
            unknown = None if isinstance(error, StoreError) else error
            told = "%s: can't be put to work yet: %s"
            log.error(told, self.account, error, exc_info=unknown)  # noqa: TRY400 - a traceback only for surprises
            return _unforeseen(error)
        self._crew.supervise(f"{self.account} probe", lambda: self._monitor.watch(self.account, adapter))
        self._crew.supervise(f"{self.account} receive", lambda: self._receive(adapter))
        return None

    async def _rescue(self) -> None:
        rescued = await self._outbox.rescue(self.account, self._member.rules)
        self._rescued = True
        record = self._monitor.record(self.account)
        if record is not None and record.is_lost:
            self._outbox.stranded(self.account)  # what waited for that may take another road now
        if rescued:
            told = "%s: %d sends of the last process have an unknown outcome: asking the platform"
            log.warning(told, self.account, rescued)

    def _report(self, fault: Fault, source: Source = Source.RECEIVE) -> None:
        self._monitor.observe(self.account, Signal(source, self._clock.now(), fault.evidence, fault))

    async def _receive(self, adapter: Adapter) -> None:
        """Listen to the account for ever; after a fault go on from the stored cursor."""
        failures = 0
        while True:
            began, fault = self._clock.monotonic(), None
            try:
                await self._listen(adapter)
            except FaultError as error:
                fault = error.fault
                self._report(fault)
                log.warning("%s: receiving stopped: %s", self.account, error.fault.evidence)
            except LeaseLost:
                log.info("%s: another gateway listens to it now", self.account)
            except StoreError as error:
                log.error("%s: receiving rests: %s", self.account, error)  # noqa: TRY400 - it says it all
            except Exception as error:
                log.exception("%s: receiving failed", self.account)
                self._report(_unforeseen(error))  # only asks the probe: the mistake may hide a lost account
            failures = 1 if self._clock.monotonic() - began > RESTART_LONGEST_S else failures + 1
            await self._pause(failures, fault)

    async def _listen(self, adapter: Adapter) -> None:
        cursor = await self._store.cursor(self.account)
        if not self._outbox.holds(self.account):
            return
        async with aclosing(adapter.events(cursor)) as arrivals:  # type: ignore[type-var]  # adapters write generators
            async for events, cursor in arrivals:
                await self._pipeline.receive(self.account, events, cursor)

    async def _pause(self, failures: int, fault: Fault | None) -> None:
        """Growing pauses, and until the hour that the platform named. Cut short when the account is well again, but for
        a rate limit: it was well all along, and asking earlier only prolongs the limit.
        """
        pause_s = min(RESTART_LONGEST_S, RESTART_FIRST_S * 2 ** min(failures - 1, 10))
        pausing = self._clock.sleep(max(pause_s, self._told_s(fault)))
        if fault is not None and fault.kind is FaultKind.RATE_LIMITED:
            await pausing
            return
        self._well.clear()
        await rest(pausing, self._well)

    def _told_s(self, fault: Fault | None) -> float:
        if fault is None or fault.retry_at is None:
            return 0.0
        return min(TOLD_LONGEST_S, (fault.retry_at - self._clock.now()).total_seconds())


def _unforeseen(error: Exception) -> Fault:
    """What is no fault of an adapter's own telling. Its words stay out: they may hold an address with a token in it."""
    kind = FaultKind.NETWORK if isinstance(error, OSError) else FaultKind.UNKNOWN
    return Fault(kind, False, type(error).__name__)


async def opened(member: Member, importing: asyncio.Lock) -> Adapter | Fault:
    """The account's adapter, for the caller to close; else why it can't be had. Raises StoreError."""
    account = member.account
    try:
        async with importing:
            factory = await _factory(member.platform.factory)
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            return await factory(member.settings, member.context)
    except FaultError as error:
        log.warning("%s: can't be opened: %s", account, error.fault.evidence)
        return error.fault
    except TimeoutError:
        log.warning("%s: can't be opened within %.0f s", account, OPEN_TIMEOUT_S)
        return Fault(FaultKind.NETWORK, True, f"no answer within {OPEN_TIMEOUT_S:.0f} s")
    except StoreError:
        raise
    except VaultError as error:
        log.warning("%s: can't be opened: %s", account, error)
        return Fault(FaultKind.CONFIG, True, str(error))
    except ImportError as error:  # what isn't there won't be before a restart
        log.exception("%s: can't be opened", account)
        return Fault(FaultKind.CONFIG, True, type(error).__name__)
    except Exception as error:
        log.exception("%s: can't be opened", account)
        return _unforeseen(error)


async def closed(adapters: dict[AccountId, Adapter]) -> None:
    """Close these, all at once; one that hangs is left behind."""
    closing = [asyncio.create_task(_close(*item)) for item in adapters.items()]
    if closing:
        _, hanging = await asyncio.wait(closing, timeout=CLOSE_PATIENCE_S)
        for task in hanging:
            task.cancel()


async def _close(account: AccountId, adapter: Adapter) -> None:
    try:
        await adapter.aclose()
    except Exception:
        log.exception("%s: closing failed", account)


async def _factory(spelled: str) -> Factory:
    """An adapter's factory by name. Imported in a thread: the client libraries take their time."""
    module, _, name = spelled.partition(":")
    loaded = sys.modules.get(module) or await asyncio.to_thread(importlib.import_module, module)
    factory: Factory = getattr(loaded, name)
    return factory

"""Faults, probes and disconnects become an account's standing. Each transition is stored and published."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from msgspec import Struct, structs

from gateway.books import StoreError
from gateway.clock import rest
from gateway.model.capabilities import Idempotency, Profile
from gateway.model.delivery import Fault, FaultKind
from gateway.model.events import StandingChanged
from gateway.model.ids import AccountId
from gateway.model.standing import (
    GONE,
    MEANING,
    WEATHER,
    Record,
    Signal,
    Source,
    Standing,
    asks_probe,
    probe_pause,
    step,
)
from gateway.ports import Adapter, Introduces
from gateway.services import Services

log = logging.getLogger("multihome.monitor")

CONFIRM_S = 3.0
"""The longest pause between probes while it is open whether an account is well."""
RELAPSE = timedelta(minutes=2)
"""An account that a send finds lost so soon after the probe believed in it: the probe sees too little of it."""
NUDGE_GAP_S = 0.5
"""However many faults ask for it, probes of one account are at least this far apart."""
STORE_PAUSE_S = 1.0


class Pauses(Struct, frozen=True):
    """How often accounts are probed: a lost one's first and longest pause, a well one's routine."""

    first_s: float = 30.0
    longest_s: float = 1800.0
    routine_s: float = 900.0
    timeout_s: float = 40.0


class Monitor:
    """Keeps every account's record. What it says is what the whole gateway believes."""

    def __init__(self, services: Services, profiles: Mapping[AccountId, Profile], pauses: Pauses) -> None:
        self._store = services.store
        self._clock = services.clock
        self._bus = services.bus
        self._profiles = profiles
        self._pauses = pauses
        self._records: dict[AccountId, Record] = {}
        self._nudges: dict[AccountId, asyncio.Event] = {}
        self._unsaved: dict[AccountId, Record] = {}
        self._saving: asyncio.Task[None] | None = None
        self._doubted: set[AccountId] = set()
        self._relapses: dict[AccountId, int] = {}
        self._elsewhere: set[AccountId] = set()
        """Accounts that another process has: what it stored of them is believed."""
        self._calmed: set[AccountId] = set()
        """Accounts whose nudge asks for a new pause, fit for their new standing, instead of a probe."""
        self.remembers = True
        """Whether what it learns is stored, for other gateways and the next start to believe."""
        self.own_voices: frozenset[tuple[str, str]] = frozenset()
        """Platform and id of every account of ours, as far as it was ever known, whoever has it now."""
        self.on_cleared: Callable[[AccountId], None] = lambda _: None
        """Called when a doubt that kept an account from sending is gone."""

    async def load(self, *, connecting: bool = True) -> None:
        """Start from what the last process knew: a lost account stays lost until a probe says otherwise.

        The others begin anew, unless this process is not about to connect them.
        """
        known = {record.account: record for record in await self._store.records()}
        now, told = self._clock.now(), "the gateway started" if connecting else "never connected"
        for account in self._profiles:
            before = known.get(account) or Record(account, Standing.CONNECTING, now, told)
            kept = not connecting or before.standing in GONE | {Standing.LIMITED}
            self._records[account] = before if kept else before.anew(now, told)
            self._nudges[account] = asyncio.Event()
        self._know_ourselves()

    def take(self, account: AccountId) -> None:
        """The account is this process's from now on, and so is the word on it. What is not lost begins anew."""
        if account not in self._elsewhere:
            return
        self._elsewhere.remove(account)
        before = self._records[account]
        if before.standing not in GONE | {Standing.LIMITED}:
            self._records[account] = before.anew(self._clock.now(), "this gateway took it over")

    def leave(self, account: AccountId) -> None:
        """Another process has it, or soon will: what this one thinks of it doesn't count any more."""
        self._elsewhere.add(account)
        self._unsaved.pop(account, None)
        self._doubted.discard(account)
        self._relapses.pop(account, None)

    def introduce(self, account: AccountId, adapter: Adapter) -> None:
        """Remember who the account is, for all gateways and for the next start, as soon as its adapter knows."""
        who = adapter.identity() if isinstance(adapter, Introduces) else None
        if who is None or account in self._elsewhere or who == self._records[account].identity:
            return
        self._records[account] = structs.replace(self._records[account], identity=who)
        self._know_ourselves()
        self._save(self._records[account])

    def _know_ourselves(self) -> None:
        known = (record.identity for record in self._records.values())
        self.own_voices = frozenset((who.platform, who.id) for who in known if who is not None)

    def told(self, records: Iterable[Record]) -> None:
        """What is stored of the accounts. Of those elsewhere it is believed and published; of our own it is put right
        where a process that had the account before wrote last.
        """
        for stored in records:
            known = self._records.get(stored.account)
            if known is None or known == stored:
                continue
            if stored.account in self._elsewhere:
                self._records[stored.account] = stored
                self._know_ourselves()
                if stored.standing is not known.standing:
                    self._publish(known, stored)
            elif known.standing not in (stored.standing, Standing.CONNECTING):
                self._save(known)

    def _publish(self, before: Record, after: Record) -> None:
        change = StandingChanged(after.account, before.standing, after.standing, after.evidence, self._clock.now())
        self._bus.publish(change)

    def record(self, account: AccountId) -> Record | None:
        return self._records.get(account)

    def records(self) -> tuple[Record, ...]:
        return tuple(self._records.values())

    def can_send(self, account: AccountId) -> bool:
        """Whether posts may leave now. Where a lost send can never be settled, a first one is enough to wait for the
        probe: an outage must not make a whole queue uncertain.
        """
        record = self._records.get(account)
        return record is not None and record.can_send and account not in self._doubted

    def observe(self, account: AccountId, signal: Signal) -> None:
        """Take an observation in: at once in memory, soon in the database."""
        if account in self._elsewhere:
            return
        before = self._records[account]
        after = step(before, signal, probe_sees_lock=self._profiles[account].probe_sees_lock)
        if asks_probe(signal):
            self._nudges[account].set()
            self._doubt(account, signal)
        if after is before:
            return
        self._records[account] = after
        if after.standing is before.standing:
            if after.retry_at != before.retry_at:
                self._save(after)
            return
        self._save(after)
        if signal.source is not Source.PROBE:
            if self._relapsed(before, after):
                self._calmed.add(account)
            self._nudges[account].set()
        level = logging.INFO if after.standing is Standing.HEALTHY else logging.WARNING
        cure = "" if after.standing is Standing.HEALTHY else f"; to do: {MEANING[after.standing].cure}"
        log.log(level, "%s: %s -> %s (%s)%s", account, before.standing, after.standing, after.evidence, cure)
        self._bus.publish(StandingChanged(account, before.standing, after.standing, after.evidence, signal.at))

    def _relapsed(self, before: Record, after: Record) -> bool:
        """Whether the probe was wrong just now. Then it rests, ever longer: else the account would come and go."""
        if after.can_send:
            return False
        believed = before.standing is Standing.HEALTHY and before.evidence.startswith(Source.PROBE)
        wrong = believed and after.since - before.since < RELAPSE and after.account in self._relapses
        self._relapses[after.account] = self._relapses[after.account] + 1 if wrong else 0
        return wrong

    def _doubt(self, account: AccountId, signal: Signal) -> None:
        unsettled = self._profiles[account].idempotency is Idempotency.NONE and signal.source is Source.SEND
        if unsettled and signal.fault is not None and signal.fault.kind in WEATHER:
            self._doubted.add(account)

    def resume(self, account: AccountId) -> None:
        """The operator says that the account works again."""
        self.observe(account, Signal(Source.OPERATOR, self._clock.now(), "the operator resumed it"))
        self._calmed.discard(account)
        self._nudges[account].set()

    async def watch(self, account: AccountId, adapter: Adapter) -> None:
        """Probe one account for ever: routinely while well, ever more rarely while not, at once when asked."""
        failed = 0
        while True:
            self._nudges[account].clear()
            signal = await self.probe(account, adapter)
            failed = failed + 1 if signal.fault is not None else 0
            self.observe(account, signal)
            self.introduce(account, adapter)
            if account in self._doubted and (signal.fault is None or signal.fault.kind not in WEATHER):
                self._doubted.remove(account)
                self.on_cleared(account)
            await self._rest(account, failed)

    async def stop(self, patience_s: float = 2.0) -> None:
        """Wait until every transition is stored, or until a database that fails has had its time."""
        if self._saving is not None:
            await asyncio.wait((self._saving,), timeout=patience_s)
            self._saving.cancel()

    async def probe(self, account: AccountId, adapter: Adapter) -> Signal:
        """A read-only look at the account. Never fails: what went wrong is in the signal."""
        try:
            async with asyncio.timeout(self._pauses.timeout_s):
                return await adapter.check()
        except TimeoutError:
            fault = Fault(FaultKind.NETWORK, True, "the probe timed out")
        except Exception as error:
            log.exception("%s: the probe failed", account)
            fault = Fault(FaultKind.UNKNOWN, True, f"the probe failed with {type(error).__name__}")
        return Signal(Source.PROBE, self._clock.now(), fault.evidence, fault)

    async def _rest(self, account: AccountId, failed: int) -> None:
        """Until the next probe is due or somebody asks for one."""
        await self._clock.sleep(min(NUDGE_GAP_S, self._pauses.first_s))
        await self._pause_or_nudge(account, failed)
        while account in self._calmed:
            self._calmed.remove(account)
            self._nudges[account].clear()
            await self._pause_or_nudge(account, failed)

    async def _pause_or_nudge(self, account: AccountId, failed: int) -> None:
        await rest(self._clock.sleep(self._pause(account, failed).total_seconds()), self._nudges[account])

    def _pause(self, account: AccountId, failed: int) -> timedelta:
        record = self._records[account]
        if record.standing is Standing.HEALTHY and failed == 0:
            return timedelta(seconds=self._pauses.routine_s)
        if record.standing in (Standing.CONNECTING, Standing.DEGRADED, Standing.HEALTHY):
            return timedelta(seconds=min(CONFIRM_S, self._pauses.first_s))
        times = max(0, failed - 1) + self._relapses.get(account, 0)
        grown = probe_pause(times, first_s=self._pauses.first_s, longest_s=self._pauses.longest_s)
        if record.standing is Standing.LIMITED and record.retry_at is not None:
            # Until then no probe brings it back, but it may be lost for another reason.
            until = min(record.retry_at - self._clock.now(), timedelta(seconds=self._pauses.routine_s))
            return max(timedelta(seconds=self._pauses.first_s), until)
        return grown

    def _save(self, record: Record) -> None:
        if not self.remembers:
            return
        self._unsaved[record.account] = record
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save_all())

    async def _save_all(self) -> None:
        """All that wait at once: at a start, that is every account."""
        while self._unsaved:
            records = [*self._unsaved.values()]
            outcomes = await asyncio.gather(*map(self._store.save_record, records), return_exceptions=True)
            failed = []
            for record, error in zip(records, outcomes, strict=True):
                if error is not None:
                    failed.append((record.account, error))
                elif self._unsaved.get(record.account) is record:
                    del self._unsaved[record.account]
            if failed:
                account, error = failed[0]
                unknown = None if isinstance(error, StoreError) else error
                told = "%s: storing its standing failed, trying again: %s"
                log.error(told, account, error, exc_info=unknown)
                await self._clock.sleep(STORE_PAUSE_S)

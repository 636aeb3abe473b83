"""An account's standing: what it can do now, what said so, and which signal leads where."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, structs

from gateway.model.delivery import Fault, FaultKind
from gateway.model.identity import Identity
from gateway.model.ids import AccountId


class Standing(StrEnum):
    CONNECTING = "connecting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    LIMITED = "limited"
    SIGNED_OUT = "signed_out"
    LOCKED = "locked"
    SUSPENDED = "suspended"
    OFFLINE = "offline"


class Meaning(Struct, frozen=True):
    """What a standing allows, and what a human has to do about it."""

    can_send: bool
    can_receive: bool
    cure: str


MEANING: dict[Standing, Meaning] = {
    Standing.CONNECTING: Meaning(False, False, "nothing: the gateway is connecting"),
    Standing.HEALTHY: Meaning(True, True, "nothing"),
    Standing.DEGRADED: Meaning(True, True, "nothing yet: the platform answers badly, the gateway is looking into it"),
    Standing.LIMITED: Meaning(False, True, "wait for the platform's window, or buy credits where it asks for them"),
    Standing.SIGNED_OUT: Meaning(False, False, "give the account a valid credential and restart, or run doctor"),
    Standing.LOCKED: Meaning(
        False, True, "sign in at the platform, unlock the account, then `multihome accounts resume`"
    ),
    Standing.SUSPENDED: Meaning(False, False, "appeal at the platform; the gateway probes and returns by itself"),
    Standing.OFFLINE: Meaning(False, False, "nothing: the platform can't be reached, the gateway keeps trying"),
}

GONE = frozenset({Standing.SIGNED_OUT, Standing.LOCKED, Standing.SUSPENDED})
"""Lost by the platform's decision, as against lost by weather."""


class Source(StrEnum):
    """Who noticed."""

    OPEN = "open"
    SEND = "send"
    RECEIVE = "receive"
    PROBE = "probe"
    OPERATOR = "operator"


class Signal(Struct, frozen=True):
    """One observation. Without a fault it says: the account works (as far as its source can see)."""

    source: Source
    at: datetime
    evidence: str = ""
    fault: Fault | None = None


class Loss(Struct, frozen=True):
    """The time in which readers miss an account, whatever its standings are called in between. ``until`` is when it
    could send again.
    """

    since: datetime
    until: datetime | None = None


class Record(Struct, frozen=True):
    """An account's standing with what led to it. ``failures`` counts failed probes in a row; ``identity`` is who the
    account is on its platform, once that was known; ``loss`` is its last one.
    """

    account: AccountId
    standing: Standing
    since: datetime
    evidence: str = ""
    failures: int = 0
    retry_at: datetime | None = None
    identity: Identity | None = None
    loss: Loss | None = None

    @property
    def can_send(self) -> bool:
        return MEANING[self.standing].can_send

    @property
    def is_lost(self) -> bool:
        """Whether its posts need another road. One that is connecting is waited for."""
        return not self.can_send and self.standing is not Standing.CONNECTING

    @property
    def lost_since(self) -> datetime:
        """What names the present loss. Records of before there were losses have only their standing's hour."""
        return self.loss.since if self.loss is not None and self.loss.until is None else self.since

    def anew(self, at: datetime, told: str) -> Record:
        """Somebody starts with this account: who it is and what befell it stays."""
        return Record(self.account, Standing.CONNECTING, at, told, identity=self.identity, loss=self.loss)


EXPLICIT: dict[FaultKind, Standing] = {
    FaultKind.SUSPENDED: Standing.SUSPENDED,
    FaultKind.LOCKED: Standing.LOCKED,
    FaultKind.SIGNED_OUT: Standing.SIGNED_OUT,
    FaultKind.QUOTA: Standing.LIMITED,
}
"""Evidence that acts at once, whoever saw it."""

WEATHER = frozenset({FaultKind.NETWORK, FaultKind.SERVER})
SUSPICIOUS = frozenset({FaultKind.FORBIDDEN, FaultKind.UNKNOWN, FaultKind.CONFLICT}) | WEATHER
"""Says nothing by itself: the probe is asked."""

LIMITED_AT_LEAST = timedelta(minutes=15)
"""Where the platform doesn't say when a spent account may come back: reads go on working, so no probe can tell."""
RELAPSE = timedelta(minutes=10)
"""An account lost again so soon after it was back is, to its readers, lost still."""
OFFLINE_AFTER = 3
"""Probes, or tries to open the account, that must fail in a row before it counts as an outage."""


def asks_probe(signal: Signal) -> bool:
    """Whether this observation deserves a look by the read-only probe."""
    unprobed = signal.source not in (Source.PROBE, Source.OPEN)
    return unprobed and signal.fault is not None and signal.fault.kind in SUSPICIOUS


def step(record: Record, signal: Signal, *, probe_sees_lock: bool) -> Record:
    """The account's record after a signal. The same object comes back when nothing changed.

    The false-alarm guard is here: explicit evidence acts at once, weather only after
    :data:`OFFLINE_AFTER` failed probes, an ambiguous refusal never. An account that can't even be opened has had as
    many tries.
    """
    if signal.fault is None:
        return _after_success(record, signal, probe_sees_lock=probe_sees_lock)
    target = EXPLICIT.get(signal.fault.kind)
    if target is not None:
        return _moved(record, target, signal)
    if signal.source is Source.PROBE and signal.fault.kind in SUSPICIOUS:
        return _after_failed_probe(record, signal)
    if signal.source is Source.OPEN and signal.fault.kind in SUSPICIOUS:
        return _after_failed_opening(record, signal)
    return record


def _after_success(record: Record, signal: Signal, *, probe_sees_lock: bool) -> Record:
    if record.standing is Standing.LOCKED and not probe_sees_lock and signal.source is not Source.OPERATOR:
        return record
    early = record.retry_at is not None and signal.at < record.retry_at
    if record.standing is Standing.LIMITED and early and signal.source is not Source.OPERATOR:
        return record
    if record.standing is not Standing.HEALTHY and signal.source in (Source.PROBE, Source.OPERATOR):
        return _moved(record, Standing.HEALTHY, signal)
    return structs.replace(record, failures=0) if record.failures else record


def _after_failed_probe(record: Record, signal: Signal) -> Record:
    if record.standing in GONE:
        return record
    failures = record.failures + 1
    if failures >= OFFLINE_AFTER and signal.fault is not None and signal.fault.kind in WEATHER:
        return structs.replace(_moved(record, Standing.OFFLINE, signal), failures=failures)
    calm = record.standing in (Standing.HEALTHY, Standing.CONNECTING)
    after = _moved(record, Standing.DEGRADED, signal) if calm else record
    return structs.replace(after, failures=failures)


def _after_failed_opening(record: Record, signal: Signal) -> Record:
    """Nothing can leave an account that isn't open, whatever the cause: in the end that is as good as an outage."""
    if record.standing is not Standing.CONNECTING:
        return record
    failures = record.failures + 1
    after = _moved(record, Standing.OFFLINE, signal) if failures >= OFFLINE_AFTER else record
    return structs.replace(after, failures=failures)


def _moved(record: Record, to: Standing, signal: Signal) -> Record:
    retry_at = signal.fault.retry_at if signal.fault else None
    if record.standing is to:
        return structs.replace(record, retry_at=retry_at) if retry_at not in (None, record.retry_at) else record
    if to is Standing.LIMITED and retry_at is None:
        retry_at = signal.at + LIMITED_AT_LEAST
    evidence = signal.evidence or (signal.fault.evidence if signal.fault else "")
    loss = _loss(record, to, signal.at)
    return Record(record.account, to, signal.at, f"{signal.source}: {evidence}", 0, retry_at, record.identity, loss)


def _loss(record: Record, to: Standing, at: datetime) -> Loss | None:
    last = record.loss or (Loss(record.since) if record.standing in GONE else None)
    if to in GONE:
        return Loss(last.since) if last is not None and (last.until or at) >= at - RELAPSE else Loss(at)
    if last is not None and last.until is None and MEANING[to].can_send:
        return Loss(last.since, at)
    return last


def probe_pause(failed: int, *, first_s: float, longest_s: float) -> timedelta:
    """How long to rest before the next probe of an account that is not well: doubles up to ``longest_s``."""
    return timedelta(seconds=min(longest_s, first_s * 2 ** min(failed, 20)))

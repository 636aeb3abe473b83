"""The border: what a client library throws becomes a :class:`Fault` by the platform's table.

An adapter says what its library's exception *told* (:class:`Told`), its profile lists what that means
(:class:`Rule`, first match wins), and :func:`crossing` puts both together. What no rule knows is UNKNOWN,
uncertain, and logged loudly.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType

from msgspec import Struct

from gateway.model.capabilities import LaneState
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.ids import ConversationId

log = logging.getLogger("multihome.border")

EVIDENCE_MAX = 300

_UNCLEAR = frozenset({FaultKind.NETWORK, FaultKind.SERVER, FaultKind.UNKNOWN})
"""Kinds that leave open whether something was sent, unless a rule knows better."""


class Told(Struct, frozen=True):
    """What a library's exception said, without its types.

    ``reached`` is False when the request provably never left (refused connection, no pool slot).
    """

    text: str
    status: int | None = None
    codes: tuple[str, ...] = ()
    reached: bool = True
    retry_at: datetime | None = None
    moved_to: ConversationId | None = None
    lanes: tuple[LaneState, ...] = ()


class Rule(Struct, frozen=True):
    """One row of a platform's fault table: every condition that is given must hold.

    ``text`` is looked for without regard to case. ``certain`` False: it may have been sent all the same. Where it isn't
    given, it goes by the kind: NETWORK, SERVER and UNKNOWN are not certain, all others are.
    """

    kind: FaultKind
    status: int | None = None
    code: str | None = None
    text: str | None = None
    certain: bool | None = None
    source: str = ""
    """Where the fact comes from."""

    def matches(self, told: Told) -> bool:
        return (
            (self.status is None or self.status == told.status)
            and (self.code is None or self.code in told.codes)
            and (self.text is None or self.text.casefold() in told.text.casefold())
        )


def judge(told: Told, rules: Sequence[Rule]) -> Fault:
    """The fault that a platform's table gives for what was told. Pure."""
    for rule in rules:
        if rule.matches(told):
            certain = rule.certain if rule.certain is not None else rule.kind not in _UNCLEAR
            return _fault(rule.kind, certain, told)
    if not told.reached:
        return _fault(FaultKind.NETWORK, True, told)
    if told.status is None:
        return _fault(FaultKind.UNKNOWN, False, told)
    if told.status >= 500:
        return _fault(FaultKind.SERVER, False, told)
    return _fault(
        FaultKind.FORBIDDEN if told.status in (401, 403) else FaultKind.UNKNOWN, told.status in (401, 403), told
    )


def _fault(kind: FaultKind, certain: bool, told: Told) -> Fault:
    return Fault(kind, certain, _evidence(told), told.retry_at, told.moved_to, told.lanes)


def _evidence(told: Told) -> str:
    words = " ".join(told.text.split()) or "no text"
    head = " ".join(str(item) for item in (told.status, *told.codes) if item is not None)
    return f"{head}: {words}"[:EVIDENCE_MAX] if head else words[:EVIDENCE_MAX]


class Crossing:
    """See :func:`crossing`. A class, because it stands around every send and a generator costs three times as much."""

    __slots__ = ("_describe", "_doing", "_rules")

    def __init__(self, describe: Callable[[Exception], Told | None], rules: Sequence[Rule], doing: str) -> None:
        self._describe = describe
        self._rules = rules
        self._doing = doing

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, FaultError):
            raise FaultError(self._fault(error)) from error

    def _fault(self, error: Exception) -> Fault:
        told = _described(self._describe, error, self._doing)
        if told is None and isinstance(error, TimeoutError):
            return Fault(FaultKind.NETWORK, False, f"{self._doing}: timed out")
        if told is None:
            _log_places("%s: an exception no rule knows (%s)\n%s", self._doing, error)
            return Fault(FaultKind.UNKNOWN, False, f"{self._doing}: {type(error).__name__}")
        fault = judge(told, self._rules)
        if fault.kind is FaultKind.UNKNOWN:
            log.error("%s: no rule for: %s", self._doing, fault.evidence)
        return fault


def crossing(describe: Callable[[Exception], Told | None], rules: Sequence[Rule], *, doing: str) -> Crossing:
    """``async with`` this around a library call: anything it throws leaves as :class:`FaultError`.

    ``describe`` returns ``None`` for an exception it doesn't know. A cancelled call stays cancelled (the caller
    decides what that means); a time-out is an uncertain NETWORK fault unless ``describe`` knows better.
    """
    return Crossing(describe, rules, doing)


def _described(describe: Callable[[Exception], Told | None], error: Exception, doing: str) -> Told | None:
    """What ``describe`` says; nothing where it stumbles itself, say over an error body of a new shape."""
    try:
        return describe(error)
    except Exception as stumble:  # noqa: BLE001 - whatever it is, the first error is the one that counts
        _log_places("%s: can't be described, a mistake in the adapter (%s)\n%s", doing, stumble)
        return None


def _log_places(message: str, doing: str, error: Exception) -> None:
    """Log where an exception came from, but not its words: they may hold an address with a token in it."""
    places = "".join(traceback.format_tb(error.__traceback__))
    log.error(message, doing, type(error).__name__, places)

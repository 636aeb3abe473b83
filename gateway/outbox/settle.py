"""What one attempt means for its delivery. Pure: delivery, receipt or fault, and now give the next state."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from gateway.books import Settlement
from gateway.model.capabilities import Idempotency, Profile
from gateway.model.delivery import Delivery, Fault, FaultKind, Part, Receipt, State
from gateway.ports import Unsure

RETRY_FIRST_S = 1.0
RETRY_LONGEST_S = 300.0
FORBIDDEN_TRIES = 3
"""How often an ambiguous refusal is tried again (the account being probed meanwhile) before it is believed."""
ASK_TRIES = 8
"""How often a platform that can't say yet is asked about an unknown send before the operator is."""

RESENT = "resent although maybe sent"
"""What a delivery that may be there twice says of itself, to its end."""

RETRIED = frozenset(
    {
        FaultKind.NETWORK,
        FaultKind.SERVER,
        FaultKind.RATE_LIMITED,
        FaultKind.CONFLICT,
        FaultKind.CANCELLED,
        FaultKind.MEDIA_PENDING,
    }
)
REROUTED = frozenset({FaultKind.SUSPENDED, FaultKind.LOCKED, FaultKind.SIGNED_OUT, FaultKind.QUOTA})
"""The account is at fault: the delivery stays queued, and the rerouter decides its road."""


class Rules(Struct, frozen=True):
    """What settling depends on besides the attempt."""

    profile: Profile
    on_uncertain: Literal["hold", "resend"] = "hold"


def after_receipt(delivery: Delivery, part: Part, receipt: Receipt, now: datetime) -> Settlement:
    """The platform has this part: on to the next one, or done."""
    last = delivery.parts is None or part.index >= len(delivery.parts) - 1
    going_on = State.SENDING if delivery.state is State.SENDING else State.QUEUED
    state = State.DELIVERED if last else going_on
    told = delivery.reason if delivery.reason.startswith(RESENT) else ""
    return Settlement(state, now, told, receipt, part.kind, part.conversation)


def after_fault(delivery: Delivery, fault: Fault, rules: Rules, now: datetime) -> Settlement:
    """The attempt failed. Only what is certainly not sent is queued again or refused."""
    if fault.kind is FaultKind.DUPLICATE:
        return _duplicate(fault, rules, now)
    if not fault.certain:
        return _uncertain(delivery.attempts, fault, rules, now)
    if fault.kind in REROUTED:
        return Settlement(State.QUEUED, now, _reason(fault))
    if fault.kind in RETRIED:
        return Settlement(State.QUEUED, _retry_at(delivery.attempts, fault, now), _reason(fault))
    if fault.kind is FaultKind.FORBIDDEN and delivery.attempts < FORBIDDEN_TRIES:
        return Settlement(State.QUEUED, _retry_at(delivery.attempts, fault, now), _reason(fault))
    return Settlement(State.REFUSED, None, _reason(fault))


def after_asking(
    delivery: Delivery, part: Part, answer: Receipt | Unsure, rules: Rules, now: datetime, *, asked: int
) -> Settlement:
    """The platform was asked whether an unknown send arrived."""
    if isinstance(answer, Receipt):
        return after_receipt(delivery, part, answer, now)
    if answer is Unsure.NOT_SENT:
        if delivery.reason.startswith(FaultKind.DUPLICATE):
            return Settlement(State.REFUSED, None, delivery.reason)
        return Settlement(State.QUEUED, now, "asked: it was not sent")
    if asked >= ASK_TRIES:
        return Settlement(State.UNCERTAIN, None, f"the platform can't say whether it was sent: {delivery.reason}")
    rest_s = min(RETRY_LONGEST_S, rules.profile.settle_after_s * 2**asked)
    return Settlement(State.UNCERTAIN, now + timedelta(seconds=rest_s), delivery.reason)


def may_repeat(delivery: Delivery, profile: Profile, now: datetime) -> bool:
    """Whether sending an uncertain part again is harmless: it has a key, and the platform still honours it. What was
    called a duplicate in spite of its key would be again.
    """
    keyed = delivery.parts is not None and bool(delivery.parts[len(delivery.sent)].key)
    if profile.idempotency is not Idempotency.KEYED or not keyed or delivery.reason.startswith(FaultKind.DUPLICATE):
        return False
    return profile.key_lifetime_s is None or now - delivery.created_at < timedelta(seconds=profile.key_lifetime_s)


def unasked(rules: Rules, reason: str, now: datetime) -> Settlement:
    """An unknown send on a platform that can neither be asked nor repeated to: the operator's choice."""
    if reason.startswith(FaultKind.DUPLICATE):
        return Settlement(State.REFUSED, None, reason)
    if rules.on_uncertain == "resend":
        return Settlement(State.QUEUED, now, f"{RESENT}: {reason}")
    return Settlement(State.UNCERTAIN, None, f"maybe sent: {reason}")


def _uncertain(attempts: int, fault: Fault, rules: Rules, now: datetime) -> Settlement:
    if rules.profile.idempotency is Idempotency.NONE:
        return unasked(rules, _reason(fault), now)
    rest_s = min(RETRY_LONGEST_S, rules.profile.settle_after_s * 2 ** min(max(0, attempts - 1), 16))
    return Settlement(State.UNCERTAIN, max(now + timedelta(seconds=rest_s), fault.retry_at or now), _reason(fault))


def _duplicate(fault: Fault, rules: Rules, now: datetime) -> Settlement:
    """The platform has this text: ours when an earlier attempt may have arrived, so it is read back."""
    if rules.profile.idempotency is Idempotency.NONE:
        return Settlement(State.REFUSED, None, _reason(fault))
    return Settlement(State.UNCERTAIN, now + timedelta(seconds=rules.profile.settle_after_s), _reason(fault))


def _retry_at(attempts: int, fault: Fault, now: datetime) -> datetime:
    backoff = timedelta(seconds=min(RETRY_LONGEST_S, RETRY_FIRST_S * 2 ** min(attempts, 16)))
    return max(fault.retry_at, now) if fault.retry_at is not None else now + backoff


def _reason(fault: Fault) -> str:
    return f"{fault.kind}: {fault.evidence}"

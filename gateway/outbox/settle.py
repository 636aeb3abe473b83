"""What one attempt means for its delivery. Pure: delivery, receipt or fault, and now give the next state."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct, structs

from gateway.books import Settlement
from gateway.model.capabilities import Idempotency, Profile
from gateway.model.delivery import CHANGES, RESENT, Delivery, Fault, FaultKind, Part, Receipt, State, marked
from gateway.model.manner import USUAL, Manner
from gateway.outbox.revision import is_repeatable
from gateway.ports import Unsure

Choice = Literal["sent", "resend", "drop"]

RETRY_FIRST_S = 1.0
RETRY_LONGEST_S = 300.0
FORBIDDEN_TRIES = 3
"""How often an ambiguous refusal is tried again (the account being probed meanwhile) before it is believed."""
ASK_TRIES = 8
"""How often a platform that can't say yet is asked about an unknown send before the operator is."""

SEEN = "the operator saw it"
REFUSED_AGAIN = "refused when it was repeated"
"""Says nothing of the first time: what it answers may be gone since, and the key is looked at last."""

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
    manner: Manner = USUAL


def after_receipt(delivery: Delivery, part: Part, receipt: Receipt, now: datetime) -> Settlement:
    """The platform has this part: on to the next one, or done."""
    last = delivery.parts is None or len(delivery.sent) >= len(delivery.parts) - 1
    going_on = State.SENDING if delivery.state is State.SENDING else State.QUEUED
    state = State.DELIVERED if last else going_on
    told = delivery.reason if delivery.reason.startswith((RESENT, SEEN)) else ""
    return Settlement(state, now, told, receipt, part.kind, part.conversation)


def after_fault(delivery: Delivery, fault: Fault, rules: Rules, now: datetime, *, doubtful: bool = False) -> Settlement:
    """The attempt failed. Only what is certainly not sent is queued again or refused: never what is ``doubtful``, a
    repeat under its key. That this request did nothing says nothing of the one before it.
    """
    if is_repeatable(delivery):
        settlement = _after_change(delivery, fault, rules, now)
    else:
        settlement = _after_fault(delivery, fault, rules, now, doubtful=doubtful)
    return structs.replace(settlement, reason=marked(delivery.reason, settlement.reason))


def _after_fault(delivery: Delivery, fault: Fault, rules: Rules, now: datetime, *, doubtful: bool) -> Settlement:
    if fault.kind is FaultKind.DUPLICATE:
        return _duplicate(fault, rules, now)
    if not fault.certain:
        return _uncertain(delivery.attempts, fault, rules, now)
    again = State.UNCERTAIN if doubtful else State.QUEUED
    if fault.kind in REROUTED:
        return Settlement(again, now, _reason(fault))
    if fault.kind in RETRIED:
        return Settlement(again, _retry_at(delivery.attempts, fault, now), _reason(fault))
    return _refused(delivery, fault, now, doubtful=doubtful)


def _after_change(delivery: Delivery, fault: Fault, rules: Rules, now: datetime) -> Settlement:
    """Whether it was done makes no difference: it is done again."""
    if fault.kind is FaultKind.DUPLICATE:
        return Settlement(State.REFUSED, None, _reason(fault))
    if fault.certain:
        return _after_fault(delivery, fault, rules, now, doubtful=False)
    if fault.kind is FaultKind.UNKNOWN and delivery.attempts >= ASK_TRIES:
        return Settlement(State.UNCERTAIN, None, f"maybe done: {_reason(fault)}")
    return Settlement(State.QUEUED, _retry_at(delivery.attempts, fault, now), _reason(fault))


def _refused(delivery: Delivery, fault: Fault, now: datetime, *, doubtful: bool) -> Settlement:
    if doubtful:
        return Settlement(State.UNCERTAIN, now, f"{REFUSED_AGAIN}: {_reason(fault)}")
    if fault.kind is FaultKind.FORBIDDEN and delivery.attempts < FORBIDDEN_TRIES:
        return Settlement(State.QUEUED, _retry_at(delivery.attempts, fault, now), _reason(fault))
    return Settlement(State.REFUSED, None, _reason(fault))


def must_follow(delivery: Delivery, fault: Fault, *, doubtful: bool) -> bool:
    """Whether the conversation is elsewhere now, and what is unsent can go there. What was said didn't move."""
    has_moved = fault.kind is FaultKind.MOVED and fault.moved_to is not None
    return has_moved and fault.certain and not doubtful and delivery.draft.revises is None


def moved(delivery: Delivery, fault: Fault, now: datetime) -> Settlement:
    """The conversation has another id now: what is unsent will go there."""
    return Settlement(State.QUEUED, now, marked(delivery.reason, _reason(fault)))


def after_asking(
    delivery: Delivery, part: Part, answer: Receipt | Unsure, rules: Rules, now: datetime, *, asked: int
) -> Settlement:
    """The platform was asked whether an unknown send arrived."""
    if isinstance(answer, Receipt):
        return after_receipt(delivery, part, answer, now)
    if answer is Unsure.NOT_SENT:
        if _unmarked(delivery.reason).startswith(FaultKind.DUPLICATE):
            return Settlement(State.REFUSED, None, delivery.reason)
        return Settlement(State.QUEUED, now, marked(delivery.reason, "asked: it was not sent"))
    if asked >= ASK_TRIES:
        why = f"the platform can't say whether it was sent: {_unmarked(delivery.reason)}"
        return Settlement(State.UNCERTAIN, None, marked(delivery.reason, why))
    rest_s = min(RETRY_LONGEST_S, rules.profile.settle_after_s * 2**asked)
    return Settlement(State.UNCERTAIN, now + timedelta(seconds=rest_s), delivery.reason)


def may_repeat(delivery: Delivery, profile: Profile, now: datetime) -> bool:
    """Whether sending an uncertain part again is harmless: it has a key, and the platform still honours it. What was
    called a duplicate in spite of its key, or refused, would be again.
    """
    if is_repeatable(delivery):
        return True
    keyed = delivery.parts is not None and bool(delivery.parts[len(delivery.sent)].key)
    hopeless = _unmarked(delivery.reason).startswith((FaultKind.DUPLICATE, REFUSED_AGAIN))
    if profile.idempotency is not Idempotency.KEYED or not keyed or hopeless:
        return False
    return profile.key_lifetime_s is None or now - delivery.created_at < timedelta(seconds=profile.key_lifetime_s)


def unasked(rules: Rules, reason: str, now: datetime) -> Settlement:
    """An unknown send on a platform that can neither be asked nor repeated to: the operator's choice."""
    if _unmarked(reason).startswith(FaultKind.DUPLICATE):
        return Settlement(State.REFUSED, None, reason)
    why = _unmarked(reason) or "the gateway ended before the answer came"
    if rules.on_uncertain == "resend":
        return Settlement(State.QUEUED, now, f"{RESENT}: {why}")
    return Settlement(State.UNCERTAIN, None, marked(reason, f"maybe sent: {why}"))


def next_part(delivery: Delivery) -> Part:
    """The first unsent part of a planned delivery, told what it follows."""
    part = (delivery.parts or ())[len(delivery.sent)]
    said = zip(delivery.parts or (), delivery.sent, strict=False)
    # The operator may not have said where it is.
    known = [receipt.ref for before, receipt in said if receipt.ref and before.kind not in CHANGES]
    return structs.replace(part, first=part.first or known[0], previous=known[-1]) if known else part


def by_operator(delivery: Delivery, choice: Choice, found: Receipt, now: datetime) -> Settlement:
    """What the operator makes of an unknown send: it counts as sent (and the parts behind it go on), it goes out again
    although it may be there, or nothing more of it does. ``found`` is where it is, as far as the operator said.
    """
    match choice:
        case "sent":
            part = (delivery.parts or (Part(0, "", "", {}),))[len(delivery.sent)]
            seen = structs.replace(delivery, reason=marked(delivery.reason, SEEN))
            return after_receipt(seen, part, found, now)
        case "resend":
            return Settlement(State.QUEUED, now, f"{RESENT}: the operator chose so")
        case "drop":
            return Settlement(State.REFUSED, None, marked(delivery.reason, "maybe sent; dropped by the operator"))


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


def _unmarked(reason: str) -> str:
    return reason.removeprefix(RESENT).removeprefix(": ")


def _reason(fault: Fault) -> str:
    return f"{fault.kind}: {fault.evidence}"

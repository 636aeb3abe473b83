"""The desk's answers, a row for each thing, in plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.books import Doubt
from gateway.model.content import plain
from gateway.model.delivery import Delivery, State
from gateway.model.events import MessageReceived
from gateway.model.identity import Person
from gateway.model.ids import AccountId
from gateway.model.standing import MEANING, Record, Standing
from gateway.unanswered import StoredEvent


def account_row(record: Record, counts: Mapping[State, int]) -> dict[str, Any]:
    meaning = MEANING[record.standing]
    return {
        "account": record.account,
        "standing": record.standing,
        "since": record.since.isoformat(),
        "evidence": record.evidence,
        "can_send": meaning.can_send,
        "cure": "" if record.standing is Standing.HEALTHY else meaning.cure,
        "deliveries": {str(state): number for state, number in counts.items()},
    }


def check_row(account: AccountId, fault: str | None, evidence: str) -> dict[str, Any]:
    """``fault`` is what is wrong; what was found stands in ``evidence`` either way."""
    return {"account": account, "ok": fault is None, "fault": fault, "evidence": evidence}


def delivery_row(delivery: Delivery) -> dict[str, Any]:
    revises = delivery.draft.revises
    return {
        "id": delivery.id,
        "account": delivery.account,
        "home": delivery.home,
        "state": delivery.state,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "created_at": delivery.created_at.isoformat(),
        "due_at": delivery.due_at.isoformat() if delivery.due_at else None,
        "parts": len(delivery.parts or ()),
        "refs": [receipt.ref for receipt in delivery.sent if receipt.ref],
        "urls": [receipt.url for receipt in delivery.sent if receipt.url],
        "announcement": delivery.draft.announcement,
        "change": revises.change if revises else None,
        "changes": revises.delivery if revises else None,
    }


def doubt_row(doubt: Doubt) -> dict[str, Any]:
    """``why`` is the reason without what goes without saying here."""
    delivery = doubt.delivery
    why = delivery.reason
    for prefix in ("the platform can't say whether it was sent: ", "maybe sent: "):
        why = why.removeprefix(prefix)
    document = delivery.draft.document
    return {
        **delivery_row(delivery),
        "since": doubt.since.isoformat(),
        "says": plain(document) or "[image]",
        "why": why,
        "part": len(delivery.sent) + 1,
    }


def parked_row(stored: StoredEvent) -> dict[str, Any]:
    """A message, or something else that happened, for which the agent has no answer."""
    event = stored.event
    author = getattr(event, "author", None)
    return {
        "id": stored.seq,
        "account": event.account,
        "author": str(author) if author else "",
        "at": event.at.isoformat(),
        "says": event.text if isinstance(event, MessageReceived) else "",
        "attempts": stored.attempts,
        "error": stored.error,
    }


def person_row(person: Person) -> dict[str, Any]:
    return {"person": person.id, "identities": [str(identity) for identity in person.identities]}

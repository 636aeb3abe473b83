"""Which drafts may leave, and by which road."""

from __future__ import annotations

from datetime import datetime

from gateway.model.delivery import Change
from gateway.model.facts import OutboundFacts
from gateway.model.verdict import Allow, Refuse, Verdict
from policies import failover


def judge(facts: OutboundFacts, now: datetime) -> Verdict:
    draft = facts.draft
    if facts.record is None:
        return Refuse(f"unknown_account: {draft.account} is not configured")
    if draft.document.is_empty and (draft.revises is None or draft.revises.change is Change.EDIT):
        return Refuse("empty: there is nothing to say")
    if draft.expires_at is not None and draft.expires_at <= now:
        return Refuse("expired: it was due before now")
    if facts.record.can_send:
        return Allow()
    return failover.judge(facts)

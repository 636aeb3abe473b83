"""Where a draft goes when the account it was meant for can't send.

The rules, in order: an account that is only connecting is waited for; without a route for this standing the draft
is held; a public post takes the route's first healthy road that has no copy of its own; a conversation goes on only
with the same person, proven by a link, and only as privately as before; all else is held until the account returns.
"""

from __future__ import annotations

from datetime import timedelta

from gateway.model.delivery import InConversation, Target, Timeline, ToPerson
from gateway.model.facts import OutboundFacts, Road
from gateway.model.standing import Standing
from gateway.model.verdict import Allow, Divert, Hold, Refuse

HOLD_AT_MOST = timedelta(days=7)
"""Without a route: how long a draft waits for its account before it expires."""


def judge(facts: OutboundFacts) -> Allow | Divert | Hold | Refuse:
    """Decide for a draft of an account with a record. Pure."""
    record, route, draft = facts.record, facts.route, facts.draft
    if record is None:
        return Refuse(f"unknown_account: {draft.account} is not configured")
    if record.can_send or record.standing is Standing.CONNECTING:
        return Allow()
    if draft.revises is not None:
        return _hold(facts, f"{record.standing}: only {record.account} can change what it said")
    if route is None or record.standing not in route.when:
        return _hold(facts, f"{record.standing}: no route diverts this")
    for road in facts.roads:
        target = _way(facts, road)
        if target is not None:
            reason = f"{record.standing}: {record.account} can't send"
            answering = road.answering if target is road.open else None
            return Divert(road.account, target, reason, _preface(facts), answering)
    return _hold(facts, f"{record.standing}: {_why_held(facts)}")


def _way(facts: OutboundFacts, road: Road) -> Target | None:
    if not road.can_send:
        return None
    match facts.draft.target:
        case Timeline():
            return None if road.has_own_copy else Timeline()
        case InConversation(private=private) | ToPerson(private=private):
            allowed = facts.route is not None and facts.route.conversations == "person"
            return _to_person(road, private=private or facts.draft.closed) if allowed else None


def _to_person(road: Road, *, private: bool) -> Target | None:
    if road.identity is None:
        return None
    if road.open is not None and road.open.private >= private:
        return road.open
    if road.writes_anyone if private else road.mentions_anyone:
        return ToPerson(road.identity, private)
    return None


def _preface(facts: OutboundFacts) -> str:
    if isinstance(facts.draft.target, Timeline):
        return ""
    return f"(Going on here: {facts.draft.account} is unavailable.)"


def _hold(facts: OutboundFacts, reason: str) -> Hold:
    at_most = facts.route.hold_at_most if facts.route is not None else HOLD_AT_MOST
    latest = facts.draft.created_at + at_most
    own = facts.draft.expires_at
    return Hold(reason, min(latest, own) if own is not None else latest)


def _why_held(facts: OutboundFacts) -> str:
    if isinstance(facts.draft.target, Timeline):
        copied = any(road.has_own_copy for road in facts.roads)
        return "the other accounts have this announcement already" if copied else "no account of the route is healthy"
    if facts.route is not None and facts.route.conversations == "hold":
        return "the route holds conversations"
    return "no proven way to the same person"

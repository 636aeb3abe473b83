"""When two identities may be taken for one person."""

from __future__ import annotations

from gateway.model.facts import LinkFacts
from gateway.model.verdict import Allow, Refuse

ACCEPTED = frozenset({"operator"})
"""Kinds of evidence that prove a link. Proof by the people themselves comes with its own kinds."""


def judge(facts: LinkFacts) -> Allow | Refuse:
    if facts.evidence not in ACCEPTED:
        return Refuse(f"evidence: {facts.evidence!r} proves nothing here")
    same_id = bool(facts.first.id) and facts.first.id == facts.second.id
    same_handle = bool(facts.first.handle) and facts.first.handle.casefold() == facts.second.handle.casefold()
    if facts.first.platform == facts.second.platform and (same_id or same_handle):
        return Refuse("same: these are one identity already")
    return Allow()

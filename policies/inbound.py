"""Which incoming messages the agent gets to see."""

from __future__ import annotations

from gateway.model.facts import InboundFacts
from gateway.model.verdict import Allow, Refuse


def judge(facts: InboundFacts) -> Allow | Refuse:
    """Everything but our own voices (two accounts of ours would talk to each other for ever) and empty messages."""
    author = facts.message.author
    if (author.platform, author.id) in facts.own:
        return Refuse("own_account: one of our accounts wrote this")
    if facts.message.document.is_empty:
        return Refuse("empty: nothing to answer")
    return Allow()

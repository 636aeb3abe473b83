"""What the other accounts say when one is lost."""

from __future__ import annotations

from gateway.model.facts import NoticeFacts
from gateway.model.ids import AccountId
from gateway.model.standing import GONE

DEFAULT_NOTICE = "{account} is unavailable at the moment. You can reach us here."


def notice(facts: NoticeFacts) -> tuple[str, tuple[AccountId, ...]]:
    """The words and the accounts that say them; no accounts when nothing is to be said.

    Only a loss by the platform's decision is told, never bad weather. ``{account}`` in the operator's words becomes the
    lost account's id.
    """
    route = facts.route
    if (
        route is None
        or not route.announce
        or facts.record.standing not in GONE
        or facts.record.standing not in route.when
    ):
        return "", ()
    words = (route.notice or DEFAULT_NOTICE).replace("{account}", facts.record.account)
    return words, tuple(other.account for other in facts.others if other.can_send)

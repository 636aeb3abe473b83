"""How long one send has to rest before its rate windows allow it."""

from __future__ import annotations

from gateway.model.facts import WindowFacts


def wait_s(facts: WindowFacts, now_unix_s: float) -> float:
    """Seconds until the window has room for one more part; 0.0 when it has.

    What the platform's last answer said rules over our own count for as long as it is valid.
    """
    lane = facts.lane
    if facts.remaining is not None and now_unix_s < facts.reset_at_unix_s:
        return 0.0 if facts.remaining >= lane.cost else facts.reset_at_unix_s - now_unix_s
    room = lane.n // lane.cost
    if len(facts.taken_unix_s) < room:
        return 0.0
    oldest = facts.taken_unix_s[len(facts.taken_unix_s) - room]
    return max(0.0, oldest + lane.per_s - now_unix_s)

"""How fast requests leave, held against each platform's rate windows."""

from __future__ import annotations

from collections import defaultdict, deque

from invariants import Broken
from sim_platforms import profile_of

from gateway.model.capabilities import Scope
from gateway.model.delivery import Part

SLACK_S = 0.1
"""A part takes its place in the window, and leaves once that is stored."""
RETRIES_S = 30.0
"""What waited for the disk leaves together, when that is tried again."""


class Pace:
    """Counts what left, per window."""

    def __init__(self) -> None:
        self._left: defaultdict[tuple[str, str, str], deque[float]] = defaultdict(deque)
        self._unsure_until: defaultdict[str, float] = defaultdict(float)

    def is_unsure(self, account: str, now_s: float) -> None:
        """What the gateway counts may differ from now on: a wrong clock, a slow disk, a header that says otherwise, or
        what a crash has forgotten. A window later it is right again.
        """
        self._unsure_until[account] = now_s

    def leaves(self, account: str, part: Part, now_s: float) -> None:
        for lane in profile_of(account).lanes:
            if part.kind not in lane.kinds:
                continue
            left = self._left[account, lane.name, part.conversation if lane.scope is Scope.CONVERSATION else ""]
            left.append(now_s)
            while left[0] <= now_s - lane.per_s + SLACK_S:
                left.popleft()
            sure = now_s - self._unsure_until[account] > max(lane.per_s, RETRIES_S)
            if sure and len(left) > lane.n // lane.cost:
                told = f"{len(left)} left {account} within {lane.per_s:.0f} s by {lane.name}, {lane.n} are allowed"
                raise Broken("rate windows are kept", told)

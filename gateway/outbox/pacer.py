"""The rate windows of one account: our own count, refilled from the database at start, and the platform's word."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from msgspec import structs

from gateway.books import SentPart
from gateway.model.capabilities import Lane, LaneState, Scope
from gateway.model.delivery import Part
from gateway.model.facts import WindowFacts
from gateway.ports import Policies

WINDOWS_MAX = 10_000
"""Conversations whose windows are remembered at once; the longest unused are forgotten first."""

_Key = tuple[str, str]


class Pacer:
    """Says how long a part must rest, and remembers what left."""

    def __init__(self, lanes: Sequence[Lane], policies: Policies) -> None:
        self._policies = policies
        self._lanes: dict[str, tuple[Lane, ...]] = {}
        for lane in lanes:
            for kind in lane.kinds:
                self._lanes[kind] = (*self._lanes.get(kind, ()), lane)
        self._taken: dict[_Key, array[float]] = {}
        self._live: dict[_Key, LaneState] = {}

    @property
    def longest_s(self) -> float:
        """How far back the windows reach."""
        return max((lane.per_s for lanes in self._lanes.values() for lane in lanes), default=0.0)

    def restore(self, sent: Iterable[SentPart]) -> None:
        """Refill the windows after a start."""
        for part in sent:
            self._note(part.kind, part.conversation, part.at.timestamp())

    def wait_s(self, part: Part, now_unix_s: float) -> float:
        """Seconds until every window of this part has room; 0.0 takes the room."""
        wait_s = 0.0
        for lane in self._lanes.get(part.kind, ()):
            wait_s = max(wait_s, self._window_wait_s(lane, part.conversation, now_unix_s))
        if wait_s <= 0.0:
            self._note(part.kind, part.conversation, now_unix_s)
        return wait_s

    def give_back(self, part: Part, at_unix_s: float) -> None:
        """A part that took room at that time did not leave."""
        for lane in self._lanes.get(part.kind, ()):
            key = (lane.name, part.conversation if lane.scope is Scope.CONVERSATION else "")
            taken, live = self._taken.get(key), self._live.get(key)
            if taken is not None and at_unix_s in taken:
                taken.remove(at_unix_s)
            if live is not None:
                self._live[key] = structs.replace(live, remaining=live.remaining + lane.cost)

    def heard(self, states: Iterable[LaneState]) -> None:
        """What a live answer said of the windows."""
        for state in states:
            key = (state.lane, state.conversation)
            if key in self._taken:
                self._live[key] = state

    def _window_wait_s(self, lane: Lane, conversation: str, now_unix_s: float) -> float:
        key = (lane.name, conversation if lane.scope is Scope.CONVERSATION else "")
        live = self._live.get(key)
        taken = self._taken.get(key, ())
        if live is None:
            return self._policies.pace(WindowFacts(lane, taken), now_unix_s)
        return self._policies.pace(WindowFacts(lane, taken, live.remaining, live.reset_at_unix_s), now_unix_s)

    def _note(self, kind: str, conversation: str, at_unix_s: float) -> None:
        for lane in self._lanes.get(kind, ()):
            key = (lane.name, conversation if lane.scope is Scope.CONVERSATION else "")
            taken = self._taken.pop(key, None) or self._opened()
            self._taken[key] = taken  # last: the longest unused are first
            taken.append(at_unix_s)
            half = len(taken) // 2
            if taken[half] <= at_unix_s - lane.per_s or half >= lane.n // lane.cost:
                del taken[:half]  # what counts no more, and so seldom that it costs nothing
            live = self._live.get(key)
            if live is not None:
                self._live[key] = LaneState(
                    live.lane, live.remaining - lane.cost, live.reset_at_unix_s, live.conversation
                )

    def _opened(self) -> array[float]:
        if len(self._taken) >= WINDOWS_MAX:
            oldest = next(iter(self._taken))
            del self._taken[oldest]
            self._live.pop(oldest, None)
        return array("d")

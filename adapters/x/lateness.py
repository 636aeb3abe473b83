"""X shows late what it has taken: whether something that no list shows was really not sent."""

from __future__ import annotations

from collections import OrderedDict

from gateway.model.delivery import Part, Receipt
from gateway.ports import Clock, Unsure

REMEMBERED = 1_000


class Lateness:
    """What was looked for in vain, and when for the first time. A second look must be ``shown_within_s`` later.

    Of a post of words alone one look is enough, as X refuses its repeat; once it did, no more. Nothing refuses the
    repeat of a direct message or of pictures without words; whether X refuses words whose pictures were handed in anew
    isn't known.
    """

    def __init__(self, clock: Clock, shown_within_s: float) -> None:
        self._clock = clock
        self._shown_within_s = shown_within_s
        self._missed_s: OrderedDict[str, float] = OrderedDict()
        self._refused: OrderedDict[str, None] = OrderedDict()

    def sending(self, part: Part) -> None:
        """What was seen before a send proves nothing about it."""
        self._missed_s.pop(part.key, None)
        self._refused.pop(part.key, None)

    def is_there_already(self, part: Part) -> None:
        """X says so: its list may not show it yet."""
        self._refused[part.key] = None
        if len(self._refused) > REMEMBERED:
            self._refused.popitem(last=False)

    def is_too_soon(self, part: Part) -> bool:
        """Whether a second look would not count. Each is billed."""
        missed_s = self._missed_s.get(part.key)
        return missed_s is not None and self._clock.monotonic() - missed_s < self._shown_within_s

    def judged(self, part: Part, found: Receipt | Unsure) -> Receipt | Unsure:
        """What a look means, in which nothing was found or something."""
        if found is not Unsure.NOT_SENT or not self._is_doubtful(part) or part.key in self._missed_s:
            return found
        self._missed_s[part.key] = self._clock.monotonic()
        if len(self._missed_s) > REMEMBERED:
            self._missed_s.popitem(last=False)
        return Unsure.UNKNOWN

    def _is_doubtful(self, part: Part) -> bool:
        """Whether X may take it twice, or has it already."""
        words_alone = "text" in part.body and "media" not in part.body
        return part.kind == "direct" or part.key in self._refused or not words_alone

"""Where a text turns to another direction of writing, as its invisible marks say (UAX #9)."""

from __future__ import annotations

import re
from bisect import bisect_right

_ISOLATES, _ISOLATES_END = "\u2066\u2067\u2068", "\u2069"
_EMBEDDINGS, _EMBEDDINGS_END = "\u202a\u202b\u202d\u202e", "\u202c"
_LINE_ENDS = "\n\r\x1c-\x1e\x85\u2029"
_TURN = re.compile(f"[{_ISOLATES}{_ISOLATES_END}{_EMBEDDINGS}{_EMBEDDINGS_END}{_LINE_ENDS}]")
_DEEPEST = 8
"""Turns within each other; more mean nothing to anybody."""


class Turns:
    """What is open where. A line's end closes all."""

    def __init__(self, text: str) -> None:
        self._places: list[int] = []
        self._open: list[str] = []
        is_open = ""
        for found in _TURN.finditer(text):
            is_open = _after(is_open, found[0])
            self._places.append(found.end())
            self._open.append(is_open)

    def __bool__(self) -> bool:
        return any(self._open)

    def opening(self, place: int) -> str:
        """The marks that what follows this place needs to be read as before."""
        index = bisect_right(self._places, place)
        return self._open[index - 1] if index else ""

    def closing(self, place: int) -> str:
        """The marks that end what is open there."""
        ends = (_ISOLATES_END if mark in _ISOLATES else _EMBEDDINGS_END for mark in reversed(self.opening(place)))
        return "".join(ends)


def _after(is_open: str, mark: str) -> str:
    if mark in _ISOLATES or mark in _EMBEDDINGS:
        return is_open + mark if len(is_open) < _DEEPEST else is_open
    if mark == _ISOLATES_END:  # and whatever was embedded in it
        last = max(map(is_open.rfind, _ISOLATES))
        return is_open[:last] if last >= 0 else is_open
    if mark == _EMBEDDINGS_END:
        return is_open[:-1] if is_open[-1:] not in _ISOLATES else is_open
    return ""

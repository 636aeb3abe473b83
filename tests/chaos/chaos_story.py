"""Which round did what: so that harm is laid at somebody's door. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from chaos_count import Expected

_MARK = re.compile(r"(?<![\w/])([apr]\d+(?:s\d+)?)\b")


class Story:
    """The rounds of one world."""

    def __init__(self) -> None:
        self._rounds: list[tuple[int, int, str]] = []
        """The number of a round, how much had been accepted when it began, and its troubles."""
        self._known: set[str] = set()

    def begin(self, number: int, accepted: int, troubles: Sequence[str]) -> None:
        self._rounds.append((number, accepted, ", ".join(troubles) or "quiet"))

    def blame(self, lines: Iterable[str], expected: Sequence[Expected]) -> list[str]:
        """Those lines that are new, each with the round it came up in, and what was going on since its words were
        accepted.
        """
        fresh = [line for line in lines if line not in self._known]
        self._known.update(fresh)
        return [f"round {self._number()}: {line}{self._since(line, expected)}" for line in fresh]

    def _number(self) -> int:
        return self._rounds[-1][0] if self._rounds else 0

    def _since(self, line: str, expected: Sequence[Expected]) -> str:
        found = _MARK.search(line)
        places = [index for index, one in enumerate(expected) if found is not None and one.mark == found[1]]
        if not places or not self._rounds:
            return ""
        first = max(0, bisect_right([accepted for _, accepted, _ in self._rounds], places[0]) - 1)
        told = "; ".join(f"{number}: {troubles}" for number, _, troubles in self._rounds[first:])
        return f" [said in round {self._rounds[first][0]}; since then {told}]"

"""Lengths that more than one platform counts by."""

from __future__ import annotations

import regex

_CLUSTER = regex.compile(r"\X")


def graphemes(text: str) -> int:
    """How many characters a reader sees: extended grapheme clusters (UAX #29)."""
    if text.isascii():
        return len(text) - text.count("\r\n")  # the only two that are one
    return sum(1 for _ in _CLUSTER.finditer(text))

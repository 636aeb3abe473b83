"""Durations as people write them, "7d", "12h", "30m", "45s", and read them: "7 d", "1 h 30 min"."""

from __future__ import annotations

import re
from datetime import timedelta

_WRITTEN = re.compile(r"(\d{1,9})([smhd])")
_MOST = timedelta(days=3650)
_SPOKEN = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(value: object) -> timedelta:
    """ValueError, with the cure, for anything else."""
    match = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration is a whole number and a unit: "7d", "12h", "30m" or "45s"')
    number, unit = match.groups()
    long = timedelta(**{_UNITS[unit]: int(number)})
    if long > _MOST:
        raise ValueError(f"is longer than {_MOST.days} days; write a shorter one")
    return long


def spoken(seconds: float) -> str:
    """A length of time for people: its largest unit, and the next where it has some of that."""
    rest, words = round(seconds), []
    for size, unit in _SPOKEN:
        number, rest = divmod(rest, size)
        words.append(f"{number} {unit}" if number else "")
    first = next((n for n, word in enumerate(words) if word), len(words) - 1)
    return " ".join(filter(None, words[first : first + 2])) or f"{seconds:g} s"

"""Durations as people write them: "7d", "12h", "30m", "45s"."""

from __future__ import annotations

import re
from datetime import timedelta

_WRITTEN = re.compile(r"(\d{1,9})([smhd])")
_MOST = timedelta(days=3650)
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

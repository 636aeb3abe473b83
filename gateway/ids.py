"""New ids: 20 characters of [0-9a-v], sortable by time."""

from __future__ import annotations

import random
from collections.abc import Callable

from gateway.ports import Clock

_CHARACTERS = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = tuple(first + second for first in _CHARACTERS for second in _CHARACTERS)
"""Ten bits each."""
_SHIFTS = tuple(range(90, -1, -10))
_CHANCE_BITS = 43


def id_source(clock: Clock, randomness: random.Random | None = None) -> Callable[[], str]:
    """A function that makes a new id at each call: 57 bits of time (µs), then 43 of chance, five bits a character."""
    # Seeded by the system. Asking it each time gives the GIL away each time, and an id is no secret.
    chance = randomness or random.Random()  # noqa: S311

    def new_id() -> str:
        stamp_us = int(clock.now().timestamp() * 1_000_000)
        bits = stamp_us << _CHANCE_BITS | chance.getrandbits(_CHANCE_BITS)
        return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])

    return new_id

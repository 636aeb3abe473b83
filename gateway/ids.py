"""New ids: 20 characters of [0-9a-z], sortable by time."""

from __future__ import annotations

import random
from collections.abc import Callable

from gateway.ports import Clock

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TIME_LENGTH = 11
_RANDOM_LENGTH = 9


def id_source(clock: Clock, randomness: random.Random | None = None) -> Callable[[], str]:
    """A function that makes a new id at each call: eleven characters of time (µs), nine of chance (46 bits)."""
    # Seeded by the system. Asking it each time gives the GIL away each time, and an id is no secret.
    chance = randomness or random.Random()  # noqa: S311

    def new_id() -> str:
        stamp_us = int(clock.now().timestamp() * 1_000_000)
        return _base36(stamp_us, _TIME_LENGTH) + _base36(chance.getrandbits(46), _RANDOM_LENGTH)

    return new_id


def _base36(number: int, length: int) -> str:
    digits: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))

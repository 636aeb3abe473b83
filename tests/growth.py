"""Whether work grows with its input or with the input's square: told by two sizes, whatever the machine's speed."""

from __future__ import annotations

import time
from collections.abc import Callable

TIMES_LARGER = 8
BETWEEN = 24.0
"""Eight times the input is eight times the work, and 64 times where it goes with the square: half-way, as ratios go."""
TOO_SHORT_S = 0.002
"""Below this a clock tells nothing."""


def grows_with_the_square(work: Callable[[int], object], n: int) -> bool:
    """``work(size)`` for ``n`` and for 8 ``n``: the least CPU time of three each."""
    small, large = _least_s(work, n), _least_s(work, TIMES_LARGER * n)
    return large > BETWEEN * max(small, TOO_SHORT_S)


def _least_s(work: Callable[[int], object], n: int) -> float:
    return min(_once_s(work, n) for _ in range(3))


def _once_s(work: Callable[[int], object], n: int) -> float:
    began = time.thread_time()
    work(n)
    return time.thread_time() - began

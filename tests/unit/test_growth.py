"""What tells growth tells it: a test that asks it can fail."""

from __future__ import annotations

from growth import grows_with_the_square


def test_what_looks_at_each_pair_grows_with_the_square() -> None:
    assert grows_with_the_square(lambda n: sum(1 for _ in range(n) for _ in range(n)), 300)


def test_what_looks_at_each_grows_with_its_input() -> None:
    assert not grows_with_the_square(lambda n: sum(1 for _ in range(n)), 100_000)

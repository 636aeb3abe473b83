"""Leases spread evenly, with few changes of hands, whoever joins and dies in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.shares import share

HOLDINGS = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(0, 30), min_size=1, max_size=9)


@given(HOLDINGS, st.integers(0, 50))
def test_shares_make_the_whole_and_are_even(holdings: dict[str, int], free: int) -> None:
    total = sum(holdings.values()) + free
    shares = {one: share(one, holdings, total) for one in holdings}
    assert sum(shares.values()) == total
    assert max(shares.values()) - min(shares.values()) <= 1


@given(HOLDINGS, st.integers(0, 50))
def test_as_few_as_possible_change_hands(holdings: dict[str, int], free: int) -> None:
    total = sum(holdings.values()) + free
    moved = sum(max(0, n - share(one, holdings, total)) for one, n in holdings.items())
    smallest, larger = divmod(total, len(holdings))
    best = sorted(holdings.values(), reverse=True)
    even = [smallest + 1] * larger + [smallest] * (len(best) - larger)
    assert moved == sum(max(0, n - of) for n, of in zip(best, even, strict=True))


@given(HOLDINGS, st.lists(st.sampled_from(["x", "y", "z"]), unique=True), st.data())
def test_a_few_rounds_in_any_order_settle_it(holdings: dict[str, int], joining: list[str], data: st.DataObject) -> None:
    """Everybody takes and gives by their share of the moment, as ``tend`` has them do; then nothing moves any more."""
    total = sum(holdings.values())
    holdings = {**holdings, **dict.fromkeys(joining, 0)}
    dead = data.draw(st.sets(st.sampled_from(sorted(holdings)), max_size=len(holdings) - 1))
    alive = {one: n for one, n in holdings.items() if one not in dead}
    for _ in range(3):
        for one in data.draw(st.permutations(sorted(alive))):
            free = total - sum(alive.values())
            alive[one] = min(share(one, alive, total), alive[one] + free)
    assert sum(alive.values()) == total
    assert max(alive.values()) - min(alive.values()) <= 1
    assert {one: share(one, alive, total) for one in alive} == alive

"""A rate window that forgets allows the same as one that remembers everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.model.capabilities import Lane
from gateway.model.delivery import Part
from gateway.outbox.pacer import Pacer
from policies.chain import POLICIES

GAPS_S = st.lists(st.integers(0, 12), max_size=60)
PART = Part(0, "post", "", {}, "here")


@given(GAPS_S, st.integers(1, 8), st.integers(1, 20), st.integers(1, 3))
def test_what_is_forgotten_counted_no_more(gaps_s: list[int], room: int, per_s: int, cost: int) -> None:
    windows = Pacer([Lane("posts", room * cost, per_s, ("post",), cost=cost)], POLICIES)
    left: list[float] = []
    now = 0.0
    for gap_s in gaps_s:
        now += gap_s
        wait_s = max(0.0, left[-room] + per_s - now) if len(left) >= room else 0.0
        assert windows.wait_s(PART, now) == wait_s
        if wait_s == 0.0:
            left.append(now)
    assert len(windows._taken.get(("posts", ""), ())) <= 2 * room


@given(GAPS_S, st.integers(1, 8))
def test_what_did_not_leave_takes_no_room(gaps_s: list[int], room: int) -> None:
    windows, others = (Pacer([Lane("posts", room, 10, ("post",))], POLICIES) for _ in range(2))
    now = 0.0
    for number, gap_s in enumerate(gaps_s, 1):
        now += gap_s
        if windows.wait_s(PART, now) > 0.0:
            assert others.wait_s(PART, now) > 0.0
        elif number % 3 == 0:
            windows.give_back(PART, now)
        else:
            assert others.wait_s(PART, now) == 0.0

"""Half of the fresh seeds that each run of the tests plays, and half of the planted bugs."""

from __future__ import annotations

import mutations
import pytest
import sim_ci

FRESH = sim_ci.Fresh()
BUGS = sorted(mutations.PLANTED)[1::2]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(sim_ci.BLOCKS))
def test_fresh_seeds_hold(block: int) -> None:
    FRESH.play(block)


def test_every_trouble_struck() -> None:
    """A trouble that never happens proves nothing."""
    if len(FRESH.played) < sim_ci.BLOCKS:
        pytest.skip("not all fresh seeds were played in this run")
    assert [name for name in sim_ci.MUST_STRIKE if not FRESH.happened[name]] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    sim_ci.hunt(bug)

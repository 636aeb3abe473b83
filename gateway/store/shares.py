"""Who should hold how many leases: a pure rule that every gateway reckons for itself and that comes out the same."""

from __future__ import annotations

from collections.abc import Mapping


def share(member: str, holdings: Mapping[str, int], total: int) -> int:
    """How many of ``total`` leases this member should hold, from what every live member holds now.

    All shares together are ``total`` and differ by at most one. Whoever holds most keeps the larger share, so as few
    leases as possible change hands; between equals the smaller name does.
    """
    ranked = sorted(holdings, key=lambda one: (-holdings[one], one))
    smallest, larger = divmod(total, len(ranked))
    return smallest + (ranked.index(member) < larger)

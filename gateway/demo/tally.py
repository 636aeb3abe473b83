"""Counting: what the networks hold against what was accepted. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

_MARK = re.compile(r"#([apr]\d+)")
GRACE_S = 1.0
"""Sends that were under way when the first refusal came may still arrive for so long."""


class Expected(Struct, frozen=True):
    """Something that was accepted: ``mark`` is in its text, ``home`` is the network it was meant for.

    A mark starts with a (announcement: every network has a copy of its own), p (a post for one network) or r (an
    answer). ``place`` is the conversation that an answer belongs to at home.
    """

    mark: str
    home: str
    at_unix_s: float
    place: str = ""


class Found(Struct, frozen=True):
    """One message that a network holds of ours."""

    mark: str
    network: str
    at_unix_s: float


class Tried(Struct, frozen=True):
    """One write that reached a network, or was cut on its way."""

    mark: str
    network: str
    outcome: str
    at_unix_s: float


class Loss(Struct, frozen=True):
    """The network that took the account away, how, and between which hours."""

    network: str
    fault: str
    from_unix_s: float
    until_unix_s: float


def found_in(network: str, messages: Iterable[Mapping[str, Any]]) -> list[Found]:
    """The marked messages a network holds, in the order it accepted them."""
    return [
        Found(mark[1], network, datetime.fromisoformat(message["at"]).timestamp())
        for message in messages
        if (mark := _MARK.search(message["text"])) is not None
    ]


def tried_on(network: str, attempts: Iterable[Mapping[str, Any]]) -> list[Tried]:
    return [
        Tried(mark[1], network, attempt["outcome"], attempt["at_unix_s"])
        for attempt in attempts
        if (mark := _MARK.search(attempt["text"])) is not None
    ]


def tally(
    expected: Sequence[Expected], found: Sequence[Found], tried: Sequence[Tried], loss: Loss, parked: int
) -> dict[str, Any]:
    """The demonstration's result. ``parked`` is how many the gateway shows as waiting for the operator or expired."""
    networks = sorted({one.home for one in expected})
    rows = {name: _row(name, expected, found, loss) for name in networks}
    missing = sum(row["missing"] for row in rows.values())
    lost = max(0, missing - parked)
    for row in rows.values():
        row["lost"] = min(row.pop("missing"), lost)
    answers = [one for one in expected if one.mark.startswith("r")]
    seen = {one.mark for one in found}
    return {
        "accepted": len(expected),
        **{key: sum(row[key] for row in rows.values()) for key in ("delivered", "diverted", "held", "doubled")},
        "waiting": missing - lost,
        "lost": lost,
        "out_of_order": _out_of_order(expected, found),
        "sent_while_suspended": _sent_while_suspended(tried, loss),
        "replies_expected": len(answers),
        "replies_seen": sum(one.mark in seen for one in answers),
        "failover_seconds": _failover_s(expected, found, tried, loss),
        "per_platform": rows,
    }


def _row(name: str, expected: Sequence[Expected], found: Sequence[Found], loss: Loss) -> dict[str, int]:
    mine = [one for one in expected if one.home == name]
    at_home = {one.mark: one for one in found if one.network == name}
    elsewhere = {one.mark for one in found if one.network != name}
    diverted = [one for one in mine if one.mark not in at_home and one.mark in elsewhere and one.mark[0] != "a"]
    return {
        "accepted": len(mine),
        "delivered": sum(one.mark in at_home for one in mine),
        "diverted": len(diverted),
        "held": sum(_was_held(one, at_home.get(one.mark), loss) for one in mine),
        "missing": sum(one.mark not in at_home for one in mine) - len(diverted),
        "doubled": _doubled(mine, found, name),
    }


def _was_held(one: Expected, there: Found | None, loss: Loss) -> bool:
    """Accepted before the account came back, and at home only after."""
    lost_here = one.home == loss.network and there is not None
    return lost_here and there is not None and one.at_unix_s < loss.until_unix_s <= there.at_unix_s


def _doubled(mine: Sequence[Expected], found: Sequence[Found], name: str) -> int:
    """Copies too many: of an announcement on one network, of anything else anywhere."""
    here = Counter(one.mark for one in found if one.network == name)
    anywhere = Counter(one.mark for one in found)
    return sum(max(0, (here if one.mark[0] == "a" else anywhere)[one.mark] - 1) for one in mine)


def _out_of_order(expected: Sequence[Expected], found: Sequence[Found]) -> int:
    """Messages that stand before an earlier one of the same home and timeline, or of the same conversation there."""
    position = {(one.mark, one.home): (index, one) for index, one in enumerate(expected)}
    homes = {one.mark: one.home for one in expected if one.mark[0] != "a"}
    latest: dict[tuple[str, str, bool, str], int] = defaultdict(lambda: -1)
    wrong = 0
    for one in found:
        home = homes.get(one.mark, one.network)
        if (one.mark, home) not in position:
            continue
        index, meant = position[(one.mark, home)]
        key = (one.network, home, one.mark[0] == "r", meant.place)
        wrong += index < latest[key]
        latest[key] = max(latest[key], index)
    return wrong


def _sent_while_suspended(tried: Sequence[Tried], loss: Loss) -> int:
    """Writes from the lost account that reached its network when the gateway had to know better."""
    during = [
        one for one in tried if one.network == loss.network and loss.from_unix_s <= one.at_unix_s < loss.until_unix_s
    ]
    if loss.fault == "outage":
        return sum(one.outcome == "accepted" for one in during)
    refused = [one.at_unix_s for one in during if one.outcome == "refused"]
    return sum(one.at_unix_s > min(refused) + GRACE_S for one in during) if refused else 0


def _failover_s(
    expected: Sequence[Expected], found: Sequence[Found], tried: Sequence[Tried], loss: Loss
) -> float | None:
    """From the first refused send that took another road to the moment it stood there."""
    homes = {one.mark for one in expected if one.home == loss.network and one.mark[0] != "a"}
    arrived = {
        one.mark: one.at_unix_s
        for one in tried
        if one.mark in homes and one.network != loss.network and one.outcome == "accepted"
    }
    elsewhere = {one.mark for one in found if one.network != loss.network}
    for one in sorted(tried, key=lambda attempt: attempt.at_unix_s):
        refused = one.network == loss.network and one.outcome == "refused" and one.at_unix_s >= loss.from_unix_s
        if refused and one.mark in arrived and one.mark in elsewhere:
            return round(arrived[one.mark] - one.at_unix_s, 4)
    return None

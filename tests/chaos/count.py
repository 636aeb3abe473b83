"""Counting: what the networks hold against what was accepted. Pure.

Every text carries marks: ``#a7`` is announcement 7, which each network gets a copy of; ``#p7`` is a post for one network,
wherever it ends up; ``#r7`` is the answer to question 7. A long text has one in each sentence: ``#p7s0``, ``#p7s1``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MARK = re.compile(r"#([apr]\d+(?:s\d+)?)\b")
UNDER_WAY = ("waiting", "queued", "sending", "held")
UNKNOWABLE = frozenset({"telegram"})
"""Networks that can't tell whether something was sent: the operator is asked."""
GRACE_S = 3.0
"""Sends that were under way when the first refusal came may still arrive for so long."""
STANDINGS = frozenset({"suspend", "lock", "revoke"})


@dataclass(frozen=True)
class Expected:
    """One mark that was accepted for ``home``. ``place`` is the conversation of an answer; ``delivery`` the id, if told.

    Marks of one ``speaker`` for one home and place keep their order.
    """

    mark: str
    home: str
    speaker: str
    place: str = ""
    delivery: str = ""


@dataclass(frozen=True)
class Found:
    """One mark in a message that a network holds of ours, in the order it accepted them."""

    mark: str
    network: str


@dataclass
class Loss:
    """A network took the account away."""

    network: str
    kind: str
    from_unix_s: float
    until_unix_s: float = float("inf")


@dataclass
class Count:
    """What came out. ``wrong`` is a line for each broken promise."""

    accepted: int = 0
    found: int = 0
    elsewhere: int = 0
    uncertain: int = 0
    absent: int = 0
    """Of the uncertain, those that are on no network."""
    wrong: list[str] = field(default_factory=list)


def found_in(network: str, messages: Iterable[Mapping[str, Any]]) -> list[Found]:
    """Marks in the order of the messages; without the notices of the gateway itself, which have none."""
    return [Found(mark, network) for message in messages for mark in MARK.findall(message["text"])]


def count(
    expected: Sequence[Expected],
    found: Sequence[Found],
    attempts: Mapping[str, Sequence[Mapping[str, Any]]],
    losses: Sequence[Loss],
    shaken_unix_s: Sequence[float],
    rows: Sequence[Mapping[str, Any]],
) -> Count:
    """The promises, one by one. ``rows`` are the deliveries the gateway shows as uncertain or not ended, ``attempts`` the
    writes each network saw, ``shaken_unix_s`` when a gateway was killed, frozen, started or cut from its database.
    """
    there = {(one.mark, one.network) for one in found}
    anywhere = {one.mark for one in found}
    missing = [one for one in expected if one.mark not in anywhere or (_is_copy(one) and (one.mark, one.home) not in there)]
    result = Count(len(expected), len(found))
    result.elsewhere = sum((one.mark, one.home) not in there for one in expected) - len(missing)
    result.uncertain = sum(row["state"] == "uncertain" for row in rows)
    lost = _lost(missing, rows)
    result.absent = len(missing) - len(lost)
    result.wrong += lost + _doubled(expected, found) + _disordered(expected, found)
    result.wrong += _forbidden(attempts, losses, shaken_unix_s) + _left_over(rows)
    return result


def _is_copy(one: Expected) -> bool:
    return one.mark.startswith("a")


def _lost(missing: Sequence[Expected], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Missing, and not shown as uncertain where nobody can tell."""
    shown = {row["id"] for row in rows if row["state"] == "uncertain"}
    named = {one.delivery for one in missing if one.delivery}
    answers = Counter(_network(row["home"]) for row in rows if row["state"] == "uncertain" and row["id"] not in named)
    lost = []
    for one in missing:
        if one.delivery in shown:
            continue
        if not one.delivery and answers[one.home] > 0:
            answers[one.home] -= 1
            continue
        lost.append(f"lost: {one.mark} for {one.home} ({one.delivery or one.place})")
    return lost


def _doubled(expected: Sequence[Expected], found: Sequence[Found]) -> list[str]:
    """Copies too many: of an announcement on one network, of anything else anywhere."""
    here = Counter((one.mark, one.network) for one in found)
    anywhere = Counter(one.mark for one in found)
    times = [(one, here[(one.mark, one.home)] if _is_copy(one) else anywhere[one.mark]) for one in expected]
    return [f"doubled: {one.mark} for {one.home} stands {number} times" for one, number in times if number > 1]


def _disordered(expected: Sequence[Expected], found: Sequence[Found]) -> list[str]:
    """What stands before something that the same speaker said earlier, for the same home and place."""
    position = {(one.mark, one.home): (index, one) for index, one in enumerate(expected)}
    homes = {one.mark: one.home for one in expected if not _is_copy(one)}
    latest: dict[tuple[str, str, str, str], tuple[int, str]] = defaultdict(lambda: (-1, ""))
    wrong = []
    for one in found:
        home = homes.get(one.mark, one.network)
        if (one.mark, home) not in position:
            continue
        index, meant = position[(one.mark, home)]
        key = (one.network, home, meant.speaker, meant.place)
        if index < latest[key][0]:
            wrong.append(f"out of order: {one.mark} for {home} stands on {one.network} behind {latest[key][1]}")
        latest[key] = max(latest[key], (index, one.mark))
    return wrong


def _forbidden(
    attempts: Mapping[str, Sequence[Mapping[str, Any]]], losses: Sequence[Loss], shaken_unix_s: Sequence[float]
) -> list[str]:
    """Writes from a lost account that reached its network when the gateway had to know better.

    A gateway that is killed or frozen may not have read the refusal: after each such moment it may learn it anew.
    """
    wrong = []
    for loss in losses:
        tried = [one for one in attempts[loss.network] if loss.from_unix_s <= one["at_unix_s"] < loss.until_unix_s]
        told_at = float("-inf")
        for one in sorted(tried, key=lambda attempt: float(attempt["at_unix_s"])):
            if one["outcome"] != "refused" or one["detail"] not in STANDINGS:
                continue
            at = one["at_unix_s"]
            if told_at == float("-inf") or any(told_at < shaken < at for shaken in shaken_unix_s):
                told_at = at
            elif at > told_at + GRACE_S:
                wrong.append(f"sent while it can't: {loss.network} {loss.kind}, {at - told_at:.1f} s after the refusal")
    return wrong


def _left_over(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What has not ended although everything is calm and well."""
    return [
        f"left over: {row['id']} for {row['home']} by {row['account']} is {row['state']}: {row['reason']}"
        for row in rows
        if row["state"] in UNDER_WAY
        or row["state"] in ("refused", "expired")
        or (row["state"] == "uncertain" and (row["due_at"] is not None or _network(row["account"]) not in UNKNOWABLE))
    ]


def is_calm(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Nothing is under way any more."""
    return not any(
        row["state"] in UNDER_WAY or (row["state"] == "uncertain" and row["due_at"] is not None) for row in rows
    )


def _network(account: str) -> str:
    return account.partition("/")[0]



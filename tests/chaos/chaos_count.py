"""Counting: what the networks hold against what was accepted. Pure.

Every text carries marks: ``#a7`` is announcement 7, which each network gets a copy of; ``#p7`` is a post for one
network, wherever it ends up; ``#r7`` is the answer to question 7. A long text has one in each sentence: ``#p7s0``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MARK = re.compile(r"#([apr]\d+(?:s\d+)?)\b")
UNDER_WAY = ("waiting", "queued", "sending", "held")
UNKNOWABLE = frozenset({"telegram"})
"""Networks that can't tell whether something was sent: the operator is asked."""
GRACE_S = 3.0
"""Sends that were under way when the first refusal came may still arrive for so long."""
STANDINGS = frozenset({"suspend", "lock", "revoke"})
RESENT = "resent although maybe sent"
"""How a delivery says that it may be there twice."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Expected:
    """One mark that was accepted for ``home``: an answer has the conversation as ``place``, a post its ``delivery``.

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
    message: str = ""


@dataclass
class Loss:
    """A network took the account away."""

    network: str
    kind: str
    from_unix_s: float
    until_unix_s: float = float("inf")


@dataclass(frozen=True)
class Entry:
    """One part that the books say was sent, and what its delivery says of itself. ``rerouted``: it left
    a road that it was on, for home or for a third one.
    """

    network: str
    ref: str
    delivery: str
    reason: str = ""
    rerouted: bool = False


@dataclass
class World:
    """What there is to count: what was accepted, what the networks hold and saw, and what was done to everybody.

    ``shaken_unix_s`` is when a gateway was killed, frozen, started or cut from its database; ``resend`` names the
    networks whose unknown sends the operator wants sent again.
    """

    expected: Sequence[Expected]
    found: Sequence[Found]
    attempts: Mapping[str, Sequence[Row]]
    losses: Sequence[Loss] = ()
    shaken_unix_s: Sequence[float] = ()
    resend: frozenset[str] = frozenset()


@dataclass
class Count:
    """What came out. ``wrong`` is a line for each broken promise."""

    accepted: int = 0
    found: int = 0
    elsewhere: int = 0
    uncertain: int = 0
    absent: int = 0
    """Marks of the uncertain that are on no network: their texts, or what was to follow them."""
    doubled: int = 0
    """By the operator's choice, and marked."""
    wrong: list[str] = field(default_factory=list)


def found_in(network: str, messages: Iterable[Row]) -> list[Found]:
    """Marks in the order of the messages; without the notices of the gateway itself, which have none."""
    return [Found(mark, network, message["id"]) for message in messages for mark in MARK.findall(message["text"])]


def broken(world: World) -> list[str]:
    """Promises that no moment may break, however unwell everybody is."""
    perhaps_chosen = {one.mark for one in world.found if one.network in world.resend}
    twice = [line for one, line in _doubles(world) if one.mark not in perhaps_chosen]
    copies = {one.mark for one in world.expected if _is_copy(one)}
    judged = [one for one in world.found if one.mark in copies]  # the others may have left a road: see count()
    return [*twice, *_disordered(world.expected, judged), *_forbidden(world)]


def count(world: World, rows: Sequence[Row], books: Sequence[Entry], held: Mapping[str, Iterable[str]]) -> Count:
    """All promises, once everything is calm. ``rows`` are the deliveries that the gateway shows as uncertain or not
    ended, ``books`` the parts that it believes were sent, ``held`` the ids of all that each network holds of ours.
    """
    there = {(one.mark, one.network) for one in world.found}
    anywhere = {one.mark for one in world.found}
    missing = [
        one
        for one in world.expected
        if one.mark not in anywhere or (_is_copy(one) and (one.mark, one.home) not in there)
    ]
    result = Count(len(world.expected), len(world.found))
    result.elsewhere = sum((one.mark, one.home) not in there for one in world.expected) - len(missing)
    result.uncertain = sum(row["state"] == "uncertain" for row in rows)
    lost = _lost(missing, rows)
    result.absent = len(missing) - len(lost)
    resent = _resent(world, books)
    unmarked = [line for one, line in _doubles(world) if one.mark not in resent]
    result.doubled = len(_doubles(world)) - len(unmarked)
    stayed = _without_rerouted(world.found, books)
    result.wrong += lost + unmarked + _disordered(world.expected, stayed) + _forbidden(world)
    result.wrong += _left_over(rows) + _unwritten(world, rows, books, resent) + _unreal(books, held)
    return result


def _is_copy(one: Expected) -> bool:
    return one.mark.startswith("a")


def _lost(missing: Sequence[Expected], rows: Sequence[Row]) -> list[str]:
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


def _doubles(world: World) -> list[tuple[Expected, str]]:
    """Copies too many: of an announcement on one network, of anything else anywhere."""
    here = Counter((one.mark, one.network) for one in world.found)
    anywhere = Counter(one.mark for one in world.found)
    doubles = []
    for one in world.expected:
        number = here[(one.mark, one.home)] if _is_copy(one) else anywhere[one.mark]
        if number > 1:
            doubles.append(
                (one, f"doubled: {one.mark} for {one.home} stands {number} times ({one.delivery or one.place})")
            )
    return doubles


def _resent(world: World, books: Sequence[Entry]) -> frozenset[str]:
    """Marks whose delivery says that it may be there twice, where the operator chose that."""
    marked = {(one.network, one.ref) for one in books if one.reason.startswith(RESENT) and one.network in world.resend}
    refs = {(network, name) for network, ref in marked for name in _names(ref)}
    return frozenset(one.mark for one in world.found if (one.network, one.message) in refs)


def _without_rerouted(found: Sequence[Found], books: Sequence[Entry]) -> list[Found]:
    """Without what left another road: while it was there, what else was said at its home went before it."""
    rerouted = {(one.network, name) for one in books if one.rerouted for name in _names(one.ref)}
    return [one for one in found if (one.network, one.message) not in rerouted]


def _disordered(expected: Sequence[Expected], found: Sequence[Found]) -> list[str]:
    """What stands before something that the same speaker said earlier, for the same home and place. Of what stands
    twice the first counts: whether it may is another question.
    """
    position = {(one.mark, one.home): (index, one) for index, one in enumerate(expected)}
    homes = {one.mark: one.home for one in expected if not _is_copy(one)}
    latest: dict[tuple[str, str, str, str], tuple[int, str]] = defaultdict(lambda: (-1, ""))
    wrong = []
    first = {(one.mark, one.network): one for one in reversed(found)}
    for one in found:
        home = homes.get(one.mark, one.network)
        if (one.mark, home) not in position or first[one.mark, one.network] is not one:
            continue
        index, meant = position[(one.mark, home)]
        key = (one.network, home, meant.speaker, meant.place)
        if index < latest[key][0]:
            wrong.append(f"out of order: {one.mark} for {home} stands on {one.network} behind {latest[key][1]}")
        latest[key] = max(latest[key], (index, one.mark))
    return wrong


def _forbidden(world: World) -> list[str]:
    """Writes from a lost account that reached its network when the gateway had to know better.

    A gateway that is killed or frozen may not have read the refusal: after each such moment it may learn it anew.
    """
    wrong = []
    for loss in world.losses:
        tried = [
            one for one in world.attempts[loss.network] if loss.from_unix_s <= one["at_unix_s"] < loss.until_unix_s
        ]
        told_at = float("-inf")
        for one in sorted(tried, key=lambda attempt: float(attempt["at_unix_s"])):
            if one["outcome"] != "refused" or one["detail"] not in STANDINGS:
                continue
            at = one["at_unix_s"]
            if told_at == float("-inf") or any(told_at < shaken < at for shaken in world.shaken_unix_s):
                told_at = at
            elif at > told_at + GRACE_S:
                wrong.append(f"sent while it can't: {loss.network} {loss.kind}, {at - told_at:.1f} s after the refusal")
    return wrong


def _left_over(rows: Sequence[Row]) -> list[str]:
    """What has not ended although everything is calm and well."""
    return [
        f"left over: {row['id']} for {row['home']} by {row['account']} is {row['state']}: {row['reason']}"
        for row in rows
        if row["state"] in UNDER_WAY
        or (row["state"] in ("refused", "expired") and not _is_notice(row))
        or (row["state"] == "uncertain" and (row["due_at"] is not None or _network(row["account"]) not in UNKNOWABLE))
    ]


def _unwritten(world: World, rows: Sequence[Row], books: Sequence[Entry], resent: frozenset[str]) -> list[str]:
    """On a network, but not in the books, although nobody is in doubt about it."""
    written = {(one.network, name) for one in books for name in _names(one.ref)}
    doubted = {row["id"] for row in rows if row["state"] == "uncertain"}
    homes = {_network(row["home"]) for row in rows if row["state"] == "uncertain"}
    meant = {(one.mark, one.home if _is_copy(one) else ""): one for one in world.expected}
    wrong = []
    for one in world.found:
        wanted = meant.get((one.mark, one.network)) or meant.get((one.mark, ""))
        if (one.network, one.message) in written or one.mark in resent or wanted is None:
            continue
        if not (wanted.delivery in doubted if wanted.delivery else wanted.home in homes):
            wrong.append(f"not in the books: {one.mark} on {one.network} ({one.message})")
    return wrong


def _unreal(books: Sequence[Entry], held: Mapping[str, Iterable[str]]) -> list[str]:
    """In the books, but on no network."""
    ids = {network: frozenset(messages) for network, messages in held.items()}
    return [
        f"in the books alone: {one.delivery} on {one.network} ({one.ref})"
        for one in books
        if ids[one.network].isdisjoint(_names(one.ref))
    ]


def _names(ref: str) -> set[str]:
    """What a network may call the message that a ref points to: refs hold its id, and what else an answer needs."""
    return {ref, *(name for cut in " /|" for name in ref.split(cut))}


def is_calm(rows: Iterable[Row]) -> bool:
    """Nothing is under way any more."""
    return not any(
        row["state"] in UNDER_WAY or (row["state"] == "uncertain" and row["due_at"] is not None) for row in rows
    )


def _is_notice(row: Row) -> bool:
    """Where the agent can be found, said at each loss in the same words: a network may call that a duplicate."""
    return str(row["announcement"]).startswith("notice:")


def _network(account: str) -> str:
    return account.partition("/")[0]

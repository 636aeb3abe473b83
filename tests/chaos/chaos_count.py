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
CALL = re.compile(r"@([\w.-]*\w)")
UNDER_WAY = ("waiting", "queued", "sending", "held")
UNKNOWABLE = frozenset({"telegram"})
"""Networks that can't tell whether something was sent: the operator is asked."""
CLOSED = frozenset({"discord", "telegram"})
"""Networks whose public places are among few: an answer from there goes on in private."""
CALLING = frozenset({"mastodon"})
"""Networks whose private messages have no room: they reach those whom they call."""
GRACE_S = 3.0
"""Sends that were under way when the first refusal came may still arrive for so long."""
STANDINGS = frozenset({"suspend", "lock", "revoke"})
RESENT = "resent although maybe sent"
"""How a delivery says that it may be there twice."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Expected:
    """One mark that was accepted for ``home``: a post has its ``delivery``, an answer the conversation as ``place``,
    the ``person`` who asked, and whether that was ``private``.

    Marks of one ``speaker`` for one home and place keep their order.
    """

    mark: str
    home: str
    speaker: str
    place: str = ""
    delivery: str = ""
    person: str = ""
    private: bool = False


@dataclass(frozen=True)
class Found:
    """One mark in a message that a network holds of ours, in the order it accepted them: where it stands, and whom the
    message calls.
    """

    mark: str
    network: str
    message: str = ""
    conversation: str = ""
    private: bool = False
    calls: frozenset[str] = frozenset()


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
    return [_found(mark, network, message) for message in messages for mark in MARK.findall(message["text"])]


def _found(mark: str, network: str, message: Row) -> Found:
    calls = frozenset(CALL.findall(message["text"]))
    return Found(mark, network, message["id"], message["conversation"], message["private"], calls)


def broken(world: World) -> list[str]:
    """Promises that no moment may break, however unwell everybody is."""
    perhaps_chosen = {one.mark for one in world.found if one.network in world.resend}
    twice = [line for one, line in _doubles(world) if one.mark not in perhaps_chosen]
    copies = {one.mark for one in world.expected if _is_copy(one)}
    judged = [one for one in world.found if one.mark in copies]  # the others may have left a road: see count()
    return [*twice, *_disordered(world.expected, judged), *_forbidden(world), *_misplaced(world)]


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
    resent = _resent(world, books)
    vouchers = _vouchers(world, rows)
    unwritten = _doubtless(_unwritten(world, books, resent), rows, vouchers)
    lost = _lost(missing, rows, vouchers)
    result.absent = len(missing) - len(lost)
    unmarked = [line for one, line in _doubles(world) if one.mark not in resent]
    result.doubled = len(_doubles(world)) - len(unmarked)
    stayed = _without_rerouted(world.found, books)
    result.wrong += lost + unmarked + _disordered(world.expected, stayed) + _forbidden(world) + _misplaced(world)
    result.wrong += _left_over(rows) + unwritten + _unreal(books, held)
    return result


def unanswered(world: World, rows: Sequence[Row], books: Sequence[Entry]) -> list[Expected]:
    """Questions whose answers are on no network, without those that nobody can tell about."""
    there = {one.mark for one in world.found}
    vouchers = _vouchers(world, rows)
    _doubtless(_unwritten(world, books, _resent(world, books)), rows, vouchers)
    missing = [one for one in world.expected if _is_answer(one) and one.mark not in there]
    return [one for one in missing if not _vouched(one, vouchers)]


def _is_answer(one: Expected) -> bool:
    return one.mark.startswith("r")


def _is_copy(one: Expected) -> bool:
    return one.mark.startswith("a")


def _vouchers(world: World, rows: Sequence[Row]) -> Counter[str]:
    """By home, how many answers nobody can tell about. Which ones the gateway doesn't say; all else has a name."""
    named = {one.delivery for one in world.expected if one.delivery}
    shown = [row for row in rows if row["state"] == "uncertain" and row["id"] not in named and not _is_notice(row)]
    return Counter(_network(row["home"]) for row in shown)


def _vouched(answer: Expected, vouchers: Counter[str]) -> bool:
    """Whether there was one left for it. Each is good for one answer."""
    vouchers[answer.home] -= 1
    return vouchers[answer.home] >= 0


def _lost(missing: Sequence[Expected], rows: Sequence[Row], vouchers: Counter[str]) -> list[str]:
    """Missing, and not shown as uncertain where nobody can tell."""
    shown = {row["id"] for row in rows if row["state"] == "uncertain"}
    return [
        f"lost: {one.mark} for {one.home} ({one.delivery or one.place})"
        for one in missing
        if not (one.delivery in shown if one.delivery else _vouched(one, vouchers))
    ]


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


def _misplaced(world: World) -> list[str]:
    """Answers where they were not asked for: on their network in another conversation, elsewhere with another person or
    in public.
    """
    asked = {one.mark: one for one in world.expected if _is_answer(one)}
    rooms = {(one.home, one.place): one.person for one in asked.values() if one.private}
    wrong = []
    for one in world.found:
        wanted = asked.get(one.mark)
        if wanted is not None and (why := _out_of_place(one, wanted, rooms)):
            wrong.append(
                f"misplaced: {one.mark} for {wanted.home} stands on {one.network} in {one.conversation}, {why}"
            )
    return wrong


def _out_of_place(one: Found, wanted: Expected, rooms: Mapping[tuple[str, str], str]) -> str:
    away = one.network != wanted.home
    if not away and one.conversation != wanted.place:
        return f"not in {wanted.place}"
    if not one.private and (wanted.private or (away and wanted.home in CLOSED)):
        return "in public"
    partner = rooms.get((one.network, one.conversation), wanted.person)
    if partner != wanted.person:
        return f"with {partner}"
    silent = one.private and one.network in CALLING and wanted.person not in one.calls
    return f"without calling {wanted.person}" if silent else ""


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


def _unwritten(world: World, books: Sequence[Entry], resent: frozenset[str]) -> list[tuple[Found, Expected]]:
    """On a network, but not in the books."""
    written = {(one.network, name) for one in books for name in _names(one.ref)}
    meant = {(one.mark, one.home if _is_copy(one) else ""): one for one in world.expected}
    unwritten = []
    for one in world.found:
        wanted = meant.get((one.mark, one.network)) or meant.get((one.mark, ""))
        if wanted is not None and (one.network, one.message) not in written and one.mark not in resent:
            unwritten.append((one, wanted))
    return unwritten


def _doubtless(unwritten: Sequence[tuple[Found, Expected]], rows: Sequence[Row], vouchers: Counter[str]) -> list[str]:
    """Of what is not in the books that which nobody is in doubt about. An answer that is there uses up its voucher:
    no other may be missing for it.
    """
    doubted = {row["id"] for row in rows if row["state"] == "uncertain"}
    return [
        f"not in the books: {one.mark} on {one.network} ({one.message})"
        for one, wanted in unwritten
        if not (wanted.delivery in doubted if wanted.delivery else _vouched(wanted, vouchers))
    ]


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

"""What can go wrong on purpose: per platform, per account, counted or until lifted."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any


class Trouble(StrEnum):
    """The kinds of trouble. Each face answers with its platform's real bodies."""

    SUSPEND = "suspend"
    LOCK = "lock"
    REVOKE = "revoke"
    SILENT_SUSPEND = "silent_suspend"
    """Writes still work; only a public look at the profile tells."""
    RATE_LIMIT = "rate_limit"
    DELAY = "delay"
    OUTAGE = "outage"
    """No answer at all: connections are dropped (or, with ``status``, an HTML error page)."""
    FAIL_BEFORE = "fail_before"
    """5xx, nothing accepted."""
    FAIL_AFTER = "fail_after"
    """Accepted, then 5xx."""
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    """Accepted, then the connection drops without an answer."""
    MALFORMED_EVENT = "malformed_event"
    """The next thing to read has a part that no client expects."""
    REFUSE = "refuse"
    """One of the face's own refusals, by ``code``."""


@dataclass
class Rule:
    """One trouble. ``account`` None means everybody; ``count`` None means until lifted.

    ``on`` narrows it to writes, reads or streams ("write", "read", "stream", "any"); ``match`` to writes whose text
    holds it; ``action`` to one action of the face (``post``, ``direct``, ``media``, ``refresh``, ...).
    """

    kind: Trouble
    id: int = 0
    account: str | None = None
    count: int | None = None
    on: str = "any"
    action: str | None = None
    match: str | None = None
    status: int | None = None
    code: str | None = None
    delay_s: float = 0.0
    retry_after_s: float | None = 1.0
    """What a rate limit tells; ``None`` leaves the headers out."""
    extra: dict[str, str] = field(default_factory=dict)


LONGEST_S = 86_400.0
TEXT_MAX = 1_000


def read_rule(told: dict[str, Any]) -> Rule:
    """A rule from what somebody sent; ValueError says in one line what is wrong with it."""
    if unknown := told.keys() - _READERS.keys():
        raise ValueError(f"no such key: {', '.join(sorted(unknown))}; there are: {', '.join(_READERS)}")
    if told.get("kind") not in list(Trouble):
        raise ValueError(f"kind is one of: {', '.join(Trouble)}")
    for name, value in told.items():
        complaint = _READERS[name](value)
        if complaint and not (value is None and name in _MAY_BE_NONE):
            raise ValueError(f"{name}: {complaint}")
    return Rule(Trouble(told["kind"]), **{name: value for name, value in told.items() if name != "kind"})


def _words(value: Any) -> str:
    return "" if isinstance(value, str) and len(value) <= TEXT_MAX else f"a text of at most {TEXT_MAX} characters"


def _seconds(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return "" if number and 0 <= value <= LONGEST_S else f"a number from 0 to {LONGEST_S:.0f}"


def _whole(least: int, most: int) -> Callable[[Any], str]:
    def complaint(value: Any) -> str:
        good = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if good else f"a whole number from {least} to {most}"

    return complaint


def _side(value: Any) -> str:
    return "" if value in ("any", "write", "read", "stream") else "any, write, read or stream"


def _pairs(value: Any) -> str:
    good = isinstance(value, dict) and len(value) <= 20 and not any(_words(item) for item in value.values())
    return "" if good else "an object of at most 20 texts"


_READERS: dict[str, Callable[[Any], str]] = {
    "kind": _words,
    "account": _words,
    "count": _whole(1, 1_000_000),
    "on": _side,
    "action": _words,
    "match": _words,
    "status": _whole(400, 599),
    "code": _words,
    "delay_s": _seconds,
    "retry_after_s": _seconds,
    "extra": _pairs,
}
_MAY_BE_NONE = frozenset(f.name for f in fields(Rule) if "None" in str(f.type))


def any_code(_: Rule) -> None:
    """For a book that no face reads."""


class Faults:
    """The book of troubles of one network. ``codes`` says what a rule may have as its code there; None: anything."""

    def __init__(self) -> None:
        self.codes: Callable[[Rule], Collection[str] | None] = any_code
        self._rules: dict[int, Rule] = {}
        self._ids = itertools.count(1)
        self.changed = asyncio.Event()
        """Set whenever the book changes; streams look again then (and clear it)."""

    def add(self, rule: Rule) -> Rule:
        """Raises ValueError for a code that would be answered with nothing that the platform says."""
        known = self.codes(rule)
        if rule.code is not None and known is not None and rule.code not in known:
            raise ValueError(f"code: there is no {rule.code[:40]!r}; {rule.kind} has {', '.join(known) or 'none'}")
        rule.id = next(self._ids)
        self._rules[rule.id] = rule
        self.changed.set()
        return rule

    def lift(self, rule_id: int) -> bool:
        found = self._rules.pop(rule_id, None) is not None
        self.changed.set()
        return found

    def lift_all(self, kind: Trouble | None = None) -> int:
        gone = [i for i, rule in self._rules.items() if kind is None or rule.kind is kind]
        for i in gone:
            del self._rules[i]
        self.changed.set()
        return len(gone)

    def rules(self) -> list[Rule]:
        return list(self._rules.values())

    def find(
        self, kind: Trouble, account: str | None = None, *, on: str = "any", action: str = "", text: str = ""
    ) -> Rule | None:
        """The first rule that applies now. A counted rule is used up by being found."""
        for rule in self._rules.values():
            if rule.kind is kind and _applies(rule, account, on, action, text):
                self._count_down(rule)
                return rule
        return None

    def active(self, kind: Trouble, account: str | None = None) -> bool:
        """Whether such a rule stands, without using it up."""
        return any(r.kind is kind and r.account in (None, account) for r in self._rules.values())

    def _count_down(self, rule: Rule) -> None:
        if rule.count is None:
            return
        rule.count -= 1
        if rule.count <= 0:
            del self._rules[rule.id]


def _applies(rule: Rule, account: str | None, on: str, action: str, text: str) -> bool:
    return (
        rule.account in (None, account)
        and rule.on in ("any", on)
        and rule.action in (None, action)
        and (rule.match is None or rule.match in text)
    )

"""What can go wrong on purpose: per platform, per account, counted or until lifted."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from enum import StrEnum


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


ALWAYS_ON = frozenset({Trouble.SUSPEND, Trouble.LOCK, Trouble.REVOKE, Trouble.SILENT_SUSPEND, Trouble.OUTAGE})
"""States rather than single answers: without a count they last until lifted."""


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


class Faults:
    """The book of troubles of one network."""

    def __init__(self) -> None:
        self._rules: dict[int, Rule] = {}
        self._ids = itertools.count(1)
        self.changed = asyncio.Event()
        """Set whenever the book changes; streams look again then (and clear it)."""

    def add(self, rule: Rule) -> Rule:
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

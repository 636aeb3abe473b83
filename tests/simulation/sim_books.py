"""What the gateway has written down, as its database knows it: a mirror that each commit brings up to date.

Triggers that live on the writing connection alone report every row that changes; what is rolled back never happened.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

from msgspec import json
from sim_network import PREFACE

from gateway.model.content import Document, plain
from gateway.model.delivery import Draft, Part, Receipt, State

COLUMNS = [
    *("seq", "id", "key", "account", "home", "order_key", "state", "due_at", "created_at", "changed_at"),
    *("expires_at", "attempts", "sent_n", "reason", "draft", "parts", "sent"),
]
WATCHED = {
    "deliveries": COLUMNS,
    "events": ["seq", "account", "id", "state", "attempts", "error"],
    "cursors": ["account", "cursor"],
    "standings": ["seq", "account", "standing", "since", "evidence"],
    "sent_parts": ["seq", "delivery", "account", "part", "ref"],
}
ENDED = frozenset({State.DELIVERED, State.REFUSED, State.EXPIRED})

_draft = json.Decoder(Draft).decode
_parts = json.Decoder(tuple[Part, ...]).decode
_receipts = json.Decoder(tuple[Receipt, ...]).decode


def lines_of(document: Document) -> list[str]:
    """Its paragraphs, as the networks hold them."""
    return [plain(Document((each,))) for each in document.paragraphs]


class Row:
    """One delivery as it is in the database, since ``at_s``."""

    def __init__(self, values: tuple[Any, ...], at_s: float) -> None:
        (
            self.seq, self.id, self.key, self.account, self.home, self.order_key, state, self.due_at, self.created_at,
            self.changed_at, self.expires_at, self.attempts, self.sent_n, self.reason, self.raw_draft, self.raw_parts,
            self.raw_sent,
        ) = values  # fmt: skip
        self.state = State(state)
        self.values = values
        self.at_s = at_s

    @cached_property
    def draft(self) -> Draft:
        return _draft(self.raw_draft)

    @cached_property
    def lines(self) -> list[str]:
        """Its paragraphs, without what is said before them on another road."""
        return [line for line in lines_of(self.draft.document) if not line.startswith(PREFACE)]

    @cached_property
    def parts(self) -> tuple[Part, ...] | None:
        return None if self.raw_parts is None else _parts(self.raw_parts)

    @cached_property
    def sent(self) -> tuple[Receipt, ...]:
        return () if self.raw_sent is None else _receipts(self.raw_sent)

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def on_its_way(self) -> bool:
        asked = self.state is State.UNCERTAIN and self.due_at is not None
        return asked or self.state in (State.QUEUED, State.SENDING)

    @property
    def is_open_question(self) -> bool:
        """Only the operator can settle it; it blocks nobody."""
        return self.state is State.UNCERTAIN and self.due_at is None

    def __str__(self) -> str:
        away = "" if self.account == self.home else f" at {self.account}"
        return f"{self.key}{away} ({self.state}{': ' + self.reason if self.reason else ''})"


class Accepted:
    """What was promised when a draft came in, and what is remembered of its way."""

    def __init__(self, row: Row) -> None:
        self.key = row.key
        self.seq = row.seq
        self.at_s = row.at_s
        self.home = row.home
        self.order = row.order_key
        self.lines = row.lines
        self.first_lines = self.lines
        self.wanted: list[list[str]] = []
        """What the operator asked to be said instead."""
        self.dropped: set[str] = set()
        """What was to be said before that."""
        self.been: set[tuple[str, str]] = set()
        """Account and place of every plan of it."""
        self.overtaken_by: set[int] = set()
        """Who went past it while it was not in its order: an open question, or on another road."""

    def amended(self, row: Row) -> None:
        """It says something else now, if that is what the operator wanted."""
        if row.lines != self.lines and row.lines in self.wanted:
            self.dropped |= set(self.lines)
            self.lines = row.lines


class Event(NamedTuple):
    """A line of the inbox."""

    seq: int
    state: str
    attempts: int
    error: str


class Change(NamedTuple):
    """One row before and after a commit."""

    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        row = self.after or self.before
        assert row is not None
        return row


class Books:
    """The mirror."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._pending: list[tuple[str, tuple[Any, ...]]] = []
        self.rows: dict[int, Row] = {}
        self.open: dict[int, Row] = {}
        self.by_key: dict[str, Row] = {}
        self.accepted: dict[str, Accepted] = {}
        self.orders: defaultdict[str, dict[int, Row]] = defaultdict(dict)
        """Open rows by order key."""
        self.events: dict[tuple[str, str], Event] = {}
        """By account and id. What was forgotten stays known."""
        self.asked_by: dict[str, tuple[str, str]] = {}
        """By an answer's key: the account and id of the event that it answers."""
        self.cursors: dict[str, int] = {}
        self.standings: list[tuple[str, str, str]] = []
        """The changes that were committed and not looked at yet."""
        self.stands: dict[str, str] = {}
        """By account: its standing on the disk."""
        self.refs: dict[str, tuple[str, int]] = {}
        """Which delivery's part each post is taken for."""

    def watch(self, raw: sqlite3.Connection) -> None:
        """From now on hear of every row that this connection changes."""
        for table, columns in WATCHED.items():
            raw.create_function(f"sim_{table}", len(columns) + 1, self._hearer(table))
            for event, side in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
                values = ", ".join(f"{side}.{column}" for column in columns)
                raw.execute(
                    f"CREATE TEMP TRIGGER sim_{table}_{event} AFTER {event} ON main.{table} "
                    f"BEGIN SELECT sim_{table}('{event}', {values}); END"
                )

    def _hearer(self, table: str) -> Any:
        def hear(*values: Any) -> None:
            self._pending.append((table, values))

        return hear

    def begin(self) -> None:
        """What was heard and not committed never happened."""
        self._pending.clear()

    def commit(self) -> list[Change]:
        """Take the transaction's changes in; returns those of deliveries, one per delivery."""
        heard, self._pending = self._pending, []
        before: dict[int, Row | None] = {}
        for table, (event, *values) in heard:
            if table == "deliveries":
                before.setdefault(values[0], self.rows.get(values[0]))
                self._take(event, tuple(values))
            else:
                getattr(self, f"_{table}")(event, *values)
        return [Change(old, self.rows.get(seq)) for seq, old in before.items()]

    def _take(self, event: str, values: tuple[Any, ...]) -> None:
        seq = values[0]
        known = self.rows.pop(seq, None)
        if known is not None:
            self.orders[known.order_key].pop(seq, None)
            self.open.pop(seq, None)
        if event == "DELETE":
            return
        row = Row(values, self._now_s())
        self.rows[seq] = self.by_key[row.key] = row
        if row.key not in self.accepted:
            self.accepted[row.key] = Accepted(row)
        elif known is not None and row.raw_draft != known.raw_draft:
            self.accepted[row.key].amended(row)
        if known is None or row.raw_parts != known.raw_parts:
            self.accepted[row.key].been |= {(row.account, part.body["place"]) for part in row.parts or ()}
        if not row.ended:
            self.open[seq] = row
            self.orders[row.order_key][seq] = row

    def _events(self, event: str, seq: int, account: str, name: str, state: str, attempts: int, error: str) -> None:
        if event != "DELETE":
            self.events[account, name] = Event(seq, state, attempts, error)
            self.asked_by[f"reply:{account}:{seq}"] = (account, name)

    def _cursors(self, _: str, account: str, cursor: str) -> None:
        self.cursors[account] = int(cursor)

    def _standings(self, _: str, seq: int, account: str, standing: str, since: int, evidence: str) -> None:
        self.standings.append((account, standing, evidence))
        self.stands[account] = standing

    def _sent_parts(self, event: str, seq: int, delivery: str, account: str, part: int, ref: str) -> None:
        if event == "INSERT":
            self.refs.setdefault(ref, (delivery, part))

    def in_order(self, order: str) -> Iterator[Row]:
        """Open rows of an order by seq."""
        rows = self.orders.get(order, {})
        return (rows[seq] for seq in sorted(rows))


def on_disk(raw: sqlite3.Connection) -> dict[int, tuple[Any, ...]]:
    """What is there, read anew."""
    every = f"SELECT {', '.join(COLUMNS)} FROM deliveries ORDER BY seq"  # noqa: S608 - names of ours
    found = raw.execute(every).fetchall()
    return {row[0]: tuple(row) for row in found}

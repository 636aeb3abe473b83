"""Any sequence of operations on the outbox, against a plain model: heads of orders, no lost delivery, legal states."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from gateway.books import Move, Settlement, Store, Superseded
from gateway.model.delivery import FINAL, TRANSITIONS, Delivery, State
from gateway.model.ids import AccountId, DeliveryId
from gateway.store import open_store
from gateway.testing.store_drafts import AWAY, HOME, NOW, new, part, receipt, said

ORDERS = st.sampled_from(["o1", "o2", "o3"])
ACCOUNTS = st.sampled_from([HOME, AWAY])
WAITS = (State.WAITING, State.QUEUED, State.HELD)
ENDS = sorted(TRANSITIONS[State.SENDING])
PICK = st.integers(0, 1_000)
SECOND = timedelta(seconds=1)


@dataclass(eq=False)
class Row:
    """What the model knows of a delivery."""

    name: str
    account: AccountId
    order: str
    state: State
    due: bool = True
    expires_at: datetime | None = None
    own: datetime | None = None
    """What its draft says, and no hold."""
    receipts: list[str] = field(default_factory=list)
    planned: bool = False

    @property
    def on_its_way(self) -> bool:
        return self.state is State.SENDING or (self.state is State.UNCERTAIN and self.due)


def somebody(*states: State) -> Callable[[Outbox], bool]:
    return lambda self: any(row.state in states for row in self.rows)


def reachable(before: State) -> set[State]:
    """States that one transaction may lead to: a step of the table, and one more for the order's sake."""
    steps = TRANSITIONS[before]
    return {before} | steps | ({State.WAITING} if State.QUEUED in steps else set())


class Outbox(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.open()
        self.runner.run(self.store.tend("me", [HOME, AWAY], 3600.0))
        self.rows: list[Row] = []
        self.seen: dict[str, State] = {}
        self.now = NOW

    def teardown(self) -> None:
        self.runner.run(self.store.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store: Store = open_store(f"sqlite:///{self.folder / 'my.db'}")

    # The model.

    def go_on(self, *orders: str) -> None:
        for order in set(orders):
            rows = [row for row in self.rows if row.order == order]
            waiting = [row for row in rows if row.state in WAITS]
            begun = [row for row in waiting if row.state is State.QUEUED and row.receipts]
            head = (begun or waiting or [None])[0]
            if any(row.on_its_way for row in rows) or (head and head.state is State.HELD):
                head = None
            for row in waiting:
                if row.state is not State.HELD:
                    row.state = State.QUEUED if row is head else State.WAITING

    def some(self, pick: int, *states: State) -> Row:
        """One that fits, or now and then any."""
        rows = [row for row in self.rows if row.state in states and pick % 8]
        return (rows or self.rows)[pick // 8 % len(rows or self.rows)]

    def hour(self, expires: bool) -> datetime | None:
        return self.now + 3 * SECOND if expires else None

    # What can happen.

    @initialize(orders=st.lists(ORDERS, min_size=4, max_size=8), expires=st.booleans())
    def begin_with_some(self, orders: list[str], expires: bool) -> None:
        self.add(orders, State.QUEUED, HOME, expires)

    @rule(
        orders=st.lists(ORDERS, min_size=1, max_size=4),
        state=st.sampled_from([State.QUEUED, State.HELD]),
        account=ACCOUNTS,
        expires=st.booleans(),
    )
    def add(self, orders: list[str], state: State, account: AccountId, expires: bool) -> None:
        fresh = [
            Row(f"d{len(self.rows) + n}", account, order, state, expires_at=self.hour(expires), own=self.hour(expires))
            for n, order in enumerate(orders)
        ]
        asked = [
            new(row.name, order=row.order, account=account, state=state, due_at=self.now, expires_at=row.expires_at)
            for row in fresh
        ]
        told = self.runner.run(self.store.add(asked, self.now))
        self.rows += fresh
        for row in fresh:
            ahead = [other for other in self.rows[: self.rows.index(row)] if other.order == row.order]
            blocked = any(other.state in WAITS or other.on_its_way for other in ahead)
            row.state = State.WAITING if blocked and state is State.QUEUED else state
        assert [one.state for one in told] == [row.state for row in fresh]

    @precondition(somebody(State.QUEUED, State.UNCERTAIN))
    @rule(pick=PICK, right=st.integers(0, 9))
    def begin(self, pick: int, right: int) -> None:
        row = self.some(pick, State.QUEUED, State.UNCERTAIN)
        self.begun(row, row.account if right else AWAY)

    def known(self, row: Row) -> Delivery:
        found = self.runner.run(self.store.delivery(DeliveryId(row.name)))
        assert found is not None
        return found

    def begun(self, row: Row, account: AccountId) -> None:
        may = (row.state is State.QUEUED or (row.state is State.UNCERTAIN and row.due)) and row.account == account
        known = structs.replace(self.known(row), account=account)
        assert self.runner.run(self.store.begin(known, [part()], self.now)) is may
        if may:
            row.state, row.planned = State.SENDING, True
        self.look()

    @precondition(somebody(State.SENDING, State.UNCERTAIN))
    @rule(pick=PICK, state=st.sampled_from(ENDS), due=st.booleans(), arrived=st.booleans())
    def settle(self, pick: int, state: State, due: bool, arrived: bool) -> None:
        self.settled(self.some(pick, State.SENDING, State.UNCERTAIN), state, due=due, arrived=arrived)

    def settled(self, row: Row, state: State, *, due: bool = True, arrived: bool = True) -> None:
        ref = f"r{len(row.receipts)}"
        got = receipt(ref, self.now) if arrived else None
        settlement = Settlement(state, self.now if due else None, "why", got, "post", "c")
        settling = self.store.settle(self.known(row), settlement, self.now)
        after_doubt = row.state is State.UNCERTAIN and state in TRANSITIONS[row.state] - {State.SENDING}
        if row.state is not State.SENDING and not after_doubt:
            with pytest.raises(Superseded):
                self.runner.run(settling)
            if (row.state, state, arrived) == (State.UNCERTAIN, State.SENDING, True):  # told late: its next part is due
                row.state, row.due = State.QUEUED, True
                row.receipts.append(ref)
                self.go_on(row.order)
            return
        promoted = self.runner.run(settling)
        waiting = [other for other in self.rows if other.state is State.WAITING]
        row.state, row.due = state, due
        row.receipts += [ref] * arrived
        self.go_on(row.order)
        assert (promoted and [promoted.id]) == ([each.name for each in waiting if each.state is State.QUEUED] or None)
        self.look()

    @precondition(somebody(State.QUEUED))
    @rule(pick=PICK, last=st.sampled_from([State.DELIVERED, State.QUEUED, State.HELD, State.UNCERTAIN]))
    def carry(self, pick: int, last: State) -> None:
        """A part arrives, and then the last one, or trouble."""
        row = self.some(pick, State.QUEUED)
        if row.state is State.QUEUED:
            self.begun(row, row.account)
            self.settled(row, State.SENDING)
            self.settled(row, last, due=bool(pick % 2), arrived=last is State.DELIVERED)

    @rule(
        picks=st.lists(PICK, min_size=1, max_size=3),
        order=ORDERS,
        account=ACCOUNTS,
        state=st.sampled_from([State.QUEUED, State.QUEUED, State.HELD, State.REFUSED]),
        expires=st.booleans(),
    )
    def divert(self, picks: list[int], order: str, account: AccountId, state: State, expires: bool) -> None:
        rows = {row.name: row for pick in picks for row in [self.some(pick, *WAITS)]}
        draft = {name: structs.replace(new(name, account=account).draft, document=said("rest")) for name in rows}
        moves = [
            Move(DeliveryId(name), account, order, state, self.now, "moved", draft[name], self.hour(expires))
            for name in rows
        ]
        told = self.runner.run(self.store.move(moves, self.now))
        moved = [row for row in rows.values() if row.state in WAITS and not self.follows_a_send(row)]
        touched = [order, *(row.order for row in moved)]
        for row in moved:
            row.account, row.order, row.state = account, order, state
            row.receipts, row.planned = [], False
            hold = self.hour(expires) or row.expires_at
            row.expires_at, row.own = (None if state is State.QUEUED else hold), None
        self.go_on(*touched)
        assert [(one.id, one.state) for one in told] == [(row.name, row.state) for row in moved]

    def follows_a_send(self, row: Row) -> bool:
        ahead = self.rows[: self.rows.index(row)]
        return any(other.order == row.order and other.state is State.SENDING for other in ahead)

    @rule(picks=st.lists(PICK, min_size=1, max_size=3), state=st.sampled_from([State.HELD, State.HELD, State.REFUSED]))
    def hold(self, picks: list[int], state: State) -> None:
        rows = {row.name: row for pick in picks for row in [self.some(pick, *WAITS)]}
        moves = [Move(DeliveryId(row.name), row.account, row.order, state, self.now, "stays") for row in rows.values()]
        self.runner.run(self.store.move(moves, self.now))
        moved = [row for row in rows.values() if row.state in WAITS]
        for row in moved:
            row.state = state
        self.go_on(*(row.order for row in moved))

    @precondition(somebody(State.HELD))
    @rule(account=ACCOUNTS)
    def release(self, account: AccountId) -> None:
        home = self.runner.run(self.store.release(account, self.now, 1.0))
        held = [row for row in self.rows if row.state is State.HELD and row.account == account]
        late = [row for row in held if row.expires_at and row.expires_at <= self.now]
        for row in held:
            row.state, row.due = (State.EXPIRED if row in late else State.WAITING), True
            row.expires_at = row.expires_at if row in late else row.own
        assert home == len(held) - len(late)
        self.go_on(*(row.order for row in held))

    @precondition(lambda self: any(row.expires_at and row.expires_at <= self.now for row in self.rows))
    @rule()
    def expire(self) -> None:
        late = [row for row in self.rows if row.state in WAITS and row.expires_at and row.expires_at <= self.now]
        assert self.runner.run(self.store.expire(self.now)) == len(late)
        for row in late:
            row.state = State.EXPIRED
        self.go_on(*(row.order for row in late))

    @precondition(somebody(State.SENDING))
    @rule()
    def die(self) -> None:
        sending = [row for row in self.rows if row.state is State.SENDING]
        assert self.runner.run(self.store.rescue([HOME, AWAY], self.now)) == len(sending)
        for row in sending:
            row.state, row.due = State.UNCERTAIN, True

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND

    # What always holds.

    @invariant()
    def look(self) -> None:
        """The store is the model, and came there by legal steps. Looked at after every single operation."""
        found = self.runner.run(self.store.deliveries(limit=10_000))[::-1]
        assert [self.shape(one) for one in found] == [
            (row.name, row.account, row.order, row.state, row.receipts, row.planned) for row in self.rows
        ]
        for one in found:
            before = self.seen.get(one.id, one.state)
            assert one.state in reachable(before), f"{one.id}: {before} -> {one.state}"
            self.seen[one.id] = one.state

    @staticmethod
    def shape(one: Delivery) -> tuple[object, ...]:
        refs = [str(each.ref) for each in one.sent]
        return one.id, one.account, one.order_key, one.state, refs, one.parts is not None

    @invariant()
    def one_of_each_order_at_most_may_go(self) -> None:
        for order in {row.order for row in self.rows}:
            rows = [row for row in self.rows if row.order == order]
            assert sum(row.state is State.QUEUED for row in rows) <= 1
            stuck = all(row.state in FINAL or row.state is State.WAITING for row in rows)
            assert not stuck or all(row.state in FINAL for row in rows), "an order waits for nobody"


Outbox.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestOutbox = pytest.mark.timeout(240)(Outbox.TestCase)  # only where it fails and looks for the shortest way there


class SharedOutbox(Outbox):
    """The same on PostgreSQL, which has other ways to be wrong."""

    url: str

    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("TRUNCATE deliveries, leases, members CASCADE")
        self.store = open_store(self.url)


SharedOutbox.TestCase.settings = settings(max_examples=12, stateful_step_count=40, deadline=None)


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("_shared")
class TestSharedOutbox(SharedOutbox.TestCase):  # type: ignore[name-defined, misc]  # made by hypothesis
    @pytest.fixture
    def _shared(self, postgres_url: str) -> None:
        SharedOutbox.url = postgres_url

"""Several gateways at work on the same orders of one PostgreSQL database, at once and with connections that break.

The database itself watches that at most one delivery of an order may go or is on its way: with every commit.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
import pytest
from msgspec import structs

from gateway.books import Settlement, StoreError, Superseded
from gateway.model.delivery import FINAL, Delivery, State
from gateway.model.ids import AccountId, DeliveryId
from gateway.store import SqlStore, open_store
from gateway.testing.store_drafts import NOW, diverted, held, new, part, receipt

GATEWAYS = 3
ORDERS = 4
NAMES = tuple(AccountId(f"red/a{n}") for n in range(GATEWAYS))
LATER = NOW + timedelta(days=9)
WATCH = """
ALTER TABLE deliveries ADD CONSTRAINT one_may_go EXCLUDE USING btree (workspace WITH =, order_key WITH =)
WHERE (state IN ('queued', 'sending') OR (state = 'uncertain' AND due_at IS NOT NULL)) DEFERRABLE INITIALLY DEFERRED
"""
SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(random() * 0.01); RETURN NULL; END';
CREATE TRIGGER slow AFTER INSERT OR UPDATE ON deliveries FOR EACH STATEMENT EXECUTE FUNCTION slow()
"""
"""Transactions that take their time meet each other."""
BREAK = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'multihome' ORDER BY random() LIMIT 1
"""


@dataclass
class Crowd:
    """Gateways, each with one account, and what they did."""

    stores: list[SqlStore]
    random: random.Random
    added: set[str] = field(default_factory=set)
    begun: list[Delivery] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    numbers: int = 0

    def order(self) -> str:
        """One of a few; and as time goes on, others: what gets stuck in one is not helped on by its successors."""
        return f"o{self.numbers // 20}-{self.random.randrange(ORDERS)}"

    async def add(self, store: SqlStore) -> None:
        drafts = []
        for _ in range(self.random.randint(1, 2)):
            self.numbers += 1
            account = self.random.choice(NAMES)
            drafts.append(new(f"d{self.numbers:05}", order=self.order(), account=account))
        await until_told(lambda: store.add(drafts, NOW))
        self.added |= {one.id for one in drafts}

    async def deliver(self, store: SqlStore, account: AccountId) -> None:
        for one in await until_told(lambda: store.ready(account, LATER, 5)):
            if await until_told(lambda one=one: store.begin(one, [part()], NOW)):
                self.begun.append(one)
                await self.settle(store, structs.replace(one, attempts=one.attempts + 1))

    async def settle(self, store: SqlStore, one: Delivery) -> None:
        """Delivered as a rule; or tried again later, when its order may have changed."""
        await asyncio.sleep(0)
        arrived = self.random.random() < 0.8
        end = Settlement(State.DELIVERED, None, receipt=receipt(one.id), part_kind="post")
        try:
            await until_told(lambda: store.settle(one, end if arrived else Settlement(State.QUEUED, NOW), NOW))
        except Superseded:
            found = await until_told(lambda: store.delivery(one.id))
            assert found is not None
            assert found.state is not State.SENDING
        self.sent[one.id] += arrived

    async def disturb(self, store: SqlStore) -> None:
        """Hold, release or divert something, whoever has it."""
        account = self.random.choice(NAMES)
        found = await until_told(lambda: store.unsent(account, limit=20))
        picked = self.random.sample(found, min(2, len(found)))
        match self.random.randrange(3):
            case 0:
                await until_told(lambda: store.move([held(one.id, one.order_key) for one in picked], NOW))
            case 1:
                await until_told(lambda: store.release(account, NOW, 0.0))
            case 2:
                elsewhere, order = self.random.choice(NAMES), self.order()
                moves = [diverted(one.id, order, account=elsewhere) for one in picked]
                await until_told(lambda: store.move(moves, NOW))

    async def work(self, at: int, rounds: int, *, disturbing: bool) -> None:
        store, account = self.stores[at], NAMES[at]
        for _ in range(rounds):
            jobs = [self.add(store), self.deliver(store, account), self.deliver(store, account)]
            if disturbing:
                jobs.append(self.disturb(store))
            await asyncio.gather(*jobs)

    async def finish(self) -> None:
        """Until nothing is left to do."""
        for _ in range(len(self.added)):
            for store, account in zip(self.stores, NAMES, strict=True):
                await store.release(account, NOW, 0.0)
                await self.deliver(store, account)
            counts = await self.stores[0].counts()
            if not any(state not in FINAL for of in counts.values() for state in of):
                return
        pytest.fail(f"never done: {counts}")


async def until_told(ask):
    """Asked again while the database is gone: as those who use a store do."""
    while True:
        try:
            return await ask()
        except StoreError:
            await asyncio.sleep(0.02)


@pytest.fixture
async def crowd(postgres_url: str) -> AsyncIterator[Crowd]:
    with psycopg.connect(postgres_url, autocommit=True) as watching:
        watching.execute(WATCH)
        watching.execute(SLOW)
    stores = [open_store(postgres_url) for _ in range(GATEWAYS)]
    for store, account in zip(stores, NAMES, strict=True):
        await store.tend(f"gateway of {account}", [account], 600.0)
    yield Crowd(stores, random.Random(7))  # noqa: S311 - it only mixes
    for store in stores:
        await store.aclose()


@pytest.mark.timeout(180)
async def test_an_order_is_kept_whoever_works_on_it(crowd: Crowd) -> None:
    await asyncio.gather(*(crowd.work(at, 25, disturbing=False) for at in range(GATEWAYS)))
    await crowd.finish()
    assert crowd.sent == Counter(crowd.added)
    for order in {one.order_key for one in crowd.begun}:
        seqs = [one.seq for one in crowd.begun if one.order_key == order]
        assert seqs == sorted(seqs)


@pytest.mark.timeout(180)
async def test_nothing_is_lost_nor_sent_twice_while_all_move_it_about(crowd: Crowd) -> None:
    await asyncio.gather(*(crowd.work(at, 25, disturbing=True) for at in range(GATEWAYS)))
    await crowd.finish()
    assert crowd.sent == Counter(crowd.added)


@pytest.mark.timeout(180)
async def test_nor_while_connections_break(crowd: Crowd, postgres_url: str) -> None:
    async def break_them() -> None:
        with psycopg.connect(postgres_url, autocommit=True, application_name="breaker") as breaker:
            while True:
                breaker.execute(BREAK)
                await asyncio.sleep(0.03)

    breaking = asyncio.create_task(break_them())
    await asyncio.gather(*(crowd.work(at, 15, disturbing=True) for at in range(GATEWAYS)))
    breaking.cancel()
    await crowd.finish()
    assert crowd.sent == Counter(crowd.added)
    for name in crowd.added:
        found = await crowd.stores[0].delivery(DeliveryId(name))
        assert found is not None
        assert [one.ref for one in found.sent] == [name]

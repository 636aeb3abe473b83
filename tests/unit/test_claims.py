"""Which message is whose, while several ask at once and others are still being sent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

from gateway.model.ids import AccountId, MessageRef
from gateway.outbox.claims import Claims
from gateway.testing.kit import settle

SINCE = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONE, OTHER = MessageRef("1"), MessageRef("2")


class Known:
    """A store that knows some messages."""

    def __init__(self, *refs: MessageRef) -> None:
        self.refs = set(refs)

    async def is_known(self, _: AccountId, ref: MessageRef, __: datetime) -> bool:
        return ref in self.refs


def claims(store: Known, sending: set[asyncio.Task[None]]) -> Claims:
    return Claims(AccountId("x/main"), cast("Any", store), sending)


async def test_one_message_is_had_once() -> None:
    mine = claims(Known(OTHER), set())
    with mine.of(SINCE) as first, mine.of(SINCE) as second:
        assert [await first(ONE), await second(ONE), await first(ONE)] == [False, True, False]
        assert await first(OTHER)
    with mine.of(SINCE) as third:
        assert not await third(ONE)


async def test_what_is_being_sent_is_heard_first() -> None:
    """The message that is found may be one whose sender waits for the answer."""
    store, answered = Known(), asyncio.Event()

    async def send() -> None:
        await answered.wait()
        store.refs.add(ONE)

    async def ask() -> None:
        with mine.of(SINCE) as taken:
            said.append(await taken(ONE))

    said: list[bool] = []
    sending = {asyncio.create_task(send())}
    asking = {asyncio.create_task(ask()), asyncio.create_task(ask())}
    mine = claims(store, sending)
    await settle()
    assert said == [True]  # the second to ask: the first one may have it
    answered.set()
    await asyncio.wait(sending | asking)
    assert said == [True, True]

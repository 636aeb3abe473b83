"""Deliveries that can leave the moment they are stored: they are stored as begun, one commit instead of two.

What that promises is what a claim promises. The row says SENDING before the request and holds the plan, a crash in
between leaves a question, and the store begins nothing that has somebody before it in its order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from msgspec import structs

from gateway.books import NewDelivery, StoreError
from gateway.model.capabilities import Idempotency
from gateway.model.delivery import Delivery, State
from gateway.outbox.house import House
from gateway.outbox.pacer import Pacer
from gateway.outbox.planner import Planner
from gateway.outbox.settle import Rules

STORE_PAUSE_S = 1.0
"""Between two tries to store something: a full disk must not lose a receipt."""

Stored = tuple[Delivery, ...]
Write = Callable[[Sequence[NewDelivery]], Awaitable[Stored]]
"""Stores new deliveries, and whatever else belongs into the same transaction."""


class Entrance:
    """One account's."""

    def __init__(self, planner: Planner, rules: Rules, pacer: Pacer, house: House) -> None:
        self._planner = planner
        self._pacer = pacer
        self._house = house
        self._can_settle_doubts = rules.profile.idempotency is not Idempotency.NONE

    def planned(self, new: NewDelivery, now: datetime) -> NewDelivery | None:
        """With its plan, and room taken in the rate windows at ``now``, where it may leave at once. What changes
        something else is planned when that has ended.
        """
        due = new.state is State.QUEUED and new.due_at <= now
        if not due or new.draft.revises or not self._can_settle_doubts or not self._house.holds(new.account):
            return None
        parts = self._planner.parts(new.draft)
        if isinstance(parts, str) or self._pacer.wait_s(parts[0], now.timestamp()) > 0.0:
            return None
        return structs.replace(new, parts=parts)

    async def store(
        self, planned: NewDelivery, now: datetime, write: Write, told: asyncio.Future[Stored]
    ) -> tuple[Stored, Delivery | None]:
        """Store it and tell whoever waits. Returns it by itself where it was stored as begun; else its room is given
        back.
        """
        stored = await self._written(planned, write, told)
        begun = next((one for one in stored if one.id == planned.id and one.state is State.SENDING), None)
        if begun is None and planned.parts:
            self._pacer.give_back(planned.parts[0], now.timestamp())
        return stored, begun

    async def _written(self, planned: NewDelivery, write: Write, told: asyncio.Future[Stored]) -> Stored:
        try:
            stored = await write((planned,))
        except asyncio.CancelledError:
            told.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it goes to the caller
            if not told.done():
                told.set_exception(error)
            return await self._there(planned) if isinstance(error, StoreError) else ()
        if not told.done():
            told.set_result(stored)
        return stored

    async def _there(self, planned: NewDelivery) -> Stored:
        """The database failed. Where it had taken the delivery in all the same, that is begun and must go on."""
        while True:
            try:
                there = await self._house.store.delivery(planned.id)
            except StoreError:
                await self._house.clock.sleep(STORE_PAUSE_S)
            else:
                return () if there is None else (there,)

"""Which messages of an account belong to which delivery, so that one that is found settles one unknown send only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import datetime, timedelta

from gateway.books import Store
from gateway.model.ids import AccountId, MessageRef
from gateway.ports import Taken

CLOCKS_APART = timedelta(hours=1)
"""How far the platform's clock, which some receipts have their hour from, may be behind ours."""


class Claims:
    """What the database knows of the account's messages, what it is about to know, and what is being read back."""

    def __init__(self, account: AccountId, store: Store, sending: AbstractSet[asyncio.Task[None]]) -> None:
        """``sending``: who has begun a request, until what became of it is stored."""
        self._account = account
        self._store = store
        self._sending = sending
        self._reserved: set[MessageRef] = set()

    @contextmanager
    def of(self, since: datetime) -> Iterator[Taken]:
        """For one question; what it takes is nobody else's until the block ends, and then the database's."""
        mine: set[MessageRef] = set()

        async def taken(ref: MessageRef) -> bool:
            if ref in self._reserved - mine:
                return True
            self._reserved.add(ref)
            mine.add(ref)
            # The platform has accepted it, yet its sender may not have heard that, nor stored it.
            if self._sending:
                await asyncio.wait(set(self._sending))
            return await self._store.is_known(self._account, ref, since - CLOCKS_APART)

        try:
            yield taken
        finally:
            self._reserved -= mine

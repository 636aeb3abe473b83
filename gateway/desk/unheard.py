"""Accounts opened only for what their adapters know: no secret is taken up or kept, and nobody hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from msgspec import structs

from gateway.model.delivery import Fault
from gateway.model.ids import AccountId
from gateway.ports import Adapter
from gateway.seat import Member, closed, opened
from gateway.vault import EmptyVault


class Unheard:
    """For accounts that nobody has, or another gateway."""

    def __init__(self, members: Iterable[Member], importing: asyncio.Lock) -> None:
        self._members = {member.account: member for member in members}
        self._importing = importing

    @asynccontextmanager
    async def adapter(self, account: AccountId) -> AsyncIterator[Adapter | Fault]:
        """Never to be sent with; it is closed again."""
        member = self._members[account]
        apart = structs.replace(member.context, vault=EmptyVault(), report=lambda _: None)
        opening = await opened(structs.replace(member, context=apart), self._importing)
        try:
            yield opening
        finally:
            if not isinstance(opening, Fault):
                await closed({account: opening})

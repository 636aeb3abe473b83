"""The seam to the database for messages on which the agent failed too often; a part of :class:`gateway.books.Store`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from gateway.model.events import PlatformEvent
from gateway.model.ids import AccountId, PersonId


class StoredEvent(Struct, frozen=True):
    """An event in the inbox, with the person it came from (where it has an author). ``error`` is why
    its last try failed.
    """

    seq: int
    event: PlatformEvent
    person: PersonId | None
    attempts: int = 0
    error: str = ""


class Unanswered(Protocol):
    """Finds what is parked, and takes the operator's word on it."""

    async def parked(self, limit: int) -> tuple[StoredEvent, ...]:
        """What was given up, the oldest first."""
        ...

    async def parked_seqs(self, limit: int) -> tuple[int, ...]:
        """Their numbers alone."""
        ...

    async def unpark(self, seqs: Sequence[int], now: datetime, *, again: bool) -> tuple[AccountId, ...]:
        """Parked ones are pending anew, as if never tried, or else handled without an answer. Whose they are, one for
        each; those that aren't parked are passed over.
        """
        ...

    async def again(self, account: AccountId) -> tuple[StoredEvent, ...]:
        """What was unparked to be tried again and has not been since, the oldest first."""
        ...

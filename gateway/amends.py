"""The seam to the database for edits and deletions; a part of :class:`gateway.books.Store`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from gateway.model.delivery import Delivery, Draft
from gateway.model.ids import AnnouncementId


class Amends(Protocol):
    """Finds what was said before, and changes what has not left yet."""

    async def copies(self, announcement: AnnouncementId) -> tuple[Delivery, ...]:
        """Every delivery of an announcement, whatever became of it, in their order."""
        ...

    async def by_key(self, key: str) -> Delivery | None:
        """The delivery of the draft with this key."""
        ...

    async def amend(self, delivery: Delivery, draft: Draft, now: datetime) -> Delivery | None:
        """Say this instead: one that is WAITING, QUEUED or HELD keeps its place, nothing of it being sent, and is
        planned anew. None when it isn't so any more, or was tried, moved or amended since: nothing was changed.
        """
        ...

    async def withdraw(self, delivery: Delivery, reason: str, now: datetime) -> Delivery | None:
        """What is unsent of one that is WAITING, QUEUED or HELD will never be: it ends REFUSED. None as in
        :meth:`amend`.
        """
        ...

"""All operations in one class, on any engine that the rooms below were opened on."""

from __future__ import annotations

from typing import IO

from gateway.model.ids import WorkspaceId
from gateway.ports import Clock
from gateway.store.backups import Backups
from gateway.store.diversions import Diversions
from gateway.store.doubts import Doubts
from gateway.store.fellows import Fellows
from gateway.store.history import History
from gateway.store.housekeeping import Housekeeping
from gateway.store.inbox import Inbox
from gateway.store.ledger import Ledger
from gateway.store.outbox import Outbox
from gateway.store.people import People
from gateway.store.readers import Readers
from gateway.store.revisions import Revisions
from gateway.store.unanswered import Unanswered
from gateway.store.writer import Writer


class SqlStore(
    Inbox, Unanswered, Outbox, Diversions, Doubts, Ledger, Revisions, People, History, Housekeeping, Backups, Fellows
):  # fmt: skip
    """A :class:`gateway.books.Store`. Bound to the event loop of its first call."""

    def __init__(
        self, workspace: WorkspaceId, writer: Writer, readers: Readers, clock: Clock, lock: IO[str] | None = None
    ) -> None:
        super().__init__(workspace, writer, readers, clock)
        self._writer = writer
        self._readers = readers
        self._lock = lock

    @property
    def alone(self) -> bool:
        return True

    async def aclose(self) -> None:
        """Write what is queued, then let go of the database. Safe to call twice."""
        await self._readers.aclose()
        await self._writer.aclose()
        if self._lock:
            self._lock.close()

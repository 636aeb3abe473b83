"""What every room of the store works with."""

from __future__ import annotations

from gateway.model.ids import WorkspaceId
from gateway.ports import Clock
from gateway.store.readers import Readers
from gateway.store.writer import Writer


class Room:
    """One workspace, one writer, a few readers. The operations are in the classes that build on it."""

    def __init__(self, workspace: WorkspaceId, writer: Writer, readers: Readers, clock: Clock) -> None:
        self._workspace = workspace
        self._write = writer.submit
        self._read = readers.submit
        self._clock = clock

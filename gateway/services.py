"""What nearly every room of the gateway needs: handed in together, made once in the composition root."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from gateway.books import Store
from gateway.bus import Bus
from gateway.model.ids import WorkspaceId
from gateway.ports import Clock, Policies


class Services(Struct, frozen=True):
    """The database, time, the bus, the decisions, and a source of ids."""

    workspace: WorkspaceId
    store: Store
    clock: Clock
    bus: Bus
    policies: Policies
    new_id: Callable[[], str]

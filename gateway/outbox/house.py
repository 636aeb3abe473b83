"""What a worker asks of the rest of the gateway."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from gateway.books import Store
from gateway.bus import Bus
from gateway.media.room import Room
from gateway.model.delivery import Delivery
from gateway.model.ids import AccountId
from gateway.model.standing import Signal
from gateway.ports import Clock


class House(Protocol):
    """The outbox, seen from inside."""

    store: Store
    clock: Clock
    bus: Bus
    room: Room

    def can_send(self, account: AccountId) -> bool: ...

    def holds(self, account: AccountId) -> bool:
        """Whether this process still has the account: asked right before each request."""
        ...

    def observe(self, account: AccountId, signal: Signal) -> None: ...

    def new_id(self) -> str: ...

    def stranded(self, account: AccountId) -> None:
        """Something of this account is queued although it can't send: it needs another road."""
        ...

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """These are stored; each goes to its account's worker."""
        ...

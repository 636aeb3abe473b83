"""What sending and receiving tell each other, in bounded maps. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from gateway.model.delivery import Receipt

K = TypeVar("K")
V = TypeVar("V")


class Bounded(OrderedDict[K, V]):
    """A dictionary that forgets what was put in first."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > self._limit:
            self.popitem(last=False)


class Memory:
    """One account's short memory."""

    def __init__(self) -> None:
        self.me = ""
        """Our own id, once somebody told."""
        self.confirmed: Bounded[str, Receipt] = Bounded(4096)
        """By nonce: our own messages as the gateway showed them."""
        self.nonces: Bounded[str, str] = Bounded(4096)
        """By message id: the nonces of our own messages."""
        self.guilds: Bounded[str, str] = Bounded(4096)
        """By channel: its server, as far as messages told."""

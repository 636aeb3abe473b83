"""What sending and receiving tell each other, in bounded maps. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple, TypeVar

from gateway.model.delivery import Receipt
from gateway.model.ids import MessageRef

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


class Place(NamedTuple):
    """Where a channel is: what its messages leave out."""

    private: bool = False
    guild: str | None = None
    """Its server; a DM has none."""
    root: MessageRef | None = None
    """The message that it began with, where it is a thread."""


class Memory:
    """One account's short memory."""

    def __init__(self) -> None:
        self.me = ""
        """Our own id, once somebody told."""
        self.confirmed: Bounded[str, Receipt] = Bounded(4096)
        """By nonce: our own messages as the gateway showed them."""
        self.nonces: Bounded[str, str] = Bounded(4096)
        """By message id: the nonces of our own messages."""
        self.places: Bounded[str, Place] = Bounded(8192)
        """By channel, as far as anybody told."""
        self.lobbies: Bounded[str, str] = Bounded(1024)
        """By server: the channel where it greets."""
        self.roots: Bounded[MessageRef, MessageRef] = Bounded(4096)
        """By reply: the message its chain began with."""
        self.emoji: Bounded[tuple[str | None, str], str] = Bounded(4096)
        """By server and name: its own emoji, as requests name them."""

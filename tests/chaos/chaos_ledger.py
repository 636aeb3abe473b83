"""What was seen so far, of the networks and of the books: both forget what is old, and the count must not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chaos_count import Entry, Found, found_in


class Ledger:
    """Grows with every look."""

    def __init__(self, networks: Iterable[str]) -> None:
        self.held: dict[str, dict[str, list[Found]]] = {name: {} for name in networks}
        """By network: the id of each message of ours, and the marks in it."""
        self.attempts: dict[str, Sequence[Mapping[str, Any]]] = dict.fromkeys(self.held, ())
        """As they were seen last."""
        self._books: dict[tuple[str, str, str], Entry] = {}

    def saw(self, network: str, messages: Iterable[Mapping[str, Any]], attempts: Sequence[Mapping[str, Any]]) -> None:
        self.held[network].update((one["id"], found_in(network, [one])) for one in messages)
        self.attempts[network] = attempts

    def wrote(self, books: Iterable[Entry]) -> None:
        self._books.update(((one.network, one.ref, one.delivery), one) for one in books)

    @property
    def books(self) -> list[Entry]:
        return list(self._books.values())

    @property
    def found(self) -> list[Found]:
        """Marks in the order in which each network accepted them."""
        return [one for messages in self.held.values() for marks in messages.values() for one in marks]

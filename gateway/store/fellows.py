"""Other gateways on the same database: who is alive, who holds which lease, and what they tell each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.books import Tended, Topic
from gateway.store.room import Room

FIRST_EPOCH = 1


class Fellows(Room):
    """Operations of :class:`gateway.books.Store` among gateways. There are none beside one that is alone."""

    async def tend(self, member: str, wanted: Sequence[str], ttl_s: float) -> Tended:  # noqa: ARG002 - an engine with others needs them
        return Tended(dict.fromkeys(wanted, FIRST_EPOCH), (), 1)

    async def holders(self) -> dict[str, str]:
        return {}

    async def give_up(self, member: str, names: Sequence[str] | None) -> None:
        """Nobody else can take them."""

    def listen(self, listener: Callable[[Topic, str], None]) -> None:
        """Nobody else can tell anything."""

    async def tell(self, topic: Topic, name: str) -> None:
        """Nobody else listens."""

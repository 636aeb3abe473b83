"""What happens in the gateway, told to whoever listens. Listeners are called at once, in the loop's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.model.events import GatewayEvent

log = logging.getLogger("multihome.bus")


class Bus:
    """A list of listeners. One that fails is logged and doesn't keep the others from hearing."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[GatewayEvent], None]] = []

    def listen(self, listener: Callable[[GatewayEvent], None]) -> Callable[[], None]:
        """Returns the way to stop listening."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, event: GatewayEvent) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed on %s", type(event).__name__)

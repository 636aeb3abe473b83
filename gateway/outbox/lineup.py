"""What one account has to send, as far as it is kept in memory: by hour, each delivery once."""

from __future__ import annotations

import heapq
from datetime import datetime

from gateway.model.delivery import Delivery, State
from gateway.model.ids import DeliveryId

KEPT = 2_000
"""Deliveries of one account kept in memory; the others wait in the database, and come by pages of half as many."""

_Entry = tuple[datetime, int, int, Delivery]


class Lineup:
    """Deliveries wait here for their hour. ``more`` says that the database knows of others."""

    def __init__(self) -> None:
        self.more = True
        self._due: list[_Entry] = []
        self._kept: dict[DeliveryId, Delivery] = {}
        """Which entry of ``_due`` is the valid one."""
        self._turns = 0
        self._running: set[DeliveryId] = set()
        self._missed: set[DeliveryId] = set()
        """Told of while they ran: what the run ends with may be old by then."""

    @property
    def page(self) -> int:
        """How many the database may be asked for at once."""
        return KEPT // 2

    @property
    def is_short(self) -> bool:
        """Whether there is room for a page, and enough has left since room was made: else the same would come again."""
        return len(self._due) < KEPT // 4

    @property
    def running(self) -> int:
        """How many have begun and not ended. A run's task is a little longer under way than the run."""
        return len(self._running)

    @property
    def next_at(self) -> datetime | None:
        return self._due[0][0] if self._due else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, here or in the database."""
        return not (self._due or self.more)

    def renew(self, delivery: Delivery, now: datetime) -> None:
        """A delivery as it is now, whatever was known of it."""
        self._kept.pop(delivery.id, None)
        self.keep(delivery, now)

    def keep(self, delivery: Delivery, now: datetime) -> None:
        """A delivery that is due, or becomes due by itself; one that is here already, and no older, stays as it is."""
        open_question = delivery.state is State.UNCERTAIN and delivery.due_at is not None
        known = self._kept.get(delivery.id)
        newer = known is None or (known.attempts, len(known.sent)) < (delivery.attempts, len(delivery.sent))
        if not newer or not (delivery.state is State.QUEUED or open_question):
            return
        if delivery.id in self._running:
            self._missed.add(delivery.id)
            return
        if len(self._due) >= KEPT:
            self._make_room()
        self._kept[delivery.id] = delivery
        self._turns += 1
        heapq.heappush(self._due, (delivery.due_at or now, delivery.seq, self._turns, delivery))

    def _make_room(self) -> None:
        """What is due last is left to the database: those that rest must not keep out one that could go now."""
        valid = [entry for entry in self._due if self._kept.get(entry[3].id) is entry[3]]
        self._due = heapq.nsmallest(KEPT // 2, valid)
        self._kept = {entry[3].id: entry[3] for entry in self._due}
        self.more = True

    def begin(self, now: datetime) -> Delivery | None:
        """The next one whose hour has come; it counts as running until :meth:`end`."""
        while self._due and self._due[0][0] <= now:
            delivery = heapq.heappop(self._due)[3]
            if self._kept.get(delivery.id) is delivery:
                del self._kept[delivery.id]
                self._running.add(delivery.id)
                return delivery
        return None

    def is_free(self, now: datetime) -> bool:
        """Whether nothing that is known of could go now."""
        return not self.more and not (self._due and self._due[0][0] <= now)

    def enter(self, delivery: DeliveryId) -> None:
        """One that was never here runs from now on, until :meth:`end`."""
        self._running.add(delivery)

    def end(self, delivery: DeliveryId, again: Delivery | None = None) -> None:
        """A run is over; ``again`` is what it left to come back to, at its hour."""
        self._running.discard(delivery)
        if delivery in self._missed:
            self._missed.discard(delivery)
            self.more = True
        elif again is not None and again.due_at is not None:
            self.keep(again, again.due_at)

    def clear(self) -> None:
        """Look everything up again, but for what runs."""
        self._due.clear()
        self._kept.clear()
        self.more = True

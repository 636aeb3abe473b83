"""Carries out failover: what a lost account had to send is held or diverted, and goes home when it returns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from msgspec import structs

from gateway.books import Move
from gateway.model.content import Document
from gateway.model.delivery import Delivery, State
from gateway.model.events import GatewayEvent, StandingChanged
from gateway.model.ids import AccountId
from gateway.model.standing import GONE, Record, Standing
from gateway.model.verdict import Divert, Hold, Refuse, Verdict
from gateway.monitor import Monitor
from gateway.outbox.intake import Intake, order_key
from gateway.outbox.outbox import Outbox
from gateway.services import Services

log = logging.getLogger("multihome.rerouter")

PAGE = 500
PAUSE_S = 1.0
"""After a failure to read or store, before the same account is looked at again."""


class Rerouter:
    """One task that looks at the accounts whose standing changed. ``tell`` has a loss announced."""

    def __init__(
        self,
        services: Services,
        monitor: Monitor,
        intake: Intake,
        outbox: Outbox,
        *,
        ramp_s: float,
        tell: Callable[[Record], Awaitable[None]],
    ) -> None:
        self._store = services.store
        self._clock = services.clock
        self._monitor = monitor
        self._intake = intake
        self._outbox = outbox
        self._ramp_s = ramp_s
        self._tell = tell
        self._todo: dict[AccountId, bool] = {}
        """Accounts to look at; True where held deliveries are judged anew as well."""
        self._losses: list[Record] = []
        self._wake = asyncio.Event()
        services.bus.listen(self._heard)
        outbox.on_stranded = self.look_at

    def look_at(self, account: AccountId, *, held: bool = False) -> None:
        """Something of this account may need another road."""
        self._todo[account] = held or self._todo.get(account, False)
        self._wake.set()

    async def run(self) -> None:
        for record in self._monitor.records():
            if not record.can_send:
                self.look_at(record.account)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._todo:
                account, held = self._todo.popitem()
                await self._attend(account, held=held)
            await self._announce_losses()

    def _heard(self, event: GatewayEvent) -> None:
        if not isinstance(event, StandingChanged):
            return
        record = self._monitor.record(event.account)
        if record is None:
            return
        if record.can_send:
            for other in self._monitor.records():
                if not other.can_send:
                    self.look_at(other.account, held=True)
        if record.standing in GONE:
            self._losses.append(record)
        self.look_at(event.account)

    async def _attend(self, account: AccountId, *, held: bool) -> None:
        try:
            if self._monitor.can_send(account):
                await self._bring_home(account)
            else:
                await self._sweep(account, held=held)
        except Exception:
            log.exception("%s: rerouting failed, trying again", account)
            await self._clock.sleep(PAUSE_S)
            self.look_at(account, held=held)

    async def _bring_home(self, account: AccountId) -> None:
        released = await self._store.release(account, self._clock.now(), self._ramp_s)
        if released:
            log.warning("%s: %d held deliveries go home", account, released)
        self._outbox.wake(account)

    async def _sweep(self, account: AccountId, *, held: bool) -> None:
        """Judge everything unsent of an account that can't send, but for what follows a request under way: its end is
        awaited, so that no post overtakes an earlier one on the new road. An uncertain one isn't waited for: only the
        account's return can settle it.
        """
        states = frozenset({State.SENDING, State.WAITING, State.QUEUED} | ({State.HELD} if held else set()))
        waited_for: set[str] = set()
        after = 0
        while page := await self._store.unsent(account, after=after, limit=PAGE, states=states):
            after = page[-1].seq
            waited_for |= {one.order_key for one in page if one.state is State.SENDING}
            free = [one for one in page if one.order_key not in waited_for]
            moves = [move for one in free if (move := await self._move(one)) is not None]
            if moves:
                self._outbox.offer(await self._store.move(moves, self._clock.now()))
            if self._monitor.can_send(account):
                self.look_at(account)
                return

    async def _move(self, delivery: Delivery) -> Move | None:
        remaining = structs.replace(delivery.draft, document=unsent(delivery))
        verdict = await self._intake.judge(remaining, delivery.account)
        if isinstance(verdict, Divert):
            draft = await self._intake.diverted(remaining, delivery.account, verdict)
            key = order_key(verdict.account, verdict.target)
            now = self._clock.now()
            return Move(
                delivery.id, verdict.account, key, State.QUEUED, now, verdict.reason, draft, delivery.expires_at
            )
        return self._stay(delivery, verdict)

    def _stay(self, delivery: Delivery, verdict: Verdict) -> Move | None:
        now = self._clock.now()
        if isinstance(verdict, Hold) and delivery.state is not State.HELD:
            return Move(
                delivery.id, delivery.account, delivery.order_key, State.HELD, now, verdict.reason,
                expires_at=verdict.expires_at,
            )  # fmt: skip
        if isinstance(verdict, Refuse):
            return Move(delivery.id, delivery.account, delivery.order_key, State.REFUSED, now, verdict.reason)
        return None

    async def _announce_losses(self) -> None:
        while self._losses:
            record = self._losses.pop(0)
            current = self._monitor.record(record.account)
            if current is None or current.standing is Standing.HEALTHY:
                continue
            try:
                await self._tell(record)
            except Exception:
                log.exception("%s: announcing its loss failed", record.account)


def unsent(delivery: Delivery) -> Document:
    """What of a delivery no platform has yet: all of it, or the slices of its unsent parts."""
    if delivery.parts is None or not delivery.sent:
        return delivery.draft.document
    slices = [part.rest for part in delivery.parts[len(delivery.sent) :] if part.rest is not None]
    paragraphs = tuple(paragraph for piece in slices for paragraph in piece.paragraphs)
    media = tuple(item for piece in slices for item in piece.media)
    return Document(paragraphs, media, delivery.draft.document.language)

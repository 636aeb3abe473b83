"""Carries out failover: what a lost account had to send is held or diverted, and goes home when it returns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from msgspec import structs

from gateway.books import Move, StoreError
from gateway.model.delivery import Delivery, State, marked
from gateway.model.events import GatewayEvent, StandingChanged
from gateway.model.ids import AccountId, AnnouncementId, DraftId
from gateway.model.standing import GONE, MEANING, Record, Standing
from gateway.model.verdict import Allow, Divert, Hold, Refuse
from gateway.monitor import Monitor
from gateway.outbox.detour import homeward, order_key
from gateway.outbox.intake import Intake
from gateway.outbox.outbox import Outbox
from gateway.outbox.reviser import as_changed, withdrawn
from gateway.services import Services

log = logging.getLogger("multihome.rerouter")

PAGE = 500
PAUSE_S = 1.0
"""After a failure to read or store, before it is tried again."""


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
        self._new_id = services.new_id
        self._monitor = monitor
        self._intake = intake
        self._outbox = outbox
        self._ramp_s = ramp_s
        self._tell = tell
        self._todo: dict[AccountId, bool] = {}
        """Accounts to look at; True where held deliveries are judged anew as well."""
        self._untold: dict[AccountId, None] = {}
        """Accounts whose loss the others may have to announce."""
        self._wake = asyncio.Event()
        self._somebody_is_back = False
        self._roads_changed = False
        """Since it was last settled what to look at: what is judged now may fit the roads of before."""
        services.bus.listen(self._heard)

    def look_at(self, account: AccountId, *, held: bool = False) -> None:
        """Something of this account may need another road."""
        self._todo[account] = held or self._todo.get(account, False)
        self._wake.set()

    async def run(self) -> None:
        """For ever. Whoever did this before may have ended in the midst of anything: every account is looked at."""
        for record in self._monitor.records():
            self.look_at(record.account)
        self._look_at_lost(held=True)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._todo:
                if self._somebody_is_back:
                    self._somebody_is_back = False
                    self._look_at_lost(held=True)
                todo, self._todo, self._roads_changed = self._todo, {}, False
                await self._attend(todo)
                await self._announce_losses()
            await self._announce_losses()

    def _look_at_lost(self, *, held: bool) -> None:
        """There may be a road for what they hold, and somebody who can tell that they are lost."""
        for record in self._monitor.records():
            if not record.can_send:
                self.look_at(record.account, held=held)
            if record.standing in GONE:
                self._untold[record.account] = None

    def _heard(self, event: GatewayEvent) -> None:
        if not isinstance(event, StandingChanged):
            return
        record = self._monitor.record(event.account)
        if record is None:
            return
        if not (record.can_send and MEANING[Standing(event.before)].can_send):
            self._roads_changed = True
        if record.can_send:
            self._somebody_is_back = True  # many may come back at once: the lost are looked at once for all of them
        if record.standing in GONE:
            self._untold[event.account] = None
        self.look_at(event.account, held=True)  # what was held in an outage has a road once that is a suspension

    async def _attend(self, todo: dict[AccountId, bool]) -> None:
        try:
            await asyncio.gather(*(self._bring_home(account) for account in todo if self._is_back(account)))
            lost = {account: todo.get(account, False) for account in self._lost(todo)}
            if lost.keys() & todo.keys():
                await self._sweep(lost)
        except Exception:
            log.exception("rerouting failed, trying again: %s", ", ".join(todo))
            await self._clock.sleep(PAUSE_S)
            for account, held in todo.items():
                self.look_at(account, held=held)

    def _lost(self, others: Iterable[AccountId]) -> list[AccountId]:
        """Every account whose posts need another road."""
        known = {record.account: record for record in self._monitor.records()}
        lost = [one.account for one in known.values() if one.is_lost]
        return lost + [account for account in others if account not in known]

    def _is_back(self, account: AccountId) -> bool:
        record = self._monitor.record(account)
        return record is not None and record.can_send

    async def _bring_home(self, account: AccountId) -> None:
        released = await self._store.release(account, self._clock.now(), self._ramp_s)
        if released:
            log.warning("%s: %d held deliveries go home", account, released)
        self._outbox.wake(account)

    async def _sweep(self, lost: dict[AccountId, bool]) -> None:
        """Judge what is unsent of all lost accounts, oldest first wherever it is: what was diverted to the second must
        not come behind what is still with the first. A request under way is awaited by what follows it; an uncertain
        one isn't: only the account's return can settle it. Where a road opens or closes meanwhile it begins anew: who
        was held for want of that road goes first, and may not be among these.
        """
        waited_for: set[str] = set()
        after: int | None = 0
        while after is not None:
            page, after = await self._page(lost, after)
            moves = await self._moves(page, waited_for, lost)
            if self._roads_changed:
                self._look_again(lost)
                return
            moved = await self._store.move(moves, self._clock.now()) if moves else ()
            self._outbox.offer(moved)
            if len(moved) < len(moves):  # something was changed or begun meanwhile, and keeps what follows it
                self._look_again(lost)

    def _look_again(self, lost: dict[AccountId, bool]) -> None:
        for account, held in lost.items():
            self.look_at(account, held=held)

    async def _moves(self, page: list[Delivery], waited_for: set[str], lost: dict[AccountId, bool]) -> list[Move]:
        """``waited_for`` grows by the orders that have to wait for something of this page."""
        waited_for |= {key for one in page if one.state is State.SENDING for key in _orders(one)}
        moves = []
        spoken: set[AnnouncementId | None] = set()
        for one in page:
            if one.state is State.SENDING or waited_for & _orders(one):
                continue
            if one.draft.announcement in spoken:
                # Where it may go depends on where the copy before it goes: later.
                waited_for |= _orders(one)
                self.look_at(one.account, held=lost[one.account])
            elif (move := await self._judged(one)) is not None:
                moves.append(move)
                spoken |= {one.draft.announcement} - {None}
        return moves

    async def _page(self, lost: dict[AccountId, bool], after: int) -> tuple[list[Delivery], int | None]:
        """The next deliveries of these accounts by age, and after which to go on."""
        pages = []
        for account, held in lost.items():
            states = frozenset({State.SENDING, State.WAITING, State.QUEUED} | ({State.HELD} if held else set()))
            pages.append(await self._store.unsent(account, after=after, limit=PAGE, states=states))
        until = min((page[-1].seq for page in pages if len(page) == PAGE), default=None)
        found = (one for page in pages for one in page if until is None or one.seq <= until)
        return sorted(found, key=lambda one: one.seq), until

    async def _judged(self, delivery: Delivery) -> Move | None:
        try:
            return await self._move(delivery)
        except StoreError:
            raise
        except Exception:
            # One that can't be judged must not keep all others where they are.
            log.exception("%s: %s can't be judged, it stays", delivery.account, delivery.id)
            return None

    async def _move(self, delivery: Delivery) -> Move | None:
        """Wherever a delivery is now, its home's route decides: what was diverted goes home, or on from there."""
        if delivery.attempts and delivery.draft.revises is None:  # it may have been changed while it was sent
            changed = await as_changed(self._store, delivery)
            if changed is None:
                return withdrawn(delivery, self._clock.now())
            delivery = changed
        away = delivery.account != delivery.home
        draft = homeward(delivery, DraftId(self._new_id()))
        if away:
            draft = await self._intake.fitted(draft, delivery.home)
        verdict = await self._intake.judge(draft, delivery.home)
        home = Move(
            delivery.id, delivery.home, order_key(delivery.home, draft.target), State.QUEUED, self._clock.now(),
            verdict.reason, draft, attempts=delivery.attempts,
        )  # fmt: skip
        match verdict:
            case Divert(account=account, target=target):
                draft = await self._intake.diverted(draft, delivery.home, verdict)
                return structs.replace(home, account=account, order_key=order_key(account, target), draft=draft)
            case Hold(expires_at=expires_at) if away or not _is_held(delivery, verdict):
                return structs.replace(home, state=State.HELD, draft=draft if away else None, expires_at=expires_at)
            case Refuse():
                return structs.replace(
                    home, account=delivery.account, order_key=delivery.order_key, state=State.REFUSED, draft=None
                )
            case Allow() if away:
                return home
        return None

    async def _announce_losses(self) -> None:
        while self._untold:
            account = next(iter(self._untold))
            record = self._monitor.record(account)
            if record is not None and record.standing in GONE:
                try:
                    await self._tell(record)
                except Exception:
                    log.exception("%s: announcing its loss failed, trying again", account)
                    await self._clock.sleep(PAUSE_S)
                    self._wake.set()
                    return
            del self._untold[account]


def _is_held(delivery: Delivery, verdict: Hold) -> bool:
    """For this reason already."""
    return delivery.state is State.HELD and delivery.reason == marked(delivery.reason, verdict.reason)


def _orders(delivery: Delivery) -> set[str]:
    """The order a delivery goes in, and the one it would go in at home."""
    detour = delivery.draft.detour
    return {delivery.order_key, order_key(delivery.home, detour.target if detour else delivery.draft.target)}

"""Plans changes of what an account said: looks up what is there, when everything before has ended."""

from __future__ import annotations

from datetime import datetime

from msgspec import structs

from gateway.books import Move, Settlement, Store
from gateway.model.delivery import FINAL, Change, Delivery, Draft, Fault, FaultKind, Part, Revises, State, marked
from gateway.model.ids import AccountId, DeliveryId
from gateway.model.manner import Correction, Manner
from gateway.outbox.planner import Planner
from gateway.outbox.revision import NOTHING_THERE, WITHDRAWN, Here, is_repeatable, key, no_limits, planned, there
from gateway.ports import Adapter, Clock, LimitsEdits

FORGOTTEN = "what it changes is not remembered any more"
UNCERTAIN = "nobody knows whether what it changes was sent: settle that first (multihome deliveries --uncertain)"


class Reviser:
    """One account's."""

    def __init__(
        self, account: AccountId, adapter: Adapter, planner: Planner, manner: Manner, store: Store, clock: Clock
    ) -> None:
        self._account = account
        self._adapter = adapter
        self._planner = planner
        self._manner = manner
        self._store = store
        self._clock = clock

    async def parts(self, draft: Draft) -> tuple[Part, ...] | str:
        """The parts, or why it can't be done."""
        revises = draft.revises
        if revises is None:
            return self._planner.parts(draft)
        # The account's own profile: a plan or a server may have what the platform as such hasn't.
        limits = self._adapter.stays if isinstance(self._adapter, LimitsEdits) else no_limits
        here = Here(self._adapter.profile, self._manner, self._clock.now(), limits)
        if revises.message is not None:
            return planned(draft, (), here, self._planner.parts)
        said = await self._said(revises)
        if isinstance(said, str):
            return said
        rows = [(one, await self._store.sent_parts(one.id)) for one in said]
        messages = there(self._account, rows)
        if not messages and said[0].account != self._account:
            return f"{NOTHING_THERE}: it went by {said[0].account}"
        return planned(draft, messages, here, self._planner.parts)

    async def _said(self, revises: Revises) -> list[Delivery] | str:
        """The delivery and its changes so far."""
        original = await self._store.delivery(revises.delivery)
        if original is None:
            return FORGOTTEN
        said = [original]
        for number in range(revises.number):
            before = await self._store.by_key(key(revises.delivery, self._account, number))
            said += [before] if before is not None else []
        if any(one.account == self._account and one.state not in FINAL for one in said):
            return UNCERTAIN
        return said


async def as_changed(store: Store, delivery: Delivery) -> Delivery | None:
    """As its last change wants it that has not come through: in new words, as far as nothing of it is there. None where
    it is to be deleted.
    """
    last = next(reversed(await changes(store, delivery.id, delivery.account)), None)
    if last is None or last.state in FINAL:
        return delivery
    if last.draft.revises is not None and last.draft.revises.change is Change.DELETE:
        return None
    draft = structs.replace(delivery.draft, document=last.draft.document)
    return delivery if delivery.sent else structs.replace(delivery, draft=draft)


def withdrawn(delivery: Delivery, now: datetime) -> Move:
    """It ends where it is."""
    reason = marked(delivery.reason, WITHDRAWN)
    return Move(
        delivery.id, delivery.account, delivery.order_key, State.REFUSED, now, reason, attempts=delivery.attempts
    )


async def changes(store: Store, delivery: DeliveryId, account: AccountId) -> list[Delivery]:
    """Those of a delivery on an account so far, in their order."""
    found: list[Delivery] = []
    while (change := await store.by_key(key(delivery, account, len(found)))) is not None:
        found.append(change)
    return found


TURNED_DOWN = frozenset({FaultKind.TARGET_REFUSED, FaultKind.FORBIDDEN})


def without_edits(delivery: Delivery, fault: Fault, settlement: Settlement, manner: Manner) -> Draft | None:
    """The draft as it goes on where the platform turned an edit down, if the operator wants it to."""
    draft = delivery.draft
    revises = draft.revises
    if revises is None or revises.anew or not is_repeatable(delivery) or manner.correction is Correction.LEAVE:
        return None
    if settlement.state is not State.REFUSED or fault.kind not in TURNED_DOWN or revises.change is not Change.EDIT:
        return None
    return structs.replace(draft, revises=structs.replace(revises, anew=True))

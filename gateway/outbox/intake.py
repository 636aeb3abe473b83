"""The door to the outbox: a draft is judged once, and what the verdict makes of it is stored in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec import structs

from gateway.books import NewDelivery
from gateway.model.delivery import Delivery, Draft, State
from gateway.model.ids import AccountId, DeliveryId, DraftId
from gateway.model.verdict import Allow, Delay, Divert, Refuse, Rewrite, Verdict
from gateway.outbox import detour
from gateway.outbox.detour import order_key
from gateway.outbox.entrance import Stored, Write
from gateway.outbox.roads import Roads
from gateway.services import Services

Fit = Callable[[Draft, AccountId], Awaitable[Draft]]
"""A draft as an account says it. Never fails: what can't be had says so, and the account's plan decides."""
PREFACES_MAX = 1_000
"""Prefaces whose draft is remembered."""


async def as_it_is(draft: Draft, _: AccountId) -> Draft:
    """For who has nothing to fit."""
    return draft


class Intake:
    """Turns drafts into deliveries."""

    def __init__(
        self,
        services: Services,
        roads: Roads,
        enter: Callable[[Sequence[NewDelivery], Write], Awaitable[Stored]],
        fit: Fit = as_it_is,
    ) -> None:
        self._store = services.store
        self._clock = services.clock
        self._policies = services.policies
        self._new_id = services.new_id
        self._roads = roads
        self._enter = enter
        self.fitted = fit
        self._prefaces: dict[str, str] = {}
        """Which draft says a preface: its move may fail and be tried again."""

    async def submit(self, drafts: Sequence[Draft]) -> tuple[Delivery, ...]:
        """Accept drafts, all or none. A draft whose key is known gives the delivery that is there."""
        new = [await self.prepare(draft) for draft in drafts]
        return await self._enter(new, self._add)

    def _add(self, new: Sequence[NewDelivery]) -> Awaitable[Stored]:
        return self._store.add(new, self._clock.now())

    async def prepare(self, draft: Draft) -> NewDelivery:
        """What will be stored for a draft; for callers that store more with it in the same transaction.

        A draft that has to take another road is queued at home all the same: the rerouter moves it from there, behind
        whatever is still under way before it.
        """
        draft = await self.fitted(draft, draft.account)
        return self._applied(draft, await self.judge(draft, draft.account))

    async def judge(self, draft: Draft, account: AccountId) -> Verdict:
        """The policies' verdict on a draft that would leave by ``account``."""
        return self._policies.outbound(await self._roads.facts(draft, account), self._clock.now())

    async def diverted(self, draft: Draft, account: AccountId, verdict: Divert) -> Draft:
        """The draft as it goes on by another road, with the preface where the person has not heard it yet."""
        told = bool(verdict.preface) and await self._first_time(draft, account, verdict)
        away = detour.away(draft, verdict, verdict.preface if told else "", DraftId(self._new_id()))
        return await self.fitted(away, verdict.account)

    async def _first_time(self, draft: Draft, account: AccountId, verdict: Divert) -> bool:
        them = draft.with_person
        whom = f"{them.platform}:{them.id}" if them is not None else order_key(account, draft.target)
        told = f"moved:{account}>{verdict.account}:{whom}"
        record = (await self._roads.facts(draft, account)).record
        since = record.lost_since.isoformat() if record is not None else ""
        preface = f"{told}@{since}"
        if await self._store.once(preface, self._clock.now()):
            self._prefaces[preface] = draft.key
            if len(self._prefaces) > PREFACES_MAX:
                del self._prefaces[next(iter(self._prefaces))]
        return self._prefaces.get(preface) == draft.key

    def _applied(self, draft: Draft, verdict: Verdict) -> NewDelivery:
        due_at = verdict.until if isinstance(verdict, Delay) else self._clock.now()
        state = State.REFUSED if isinstance(verdict, Refuse) else State.QUEUED
        if isinstance(verdict, Rewrite):
            draft = structs.replace(draft, document=verdict.document)
        reason = "" if isinstance(verdict, Allow) else verdict.reason
        key = order_key(draft.account, draft.target)
        new_id = DeliveryId(self._new_id())
        return NewDelivery(new_id, draft, draft.account, key, state, due_at, reason, draft.expires_at)

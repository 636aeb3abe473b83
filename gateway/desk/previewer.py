"""How a post would come out on each account, without posting it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from gateway.announcement import Terms
from gateway.desk.unheard import Unheard
from gateway.fitting import Fitting
from gateway.model.content import Document, plain
from gateway.model.delivery import Draft, Fault, FaultError, Part, Shown, Timeline
from gateway.model.ids import AccountId, DraftId
from gateway.model.manner import USUAL, Manner
from gateway.outbox.planner import planned
from gateway.ports import Adapter, Previews
from gateway.services import Services

NOT_OPEN = "the account can't be opened: see `multihome doctor`"


class Previewer:
    """Plans as the outbox would, and shows the plan."""

    def __init__(
        self,
        services: Services,
        fitting: Fitting,
        adapters: Mapping[AccountId, Adapter],
        manners: Mapping[AccountId, Manner],
        unheard: Unheard,
    ) -> None:
        self._services = services
        self._fitting = fitting
        self._adapters = adapters
        self._manners = manners
        self._unheard = unheard

    async def shown(
        self, document: Document, account: AccountId, terms: Terms, copies: Sequence[AccountId]
    ) -> dict[str, Any]:
        """The account's posts among all the ``copies``, or why there are none, in plain JSON values."""
        draft = self._draft(document, account, terms, copies)
        adapter = self._adapters.get(account)
        if adapter is not None:
            return await self._planned(draft, adapter)
        async with self._unheard.adapter(account) as opening:
            return _refused(account, NOT_OPEN) if isinstance(opening, Fault) else await self._planned(draft, opening)

    async def _planned(self, draft: Draft, adapter: Adapter) -> dict[str, Any]:
        account, document = draft.account, draft.document
        try:
            parts = await self._parts(draft, adapter)
        except FaultError as error:
            return _refused(account, f"{error.fault.kind}: {error.fault.evidence}")
        shown = [_seen(adapter, part, document) for part in parts]
        costs = [one.cost_usd for one in shown if one.cost_usd is not None]
        return {
            "account": account,
            "refused": "",
            "parts": [structs.asdict(one) for one in shown],
            "notes": list(parts[0].notes) if parts else [],
            "cost_usd": round(sum(costs), 4) if costs else None,
        }

    def _draft(self, document: Document, account: AccountId, terms: Terms, copies: Sequence[AccountId]) -> Draft:
        services = self._services
        new_id, now, more = DraftId(services.new_id()), services.clock.now(), structs.asdict(terms)
        return Draft(new_id, services.workspace, account, Timeline(), document, now, "", copies=tuple(copies), **more)

    async def _parts(self, draft: Draft, adapter: Adapter) -> Sequence[Part]:
        fitting = await self._fitting.fit(draft, draft.account)
        return planned(adapter, fitting, draft.account, draft.created_at, self._manners.get(draft.account, USUAL))


def _refused(account: AccountId, why: str) -> dict[str, Any]:
    return {"account": account, "refused": why, "parts": [], "notes": [], "cost_usd": None}


def _seen(adapter: Adapter, part: Part, document: Document) -> Shown:
    """Of an adapter without previews only its slice of the words is known."""
    if isinstance(adapter, Previews):
        return adapter.preview(part)
    limits = adapter.profile.limits
    text = plain(part.rest or document)
    return Shown(text, len(text), limits.text_max, limits.unit)

"""What the desk does about words that are out already: in plain JSON values, with a row for each copy."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Sequence
from typing import Any

from msgspec import structs

from gateway.announcement import Terms
from gateway.books import Store
from gateway.model.content import Document, plain
from gateway.model.delivery import Delivery, Draft
from gateway.model.ids import AccountId, AnnouncementId, DeliveryId
from gateway.revisions import Outcome, RevisionError, Revisions, check_name

PATIENCE_S = 5.0
"""How long the answer waits for the ends that it tells. What takes longer goes on."""
NAME_MAX = 300


class Corrections:
    """Edits and deletions by name: a delivery's id, or an announcement's id or key for all its copies."""

    def __init__(self, store: Store, revisions: Revisions) -> None:
        self._store = store
        self._revisions = revisions

    async def edit(
        self, name: str, document: Document, keep: Collection[str], terms: Terms, only: Collection[AccountId] = ()
    ) -> list[dict[str, Any]]:
        """Those meant for ``only`` these accounts, where some are named. Raises RevisionError, with nothing changed."""
        copies = _meant_for(only, await self._copies(name))
        for copy in copies:
            _check_terms(copy.draft, terms)
        changed = [await _tried(copy, self._revisions.edit(copy.id, document, keep)) for copy in copies]
        return await self._told([one for outcomes in changed for one in outcomes])

    async def delete(self, name: str) -> list[dict[str, Any]]:
        """With what each copy said. Raises RevisionError, with nothing deleted."""
        outcomes: list[Outcome] = []
        said: list[str] = []
        for copy in await self._copies(name):
            words = plain(await self._revisions.said(copy))
            changed = await _tried(copy, self._revisions.delete(copy.id))
            outcomes += changed
            said += [words] * len(changed)
        rows = await self._told(outcomes)
        return [{**row, "said": words} for row, words in zip(rows, said, strict=True)]

    async def _copies(self, name: str) -> tuple[Delivery, ...]:
        if len(name) <= NAME_MAX:
            known = await self._store.delivery(DeliveryId(name))
            copies = (known,) if known is not None else await self._store.copies(AnnouncementId(name))
            for copy in copies:
                check_name(copy)
            if copies:
                return copies
        raise RevisionError(f"there is no announcement or delivery {name[:100]!r}: see `multihome deliveries`")

    async def _told(self, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
        return [_row(one) for one in await self._revisions.ended(outcomes, PATIENCE_S)]


def _meant_for(accounts: Collection[AccountId], copies: tuple[Delivery, ...]) -> tuple[Delivery, ...]:
    homes = {copy.home for copy in copies}
    if missing := [account for account in accounts if account not in homes]:
        cure = "take it out of the head's accounts, or announce it there"
        raise RevisionError(f"there is no copy of it on {missing[0]}: {cure}")
    return tuple(copy for copy in copies if not accounts or copy.home in accounts)


async def _tried(copy: Delivery, change: Awaitable[tuple[Outcome, ...]]) -> tuple[Outcome, ...]:
    """One copy that can't be changed keeps no other one from it."""
    try:
        return await change
    except RevisionError as error:
        url = next((receipt.url for receipt in copy.sent if receipt.url), "")
        return (Outcome(copy.account, copy, url, refusal=str(error)),)


def _check_terms(draft: Draft, terms: Terms) -> None:
    """What an edit's head asks for anew, of what only a new post can have."""
    for name, asked in structs.asdict(terms).items():
        if asked and asked != getattr(draft, name):
            raise RevisionError(f"{name} can't be changed in what is out: delete it, and announce it anew")


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "account": outcome.account,
        "outcome": outcome.word,
        "reason": outcome.reason,
        "url": outcome.url,
        "delivery": outcome.delivery.id,
    }

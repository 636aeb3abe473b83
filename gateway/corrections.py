"""What the desk does about words that are out already: in plain JSON values, with a row for each copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.books import Store
from gateway.model.content import Document
from gateway.model.delivery import State
from gateway.model.ids import AnnouncementId, DeliveryId
from gateway.outbox.revision import NOTHING_THERE, SAME
from gateway.revisions import Outcome, RevisionError, Revisions

PATIENCE_S = 5.0
"""How long the answer waits for the ends that it tells. What takes longer goes on."""
NAME_MAX = 300


class Corrections:
    """Edits and deletions by name: a delivery's id, or an announcement's id or key for all its copies."""

    def __init__(self, store: Store, revisions: Revisions) -> None:
        self._store = store
        self._revisions = revisions

    async def edit(self, name: str, document: Document, *, keep_media: bool) -> list[dict[str, Any]]:
        """Raises RevisionError."""
        if await self._is_delivery(name):
            return await self._told(await self._revisions.edit(DeliveryId(name), document, keep_media=keep_media))
        return await self._told(await self._revisions.correct(AnnouncementId(name), document, keep_media=keep_media))

    async def delete(self, name: str) -> list[dict[str, Any]]:
        """Raises RevisionError."""
        if await self._is_delivery(name):
            return await self._told(await self._revisions.delete(DeliveryId(name)))
        return await self._told(await self._revisions.retract(AnnouncementId(name)))

    async def _is_delivery(self, name: str) -> bool:
        if len(name) <= NAME_MAX:
            if await self._store.delivery(DeliveryId(name)) is not None:
                return True
            if await self._store.copies(AnnouncementId(name)):
                return False
        raise RevisionError(f"there is no announcement or delivery {name[:100]!r}: see `multihome deliveries`")

    async def _told(self, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
        return [_row(one) for one in await self._revisions.ended(outcomes, PATIENCE_S)]


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "account": outcome.account,
        "outcome": _word(outcome),
        "reason": outcome.reason,
        "url": outcome.url,
        "delivery": outcome.delivery.id,
    }


def _word(outcome: Outcome) -> str:
    """Whether it is so now, or will be, or never was. To take away what is gone is no failure."""
    delivery = outcome.delivery
    if delivery.reason in (SAME, NOTHING_THERE):
        return "done"
    if delivery.draft.revises is None:
        return "unsent" if delivery.state is State.REFUSED else "changed"
    return {State.DELIVERED: "done", State.REFUSED: "refused", State.EXPIRED: "expired"}.get(
        delivery.state, delivery.state
    )

"""What the agent said before, by the names it knows: it says something else from now on, or goes away."""

from __future__ import annotations

from collections.abc import Callable

from gateway.books import Store
from gateway.model.content import Document, typed
from gateway.model.ids import AccountId, DeliveryId
from gateway.revisions import ALL_BUT_WORDS, Outcome, RevisionError, Revisions

PATIENCE_S = 5.0
"""How long the agent waits for the ends that it is told. What takes longer goes on."""
_OURS = "reply:"


def answer_name(account: AccountId, seq: int) -> str:
    """What the answer to an event is called: the same however often the agent is asked. It is its draft's key too."""
    return f"{_OURS}{account}:{seq}"


class Answers:
    """Changes them as the operator would, at once and durably: again, it is done already."""

    def __init__(self, store: Store, revisions: Revisions, read: Callable[[str], Document]) -> None:
        self._store = store
        self._revisions = revisions
        self._read = read

    async def edit(self, name: str, said: str | Document) -> tuple[Outcome, ...]:
        """A text keeps the media and all else there is; a Document says all of it. Raises RevisionError, TypeError,
        ValueError.
        """
        document, keep = (typed(said), ()) if isinstance(said, Document) else (self._read(said), ALL_BUT_WORDS)
        if document.is_empty:
            raise ValueError("there is nothing in it: delete the answer instead")
        changed = await self._revisions.edit(await self._named(name), document, keep)
        return await self._revisions.ended(changed, PATIENCE_S)

    async def delete(self, name: str) -> tuple[Outcome, ...]:
        """Raises RevisionError."""
        return await self._revisions.ended(await self._revisions.delete(await self._named(name)), PATIENCE_S)

    async def _named(self, name: str) -> DeliveryId:
        """Answers alone: what the operator announces is not the agent's to change."""
        found = await self._store.by_key(name) if name.startswith(_OURS) else None
        if found is None:
            raise RevisionError(f"there is no answer {name[:100]!r}: none was given, or it is not remembered any more")
        return found.id

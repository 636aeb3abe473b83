"""Edits and deletions of what was said: what has left is changed by deliveries of their own, what hasn't at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from msgspec import Struct, structs

from gateway.books import SentPart
from gateway.model.content import Document
from gateway.model.delivery import (
    FINAL,
    Change,
    Delivery,
    Draft,
    InConversation,
    Revises,
    State,
    Target,
    Timeline,
    marked,
)
from gateway.model.events import DeliveryChanged
from gateway.model.ids import AccountId, ConversationId, DeliveryId, DraftId
from gateway.outbox.detour import of_parts, prefaced
from gateway.outbox.intake import Intake
from gateway.outbox.outbox import Outbox
from gateway.outbox.reviser import changes
from gateway.outbox.revision import NOTHING_THERE, SAME, WITHDRAWN, key
from gateway.services import Services

EXTRAS = frozenset({"language", "poll", "quote", "sensitive", "warning"})
ALL_BUT_WORDS = EXTRAS | {"media"}
TRIES = 5
"""How often a delivery that changes under our eyes is looked at again."""
UNSENT = frozenset({State.WAITING, State.QUEUED, State.HELD})


class RevisionError(Exception):
    """One line: why nothing was changed."""


class Outcome(Struct, frozen=True):
    """What became of one copy: ``delivery`` is the change on its way, or the copy itself where it was changed before it
    left, or can't be changed. ``url`` is where it is to be seen, ``refusal`` why nothing was done about it.
    """

    account: AccountId
    delivery: Delivery
    url: str = ""
    nothing_there: bool = False
    refusal: str = ""

    @property
    def is_change(self) -> bool:
        return self.delivery.draft.revises is not None

    @property
    def word(self) -> str:
        """Whether it is so now, or will be, or never was. To take away what is gone is no failure."""
        state, revises = self.delivery.state, self.delivery.draft.revises
        if self.refusal:
            return str(State.REFUSED)
        if revises is None and state in (State.REFUSED, State.EXPIRED):
            return "unsent"
        if revises is None:
            return str(state) if self.nothing_there else "changed"
        gone = revises.change is Change.DELETE and self.delivery.reason == NOTHING_THERE
        return "done" if state is State.DELIVERED or gone or self.delivery.reason == SAME else str(state)

    @property
    def reason(self) -> str:
        told = self.refusal or self.delivery.reason
        return f"{NOTHING_THERE}: {told}".removesuffix(": ") if self.nothing_there else told


class Revisions:
    """Changes deliveries, wherever their parts are."""

    def __init__(self, services: Services, intake: Intake, outbox: Outbox) -> None:
        self._services = services
        self._store = services.store
        self._clock = services.clock
        self._intake = intake
        self._outbox = outbox

    async def edit(self, delivery: DeliveryId, document: Document, keep: Collection[str] = ()) -> tuple[Outcome, ...]:
        """It says this from now on. ``keep`` are fields that stay as they are where the new document has none, such as
        :data:`ALL_BUT_WORDS`. Raises RevisionError.
        """
        return await self._changed(delivery, document, keep)

    async def delete(self, delivery: DeliveryId) -> tuple[Outcome, ...]:
        """Nothing of it is to be seen from now on. Raises RevisionError."""
        return await self._changed(delivery, None)

    async def said(self, delivery: Delivery) -> Document:
        """What it says since its last change that came through."""
        return await self._said_now(delivery, await self._store.sent_parts(delivery.id))

    async def ended(self, outcomes: Sequence[Outcome], patience_s: float) -> tuple[Outcome, ...]:
        """The outcomes as they are when all changes that can leave have ended, or the patience has."""
        ends = {one.delivery.id: self._outbox.ended(one.delivery.id) for one in outcomes if self._can_leave(one)}
        try:
            now = [await self._now(one) for one in outcomes]
            names = [one.delivery.id for one in now if one.delivery.state not in FINAL]
            waiting = [ends[name] for name in names if name in ends]
            if waiting:
                await asyncio.wait(waiting, timeout=patience_s)
        finally:
            for future in ends.values():
                future.cancel()
        return tuple([await self._now(one) for one in outcomes])

    def _can_leave(self, outcome: Outcome) -> bool:
        account = outcome.delivery.account
        return outcome.is_change and self._outbox.is_open(account) and self._outbox.can_send(account)

    async def _now(self, outcome: Outcome) -> Outcome:
        found = await self._store.delivery(outcome.delivery.id)
        return outcome if found is None else structs.replace(outcome, delivery=found)

    async def _changed(
        self, name: DeliveryId, document: Document | None, keep: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        for _ in range(TRIES):
            known = await self._store.delivery(name)
            if known is None:
                raise RevisionError(f"there is no delivery {name[:100]!r}: see `multihome deliveries`")
            check_name(known)
            sent = await self._store.sent_parts(name)
            wanted = _keeping(document, await self._said_now(known, sent), keep) if document else None
            if known.state in UNSENT:
                after = await self._before_it_leaves(known, wanted, sent)
                if after is None:
                    continue
                known = after
                if not sent:
                    return (Outcome(known.account, known),)
            return await self._after_it_left(known, wanted, sent)
        raise RevisionError(f"{name} doesn't come to rest: try again")

    async def _before_it_leaves(
        self, known: Delivery, document: Document | None, sent: Sequence[SentPart]
    ) -> Delivery | None:
        """Nothing of it is there: it is changed, or ends. Of one that was begun nothing more leaves."""
        now = self._clock.now()
        if document is None or sent:
            changed = await self._store.withdraw(known, marked(known.reason, WITHDRAWN), now)
        else:
            new_id = DraftId(self._services.new_id())
            draft = structs.replace(known.draft, id=new_id, document=_as_said(known, document))
            draft = await self._intake.fitted(draft, known.account)
            changed = await self._store.amend(known, draft, now)
        if changed is None:
            return None
        if changed.state in FINAL:
            self._services.bus.publish(DeliveryChanged(changed.id, changed.account, changed.state, now, changed.reason))
        self._outbox.look(known.account)
        self._outbox.offer([changed])
        return changed

    async def _after_it_left(
        self, known: Delivery, document: Document | None, sent: Sequence[SentPart]
    ) -> tuple[Outcome, ...]:
        """One change for each account that shows some of it, or may."""
        accounts = list(dict.fromkeys(row.account for row in sent))
        if known.state not in FINAL and known.account not in accounts:
            accounts.append(known.account)
        if not accounts:
            return (Outcome(known.account, known, nothing_there=True),)
        texts: list[Document | None] = [None] * len(accounts)
        if document is not None:
            texts = await self._divided(known, document, accounts, sent)
        urls = {row.account: row.url or "" for row in reversed(sent)}
        made = await self._submitted(known, list(zip(accounts, texts, strict=True)), sent)
        return tuple(Outcome(one.account, one, urls.get(one.account, "")) for one in made)

    async def _divided(
        self, known: Delivery, document: Document, accounts: Sequence[AccountId], sent: Sequence[SentPart]
    ) -> list[Document | None]:
        """What each of the accounts says of it: as many parts as it shows, and the last one the rest."""
        texts: list[Document | None] = []
        for account in accounts[:-1]:
            draft = await self._intake.fitted(self._draft(known, account, document, sent), account)
            parts = self._outbox.plan(account, draft)
            if parts is None:
                raise RevisionError(f"its beginning is on {account}, which must be open here to divide the new text")
            if isinstance(parts, str):
                raise RevisionError(f"{account} can't say it: {parts}")
            shown = sum(row.account == account for row in sent)
            texts.append(of_parts(document, parts[:shown]))
            document = structs.replace(of_parts(document, parts[shown:]), poll=None, quote=None, card=None)
        return [*texts, None if document.is_empty else document]

    async def _submitted(
        self, known: Delivery, texts: Sequence[tuple[AccountId, Document | None]], sent: Sequence[SentPart]
    ) -> tuple[Delivery, ...]:
        """All or none. Whoever has the same number at the same time comes first."""
        while True:
            drafts = [self._draft(known, account, text, sent) for account, text in texts]
            drafts = [await self._numbered(draft) for draft in drafts]
            stored = await self._intake.submit(drafts)
            taken = [
                (one.account, text)
                for one, draft, (_, text) in zip(stored, drafts, texts, strict=True)
                if one.draft.id != draft.id
            ]
            if not taken:
                return stored
            texts = taken

    async def _numbered(self, draft: Draft) -> Draft:
        revises = draft.revises
        assert revises is not None  # noqa: S101 - made so below
        number = len(await changes(self._store, revises.delivery, draft.account))
        name = key(revises.delivery, draft.account, number)
        return structs.replace(draft, key=name, revises=structs.replace(revises, number=number))

    async def _said_now(self, known: Delivery, sent: Sequence[SentPart]) -> Document:
        """Of one on several accounts, with the media of all."""
        said: list[Document] = []
        for account in dict.fromkeys([*(row.account for row in sent), known.account]):
            made = await changes(self._store, known.id, account)
            through = [one.draft.document for one in made if one.state not in (State.REFUSED, State.EXPIRED)]
            said += through[-1:]
        if not said:
            return known.draft.document
        return structs.replace(said[0], media=tuple(one for document in said for one in document.media))

    def _draft(self, known: Delivery, account: AccountId, document: Document | None, sent: Sequence[SentPart]) -> Draft:
        change = Change.DELETE if document is None else Change.EDIT
        said = Document() if document is None else document
        return structs.replace(
            known.draft,
            id=DraftId(self._services.new_id()),
            account=account,
            target=_target(known, account, sent),
            document=_as_said(known, said) if account == known.account and document is not None else said,
            created_at=self._clock.now(),
            key="",
            in_reply_to=known.draft.in_reply_to if account == known.account else None,
            announcement=None,
            copies=(*known.draft.copies, known.home),
            detour=None,
            refused_by=(),
            been_on=(),
            expires_at=None,
            revises=Revises(change, known.id),
        )


def check_name(known: Delivery) -> None:
    """A change is none to be changed. Raises RevisionError."""
    if known.draft.revises is not None:
        raise RevisionError(f"{known.id} changes {known.draft.revises.delivery or 'a message'}: name that one")


def _target(known: Delivery, account: AccountId, sent: Sequence[SentPart]) -> Target:
    """Where an account said it, for the order in which changes come."""
    detour = known.draft.detour
    if account == known.account:
        return known.draft.target
    if account == known.home and detour is not None:
        return detour.target
    place = next((row.conversation for row in sent if row.account == account), "")
    return InConversation(ConversationId(place)) if place else Timeline()


def _as_said(known: Delivery, document: Document) -> Document:
    """With what a diverted delivery says before its own words."""
    detour = known.draft.detour
    return prefaced(document, detour.preface) if detour is not None and detour.preface else document


def _keeping(document: Document, before: Document, names: Collection[str]) -> Document:
    """The new document with what it doesn't say anew. Media stand at the end: their paragraphs are gone."""
    media = tuple(structs.replace(one, at=None) for one in before.media)
    there = structs.replace(before, media=media)
    return structs.replace(document, **{name: getattr(document, name) or getattr(there, name) for name in names})

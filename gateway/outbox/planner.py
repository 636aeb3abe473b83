"""From a neutral draft to the native parts of one account."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from msgspec import structs

from gateway.model.content import Document, Link, Media, Text
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, Part
from gateway.model.ids import AccountId
from gateway.model.manner import USUAL, Manner, Misfit, TooLong
from gateway.ports import Adapter, Clock
from gateway.text.carried import Carried, carried, linked, uncalling
from gateway.text.split import lead

log = logging.getLogger("multihome.outbox")


class Planner:
    """Asks the adapter. No two plans have the same hour."""

    def __init__(self, account: AccountId, adapter: Adapter, clock: Clock, manner: Manner = USUAL) -> None:
        self._account = account
        self._adapter = adapter
        self._clock = clock
        self._manner = manner
        self._last_at = datetime.min.replace(tzinfo=UTC)

    def parts(self, draft: Draft) -> tuple[Part, ...] | str:
        """The parts, or why the account can't carry the draft."""
        self._last_at = max(self._clock.now(), self._last_at + timedelta(microseconds=1))
        try:
            parts = planned(self._adapter, draft, self._account, self._last_at, self._manner)
        except FaultError as error:
            return f"{error.fault.kind}: {error.fault.evidence}"
        except Exception as error:
            log.exception("%s: planning %s failed", self._account, draft.id)
            return f"{FaultKind.UNKNOWN}: planning failed with {type(error).__name__}"
        return parts or f"{FaultKind.INVALID}: nothing of it can be said here"


def planned(adapter: Adapter, draft: Draft, account: AccountId, at: datetime, manner: Manner) -> tuple[Part, ...]:
    """The parts of what of a draft the account carries; the first says in its notes what it doesn't. Pure.

    Raises FaultError.
    """
    fitting, notes = carried(draft, account, adapter.profile, manner)
    if manner.numbered and not fitting.numbered:
        fitting = structs.replace(fitting, numbered=True)
    try:
        parts = _plan(adapter, fitting, at, draft)
    except FaultError as error:
        if error.fault.kind is not FaultKind.MEDIA or manner.misfit is not Misfit.LINK:
            raise
        fitting, more = _thinned(adapter, fitting, at, manner)
        fitting, uncalled = uncalling(fitting, account, adapter.profile, manner)
        notes = (*notes, *more, *(one for one in uncalled if one not in notes))
        parts = _plan(adapter, fitting, at, draft)
    if len(parts) > manner.parts_max:
        fitting, note = _begun(adapter, fitting, at, manner, len(parts))
        parts, notes = _plan(adapter, fitting, at, draft), (*notes, note)
    if not notes or not parts:
        return parts
    return (structs.replace(parts[0], notes=(*notes, *parts[0].notes)), *parts[1:])


def _thinned(adapter: Adapter, draft: Draft, at: datetime, manner: Manner) -> Carried:
    """The draft with the media that the platform takes together, the first ones before others; those are links."""
    notes: tuple[str, ...] = ()
    media, draft = draft.document.media, _showing(draft, ())
    for one in media:
        more = _showing(draft, (*draft.document.media, one))
        try:
            adapter.plan(more, at)
        except FaultError as error:
            if error.fault.kind is not FaultKind.MEDIA:
                raise
            draft, note = linked(draft, one, error.fault.evidence, manner)
            notes += note
        else:
            draft = more
    return draft, notes


def _showing(draft: Draft, media: tuple[Media, ...]) -> Draft:
    return structs.replace(draft, document=structs.replace(draft.document, media=media))


def _plan(adapter: Adapter, draft: Draft, at: datetime, asked: Draft) -> tuple[Part, ...]:
    """Edits have to know what is said where there is one part, too, unless it is just what was asked for."""
    parts = adapter.plan(draft, at)
    if len(parts) != 1 or parts[0].rest is not None or (draft.document is asked.document and not draft.revises):
        return parts
    return (structs.replace(parts[0], rest=draft.document),)


def _begun(
    adapter: Adapter, draft: Draft, at: datetime, manner: Manner, parts: int
) -> tuple[Draft, str]:  # fmt: skip
    """The beginning of a draft that takes too many parts, and where the rest is."""
    told = f"it takes {parts} posts, and this account posts {manner.parts_max} at most"
    if manner.too_long is not TooLong.LEAD or not draft.canonical_url:
        raise FaultError(Fault(FaultKind.TOO_LONG, True, told))

    def shortened(piece: Document) -> Draft:
        paragraphs = (*piece.paragraphs, (Text("… "), Link(draft.canonical_url)))
        return structs.replace(draft, document=structs.replace(draft.document, paragraphs=paragraphs))

    def fits(piece: Document) -> bool:
        try:
            return len(adapter.plan(shortened(piece), at)) <= manner.parts_max
        except FaultError:
            return False

    try:
        beginning = lead(draft.document, fits)
    except ValueError as error:
        raise FaultError(Fault(FaultKind.TOO_LONG, True, told)) from error
    return shortened(beginning), f"only its beginning, with a link to the rest: {told}"

"""The requests that make what is there say something else, or go away. Pure.

What is there is read off the receipts: of the delivery itself, and of every change of it before this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from gateway.books import SentPart
from gateway.model.capabilities import Feature, Profile
from gateway.model.content import Document
from gateway.model.delivery import CHANGES, Change, Delivery, Draft, InConversation, Part, Repliers
from gateway.model.ids import AccountId, DeliveryId, MessageRef
from gateway.model.manner import Correction, Manner
from gateway.text.split import with_number

STAYS = "the old text stays"
UNEDITABLE = f"{STAYS}: it can't be edited here"
UNDELETABLE = "it stays: nothing can be deleted here"
NOTHING_THERE = "nothing of it is there"
SAME = "it says so already"
WITHDRAWN = "withdrawn"

WORDS_ONLY = "words_only"
"""In the body of an edit: all but the words is there already."""

Plan = Callable[[Draft], tuple[Part, ...] | str]


class There(Struct, frozen=True):
    """A message of ours that a platform shows, and what it says as far as that is known."""

    ref: MessageRef
    at: datetime
    conversation: str = ""
    document: Document | None = None


class Here(Struct, frozen=True):
    """What an account can do, and how it does it."""

    profile: Profile
    manner: Manner
    now: datetime
    stays: Callable[[Document, Document], str]


def no_limits(_before: Document, _after: Document) -> str:
    """For platforms on which any message may become any other."""
    return ""


def key(delivery: DeliveryId, account: AccountId, number: int) -> str:
    """A change's own: changes of one delivery on one account are counted, and none has another's number."""
    return f"revise:{delivery}@{account}:{number}"


def there(
    account: AccountId, said: Sequence[tuple[Delivery, Sequence[SentPart]]]
) -> tuple[There, ...]:  # fmt: skip
    """The messages of this account after a delivery and all its changes so far, in the order of their reading."""
    messages: dict[MessageRef, There] = {}
    for delivery, sent in said:
        for row, part in zip(sent, _parts_of(delivery, len(sent)), strict=True):
            if row.account == account and row.kind not in (Change.REACT, Change.REPOST):
                _apply(messages, row, part, _shown(delivery, part))
    return tuple(messages.values())


def _apply(messages: dict[MessageRef, There], row: SentPart, part: Part | None, document: Document | None) -> None:
    before = part.body.get("ref", row.ref) if part else row.ref
    # An edit may give a message another ref; it keeps its place under the first one.
    first = next((first for first, one in messages.items() if one.ref == before), before)
    if row.kind == Change.DELETE:
        messages.pop(first, None)
    elif row.kind != Change.EDIT:
        messages[row.ref] = There(row.ref, row.at, row.conversation, document)
    elif first in messages:
        said = part.rest if part else None
        messages[first] = structs.replace(messages[first], ref=row.ref or before, document=said)


def _parts_of(delivery: Delivery, sent: int) -> list[Part | None]:
    """The plan's part of each message; of what another account sent before, or an earlier plan, it isn't kept."""
    planned = (delivery.parts or ())[: len(delivery.sent)][:sent]
    return [*[None] * (sent - len(planned)), *planned]


def _shown(delivery: Delivery, part: Part | None) -> Document | None:
    if part is not None and part.rest is None and len(delivery.parts or ()) == 1:
        return delivery.draft.document
    return shown(part) if part is not None else None


def shown(part: Part) -> Document | None:
    """What a part says, with its number in the thread where it has one."""
    return with_number(part.rest, part.number) if part.rest and part.number else part.rest


def planned(draft: Draft, messages: Sequence[There], here: Here, plan: Plan) -> tuple[Part, ...] | str:
    """The parts that carry out ``draft.revises``, or why that can't be done."""
    revises = draft.revises
    assert revises is not None  # noqa: S101 - the caller looked
    if revises.message is not None:
        return _reacted(draft, revises.message, here)
    if not messages:
        return NOTHING_THERE
    if revises.change is Change.DELETE:
        return _deleted(messages, here)
    return _edited(draft, messages, here, plan)


def _reacted(draft: Draft, message: MessageRef, here: Here) -> tuple[Part, ...] | str:
    change = draft.revises.change if draft.revises else Change.REACT
    if not here.profile.supports(Feature(change)):
        return f"there is no {change} here"
    reaction = draft.revises.reaction if draft.revises else ""
    conversation = draft.target.conversation if isinstance(draft.target, InConversation) else ""
    return (_part(change, message, conversation, reaction=reaction),)


def _deleted(messages: Sequence[There], here: Here) -> tuple[Part, ...] | str:
    """The last message first, so that no reply hangs in the air."""
    if not here.profile.supports(Feature.DELETE):
        return UNDELETABLE
    return tuple(_part(Change.DELETE, one.ref, one.conversation) for one in reversed(messages))


def _edited(draft: Draft, messages: Sequence[There], here: Here, plan: Plan) -> tuple[Part, ...] | str:
    new = plan(draft)
    if isinstance(new, str):
        return new
    wanted = [shown(part) for part in new]
    if wanted == [one.document for one in messages] and None not in wanted:
        return SAME
    pairs = [(one, said) for one, said in zip(messages, wanted, strict=False) if said != one.document]
    if why := _why_not(draft, pairs, here):
        return why if here.manner.correction is Correction.LEAVE else _corrected(draft, messages, wanted, here, plan)
    surplus = _deleted(messages[len(new) :], here) if len(messages) > len(new) else ()
    if isinstance(surplus, str):
        return surplus
    edits = tuple(_part(Change.EDIT, one.ref, one.conversation, said, **_same(one, said)) for one, said in pairs)
    return (*edits, *_appended(new[len(messages) :], messages), *surplus)


def _why_not(draft: Draft, pairs: Sequence[tuple[There, Document | None]], here: Here) -> str:
    """Why not all of these messages can be edited to say that."""
    turned_down = draft.revises is not None and draft.revises.anew
    window_s = here.profile.limits.edit_window_s
    late = window_s is not None and any((here.now - one.at).total_seconds() >= window_s for one, _ in pairs)
    if turned_down or late or not here.profile.supports(Feature.EDIT) or any(said is None for _, said in pairs):
        return UNEDITABLE
    whys = (here.stays(one.document, said) for one, said in pairs if one.document and said)
    return next((f"{STAYS}: {why}" for why in whys if why), "")


def _same(one: There, said: Document | None) -> dict[str, bool]:
    """What an edit leaves as it is."""
    if one.document is None or said is None:
        return {}
    return {WORDS_ONLY: True} if _besides_words(one.document) == _besides_words(said) else {}


def _besides_words(document: Document) -> Document:
    media = tuple(structs.replace(one, at=None) for one in document.media)
    return structs.replace(document, paragraphs=(), media=media, card=None)


def _appended(parts: Sequence[Part], messages: Sequence[There]) -> tuple[Part, ...]:
    """Further parts of the thread that is there."""
    first, last = messages[0].ref, messages[-1].ref
    return tuple(structs.replace(part, first=first, previous=last) for part in parts)


def _corrected(
    draft: Draft, messages: Sequence[There], wanted: Sequence[Document | None], here: Here, plan: Plan
) -> tuple[Part, ...] | str:
    """Where nothing can be edited, the operator has said what happens instead."""
    if here.manner.correction is Correction.REPLY:
        return SAME if _ends_with(messages, wanted) else plan(_answering(draft, messages[-1].ref))
    gone, new = _deleted(messages, here), plan(draft)
    if isinstance(gone, str):
        return f"{UNEDITABLE}, nor deleted"
    return new if isinstance(new, str) else (*gone, *new)


def _answering(draft: Draft, ref: MessageRef) -> Draft:
    """Who may reply was said by what it answers."""
    return structs.replace(draft, in_reply_to=ref, repliers=Repliers.EVERYONE)


def _ends_with(messages: Sequence[There], wanted: Sequence[Document | None]) -> bool:
    """Whether the last correction says so already."""
    return None not in wanted and list(wanted) == [one.document for one in messages[-len(wanted) :]]


def _part(
    change: Change, ref: MessageRef, conversation: str = "", rest: Document | None = None, **body: Any
) -> Part:  # fmt: skip
    """Its index says nothing: it is no part of a thread."""
    return Part(0, change, "", {"ref": ref, **body}, conversation, rest)


def is_repeatable(delivery: Delivery) -> bool:
    """Whether what is being sent only changes what is there: twice is once."""
    parts = delivery.parts or ()
    return len(delivery.sent) < len(parts) and parts[len(delivery.sent)].kind in CHANGES

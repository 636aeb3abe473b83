"""What of a draft is still to be said, how it goes another road, and how it comes home. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from gateway.model.content import Document, Text
from gateway.model.delivery import Delivery, Detour, Draft, InConversation, Part, Target, Timeline
from gateway.model.ids import AccountId, DraftId
from gateway.model.verdict import Divert


def order_key(account: AccountId, target: Target) -> str:
    """Deliveries with the same key go out in the order they came."""
    match target:
        case Timeline():
            return f"{account}#"
        case InConversation(conversation):
            return f"{account}#{conversation}"
        case _:
            return f"{account}#@{target.identity.id or target.identity.handle}"


def _unsent(delivery: Delivery) -> Document:
    """What of a delivery no platform has yet: all of it, or the slices of its unsent parts."""
    if delivery.parts is None or not delivery.sent:
        return delivery.draft.document
    rest = of_parts(delivery.draft.document, delivery.parts[len(delivery.sent) :])
    return structs.replace(rest, poll=None, quote=None, card=None)


def remaining(delivery: Delivery) -> Draft:
    """Its draft, as far as no platform has it yet. What is said before a diverted one is said with its first part."""
    draft = structs.replace(delivery.draft, document=_unsent(delivery))
    if draft.detour is None or not delivery.sent:
        return draft
    return structs.replace(draft, detour=structs.replace(draft.detour, preface=""))


def of_parts(document: Document, parts: Sequence[Part]) -> Document:
    """What some of its parts say of a document."""
    slices = [part.rest for part in parts if part.rest is not None]
    paragraphs = tuple(paragraph for piece in slices for paragraph in piece.paragraphs)
    return structs.replace(document, paragraphs=paragraphs, media=tuple(one for piece in slices for one in piece.media))


def away(draft: Draft, verdict: Divert, preface: str, new_id: DraftId) -> Draft:
    """A draft of its home as it goes on by another road. The id is a new one, because keys are made of it: what is
    left of a thread must not be taken for its first part.
    """
    return structs.replace(
        draft,
        id=new_id,
        target=verdict.target,
        document=prefaced(draft.document, preface) if preface else draft.document,
        in_reply_to=verdict.in_reply_to,
        detour=Detour(draft.target, draft.in_reply_to, preface),
    )


def homeward(delivery: Delivery, new_id: DraftId) -> Draft:
    """What is left of a delivery, as its home would say it."""
    draft = remaining(delivery)
    document, detour = draft.document, draft.detour
    if detour is None:
        return draft
    if detour.preface:
        document = structs.replace(document, paragraphs=document.paragraphs[1:])
    been_on = (*(one for one in draft.been_on if one != delivery.account), delivery.account)
    return structs.replace(
        draft, id=new_id, target=detour.target, in_reply_to=detour.in_reply_to, document=document, detour=None,
        been_on=been_on,
    )  # fmt: skip


def refused(draft: Draft, account: AccountId) -> Draft:
    """The same draft, never again to be tried by this account."""
    return structs.replace(draft, refused_by=(*draft.refused_by, account))


def prefaced(document: Document, words: str) -> Document:
    """The document with a paragraph before it."""
    return structs.replace(document, paragraphs=((Text(words),), *document.paragraphs))

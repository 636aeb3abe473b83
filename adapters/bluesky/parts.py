"""Plans: a draft becomes Bluesky's records and messages, each frozen with the key it will have. Pure.

A file of its own because translate.py would be too long with it.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from msgspec import structs

from adapters.bluesky.profile import DIRECT_BYTES, DIRECT_GRAPHEMES, NAME, PROFILE, TEXT_BYTES, TEXT_GRAPHEMES
from adapters.bluesky.translate import DirectMessage, Post, place_of, record_key, render
from gateway.model.content import Document, Media, Mention, Paragraph, Text, opened
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, InConversation, Part, ToPerson
from gateway.model.identity import Identity
from gateway.text.measure import graphemes
from gateway.text.split import split

POSTS = "app.bsky.feed.post"

_S32 = "234567abcdefghijklmnopqrstuvwxyz"
_CLOCK_IDS = 1024
_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")


def tid(at: datetime, clock_id: int) -> str:
    """A record key: microseconds since 1970 and ten more bits, 13 characters that sort like time."""
    value = (((at - _EPOCH) // timedelta(microseconds=1)) << 10) | clock_id
    return "".join(_S32[(value >> shift) & 31] for shift in range(60, -1, -5))


def like_key(uri: str) -> str:
    """The record key of a like of this post, always the same: the post's own time, other last bits."""
    digest = sha256(uri.encode()).digest()
    last = _S32[digest[0] & 31] + _S32[digest[1] & 31]
    key = record_key(uri)
    return key[:11] + last if _TID.fullmatch(key) else _S32[0] + "".join(_S32[b & 31] for b in digest[2:14])


def blob_cid(digest: str) -> str:
    """The address a blob has on every server: CIDv1, raw, SHA-256. So a record can be written before its upload."""
    return "b" + b32encode(b"\x01\x55\x12\x20" + bytes.fromhex(digest)).decode().lower().rstrip("=")


def fits_post(text: str) -> bool:
    return _fits(text, TEXT_GRAPHEMES, TEXT_BYTES)


def fits_direct(text: str) -> bool:
    return _fits(text, DIRECT_GRAPHEMES, DIRECT_BYTES)


def _fits(text: str, characters: int, size_bytes: int) -> bool:
    if len(text) * 4 <= size_bytes and len(text) <= characters:
        return True
    return len(text.encode()) <= size_bytes and graphemes(text) <= characters


def plan(draft: Draft, at: datetime) -> tuple[Part, ...]:
    """The parts of a draft. Pure; FaultError when it can't be carried."""
    if draft.document.is_empty:
        raise refused(FaultKind.INVALID, "there is nothing to say")
    match draft.target:
        case ToPerson(identity, private):
            return _to_person(draft, identity, at, private=private)
        case InConversation(conversation, private):
            return _in_conversation(draft, conversation, at, private=private)
    parent = place_of(draft.in_reply_to) if draft.in_reply_to else None
    if isinstance(parent, DirectMessage):
        raise refused(FaultKind.TARGET_REFUSED, "a direct message isn't answered in public")
    return _posts(draft.document, parent, at)


def _to_person(draft: Draft, identity: Identity, at: datetime, *, private: bool) -> tuple[Part, ...]:
    if identity.platform != NAME or not identity.id.startswith("did:"):
        raise refused(FaultKind.TARGET_REFUSED, f"{identity} is nobody on Bluesky")
    if private:
        return _messages(draft.document, {"to": identity.id}, "")
    mention = Mention(NAME, identity.id, identity.handle, identity.name)
    return _posts(opened(draft.document, mention, Text(" ")), None, at)


def _in_conversation(draft: Draft, conversation: str, at: datetime, *, private: bool) -> tuple[Part, ...]:
    place = place_of(conversation)
    if isinstance(place, DirectMessage):
        return _messages(draft.document, {"convo": place.convo}, conversation)
    parent = place_of(draft.in_reply_to) if draft.in_reply_to else place
    if private or place is None or not isinstance(parent, Post):
        raise refused(FaultKind.TARGET_REFUSED, "the conversation isn't one of this account's, or isn't private")
    return _posts(draft.document, parent, at)


def _posts(document: Document, parent: Post | None, at: datetime) -> tuple[Part, ...]:
    _check_media(document.media)
    slices = _slices(document, fits_post)
    if len(slices) > _CLOCK_IDS:
        raise refused(FaultKind.TOO_LONG, f"{len(slices)} posts are too many for one thread")
    parts = []
    for index, piece in enumerate(slices):
        key = tid(at, index)
        record = _record(piece, at + timedelta(milliseconds=index))
        if index == 0 and parent:
            record["reply"] = parent.reply
        kind = "reply" if parent else "post"
        body = {"record": record, "media": [media.sha256 for media in piece.media]}
        parts.append(Part(index, kind, key, body, rest=piece if len(slices) > 1 else None))
    return tuple(parts)


def _record(document: Document, at: datetime) -> dict[str, Any]:
    text, facets = render(document)
    record: dict[str, Any] = {
        "$type": POSTS,
        "text": text,
        "createdAt": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if facets:
        record["facets"] = facets
    if document.language and _LANGUAGE.fullmatch(document.language):
        record["langs"] = [document.language]
    if document.media:
        record["embed"] = {"$type": "app.bsky.embed.images", "images": [_image(media) for media in document.media]}
    return record


def _image(media: Media) -> dict[str, Any]:
    link = {"$link": blob_cid(media.sha256)}
    blob = {"$type": "blob", "ref": link, "mimeType": media.mime, "size": media.size_bytes}
    image: dict[str, Any] = {"image": blob, "alt": media.alt}
    if media.width_px and media.height_px:
        image["aspectRatio"] = {"width": media.width_px, "height": media.height_px}
    return image


def _check_media(media: tuple[Media, ...]) -> None:
    limits = PROFILE.limits
    if len(media) > limits.images_max:
        raise refused(FaultKind.MEDIA, f"{len(media)} pictures, a post takes {limits.images_max}")
    for item in media:
        if not item.mime.startswith("image/") or item.size_bytes > limits.image_size_bytes:
            raise refused(FaultKind.MEDIA, f"{item.mime} of {item.size_bytes} bytes: images up to 2 MB only")


def _messages(document: Document, whither: dict[str, str], conversation: str) -> tuple[Part, ...]:
    slices = _slices(_in_words(document), fits_direct)
    parts = []
    for index, piece in enumerate(slices):
        text, facets = render(piece)
        message = {"text": text, "facets": facets} if facets else {"text": text}
        body = {**whither, "message": message}
        parts.append(Part(index, "direct", "", body, conversation, rest=piece if len(slices) > 1 else None))
    return tuple(parts)


def _in_words(document: Document) -> Document:
    """Direct messages take no pictures: what they show is told."""
    told: tuple[Paragraph, ...] = tuple((Text(f"[image: {m.alt}]" if m.alt else "[image]"),) for m in document.media)
    return structs.replace(document, paragraphs=document.paragraphs + told, media=()) if told else document


def _slices(document: Document, fits: Callable[[str], bool]) -> tuple[Document, ...]:
    try:
        return split(document, lambda piece: fits(render(piece)[0]))
    except ValueError as error:
        raise refused(FaultKind.TOO_LONG, str(error)) from error


def refused(kind: FaultKind, why: str) -> FaultError:
    """A fault of our own making, before anything was sent."""
    return FaultError(Fault(kind, True, why))

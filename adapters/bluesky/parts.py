"""Plans: a draft becomes Bluesky's records and messages, each frozen with the key it will have. Pure.

A file of its own because translate.py would be too long with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from msgspec import structs

from adapters.bluesky.embeds import embed_lines, embed_of, media_lines, quoted
from adapters.bluesky.measure import length
from adapters.bluesky.profile import DIRECT_BYTES, DIRECT_GRAPHEMES, NAME, TEXT_BYTES, TEXT_GRAPHEMES
from adapters.bluesky.translate import DirectMessage, Post, place_of, record_key, render, spell, text_of
from gateway.model.content import Document, Link, Media, Mention, Paragraph, Span, Text, opened
from gateway.model.delivery import Draft, FaultKind, InConversation, Part, Repliers, Shown, ToPerson, refused
from gateway.model.identity import Identity
from gateway.text.split import Slice, slices

POSTS = "app.bsky.feed.post"
GATES = "app.bsky.feed.threadgate"

LABEL = "graphic-media"
"""Of the labels that authors give themselves the one that hides media from everybody until asked, and nothing else."""

_S32 = "234567abcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _S32 for second in _S32]
_CLOCK_IDS = 1024
_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Of BCP 47 what is never refused, the language in small letters; of anything longer the beginning is told.
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})((?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?)(?=$|-)")

_MENTIONED = {"$type": f"{GATES}#mentionRule"}
_FOLLOWED = {"$type": f"{GATES}#followingRule"}
_ALLOWED = {
    Repliers.NOBODY: [],
    Repliers.MENTIONED: [_MENTIONED],
    Repliers.FOLLOWED: [_MENTIONED, _FOLLOWED],
}


def tid(at: datetime, clock_id: int) -> str:
    """A record key: microseconds since 1970 and ten more bits, 13 characters that sort like time."""
    value = (((at - _EPOCH) // timedelta(microseconds=1)) << 10) | clock_id
    return _S32[(value >> 60) & 31] + "".join([_PAIRS[(value >> shift) & 1023] for shift in range(50, -1, -10)])


def mark_key(uri: str) -> str:
    """The record key of a like or a repost of this post, always the same: the post's own time, other last bits."""
    digest = sha256(uri.encode()).digest()
    last = _S32[digest[0] & 31] + _S32[digest[1] & 31]
    key = record_key(uri)
    return key[:11] + last if _TID.fullmatch(key) else _S32[0] + "".join(_S32[b & 31] for b in digest[2:14])


def fits_post(document: Document) -> bool:
    return _fits(text_of(document), TEXT_GRAPHEMES, TEXT_BYTES)


def fits_direct(document: Document) -> bool:
    return _fits(text_of(document), DIRECT_GRAPHEMES, DIRECT_BYTES)


def _fits(text: str, characters: int, size_bytes: int) -> bool:
    if len(text) * 4 <= size_bytes and len(text) <= characters:
        return True
    return len(text.encode()) <= size_bytes and length(text) <= characters


def plan(draft: Draft, at: datetime) -> tuple[Part, ...]:
    """The parts of a draft. Pure; FaultError when it can't be carried."""
    if draft.document.is_empty and draft.document.quote is None:
        raise refused(FaultKind.INVALID, "there is nothing to say")
    match draft.target:
        case ToPerson(identity, private):
            return _to_person(draft, identity, at, private=private)
        case InConversation(conversation, private):
            return _in_conversation(draft, conversation, at, private=private)
    parent = place_of(draft.in_reply_to) if draft.in_reply_to else None
    if isinstance(parent, DirectMessage):
        raise refused(FaultKind.TARGET_REFUSED, "a direct message isn't answered in public")
    return _posts(draft, parent, at)


def _to_person(draft: Draft, identity: Identity, at: datetime, *, private: bool) -> tuple[Part, ...]:
    if identity.platform != NAME or not identity.id.startswith("did:"):
        raise refused(FaultKind.TARGET_REFUSED, f"{identity} is nobody on Bluesky")
    if private:
        return _messages(draft, {"to": identity.id}, "")
    mention = Mention(NAME, identity.id, identity.handle, identity.name)
    return _posts(structs.replace(draft, document=opened(draft.document, mention, Text(" "))), None, at)


def _in_conversation(draft: Draft, conversation: str, at: datetime, *, private: bool) -> tuple[Part, ...]:
    place = place_of(conversation)
    if isinstance(place, DirectMessage):
        return _messages(draft, {"convo": place.convo}, conversation)
    parent = place_of(draft.in_reply_to) if draft.in_reply_to else place
    if private or place is None or not isinstance(parent, Post):
        raise refused(FaultKind.TARGET_REFUSED, "the conversation isn't one of this account's, or isn't private")
    return _posts(draft, parent, at)


def _posts(draft: Draft, parent: Post | None, at: datetime) -> tuple[Part, ...]:
    if parent and draft.repliers:
        raise refused(FaultKind.INVALID, "who may reply is said by the thread's first post, and this one is a reply")
    pieces = _slices(draft, draft.document, fits_post, TEXT_GRAPHEMES)
    if len(pieces) > _CLOCK_IDS:
        raise refused(FaultKind.TOO_LONG, f"{len(pieces)} posts are too many for one thread")
    parts = []
    for index, piece in enumerate(pieces):
        record, sources = _record(piece.shown, at + timedelta(milliseconds=index))
        body: dict[str, Any] = {"record": record, "media": list(sources)}
        if index == 0 and parent:
            record["reply"] = parent.reply
        if index == 0 and draft.repliers:
            body["allow"] = _ALLOWED[draft.repliers]
        rest = piece.said if len(pieces) > 1 else None
        parts.append(Part(index, "reply" if parent else "post", tid(at, index), body, rest=rest))
    return tuple(parts)


def _record(document: Document, at: datetime) -> tuple[dict[str, Any], tuple[str, ...]]:
    text, facets = render(document)
    embed, sources = embed_of(document)
    record: dict[str, Any] = {"$type": POSTS, "text": text, "createdAt": stamp(at)}
    if facets:
        record["facets"] = facets
    if language := _LANGUAGE.match(document.language or ""):
        record["langs"] = [language[1].lower() + language[2]]
    if embed:
        record["embed"] = embed
    if document.sensitive and document.media:
        record["labels"] = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": LABEL}]}
    return record, sources


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gate_of(part: Part, post_uri: str) -> dict[str, Any] | None:
    """The record that says who may reply. It has the post's own key."""
    if "allow" not in part.body:
        return None
    made = part.body["record"]["createdAt"]
    return {"$type": GATES, "post": post_uri, "allow": part.body["allow"], "createdAt": made}


def _messages(draft: Draft, whither: dict[str, str], conversation: str) -> tuple[Part, ...]:
    pieces = _slices(draft, _in_words(draft.document), fits_direct, DIRECT_GRAPHEMES)
    parts = []
    for index, piece in enumerate(pieces):
        text, facets = render(piece.shown)
        message: dict[str, Any] = {"text": text, "facets": facets} if facets else {"text": text}
        if piece.shown.quote:
            message["embed"] = quoted(piece.shown.quote)
        rest = piece.said if len(pieces) > 1 else None
        parts.append(Part(index, "direct", "", {**whither, "message": message}, conversation, rest=rest))
    return tuple(parts)


def _in_words(document: Document) -> Document:
    """Direct messages take no media: what they show is told, with a link where there is one."""
    told = tuple(map(_told, document.media))
    return structs.replace(document, paragraphs=document.paragraphs + told, media=()) if told else document


def _told(one: Media) -> Paragraph:
    words = f"[{one.kind}: {one.alt}]" if one.alt else f"[{one.kind}]"
    return (Link(one.source, words) if one.source else Text(words),)


def _width(span: Span) -> int:
    return length(spell(span))


def _slices(draft: Draft, document: Document, fits: Callable[[Document], bool], most: int) -> tuple[Slice, ...]:
    try:
        return slices(document, fits, width=_width, most=most, numbered=draft.numbered)
    except ValueError as error:
        raise refused(FaultKind.TOO_LONG, str(error)) from error


# For people.

_GATED = {0: "nobody may reply", 1: "only who is mentioned may reply", 2: "only who is mentioned or followed may reply"}


def preview(part: Part) -> Shown:
    """How a planned part will look."""
    if part.kind == "direct":
        message = part.body["message"]
        text, extras = message["text"], (*_link_lines(message), *embed_lines(message.get("embed")))
        return Shown(text, length(text), DIRECT_GRAPHEMES, "graphemes", extras=extras)
    record = part.body["record"]
    text, embed = record["text"], record.get("embed")
    extras = (*_link_lines(record), *embed_lines(embed))
    if "labels" in record:
        extras += (f"media are hidden until asked for (label {LABEL})",)
    if "allow" in part.body:
        extras += (_GATED[len(part.body["allow"])],)
    if "langs" in record:
        extras += (f"language: {record['langs'][0]}",)
    return Shown(text, length(text), TEXT_GRAPHEMES, "graphemes", media_lines(embed), extras)


def _link_lines(said: dict[str, Any]) -> tuple[str, ...]:
    """The whole address of each link that shows something else."""
    data = said["text"].encode()
    lines = []
    for facet in said.get("facets", ()):
        index, url = facet["index"], facet["features"][0].get("uri")
        words = data[index["byteStart"] : index["byteEnd"]].decode()
        if url and url not in (words, f"https://{words}"):
            lines.append(f"link: {words} leads to {url}")
    return tuple(lines)

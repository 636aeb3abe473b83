"""Bluesky's words and ours, without any I/O: text with facets, references, and events. Plans are in parts.py."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct, convert

from adapters.bluesky.profile import NAME
from gateway.model.content import Document, Link, Mention, Paragraph, Span, Text, layout, spans, spelled
from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef

CHAT = {"atproto-proxy": "did:web:api.bsky.chat#bsky_chat"}
"""The header that sends a call on to the chat service."""

_FACETS_READ = 200
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:(//)?[^\s/]\S*", re.IGNORECASE)  # what the lexicon takes for a `uri`


# Names of things.


class Post(NamedTuple):
    """A record and the thread it stands in: all that a reply, a like or a deletion has to name."""

    uri: str
    cid: str
    root_uri: str
    root_cid: str

    @property
    def ref(self) -> MessageRef:
        if self.uri == self.root_uri:
            return MessageRef(f"{self.uri} {self.cid}")
        return MessageRef(" ".join(self))

    @property
    def reply(self) -> dict[str, Any]:
        """The ``reply`` of a record that answers this one."""
        return {
            "root": {"uri": self.root_uri, "cid": self.root_cid},
            "parent": {"uri": self.uri, "cid": self.cid},
        }


class DirectMessage(NamedTuple):
    convo: str
    id: str

    @property
    def ref(self) -> MessageRef:
        return MessageRef(f"direct {self.convo} {self.id}")


def place_of(ref: str) -> Post | DirectMessage | None:
    """What a MessageRef or a ConversationId of ours names; ``None`` for anything else."""
    match ref.split(" "):
        case ["direct", convo]:
            return DirectMessage(convo, "")
        case ["direct", convo, message]:
            return DirectMessage(convo, message)
        case [uri, cid] if uri.startswith("at://"):
            return Post(uri, cid, uri, cid)
        case [uri, cid, root_uri, root_cid] if uri.startswith("at://") and root_uri.startswith("at://"):
            return Post(uri, cid, root_uri, root_cid)
    return None


def direct_conversation(convo: str) -> ConversationId:
    return ConversationId(f"direct {convo}")


# Out: a document becomes text with facets.


def render(document: Document) -> tuple[str, list[dict[str, Any]]]:
    """The text of a document, and its links and mentions as facets with UTF-8 offsets."""
    pieces: list[str] = []
    facets: list[dict[str, Any]] = []
    end = 0
    for piece in layout(document):
        words = spell(piece.span) if piece.span else piece.text
        begin, end = end, end + len(words.encode())
        pieces.append(words)
        feature = _feature(piece.span)
        if feature and end > begin:
            facets.append({"index": {"byteStart": begin, "byteEnd": end}, "features": [feature]})
    return "".join(pieces), facets


def spell(span: Span) -> str:
    """What a reader sees of a span: a link may hide its address, a mention is a handle."""
    match span:
        case Link(url, text):
            return text or url
        case Mention(platform, did, handle, name) if platform == NAME:
            return f"@{handle}" if handle else name or f"@{did}"
    return spelled(span)


def _feature(span: Span | None) -> dict[str, str] | None:
    match span:
        case Link(url) if _URI.fullmatch(url):
            return {"$type": "app.bsky.richtext.facet#link", "uri": url}
        case Mention(platform, did) if platform == NAME and did.startswith("did:"):
            return {"$type": "app.bsky.richtext.facet#mention", "did": did}
    return None


# In: what the platform tells becomes events. Everything here is somebody else's data.

_Name = Annotated[str, Meta(min_length=1, max_length=2600, pattern=r"^\S+$")]
_Words = Annotated[str, Meta(max_length=40_000)]


class _StrongRef(Struct):
    uri: _Name
    cid: _Name


class _Reply(Struct):
    root: _StrongRef
    parent: _StrongRef


class _Record(Struct):
    text: _Words = ""
    facets: Any = None
    reply: _Reply | None = None


class _Author(Struct, rename="camel"):
    did: _Name
    handle: _Words = ""
    display_name: _Words | None = None

    @property
    def identity(self) -> Identity:
        return Identity(NAME, self.did, self.handle, self.display_name or "")


class Notification(Struct, rename="camel"):
    """One item of listNotifications, checked as far as it is used."""

    uri: _Name
    cid: _Name
    author: _Author
    reason: str
    record: _Record
    indexed_at: datetime


class _Sender(Struct):
    did: _Name


class Message(Struct, rename="camel"):
    """A messageView of chat.bsky.convo."""

    id: _Name
    sender: _Sender
    sent_at: datetime
    text: _Words
    facets: Any = None


class Entry(Struct, rename="camel"):
    """A logCreateMessage of the chat's log."""

    convo_id: _Name
    message: Message


class Convo(Struct):
    """Who talks in a convoView."""

    id: _Name
    members: list[_Author]
    kind: Any = None

    @property
    def is_group(self) -> bool:
        return isinstance(self.kind, dict) and str(self.kind.get("$type", "")).endswith("#groupConvo")


def received(notification: Notification, account: AccountId, own_did: str) -> MessageReceived:
    """A mention, a reply or a quote as an event."""
    record = notification.record
    post = Post(notification.uri, notification.cid, notification.uri, notification.cid)
    parent = None
    if record.reply:
        root = record.reply.root
        post = Post(notification.uri, notification.cid, root.uri, root.cid)
        parent = Post(record.reply.parent.uri, record.reply.parent.cid, root.uri, root.cid)
    document = read(record.text, record.facets)
    answers_us = parent is not None and parent.uri.startswith(f"at://{own_did}/")
    return MessageReceived(
        account=account,
        id=post.uri,
        ref=post.ref,
        conversation=ConversationId(f"{post.root_uri} {post.root_cid}"),
        kind=Kind.REPLY if notification.reason == "reply" else Kind.MENTION,
        author=notification.author.identity,
        document=document,
        at=aware(notification.indexed_at),
        addressed=answers_us or _mentions(document, own_did),
        in_reply_to=parent.ref if parent else None,
    )


def received_direct(message: Message, convo: Convo, account: AccountId, own_did: str) -> MessageReceived:
    """A direct message as an event. In a group chat only who is called by name is addressed."""
    document = read(message.text, message.facets)
    author = next((m.identity for m in convo.members if m.did == message.sender.did), None)
    return MessageReceived(
        account=account,
        id=message.id,
        ref=DirectMessage(convo.id, message.id).ref,
        conversation=direct_conversation(convo.id),
        kind=Kind.GROUP if convo.is_group else Kind.DIRECT,
        author=author or Identity(NAME, message.sender.did),
        document=document,
        at=aware(message.sent_at),
        private=True,
        addressed=not convo.is_group or _mentions(document, own_did),
    )


def _mentions(document: Document, did: str) -> bool:
    return any(isinstance(span, Mention) and span.id == did for span in spans(document))


def aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def record_key(uri: str) -> str:
    return uri.rpartition("/")[2]


def read(text: str, facets: Any = None) -> Document:
    """Text with facets as a Document. Facets that overlap, lie outside or cut a character are left out."""
    data = text.encode(errors="replace")
    flat: list[Span] = []
    position = 0
    for begin, end, feature in _sound(facets, len(data)):
        try:
            before, words = data[position:begin].decode(), data[begin:end].decode()
        except UnicodeDecodeError:
            continue
        span = _span(feature, words) if begin >= position else None
        if span is not None:
            flat += [Text(before)] if before else []
            flat.append(span)
            position = end
    rest = data[position:].decode()
    return Document(_paragraphs([*flat, Text(rest)] if rest else flat))


class _Index(Struct, rename="camel"):
    byte_start: int
    byte_end: int


class _Facet(Struct):
    index: _Index
    features: list[dict[str, Any]]


def _sound(facets: Any, size_bytes: int) -> list[tuple[int, int, dict[str, Any]]]:
    """The facets that can be read, in order of the text."""
    found = []
    for raw in facets[:_FACETS_READ] if isinstance(facets, list) else ():
        try:
            facet = convert(raw, _Facet)
        except ValueError:
            continue
        index = facet.index
        if 0 <= index.byte_start < index.byte_end <= size_bytes:
            found += [(index.byte_start, index.byte_end, feature) for feature in facet.features[:1]]
    return sorted(found, key=lambda item: item[:2])


def _span(feature: dict[str, Any], words: str) -> Span | None:
    flat = " ".join(words.split())
    match feature:
        case {"$type": "app.bsky.richtext.facet#mention", "did": str(did)} if flat:
            return Mention(NAME, did, flat.removeprefix("@"))
        case {"$type": "app.bsky.richtext.facet#link", "uri": str(url)} if flat:
            return Link(url) if flat == url else Link(url, flat)
    return None


def _paragraphs(flat: list[Span]) -> tuple[Paragraph, ...]:
    paragraphs: list[list[Span]] = [[]]
    for span in flat:
        if not isinstance(span, Text):
            paragraphs[-1].append(span)
            continue
        for number, block in enumerate(_BLANK_LINES.split(span.text.replace("\r\n", "\n"))):
            if number:
                paragraphs.append([])
            if block:
                paragraphs[-1].append(Text(block))
    return tuple(tuple(paragraph) for paragraph in paragraphs if paragraph)

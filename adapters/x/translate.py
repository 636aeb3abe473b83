"""X's words and ours: what the API tells becomes events, a document becomes a text. Pure.

A message's ref is a post's id, or ``dm/`` and an event's id. A conversation is the id of a thread's first post, or
``dm/`` and a dm_conversation_id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.model.content import Document, Link, Mention, Span, Text, spelled, written
from gateway.model.events import Kind, MessageEdited, MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef

T = TypeVar("T")
PLATFORM = "x"
DIRECT = "dm/"
ENTITIES_MAX = 100
_ID = re.compile(r"[0-9]{1,19}")
_WEB = re.compile(r"https?://\S+", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_CALL = re.compile(r"(?<![A-Za-z0-9_])[@\uff20]")
"""Behind any other character X takes it for a call: twitter-text, validMentionPrecedingChars."""
_REFUSED_CHARACTERS = {0xFFFE: None, 0xFEFF: None, 0xFFFF: None}

Id = Annotated[str, Meta(pattern=r"^[0-9]{1,19}$")]
Stamp = Annotated[datetime, Meta(tz=True)]


class Address(Struct):
    """A t.co link in a text; with a ``media_key`` it stands for the post's own pictures."""

    url: str
    expanded_url: str = ""
    media_key: str | None = None


class Name(Struct):
    username: str
    id: str = ""


class Entities(Struct):
    urls: list[Address] = []
    mentions: list[Name] = []


class Long(Struct):
    """The whole text of a post above 280."""

    text: str
    entities: Entities = msgspec.field(default_factory=Entities)


class Attached(Struct):
    media_keys: list[str] = []


class Reference(Struct):
    type: str
    id: str


class Post(Struct):
    id: Id
    text: str
    author_id: Id
    created_at: Stamp
    conversation_id: Id | None = None
    in_reply_to_user_id: str | None = None
    referenced_tweets: list[Reference] = []
    entities: Entities = msgspec.field(default_factory=Entities)
    attachments: Attached = msgspec.field(default_factory=Attached)
    edit_history_tweet_ids: list[Id] = []
    note_tweet: Long | None = None

    @property
    def replied_to(self) -> str | None:
        return next((r.id for r in self.referenced_tweets if r.type == "replied_to" and _ID.fullmatch(r.id)), None)


class DirectEvent(Struct):
    id: Id
    sender_id: Id
    dm_conversation_id: Annotated[str, Meta(pattern=r"^[0-9]{1,19}(-[0-9]{1,19})?$")]
    created_at: Stamp
    text: str = ""
    entities: Entities = msgspec.field(default_factory=Entities)
    attachments: Attached = msgspec.field(default_factory=Attached)


class User(Struct):
    id: Id
    username: str = ""
    name: str = ""


class Includes(Struct):
    users: list[Raw] = []


class PageMeta(Struct):
    next_token: str | None = None


class Page(Struct):
    """One answer of a list. Its items are decoded one by one, so that a broken one harms no other."""

    data: list[Raw] = []
    errors: list[Raw] = []
    includes: Includes = msgspec.field(default_factory=Includes)
    meta: PageMeta = msgspec.field(default_factory=PageMeta)

    @property
    def people(self) -> dict[str, User]:
        users = (attempt(raw, User) for raw in self.includes.users)
        return {user.id: user for user in users if user is not None}


def ref(item: Post | DirectEvent) -> MessageRef:
    return MessageRef(DIRECT + item.id if isinstance(item, DirectEvent) else item.id)


def attempt(raw: Raw, kind: type[T]) -> T | None:
    """The item, or None when it isn't one."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError):
        return None


# From X.


def mention(
    post: Post, people: Mapping[str, User], me: str, account: AccountId, seen: int
) -> MessageReceived | MessageEdited:
    """A post that calls the account. ``seen`` is the newest id that was handled: an edit of something older than
    that is an edit, of something younger it is all there is to know.
    """
    told = post.note_tweet or post
    document = read(told.text, told.entities)
    conversation = ConversationId(post.conversation_id or post.id)
    author = _identity(post.author_id, people)
    first = min((int(i) for i in post.edit_history_tweet_ids), default=int(post.id))
    if first <= seen and first != int(post.id):
        ref = MessageRef(str(first))
        return MessageEdited(account, post.id, ref, conversation, author, document, post.created_at)
    return MessageReceived(
        account,
        post.id,
        MessageRef(post.id),
        conversation,
        Kind.REPLY if post.in_reply_to_user_id == me else Kind.MENTION,
        author,
        document,
        post.created_at,
        in_reply_to=MessageRef(post.replied_to) if post.replied_to else None,
    )


def direct(event: DirectEvent, people: Mapping[str, User], account: AccountId, handle: str) -> MessageReceived:
    """A direct message. In a group the account is spoken to where it is named."""
    group = "-" not in event.dm_conversation_id
    return MessageReceived(
        account,
        event.id,
        MessageRef(DIRECT + event.id),
        ConversationId(DIRECT + event.dm_conversation_id),
        Kind.GROUP if group else Kind.DIRECT,
        _identity(event.sender_id, people),
        read(event.text, event.entities),
        event.created_at,
        private=True,
        addressed=not group or f"@{handle}".casefold() in event.text.casefold(),
    )


def _identity(user_id: str, people: Mapping[str, User]) -> Identity:
    user = people.get(user_id)
    return Identity(PLATFORM, user_id, user.username, user.name) if user else Identity(PLATFORM, user_id)


def read(text: str, entities: Entities) -> Document:
    """X's text as paragraphs: t.co back to what it stands for, names as mentions, escapes undone."""
    marks: dict[str, Span | None] = {}
    for address in entities.urls[:ENTITIES_MAX]:
        known = _WEB.fullmatch(address.expanded_url)
        marks[address.url] = None if address.media_key else Link(address.expanded_url if known else address.url)
    for name in entities.mentions[:ENTITIES_MAX]:
        marks[f"@{name.username}".casefold()] = Mention(PLATFORM, name.id, name.username)
    longest_first = sorted(filter(None, marks), key=len, reverse=True)
    pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})(?!\\w)", re.IGNORECASE) if marks else None
    blocks = _BLANK_LINES.split(text.replace("\r\n", "\n"))
    paragraphs = (tuple(_spans(block.strip(), pattern, marks)) for block in blocks)
    return Document(tuple(paragraph for paragraph in paragraphs if paragraph))


def _spans(text: str, pattern: re.Pattern[str] | None, marks: Mapping[str, Span | None]) -> list[Span]:
    spans: list[Span] = []
    pieces = pattern.split(text) if pattern else [text]
    for position, piece in enumerate(pieces):
        if position % 2:
            span = marks.get(piece, marks.get(piece.casefold()))
            spans += [span] if span is not None else []
        elif piece:
            spans.append(Text(unescape(piece)))
    if spans and isinstance(last := spans[-1], Text):
        spans[-1:] = [Text(last.text.rstrip())] if last.text.strip() else []
    return spans


def unescape(text: str) -> str:
    """X escapes these three, and no others."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


# To X.


def write(document: Document) -> str:
    """Plain text as X wants it: no markup, and without the characters it refuses."""
    return written(document, spell).translate(_REFUSED_CHARACTERS).strip()


def spell(span: Span) -> str:
    """A span in X's spelling. Only people of X are called; others are named, so that no stranger hears it."""
    if not isinstance(span, Mention):
        return spelled(span)
    if span.platform == PLATFORM and span.handle:
        return f"@{span.handle}"
    return _CALL.sub("", span.name or span.handle)

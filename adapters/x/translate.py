"""X's words and ours: what the API tells becomes events, a document becomes a text. Pure.

A message's ref is a post's id, or ``dm/`` and an event's id. A conversation is the id of a thread's first post, or
``dm/`` and a dm_conversation_id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import count
from typing import Annotated, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Meta, Raw, Struct, structs

from adapters.x.profile import PROFILE
from adapters.x.shown import Asked, Shown
from gateway.model.content import Document, Link, Mention, Quote, Span, Text, is_address, plain, spelled, written
from gateway.model.events import Kind, MessageEdited, MessageReceived, Reposted
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef
from gateway.model.media import Attachment

T = TypeVar("T")
PLATFORM = "x"
DIRECT = "dm/"
ENTITIES_MAX = 100
ATTACHMENTS_MAX = 10
_ID = re.compile(r"[0-9]{1,19}")
_WEB = re.compile(r"https?://\S+", re.IGNORECASE)
_ADDRESS = re.compile(PROFILE.address)
_TAKEN = "!*';:=+,.$/%#[]_~@|&-?()"
_STATUS = re.compile(r"https?://(?:\w+\.)?(?:x|twitter)\.com/\w+/status/([0-9]{1,19})\b", re.IGNORECASE)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_NO_LANGUAGES = frozenset({"und", "zxx", "art", "qam", "qct", "qht", "qme", "qst"})
"""What X says where it found none: names, links, media alone, hashtags and the like."""
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_CALL = re.compile(r"(?<![A-Za-z0-9_])[@\uff20]")
"""Behind any other character X takes it for a call: twitter-text, validMentionPrecedingChars."""
_CASHTAG = re.compile(
    r"(?<![^\s\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])\$(?=[a-z]{1,6}(?:[._][a-z]{1,2})?(?![\w$]))", re.IGNORECASE
)
"""The sign of one: twitter-text, validCashtag."""
JOINER = "\u2060"
"""Nobody sees it, and no cashtag goes across it."""
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
    poll_ids: list[str] = []


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
    lang: str = ""
    possibly_sensitive: bool = False
    raw: str = ""
    """Set by who received it: the payload itself."""

    @property
    def replied_to(self) -> str | None:
        return self._referenced("replied_to")

    @property
    def quoted(self) -> str | None:
        return self._referenced("quoted")

    @property
    def retweeted(self) -> str | None:
        return self._referenced("retweeted")

    def _referenced(self, how: str) -> str | None:
        return next((r.id for r in self.referenced_tweets if r.type == how and _ID.fullmatch(r.id)), None)


class DirectEvent(Struct):
    id: Id
    sender_id: Id
    dm_conversation_id: Annotated[str, Meta(pattern=r"^[0-9]{1,19}(-[0-9]{1,19})?$")]
    created_at: Stamp
    text: str = ""
    entities: Entities = msgspec.field(default_factory=Entities)
    attachments: Attached = msgspec.field(default_factory=Attached)
    raw: str = ""
    """Set by who received it: the payload itself."""


class User(Struct):
    id: Id
    username: str = ""
    name: str = ""


class Includes(Struct):
    users: list[Raw] = []
    media: list[Raw] = []
    polls: list[Raw] = []
    tweets: list[Raw] = []


class Around(Struct):
    """What a page says besides its items: the people, media, polls and posts these speak of."""

    people: dict[str, User] = {}
    media: dict[str, Shown] = {}
    polls: dict[str, Asked] = {}
    posts: dict[str, Post] = {}


class PageMeta(Struct):
    next_token: str | None = None


class Page(Struct):
    """One answer of a list. Its items are decoded one by one, so that a broken one harms no other."""

    data: list[Raw] = []
    errors: list[Raw] = []
    includes: Includes = msgspec.field(default_factory=Includes)
    meta: PageMeta = msgspec.field(default_factory=PageMeta)

    @property
    def around(self) -> Around:
        told = self.includes
        return Around(
            {user.id: user for user in _whole(told.users, User)},
            {media.media_key: media for media in _whole(told.media, Shown)},
            {poll.id: poll for poll in _whole(told.polls, Asked)},
            {post.id: post for post in _whole(told.tweets, Post)},
        )


def _whole(items: list[Raw], kind: type[T]) -> Iterator[T]:
    """Those of them that can be read."""
    return (item for raw in items if (item := attempt(raw, kind)) is not None)


def ref(item: Post | DirectEvent) -> MessageRef:
    return MessageRef(DIRECT + item.id if isinstance(item, DirectEvent) else item.id)


def attempt(raw: Raw, kind: type[T]) -> T | None:
    """The item, or None when it isn't one."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (ValueError, RecursionError):  # bytes that are no text are no DecodeError
        return None


# From X.


def mention(
    post: Post, around: Around, me: str, account: AccountId, first: int
) -> MessageReceived | MessageEdited | Reposted:
    """A post that calls the account. ``first`` is the id of the version of it that came as a message, 0 where none
    did: then a later one is all there is to know.
    """
    conversation = ConversationId(post.conversation_id or post.id)
    author = _identity(post.author_id, around.people)
    if post.retweeted:
        shown = MessageRef(post.retweeted)
        return Reposted(account, post.id, shown, ConversationId(shown), author, post.created_at)
    document = _document(post, around)
    attached = attachments(post, around.media)
    if first:
        ref = MessageRef(str(first))
        return MessageEdited(
            account, post.id, ref, conversation, author, document, post.created_at, attachments=attached, raw=post.raw
        )
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
        thread_root=MessageRef(conversation) if conversation != post.id else None,
        attachments=attached,
        url=f"https://x.com/{author.handle or 'i'}/status/{post.id}",
        raw=post.raw,
    )


def _document(post: Post, around: Around) -> Document:
    told = post.note_tweet or post
    language = post.lang if _LANGUAGE.fullmatch(post.lang) and post.lang not in _NO_LANGUAGES else None
    asked = next((around.polls[key] for key in post.attachments.poll_ids if key in around.polls), None)
    return structs.replace(
        read(told.text, told.entities, post.quoted or ""),
        language=language,
        sensitive=post.possibly_sensitive,
        poll=asked.poll if asked else None,
        quote=_quote(post.quoted, around) if post.quoted else None,
    )


def _quote(ref: str, around: Around) -> Quote:
    post = around.posts.get(ref)
    if post is None:
        return Quote(PLATFORM, MessageRef(ref), f"https://x.com/i/status/{ref}")
    author = _identity(post.author_id, around.people)
    told = post.note_tweet or post
    url = f"https://x.com/{author.handle or 'i'}/status/{ref}"
    return Quote(PLATFORM, MessageRef(ref), url, author, plain(read(told.text, told.entities)))


def direct(event: DirectEvent, around: Around, account: AccountId, handle: str) -> MessageReceived:
    """A direct message. In a group the account is spoken to where it is named."""
    group = "-" not in event.dm_conversation_id
    return MessageReceived(
        account,
        event.id,
        MessageRef(DIRECT + event.id),
        ConversationId(DIRECT + event.dm_conversation_id),
        Kind.GROUP if group else Kind.DIRECT,
        _identity(event.sender_id, around.people),
        read(event.text, event.entities),
        event.created_at,
        private=True,
        addressed=not group or f"@{handle}".casefold() in event.text.casefold(),
        attachments=attachments(event, around.media),
        raw=event.raw,
    )


def _identity(user_id: str, people: Mapping[str, User]) -> Identity:
    user = people.get(user_id)
    return Identity(PLATFORM, user_id, user.username, user.name) if user else Identity(PLATFORM, user_id)


def attachments(item: Post | DirectEvent, media: Mapping[str, Shown]) -> tuple[Attachment, ...]:
    keys = item.attachments.media_keys[:ATTACHMENTS_MAX]
    found = (media[key].attachment for key in keys if key in media)
    return tuple(attachment for attachment in found if attachment is not None)


def read(text: str, entities: Entities, quoted: str = "") -> Document:
    """X's text as paragraphs: t.co back to what it stands for, names as mentions, escapes undone. The addresses that X
    adds for media and for the ``quoted`` post are none of the author's words.
    """
    marks: dict[str, Span | None] = {}
    for address in entities.urls[:ENTITIES_MAX]:
        known = _WEB.fullmatch(address.expanded_url)
        shown = address.media_key or (quoted and points_to(address.expanded_url, quoted))
        marks[address.url] = None if shown else Link(address.expanded_url if known else address.url)
    for name in entities.mentions[:ENTITIES_MAX]:
        marks[f"@{name.username}".casefold()] = Mention(PLATFORM, name.id, name.username)
    longest_first = sorted(filter(None, marks), key=len, reverse=True)
    known_ones = "|".join(map(re.escape, longest_first))
    pattern = re.compile(f"({known_ones})(?![A-Za-z0-9_])", re.IGNORECASE) if marks else None
    blocks = _BLANK_LINES.split(text.replace("\r\n", "\n"))
    paragraphs = (tuple(_spans(block.strip(), pattern, marks)) for block in blocks)
    return Document(tuple(paragraph for paragraph in paragraphs if paragraph))


def points_to(url: str, post: str) -> bool:
    found = _STATUS.match(url)
    return found is not None and found.group(1) == post


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
    """Plain text as X wants it: no markup, without the characters it refuses, and with one cashtag."""
    text = written(document, spell)
    text = (text if text.isascii() else text.translate(_REFUSED_CHARACTERS)).strip()
    return _one_cashtag(text) if text.count("$") > 1 else text


def _one_cashtag(text: str) -> str:
    """Apps without an Enterprise plan post one (manage-tweets/integrate.mdx); others read the same, and are none."""
    before = count()
    return _CASHTAG.sub(lambda _: f"${JOINER}" if next(before) else "$", text)


def spell(span: Span) -> str:
    """A span in X's spelling. Only people of X are called; others are named, so that no stranger hears it."""
    if isinstance(span, Text):
        return span.text
    if isinstance(span, Link):
        return _linked(span)
    if span.platform == PLATFORM and span.handle:
        return f"@{span.handle}"
    return _CALL.sub("", span.name or span.handle)


@lru_cache(512)  # a document is spelled many times while it is cut
def _linked(link: Link) -> str:
    text = None if link.text and is_address(link.text, link.url) else link.text
    return spelled(Link(_encoded(link.url), text))


def _encoded(url: str) -> str:
    """An address with what X would end it before percent-encoded: twitter-text takes no script in a path but Latin and
    Cyrillic, and in a query ASCII alone.
    """
    found = _ADDRESS.match(url)
    if found is None or found.end() == len(url):
        return url
    begin = url.find("/", url.find("://") + 3)
    return url if begin < 0 else url[:begin] + quote(url[begin:], safe=_TAKEN, errors="replace")

"""What notifications tell, as events, without any I/O. All of it is somebody else's data. Direct messages are in
directs.py.

A file of its own because translate.py would be too long with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, convert, json, structs

from adapters.bluesky.profile import NAME
from adapters.bluesky.translate import Post, aware, is_web, page_of, read
from gateway.model.content import Document, Link, Mention, Quote, spans
from gateway.model.events import RAW_MAX, Kind, MessageReceived, Reacted, Reposted
from gateway.model.identity import Identity
from gateway.model.ids import AccountId
from gateway.model.media import Attachment

SAID = ("mention", "reply", "quote")
MARKED = ("like", "repost")

LIKE = "❤️"
_MEDIA_READ = 20
_ALT_MAX = 10_000
_TITLE_MAX = 300
_POST_URI = re.compile(r"at://did:[a-z]+:[\w.:%-]+/app\.bsky\.feed\.post/[\w.~:-]+", re.ASCII)
_URI_MAX = 2600
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_HIDING = frozenset({"porn", "sexual", "nudity", "graphic-media", "gore", "nsfl", "!warn"})

Name = Annotated[str, Meta(min_length=1, max_length=2600, pattern=r"^\S+$")]
Words = Annotated[str, Meta(max_length=40_000)]


class _StrongRef(Struct):
    uri: Name
    cid: Name


class _Reply(Struct):
    root: _StrongRef
    parent: _StrongRef


class Record(Struct):
    """A post, a like or a repost."""

    text: Words = ""
    facets: Any = None
    reply: _Reply | None = None
    subject: _StrongRef | None = None
    embed: Any = None
    langs: Any = None
    labels: Any = None


class Author(Struct, rename="camel"):
    did: Name
    handle: Words = ""
    display_name: Words | None = None

    @property
    def identity(self) -> Identity:
        return Identity(NAME, self.did, self.handle, self.display_name or "")


class Notification(Struct, rename="camel"):
    """One item of listNotifications, checked as far as it is used."""

    uri: Name
    cid: Name
    author: Author
    reason: str
    record: Record
    indexed_at: datetime
    labels: Any = None


class View(Struct):
    """Somebody's post as the index shows it."""

    uri: Name
    cid: Name
    author: Author
    record: Record

    @property
    def post(self) -> Post:
        root = self.record.reply.root if self.record.reply else self
        return Post(self.uri, self.cid, root.uri, root.cid)


Views = Mapping[str, View]
"""By address; what isn't there is unknown."""


class Here(Struct, frozen=True):
    """Whose events these are. ``public``: records have pages at bsky.app."""

    account: AccountId
    did: str
    public: bool

    def page(self, uri: str) -> str:
        return page_of(uri) if self.public else ""


def received(notification: Notification, here: Here, views: Views, raw: str = "") -> MessageReceived:
    """A mention, a reply or a quote as an event. ``views`` are of the posts it quotes, ``raw`` is of :func:`kept`."""
    record = notification.record
    post, parent, root = _places(notification.uri, notification.cid, record.reply)
    document = document_of(record, views, here)
    hidden = document.sensitive or _hides(notification.labels)
    answers_us = parent is not None and parent.uri.startswith(f"at://{here.did}/")
    return MessageReceived(
        account=here.account,
        id=post.uri,
        ref=post.ref,
        conversation=post.conversation,
        kind=Kind.REPLY if notification.reason == "reply" else Kind.MENTION,
        author=notification.author.identity,
        document=structs.replace(document, sensitive=hidden),
        at=aware(notification.indexed_at),
        addressed=answers_us or calls(document, here.did),
        in_reply_to=parent.ref if parent else None,
        thread_root=root.ref if root else None,
        attachments=tuple(_attachments(record.embed, notification.author.did, hidden=hidden)),
        url=here.page(post.uri),
        raw=raw,
    )


def _places(uri: str, cid: str, reply: _Reply | None) -> tuple[Post, Post | None, Post | None]:
    """A post, the one it answers, and the one its thread began with."""
    if reply is None:
        return Post(uri, cid, uri, cid), None, None
    root = Post(reply.root.uri, reply.root.cid, reply.root.uri, reply.root.cid)
    parent = Post(reply.parent.uri, reply.parent.cid, root.uri, root.cid)
    return Post(uri, cid, root.uri, root.cid), parent, root


def marked(notification: Notification, here: Here, views: Views) -> Reacted | Reposted | None:
    """A like or a repost as an event. ``views`` tell in which thread the post stands."""
    subject = notification.record.subject
    if subject is None or not subject.uri.startswith(f"at://{here.did}/app.bsky.feed.post/"):
        return None
    view = views.get(subject.uri)
    post = view.post if view else Post(subject.uri, subject.cid, subject.uri, subject.cid)
    author, at = notification.author.identity, aware(notification.indexed_at)
    if notification.reason == "like":
        return Reacted(here.account, notification.uri, post.ref, post.conversation, author, LIKE, at)
    return Reposted(here.account, notification.uri, post.ref, post.conversation, author, at)


def wanted(raw: Any) -> str:
    """The post that a notification's event names and only the index knows more of: the one it quotes or is about."""
    match raw:
        case {"reason": "like" | "repost", "record": {"subject": {"uri": str(uri)}}}:
            pass
        case {"record": {"embed": dict(embed)}}:
            uri = _quoted_ref(embed).get("uri", "")
        case _:
            return ""
    return uri if len(uri) <= _URI_MAX and _POST_URI.fullmatch(uri) else ""


def kept(raw: Any) -> str:
    """The payload as JSON, for the operator; nothing of one that is too long. ValueError for one that can't be kept:
    JSON may hold half a character.
    """
    text = json.encode(raw).decode()
    return text if len(text) <= RAW_MAX else ""


def calls(document: Document, did: str) -> bool:
    return any(isinstance(span, Mention) and span.id == did for span in spans(document))


# What a record shows besides its words.


def document_of(record: Record, views: Views, here: Here) -> Document:
    said = read(record.text, record.facets)
    card = _card(record.embed)
    if card and all(span.url != card.url for span in spans(said) if isinstance(span, Link)):
        said = structs.replace(said, paragraphs=(*said.paragraphs, (card,)))
    return structs.replace(
        said,
        language=_language(record.langs),
        sensitive=_hides(record.labels.get("values") if isinstance(record.labels, dict) else None),
        quote=_quote(record.embed, here, views),
    )


def _language(langs: Any) -> str | None:
    match langs:
        case [str(first), *_] if _LANGUAGE.fullmatch(first):
            return first
    return None


def _hides(labels: Any) -> bool:
    """Whether labels, the author's or a moderator's, say that media are to be hidden."""
    found = labels[:_MEDIA_READ] if isinstance(labels, list) else []
    return any(isinstance(label, dict) and _says_hide(label.get("val")) and not label.get("neg") for label in found)


def _says_hide(value: Any) -> bool:
    return isinstance(value, str) and value in _HIDING


def _card(embed: Any) -> Link | None:
    match _media_of(embed):
        case {"$type": "app.bsky.embed.external", "external": {"uri": str(url), **more}} if is_web(url):
            title = " ".join(str(more.get("title") or "").split())[:_TITLE_MAX]
            return Link(url, title or None)
    return None


def _media_of(embed: Any) -> Any:
    match embed:
        case {"$type": "app.bsky.embed.recordWithMedia", "media": dict(media)}:
            return media
    return embed


def _quoted_ref(embed: Any) -> dict[str, str]:
    match embed:
        case {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": {"uri": str(uri), "cid": str(cid)}}}:
            return {"uri": uri, "cid": cid}
        case {"$type": "app.bsky.embed.record", "record": {"uri": str(uri), "cid": str(cid)}}:
            return {"uri": uri, "cid": cid}
    return {}


def _quote(embed: Any, here: Here, views: Views) -> Quote | None:
    try:
        told = convert(_quoted_ref(embed), _StrongRef)
    except ValueError:
        return None
    view = views.get(told.uri)
    if view is None:
        return Quote(NAME, Post(told.uri, told.cid, told.uri, told.cid).ref, here.page(told.uri))
    return Quote(NAME, view.post.ref, here.page(told.uri), view.author.identity, view.record.text)


def _attachments(embed: Any, did: str, *, hidden: bool) -> Iterator[Attachment]:
    match _media_of(embed):
        case {"$type": "app.bsky.embed.images", "images": list(items)}:
            found = [(item, "image") for item in items]
        case {"$type": "app.bsky.embed.gallery", "items": list(items)}:
            found = [(item, "image") for item in items]
        case {"$type": "app.bsky.embed.video"} as item:
            found = [(item, "video")]
        case _:
            found = []
    for item, name in found[:_MEDIA_READ]:
        try:
            shown = convert({**item, "blob": item.get(name)} if isinstance(item, dict) else item, _Item)
        except ValueError:
            continue
        yield shown.attachment(did, hidden=hidden)


class _Size(Struct):
    width: Annotated[int, Meta(ge=1, le=100_000)]
    height: Annotated[int, Meta(ge=1, le=100_000)]


class _Cid(Struct, rename={"link": "$link"}):
    link: Annotated[str, Meta(pattern=r"^[a-z0-9]{8,128}$")]


class _Blob(Struct, rename={"mime": "mimeType"}):
    ref: _Cid
    mime: Annotated[str, Meta(max_length=100)] = ""
    size: Annotated[int, Meta(ge=0)] | None = None


class _Item(Struct, rename="camel"):
    """A picture or a film."""

    blob: _Blob
    alt: Any = None
    aspect_ratio: Any = None

    def attachment(self, did: str, *, hidden: bool) -> Attachment:
        try:
            size = convert(self.aspect_ratio, _Size)
        except ValueError:
            size = None
        return Attachment(
            f"{did} {self.blob.ref.link}",
            self.blob.mime,
            self.blob.size,
            self.alt[:_ALT_MAX] if isinstance(self.alt, str) else "",
            width_px=size.width if size else None,
            height_px=size.height if size else None,
            sensitive=hidden,
        )

"""Bluesky's words and ours, without any I/O: references, and text with facets both ways. Plans are in parts.py, what
people do in events.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate, islice
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import regex
from msgspec import Struct, convert

from adapters.bluesky.profile import NAME
from gateway.model.content import (
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Mention,
    Paragraph,
    Span,
    Text,
    layout,
    spelled,
    written,
)
from gateway.model.ids import ConversationId, MessageRef
from gateway.text.measure import graphemes

CHAT = {"atproto-proxy": "did:web:api.bsky.chat#bsky_chat"}
"""The header that sends a call on to the chat service."""

TAG_GRAPHEMES, TAG_BYTES = 64, 640  # lexicon app/bsky/richtext/facet.json
_FACETS_READ, _FEATURES_READ = 200, 5
_URL_MAX = 8000
_FACET = "app.bsky.richtext.facet"

_BLANK_LINES = regex.compile(r"\n(?:[^\S\n]*+\n)++")
_URI = regex.compile(r"[a-z][a-z0-9+.-]*+:(?://)?[^\s/]\S*+", regex.IGNORECASE)  # what the lexicon takes for a `uri`
_WEB = regex.compile(r"https?://\S++", regex.IGNORECASE)
_HOST = regex.compile(r"[\p{L}\p{M}\p{N}_.-]++(?::\d++)?|\[[0-9a-f:.]++\](?::\d++)?")
_SCHEME = regex.compile(r"https?://", regex.IGNORECASE)
_CHARACTER = regex.compile(r"\X")

# As the app finds them in what is typed: packages/api/src/rich-text/util.ts (2026-08).
_HIDDEN = r"\u00AD\u2060\u200A\u200B\u200C\u200D\u20E2"
_TAG = regex.compile(
    rf"(?:^|(?<=\s))[#＃]((?!\uFE0F)[^\s{_HIDDEN}]*[^0-9\s\p{{P}}{_HIDDEN}]+[^\s{_HIDDEN}]*)"  # noqa: RUF001 - meant
)
_TAG_TAIL = regex.compile(r"\p{P}++$")
_CUT = regex.compile(r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]")
_CASHTAG = regex.compile(r"(?:^|(?<=[\s(]))\$([A-Za-z][A-Za-z0-9]{0,4})(?=\s|$|[.,;:!?)\"'\u2019])")


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
    def conversation(self) -> ConversationId:
        return ConversationId(f"{self.root_uri} {self.root_cid}")

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


_PAGES = {"app.bsky.feed.post": "post", "app.bsky.feed.generator": "feed", "app.bsky.graph.list": "lists"}


def page_of(uri: str) -> str:
    """Where Bluesky's app shows a record, or nothing."""
    did, collection, key = (*uri.removeprefix("at://").split("/"), "", "")[:3]
    place = _PAGES.get(collection)
    return f"https://bsky.app/profile/{did}/{place}/{key}" if place and key else ""


def aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def record_key(uri: str) -> str:
    return uri.rpartition("/")[2]


# Out: a document becomes text with facets.


def text_of(document: Document) -> str:
    """What a reader sees of it."""
    return written(document, spell)


def render(document: Document) -> tuple[str, list[dict[str, Any]]]:
    """The text of a document, with its links, mentions and hashtags as facets: their places are in UTF-8 bytes."""
    pieces: list[str] = []
    found: list[tuple[int, int, dict[str, str]]] = []
    closed: list[tuple[int, int]] = []
    end = 0
    for piece in layout(document):
        words = spell(piece.span) if piece.span else piece.text
        begin, end = end, end + len(words)
        pieces.append(words)
        if piece.span is None or _is_open(piece.span, piece.block):
            continue
        closed.append((begin, end))
        if words and (feature := _feature(piece.span)):
            found.append((begin, end, feature))
    text = "".join(pieces)
    found += [(b, e, tag) for b, e, tag in _tags(text) if not any(b < to and since < e for since, to in closed)]
    return text, _facets(text, sorted(found, key=lambda item: item[0]))


def _is_open(span: Span, block: Block) -> bool:
    """Whether a hashtag may be meant there: not in links, mentions and code."""
    return isinstance(span, Text) and block.kind is not BlockKind.CODE and Mark.CODE not in span.marks


def _facets(text: str, found: list[tuple[int, int, dict[str, str]]]) -> list[dict[str, Any]]:
    if not found:
        return []
    sizes = (1 if character < "\x80" else len(character.encode()) for character in text)
    places = range(len(text) + 1) if text.isascii() else list(accumulate(sizes, initial=0))
    return [
        {"index": {"byteStart": places[begin], "byteEnd": places[end]}, "features": [feature]}
        for begin, end, feature in found
    ]


def _tags(text: str) -> Iterator[tuple[int, int, dict[str, str]]]:
    if "#" in text or "＃" in text:  # noqa: RUF001 - the full-width sign is one, too
        for match in _TAG.finditer(text):
            tag = _TAG_TAIL.sub("", match.group(1))
            end = match.start(1) + len(tag)
            if tag and len(tag.encode()) <= TAG_BYTES and graphemes(tag) <= TAG_GRAPHEMES and not _CUT.match(text, end):
                yield match.start(), end, {"$type": f"{_FACET}#tag", "tag": tag}
    if "$" in text:
        for match in _CASHTAG.finditer(text):
            yield *match.span(), {"$type": f"{_FACET}#tag", "tag": match.group().upper()}


def spell(span: Span) -> str:
    """What a reader sees of a span: a link may hide its address, a mention is a handle.

    Who belongs to another platform has no ``@``: a stranger here may have the same handle.
    """
    if isinstance(span, Text):
        return span.text
    match span:
        case Link(url, text) if not _is_target(url):
            return spelled(span)
        case Link(url, text):
            return text if text and text != url else shown(url)
        case Mention(platform, did, handle, name) if platform == NAME:
            return f"@{handle}" if handle else name or f"@{did}"
        case Mention(_, _, handle, name):
            return name or handle


def _feature(span: Span) -> dict[str, str] | None:
    match span:
        case Link(url) if _is_target(url):
            return {"$type": f"{_FACET}#link", "uri": url}
        case Mention(platform, did) if platform == NAME and did.startswith("did:"):
            return {"$type": f"{_FACET}#mention", "did": did}
    return None


@lru_cache(maxsize=512)  # a document is spelled many times while it is cut
def _is_target(url: str) -> bool:
    return len(url) <= _URL_MAX and _URI.fullmatch(url) is not None


@lru_cache(maxsize=512)
def shown(url: str) -> str:
    """A web address as Bluesky's app shows it (social-app ``toShortUrl``): the host and the beginning of the rest.

    Other than there, letters beyond ASCII stay letters.
    """
    host, rest = _parts(url)
    if not host:
        return url
    if len(rest) <= 15:
        return host + rest
    return host + "".join(islice(_CHARACTER.findall(rest[:200]), 13)) + "..."


def _parts(url: str) -> tuple[str, str]:
    """The host and what follows it; no host where that isn't beyond doubt."""
    try:
        parts = urlsplit(url) if _WEB.fullmatch(url) else None
    except ValueError:
        parts = None
    host = parts.netloc.rpartition("@")[2].lower() if parts else ""
    if parts is None or not _HOST.fullmatch(host) or "\\" in parts.netloc:
        return "", ""
    path = "" if parts.path == "/" else parts.path
    return host, path + ("?" + parts.query if parts.query else "") + ("#" + parts.fragment if parts.fragment else "")


def _is_shown(words: str, url: str) -> bool:
    """Whether these words are but this address, whole or cut short at its end, whoever did it."""
    host, rest = _parts(url)
    if not host:
        return words == url
    bare = _SCHEME.sub("", words, count=1)
    begun = bare.removesuffix("...").removesuffix("…")
    if begun.lower() != host and not begun.lower().startswith(host):
        return False
    told = begun[len(host) :]
    return rest.startswith(told) and bool(told) if begun != bare else told.rstrip("/") == rest.rstrip("/")


# In: text with facets becomes a document. Everything here is somebody else's data.


def read(text: str, facets: Any = None) -> Document:
    """Text with facets as a Document. Facets that overlap, lie outside or cut a character are left out."""
    data = text.encode(errors="replace")
    flat: list[Span] = []
    position = 0
    for begin, end, features in _sound(facets, len(data)):
        if begin < position:
            continue
        try:
            before, words = data[position:begin].decode(), data[begin:end].decode()
        except UnicodeDecodeError:
            continue
        span = next((span for each in features if (span := _span(each, words))), None)
        if span is not None:
            flat += [Text(before), span] if before else [span]
            position = end
    rest = data[position:].decode()
    return Document(_paragraphs([*flat, Text(rest)] if rest else flat))


class _Index(Struct, rename="camel"):
    byte_start: int
    byte_end: int


class _Facet(Struct):
    index: _Index
    features: list[dict[str, Any]]


def _sound(facets: Any, size_bytes: int) -> list[tuple[int, int, list[dict[str, Any]]]]:
    """The facets that can be read, in order of the text."""
    found = []
    for raw in facets[:_FACETS_READ] if isinstance(facets, list) else ():
        try:
            facet = convert(raw, _Facet)
        except ValueError:
            continue
        index = facet.index
        if 0 <= index.byte_start < index.byte_end <= size_bytes:
            found.append((index.byte_start, index.byte_end, facet.features[:_FEATURES_READ]))
    return sorted(found, key=lambda item: item[:2])


def _span(feature: dict[str, Any], words: str) -> Span | None:
    """A hashtag is its words."""
    flat = " ".join(words.split())
    match feature:
        case {"$type": "app.bsky.richtext.facet#mention", "did": str(did)} if flat and did.startswith("did:"):
            return Mention(NAME, did[:_URL_MAX], flat.removeprefix("@"))
        case {"$type": "app.bsky.richtext.facet#link", "uri": str(url)} if flat and is_web(url):
            return Link(url) if _is_shown(flat, url) else Link(url, flat)
    return None


def is_web(url: str) -> bool:
    return len(url) <= _URL_MAX and _WEB.fullmatch(url) is not None


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

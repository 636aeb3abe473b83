"""What a Bluesky server's lexicons refuse, in its words (a real PDS, 2026-11). For adapters/sandbox/bluesky.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.sandbox.bluesky_schema import (
    FORMATS,
    BrokenError,
    Check,
    Maybe,
    Shape,
    blob,
    got,
    is_blob,
    no_fractions,
    one_of,
    several,
    text,
    whole,
)

POSTS = "app.bsky.feed.post"
LIKES = "app.bsky.feed.like"
REPOSTS = "app.bsky.feed.repost"
GATES = "app.bsky.feed.threadgate"
QUOTE_GATES = "app.bsky.feed.postgate"

# The lexicons: bluesky-social/atproto lexicons/app/bsky, as @atproto/pds 0.5.35 has them.

_TIME, _AT_URI, _URI = text(form="datetime"), text(form="at-uri"), text(form="uri")
_REF = Shape("com.atproto.repo.strongRef", {"uri": _AT_URI, "cid": text(form="CID string")})
_RATIO = Shape("app.bsky.embed.defs#aspectRatio", {"width": whole(1), "height": whole(1)})
_IMAGE = blob("image/*", 2_000_000)

_SLICE = Shape("app.bsky.richtext.facet#byteSlice", {"byteStart": whole(0), "byteEnd": whole(0)})
_FEATURES = one_of(
    Shape("app.bsky.richtext.facet#mention", {"did": text(form="DID")}),
    Shape("app.bsky.richtext.facet#link", {"uri": _URI}),
    Shape("app.bsky.richtext.facet#tag", {"tag": text(640, 64)}),
)
_FACETS = several(Shape("app.bsky.richtext.facet", {"index": _SLICE, "features": several(_FEATURES)}))

_PICTURE = Shape("app.bsky.embed.images#image", {"image": _IMAGE, "alt": text(), "aspectRatio": Maybe(_RATIO)})
_IMAGES = Shape("app.bsky.embed.images", {"images": several(_PICTURE, 4)})
_SHOWN = Shape("app.bsky.embed.gallery#image", {"image": _IMAGE, "alt": text(), "aspectRatio": _RATIO})
_GALLERY = Shape("app.bsky.embed.gallery", {"items": several(one_of(_SHOWN), 20)})
_CAPTION = Shape("app.bsky.embed.video#caption", {"lang": text(form="language"), "file": blob("text/vtt", 20_000)})
_VIDEO = Shape(
    "app.bsky.embed.video",
    {
        "video": blob("video/mp4", 300_000_000),
        "captions": Maybe(several(_CAPTION, 20)),
        "alt": Maybe(text()),
        "aspectRatio": Maybe(_RATIO),
        "presentation": Maybe(text()),
    },
)
_CARD = Shape(
    "app.bsky.embed.external#external",
    {
        "uri": _URI,
        "title": text(),
        "description": text(),
        "thumb": Maybe(blob("image/*", 1_000_000)),
        "associatedRefs": Maybe(several(_REF)),
    },
)
_EXTERNAL = Shape("app.bsky.embed.external", {"external": _CARD})
_RECORD = Shape("app.bsky.embed.record", {"record": _REF})
_WITH_MEDIA = Shape(
    "app.bsky.embed.recordWithMedia", {"record": _RECORD, "media": one_of(_IMAGES, _VIDEO, _GALLERY, _EXTERNAL)}
)
_LABEL = Shape("com.atproto.label.defs#selfLabel", {"val": text(128)})
_LABELS = Shape("com.atproto.label.defs#selfLabels", {"values": several(_LABEL, 10)})
_MARK: dict[str, Check | Maybe] = {"subject": _REF, "createdAt": _TIME, "via": Maybe(_REF)}

_RECORDS = {
    POSTS: Shape(
        POSTS,
        {
            "text": text(3000, 300),
            "facets": Maybe(_FACETS),
            "reply": Maybe(Shape(f"{POSTS}#replyRef", {"root": _REF, "parent": _REF})),
            "embed": Maybe(one_of(_IMAGES, _VIDEO, _GALLERY, _EXTERNAL, _RECORD, _WITH_MEDIA)),
            "langs": Maybe(several(text(form="language"), 3)),
            "labels": Maybe(one_of(_LABELS)),
            "tags": Maybe(several(text(640, 64), 8)),
            "createdAt": _TIME,
        },
    ),
    LIKES: Shape(LIKES, _MARK),
    REPOSTS: Shape(REPOSTS, _MARK),
    GATES: Shape(
        GATES,
        {
            "post": _AT_URI,
            "allow": Maybe(several(one_of(Shape(f"{GATES}#listRule", {"list": _AT_URI})), 5)),
            "createdAt": _TIME,
            "hiddenReplies": Maybe(several(_AT_URI, 300)),
        },
    ),
    QUOTE_GATES: Shape(
        QUOTE_GATES,
        {
            "createdAt": _TIME,
            "post": _AT_URI,
            "detachedEmbeddingUris": Maybe(several(_AT_URI, 50)),
            "embeddingRules": Maybe(several(one_of(), 5)),
        },
    ),
}
_MESSAGE = Shape(
    "chat.bsky.convo.defs#messageInput",
    {"text": text(10_000, 1000), "facets": Maybe(_FACETS), "embed": Maybe(one_of(_RECORD))},
)


class RefusedError(Exception):
    """A 400 with its error and message."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


def check_key(collection: str, key: str) -> None:
    if collection in _RECORDS and not FORMATS["TID string"].fullmatch(key):
        raise RefusedError(
            "InvalidRequest", f"Invalid record key for {collection}: Invalid TID string (got {got(key)}) at $"
        )


def check_record(collection: str, record: Any, blobs: dict[str, dict[str, Any]]) -> None:
    """Refuse what a server would; ``blobs`` are those that were uploaded, by address."""
    try:
        no_fractions(record, "record")
    except BrokenError as broken:
        raise RefusedError("InvalidRequest", str(broken)) from broken
    if record.get("$type", collection) != collection:
        raise RefusedError("InvalidRequest", f"Invalid $type: expected {collection}, got {_word(record['$type'])}")
    try:
        if collection in _RECORDS:
            _RECORDS[collection](record, "record")
        if collection == POSTS:
            _check_places(record, "record")
    except BrokenError as broken:
        raise RefusedError("InvalidRequest", f"Invalid {collection} record: {broken}") from broken
    for named in blobs_in(record):
        _check_stored(named, blobs)


def _word(value: Any) -> str:
    """As JavaScript puts a value into a sentence."""
    match value:
        case str():
            return value
        case list():
            return ",".join("" if one is None else _word(one) for one in value)
        case dict():
            return "[object Object]"
    return got(value)


def check_message(message: Any) -> None:
    """What chat.bsky.convo.sendMessage takes."""
    try:
        _MESSAGE(message, "message")
        _check_places(message, "message")
    except BrokenError as broken:
        raise RefusedError("InvalidRequest", f"Invalid chat.bsky.convo.sendMessage input: {broken}") from broken


def blobs_in(value: Any) -> Iterator[dict[str, Any]]:
    """The blobs that something names, wherever."""
    if is_blob(value):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from blobs_in(child)


def media_in(embed: object) -> list[dict[str, Any]]:
    """Pictures and films as the network notes them."""
    match embed:
        case {"$type": "app.bsky.embed.images", "images": list(images)}:
            return [_noted(image["image"], image["alt"]) for image in images]
        case {"$type": "app.bsky.embed.video", "video": dict(video), **more}:
            return [_noted(video, str(more.get("alt", "")))]
        case {"$type": "app.bsky.embed.recordWithMedia", "media": media}:
            return media_in(media)
    return []


def _noted(blob: dict[str, Any], alt: str) -> dict[str, Any]:
    return {"mime": blob["mimeType"], "size_bytes": blob["size"], "alt": alt}


def _check_stored(named: dict[str, Any], blobs: dict[str, dict[str, Any]]) -> None:
    """What it says of itself is looked at until a record has it for good: pds actor-store/blob/transactor.ts."""
    link = named["ref"]["$link"]
    stored = blobs.get(link)
    if stored is None:
        raise RefusedError("BlobNotFound", f"Could not find blob: {link}")
    for error, key in () if stored.get("kept") else (("InvalidMimeType", "mimeType"), ("InvalidSize", "size")):
        if stored[key] != named[key]:
            told = f"Referenced {error.removeprefix('Invalid').title()} does not match stored blob."
            raise RefusedError(error, f"{told} Expected: {stored[key]}, Got: {named[key]}")
    stored["kept"] = True


def _check_places(record: dict[str, Any], path: str) -> None:
    """A server takes a facet outside the text or within a character, too, and no reader shows it: here it is refused,
    so that a test sees it.
    """
    data = record["text"].encode("utf-8", "surrogatepass")
    for number, facet in enumerate(record.get("facets", [])):
        begin, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
        if not begin < end <= len(data) or _cuts(data, begin) or _cuts(data, end):
            raise BrokenError("Invalid byteSlice", f"{path}.facets[{number}].index")


def _cuts(data: bytes, place: int) -> bool:
    return place < len(data) and data[place] & 0xC0 == 0x80

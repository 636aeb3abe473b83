"""What a Bluesky server's lexicons refuse, in its words (a real PDS, 2026-11). For adapters/sandbox/bluesky.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from adapters.sandbox.bluesky_graphemes import graphemes

POSTS = "app.bsky.feed.post"
LIKES = "app.bsky.feed.like"
REPOSTS = "app.bsky.feed.repost"
GATES = "app.bsky.feed.threadgate"
QUOTE_GATES = "app.bsky.feed.postgate"

IMAGE_MAX_BYTES, THUMB_MAX_BYTES, VIDEO_MAX_BYTES = 2_000_000, 1_000_000, 300_000_000

_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_URI = re.compile(r"\w+:(?://)?[^\s/]\S*")
_AT_URI = re.compile(r"at://did:[a-z]+:[\w.:%-]+/[a-zA-Z.-]+/[\w.~:-]+")
_CID = re.compile(r"[a-zA-Z0-9+=]{8,256}")
_DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
_LANGUAGE = re.compile(
    r"([A-Za-z]{2,3}(-[A-Za-z]{3}){0,3}|[A-Za-z]{5,8})(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?"
    r"(-([A-Za-z0-9]{5,8}|\d[A-Za-z0-9]{3}))*(-[0-9A-WY-Za-wy-z](-[A-Za-z0-9]{2,8})+)*(-x(-[A-Za-z0-9]{1,8})+)?"
)


class RefusedError(Exception):
    """A 400 with its error and message."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


class _Broken(Exception):  # noqa: N818 - told as a RefusedError
    """What is wrong, and where."""

    def __init__(self, told: str, path: str) -> None:
        super().__init__(f"{told} at $.{path}")


def check_key(collection: str, key: str) -> None:
    if collection in (POSTS, LIKES, REPOSTS, GATES, QUOTE_GATES) and not _TID.fullmatch(key):
        raise RefusedError(
            "InvalidRequest", f'Invalid record key for {collection}: Invalid TID string (got "{key}") at $'
        )


def check_record(collection: str, record: object, blobs: dict[str, dict[str, Any]]) -> None:
    """Refuse what a server would; ``blobs`` are those that were uploaded, by address."""
    if not isinstance(record, dict) or record.get("$type", collection) != collection:
        told = record.get("$type") if isinstance(record, dict) else record
        raise RefusedError("InvalidRequest", f"Invalid $type: expected {collection}, got {told}")
    try:
        _CHECKS.get(collection, _anything)(record)
    except _Broken as broken:
        raise RefusedError("InvalidRequest", f"Invalid {collection} record: {broken}") from broken
    for blob in blobs_in(record.get("embed")):
        _check_stored(blob, blobs)


def check_message(message: Any) -> None:
    """What chat.bsky.convo.sendMessage takes."""
    try:
        _text(message, "text", 1000, 10_000, "message")
        _facets(message, "message")
    except _Broken as broken:
        raise RefusedError("InvalidRequest", f"Invalid chat.bsky.convo.sendMessage input: {broken}") from broken


def blobs_in(embed: object) -> Iterator[dict[str, Any]]:
    """The blobs an embed names."""
    match embed:
        case {"$type": "app.bsky.embed.images", "images": list(images)}:
            yield from (image["image"] for image in images)
        case {"$type": "app.bsky.embed.video", "video": dict(video)}:
            yield video
        case {"$type": "app.bsky.embed.external", "external": {"thumb": dict(thumb)}}:
            yield thumb
        case {"$type": "app.bsky.embed.recordWithMedia", "media": media}:
            yield from blobs_in(media)


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


# Records.


def _anything(record: dict[str, Any]) -> None:
    """Of a collection nobody here knows."""


def _post(record: dict[str, Any]) -> None:
    _text(record, "text", 300, 3000, "record")
    _facets(record, "record")
    if "reply" in record:
        for name in ("root", "parent"):
            _strong_ref(_need(record["reply"], name, "record.reply"), f"record.reply.{name}")
    if "embed" in record:
        _embed(_typed(record["embed"], "record.embed"), "record.embed")
    for number, language in enumerate(_several(record, "langs", 3, "record")):
        _format(language, _LANGUAGE, "language", f"record.langs[{number}]")
    _several(record, "tags", 8, "record")
    if "labels" in record:
        labels = _typed(record["labels"], "record.labels")
        for number, label in enumerate(_several(labels, "values", 10, "record.labels")):
            path = f"record.labels.values[{number}]"
            _bytes(_need(label, "val", path), 128, f"{path}.val")
    _time(record)


def _mark(record: dict[str, Any]) -> None:
    """A like or a repost."""
    _strong_ref(_need(record, "subject", "record"), "record.subject")
    _time(record)


def _gate(record: dict[str, Any]) -> None:
    _format(_need(record, "post", "record"), _AT_URI, "at-uri", "record.post")
    for number, rule in enumerate(_several(record, "allow", 5, "record")):
        _typed(rule, f"record.allow[{number}]")
    _time(record)


_CHECKS = {POSTS: _post, LIKES: _mark, REPOSTS: _mark, GATES: _gate}


# Embeds.


def _embed(embed: dict[str, Any], path: str) -> None:
    match embed["$type"]:
        case "app.bsky.embed.images":
            _need(embed, "images", path)
            for number, image in enumerate(_several(embed, "images", 4, path)):
                _picture(image, f"{path}.images[{number}]")
        case "app.bsky.embed.video":
            _blob(_need(embed, "video", path), "video/mp4", VIDEO_MAX_BYTES, f"{path}.video")
            _ratio(embed, path)
        case "app.bsky.embed.external":
            _card(_need(embed, "external", path), f"{path}.external")
        case "app.bsky.embed.record":
            _strong_ref(_need(embed, "record", path), f"{path}.record")
        case "app.bsky.embed.recordWithMedia":
            record = _need(embed, "record", path)
            _strong_ref(_need(record, "record", f"{path}.record"), f"{path}.record.record")
            _embed(_typed(_need(embed, "media", path), f"{path}.media"), f"{path}.media")


def _picture(image: dict[str, Any], path: str) -> None:
    _need(image, "image", path)
    if not isinstance(_need(image, "alt", path), str):
        raise _Broken(f"Expected string value type (got {image['alt']})", f"{path}.alt")
    _blob(image["image"], "image/*", IMAGE_MAX_BYTES, f"{path}.image")
    _ratio(image, path)


def _card(external: dict[str, Any], path: str) -> None:
    _format(_need(external, "uri", path), _URI, "uri", f"{path}.uri")
    for name in ("title", "description"):
        _need(external, name, path)
    if "thumb" in external:
        _blob(external["thumb"], "image/*", THUMB_MAX_BYTES, f"{path}.thumb")


def _ratio(holder: dict[str, Any], path: str) -> None:
    if "aspectRatio" in holder:
        for name in ("width", "height"):
            where = f"{path}.aspectRatio"
            _integer(_need(holder["aspectRatio"], name, where), 1, f"{where}.{name}")


def _blob(blob: object, accept: str, size_bytes: int, path: str) -> None:
    if not isinstance(blob, dict) or blob.get("$type") != "blob":
        raise _Broken("Expected blob value type", path)
    mime = str(_need(blob, "mimeType", path))
    if not (mime.startswith(accept.removesuffix("*")) if accept.endswith("*") else mime == accept):
        raise _Broken(f'Expected "{accept}" (got "{mime}")', f"{path}.mimeType")
    if _need(blob, "size", path) > size_bytes:
        raise _Broken(f"blob too big (maximum {size_bytes}, got {blob['size']})", path)


def _check_stored(blob: dict[str, Any], blobs: dict[str, dict[str, Any]]) -> None:
    link = blob.get("ref", {}).get("$link")
    stored = blobs.get(link)
    if stored is None:
        raise RefusedError("BlobNotFound", f"Could not find blob: {link}")
    if stored["mimeType"] != blob["mimeType"]:
        words = f"Expected: {stored['mimeType']}, Got: {blob['mimeType']}"
        raise RefusedError("InvalidMimeType", f"Referenced Mimetype does not match stored blob. {words}")


# Text.


def _facets(record: dict[str, Any], path: str) -> None:
    """As the lexicon has them. A server takes a place outside the text or within a character, too, and no reader shows
    it: here it is refused, so that a test sees it.
    """
    data = record["text"].encode()
    for number, facet in enumerate(record.get("facets", [])):
        where = f"{path}.facets[{number}]"
        index = _need(facet, "index", where)
        begin, end = (_integer(_need(index, name, f"{where}.index"), 0, f"{where}.index.{name}") for name in _ENDS)
        if not begin < end <= len(data) or _cuts(data, begin) or _cuts(data, end):
            raise _Broken("Invalid byteSlice", f"{where}.index")
        for place, feature in enumerate(_need(facet, "features", where)):
            _feature(_typed(feature, f"{where}.features[{place}]"), f"{where}.features[{place}]")


_ENDS = ("byteStart", "byteEnd")


def _cuts(data: bytes, place: int) -> bool:
    return place < len(data) and data[place] & 0xC0 == 0x80


def _feature(feature: dict[str, Any], path: str) -> None:
    match feature["$type"]:
        case "app.bsky.richtext.facet#link":
            _format(_need(feature, "uri", path), _URI, "uri", f"{path}.uri")
        case "app.bsky.richtext.facet#mention":
            _format(_need(feature, "did", path), _DID, "DID", f"{path}.did")
        case "app.bsky.richtext.facet#tag":
            _text(feature, "tag", 64, 640, path)


def _text(holder: Any, name: str, characters: int, size_bytes: int, path: str) -> None:
    text, where = _need(holder, name, path), f"{path}.{name}"
    if not isinstance(text, str):
        raise _Broken(f"Expected string value type (got {text})", where)
    _bytes(text, size_bytes, where)
    if graphemes(text) > characters:
        raise _Broken(f"grapheme too big (maximum {characters}, got {graphemes(text)})", where)


def _bytes(text: str, size_bytes: int, path: str) -> None:
    if len(text.encode()) > size_bytes:
        raise _Broken(f"string too big (maximum {size_bytes}, got {len(text.encode())})", path)


# Anything.


def _need(holder: Any, name: str, path: str) -> Any:
    if not isinstance(holder, dict) or holder.get(name) is None:
        raise _Broken(f'Missing required key "{name}"', path)
    return holder[name]


def _typed(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("$type"), str):
        raise _Broken(f'Expected an object which includes the "$type" property value type (got {value})', path)
    return value


def _several(holder: dict[str, Any], name: str, most: int, path: str) -> list[Any]:
    values: list[Any] = holder.get(name, [])
    if len(values) > most:
        raise _Broken(f"array too big (maximum {most}, got {len(values)})", f"{path}.{name}")
    return values


def _integer(value: Any, least: int, path: str) -> int:
    if not isinstance(value, int):
        raise _Broken(f"Expected integer value type (got {value})", path)
    if value < least:
        raise _Broken(f"integer too small (minimum {least}, got {value})", path)
    return value


def _format(value: Any, pattern: re.Pattern[str], name: str, path: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _Broken(f'Invalid {name} (got "{value}")', path)


def _strong_ref(ref: Any, path: str) -> None:
    _format(_need(ref, "uri", path), _AT_URI, "at-uri", f"{path}.uri")
    if not _CID.fullmatch(str(_need(ref, "cid", path))):
        raise _Broken(f'Invalid CID string (got "{ref["cid"]}")', f"{path}.cid")


def _time(record: dict[str, Any]) -> None:
    text = record.get("createdAt")
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _Broken(f'Invalid datetime (got "{text}")', "record.createdAt")

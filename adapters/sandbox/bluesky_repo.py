"""What a Bluesky server knows of records: keys, addresses, and what it refuses. For adapters/sandbox/bluesky.py."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
import unicodedata
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.sandbox.world import Member, Message, Network, utc_now

S32 = "234567abcdefghijklmnopqrstuvwxyz"
POSTS = "app.bsky.feed.post"
LIKES = "app.bsky.feed.like"

_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_URI = re.compile(r"\w+:(?://)?[^\s/]\S*")
_AT_URI = re.compile(r"at://did:[a-z]+:\S+/[a-z.A-Z]+/\S+")
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_clock = itertools.count(time.time_ns() // 1000)

IMAGE_MAX_BYTES = 2_000_000
UPLOAD_MAX_BYTES = 52_428_800


class RefusedError(Exception):
    """A 400 with its error and message."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


def next_tid() -> str:
    """A new record key or revision: later than all before."""
    value = next(_clock) << 10
    return "".join(S32[(value >> shift) & 31] for shift in range(60, -1, -5))


def did_of(handle: str) -> str:
    return "did:plc:" + b32encode(hashlib.sha256(handle.encode()).digest()[:15]).decode().lower()


def record_cid(record: dict[str, Any]) -> str:
    """Stands for the real one, which hashes DAG-CBOR: equal for equal records."""
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    return _cid(b"\x01\x71", canonical)


def blob_cid(data: bytes) -> str:
    """The real one: CIDv1, raw, SHA-256."""
    return _cid(b"\x01\x55", data)


def _cid(kind: bytes, data: bytes) -> str:
    return "b" + b32encode(kind + b"\x12\x20" + hashlib.sha256(data).digest()).decode().lower().rstrip("=")


def sniff(data: bytes, told: str) -> str:
    """The type a server finds in the bytes; else what it was told."""
    return next((mime for magic, mime in _MAGIC.items() if data.startswith(magic)), told)


def graphemes(text: str) -> int:
    """About how many characters a reader sees: marks, joined emoji, skin tones and flags count once."""
    count, joined, flag = 0, False, False
    for character in text:
        code = ord(character)
        extends = unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Mc")
        extends = extends or code in (0x200D, 0xFE0F) or 0x1F3FB <= code <= 0x1F3FF
        if 0x1F1E6 <= code <= 0x1F1FF:
            extends, flag = flag, not flag
        else:
            flag = False
        if not (extends or joined):
            count += 1
        joined = code == 0x200D
    return count


def check_text(text: object, characters: int, size_bytes: int, subject: str, path: str) -> None:
    if not isinstance(text, str):
        raise RefusedError("InvalidRequest", f'{subject}: Missing required key "text" at $.{path.rpartition(".")[0]}')
    if len(text.encode()) > size_bytes:
        told = f"string too big (maximum {size_bytes}, got {len(text.encode())})"
        raise RefusedError("InvalidRequest", f"{subject}: {told} at $.{path}")
    if graphemes(text) > characters:
        told = f"grapheme too big (maximum {characters}, got {graphemes(text)})"
        raise RefusedError("InvalidRequest", f"{subject}: {told} at $.{path}")


def check_key(collection: str, key: str) -> None:
    if collection in (POSTS, LIKES) and not _TID.fullmatch(key):
        raise RefusedError(
            "InvalidRequest", f'Invalid record key for {collection}: Invalid TID string (got "{key}") at $'
        )


def check_record(collection: str, record: object, blobs: dict[str, dict[str, Any]]) -> None:
    """Refuse what a server's lexicons refuse, in its words (a real PDS, 2026-11)."""
    subject = f"Invalid {collection} record"
    if not isinstance(record, dict) or record.get("$type") != collection:
        raise RefusedError("InvalidRequest", f"{subject}: expected $type {collection}")
    if collection == POSTS:
        check_text(record.get("text"), 300, 3000, subject, "record.text")
        _check_facets(record, subject)
        _check_reply(record, subject)
        for number, image in enumerate(_images(record, subject)):
            _check_image(image, blobs, f"{subject}: at $.record.embed.images[{number}]")
    _check_time(record.get("createdAt"), subject)


def _check_time(text: object, subject: str) -> None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise RefusedError("InvalidRequest", f'{subject}: Invalid datetime (got "{text}") at $.record.createdAt')


def _check_facets(record: dict[str, Any], subject: str) -> None:
    size_bytes = len(record["text"].encode())
    for number, facet in enumerate(record.get("facets", [])):
        path = f"$.record.facets[{number}]"
        index = facet.get("index", {})
        if not 0 <= index.get("byteStart", -1) < index.get("byteEnd", -1) <= size_bytes:
            raise RefusedError("InvalidRequest", f"{subject}: Invalid byteSlice at {path}.index")
        for place, feature in enumerate(facet.get("features", [])):
            uri = feature.get("uri")
            if str(feature.get("$type")).endswith("#link") and not (isinstance(uri, str) and _URI.fullmatch(uri)):
                told = f'Invalid uri (got "{uri}") at {path}.features[{place}].uri'
                raise RefusedError("InvalidRequest", f"{subject}: {told}")


def _check_reply(record: dict[str, Any], subject: str) -> None:
    if "reply" not in record:
        return
    for name in ("root", "parent"):
        ref = record["reply"].get(name)
        if not isinstance(ref, dict) or not _AT_URI.fullmatch(str(ref.get("uri"))) or not ref.get("cid"):
            raise RefusedError("InvalidRequest", f"{subject}: Invalid strongRef at $.record.reply.{name}")


def _images(record: dict[str, Any], subject: str) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = record.get("embed", {}).get("images", [])
    if len(images) > 4:
        told = f"array too big (maximum 4, got {len(images)}) at $.record.embed.images"
        raise RefusedError("InvalidRequest", f"{subject}: {told}")
    return images


def _check_image(image: dict[str, Any], blobs: dict[str, dict[str, Any]], subject: str) -> None:
    if not isinstance(image.get("alt"), str):
        raise RefusedError("InvalidRequest", f'{subject}: Missing required key "alt"')
    told = image.get("image", {})
    link = told.get("ref", {}).get("$link")
    blob = blobs.get(link)
    if blob is None:
        raise RefusedError("BlobNotFound", f"Could not find blob: {link}")
    if blob["mimeType"] != told.get("mimeType"):
        words = f"Expected: {blob['mimeType']}, Got: {told.get('mimeType')}"
        raise RefusedError("InvalidMimeType", f"Referenced Mimetype does not match stored blob. {words}")
    if blob["size"] > IMAGE_MAX_BYTES:
        raise RefusedError("BlobTooLarge", f"This file is too large. It is {blob['size']} bytes")


def media_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The pictures of a record as the network notes them."""
    return [
        {"mime": item["image"]["mimeType"], "size_bytes": item["image"]["size"], "alt": item["alt"]}
        for item in record.get("embed", {}).get("images", [])
    ]


@dataclass
class Record:
    cid: str
    value: dict[str, Any]


class Repos:
    """Each member's records and blobs; posts are messages of the network too."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._records: dict[tuple[str, str], dict[str, Record]] = {}
        self.blobs: dict[str, dict[str, dict[str, Any]]] = {}

    def find(self, did: str, collection: str, key: str) -> Record | None:
        return self._records.get((did, collection), {}).get(key)

    def keys(self, did: str, collection: str) -> list[str]:
        """Newest first."""
        return sorted(self._records.get((did, collection), {}), reverse=True)

    def write(
        self, member: Member, collection: str, key: str, value: dict[str, Any], *, kind: str | None = None
    ) -> Message | None:
        """Create or change a record; the message it is, where it is a post."""
        record = Record(record_cid(value), value)
        self._records.setdefault((member.id, collection), {})[key] = record
        if collection != POSTS:
            self._like(member, value)
            return None
        uri = f"at://{member.id}/{collection}/{key}"
        message = self._network.messages.get(uri)
        if message is not None and not message.deleted:
            message.extra |= {"cid": record.cid, "record": value}
            self._network.edit(message, value["text"])
            return message
        return self._network.add(_message(uri, member, key, record, kind))

    def _like(self, member: Member, value: dict[str, Any]) -> None:
        liked = self._network.messages.get(str(value.get("subject", {}).get("uri")))
        if liked is not None and value.get("$type") == LIKES:
            self._network.react(liked, member, "like")

    def remove(self, member: Member, collection: str, key: str) -> Message | None:
        """What was deleted, where it was there and a post."""
        if self._records.get((member.id, collection), {}).pop(key, None) is None or collection != POSTS:
            return None
        message = self._network.messages[f"at://{member.id}/{collection}/{key}"]
        self._network.delete(message)
        return message

    def forget(self, gone: set[str]) -> None:
        """The records of these posts are no more."""
        for (did, collection), records in self._records.items():
            for key in [key for key in records if f"at://{did}/{collection}/{key}" in gone]:
                del records[key]

    def store(self, member: Member, data: bytes, told: str) -> dict[str, Any]:
        """Keep a blob; the reference that records name it by."""
        mime, cid = sniff(data, told), blob_cid(data)
        blob = {"$type": "blob", "ref": {"$link": cid}, "mimeType": mime, "size": len(data)}
        self.blobs.setdefault(member.id, {})[cid] = blob
        return blob


def _message(uri: str, member: Member, key: str, record: Record, kind: str | None) -> Message:
    value = record.value
    reply = value.get("reply")
    return Message(
        id=uri,
        author=member.id,
        text=value["text"],
        at=utc_now(),
        kind=kind or ("reply" if reply else "post"),
        conversation=reply["root"]["uri"] if reply else uri,
        in_reply_to=reply["parent"]["uri"] if reply else None,
        key=key,
        media=media_of(value),
        extra={"cid": record.cid, "record": value},
    )

"""What a Bluesky server knows of records: keys, addresses, blobs. For adapters/sandbox/bluesky.py."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from base64 import b32encode
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.bluesky_lexicon import GATES, POSTS, blobs_in, media_in
from adapters.sandbox.world import Member, Message, Network, utc_now

S32 = "234567abcdefghijklmnopqrstuvwxyz"

_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_clock = itertools.count(time.time_ns() // 1000)

UPLOAD_MAX_BYTES = 52_428_800


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
    if data[4:8] == b"ftyp":
        return "video/mp4"
    return next((mime for magic, mime in _MAGIC.items() if data.startswith(magic)), told)


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
        self.data: dict[tuple[str, str], bytes] = {}
        """The bytes of blobs, by whose they are and their address."""

    def find(self, did: str, collection: str, key: str) -> Record | None:
        return self._records.get((did, collection), {}).get(key)

    def keys(self, did: str, collection: str) -> list[str]:
        """Newest first."""
        return sorted(self._records.get((did, collection), {}), reverse=True)

    def values(self, did: str, collection: str) -> list[dict[str, Any]]:
        return [record.value for record in self._records.get((did, collection), {}).values()]

    def write(
        self, member: Member, collection: str, key: str, value: dict[str, Any], *, kind: str | None = None
    ) -> Message | None:
        """Create or change a record; the message it is, where it is a post."""
        record = Record(record_cid(value), value)
        self._records.setdefault((member.id, collection), {})[key] = record
        if collection != POSTS:
            self._note(member, key, value)
            return None
        uri = f"at://{member.id}/{collection}/{key}"
        message = self._network.messages.get(uri)
        if message is not None and not message.deleted:
            message.extra |= {"cid": record.cid, "record": value}
            self._network.edit(message, value["text"])
            return message
        return self._network.add(_message(uri, member, key, record, kind))

    def _note(self, member: Member, key: str, value: dict[str, Any]) -> None:
        """Likes, reposts and who may reply are seen at the post."""
        post = self._network.messages.get(str(value.get("post") or value.get("subject", {}).get("uri")))
        match value.get("$type"):
            case _ if post is None:
                return
            case "app.bsky.feed.like":
                self._network.react(post, member, "like")
            case "app.bsky.feed.repost":
                post.extra.setdefault("reposts", []).append(member.id)
            case "app.bsky.feed.threadgate" if post.author == member.id and post.key == key and "allow" in value:
                post.extra["gate"] = value["allow"]

    def remove(self, member: Member, collection: str, key: str) -> Message | None:
        """What was deleted, where it was there and a post."""
        if self._records.get((member.id, collection), {}).pop(key, None) is None:
            return None
        message = self._network.messages.get(f"at://{member.id}/{POSTS}/{key}")
        if collection == GATES and message:
            message.extra.pop("gate", None)
        if collection != POSTS or message is None:
            return None
        self._network.delete(message)
        return message

    def forget(self, gone: set[str]) -> None:
        """The records of these posts are no more."""
        for (did, collection), records in self._records.items():
            for key in [key for key in records if f"at://{did}/{collection}/{key}" in gone]:
                for blob in blobs_in(records.pop(key).value.get("embed")):
                    self.data.pop((did, blob["ref"]["$link"]), None)

    def store(self, member: Member, data: bytes, told: str) -> dict[str, Any]:
        """Keep a blob; the reference that records name it by."""
        mime, cid = sniff(data, told), blob_cid(data)
        blob = {"$type": "blob", "ref": {"$link": cid}, "mimeType": mime, "size": len(data)}
        self.blobs.setdefault(member.id, {})[cid] = {**blob}
        self.data[member.id, cid] = data
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
        media=media_in(value.get("embed")),
        extra={"cid": record.cid, "record": value},
    )

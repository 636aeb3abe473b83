"""Records that a Bluesky server takes and refuses, in its words: held to the face and to a real PDS alike."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

POSTS, LIKES, REPOSTS = (f"app.bsky.feed.{name}" for name in ("post", "like", "repost"))
GATES, QUOTES = (f"app.bsky.feed.{name}" for name in ("threadgate", "postgate"))
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00" + b"x" * 50
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\x00\x00\x00\x08mdat" + b"x" * 100
STAMP = "2026-11-22T10:00:00.000Z"
UNKNOWN_BLOB = "bafkreigectgq4icn5f2pon2ty7ri25ry46zwsg5ywgrlvnvslo375v6oo4"

BLOBS = {
    "png": (PNG, "image/png"),
    "thumb": (PNG + b"x" * 1_500_000, "image/png"),
    "big": (PNG + b"x" * 2_000_000, "image/png"),
    "mp4": (MP4, "video/mp4"),
    "words": (b"hello", "text/plain"),
    "other": (PNG + b"other", "image/png"),
}
OK = ""
_BAD = "Invalid app.bsky.feed.post record: "
_BIG = "Invalid app.bsky.feed.post record: {} too big (maximum {}, got {}) at $.record."


@dataclass
class Given:
    """What a case may name: the blobs by name, and a post of the account."""

    blobs: dict[str, Any]
    root: dict[str, str]
    key: str

    def image(self, name: str = "png", **more: Any) -> dict[str, Any]:
        return {"image": self.blobs[name], "alt": "words", **more}

    def images(self, *images: dict[str, Any]) -> dict[str, Any]:
        return {"embed": {"$type": "app.bsky.embed.images", "images": list(images)}}

    def video(self, name: str = "mp4", **more: Any) -> dict[str, Any]:
        return {"embed": {"$type": "app.bsky.embed.video", "video": self.blobs[name], **more}}

    def card(self, **more: Any) -> dict[str, Any]:
        external = {"uri": "https://例え.jp/パス", "title": "T", "description": "", **more}
        return {"embed": {"$type": "app.bsky.embed.external", "external": external}}

    def quote(self, **more: Any) -> dict[str, Any]:
        return {"embed": {"$type": "app.bsky.embed.record", "record": {**self.root, **more}}}

    def both(self, media: dict[str, Any]) -> dict[str, Any]:
        embed = {"$type": "app.bsky.embed.recordWithMedia", "record": self.quote()["embed"]}
        return {"embed": {**embed, "media": media["embed"]}}


def facet(begin: int, end: int, name: str = "link", **feature: Any) -> dict[str, Any]:
    told = {"$type": f"app.bsky.richtext.facet#{name}", **(feature or {"uri": "https://e.org"})}
    return {"facets": [{"index": {"byteStart": begin, "byteEnd": end}, "features": [told]}]}


def labels(*values: dict[str, str]) -> dict[str, Any]:
    return {"labels": {"$type": "com.atproto.label.defs#selfLabels", "values": list(values)}}


Case = tuple[str, Callable[[Given], dict[str, Any]], str]

ACCEPTED: list[tuple[str, Callable[[Given], dict[str, Any]]]] = [
    ("pictures", lambda g: g.images(*[g.image(aspectRatio={"width": 1, "height": 1})] * 4)),
    ("a film", lambda g: g.video(alt="v", aspectRatio={"width": 16, "height": 9})),
    ("a card", lambda g: g.card()),
    ("a card with its picture", lambda g: g.card(thumb=g.blobs["png"])),
    ("a quote", lambda g: g.quote()),
    ("a quote with pictures", lambda g: g.both(g.images(g.image()))),
    ("a quote with a film", lambda g: g.both(g.video())),
    ("a quote with a card", lambda g: g.both(g.card(thumb=g.blobs["png"]))),
    ("an embed nobody knows", lambda _: {"embed": {"$type": "com.example.thing", "a": 1}}),
    ("languages", lambda _: {"langs": ["en", "pt-BR", "zh-Hant-TW"]}),
    ("a language in full", lambda _: {"langs": ["de-DE-1996", "sr-Latn-RS", "es-419"]}),
    ("labels", lambda _: labels({"val": "graphic-media"})),
    ("a link", lambda _: facet(0, 5)),
    ("a hashtag", lambda _: facet(0, 5, "tag", tag="hello")),
    ("a mention", lambda _: facet(0, 5, "mention", did="did:plc:ewvi7nxzyoun6zhxrhs64oiz")),
    ("no words", lambda _: {"text": ""}),
]

REFUSED: list[Case] = [
    ("long", lambda _: {"text": "x" * 301}, _BIG.format("grapheme", 300, 301) + "text"),
    ("many bytes", lambda _: {"text": "é" * 1501}, _BIG.format("string", 3000, 3002) + "text"),
    ("no time", lambda _: {"createdAt": "bad"}, _BAD + 'Invalid datetime (got "bad") at $.record.createdAt'),
    (
        "no alt",
        lambda g: g.images({"image": g.blobs["png"]}),
        _BAD + 'Missing required key "alt" at $.record.embed.images[0]',
    ),
    ("five", lambda g: g.images(*[g.image()] * 5), _BIG.format("array", 4, 5) + "embed.images"),
    ("big", lambda g: g.images(g.image("big")), _BIG.format("blob", 2_000_000, 2_000_079) + "embed.images[0].image"),
    (
        "no picture",
        lambda g: g.images(g.image("words")),
        _BAD + 'Expected "image/*" (got "text/plain") at $.record.embed.images[0].image.mimeType',
    ),
    (
        "flat",
        lambda g: g.images(g.image(aspectRatio={"width": 0, "height": 1})),
        _BAD + "integer too small (minimum 1, got 0) at $.record.embed.images[0].aspectRatio.width",
    ),
    (
        "no film",
        lambda g: g.video("png"),
        _BAD + 'Expected "video/mp4" (got "image/png") at $.record.embed.video.mimeType',
    ),
    (
        "thumb",
        lambda g: g.card(thumb=g.blobs["thumb"]),
        _BIG.format("blob", 1_000_000, 1_500_079) + "embed.external.thumb",
    ),
    ("no address", lambda g: g.card(uri="x"), _BAD + 'Invalid uri (got "x") at $.record.embed.external.uri'),
    ("no title", lambda g: g.card(title=None), _BAD),
    ("quote cid", lambda g: g.quote(cid="x"), _BAD + 'Invalid CID string (got "x") at $.record.embed.record.cid'),
    ("quote uri", lambda g: g.quote(uri="x"), _BAD + 'Invalid at-uri (got "x") at $.record.embed.record.uri'),
    ("untyped", lambda _: {"embed": {"images": []}}, _BAD + 'Expected an object which includes the "$type"'),
    ("4 langs", lambda _: {"langs": ["en", "de", "fr", "it"]}, _BIG.format("array", 3, 4) + "langs"),
    ("lang", lambda _: {"langs": ["engl"]}, _BAD + 'Invalid language (got "engl") at $.record.langs[0]'),
    ("11 labels", lambda _: labels(*[{"val": "x"}] * 11), _BIG.format("array", 10, 11) + "labels.values"),
    ("label", lambda _: labels({"val": "x" * 129}), _BIG.format("string", 128, 129) + "labels.values[0].val"),
    ("no label", lambda _: labels({}), _BAD + 'Missing required key "val" at $.record.labels.values[0]'),
    (
        "facet",
        lambda _: facet(-1, 3),
        _BAD + "integer too small (minimum 0, got -1) at $.record.facets[0].index.byteStart",
    ),
    ("uri", lambda _: facet(0, 5, uri="x"), _BAD + 'Invalid uri (got "x") at $.record.facets[0].features[0].uri'),
    (
        "did",
        lambda _: facet(0, 5, "mention", did="x"),
        _BAD + 'Invalid DID (got "x") at $.record.facets[0].features[0].did',
    ),
    ("tag", lambda _: facet(0, 5, "tag", tag="x" * 65), _BIG.format("grapheme", 64, 65) + "facets[0].features[0].tag"),
    (
        "tag bytes",
        lambda _: facet(0, 5, "tag", tag="👩‍👩‍👧" * 36),
        _BIG.format("string", 640, 648) + "facets[0].features[0].tag",
    ),
    ("tags", lambda _: {"tags": ["x"] * 9}, _BIG.format("array", 8, 9) + "tags"),
    ("reply", lambda g: {"reply": {"root": g.root}}, _BAD + 'Missing required key "parent" at $.record.reply'),
    ("type", lambda _: {"$type": LIKES}, f"Invalid $type: expected {POSTS}, got {LIKES}"),
    (
        "size",
        lambda g: g.images({"image": {**g.blobs["other"], "size": 1}, "alt": ""}),
        f"Referenced Size does not match stored blob. Expected: {len(BLOBS['other'][0])}, Got: 1",
    ),
    (
        "mime",
        lambda g: g.images({"image": {**g.blobs["other"], "mimeType": "image/gif"}, "alt": ""}),
        "Referenced Mimetype does not match stored blob. Expected: image/png, Got: image/gif",
    ),
    ("lang in capitals", lambda _: {"langs": ["EN"]}, _BAD + 'Invalid language (got "EN") at $.record.langs[0]'),
    ("null", lambda _: {"text": None}, _BAD + "Expected string value type (got null) at $.record.text"),
    (
        "fraction",
        lambda g: g.images(g.image(aspectRatio={"width": 1.5, "height": 1})),
        "Expected one of null, boolean, integer, string, cid, bytes, array or object value type (got 1.5) at $.record",
    ),
    (
        "captions",
        lambda g: g.video(captions=[{"lang": "en", "file": g.blobs["words"]}]),
        _BAD + 'Expected "text/vtt" (got "text/plain") at $.record.embed.captions[0].file.mimeType',
    ),
    (
        "21 captions",
        lambda g: g.video(captions=[{"lang": "en", "file": g.blobs["words"]}] * 21),
        _BIG.format("array", 20, 21) + "embed.captions",
    ),
    (
        "gallery",
        lambda _: {"embed": {"$type": "app.bsky.embed.gallery", "items": [{}]}},
        _BAD + 'Expected an object which includes the "$type" property value type (got {}) at $.record.embed.items[0]',
    ),
    (
        "no blob",
        lambda g: g.images({"image": {**g.blobs["png"], "ref": {"$link": UNKNOWN_BLOB}}, "alt": ""}),
        f"Could not find blob: {UNKNOWN_BLOB}",
    ),
]

_RULE = {"$type": f"{GATES}#mentionRule"}
_GATE = f"Invalid {GATES} record: "

OTHERS: list[tuple[str, Callable[[Given], dict[str, Any]], str]] = [
    (GATES, lambda g: {"post": g.root["uri"], "allow": [_RULE, {"$type": f"{GATES}#followingRule"}]}, OK),
    (GATES, lambda g: {"post": g.root["uri"], "allow": []}, OK),
    (
        GATES,
        lambda g: {"post": g.root["uri"], "allow": [_RULE] * 6},
        _GATE + "array too big (maximum 5, got 6) at $.record.allow",
    ),
    (GATES, lambda _: {"allow": []}, _GATE + 'Missing required key "post" at $.record'),
    (GATES, lambda _: {"post": "x"}, _GATE + 'Invalid at-uri (got "x") at $.record.post'),
    (GATES, lambda g: {"post": g.root["uri"], "hiddenReplies": [g.root["uri"]]}, OK),
    (QUOTES, lambda g: {"post": g.root["uri"], "embeddingRules": [{"$type": f"{QUOTES}#disableRule"}]}, OK),
    (QUOTES, lambda _: {}, f'Invalid {QUOTES} record: Missing required key "post" at $.record'),
    (REPOSTS, lambda g: {"subject": g.root}, OK),
    (LIKES, lambda g: {"subject": g.root}, OK),
    (REPOSTS, lambda _: {}, f'Invalid {REPOSTS} record: Missing required key "subject" at $.record'),
    (REPOSTS, lambda _: {"subject": {"uri": "x", "cid": "y"}}, f'Invalid {REPOSTS} record: Invalid at-uri (got "x")'),
]

Put = Callable[[str, str, dict[str, Any]], Awaitable[tuple[int, Any]]]
"""Write a record: its collection, its key, itself. Gives the status and the body."""
Upload = Callable[[bytes, str], Awaitable[tuple[int, Any]]]

_S32 = "234567abcdefghijklmnopqrstuvwxyz"


def _keys() -> Iterator[str]:
    return ("3m6abcdefg" + "".join(letters) for letters in itertools.product(_S32, repeat=3))


async def _given(put: Put, upload: Upload, key: str) -> Given:
    blobs = {name: (await upload(*blob))[1]["blob"] for name, blob in BLOBS.items()}
    _, made = await put(POSTS, key, {"$type": POSTS, "text": "root", "createdAt": STAMP})
    return Given(blobs, {"uri": made["uri"], "cid": made["cid"]}, key)


def _record(collection: str, more: dict[str, Any]) -> dict[str, Any]:
    return {"$type": collection, "createdAt": STAMP, **({"text": "hello"} if collection == POSTS else {}), **more}


async def what_differs(put: Put, upload: Upload) -> list[str]:
    """The cases that a server tells otherwise."""
    keys = _keys()
    key = next(keys)
    given = await _given(put, upload, key)
    cases = [(name, POSTS, make, OK) for name, make in ACCEPTED]
    cases += [(name, POSTS, make, told) for name, make, told in REFUSED]
    cases += [(collection, collection, make, told) for collection, make, told in OTHERS]
    wrong = []
    for name, collection, make, told in cases:
        record = _record(collection, make(given))
        status, body = await put(collection, key if collection == GATES else next(keys), record)
        message = body.get("message", "")
        if status != (400 if told else 200) or not message.startswith(told):
            wrong.append(f"{name}: wanted {told or 'to be taken'!r}, got {status} {json.dumps(body)[:300]}")
    return wrong


JUNK: tuple[Any, ...] = (
    *(None, 0, -1, True, 1.5, 10**16, "", "x", "y" * 3001, [], [None], ["x"], {}),
    *({"$type": "x"}, {"$type": "blob"}, {"$link": "x"}),
)


def _broken(record: Any) -> Iterator[Any]:
    """The record with something missing, or with what has no place there, in every place of it."""
    for key in list(record) if isinstance(record, dict) else range(len(record)):
        rest = {**record} if isinstance(record, dict) else [*record]
        child = rest.pop(key)
        yield rest
        deeper = _broken(child) if isinstance(child, dict | list) else ()
        for junk in (*JUNK, *deeper):
            changed = {**record} if isinstance(record, dict) else [*record]
            changed[key] = junk
            yield changed


async def what_two_tell_otherwise(one: tuple[Put, Upload], other: tuple[Put, Upload], every: int) -> list[str]:
    """Of all records that are good but for one place, every so-many-th put to both."""
    keys = _keys()
    key = next(keys)
    asked = [(put, await _given(put, upload, key)) for put, upload in (one, other)]
    cases = [(POSTS, make) for _, make in ACCEPTED] + [(kind, make) for kind, make, told in OTHERS if told == OK]
    wrong = []
    for collection, make in cases:
        records = [_broken(_record(collection, make(given))) for _, given in asked]
        for pair in itertools.islice(zip(*records, strict=True), 0, None, every):
            at = key if collection == GATES else next(keys)
            told = [
                _told(given, *await put(collection, at, record))
                for (put, given), record in zip(asked, pair, strict=True)
            ]
            if told[0] != told[1] and "Invalid byteSlice" not in told[1]:  # which the face refuses on purpose
                wrong.append(f"{json.dumps(pair[0])[:400]}\n    {told[0]}\n    {told[1]}")
    return wrong


def _told(given: Given, status: int, body: dict[str, Any]) -> str:
    words = body.get("message", "").replace(given.root["uri"], "ROOT").replace(given.root["cid"], "CID")
    return f"{status} {body.get('error', '')} {words}" if status != 200 else "200"

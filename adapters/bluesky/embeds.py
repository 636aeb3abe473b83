"""What a post carries besides its words: pictures, a film, a link's card, another post; and how each is told. Pure.

A record has one embed. Media go before a card, whose link is in the text anyway; a quoted post goes with either.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Iterator
from typing import Any

from adapters.bluesky.profile import ALT_MAX, NAME, PROFILE, THUMB_BYTES
from adapters.bluesky.translate import Post, is_web, place_of
from gateway.model.content import Card, Document, Media, Quote
from gateway.model.delivery import FaultKind, refused
from gateway.model.media import MediaKind

IMAGES = "app.bsky.embed.images"
VIDEO = "app.bsky.embed.video"
EXTERNAL = "app.bsky.embed.external"
RECORD = "app.bsky.embed.record"
WITH_MEDIA = "app.bsky.embed.recordWithMedia"

_CARD_WORDS_MAX = 1000

Embed = dict[str, Any]


def embed_of(document: Document) -> tuple[Embed | None, tuple[str, ...]]:
    """The embed of a post, and what its blobs are made of (sha256), in the order of :func:`blob_places`."""
    shown, sources = _shown(document.media, document.card)
    if document.quote is None:
        return shown, sources
    record = quoted(document.quote)
    if shown is None:
        return record, ()
    return {"$type": WITH_MEDIA, "record": record, "media": shown}, sources


def _shown(media: tuple[Media, ...], card: Card | None) -> tuple[Embed | None, tuple[str, ...]]:
    if media:
        _check(media)
        return _film(media[0]) if media[0].kind is MediaKind.VIDEO else _pictures(media), tuple(m.sha256 for m in media)
    if card is None or not is_web(card.url):
        return None, ()
    picture = card.picture if card.picture and card.picture.size_bytes <= THUMB_BYTES else None
    return _card(card, picture), (picture.sha256,) if picture else ()


def _check(media: tuple[Media, ...]) -> None:
    """Up to four pictures, or one film."""
    kinds = {one.kind for one in media}
    limits = PROFILE.limits.of(media[0].kind)
    if len(kinds) > 1:
        raise refused(FaultKind.MEDIA, f"{' and '.join(sorted(kinds))} in one post: it takes pictures or a video")
    if limits is None:
        raise refused(FaultKind.MEDIA, f"{media[0].kind}: not taken")
    if len(media) > limits.count_max:
        raise refused(FaultKind.MEDIA, f"{len(media)} of {media[0].kind}, a post takes {limits.count_max}")
    for one in media:
        if one.mime not in limits.mimes:
            raise refused(FaultKind.MEDIA, f"{one.mime}: not taken")
        if one.size_bytes > limits.size_bytes:
            raise refused(FaultKind.MEDIA, f"{one.size_bytes} bytes: {one.kind} takes {limits.size_bytes}")


def _pictures(media: tuple[Media, ...]) -> Embed:
    images = [{"image": _blob(one), "alt": one.alt[:ALT_MAX], **_shape(one)} for one in media]
    return {"$type": IMAGES, "images": images}


def _film(one: Media) -> Embed:
    alt = {"alt": one.alt[:ALT_MAX]} if one.alt else {}
    return {"$type": VIDEO, "video": _blob(one), **alt, **_shape(one)}


def _card(card: Card, picture: Media | None) -> Embed:
    external: dict[str, Any] = {
        "uri": card.url,
        "title": card.title[:_CARD_WORDS_MAX],
        "description": card.description[:_CARD_WORDS_MAX],
    }
    if picture:
        external["thumb"] = _blob(picture)
    return {"$type": EXTERNAL, "external": external}


def quoted(quote: Quote) -> Embed:
    post = place_of(quote.ref) if quote.platform == NAME and quote.ref else None
    if not isinstance(post, Post):
        raise refused(FaultKind.INVALID, "what is quoted isn't a post of this network")
    return {"$type": RECORD, "record": {"uri": post.uri, "cid": post.cid}}


def _shape(one: Media) -> dict[str, Any]:
    if not (one.width_px and one.height_px):
        return {}
    return {"aspectRatio": {"width": one.width_px, "height": one.height_px}}


def _blob(one: Media) -> dict[str, Any]:
    return {
        "$type": "blob",
        "ref": {"$link": blob_cid(one.sha256)},
        "mimeType": one.mime,
        "size": one.size_bytes,
    }


def blob_cid(digest: str) -> str:
    """The address a blob has on every server: CIDv1, raw, SHA-256. So a record can be written before its upload."""
    return "b" + b32encode(b"\x01\x55\x12\x20" + bytes.fromhex(digest)).decode().lower().rstrip("=")


def blob_places(embed: Embed | None) -> Iterator[tuple[dict[str, Any], str]]:
    """Where an embed of ours names its blobs: each an object and its key."""
    match embed:
        case {"$type": "app.bsky.embed.images", "images": images}:
            yield from ((image, "image") for image in images)
        case dict() as film if film.get("$type") == VIDEO:
            yield film, "video"
        case {"$type": "app.bsky.embed.external", "external": external} if "thumb" in external:
            yield external, "thumb"
        case {"$type": "app.bsky.embed.recordWithMedia", "media": media}:
            yield from blob_places(media)


# For people: how a planned record will look.


def media_lines(embed: Embed | None) -> tuple[str, ...]:
    lines = []
    for holder, key in blob_places(embed):
        if key != "thumb":
            blob, alt = holder[key], holder.get("alt", "")
            lines.append(f"{key} {blob['mimeType']}, {blob['size']} bytes: {alt or 'no alt text'}")
    return tuple(lines)


def embed_lines(embed: Embed | None) -> tuple[str, ...]:
    match embed:
        case {"$type": "app.bsky.embed.external", "external": card}:
            return (f"card: {card['title']} ({card['uri']}){', with a picture' if 'thumb' in card else ''}",)
        case {"$type": "app.bsky.embed.record", "record": {"uri": uri}}:
            return (f"quotes {uri}",)
        case {"$type": "app.bsky.embed.recordWithMedia", "record": record, "media": media}:
            return (*embed_lines(media), *embed_lines(record))
    return ()

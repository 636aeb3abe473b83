"""What X shows of a post besides its words: media and polls, as the includes of an answer tell of them."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.world import Message

CONTENT = b"\x89PNG\r\n\x1a\n" + bytes(60)
"""What everybody's media hold here."""


def key(message: Message, index: int) -> str:
    return f"3_{message.id}" if index == 0 else f"3_{message.id}_{index}"


def attachments(message: Message) -> dict[str, list[str]]:
    told = {"media_keys": [key(message, index) for index in range(len(message.media))]}
    if message.extra.get("poll"):
        told["poll_ids"] = [message.id]
    return {name: values for name, values in told.items() if values}


def media(message: Message, server: str, fields: set[str]) -> list[dict[str, Any]]:
    return [_one(message, index, server, fields) for index in range(len(message.media))]


def _one(message: Message, index: int, server: str, fields: set[str]) -> dict[str, Any]:
    held = message.media[index]
    film = held["mime"].startswith("video/")
    told: dict[str, Any] = {"media_key": key(message, index), "type": "video" if film else "photo"}
    url = f"{server}/media/{message.id}/{index}"
    more: dict[str, Any] = {"alt_text": held["alt"], "width": 640, "height": 480}
    if film:
        rates = ((256_000, "low"), (2_176_000, "high"))
        films = [{"bit_rate": rate, "content_type": "video/mp4", "url": f"{url}/{name}.mp4"} for rate, name in rates]
        more["variants"] = [{"content_type": "application/x-mpegURL", "url": f"{url}/list.m3u8"}, *films]
        more["duration_ms"] = 10_500
    else:
        more["url"] = f"{url}/photo.{held['mime'].rpartition('/')[2]}"
    return told | {name: value for name, value in more.items() if name in fields and value}


def poll(message: Message) -> dict[str, Any]:
    asked = message.extra["poll"]
    options = [{"position": n, "label": label, "votes": 0} for n, label in enumerate(asked["options"], 1)]
    return {"id": message.id, "options": options, "duration_minutes": asked["duration_minutes"]}

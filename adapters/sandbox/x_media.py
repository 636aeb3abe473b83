"""X's media v2: initialize, append, finalize, STATUS and metadata, one upload after the other.

Paths, fields and their ranges are openapi.json's (2.168), sizes and lengths media/quickstart/best-practices.mdx's. What
is refused looks as GitHub threads show it (``x_bodies``); for a file above its category's size nobody shows a body.
"""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

from adapters.sandbox import x_bodies, x_films


class Category(NamedTuple):
    """What may be handed in under a media_category."""

    mimes: frozenset[str]
    size_bytes: int
    longest_s: float = 0.0


_PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
_FILMS = frozenset({"video/mp4", "video/quicktime", "video/webm", "video/mp2t"})
_GIFS = frozenset({"image/gif"})
CATEGORIES = {
    "tweet_image": Category(_PICTURES, 5_000_000),
    "tweet_gif": Category(_GIFS, 15_000_000),
    "tweet_video": Category(_FILMS, 8_000_000_000, 1200.0),
    "dm_image": Category(_PICTURES, 5_000_000),
    "dm_gif": Category(_GIFS, 15_000_000),
    "dm_video": Category(_FILMS, 512_000_000, 140.0),
}
"""For accounts without Premium. ``amplify_video`` and ``subtitles`` aren't played here."""
SHORTEST_S = 0.5
TOTAL_BYTES_MAX = 17_179_869_184
ALT_MAX = 1000
WARNINGS = frozenset({"adult_content", "graphic_violence", "other"})
"""openapi.json up to 2.167; since then it only says "object"."""


@dataclass
class Upload:
    """One file on its way in."""

    id: str
    owner: str
    mime: str
    total_bytes: int
    category: str
    sensitive: bool = False
    segments: dict[int, bytes] = field(default_factory=dict)
    alt: str = ""
    state: str = "open"
    error: dict[str, Any] | None = None
    polls: int = 0

    @property
    def data(self) -> bytes:
        return b"".join(self.segments[index] for index in sorted(self.segments))


class Uploads:
    """The files people and bots hand in. ``slow_polls`` is how often STATUS says "in_progress" first."""

    def __init__(self) -> None:
        self._uploads: dict[str, Upload] = {}
        self.begun = 0
        """How many were begun, whatever became of them."""
        self.slow_polls = 0
        self.fails = False
        """Whether processing ends in "failed"."""

    def begin(self, new_id: str, owner: str, body: dict[str, Any]) -> web.Response:
        mime, total = str(body.get("media_type", "")), body.get("total_bytes")
        name = str(body.get("media_category", "tweet_image"))
        category = CATEGORIES.get(name)
        if category is None or mime not in category.mimes:
            return x_bodies.invalid(f"media_type [{mime}] is not valid for media_category [{name}]")
        if not isinstance(total, int) or not 0 <= total <= TOTAL_BYTES_MAX:
            return x_bodies.invalid(f"total_bytes [{total}] is not between 0 and {TOTAL_BYTES_MAX}")
        if total > category.size_bytes:
            return x_bodies.invalid(f"{total} bytes are more than {name} takes")
        self.begun += 1
        self._uploads[new_id] = Upload(new_id, owner, mime, total, name)
        return web.json_response({"data": _told(new_id)})

    def append(self, upload: Upload, body: dict[str, Any]) -> web.Response:
        index, media = body.get("segment_index"), body.get("media")
        if not isinstance(index, int) or not 0 <= index <= 999 or not isinstance(media, str):
            return x_bodies.invalid("segment_index [0..999] and media are required")
        try:
            upload.segments[index] = base64.b64decode(media, validate=True)
        except binascii.Error:
            return x_bodies.invalid("media is not base64")
        return web.json_response({"data": {"expires_at": int(time.time()) + 86_400}})

    def finalize(self, upload: Upload) -> web.Response:
        data = upload.data
        if len(data) != upload.total_bytes:
            return x_bodies.invalid(f"got {len(data)} of {upload.total_bytes} bytes")
        upload.error = _BROKEN if self.fails else _unplayable(upload, data)
        upload.polls = self.slow_polls
        upload.state = "failed" if upload.error else "pending" if upload.polls else "succeeded"
        told = _told(upload.id) | {"size": len(data)}
        if upload.polls or upload.error:
            told["processing_info"] = {"state": "pending", "check_after_secs": 1}
        return web.json_response({"data": told})

    def status(self, upload: Upload) -> web.Response:
        told = _told(upload.id)
        if upload.error is not None:
            told["processing_info"] = {"state": "failed", "progress_percent": 100, "error": upload.error}
        elif upload.polls > 0:
            upload.polls -= 1
            told["processing_info"] = {"state": "in_progress", "check_after_secs": 1, "progress_percent": 50}
        else:
            upload.state = "succeeded"
            told["processing_info"] = {"state": "succeeded", "progress_percent": 100}
        return web.json_response({"data": told})

    def describe(self, body: dict[str, Any], owner: str) -> web.Response:
        upload = self.owned(str(body.get("id", "")), owner)
        metadata = body.get("metadata") or {}
        text = (metadata.get("alt_text") or {}).get("text", "")
        warning = metadata.get("sensitive_media_warning") or {}
        if upload is None or not isinstance(text, str) or len(text) > ALT_MAX or not (text or warning):
            return x_bodies.invalid(f"id or metadata.alt_text.text [1..{ALT_MAX}] is not valid")
        if not set(warning) <= WARNINGS:
            return x_bodies.invalid("metadata.sensitive_media_warning is not valid")
        upload.alt, upload.sensitive = text or upload.alt, any(warning.values()) or upload.sensitive
        return web.json_response({"data": {"id": upload.id, "associated_metadata": metadata}})

    def forget(self) -> None:
        """A day passes: what nobody posted is gone."""
        self._uploads.clear()

    def spoil(self) -> None:
        """Processing ends in "failed", of what is here already."""
        for upload in self._uploads.values():
            upload.error = _BROKEN

    def owned(self, media_id: str, owner: str) -> Upload | None:
        upload = self._uploads.get(media_id)
        return upload if upload is not None and upload.owner == owner else None

    def attached(self, media_ids: list[Any], owner: str, use: str) -> list[dict[str, Any]] | None:
        """What a message holds of these files; None when one of them can't be used there: ``use`` is tweet or dm."""
        uploads = [self.owned(str(media_id), owner) for media_id in media_ids]
        usable = [upload for upload in uploads if upload is not None and _usable(upload, use)]
        return [_shown(upload) for upload in usable] if len(usable) == len(uploads) else None


_BROKEN = {"code": 1, "name": "InvalidMedia", "message": "file is invalid"}
"""abraham/twitteroauth#1185."""


def _unplayable(upload: Upload, data: bytes) -> dict[str, Any] | None:
    """Why processing fails: too long in the words of PLhery/node-twitter-api-v2#243, the other words are unsourced."""
    longest_s = CATEGORIES[upload.category].longest_s
    film = x_films.film(data) if longest_s else None
    if film is None:
        return None
    if film.seconds > longest_s:
        words = f"Duration {_duration(film.seconds)} exceeds max duration of {_duration(longest_s)}"
    elif film.seconds < SHORTEST_S:
        words = f"Duration {_duration(film.seconds)} is below min duration of {_duration(SHORTEST_S)}"
    elif not film.well_shaped:
        words = f"Dimensions {film.width}x{film.height} are not supported"
    elif film.frames_per_s > x_films.FILM_FRAMES_PER_S:
        words = f"Frame rate {film.frames_per_s} exceeds max frame rate of {x_films.FILM_FRAMES_PER_S}"
    else:
        return None
    return {"code": 3, "name": "UnsupportedMedia", "message": words}


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    units = ((minutes, "minutes"), (rest // 1000, "seconds"), (rest % 1000, "milliseconds"))
    return "+".join(f"{count}.{unit}" for count, unit in units if count) or "0.seconds"


def _usable(upload: Upload, use: str) -> bool:
    """A category of the other use is refused, and so is a GIF of more than X takes apart, both as late as this."""
    if upload.state != "succeeded" or not upload.category.startswith(f"{use}_"):
        return False
    return not upload.category.endswith("_gif") or x_films.fits_gif(upload.data)


def _shown(upload: Upload) -> dict[str, Any]:
    shown = {"mime": upload.mime, "size_bytes": upload.total_bytes, "alt": upload.alt}
    marks = {"sensitive": upload.sensitive, "moves": upload.category.endswith("_gif")}
    return shown | {name: True for name, is_so in marks.items() if is_so}


def _told(media_id: str) -> dict[str, Any]:
    return {"id": media_id, "media_key": f"3_{media_id}", "expires_after_secs": 86_400}

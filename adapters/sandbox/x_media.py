"""X's media v2: initialize, append, finalize, STATUS and metadata, one upload after the other."""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from adapters.sandbox import x_bodies

CATEGORIES = {
    "image": (frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"}), 5_000_000),
    "gif": (frozenset({"image/gif"}), 15_000_000),
    "video": (frozenset({"video/mp4", "video/quicktime"}), 512_000_000),
}
"""By media_category, after its tweet_ or dm_: types and bytes (best-practices.mdx)."""


@dataclass
class Upload:
    """One file on its way in."""

    id: str
    owner: str
    mime: str
    total_bytes: int
    category: str = "image"
    sensitive: bool = False
    segments: dict[int, bytes] = field(default_factory=dict)
    alt: str = ""
    state: str = "open"
    polls: int = 0

    @property
    def size_bytes(self) -> int:
        return sum(len(segment) for segment in self.segments.values())


class Uploads:
    """The files people and bots hand in. ``slow_polls`` is how often STATUS says "in_progress" first."""

    def __init__(self) -> None:
        self._uploads: dict[str, Upload] = {}
        self.slow_polls = 0
        self.fails = False
        """Whether processing ends in "failed"."""

    def begin(self, new_id: str, owner: str, body: dict[str, Any]) -> web.Response:
        mime, total = str(body.get("media_type", "")), body.get("total_bytes")
        category = str(body.get("media_category", "tweet_image")).removeprefix("tweet_").removeprefix("dm_")
        mimes, most = CATEGORIES.get(category, (frozenset(), 0))
        if mime not in mimes or not isinstance(total, int) or total <= 0:
            return x_bodies.invalid(f"media_type [{mime}] or total_bytes [{total}] is not valid for [{category}]")
        if total > most:
            return x_bodies.invalid("The file size exceeds the allowed maximum")
        self._uploads[new_id] = Upload(new_id, owner, mime, total, category)
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
        if upload.size_bytes != upload.total_bytes:
            return x_bodies.invalid(f"got {upload.size_bytes} of {upload.total_bytes} bytes")
        upload.polls = self.slow_polls
        upload.state = "failed" if self.fails else "pending" if upload.polls else "succeeded"
        told = _told(upload.id) | {"size": upload.size_bytes}
        if upload.polls or self.fails:
            told["processing_info"] = {"state": "pending", "check_after_secs": 1}
        return web.json_response({"data": told})

    def status(self, upload: Upload) -> web.Response:
        told = _told(upload.id)
        if upload.state == "failed":
            error = {"code": 1, "name": "InvalidMedia", "message": "Unsupported or corrupt image"}
            told["processing_info"] = {"state": "failed", "error": error}
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
        if upload is None or not isinstance(text, str) or len(text) > 1000 or not (text or warning):
            return x_bodies.invalid("id or metadata.alt_text.text [1..1000] is not valid")
        if not set(warning) <= {"adult_content", "graphic_violence", "other"}:
            return x_bodies.invalid("metadata.sensitive_media_warning is not valid")
        upload.alt, upload.sensitive = text or upload.alt, any(warning.values()) or upload.sensitive
        return web.json_response({"data": {"id": upload.id, "associated_metadata": metadata}})

    def owned(self, media_id: str, owner: str) -> Upload | None:
        upload = self._uploads.get(media_id)
        return upload if upload is not None and upload.owner == owner else None

    def attached(self, media_ids: list[Any], owner: str) -> list[dict[str, Any]] | None:
        """What a message holds of these files; None when one of them can't be used."""
        uploads = [self.owned(str(media_id), owner) for media_id in media_ids]
        if any(upload is None or upload.state != "succeeded" for upload in uploads):
            return None
        return [_shown(upload) for upload in uploads if upload is not None]


def _shown(upload: Upload) -> dict[str, Any]:
    shown = {"mime": upload.mime, "size_bytes": upload.size_bytes, "alt": upload.alt}
    marks = {"sensitive": upload.sensitive, "moves": upload.category == "gif"}
    return shown | {name: True for name, is_so in marks.items() if is_so}


def _told(media_id: str) -> dict[str, Any]:
    return {"id": media_id, "media_key": f"3_{media_id}", "expires_after_secs": 86_400}

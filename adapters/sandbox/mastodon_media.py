"""The files of a Mastodon instance: uploads, what is refused of them, how they are shown and served."""

from __future__ import annotations

import mimetypes
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from aiohttp import web

IMAGE_BYTES = 16_777_216
IMAGE_PIXELS = 33_177_600
GIF_PIXELS = 921_600
LARGE_BYTES = 103_809_024
VIDEO_PIXELS = 8_294_400
ALT_MAX = 1_500
IMAGE_MIMES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/heic", "image/heif")
VIDEO_MIMES = ("video/webm", "video/mp4", "video/quicktime", "video/ogg")
AUDIO_MIMES = (
    *("audio/mpeg", "audio/mp3", "audio/ogg", "audio/vorbis", "audio/webm", "audio/flac", "audio/aac", "audio/mp4"),
    *("audio/wav", "audio/wave", "audio/x-wav", "audio/x-pn-wave", "audio/vnd.wave", "audio/m4a", "audio/x-m4a"),
    "audio/3gpp",
)
MIMES = (*IMAGE_MIMES, *VIDEO_MIMES, *AUDIO_MIMES)
KEPT_MAX = 200
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


class Files:
    """What was uploaded, by id; the bytes of the last few."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._media: dict[str, dict[str, Any]] = {}
        self._bytes: OrderedDict[str, bytes] = OrderedDict()

    def add(self, data: bytes, mime: str, alt: str, pending: int = 0) -> dict[str, Any]:
        width, height = measures(data)
        kind = "gifv" if data.count(b"\x00\x21\xf9\x04") > 1 and mime == "image/gif" else mime.partition("/")[0]
        media: dict[str, Any] = {
            "id": self._new_id(),
            "mime": mime,
            "size_bytes": len(data),
            "alt": alt,
            "pending": pending,
            "type": kind,
            "width": width,
            "height": height,
        }
        self._media[media["id"]] = media
        self._bytes[media["id"]] = data
        if len(self._bytes) > KEPT_MAX:
            self._bytes.popitem(last=False)
        return media

    def get(self, media_id: Any) -> dict[str, Any] | None:
        return self._media.get(str(media_id))

    def look(self, media_id: str) -> dict[str, Any] | None:
        """As it is now; each look brings it nearer to its end."""
        media = self._media.get(media_id)
        if media is None:
            return None
        shown = dict(media)
        media["pending"] = max(0, media["pending"] - 1)
        return shown

    def forget(self, statuses: set[str]) -> None:
        self._media = {key: media for key, media in self._media.items() if media.get("status") not in statuses}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        media_id = request.match_info["id"].partition(".")[0]
        media = self._media.get(media_id)
        if media is None or media_id not in self._bytes:
            return web.Response(status=404)
        return web.Response(body=self._bytes[media_id], content_type=media["mime"])


def refused_file(mime: str, data: bytes, alt: str) -> str | None:
    """Why a file is refused; word for word what masto media_attachment.rb and attachmentable.rb say."""
    if mime not in MIMES:
        return "file_type"
    large = mime not in IMAGE_MIMES
    if len(data) > (LARGE_BYTES if large else IMAGE_BYTES):
        return f"Validation failed: File must be less than {99 if large else 16} MB"
    if len(alt) > ALT_MAX:
        return f"Validation failed: Description is too long (maximum is {ALT_MAX} characters)"
    width, height = measures(data)
    if width * height > (GIF_PIXELS if mime == "image/gif" else IMAGE_PIXELS):
        return f"{width}x{height} images are not supported"
    return None


def measures(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG or a GIF; of others nothing is known here."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return width, height
    return 0, 0


def attachment(media: dict[str, Any], server: str) -> dict[str, Any]:
    """A media attachment; without an address while it is being processed."""
    ending = mimetypes.guess_extension(media["mime"]) or ""
    url = f"{server}/system/{media['id']}{ending}" if not media.get("pending") else None
    width, height = media["width"], media["height"]
    original = (
        {"width": width, "height": height, "size": f"{width}x{height}", "aspect": width / height} if height else {}
    )
    return {
        "id": media["id"],
        "type": media["type"],
        "url": url,
        "preview_url": url,
        "remote_url": None,
        "meta": {"original": original} if original else {},
        "description": media["alt"] or None,
        "blurhash": None,
    }

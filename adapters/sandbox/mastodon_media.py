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
VIDEO_FRAMES_PER_S = 120
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

    def add(self, data: bytes, mime: str, alt: str, pending: int = 0, *, owner: str = "") -> dict[str, Any]:
        width, height = measures(data)
        kind = "gifv" if data.count(b"\x00\x21\xf9\x04") > 1 and mime == "image/gif" else mime.partition("/")[0]
        media: dict[str, Any] = {
            "id": self._new_id(),
            "owner": owner,
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

    def get(self, media_id: str, owner: str) -> dict[str, Any] | None:
        """One of the owner's: nobody posts the files of others."""
        media = self._media.get(media_id)
        return media if media and media["owner"] == owner else None

    def look(self, media_id: str, owner: str) -> dict[str, Any] | None:
        """As it is now; each look brings it nearer to its end."""
        media = self.get(media_id, owner)
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
    """Why a file is refused, in masto's order and words: its sides first (attachmentable.rb, media_attachment.rb), then
    all that isn't valid of it, and what can't be read as a picture last.
    """
    if refused := _refused_sides(mime, data):
        return refused
    wrong = []
    if mime not in MIMES:
        wrong += ["File content type is invalid", "File is invalid"]
    large = mime in (*VIDEO_MIMES, *AUDIO_MIMES)
    if len(data) >= (LARGE_BYTES if large else IMAGE_BYTES):
        size = f"must be less than {99 if large else 16} MB"
        wrong += [f"File file size {size}", f"File {size}"]
    if len(alt) > ALT_MAX:
        wrong.append(f"Description is too long (maximum is {ALT_MAX} characters)")
    if not wrong and mime in IMAGE_MIMES and not _is_picture(data):
        wrong.append("File Paperclip::Errors::NotIdentifiedByImageMagickError")
    return f"Validation failed: {', '.join(wrong)}" if wrong else None


def _refused_sides(mime: str, data: bytes) -> str | None:
    width, height = measures(data)
    if mime == "image/gif" and width * height > GIF_PIXELS:
        return f"{width}x{height} GIF files are not supported"
    if mime.startswith("image/") and width * height > IMAGE_PIXELS:
        return f"{width}x{height} images are not supported"
    if mime in VIDEO_MIMES and width * height > VIDEO_PIXELS:
        return f"{width}x{height} videos are not supported"
    if mime in VIDEO_MIMES and (frames_per_s := _frames_per_s(data)) > VIDEO_FRAMES_PER_S:
        return f"{frames_per_s}fps videos are not supported"
    return None


def _is_picture(data: bytes) -> bool:
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")) or data[4:8] == b"ftyp"


def measures(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG, a GIF or an MP4; of others nothing is known here."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return width, height
    width, height = _numbers(_box(_pictures(data), b"tkhd"), 76)
    return width >> 16, height >> 16


def _frames_per_s(data: bytes) -> int:
    """How many samples its pictures have, by how long they last (ISO 14496-12)."""
    track = _pictures(data)
    per_s, units = _numbers(_box(track, b"mdhd"), 12)
    samples = _box(track, b"stts")
    runs = min(_numbers(samples, 4)[0], len(samples) // 8)
    frames = sum(_numbers(samples, 8 + 8 * run)[0] for run in range(runs))
    return frames * per_s // units if units else 0


def _pictures(data: bytes) -> bytes:
    """A film's first track of pictures."""
    return next((track for track in data.split(b"trak")[1:] if b"vide" in track), b"")


def _box(data: bytes, name: bytes) -> bytes:
    return data.partition(name)[2]


def _numbers(data: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack(">II", data[at : at + 8].ljust(8, b"\0"))
    return first, second


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

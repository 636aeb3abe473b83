"""From bytes to what is known of them: their type, their size, how long they play; and the bytes without notes on their
maker. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.media import bare, films, headers
from gateway.media.errors import MediaError
from gateway.media.headers import Measures
from gateway.media.kinds import KNOWN, sniffed

PICTURE_MAX_BYTES = 32 * 1024 * 1024
"""What moves included. A larger one is no picture to post, and decoding it would cost too much."""
PIXELS_MAX = 52_000_000
"""Of one picture, before it is decoded: some more than the largest that telephones take by themselves."""
SCANS_MAX = 200
"""Of a JPEG. Encoders make about ten; a script for libjpeg's names 100 at most (MAX_SCANS in its rdswitch.c)."""
PLANES_MAX = 2
"""What an AVIF consists of: its colours, and what is clear of it."""


class Probed(NamedTuple):
    """Bytes to keep, and what they are."""

    data: bytes
    mime: str
    measures: Measures


_MEASURES = {
    "image/jpeg": headers.jpeg,
    "image/png": headers.png,
    "image/webp": headers.webp,
    "image/avif": films.picture,
    "image/heic": films.picture,
    "image/heif": films.picture,
    "video/mp4": films.mp4,
    "video/quicktime": films.mp4,
    "audio/mp4": films.mp4,
    "video/webm": films.webm,
    "audio/wav": headers.wav,
}


def probed(data: bytes) -> Probed:
    """Raises MediaError."""
    mime = sniffed(data)
    if not data:
        raise MediaError("it is empty")
    if mime is None:
        raise MediaError(f"it is none of {KNOWN}")
    try:
        return _picture(data, mime) if mime.startswith("image/") else _other(data, mime)
    except bare.BrokenError as error:
        raise MediaError(f"it is broken: {error}") from error


def _other(data: bytes, mime: str) -> Probed:
    measures = _measured(data, mime)
    if mime in ("video/mp4", "video/quicktime", "audio/mp4"):
        data = films.bare(data)
    return Probed(data, measures.mime or mime, measures)


def _measured(data: bytes, mime: str) -> Measures:
    return _MEASURES[mime](data) if mime in _MEASURES else headers.UNKNOWN


def _picture(data: bytes, mime: str) -> Probed:
    if len(data) > PICTURE_MAX_BYTES:
        raise MediaError(f"it has {len(data)} bytes; a picture has {PICTURE_MAX_BYTES} at most")
    measures = _gif(data) if mime == "image/gif" else _measured(data, mime)
    if not measures.width_px or not measures.height_px:
        raise MediaError("it is broken: it doesn't say how large it is")
    if measures.width_px * measures.height_px > PIXELS_MAX:
        raise MediaError(
            f"it has {measures.width_px} x {measures.height_px} pixels; {PIXELS_MAX:,} in all are the most"
        )  # fmt: skip
    _decodable(data, mime)
    return Probed(_without_notes(data, mime) if measures.animated else data, mime, measures)


def _decodable(data: bytes, mime: str) -> None:
    """Where decoding it costs more than its size says. Raises MediaError and BrokenError."""
    if mime == "image/jpeg" and headers.scans(data) > SCANS_MAX:
        raise MediaError(f"it has more than {SCANS_MAX} scans: it would take too long to decode")
    if mime == "image/avif" and (pixels := films.coded_pixels(data)) > PLANES_MAX * PIXELS_MAX:
        raise MediaError(f"the pictures in it have {pixels} pixels; {PLANES_MAX * PIXELS_MAX:,} in all are the most")


def _gif(data: bytes) -> Measures:
    found = bare.gif(data)
    if found.frames == 1:
        return Measures(found.width_px, found.height_px)
    return Measures(found.width_px, found.height_px, found.duration_s, animated=True, frames=found.frames)


def _without_notes(data: bytes, mime: str) -> bytes:
    match mime:
        case "image/gif":
            return bare.gif(data).data
        case "image/png":
            return bare.png(data)
        case "image/webp":
            return bare.webp(data)
    raise MediaError(f"{mime} that moves can't be read here")

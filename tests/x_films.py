"""Films and GIFs that say of themselves what a test wants."""

from __future__ import annotations

import struct
from io import BytesIO

from PIL import Image


def film(seconds: float = 5.0, width: int = 640, height: int = 360, frames: int = 0) -> bytes:
    """An MP4 without a picture in it: the heads of a movie and of its track."""
    length = _box(b"mvhd", struct.pack(">B3x4I", 0, 0, 0, 1000, round(seconds * 1000)), bytes(80))
    head = struct.pack(">B3x5I52x2I", 0, 0, 0, 1, 0, round(seconds * 1000), width << 16, height << 16)
    table = _box(b"stts", struct.pack(">4I", 0, 1, frames, 1)) if frames else b""
    media = _box(b"mdia", _box(b"hdlr", bytes(8), b"vide", bytes(13)), _box(b"minf", _box(b"stbl", table)))
    track = _box(b"trak", _box(b"tkhd", head), media)
    return _box(b"ftyp", b"isom", bytes(4), b"isom") + _box(b"moov", length, track)


def _box(kind: bytes, *inside: bytes) -> bytes:
    body = b"".join(inside)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def gif(width: int = 20, height: int = 10, frames: int = 1) -> bytes:
    first, *others = [Image.new("RGB", (width, height), (n % 256, n // 256, 0)) for n in range(frames)]
    written = BytesIO()
    first.save(written, "GIF", save_all=True, append_images=others, duration=100)
    return written.getvalue()

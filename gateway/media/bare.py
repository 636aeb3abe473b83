"""Pictures that move go out as they came, frame for frame, but for what they tell of their maker: comments, XMP and
EXIF are cut out of their containers. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from gateway.media.headers import STEPS_MAX


class BrokenError(ValueError):
    """The container ends too early, or its pieces make no sense."""


class Gif(NamedTuple):
    """A GIF without its comments."""

    data: bytes
    frames: int
    duration_s: float
    width_px: int
    """Of what a decoder makes room for: its screen is as large as the frames want it, whatever the header says."""
    height_px: int


_COMMENT, _CONTROL, _APPLICATION = 0xFE, 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
FRAMES_MAX = 20_000


def gif(data: bytes) -> Gif:
    """Raises BrokenError."""
    kept: list[bytes] = []
    frames = hundredths = 0
    for piece in _gif_pieces(data):
        if piece[:1] == b"\x21":
            if piece[1] == _CONTROL:
                hundredths += int.from_bytes(piece[4:6], "little")
            if piece[1] == _COMMENT or (piece[1] == _APPLICATION and piece[3:14] not in _LOOPS):
                continue
        frames += piece[:1] == b"\x2c"
        if frames > FRAMES_MAX:
            raise BrokenError(f"it has more than {FRAMES_MAX} frames")
        kept.append(piece)
    if not frames:
        raise BrokenError("there is no picture in it")
    return Gif(b"".join(kept), frames, hundredths / 100, *_canvas(kept))


def _canvas(pieces: list[bytes]) -> tuple[int, int]:
    """What the header says, and what of a frame is beyond that."""
    width, height = struct.unpack_from("<2H", pieces[0], 6)
    for piece in pieces:
        if piece[:1] == b"\x2c":
            left, top, frame_width, frame_height = struct.unpack_from("<4H", piece, 1)
            width, height = max(width, left + frame_width), max(height, top + frame_height)
    return width, height


def _gif_pieces(data: bytes) -> Iterator[bytes]:
    """The header, each extension and each frame, and the end; what stands behind that is left out."""
    if len(data) < 13:
        raise BrokenError("it ends too early")
    at = 13 + _colours(data[10])
    yield data[:at]
    while at < len(data):
        match data[at]:
            case 0x3B:
                yield b"\x3b"
                return
            case 0x21:
                end = _after_blocks(data, at + 2)
            case 0x2C if at + 10 <= len(data):
                end = _after_blocks(data, at + 11 + _colours(data[at + 9]))
            case _:
                raise BrokenError("there is something in it that is no GIF")
        yield data[at:end]
        at = end
    raise BrokenError("it ends too early")


def _colours(flags: int) -> int:
    """The bytes of a colour table."""
    return 3 << ((flags & 0x07) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    if at >= len(data):
        raise BrokenError("it ends too early")
    return at + 1


_PNG_NOTES = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"})
_WEBP_NOTES = frozenset({b"EXIF", b"XMP "})


def png(data: bytes) -> bytes:
    """Raises BrokenError."""
    kept, at = [data[:8]], 8
    for _ in range(STEPS_MAX):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if at + 12 > len(data) or end > len(data):
            break
        kind = data[at + 4 : at + 8]
        if kind not in _PNG_NOTES:
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end
    raise BrokenError("it ends too early")


def webp(data: bytes) -> bytes:
    """Raises BrokenError."""
    kept, at = [], 12
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise BrokenError("it ends too early")
    for _ in range(STEPS_MAX):
        if at + 8 > end:
            break
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        chunk = data[at : at + 8 + size + size % 2]
        if len(chunk) < 8 + size:
            raise BrokenError("it ends too early")
        if chunk[:4] == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~0x0C]) + chunk[9:]
        if chunk[:4] not in _WEBP_NOTES:
            kept.append(chunk)
        at += len(chunk)
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body

"""What a film or a GIF says of itself, as far as X refuses one for it: media/quickstart/best-practices.mdx."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

SIDE_LEAST_PX = 32
SHAPE_MAX = 3
"""From 1:3 to 3:1."""
GIF_SIDES = (1280, 1080)
GIF_FRAMES = 350
GIF_PIXELS = 300_000_000
"""Of all its frames."""
FILM_FRAMES_PER_S = 60


class Film(NamedTuple):
    seconds: float
    width: int
    height: int
    frames: int

    @property
    def frames_per_s(self) -> int:
        return int(self.frames / self.seconds) if self.seconds else 0

    @property
    def well_shaped(self) -> bool:
        short, long = sorted((self.width, self.height))
        return not long or (short >= SIDE_LEAST_PX and long <= SHAPE_MAX * short)


def film(data: bytes) -> Film | None:
    """An MP4 or QuickTime film by the heads of its movie and its tracks (ISO 14496-12); None where there is none."""
    at = data.find(b"mvhd") + 4
    layout, skipped = (">IQ", 20) if data[at : at + 1] == b"\x01" else (">II", 12)
    if at < 4 or len(data) < at + skipped + struct.calcsize(layout):
        return None
    per_s, units = struct.unpack_from(layout, data, at + skipped)
    sizes = [_size(data, head.end()) for head in re.finditer(b"tkhd", data)]
    width, height = max(sizes, default=(0, 0))
    return Film(units / per_s, width, height, _samples(data)) if per_s else None


def _samples(data: bytes) -> int:
    """Of the first track of pictures."""
    track = next((track for track in data.split(b"trak")[1:] if b"vide" in track), b"")
    table = track.partition(b"stts")[2]
    runs = min(int.from_bytes(table[4:8]), len(table) // 8)
    return sum(int.from_bytes(table[at : at + 4]) for at in range(8, 8 + 8 * runs, 8))


def _size(data: bytes, at: int) -> tuple[int, int]:
    """Of a track; a sound has none."""
    at += 88 if data[at : at + 1] == b"\x01" else 76
    if len(data) < at + 8:
        return (0, 0)
    width, height = struct.unpack_from(">II", data, at)
    return (width >> 16, height >> 16)


def fits_gif(data: bytes) -> bool:
    """Whether X takes it apart. What is no GIF has no frames, and is somebody else's to refuse."""
    if len(data) < 13 or not data.startswith(b"GIF8"):
        return True
    width, height = struct.unpack_from("<HH", data, 6)
    count = _frames(data)
    if width > GIF_SIDES[0] or height > GIF_SIDES[1]:
        return False
    return count <= GIF_FRAMES and width * height * count <= GIF_PIXELS


def _frames(data: bytes) -> int:
    """Counted along its blocks (GIF89a, 18 to 26)."""
    at, count = 13 + _colours(data, 10), 0
    while at < len(data):
        if data[at] == 0x2C:
            count += 1
            at = _after(data, at + 11 + _colours(data, at + 9))
        elif data[at] == 0x21:
            at = _after(data, at + 2)
        else:
            break
    return count


def _colours(data: bytes, at: int) -> int:
    """Bytes of the table of colours that the flags there announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after(data: bytes, at: int) -> int:
    """Where the chain of blocks that begins there ends."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1

"""What the headers of pictures say: their size, and whether they move. Pure, and bounded by the bytes there are."""

from __future__ import annotations

import re
from typing import NamedTuple


class Measures(NamedTuple):
    """What a header tells; None where it doesn't."""

    width_px: int | None = None
    height_px: int | None = None
    duration_s: float | None = None
    animated: bool = False
    frames: int | None = None
    mime: str = ""
    """Where the bytes are of another type than they seemed by their beginning."""


UNKNOWN = Measures()
STEPS_MAX = 20_000
"""Pieces of a file that are looked at; one with more is not understood."""


def png(data: bytes) -> Measures:
    if data[12:16] != b"IHDR" or len(data) < 26:
        return UNKNOWN
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    return Measures(width, height, animated=_has_chunk(data, b"acTL", before=b"IDAT"))


def _has_chunk(data: bytes, wanted: bytes, *, before: bytes) -> bool:
    at = 8
    for _ in range(STEPS_MAX):
        kind = data[at + 4 : at + 8]
        if kind in (wanted, before):
            return kind == wanted
        at += 12 + int.from_bytes(data[at : at + 4])
    return False


_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})
"""Markers among those of frames that are none."""


def jpeg(data: bytes) -> Measures:
    at = 2
    for _ in range(STEPS_MAX):
        if at + 9 > len(data) or data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            return Measures(int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7]))
        if marker == 0xDA:
            break
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return UNKNOWN


_SEGMENT = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
"""Never in what a scan consists of; and neither the marks of restarts, nor those that have no length."""
_SCAN, _END = 0xDA, 0xD9


def scans(data: bytes) -> int:
    """How many a JPEG has, or STEPS_MAX where it isn't understood. For each of them, be it of ten bytes, a decoder goes
    over the whole picture: https://github.com/libjpeg-turbo/libjpeg-turbo/issues/284.
    """
    found, at = 0, 2
    for _ in range(STEPS_MAX):
        marker = _SEGMENT.search(data, at)
        if marker is None or data[marker.end() - 1] == _END:
            return found
        found += data[marker.end() - 1] == _SCAN
        at = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2]))
    return STEPS_MAX


def webp(data: bytes) -> Measures:
    form, body = data[12:16], data[20:30]
    if len(body) < 10:
        return UNKNOWN
    if form == b"VP8X":
        width, height = (1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
        return Measures(width, height, animated=bool(body[0] & 0x02))
    if form == b"VP8 ":
        width, height = (int.from_bytes(body[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        return Measures(width, height)
    if form == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return Measures((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    return UNKNOWN


def wav(data: bytes) -> Measures:
    at, per_s = 12, 0
    for _ in range(STEPS_MAX):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"fmt ":
            per_s = int.from_bytes(data[at + 16 : at + 20], "little")
        elif data[at : at + 4] == b"data":
            return Measures(duration_s=max(0, min(size, len(data) - at - 8)) / per_s) if per_s else UNKNOWN
        at += 8 + size + size % 2
    return UNKNOWN

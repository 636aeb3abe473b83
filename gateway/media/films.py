"""What films and sounds say of themselves: length and size, from the boxes of MP4 and QuickTime and the elements of
WebM. Pure. Each is walked along a few known names, so that no nesting matters.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from gateway.media import av1
from gateway.media.bare import BrokenError
from gateway.media.headers import STEPS_MAX, UNKNOWN, Measures

HOURS_MAX_S = 86_400 * 30


class _Box(NamedTuple):
    kind: bytes
    start: int
    """Of what is in it."""
    end: int


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    for _ in range(STEPS_MAX):
        if start + 8 > end:
            return
        size, kind, header = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8], 8
        if size == 1:
            size, header = int.from_bytes(data[start + 8 : start + 16]), 16
        elif size == 0:
            size = end - start
        if size < header:
            return
        yield _Box(kind, start + header, min(start + size, end))
        start += size


def _inside(data: bytes, box: _Box | None, *path: bytes) -> Iterator[_Box]:
    """Every box at the end of a path of names; all of the file's for None."""
    head, rest = path[0], path[1:]
    for one in _boxes(data, box.start if box else 0, box.end if box else len(data)):
        if one.kind == head:
            yield from _inside(data, one, *rest) if rest else (one,)


def mp4(data: bytes) -> Measures:
    """A film, or a sound where no track of it is one."""
    tracks = [(_handler(data, box), box) for box in _inside(data, None, b"moov", b"trak")]
    duration_s = next((_duration_s(data, box) for box in _inside(data, None, b"moov", b"mvhd")), None)
    film = next((box for handler, box in tracks if handler == b"vide"), None)
    if film is None:
        return Measures(duration_s=duration_s, mime="audio/mp4" if tracks else "")
    return Measures(*_size(data, film), duration_s, frames=_frames(data, film))


def _duration_s(data: bytes, box: _Box) -> float | None:
    wide = data[box.start : box.start + 1] == b"\x01"
    at, length = (box.start + 20, 8) if wide else (box.start + 12, 4)
    if at + 4 + length > box.end:
        return None
    per_s, units = int.from_bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 4 + length])
    if not per_s or not units or units == (1 << 8 * length) - 1:
        return None
    return min(units / per_s, HOURS_MAX_S)


def _handler(data: bytes, track: _Box) -> bytes:
    """What plays it."""
    return next((data[box.start + 8 : box.start + 12] for box in _inside(data, track, b"mdia", b"hdlr")), b"")


def _size(data: bytes, track: _Box) -> tuple[int | None, int | None]:
    """As it is shown."""
    head = next(_inside(data, track, b"tkhd"), None)
    if head is None or head.end - head.start < 84:
        return None, None
    *matrix, width, height = struct.unpack(">9i2I", data[head.end - 44 : head.end])
    lies = matrix[0] == 0 and matrix[4] == 0  # turned by a quarter
    size = (height >> 16, width >> 16) if lies else (width >> 16, height >> 16)
    return size[0] or None, size[1] or None


def _frames(data: bytes, track: _Box) -> int | None:
    """How many samples its table has: runs of those that last equally long."""
    table = next(_inside(data, track, b"mdia", b"minf", b"stbl", b"stts"), None)
    if table is None:
        return None
    runs = data[table.start + 8 : min(table.end, table.start + 8 + 8 * STEPS_MAX)]
    return sum(count for count, _ in struct.iter_unpack(">2I", runs[: len(runs) // 8 * 8])) or None


def picture(data: bytes) -> Measures:
    """An AVIF or HEIC: the largest of its pictures."""
    sizes = [
        struct.unpack(">2I", data[box.start + 4 : box.start + 12])
        for meta in _inside(data, None, b"meta")
        for box in _inside(data, meta._replace(start=meta.start + 4), b"iprp", b"ipco", b"ispe")
        if box.end - box.start >= 12
    ]
    width, height = max(sizes, default=(None, None), key=lambda size: size[0] * size[1])
    return Measures(width, height, animated=data[8:12] != b"avif" and _has_tracks(data))


def _has_tracks(data: bytes) -> bool:
    """A decoder prefers them, but for the brand "avif"."""
    return data[8:12] == b"avis" or next(_inside(data, None, b"moov"), None) is not None


def coded_pixels(data: bytes) -> int:
    """Of all pictures in an AVIF, as they say it themselves. Raises BrokenError."""
    total = size = 0
    for one in _items(data):
        size += len(one)
        if size > len(data):
            raise BrokenError("its pieces lie over each other")
        total += av1.pixels(one)
    if not total:
        raise BrokenError("there is no picture in it")
    return total


def _items(data: bytes) -> Iterator[bytes]:
    """Each item's extents, put together."""
    for whole in _inside(data, None, b"meta"):
        meta = whole._replace(start=whole.start + 4)
        idat = next(_inside(data, meta, b"idat"), _Box(b"idat", 0, 0))
        for box in _inside(data, meta, b"iloc"):
            yield from _located(data, _Numbers(data[box.start : box.end]), idat)


class _Numbers:
    """Read one after the other; noughts behind the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, length: int) -> int:
        self._at += length
        return int.from_bytes(self._data[self._at - length : self._at].ljust(length, b"\0"))

    def over(self) -> bool:
        return self._at >= len(self._data)


def _located(data: bytes, told: _Numbers, idat: _Box) -> Iterator[bytes]:
    version = told.take(4) >> 24
    sizes = told.take(2)
    wide = 4 if version > 1 else 2
    for _ in range(told.take(wide)):
        if told.over():
            return
        told.take(wide)
        inside = bool(version and told.take(2) & 0x0F)
        told.take(2)
        start = told.take(sizes >> 4 & 0x0F) + (idat.start if inside else 0)
        item = bytearray()
        for _ in range(told.take(2)):
            told.take(sizes & 0x0F if version else 0)
            at = start + told.take(sizes >> 12)
            item += data[at : at + told.take(sizes >> 8 & 0x0F)]
            if len(item) > len(data):
                break
        yield bytes(item)


_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def bare(data: bytes) -> bytes:
    """An MP4 whose notes (the place it was filmed at among them) are blanks of the same length."""
    places = [*_inside(data, None, b"udta"), *_inside(data, None, b"meta")]
    places += [box for box in _inside(data, None, b"uuid") if data[box.start : box.start + 16] == _XMP]
    for kind in (b"udta", b"meta"):
        places += [*_inside(data, None, b"moov", kind), *_inside(data, None, b"moov", b"trak", kind)]
    if not places:
        return data
    blanked = bytearray(data)
    for box in places:
        at = data.rfind(box.kind, max(0, box.start - 12), box.start)
        blanked[at : at + 4] = b"free"
        blanked[box.start : box.end] = bytes(box.end - box.start)
    return bytes(blanked)


# WebM.

_SEGMENT, _INFO, _SCALE, _LENGTH = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489
_TRACKS, _TRACK, _VIDEO, _WIDTH, _HEIGHT = 0x1654AE6B, 0xAE, 0xE0, 0xB0, 0xBA
_CLUSTER = 0x1F43B675
_NANO = 1e-9


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Each element's name, and where its contents start and end."""
    for _ in range(STEPS_MAX):
        name_length = _length(data, start, end)
        size_length = _length(data, start + name_length, end)
        if not name_length or not size_length:
            return
        name = int.from_bytes(data[start : start + name_length])
        at = start + name_length
        whole = (1 << 7 * size_length) - 1
        size = int.from_bytes(data[at : at + size_length]) & whole
        first = at + size_length
        last = end if size == whole else min(first + size, end)
        yield name, first, last
        start = last


def _length(data: bytes, at: int, end: int) -> int:
    """How many bytes a number has whose first one stands here; 0 for none."""
    if at >= end or not data[at]:
        return 0
    length = 9 - data[at].bit_length()
    return length if at + length <= end else 0


def webm(data: bytes) -> Measures:
    found: dict[int, bytes] = {}
    has_film = False
    for name, start, end in _elements(data, 0, len(data)):
        if name != _SEGMENT:
            continue
        for part, first, last in _elements(data, start, end):
            if part == _CLUSTER:
                break
            if part == _INFO:
                found |= _values(data, first, last, (_SCALE, _LENGTH))
            if part == _TRACKS:
                film = _film(data, first, last)
                has_film = has_film or film is not None
                found |= film or {}
    if not found:
        return UNKNOWN
    return Measures(
        int.from_bytes(found.get(_WIDTH, b"")) or None,
        int.from_bytes(found.get(_HEIGHT, b"")) or None,
        _webm_duration_s(found),
        mime="" if has_film else "audio/webm",
    )


def _values(data: bytes, start: int, end: int, wanted: tuple[int, ...]) -> dict[int, bytes]:
    return {name: data[first:last][:8] for name, first, last in _elements(data, start, end) if name in wanted}


def _film(data: bytes, start: int, end: int) -> dict[int, bytes] | None:
    for name, first, last in _elements(data, start, end):
        if name == _TRACK:
            for inner, begin, beyond in _elements(data, first, last):
                if inner == _VIDEO:
                    return _values(data, begin, beyond, (_WIDTH, _HEIGHT))
    return None


def _webm_duration_s(found: dict[int, bytes]) -> float | None:
    told = found.get(_LENGTH, b"")
    if len(told) not in (4, 8):
        return None
    scale = int.from_bytes(found.get(_SCALE, b"")) or 1_000_000
    units: float = struct.unpack(">f" if len(told) == 4 else ">d", told)[0]
    seconds = units * scale * _NANO
    return min(seconds, HOURS_MAX_S) if 0 < seconds < float("inf") else None

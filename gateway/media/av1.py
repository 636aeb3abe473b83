"""How large pictures of AV1 are by their own word. A decoder makes room for that, whatever the boxes around them say,
and only then fits it to those (seen with libavif 1.4.2: 1.2 kB that said 10 x 10 took 120 MB). Pure.

The names are those of the specification: https://aomediacodec.github.io/av1-spec/#sequence-header-obu-syntax
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.media.bare import BrokenError
from gateway.media.headers import STEPS_MAX

_SEQUENCE_HEADER = 1
_HEADER_BYTES = 1024
"""More than a sequence header can have before its sizes: 32 operating points of less than 12 bytes each."""


def pixels(data: bytes) -> int:
    """Of the largest frame that these units may have. Raises BrokenError."""
    return max((_frame(_Bits(unit)) for kind, unit in _units(data) if kind == _SEQUENCE_HEADER), default=0)


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each one's kind and its beginning."""
    at = 0
    for _ in range(STEPS_MAX):
        if at >= len(data):
            return
        head = data[at]
        at += 2 if head & 0x04 else 1
        size = len(data) - at
        if head & 0x02:
            size, at = _leb128(data, at)
        yield head >> 3 & 0x0F, data[at : at + min(size, _HEADER_BYTES)]
        at += size
    raise BrokenError("it has too many pieces")


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value = 0
    for place in range(8):
        byte = data[at + place] if at + place < len(data) else 0
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    return value, at + 8


class _Bits:
    """Bytes read bit by bit; noughts behind their end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        value = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return value & (1 << count) - 1

    def uvlc(self) -> int:
        zeros = next((zeros for zeros in range(32) if self.take(1)), 32)
        return (1 << zeros) - 1 + self.take(zeros) if zeros < 32 else (1 << 32) - 1


def _frame(bits: _Bits) -> int:
    bits.take(3 + 1)  # seq_profile, still_picture
    if bits.take(1):  # reduced_still_picture_header
        bits.take(5)
    else:
        _operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return (bits.take(width_bits) + 1) * (bits.take(height_bits) + 1)


def _operating_points(bits: _Bits) -> None:
    delay_bits = _timing(bits) if bits.take(1) else 0
    delayed = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if delayed and bits.take(1):
            bits.take(4)


def _timing(bits: _Bits) -> int:
    """How many bits a delay has; 0 where there is no decoder model."""
    bits.take(32 + 32)
    if bits.take(1):
        bits.uvlc()
    if not bits.take(1):
        return 0
    delay_bits = bits.take(5) + 1
    bits.take(32 + 5 + 5)
    return delay_bits

"""Pictures, films and sounds made for tests."""

from __future__ import annotations

import random
import struct
from io import BytesIO

from PIL import Image


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture that can't be compressed well; the same every time."""
    source = random.Random(7)  # noqa: S311 - a picture, no secret
    return Image.frombytes(mode, (width, height), source.randbytes(width * height * len(mode)))


def exif(orientation: int = 1) -> bytes:
    """With the place it was taken at, and the camera's owner."""
    notes = Image.Exif()
    notes[0x0112] = orientation
    notes[0xA430] = "Ana"
    notes.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)})
    return notes.tobytes()


def written(image: Image.Image, form: str, **more: object) -> bytes:
    out = BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def moving(form: str = "GIF", frames: int = 3, **more: object) -> bytes:
    first, *others = [Image.new("RGB", (20, 10), (80 * n, 0, 0)) for n in range(frames)]
    return written(first, form, save_all=True, append_images=others, duration=100, loop=0, **more)


# Boxes of MP4.


def box(kind: bytes, *inside: bytes) -> bytes:
    body = b"".join(inside)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def mp4(
    width: int = 640,
    height: int = 360,
    seconds: float = 5.0,
    *,
    turned: bool = False,
    notes: bytes = b"",
    film: bool = True,
    frames: int = 0,
) -> bytes:
    matrix = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30) if turned else (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    head = struct.pack(
        ">B3x5I2I4H9i2I", 0, 0, 0, 1, 0, int(seconds * 600), 0, 0, 0, 0, 0, 0, *matrix, width << 16, height << 16
    )
    handler = box(b"hdlr", bytes(8), b"vide" if film else b"soun", bytes(13))
    length = box(b"mvhd", struct.pack(">B3x4I", 0, 0, 0, 600, int(seconds * 600)), bytes(80))
    table = box(b"stts", struct.pack(">4I", 0, 1, frames, 1)) if frames else b""
    track = box(b"trak", box(b"tkhd", head), box(b"mdia", handler, box(b"minf", box(b"stbl", table))))
    place = box(b"udta", notes) if notes else b""
    return box(b"ftyp", b"isom", bytes(4), b"isomavc1") + box(b"moov", length, track, place) + box(b"mdat", bytes(100))


def element(name: int, body: bytes) -> bytes:
    raw = name.to_bytes((name.bit_length() + 7) // 8)
    return raw + (len(body) | 1 << 56).to_bytes(8) + body


def webm(width: int = 320, height: int = 240, seconds: float = 2.5) -> bytes:
    video = element(0xE0, element(0xB0, width.to_bytes(2)) + element(0xBA, height.to_bytes(2)))
    info = element(
        0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3)) + element(0x4489, struct.pack(">d", seconds * 1000))
    )
    tracks = element(0x1654AE6B, element(0xAE, video))
    return element(0x1A45DFA3, element(0x4282, b"webm")) + element(0x18538067, info + tracks + element(0x1F43B675, b""))


def wav(seconds: float = 1.5) -> bytes:
    samples = bytes(int(seconds * 8000))
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body

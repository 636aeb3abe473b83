"""A few bytes that ask for gigabytes or for hours: refused before they get them."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from media_rig import house, profile
from PIL import Image
from some_media import box, noise, written

from gateway.media import av1, drawing, films, headers, pictures, probe
from gateway.media.errors import MediaError
from gateway.media.probe import PIXELS_MAX, SCANS_MAX, probed
from gateway.model.capabilities import MediaLimits
from gateway.model.content import Document

ANY = MediaLimits(10_000_000)


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The pixels that Pillow was told to have; it gets no more than it may."""
    asked: list[int] = []
    fill: Callable[..., object] = Image.core.fill

    def guarded(mode: str, size: tuple[int, int], *more: object) -> object:
        asked.append(size[0] * size[1])
        return fill(mode, size if asked[-1] <= 2 * PIXELS_MAX else (1, 1), *more)

    monkeypatch.setattr(Image.core, "fill", guarded)
    yield asked
    assert max(asked, default=0) <= 2 * PIXELS_MAX


# GIF: its first bytes name one size, and each frame another.

CLEARED = b"\x21\xf9\x04\x08\0\0\0\0"
"""Before a frame whose place is cleared after it: Pillow has that place filled as soon as it opens the file."""
END = b"\x3b"


def screen(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<2H3B", width, height, 0, 0, 0)


def frame(x: int, y: int, width: int, height: int) -> bytes:
    return b"\x2c" + struct.pack("<4HB", x, y, width, height, 0) + b"\x02\x02\x44\x01\0"


@pytest.mark.parametrize(
    "frames",
    [
        frame(0, 0, 65_535, 65_535),
        frame(65_535, 65_535, 1, 1),
        frame(0, 0, 1, 1) + frame(0, 65_535, 1, 1) + frame(65_535, 0, 1, 1),
    ],
    ids=["large", "far away", "far apart"],
)
def test_a_frame_larger_than_its_gif(frames: bytes) -> None:
    data = screen(1, 1) + CLEARED + frames + END
    for look in (probed, lambda data: drawing.drawn(data, ANY)):
        with pytest.raises(MediaError, match="in all are the most"):
            look(data)


def test_a_frame_that_only_pillow_sees() -> None:
    """An empty extension ends at once, and for Pillow only where the next block ends: inside this comment."""
    hidden = bytes(31) + b"\0" + CLEARED + frame(0, 0, 65_535, 65_535)
    comment = b"\x21\xfe" + bytes([len(hidden)]) + hidden + b"\0"
    data = screen(1, 1) + b"\x21\xf9\0" + comment + frame(0, 0, 1, 1) + END
    assert (probed(data).measures.width_px, probed(data).measures.height_px) == (1, 1)
    with pytest.raises(MediaError, match="can't be decoded"):
        drawing.drawn(data, ANY)


def test_a_frame_may_stand_out_a_little() -> None:
    data = screen(1, 1) + CLEARED + frame(2, 1, 4, 4) + END
    with Image.open(BytesIO(data)) as seen:
        assert (probed(data).measures.width_px, probed(data).measures.height_px) == seen.size == (6, 5)


def test_the_largest_picture_is_no_bomb_to_pillow() -> None:
    """It warns above this, and a warning would fail here."""
    assert Image.MAX_IMAGE_PIXELS == PIXELS_MAX


def test_a_second_header_of_a_png() -> None:
    """Pillow believes the last one."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    first, second = (chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0)) for side in (1, 60_000))
    moves = chunk(b"acTL", struct.pack(">2I", 2, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b"")
    for data in (first + second + rows, first + second + moves + rows):
        with pytest.raises(MediaError):
            drawing.drawn(b"\x89PNG\r\n\x1a\n" + data, ANY)


# JPEG: a decoder goes over the whole picture for every scan, of ten bytes too.

PROGRESSIVE = written(noise(16, 16), "JPEG", progressive=True)
SCAN = PROGRESSIVE[PROGRESSIVE.rfind(b"\xff\xda") : -2]
JPEG_END = b"\xff\xd9"


def scanned(often: int, between: bytes = b"") -> bytes:
    return PROGRESSIVE[:-2] + (between + SCAN) * (often - headers.scans(PROGRESSIVE)) + JPEG_END


def test_scans_are_counted() -> None:
    assert headers.scans(PROGRESSIVE) == PROGRESSIVE.count(b"\xff\xda") > 5
    assert headers.scans(written(noise(16, 16), "JPEG")) == 1
    assert headers.scans(scanned(70)) == 70
    assert headers.scans(b"\xff\xd8\xff\xda") == 1
    assert headers.scans(PROGRESSIVE[:20]) == 0


@pytest.mark.parametrize("between", [b"", b"\xff\xff", b"\xff\xfe\0\x04" + JPEG_END, b"\xff\x02\xff\xd0"])
def test_more_scans_than_a_picture_has(between: bytes) -> None:
    """Whatever stands between them: filling, a note that looks like the end, marks that mean nothing there."""
    assert probed(scanned(SCANS_MAX, between)).measures.width_px == 16
    with pytest.raises(MediaError, match=f"more than {SCANS_MAX} scans"):
        probed(scanned(SCANS_MAX + 1, between))
    with pytest.raises(MediaError, match="scans"):
        probed(scanned(headers.STEPS_MAX + 9, between))


def test_a_film_behind_a_picture_has_no_scans() -> None:
    """As telephones hang one on."""
    assert drawing.drawn(PROGRESSIVE + SCAN * 2 * SCANS_MAX, ANY).width_px == 16


# AVIF: its boxes name one size, and the pictures in them another.

WIDTH, HEIGHT = 300, 200
STILL = written(Image.new("RGB", (WIDTH, HEIGHT), "red"), "AVIF")
SIZES = struct.pack(">2I", WIDTH, HEIGHT)


def bits(*values: tuple[int, int]) -> bytes:
    text = "".join(f"{value:0{count}b}" for value, count in values)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8))


def unit(kind: int, body: bytes) -> bytes:
    return bytes([kind << 3 | 2, len(body)]) + body


SIZE = ((15, 4), (14, 4), (40_000 - 1, 16), (20_000 - 1, 15))
PLAIN = bits((0, 4), (1, 1), (9, 5), *SIZE)
LONG = bits(
    (0, 4), (0, 1),
    (1, 1), (1, 32), (50, 32), (1, 1), (0b00101, 5), (1, 1), (9, 5), (1, 32), (3, 5), (3, 5),
    (1, 1), (1, 5),
    (0, 12), (9, 5), (1, 1), (1, 1), (0, 21), (1, 1), (5, 4),
    (0, 12), (3, 5), (0, 1), (0, 1),
    *SIZE,
)  # fmt: skip


@pytest.mark.parametrize(
    "units",
    [
        unit(1, PLAIN), unit(1, LONG), unit(2, b"") + unit(15, bytes(9)) + unit(1, LONG), bytes([1 << 3]) + PLAIN,
        bytes([1 << 3 | 6, 0, len(PLAIN) | 0x80, 0]) + PLAIN, unit(1, bytes(20)) + unit(1, PLAIN) + unit(1, bytes(20)),
    ],
    ids=["plain", "long", "behind others", "without a length", "with a layer", "among others"],
)  # fmt: skip
def test_a_sequence_says_how_large_its_frames_are(units: bytes) -> None:
    assert av1.pixels(units) == 40_000 * 20_000


def test_an_avif_is_as_large_as_what_is_in_it() -> None:
    clear = written(noise(WIDTH, HEIGHT, "RGBA"), "AVIF")
    assert films.coded_pixels(STILL) == WIDTH * HEIGHT
    assert films.coded_pixels(clear) == 2 * WIDTH * HEIGHT
    assert films.coded_pixels(STILL.replace(SIZES, struct.pack(">2I", 10, 10))) == WIDTH * HEIGHT


def test_an_avif_larger_inside_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PIXELS_MAX", WIDTH * HEIGHT // 2 - 1)
    with pytest.raises(MediaError, match="in it have 60000 pixels"):
        probed(STILL.replace(SIZES, struct.pack(">2I", 10, 10)))


def located(*places: tuple[int, int]) -> bytes:
    """An AVIF whose pictures are there, each with its length."""
    told = b"".join(struct.pack(">3H2I", 1, 0, 1, *place) for place in places)
    iloc = box(b"iloc", bytes(4), b"\x44\0", len(places).to_bytes(2), told)
    ispe = box(b"iprp", box(b"ipco", box(b"ispe", bytes(4), SIZES)))
    return box(b"ftyp", b"avif", bytes(4), b"avif") + box(b"meta", bytes(4), iloc, ispe)


def test_a_picture_beside_the_boxes() -> None:
    """In one of them, to be exact, from whose beginning it is counted."""
    told = struct.pack(">5H2I", 1, 1, 1, 0, 1, 0, len(PLAIN) + 2)
    iloc = box(b"iloc", b"\x01\0\0\0", b"\x44\0", told)
    assert films.coded_pixels(box(b"meta", bytes(4), iloc, box(b"idat", unit(1, PLAIN)))) == 40_000 * 20_000


def test_an_avif_that_makes_no_sense() -> None:
    pieces = unit(15, b"") * 2 * headers.STEPS_MAX + unit(1, PLAIN)
    for data, why in (
        (located(), "there is no picture in it"),
        (located((0, 1 << 20), (0, 1 << 20)), "over each other"),
        (located(*[(0, 1 << 20)] * 5000), "over each other"),
        (located((1 << 30, 1 << 30)), "there is no picture in it"),
        (located((len(located((0, 0))), len(pieces))) + pieces, "too many pieces"),
        (STILL.replace(b"avif", b"mif1", 1) + box(b"moov"), "that moves"),
    ):
        with pytest.raises(MediaError, match=why):
            probed(data)


# Time.


async def test_nobody_waits_without_end_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread can't be stopped: who waits for it, and who waits behind it, are told."""
    free = threading.Event()
    draw = pictures._draw

    def slow(data: bytes, limits: MediaLimits) -> drawing.Drawn:
        free.wait()
        return draw(data, limits)

    async with house(tmp_path) as (house_pictures, _):
        document = Document((), (await house_pictures.keep(PROGRESSIVE),) * 3)
        with monkeypatch.context() as patched:
            patched.setattr(pictures, "BENCH_TIMEOUT_S", 0.01)
            patched.setattr(pictures, "_draw", slow)
            try:
                found = (await house_pictures.fit(document, profile())).media
            finally:
                free.set()
        assert {one.misfit for one in found} == {"it took more than 0 s to be made anew"}
        assert [one.misfit for one in (await house_pictures.fit(document, profile())).media] == [""] * 3

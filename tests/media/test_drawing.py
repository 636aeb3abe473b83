"""Pictures made to fit: the bytes that come out are looked at."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin
from some_media import exif, moving, noise, opened, written

from gateway.media.drawing import drawn, scaled
from gateway.media.errors import MediaError
from gateway.media.probe import PIXELS_MAX, probed
from gateway.model.capabilities import MediaLimits

ANY = MediaLimits(10_000_000)
JPEG = MediaLimits(10_000_000, ("image/jpeg",))
RED, BLUE = (254, 0, 0), (0, 0, 254)


def two_halves(width: int = 40, height: int = 20) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 60 for one, other in zip(pixel, colour, strict=True))  # type: ignore[call-overload]


def notes_of(data: bytes) -> set[str]:
    image = opened(data)
    return {name for name in image.info if name in ("exif", "icc_profile", "comment", "xmp", "photoshop", "secret")}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_nothing_is_told_of_who_made_it(form: str) -> None:
    more = {"xmp": b"<x:xmpmeta>Ana</x:xmpmeta>"} if form in ("JPEG", "WEBP") else {}
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("secret", "Ana")
        more = {"pnginfo": text}  # type: ignore[dict-item]
    if form == "JPEG":
        more["comment"] = b"by Ana"
    taken = written(two_halves(), form, exif=exif(), **more)
    assert notes_of(taken)
    shown = drawn(taken, ANY)
    assert notes_of(shown.data) == set()
    assert not opened(shown.data).getexif()
    assert b"Ana" not in shown.data


def test_what_is_hung_on_behind_a_picture_stays_behind() -> None:
    assert b"secret" not in drawn(written(two_halves(), "JPEG") + b"secret", ANY).data
    assert b"secret" not in drawn(written(two_halves(), "PNG") + b"secret", ANY).data


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_upright(orientation: int) -> None:
    """Turned the other way by hand, with the note that says so: it comes out as it was."""
    there = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    image = two_halves()
    image.paste((0, 254, 0), (0, 0, 10, 10))
    turned = image.transpose(there) if there is not None else image
    shown = drawn(written(turned, "JPEG", quality=95, exif=exif(orientation)), ANY)
    result = opened(shown.data)
    assert (shown.width_px, shown.height_px) == result.size == (40, 20)
    assert near(result.getpixel((4, 4)), (0, 254, 0))
    assert near(result.getpixel((4, 16)), RED)
    assert near(result.getpixel((36, 10)), BLUE)


def test_a_jpeg_that_fits_loses_next_to_nothing() -> None:
    taken = written(noise(6, 6).resize((64, 64)), "JPEG", quality=88, exif=exif())
    shown = opened(drawn(taken, ANY).data)
    before, after = opened(taken).tobytes(), shown.tobytes()
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= 12
    assert shown.quantization == opened(taken).quantization  # type: ignore[attr-defined]


@pytest.mark.parametrize(("form", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("PNG", "1")])
def test_a_png_that_fits_loses_nothing(form: str, mode: str) -> None:
    image = (two_halves() if mode != "RGBA" else noise(20, 20, "RGBA")).convert(mode)
    shown = drawn(written(image, form), ANY)
    assert shown.mime == "image/png"
    assert opened(shown.data).convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


def test_colours_are_those_of_the_web() -> None:
    """A profile that swaps what is meant by the numbers is turned into sRGB, and left out."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (lab, srgb, b"no profile at all"):
        shown = drawn(written(two_halves(), "PNG", icc_profile=profile), ANY)
        assert notes_of(shown.data) == set()
        assert near(opened(shown.data).convert("RGB").getpixel((4, 4)), RED)


def test_ink_becomes_light() -> None:
    shown = drawn(written(two_halves().convert("CMYK"), "JPEG"), ANY)
    assert opened(shown.data).mode == "RGB"
    assert near(opened(shown.data).getpixel((4, 4)), RED)


def test_sixteen_bits_become_eight() -> None:
    deep = Image.new("I;16", (4, 4), 0x8000)
    assert abs(opened(drawn(written(deep, "PNG"), ANY).data).getpixel((1, 1)) - 0x80) < 3  # type: ignore[operator]


def test_what_is_clear_stays_clear_where_it_can() -> None:
    clear = Image.new("RGBA", (30, 30), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 15, 30))
    taken = written(clear, "PNG")
    for mimes in (("image/png",), ("image/webp", "image/jpeg")):
        shown = opened(drawn(taken, MediaLimits(100_000, mimes)).data)
        assert shown.convert("RGBA").getpixel((20, 5))[3] == 0  # type: ignore[index]
    on_white = opened(drawn(taken, JPEG).data)
    assert near(on_white.getpixel((25, 5)), (255, 255, 255))


def test_one_frame_of_a_gif_is_a_picture() -> None:
    shown = drawn(written(two_halves().convert("P"), "GIF"), ANY)
    assert (shown.mime, shown.width_px, shown.height_px) == ("image/png", 40, 20)


def test_quality_goes_before_size() -> None:
    taken = written(noise(300, 300), "JPEG", quality=95)
    shown = drawn(taken, MediaLimits(int(len(taken) * 0.7), ("image/jpeg",)))
    assert (shown.width_px, shown.height_px) == (300, 300)
    smaller = drawn(taken, MediaLimits(5_000, ("image/jpeg",)))
    assert smaller.width_px < 300
    assert len(smaller.data) <= 5_000


side = st.integers(1, 90)
limit = st.none() | st.integers(1, 120)


@settings(max_examples=60)
@example(
    width=1,
    height=90,
    mode="L",
    form="PNG",
    orientation=1,
    size_bytes=20_000,
    sides=None,
    total=None,
    pixels=10,
    mimes=(),
)
@example(
    width=1,
    height=90,
    mode="L",
    form="PNG",
    orientation=6,
    size_bytes=20_000,
    sides=None,
    total=5,
    pixels=None,
    mimes=(),
)
@given(
    width=side, height=side, mode=st.sampled_from(["RGB", "RGBA", "L"]), form=st.sampled_from(["JPEG", "PNG", "WEBP"]),
    orientation=st.integers(1, 8), size_bytes=st.integers(900, 20_000), sides=limit,
    total=st.none() | st.integers(2, 200), pixels=st.none() | st.integers(1, 9000),
    mimes=st.sampled_from([(), ("image/jpeg",), ("image/png",), ("image/webp",), ("image/png", "image/jpeg")]),
)  # fmt: skip
def test_whatever_it_is_it_fits(
    width: int, height: int, mode: str, form: str, orientation: int, size_bytes: int,
    sides: int | None, total: int | None, pixels: int | None, mimes: tuple[str, ...],
) -> None:  # fmt: skip
    image = noise(width, height, mode).convert("RGB" if form == "JPEG" and mode == "RGBA" else mode)
    limits = MediaLimits(size_bytes, mimes, 4, sides, total, pixels)
    shown = drawn(written(image, form, exif=exif(orientation)), limits)
    result = opened(shown.data)
    assert len(shown.data) <= size_bytes
    assert result.size == (shown.width_px, shown.height_px)
    assert not mimes or shown.mime in mimes
    assert Image.MIME[str(result.format)] == shown.mime == probed(shown.data).mime
    assert max(result.size) <= (sides or 10**9)
    assert sum(result.size) <= (total or 10**9)
    assert result.width * result.height <= (pixels or 10**9)
    assert not result.getexif()
    assert drawn(shown.data, limits).mime in (mimes or (shown.mime,))


@given(st.integers(1, 10**5), st.integers(1, 10**5), st.integers(1, 5000), st.integers(2, 9000), st.integers(1, 10**7))
def test_a_shape_stays_what_it_is(width: int, height: int, most: int, total: int, pixels: int) -> None:
    new_width, new_height = scaled(width, height, MediaLimits(1, (), 1, most, total, pixels))
    assert 1 <= new_width <= width
    assert 1 <= new_height <= height
    assert abs(new_width * height - new_height * width) <= max(width, height) * 2 or 1 in (new_width, new_height)


def test_what_can_not_fit_is_refused() -> None:
    with pytest.raises(MediaError, match="smaller than 20 bytes"):
        drawn(written(noise(50, 50), "PNG"), MediaLimits(20, ("image/jpeg",)))
    with pytest.raises(MediaError, match="none of image/tiff can be written"):
        drawn(written(noise(5, 5), "PNG"), MediaLimits(9999, ("image/tiff",)))


# Hostile bytes.


def chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def bomb(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0]))
    packer = zlib.compressobj(9)
    rows = b"".join([packer.compress(bytes(1 << 16)) for _ in range(200)]) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(60_000, 60_000), (1, PIXELS_MAX + 1), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_seen_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(MediaError, match="in all are the most"):
        drawn(bomb(*size), ANY)


SOUND = [
    written(noise(60, 40), "JPEG", exif=exif(6)), written(noise(60, 40), "JPEG", progressive=True),
    written(noise(60, 40, "RGBA"), "PNG"), written(noise(60, 40), "WEBP"), written(noise(60, 40), "AVIF"),
    written(noise(60, 40).convert("P"), "GIF"),
]  # fmt: skip


@pytest.mark.parametrize("data", SOUND, ids=["jpeg", "progressive", "png", "webp", "avif", "gif"])
def test_a_picture_that_breaks_off_is_refused(data: bytes) -> None:
    for length in range(0, len(data) - len(data) // 8, max(1, len(data) // 60)):
        with pytest.raises(MediaError):
            drawn(data[:length], ANY)


@settings(max_examples=150)
@given(st.sampled_from(SOUND), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=9))
def test_damage_is_refused_or_drawn_and_nothing_else(data: bytes, damage: list[tuple[int, int]]) -> None:
    broken = bytearray(data)
    for at, value in damage:
        broken[at % len(broken)] = value
    try:
        shown = drawn(bytes(broken), MediaLimits(30_000, ("image/jpeg", "image/png")))
    except MediaError:
        return
    assert opened(shown.data).size == (shown.width_px, shown.height_px)


@given(st.binary(max_size=300), st.sampled_from([data[:30] for data in SOUND]))
def test_rubbish_is_refused(rubbish: bytes, beginning: bytes) -> None:
    with pytest.raises(MediaError):
        drawn(beginning + rubbish, ANY)


def test_what_moves_is_no_picture_to_draw_but_its_first_frame_is_safe() -> None:
    assert drawn(moving("GIF"), ANY).mime in ("image/png", "image/jpeg")


PEAK = """
import resource, sys
from io import BytesIO
from PIL import Image
from gateway.media.drawing import drawn
from gateway.model.capabilities import MediaLimits
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
drawn(open(sys.argv[1], "rb").read(), MediaLimits(1_000_000, ("image/jpeg",), side_max_px=4096))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is told in kilobytes there")
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_memory_is_bounded(form: str, tmp_path: Path) -> None:
    """The largest picture that is taken, lying on its side: twice its pixels, and some more."""
    width, height = 8000, 6500
    assert width * height == PIXELS_MAX
    (tmp_path / "large").write_bytes(written(Image.new("RGB", (width, height), "red"), form, exif=exif(6)))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "large")], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 2 * 4 * PIXELS_MAX // 2**20, done.stdout

"""What bytes are by themselves, what they say of themselves, and what is taken out of them."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from some_media import box, exif, moving, mp4, noise, opened, wav, webm, written

from gateway.media import bare, films
from gateway.media.errors import MediaError
from gateway.media.kinds import named, sniffed
from gateway.media.probe import PICTURE_MAX_BYTES, probed

PICTURE = noise(23, 11)
OGG = b"OggS" + bytes(24) + b"OpusHead" + bytes(20)


def ftyp(brand: bytes, *others: bytes) -> bytes:
    return box(b"ftyp", brand, bytes(4), *others) + bytes(64)


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (written(PICTURE, "JPEG"), "image/jpeg"), (written(PICTURE, "PNG"), "image/png"),
        (written(PICTURE, "GIF"), "image/gif"), (written(PICTURE, "WEBP"), "image/webp"),
        (written(PICTURE, "AVIF"), "image/avif"), (ftyp(b"heic"), "image/heic"), (ftyp(b"mif1", b"avif"), "image/avif"),
        (ftyp(b"mif1", b"heic"), "image/heic"), (ftyp(b"mif1", b"miaf"), "image/heif"),
        (mp4(), "video/mp4"), (ftyp(b"qt  "), "video/quicktime"), (ftyp(b"M4A "), "audio/mp4"),
        (ftyp(b"dash"), "video/mp4"),
        (webm(), "video/webm"), (webm().replace(b"webm", b"matr"), None), (wav(), "audio/wav"), (OGG, "audio/ogg"),
        (b"ID3\x04" + bytes(9), "audio/mpeg"), (b"\xff\xfb\x90\x64" + bytes(9), "audio/mpeg"),
        (b"\xff\xf1\x50\x80" + bytes(9), "audio/aac"), (b"fLaC" + bytes(9), "audio/flac"),
        (b"%PDF-1.7\n", "application/pdf"), (b"PK\x03\x04" + bytes(9), "application/zip"),
        (b"", None), (b"hello", None), (b"<svg>", None), (b"<html>", None), (b"\xff\xff\xff\xff", None),
        (b"RIFF", None),
        (b"MZ\x90", None), (b"#!/bin/sh", None), (b"BM" + bytes(60), None),
    ],
)  # fmt: skip
def test_it_is_what_it_begins_like(data: bytes, mime: str | None) -> None:
    assert sniffed(data) == mime


@given(st.binary(max_size=700))
def test_any_bytes_are_something_or_nothing(data: bytes) -> None:
    sniffed(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_pictures_say_how_large_they_are(form: str, mode: str) -> None:
    image = PICTURE.convert("RGB" if (form, mode) == ("JPEG", "RGBA") else mode)
    more = {"lossless": True} if form == "WEBP" and mode != "L" else {}
    found = probed(written(image, form, **more))
    assert (found.measures.width_px, found.measures.height_px, found.measures.animated) == (23, 11, False)


def test_films_and_sounds_say_how_long_they_are() -> None:
    found = [probed(data) for data in (mp4(), mp4(turned=True), mp4(film=False), webm(), wav(), OGG)]
    said = [(one.mime, one.measures.width_px, one.measures.height_px, one.measures.duration_s) for one in found]
    assert said == [
        ("video/mp4", 640, 360, 5.0),
        ("video/mp4", 360, 640, 5.0),
        ("audio/mp4", None, None, 5.0),
        ("video/webm", 320, 240, 2.5),
        ("audio/wav", None, None, 1.5),
        ("audio/ogg", None, None, None),
    ]


def test_what_moves_says_how_many_frames_it_has() -> None:
    found = [probed(data) for data in (moving("GIF", 3), moving("GIF", 1), mp4(frames=300), mp4(), webm())]
    assert [one.measures.frames for one in found] == [3, None, 300, None, None]


@settings(max_examples=200, deadline=None)
@example(wav(0.0), [], 40)
@given(
    st.sampled_from([mp4(notes=b"x" * 20), webm(), wav(0.1), moving("GIF"), moving("WEBP"), moving("PNG")]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6),
    st.integers(0, 10**6),
)
def test_damage_is_refused_or_understood(data: bytes, damage: list[tuple[int, int]], end: int) -> None:
    broken = bytearray(data)
    for at, value in damage:
        broken[at % len(broken)] = value
    try:
        found = probed(bytes(broken[: end % (len(broken) + 1) or None]))
    except MediaError:
        return
    assert found.measures.duration_s is None or found.measures.duration_s >= 0


@pytest.mark.parametrize(
    "data",
    [
        ftyp(b"isom") + struct.pack(">I4s", 8, b"moov") * 100_000,
        ftyp(b"isom") + struct.pack(">I4s", 0, b"moov") * 100_000,
        mp4(frames=1).replace(struct.pack(">2I", 1, 1), struct.pack(">2I", 2**32 - 1, 2**32 - 1)) + bytes(100_000),
        ftyp(b"isom") + struct.pack(">I4sQ", 1, b"moov", 2**63) + bytes(100_000),
        webm()[:40] + b"\x1f\x43\xb6\x75\xff" * 100_000,
        webm()[:40] + b"\x15\x49\xa9\x66\xff" * 100_000,
        b"RIFF" + bytes(4) + b"WAVE" + bytes(800_000),
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * 200_000,
        b"\x89PNG\r\n\x1a\n" + bytes(800_000),
    ],
)
def test_many_pieces_are_no_work(data: bytes) -> None:
    """Would be minutes where each piece was looked through again."""
    with contextlib.suppress(MediaError):
        probed(data)


def test_nothing_is_refused() -> None:
    with pytest.raises(MediaError, match="empty"):
        probed(b"")
    with pytest.raises(MediaError, match="none of JPG, PNG"):
        probed(b"#!/bin/sh\nrm")
    with pytest.raises(MediaError, match="a picture has"):
        probed(b"GIF89a" + bytes(PICTURE_MAX_BYTES))


# What moves.


def test_a_gif_loses_its_words_and_nothing_else() -> None:
    taken = moving("GIF", comment=b"by Ana")
    assert b"by Ana" in taken
    xmp = b"\x21\xff\x0bXMP DataXMP" + b"\x05<xmp>\x00"
    taken = taken[:-1] + xmp + b";"
    found = probed(taken + b"hung on")
    assert (found.mime, found.measures.animated, found.measures.duration_s) == ("image/gif", True, pytest.approx(0.3))
    for word in (b"by Ana", b"XMP", b"hung on"):
        assert word not in found.data
    before, after = opened(taken), opened(found.data)
    assert (after.n_frames, after.info["loop"]) == (before.n_frames, 0)  # type: ignore[attr-defined]
    for frame in range(3):
        before.seek(frame)
        after.seek(frame)
        assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()


@pytest.mark.parametrize("form", ["WEBP", "PNG"])
def test_what_else_moves_loses_its_notes(form: str) -> None:
    more: dict[str, object] = {"exif": exif(), "xmp": b"<x>Ana</x>"}
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", "<x>Ana</x>")
        more = {"exif": exif(), "pnginfo": text}
    taken = moving(form, **more)
    found = probed(taken)
    assert found.measures.animated
    assert b"Ana" in taken
    assert b"Ana" not in found.data
    after = opened(found.data)
    assert not after.getexif()
    assert after.n_frames == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_what_moves_and_breaks_off_is_refused(form: str) -> None:
    data = moving(form)
    for length in range(30, len(data) - 1, 7):
        try:
            found = probed(data[:length])
        except MediaError:
            continue
        assert not found.measures.animated  # what is left of it is taken for one picture, and drawn


def test_frames_without_end_are_refused() -> None:
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x01\x00\x00"
    with pytest.raises(MediaError, match="more than"):
        probed(head + frame * (bare.FRAMES_MAX + 1) + b";")


# Films.


def test_a_film_does_not_tell_where_it_was_made() -> None:
    place = box(b"\xa9xyz", b"\x00\x12\x15\xc7+52.5200+013.4050/")
    taken = mp4(notes=place)
    found = probed(taken)
    assert b"+52.52" in taken
    assert b"+52.52" not in found.data
    assert len(found.data) == len(taken)
    assert probed(found.data).measures == probed(taken).measures
    assert films.bare(mp4()) == mp4()


def test_a_file_has_the_name_of_what_it_is() -> None:
    assert named("/home/ana/My cat.PNG", "image/jpeg") == "My cat.jpg"
    assert named("..\\..\\x.jpeg", "image/jpeg") == "x.jpeg"
    assert named("", "image/jpeg") == ""
    assert named("a\x1b[31m\nb", "video/mp4") == "a[31mb.mp4"
    assert named(".htaccess", "image/png") == "htaccess.png"
    assert len(named("a" * 500 + ".png", "image/png")) == 100
    assert Image.MIME["PNG"] == "image/png"

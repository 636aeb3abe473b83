"""docs/media.md: its numbers, names and promises are those of the code."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import msgspec
from PIL import Image

from gateway.media import pictures
from gateway.media.drawing import READ, drawn
from gateway.media.kinds import KNOWN
from gateway.media.memo import AGAIN_AFTER_S
from gateway.media.probe import PICTURE_MAX_BYTES, PIXELS_MAX
from gateway.media.room import ROOM_BYTES
from gateway.media.web import REDIRECTS_MAX
from gateway.model.capabilities import Feature, MediaLimits
from gateway.model.fetching import Fetching
from gateway.model.manner import Manner
from gateway.text.markdown import from_markdown, local_pictures
from gateway.wiring import platforms

PAGE = (Path(__file__).parents[2] / "docs" / "media.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())


def test_the_numbers_are_those_of_the_code() -> None:
    usual = Fetching()
    for said in (
        f"after each of at most {REDIRECTS_MAX} redirects",
        f"`size_max_bytes` ({usual.size_max_bytes // 1_000_000} MB; a picture {PICTURE_MAX_BYTES // 2**20} MiB)",
        f"`timeout_s` ({usual.timeout_s:.0f} s)",
        f"posts within {pictures.KEEP_S / 60:.0f} minutes",
        f"remembered for {AGAIN_AFTER_S:.0f} seconds",
        f"may have {PIXELS_MAX:,} pixels",
        f"media of {ROOM_BYTES // 2**20} MiB in all",
        f"{pictures.PAGE_MAX_BYTES // 1024} KiB and {pictures.PAGE_TIMEOUT_S:.0f} seconds",
        f"Known are {KNOWN};",
    ):
        assert said in WORDS, said


def test_every_key_is_named() -> None:
    keys = {field.name for field in msgspec.structs.fields(Fetching)}
    named = set(re.findall(r"`(?:\[media\] )?(\w+)(?: = false)?`", PAGE))
    assert keys <= named
    for key in re.findall(r"`\[posting\] (\w+)`", PAGE):
        assert key in {field.name for field in msgspec.structs.fields(Manner)}


def test_the_examples_mean_what_is_said() -> None:
    (web, file) = re.findall(r"^\| Markdown, from .*?`(!\[.*?)`", PAGE, re.MULTILINE)
    assert [(one.source, one.alt) for one in from_markdown(web).media] == [("https://example.org/cat.jpg", "a cat")]
    assert local_pictures(file) == ("cat.jpg",)
    assert from_markdown(file).media == ()


def test_the_pictures_that_are_made_anew_can_be_read() -> None:
    (row,) = re.findall(r"^\| (JPEG, PNG.*?) \|", PAGE, re.MULTILINE)
    assert {form.upper() for form in re.findall(r"JPEG|PNG|WebP|AVIF|GIF", row)} == set(READ.values())
    for form in READ.values():
        out = BytesIO()
        Image.new("RGB", (9, 9), "red").save(out, form)
        assert drawn(out.getvalue(), MediaLimits(10_000)).width_px == 9


def test_who_has_cards_is_who_is_named() -> None:
    (names,) = re.findall(r"what the author sends along \((.*?)\)", WORDS)
    known = {name for name, platform in platforms().items() if platform.profile.supports(Feature.LINK_CARD)}
    assert {name.lower() for name in names.split(", ")} <= known

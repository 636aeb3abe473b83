"""A picture made anew to fit: upright, in sRGB, without a word about its maker; smaller where it must be. Imports
Pillow, so it is itself imported only where a picture is posted, and runs in a thread.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageCms

from gateway.media.errors import MediaError
from gateway.media.probe import PIXELS_MAX, probed
from gateway.model.capabilities import MediaLimits

log = logging.getLogger("multihome.media")

Image.MAX_IMAGE_PIXELS = PIXELS_MAX  # the header was read before, but Pillow may read another size out of it

READ = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP", "image/avif": "AVIF"}
_QUALITIES = (90, 82, 74, 65)
_SHRINKING_MAX = 24
"""How often a picture is made smaller before it is given up."""
SIDE_MAX_PX = 16_383
"""A WebP can't be larger, and nobody shows a picture that is."""
_WRITTEN = ("image/jpeg", "image/png", "image/webp")
_LOSSLESS = frozenset({"image/png", "image/gif"})
_PNG_HOPE = 1.3
"""A PNG is tried where it may come out below the limit: times what it had before."""
_ORIENTATION = 0x0112


class Drawn(NamedTuple):
    """A picture as it goes out."""

    data: bytes
    mime: str
    width_px: int
    height_px: int


def drawn(data: bytes, limits: MediaLimits) -> Drawn:
    """Raises MediaError where it can't be read, or can't be made to fit."""
    mime = probed(data).mime
    if mime not in READ:
        raise MediaError(f"{mime} can't be read here; JPEG, PNG, WebP, AVIF and GIF can")
    try:
        with Image.open(BytesIO(data), formats=[READ[mime]]) as picture:
            return _Easel(picture, len(data), mime, limits).drawn()
    except MediaError:
        raise
    except Exception as error:  # whatever Pillow makes of hostile bytes
        log.info("a picture of %d bytes can't be read: %s", len(data), type(error).__name__)
        raise MediaError("it is broken: it can't be decoded") from error


class _Easel:
    """One picture, and what it has to fit."""

    def __init__(self, picture: Image.Image, size_bytes: int, mime: str, limits: MediaLimits) -> None:
        if picture.width * picture.height > PIXELS_MAX:
            raise MediaError(f"it has {picture.width} x {picture.height} pixels; {PIXELS_MAX:,} in all are the most")
        self._limits = limits
        self._mime = mime
        self._density = size_bytes / (picture.width * picture.height)
        self._original = picture
        turned = _orientation(picture)
        wanted = scaled(picture.width, picture.height, limits)
        if wanted != picture.size:
            picture.draft(None, wanted)  # a JPEG is decoded at a fraction of its size where that is enough
        coloured = bool(picture.info.get("icc_profile"))
        self._image = _plain(picture, wanted, turned)
        self._untouched = not (turned or coloured) and picture.size == wanted and self._image.mode == picture.mode

    def drawn(self) -> Drawn:
        wanted = scaled(self._image.width, self._image.height, self._limits)
        if self._untouched and self._original.format == "JPEG" and self._takes("image/jpeg"):
            kept = _jpeg_as_it_was(self._original)
            if len(kept) <= self._limits.size_bytes:
                return Drawn(kept, "image/jpeg", *self._original.size)
        for _ in range(_SHRINKING_MAX):
            image = self._image if wanted == self._image.size else self._image.resize(wanted, reducing_gap=2.0)
            least = 0
            for data, mime in self._written(image):
                if len(data) <= self._limits.size_bytes:
                    return Drawn(data, mime, *wanted)
                least = len(data)
            if max(wanted) == 1:
                break
            factor = math.sqrt(self._limits.size_bytes / least) * 0.95 if least else 0.5
            factor = min(0.85, max(0.2, factor))
            wanted = max(1, int(wanted[0] * factor)), max(1, int(wanted[1] * factor))
        raise MediaError(f"it can't be made smaller than {self._limits.size_bytes} bytes")

    def _takes(self, mime: str) -> bool:
        return mime in (self._limits.mimes or _WRITTEN)

    def _written(self, image: Image.Image) -> Iterator[tuple[bytes, str]]:
        """Each way to write it down, the best first."""
        clear = image.mode == "RGBA"
        lossy = [mime for mime in ("image/jpeg", "image/webp") if self._takes(mime)]
        if clear:
            lossy = [mime for mime in ("image/webp",) if self._takes(mime)]
        if self._takes("image/png") and (not lossy or self._png_may_do(image)):
            yield _saved(image, "PNG"), "image/png"
        if clear and not lossy and self._takes("image/jpeg") and not self._takes("image/png"):
            image, lossy = _on_white(image), ["image/jpeg"]
        if not lossy and not self._takes("image/png"):
            raise MediaError(f"none of {', '.join(self._limits.mimes)} can be written here")
        qualities = [*_QUALITIES] if lossy else []
        while qualities:
            data = _saved(image, READ[lossy[0]], quality=qualities.pop(0))
            yield data, lossy[0]
            if len(data) > self._limits.size_bytes * 2:
                del qualities[:-1]  # if any of them does, it is the last

    def _png_may_do(self, image: Image.Image) -> bool:
        guess = self._density * image.width * image.height
        return self._mime in _LOSSLESS and guess <= self._limits.size_bytes * _PNG_HOPE


def scaled(width_px: int, height_px: int, limits: MediaLimits) -> tuple[int, int]:
    """The largest size of the same shape within the limits."""
    side_max_px = min(limits.side_max_px or SIDE_MAX_PX, SIDE_MAX_PX)
    factor = side_max_px / max(width_px, height_px)
    if limits.sides_sum_max_px is not None:
        factor = min(factor, limits.sides_sum_max_px / (width_px + height_px))
    if limits.pixels_max is not None:
        factor = min(factor, math.sqrt(limits.pixels_max / (width_px * height_px)))
    if factor >= 1.0:
        return width_px, height_px
    width_px, height_px = max(1, int(width_px * factor)), max(1, int(height_px * factor))
    # A strip can't become thinner than one pixel: then it becomes shorter.
    longest = min(limits.pixels_max or SIDE_MAX_PX, (limits.sides_sum_max_px or 2 * SIDE_MAX_PX) - 1)
    if 1 in (width_px, height_px):
        return min(width_px, longest), min(height_px, longest)
    return width_px, height_px


def _orientation(picture: Image.Image) -> int:
    """Which way it has to be turned; 0 for not at all."""
    try:
        told = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - its notes are of no other use
        return 0
    return told if told in range(2, 9) else 0


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _plain(picture: Image.Image, size: tuple[int, int], turned: int) -> Image.Image:
    """Its pixels alone, as L, RGB or RGBA, so many of them, and upright."""
    picture.load()
    image = _in_srgb(picture, picture.info.get("icc_profile"))
    if image.mode.startswith("I"):  # sixteen bits of grey
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    wanted = "RGBA" if picture.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
    image = image if image.mode == wanted else image.convert(wanted)
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    image = image if image.size == size else image.resize(size, reducing_gap=2.0)
    image = image.transpose(_TURNS[turned]) if turned else image
    image.info = {}
    return image


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile or picture.mode not in ("L", "RGB", "RGBA", "CMYK", "P"):
        return picture
    if picture.mode == "P":
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        found = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture  # a profile that is none, or one for other colours
    return found or picture


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _saved(image: Image.Image, form: str, quality: int = 0) -> bytes:
    out = BytesIO()
    match form:
        case "JPEG":
            image.save(out, form, quality=quality, optimize=True)
        case "WEBP":
            image.save(out, form, quality=quality, method=4)
        case _:
            image.save(out, form)
    return out.getvalue()


def _jpeg_as_it_was(picture: Image.Image) -> bytes:
    """Its pixels with the tables they had: nothing is lost but its notes."""
    out = BytesIO()
    picture.save(out, "JPEG", quality="keep", optimize=True, comment=b"")
    return out.getvalue()

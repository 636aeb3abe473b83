"""Media and polls as X's includes tell of them. Pure."""

from __future__ import annotations

from msgspec import Struct

from gateway.model.content import Poll
from gateway.model.media import Attachment

ADDRESS_MAX = 2048
ALT_MAX = 4096
SIDE_MAX_PX = 100_000
LONGEST_MS = 10**9
OPTIONS_MAX = 20
WORDS_MAX = 200
POLL_LONGEST_MINUTES = 10_080
_MIMES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif"}


class Variant(Struct):
    """One encoding of a film; a playlist has no bit rate."""

    content_type: str = ""
    url: str = ""
    bit_rate: int = 0


class Shown(Struct):
    """A photo, a video or an animated_gif (which X keeps as a film)."""

    media_key: str
    type: str
    url: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    alt_text: str | None = None
    variants: list[Variant] = []

    @property
    def attachment(self) -> Attachment | None:
        """How it can be fetched; None where X gives no address."""
        films = [one for one in self.variants if one.content_type == "video/mp4" and one.url]
        best = max(films, key=lambda one: one.bit_rate, default=None)
        url = best.url if best else self.url or ""
        if not url or len(url) > ADDRESS_MAX:
            return None
        return Attachment(
            url,
            best.content_type if best else _mime(url),
            alt=(self.alt_text or "")[:ALT_MAX],
            name=url.partition("?")[0].rpartition("/")[2],
            width_px=_side(self.width),
            height_px=_side(self.height),
            duration_s=self.duration_ms / 1000 if self.duration_ms and 0 < self.duration_ms <= LONGEST_MS else None,
            animated=self.type == "animated_gif",
        )


def _mime(url: str) -> str:
    bare, _, query = url.partition("?")
    ending = bare.rpartition(".")[2].lower()
    named = next((part[7:] for part in query.split("&") if part.startswith("format=")), ending)
    return _MIMES.get(named, "")


def _side(px: int | None) -> int | None:
    return px if px is not None and 0 < px <= SIDE_MAX_PX else None


class Option(Struct):
    label: str


class Asked(Struct):
    id: str
    options: list[Option] = []
    duration_minutes: int = 1440

    @property
    def poll(self) -> Poll:
        labels = tuple(option.label[:WORDS_MAX] for option in self.options[:OPTIONS_MAX])
        return Poll(labels, 60.0 * min(max(self.duration_minutes, 0), POLL_LONGEST_MINUTES))

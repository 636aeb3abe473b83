"""The files and the poll of a status, as the instance takes them: what it would refuse is refused before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.model.capabilities import Limits
from gateway.model.content import Media, Poll
from gateway.model.delivery import FaultKind, refused
from gateway.model.media import MediaKind
from gateway.text.measure import graphemes

GIF = "image/gif"
_ALONE = (MediaKind.VIDEO, MediaKind.AUDIO)


def filed(media: Sequence[Media], limits: Limits) -> list[dict[str, Any]]:
    """What :meth:`send` needs of each file. Raises FaultError with MEDIA."""
    if len(media) > limits.images_max:
        raise refused(FaultKind.MEDIA, f"{len(media)} files: a status takes {limits.images_max}")
    if len(media) > 1 and any(one.kind in _ALONE for one in media):
        raise refused(FaultKind.MEDIA, "a film or a sound is the only file of its status")
    return [_file(one, limits) for one in media]


def _file(one: Media, limits: Limits) -> dict[str, Any]:
    allowed = limits.of(one.kind)
    if allowed is None or (allowed.mimes and one.mime not in allowed.mimes):
        raise refused(FaultKind.MEDIA, f"{one.mime} is not taken here")
    if one.size_bytes > allowed.size_bytes:
        raise refused(FaultKind.MEDIA, f"{one.size_bytes} bytes: {one.kind} may have {allowed.size_bytes}")
    pixels = (one.width_px or 0) * (one.height_px or 0)
    moving = limits.of(MediaKind.GIF) if one.mime == GIF else None  # one that stands still is held to the same
    most = (moving or allowed).pixels_max
    if most is not None and pixels > most:
        raise refused(FaultKind.MEDIA, f"{one.width_px}x{one.height_px}: {one.kind} may have {most} pixels")
    return {"sha256": one.sha256, "mime": one.mime, "alt": _cut(one.alt, limits.alt_max), "size_bytes": one.size_bytes}


def _cut(alt: str, most: int) -> str:
    """A description within the limit, at a word where it has to be cut."""
    alt = alt.strip()
    if len(alt) <= most:
        return alt
    kept = alt[: most - 1]
    return (kept.rpartition(" ")[0] or kept).rstrip() + "…"


def polled(poll: Poll, text: str, media: Sequence[Media], limits: Limits) -> dict[str, Any]:
    """A poll as the API takes it. Raises FaultError with INVALID."""
    options = [option.strip() for option in poll.options]
    open_for_s = round(poll.open_for_s)
    if why := _unfit(options, open_for_s, text, media, limits):
        raise refused(FaultKind.INVALID, f"a poll {why}")
    return {"options": options, "expires_in": open_for_s, "multiple": poll.multiple, "hide_totals": False}


def _unfit(options: list[str], open_for_s: int, text: str, media: Sequence[Media], limits: Limits) -> str | None:
    most, length = limits.poll_options_max or len(options), limits.poll_option_length or 0
    shortest_s, longest_s = limits.poll_shortest_s or 0, limits.poll_longest_s or open_for_s
    rules = (
        (text.strip(), "needs a question"),
        (not media, "stands in no status with media"),
        (2 <= len(options) <= most, f"of {len(options)} answers: 2 to {most} are taken"),
        (all(options) and len(set(options)) == len(options), "needs answers that differ, none empty"),
        (
            not length or max(map(graphemes, options), default=0) <= length,
            f"has answers of {length} characters at most",
        ),
        (shortest_s <= open_for_s <= longest_s, f"is open for {shortest_s:.0f} to {longest_s:.0f} s, not {open_for_s}"),
    )
    return next((why for kept, why in rules if not kept), None)

"""What an instance says of itself: it stands above what is usual on the platform."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from adapters.mastodon.entities import Files, Instance, Polls
from adapters.mastodon.places import named
from gateway.model.capabilities import Feature, Limits, MediaLimits, Profile, Support
from gateway.model.media import MediaKind

QUOTING_API = 7


def domain_of(instance: Instance, host: str) -> str:
    """The instance's part of a full name: its own word for it, or the host it is reached at."""
    told = instance.domain or instance.uri.partition("://")[2] or instance.uri
    full = named(f"_@{told}") or named(f"_@{host}")
    return full[2:] if full else host


def profile_of(instance: Instance, usual: Profile) -> Profile:
    """The platform's profile with what this instance says of itself."""
    quotes = {Feature.QUOTE: Support.PARTIAL} if can_quote(instance) else {}
    return structs.replace(usual, limits=limits_of(instance, usual.limits), features={**usual.features, **quotes})


def can_quote(instance: Instance) -> bool:
    """Posts are quoted since Mastodon 4.5, whose API has number 7 (mdocs entities/Instance.md, api_versions)."""
    told = instance.api_versions.get("mastodon")
    return isinstance(told, int) and told >= QUOTING_API


def limits_of(instance: Instance, usual: Limits) -> Limits:
    """The instance's own sizes. What it leaves out, or states absurdly, stays as usual."""
    said = instance.configuration
    text_max = _sane(said.statuses.max_characters, usual.text_max, 50, 100_000)
    count_max = _sane(said.statuses.max_media_attachments, usual.images_max, 1, 50)
    mimes = said.media_attachments.supported_mime_types
    size_bytes = _below(said.media_attachments.image_size_limit, usual.image_size_bytes, 1 << 30)
    return structs.replace(
        usual,
        text_max=text_max,
        direct_max=text_max,
        images_max=count_max,
        media_max=count_max,
        image_size_bytes=size_bytes,
        image_mimes=_of("image/", mimes) or usual.image_mimes,
        image_pixels_max=_pixels(said.media_attachments.image_matrix_limit, usual.image_pixels_max),
        alt_max=_sane(said.media_attachments.description_limit, usual.alt_max, 1, 100_000),
        url_length=_sane(said.statuses.characters_reserved_per_url, usual.url_length or 23, 1, 100),
        others=_others(said.media_attachments, usual, size_bytes, count_max),
        **_polls(said.polls, usual),
    )


def _others(told: Files, usual: Limits, image_bytes: int, count_max: int) -> dict[MediaKind, MediaLimits]:
    """Kinds besides images. Those that an instance which names its types doesn't name aren't taken."""
    limits: dict[MediaKind, MediaLimits] = {}
    for kind, own in usual.others.items():
        named = told.supported_mime_types
        mimes = tuple(mime for mime in own.mimes if mime in named) if kind is MediaKind.GIF else _of(f"{kind}/", named)
        if named and not mimes:
            continue
        size = image_bytes if kind is MediaKind.GIF else _below(told.video_size_limit, own.size_bytes, 1 << 34)
        pixels = _pixels(told.video_matrix_limit, own.pixels_max) if kind is MediaKind.VIDEO else own.pixels_max
        count = count_max if kind is MediaKind.GIF else own.count_max
        per_s = own.frames_per_s_max and _sane(told.video_frame_rate_limit, own.frames_per_s_max, 1, 1_000)
        limits[kind] = structs.replace(
            own,
            size_bytes=size,
            mimes=mimes or own.mimes,
            pixels_max=pixels,
            count_max=count,
            frames_per_s_max=per_s,
        )
    return limits


def _polls(told: Polls, usual: Limits) -> dict[str, Any]:
    shortest_s = _sane(told.min_expiration, int(usual.poll_shortest_s or 0), 1, 86_400)
    return {
        "poll_options_max": _sane(told.max_options, usual.poll_options_max or 0, 2, 100),
        "poll_option_length": _sane(told.max_characters_per_option, usual.poll_option_length or 0, 1, 1_000),
        "poll_shortest_s": float(shortest_s),
        "poll_longest_s": float(_sane(told.max_expiration, int(usual.poll_longest_s or 0), shortest_s, 10**9)),
    }


def _of(family: str, mimes: list[str]) -> tuple[str, ...]:
    return tuple(mime for mime in mimes if mime.startswith(family))


def _pixels(told: int | None, usual: int | None) -> int | None:
    return told if told is not None and 10_000 <= told <= 10**10 else usual


def _below(told: int | None, usual: int, most: int) -> int:
    return _sane(told, usual + 1, 100_000, most) - 1


def _sane(told: int | None, usual: int, least: int, most: int) -> int:
    return told if told is not None and least <= told <= most else usual

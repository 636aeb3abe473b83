"""Kinds of media, and what somebody else attached to a message."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class MediaKind(StrEnum):
    """What platforms have rules for."""

    IMAGE = "image"
    GIF = "gif"
    """A picture that moves, without sound."""
    VIDEO = "video"
    AUDIO = "audio"
    FILE = "file"
    """Anything else."""


def kind_of(mime: str, *, animated: bool = False) -> MediaKind:
    """The kind of a media type; ``animated`` tells pictures that move from those that don't."""
    match mime.partition("/")[0]:
        case "image":
            return MediaKind.GIF if animated else MediaKind.IMAGE
        case "video":
            return MediaKind.VIDEO
        case "audio":
            return MediaKind.AUDIO
    return MediaKind.FILE


class Attachment(Struct, frozen=True, omit_defaults=True):
    """What came with somebody's message, not fetched yet: what the platform says of it, and how the account's adapter
    gets its bytes (:class:`gateway.ports.Fetches`). Nothing here was checked: sizes and types are the sender's word.
    """

    handle: str
    """Means something to the adapter alone: an address, or the platform's own id. Never holds a credential."""
    mime: str = ""
    size_bytes: int | None = None
    alt: str = ""
    name: str = ""
    """The file's name, without a folder."""
    width_px: int | None = None
    height_px: int | None = None
    duration_s: float | None = None
    animated: bool = False
    sensitive: bool = False

    @property
    def kind(self) -> MediaKind:
        return kind_of(self.mime, animated=self.animated)

"""What may be fetched from the web for a post, as its operator wants it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class Fetching(Struct, frozen=True):
    """``[media]``."""

    cards: bool = True
    """Linked pages are asked for a title and a picture, where a platform shows only what the author sends."""
    size_max_bytes: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 100_000_000
    """Of one film, sound or file; it is held in memory while it is posted."""
    timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """For one of them, from the first word to the last byte."""
    inner_hosts: tuple[str, ...] = ()
    """Hosts that may be fetched from although their addresses are not public."""

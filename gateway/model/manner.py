"""How one account says things, as its operator wants it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct


class TooLong(StrEnum):
    """What becomes of a post with more parts than the account may use."""

    LEAD = "lead"
    """Its beginning, with the address where the rest is; refused where it has none."""
    REFUSE = "refuse"


class Misfit(StrEnum):
    """What becomes of media that the platform doesn't take."""

    LINK = "link"
    """Their address is written; refused where they have none."""
    REFUSE = "refuse"


class Correction(StrEnum):
    """What becomes of an edit where the platform can't edit."""

    LEAVE = "leave"
    """The old text stays, and that is reported."""
    REPLY = "reply"
    """The new text goes below it as a reply."""
    REPOST = "repost"
    """The old post is deleted, and the new text posted."""


class Manner(Struct, frozen=True):
    """``[posting]``, and ``posting`` of ``[[accounts]]``: keys that are the same on every platform."""

    parts_max: Annotated[int, Meta(ge=1, le=1_000)] = 50
    too_long: TooLong = TooLong.REFUSE
    numbered: bool = False
    alt_required: bool = False
    misfit: Misfit = Misfit.REFUSE
    correction: Correction = Correction.LEAVE


USUAL = Manner()

"""What a platform can do, as data. The values live in each adapter's ``profile.py`` with their sources."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from msgspec import Struct


class Support(IntEnum):
    """How well a platform carries a feature. Below FALLBACK nothing of it arrives."""

    REJECTED = -2
    DROPPED = -1
    FALLBACK = 0
    PARTIAL = 1
    FULL = 2


class Feature(StrEnum):
    """What adapters may claim. The first four name optional protocols in :mod:`gateway.ports`."""

    EDIT = "edit"
    DELETE = "delete"
    REACT = "react"
    TYPING = "typing"
    THREAD = "thread"
    DIRECT = "direct"
    IMAGE = "image"
    MENTION_ANYONE = "mention_anyone"
    """A public post can reach any person of the platform by mentioning them."""
    DIRECT_ANYONE = "direct_anyone"
    """A private message may be opened to somebody who never wrote first."""


class Idempotency(StrEnum):
    """How a send of unknown outcome can be settled.

    KEYED: sending the same part again has no second effect (see ``key_lifetime_s``).
    READ_BACK: the platform can be asked whether the part is there.
    NONE: neither; the operator's ``on_uncertain`` decides.
    """

    KEYED = "keyed"
    READ_BACK = "read_back"
    NONE = "none"


class Scope(StrEnum):
    """What a rate window counts over."""

    ACCOUNT = "account"
    CONVERSATION = "conversation"


class Lane(Struct, frozen=True):
    """One rate window: at most ``n`` units in ``per_s`` seconds. ``kinds`` are the part kinds it counts.

    ``cost`` is the units one part takes. A lane with scope CONVERSATION counts each conversation apart.
    """

    name: str
    n: int
    per_s: float
    kinds: tuple[str, ...]
    scope: Scope = Scope.ACCOUNT
    cost: int = 1


class LaneState(Struct, frozen=True):
    """What a live answer said of a lane: ``remaining`` units until ``reset_at`` (Unix seconds)."""

    lane: str
    remaining: int
    reset_at_unix_s: float
    conversation: str = ""


class Limits(Struct, frozen=True):
    """Sizes of one post. ``unit`` names the measure; a server may state others at run time."""

    text_max: int
    unit: str
    direct_max: int
    images_max: int
    image_size_bytes: int
    image_mimes: tuple[str, ...]
    alt_max: int
    edit_window_s: float | None = None
    url_length: int | None = None


class Profile(Struct, frozen=True):
    """Everything the gateway asks of a platform without talking to it."""

    features: dict[Feature, Support]
    limits: Limits
    lanes: tuple[Lane, ...]
    idempotency: Idempotency
    key_lifetime_s: float | None = None
    """How long a key protects; ``None`` is for ever. After it the part is read back."""
    settle_after_s: float = 2.0
    """How long an unknown send rests before it is asked about: platforms become consistent late."""
    probe_sees_lock: bool = True
    """Whether ``check()`` can tell a locked account: where reads stay open it can't."""
    open_conversations: bool = True
    """Whether what is said outside direct messages can be read by anyone, as against the members of a group."""
    concurrency: int = 16
    """How many sends of one account may be under way at once."""

    def supports(self, feature: Feature) -> bool:
        return self.features.get(feature, Support.REJECTED) >= Support.PARTIAL

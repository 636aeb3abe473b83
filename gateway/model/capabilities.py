"""What a platform can do, as data. The values live in each adapter's ``profile.py`` with their sources."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from msgspec import Struct

from gateway.model.media import MediaKind


class Support(IntEnum):
    """How well a platform carries a feature. Below PARTIAL the adapter never gets to see it: by then
    :mod:`gateway.text.carried` refused the draft (REJECTED), left the feature out with a note (DROPPED), or said it in
    words (FALLBACK).
    """

    REJECTED = -2
    DROPPED = -1
    FALLBACK = 0
    PARTIAL = 1
    FULL = 2


class Feature(StrEnum):
    """What adapters may claim. The first six name optional protocols in :mod:`gateway.ports`."""

    EDIT = "edit"
    DELETE = "delete"
    REACT = "react"
    REPOST = "repost"
    TYPING = "typing"
    ATTACHMENTS = "attachments"
    """What others attached can be fetched."""
    THREAD = "thread"
    DIRECT = "direct"
    IMAGE = "image"
    GIF = "gif"
    VIDEO = "video"
    AUDIO = "audio"
    FILE = "file"
    ALT = "alt"
    """A description of media, for who can't see them."""
    FORMAT = "format"
    """Bold, italic, code and the like are shown as such."""
    SPOILER = "spoiler"
    """Words that are hidden until a reader asks for them."""
    LINK_TEXT = "link_text"
    """A link may show other words than its address."""
    LINK_CARD = "link_card"
    POLL = "poll"
    WARNING = "warning"
    SENSITIVE = "sensitive"
    LANGUAGE = "language"
    UNLISTED = "unlisted"
    FOLLOWERS = "followers"
    """A post for the account's followers alone."""
    QUOTE = "quote"
    REPLIERS = "repliers"
    """Who may reply can be restricted."""
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


class MediaLimits(Struct, frozen=True):
    """What one post takes of a kind of media. ``None``: the platform names no limit."""

    size_bytes: int
    mimes: tuple[str, ...] = ()
    """Empty: any."""
    count_max: int = 1
    side_max_px: int | None = None
    sides_sum_max_px: int | None = None
    pixels_max: int | None = None
    duration_max_s: float | None = None
    frames_max: int | None = None
    frames_pixels_max: int | None = None
    """Pixels of all its frames."""
    frames_per_s_max: int | None = None


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
    image_side_max_px: int | None = None
    image_pixels_max: int | None = None
    image_sides_sum_max_px: int | None = None
    others: dict[MediaKind, MediaLimits] = {}
    """Kinds of media besides images. One that is missing isn't taken."""
    media_max: int | None = None
    """Media of one post, whatever their kinds; ``None``: as many images as there may be, or one of another kind."""
    poll_options_min: int = 1
    poll_options_max: int | None = None
    poll_option_length: int | None = None
    poll_shortest_s: float | None = None
    poll_longest_s: float | None = None
    poll_multiple: bool = True
    """Whether who answers may choose more than one."""
    poll_alone: bool = False
    """A post with a poll has no media."""

    def of(self, kind: MediaKind) -> MediaLimits | None:
        """What a post takes of this kind; ``None`` where it takes none."""
        if kind is not MediaKind.IMAGE:
            return self.others.get(kind)
        if not self.images_max:
            return None
        return MediaLimits(
            self.image_size_bytes,
            self.image_mimes,
            self.images_max,
            self.image_side_max_px,
            self.image_sides_sum_max_px,
            self.image_pixels_max,
        )


class Profile(Struct, frozen=True):
    """Everything the gateway asks of a platform without talking to it."""

    features: dict[Feature, Support]
    limits: Limits
    lanes: tuple[Lane, ...]
    idempotency: Idempotency
    says: dict[Feature, str] = {}
    """For people: what a claim leaves open, and where it is from."""
    calls_by_text: bool = True
    """Whether a plain ``@name`` in a text calls who has that name."""
    name_goes_on: str = r"\w"
    """A pattern of what the platform takes for more of such a name."""
    address: str = ""
    """A pattern of what the platform takes for a web address in a text; empty where the author says where one ends."""
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

    def support(self, feature: Feature) -> Support:
        """What is not claimed is said in words where that can be done, and refused where it can't."""
        return self.features.get(feature, UNCLAIMED.get(feature, Support.REJECTED))

    def supports(self, feature: Feature) -> bool:
        return self.support(feature) >= Support.PARTIAL


UNCLAIMED = {
    Feature.ALT: Support.DROPPED,
    Feature.FORMAT: Support.FALLBACK,
    Feature.LANGUAGE: Support.DROPPED,
    Feature.LINK_CARD: Support.DROPPED,
    Feature.LINK_TEXT: Support.FALLBACK,
    Feature.POLL: Support.FALLBACK,
    Feature.QUOTE: Support.FALLBACK,
    Feature.REPLIERS: Support.DROPPED,
    Feature.SENSITIVE: Support.DROPPED,
    Feature.SPOILER: Support.DROPPED,
    Feature.UNLISTED: Support.DROPPED,
    Feature.WARNING: Support.FALLBACK,
}
"""How features are carried that an adapter says nothing about; what isn't here is REJECTED."""

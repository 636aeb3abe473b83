"""Facts about Mastodon: what it carries, how much, how often, and what its refusals mean. As of 2026-11-26.

Sources: ``mdocs`` is mastodon/documentation, ``masto`` is mastodon/mastodon; "probed" was seen with Mastodon.py 2.3.3.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from adapters.border import Rule
from gateway.model.capabilities import Feature, Idempotency, Lane, Limits, MediaLimits, Profile, Support
from gateway.model.delivery import Change, FaultKind
from gateway.model.media import MediaKind
from gateway.model.secret import Secret
from gateway.ports import Platform

NAME = "mastodon"

Visibility = Literal["public", "unlisted", "private", "direct"]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account. ``server`` is the instance (or a GoToSocial); ``visibility`` is for posts on the timeline.

    ``poll_s`` is how often notifications are read where no stream wakes the reader, as none does for a stranger's
    first direct message; ``workers`` is how many requests to send are under way at once.
    """

    server: str
    access_token: Secret
    visibility: Literal["public", "unlisted", "private"] = "public"
    poll_s: Annotated[float, Meta(gt=0)] = 30.0
    workers: Annotated[int, Meta(ge=1, le=16)] = 3


VIDEO_MIMES = ("video/webm", "video/mp4", "video/quicktime", "video/ogg")
AUDIO_MIMES = (
    *("audio/mpeg", "audio/mp3", "audio/ogg", "audio/vorbis", "audio/webm", "audio/flac", "audio/aac", "audio/mp4"),
    *("audio/wav", "audio/wave", "audio/x-wav", "audio/x-pn-wave", "audio/vnd.wave", "audio/m4a", "audio/x-m4a"),
    "audio/3gpp",
)

_POSTS = ("post", "reply", "direct")

# masto config/initializers/twitter_regex.rb: in a path everything but white space, brackets and signs at its end, in a
# query all that isn't ASCII, too.
_IN_BRACKETS = r"\([^\s<>()?]+\)"
_ADDRESS = (
    r"(?i)https?://(?:[\w-]+\.)+(?:[a-z]{2,}[0-9a-z@+-]*|[^\W\d_]{2,})(?::\d+)?"
    rf"(?:/(?:(?:[^\s<>()?]|{_IN_BRACKETS})*(?:[^\s<>()?!*\"'「」;:=,.$%\[\]~&|@]|{_IN_BRACKETS}))?)?"
    r"(?:\?[\w!?*'();:&=+$/%#\[\].,~|@^\u00a0-\U0010ffff-]*[\w&=#/\u00a0-\U0010ffff-])?"
)

PROFILE = Profile(
    features={
        Feature.EDIT: Support.PARTIAL,
        Feature.DELETE: Support.FULL,
        Feature.REACT: Support.PARTIAL,
        Feature.REPOST: Support.FULL,
        Feature.TYPING: Support.REJECTED,
        Feature.ATTACHMENTS: Support.FULL,
        Feature.THREAD: Support.FULL,
        Feature.DIRECT: Support.FULL,
        Feature.IMAGE: Support.FULL,
        Feature.GIF: Support.FULL,
        Feature.VIDEO: Support.FULL,
        Feature.AUDIO: Support.FULL,
        Feature.FILE: Support.REJECTED,
        Feature.ALT: Support.FULL,
        Feature.FORMAT: Support.FALLBACK,
        Feature.SPOILER: Support.DROPPED,
        Feature.LINK_TEXT: Support.FALLBACK,
        Feature.LINK_CARD: Support.DROPPED,
        Feature.POLL: Support.FULL,
        Feature.WARNING: Support.FULL,
        Feature.SENSITIVE: Support.FULL,
        Feature.LANGUAGE: Support.PARTIAL,
        Feature.UNLISTED: Support.FULL,
        Feature.FOLLOWERS: Support.FULL,
        Feature.QUOTE: Support.FALLBACK,
        Feature.REPLIERS: Support.DROPPED,
        Feature.MENTION_ANYONE: Support.FULL,
        Feature.DIRECT_ANYONE: Support.FULL,
    },
    says={
        Feature.EDIT: "each edit federates and notifies: for a correction, not for streaming",
        Feature.REACT: "a favourite for ⭐ 🌟 ❤ ♥ 👍; others are refused: they would say something that wasn't meant",
        Feature.GIF: "shown as a film without sound",
        Feature.FORMAT: "what is written is plain text: mdocs user/posting.md",
        Feature.LINK_CARD: "the server makes its own",
        Feature.LANGUAGE: "without a region, but for Chinese: masto languages_helper.rb",
        Feature.QUOTE: "partly where the instance has Mastodon 4.5",
    },
    # mdocs methods/instance.md (configuration); the instance's own numbers override them when they are known. A file
    # has less than what is told: masto media_attachment.rb (less_than).
    limits=Limits(
        text_max=500,
        unit="graphemes, a web address as 23, a mention without its domain",
        direct_max=500,
        images_max=4,
        image_size_bytes=16_777_215,
        image_mimes=("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/heic", "image/heif"),
        alt_max=1500,
        url_length=23,
        image_pixels_max=33_177_600,
        others={
            # A GIF is checked as a picture, with a pixel limit of its own: masto attachmentable.rb.
            MediaKind.GIF: MediaLimits(16_777_215, ("image/gif",), 4, pixels_max=921_600),
            # The only file of its status, as a sound is: masto post_status_service.rb. Types: media_attachment.rb.
            MediaKind.VIDEO: MediaLimits(103_809_023, VIDEO_MIMES, pixels_max=8_294_400, frames_per_s_max=120),
            MediaKind.AUDIO: MediaLimits(103_809_023, AUDIO_MIMES),
        },
        media_max=4,
        poll_options_min=2,  # masto poll_options_validator.rb
        poll_options_max=4,
        poll_option_length=50,
        poll_shortest_s=300,
        poll_longest_s=2_629_746,
        poll_alone=True,  # masto post_status_service.rb
    ),
    lanes=(
        Lane("statuses", 300, 10_800, (*_POSTS, Change.REPOST)),  # masto rate_limiter.rb, reblog_service.rb
        # masto config/initializers/rack_attack.rb. What is read and uploaded counts among the calls of a token, too.
        Lane("deletes", 30, 1_800, (Change.DELETE,)),
        Lane("calls", 300, 300, (*_POSTS, *Change)),
    ),
    calls_by_text=True,  # masto process_mentions_service.rb
    name_goes_on=r"[.-]*+\w",  # masto account.rb, USERNAME_RE and MENTION_RE
    address=_ADDRESS,
    idempotency=Idempotency.KEYED,
    # masto post_status_service.rb keeps a key for 3600 s; the last minute is left to the request's own way.
    key_lifetime_s=3540.0,
    # The key is stored after the status is made; a repeat before that gets a 503 or, on older servers, a second status.
    settle_after_s=5.0,
)

_BASE = "masto app/controllers/api/base_controller.rb"
_PROBED = "probed"

ACCOUNT: tuple[Rule, ...] = (
    Rule(FaultKind.NETWORK, code="unanswered", certain=False, source=_PROBED),
    Rule(FaultKind.CONFIG, code="redirect", source="a redirect is refused: nothing was posted"),
    Rule(FaultKind.SERVER, code="unreadable", certain=False, source="a success that is not understood"),
    Rule(FaultKind.RATE_LIMITED, status=429, source="mdocs api/rate-limits.md"),
    Rule(FaultKind.SIGNED_OUT, status=401, text="access token", source="mdocs methods/statuses.md"),
    Rule(FaultKind.SIGNED_OUT, status=401, text="requires an authenticated user", source=_BASE),
    Rule(FaultKind.SUSPENDED, status=403, text="login is currently disabled", source=_BASE),
    Rule(FaultKind.LOCKED, status=403, text="missing a confirmed e-mail", source=_BASE),
    Rule(FaultKind.LOCKED, status=403, text="currently pending approval", source=_BASE),
    Rule(FaultKind.LOCKED, status=403, text="two-factor authentication", source=_BASE),
    Rule(FaultKind.CONFIG, status=403, text="outside the authorized scopes", source=_BASE),
    Rule(FaultKind.SERVER, status=410, certain=True, source="the instance is gone or has moved"),
)
"""What says the same wherever it is heard."""

FAULTS: tuple[Rule, ...] = (
    *ACCOUNT,
    Rule(FaultKind.TARGET_REFUSED, status=403, text="This action is not allowed", source=_BASE),
    Rule(FaultKind.CONFIG, status=404, code="html", source="no such endpoint: not a Mastodon API"),
    Rule(FaultKind.TARGET_GONE, status=404, source="masto statuses_controller.rb"),
    Rule(FaultKind.MEDIA, status=413, source="a proxy's limit"),
    Rule(FaultKind.TOO_LONG, status=422, text="character limit", source="masto status_length_validator.rb"),
    Rule(FaultKind.MEDIA_PENDING, status=422, text="not finished processing", source="masto post_status_service.rb"),
    Rule(FaultKind.MEDIA, status=422, text="Cannot attach", source="masto post_status_service.rb"),
    Rule(FaultKind.MEDIA, status=422, text="Validation failed: File", source="masto media_attachment.rb"),
    Rule(FaultKind.MEDIA, status=422, text="Validation failed: Description", source="masto media_attachment.rb"),
    Rule(FaultKind.MEDIA, status=422, text="already attached to another post", source="masto post_status_service.rb"),
    Rule(FaultKind.MEDIA, status=422, text="are not supported", source="masto attachmentable.rb: too many pixels"),
    # 500 as the upload's own answer: a picture that the server's libraries don't read. Nothing was kept.
    Rule(FaultKind.MEDIA, text="Error processing thumbnail", source="masto media_controller.rb"),
    Rule(FaultKind.MEDIA, status=422, text="could not be verified", source="masto media_controller.rb"),
    Rule(FaultKind.MEDIA, status=422, text="no video stream", source="masto media_attachment.rb"),
    Rule(FaultKind.INVALID, status=422, source=_BASE),
    Rule(FaultKind.INVALID, status=400, source=_BASE),
)
"""What a refused action means. A 403 in other words (they are localised) stays FORBIDDEN: the probe judges."""

PROBE_FAULTS: tuple[Rule, ...] = (
    *ACCOUNT,
    Rule(FaultKind.FORBIDDEN, status=401, code="html", source="something in front of the instance"),
    Rule(FaultKind.FORBIDDEN, status=403, code="html", source="something in front of the instance"),
    Rule(FaultKind.SIGNED_OUT, status=401, source=_BASE),
    Rule(FaultKind.SUSPENDED, status=403, source="verify_credentials refuses only accounts that are not functional"),
    Rule(FaultKind.CONFIG, status=404, source="no such endpoint: not a Mastodon API"),
)
"""What a refused ``verify_credentials`` means: it has no target, so every refusal is about the account."""

RESTARTING = Rule(
    FaultKind.SERVER,
    status=404,
    code="html",
    certain=False,
    source="a proxy (Traefik: 404 page not found) while the instance behind it restarts",
)
"""What a page that knows no such path means of a server that was seen to be a Mastodon. It goes before the others."""

PLATFORM = Platform(NAME, Settings, PROFILE, "adapters.mastodon.adapter:open_account")

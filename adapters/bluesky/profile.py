"""Facts of Bluesky: what an account of it is configured with, can do, is limited to, and how its errors read.

Sources: ``lexicon`` is bluesky-social/atproto ``lexicons/`` and ``pds`` its ``packages/pds`` (2026-08), ``seen`` is a
real PDS (npm ``@atproto/dev-env`` 0.6.7) asked on 2026-11-22 and 2026-11-26, ``lib`` is atproto 0.0.73, ``docs`` is
docs.bsky.app (2026-11).
"""

from __future__ import annotations

from msgspec import Struct

from adapters.border import Rule
from gateway.model.capabilities import Feature, Idempotency, Lane, Limits, MediaLimits, Profile, Support
from gateway.model.delivery import Change, FaultKind
from gateway.model.media import MediaKind
from gateway.model.secret import Secret
from gateway.ports import Platform

NAME = "bluesky"
DEFAULT_SERVER = "https://bsky.social"
DEFAULT_PUBLIC_SERVER = "https://public.api.bsky.app"

TEXT_GRAPHEMES = 300  # lexicon app/bsky/feed/post.json
TEXT_BYTES = 3000
DIRECT_GRAPHEMES = 1000  # lexicon chat/bsky/convo/defs.json
DIRECT_BYTES = 10_000
IMAGE_BYTES = 2_000_000  # lexicon app/bsky/embed/images.json; seen
THUMB_BYTES = 1_000_000  # lexicon app/bsky/embed/external.json; seen
ALT_MAX = 2000  # no limit in the lexicon; the app's own


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ``[[accounts]]`` table of Bluesky. ``identifier`` is a handle, a DID or an address of e-mail.

    ``public_server`` is asked, without credentials, how the world sees the account: a suspension by Bluesky of an
    account on another server shows nowhere else. Empty: not asked. ``poll_direct_s`` 0: no direct messages.
    """

    identifier: str
    password: Secret
    server: str = DEFAULT_SERVER
    public_server: str = DEFAULT_PUBLIC_SERVER
    poll_s: float = 10.0
    poll_direct_s: float = 10.0


_WRITES = ("post", "reply", Change.DELETE, Change.REACT, Change.REPOST)

PROFILE = Profile(
    features={
        Feature.EDIT: Support.REJECTED,
        Feature.DELETE: Support.FULL,
        Feature.REACT: Support.PARTIAL,
        Feature.REPOST: Support.FULL,
        Feature.TYPING: Support.REJECTED,
        Feature.ATTACHMENTS: Support.FULL,
        Feature.THREAD: Support.FULL,
        Feature.DIRECT: Support.FULL,
        Feature.IMAGE: Support.PARTIAL,
        Feature.GIF: Support.REJECTED,
        Feature.VIDEO: Support.PARTIAL,
        Feature.AUDIO: Support.REJECTED,
        Feature.FILE: Support.REJECTED,
        Feature.ALT: Support.FULL,
        Feature.FORMAT: Support.FALLBACK,
        Feature.SPOILER: Support.DROPPED,
        Feature.LINK_TEXT: Support.FULL,
        Feature.LINK_CARD: Support.FULL,
        Feature.POLL: Support.FALLBACK,
        Feature.WARNING: Support.FALLBACK,
        Feature.SENSITIVE: Support.PARTIAL,
        Feature.LANGUAGE: Support.FULL,
        Feature.UNLISTED: Support.DROPPED,
        Feature.FOLLOWERS: Support.REJECTED,
        Feature.QUOTE: Support.FULL,
        Feature.REPLIERS: Support.PARTIAL,
        Feature.MENTION_ANYONE: Support.FULL,
        Feature.DIRECT_ANYONE: Support.PARTIAL,
    },
    says={
        Feature.EDIT: "A changed record shows only its first version in the app (GitHub social-app#673): no edits.",
        Feature.REACT: "a like, whatever the emoji; in direct messages the emoji itself",
        Feature.IMAGE: "in posts; a direct message carries the words of the picture",
        Feature.GIF: "a GIF is shown as a picture that stands still (docs: images)",
        Feature.VIDEO: (
            "One, by the PDS: shown once the video service has seen the post, some seconds later (docs: "
            "tutorials/video)."
        ),
        Feature.AUDIO: "lexicon app/bsky/feed/post.json: no such embed",
        Feature.FORMAT: "lexicon app/bsky/richtext/facet.json: mentions, links, tags",
        Feature.SENSITIVE: 'a label of its own: "graphic media" (docs: advanced-guides/moderation)',
        Feature.UNLISTED: "every post is public",
        Feature.REPLIERS: "lexicon app/bsky/feed/threadgate.json: of a thread's first post alone",
        Feature.DIRECT_ANYONE: "where the person's settings let strangers in",
    },
    limits=Limits(
        text_max=TEXT_GRAPHEMES,
        unit="graphemes",
        direct_max=DIRECT_GRAPHEMES,
        images_max=4,  # lexicon app/bsky/embed/images.json
        image_size_bytes=IMAGE_BYTES,
        image_mimes=("image/jpeg", "image/png", "image/webp", "image/gif"),
        alt_max=ALT_MAX,
        others={
            MediaKind.VIDEO: MediaLimits(
                50_000_000,  # lexicon: 300 MB; docs rate-limits: a PDS of Bluesky takes blobs of 50 MiB
                ("video/mp4",),  # lexicon app/bsky/embed/video.json; seen
                duration_max_s=180.0,  # the app's own (bsky.app 1.99, 2025-03)
            )
        },
    ),
    lanes=(
        # pds rate-limits.ts, putRecord.ts, applyWrites.ts: a put costs 2 points, a deletion 1 and 1 more for a gate. A
        # post that says who may reply is two puts: the second one's answer says what is left. The server names its
        # windows by n;w=seconds.
        Lane("points_hour", 5000, 3600, _WRITES, cost=2),
        Lane("points_day", 35_000, 86_400, _WRITES, cost=2),
        Lane("requests", 3000, 300, (*_WRITES, "direct")),
    ),
    calls_by_text=False,  # only facets call: lexicon app/bsky/richtext/facet.json
    # Posts have keys that never end (their record key), direct messages have none: both are read back.
    idempotency=Idempotency.READ_BACK,
    probe_sees_lock=True,  # seen: getSession of a deactivated account is 200 with active=false
)

_REPORTED = "reported, in these words"
_SESSION = "pds auth-verifier.ts; seen"
_CHAT = "lexicon chat/bsky/convo"

FAULTS: tuple[Rule, ...] = (
    Rule(FaultKind.RATE_LIMITED, status=429, source="pds rate-limiter-http.ts"),
    # 401 on a write, createSession and refreshSession; 400 on the public getProfile.
    Rule(FaultKind.SUSPENDED, code="AccountTakedown", source="pds createSession.ts, auth-verifier.ts; seen"),
    Rule(FaultKind.LOCKED, code="AccountDeactivated", source="pds auth-verifier.ts; seen"),
    # An app password without access to direct messages: nothing is wrong with the session.
    Rule(FaultKind.CONFIG, code="InvalidToken", text="Bad token", source="pds pipethrough.ts:59"),
    Rule(FaultKind.CONFIG, code="MethodNotImplemented", source="xrpc-server: no such service here"),
    Rule(FaultKind.SIGNED_OUT, code="ExpiredToken", source=_SESSION),
    Rule(FaultKind.SIGNED_OUT, code="InvalidToken", source=_SESSION),
    Rule(FaultKind.SIGNED_OUT, code="AuthMissing", source=_SESSION),
    Rule(FaultKind.SIGNED_OUT, code="AuthenticationRequired", source="pds createSession.ts; seen"),
    Rule(FaultKind.SIGNED_OUT, code="AuthFactorTokenRequired", source="pds createSession.ts"),
    Rule(FaultKind.SIGNED_OUT, code="AccountNotFound", source="pds auth-verifier.ts:263: migrated or unknown"),
    Rule(FaultKind.TARGET_REFUSED, text="recipient requires incoming messages", source=_REPORTED),
    Rule(FaultKind.TARGET_REFUSED, text="recipient has disabled incoming messages", source=_REPORTED),
    Rule(FaultKind.TARGET_REFUSED, code="ConvoLocked", source=_CHAT),
    Rule(FaultKind.TARGET_REFUSED, code="MessagesDisabled", source=_CHAT),
    Rule(FaultKind.TARGET_REFUSED, code="NotFollowedBySender", source=_CHAT),
    Rule(FaultKind.TARGET_REFUSED, code="BlockedActor", source=_CHAT),
    Rule(FaultKind.TARGET_REFUSED, code="BlockedByActor", source="lexicon app/bsky/feed/getAuthorFeed.json"),
    Rule(FaultKind.TARGET_REFUSED, code="BlockedSubject", source=_CHAT),
    Rule(FaultKind.TARGET_GONE, code="InvalidConvo", source=_CHAT),
    Rule(FaultKind.TARGET_GONE, code="RecipientNotFound", source=_CHAT),
    Rule(FaultKind.TARGET_GONE, code="RecordNotFound", source="pds getRecord.ts; seen"),
    Rule(FaultKind.MEDIA, status=413, source="lib request.py: a NetworkError with a response; permanent"),
    Rule(FaultKind.MEDIA, code="InvalidMimeType", source="pds repo/prepare.ts; seen"),
    Rule(FaultKind.MEDIA, code="InvalidSize", source="pds actor-store/blob/transactor.ts; seen"),
    Rule(FaultKind.MEDIA, code="BlobTooLarge", source="pds repo/prepare.ts"),
    Rule(FaultKind.MEDIA, code="BlobNotFound", source="seen"),
    Rule(FaultKind.MEDIA, status=400, text="blob too big", source="seen"),
    Rule(FaultKind.MEDIA, status=400, text=".mimeType", source="seen: a blob of a type that the embed doesn't take"),
    Rule(FaultKind.TOO_LONG, status=400, text="too big (maximum", source="seen"),
    Rule(FaultKind.FORBIDDEN, code="AccountSuspended", source=_CHAT),
    Rule(FaultKind.INVALID, status=400, source="pds; seen: InvalidRequest, InvalidSwap: nothing written"),
    # What the wire did. The codes are this adapter's own: see session.describe.
    Rule(FaultKind.NETWORK, code="Dropped", certain=False, source="lib request.py:79: RemoteProtocolError escapes"),
    Rule(FaultKind.NETWORK, code="TimedOut", certain=False, source="lib: InvokeTimeoutError"),
    Rule(FaultKind.SERVER, code="Unreadable", certain=False, source="an answer that isn't the protocol's"),
    Rule(FaultKind.SERVER, code="Redirected", certain=True, source="a POST is never repeated elsewhere"),
    Rule(FaultKind.CONFIG, code="BadAddress", source="httpx: the server's address can't be used"),
)

PLATFORM = Platform(NAME, Settings, PROFILE, "adapters.bluesky.adapter:open_account", import_ms=600)

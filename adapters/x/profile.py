"""X's facts: what it carries, how much, how fast, and what its refusals mean. No client library is imported here.

What maps to what (2026-11): a reaction is a like, whatever its emoji; a repost is a retweet; a quoted post is a quote
post; what hides media is "sensitive_media_warning" of their metadata; ``Repliers`` is ``reply_settings``, where NOBODY
is "mentionedUsers" (X has no stricter one). A post's language is X's own guess; there are neither warnings nor posts
that are unlisted or for followers alone. Of others' likes, reposts and deletions X tells nothing to who polls: of an
edited mention it does, and of a retweet where it comes with the mentions.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, structs

from adapters.border import Rule
from gateway.model.capabilities import Feature, Idempotency, Lane, Limits, MediaLimits, Profile, Support
from gateway.model.delivery import FaultKind
from gateway.model.media import MediaKind
from gateway.model.secret import Secret
from gateway.ports import Platform

Seconds = Annotated[float, Meta(gt=0)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account's keys. ``access_token`` is an OAuth 2.0 user token (scopes tweet.read tweet.write users.read
    dm.read dm.write media.write); with a refresh token (offline.access) and ``client_id`` it is renewed by itself.
    """

    access_token: Secret
    server: str = "https://api.x.com"
    refresh_token: Secret | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    """For confidential apps only."""
    poll_s: Seconds = 15.0
    """How often mentions are asked for: 300 times in 15 minutes are allowed."""
    poll_direct_s: Seconds = 60.0
    """How often direct messages are asked for: 15 times in 15 minutes are allowed."""
    timeout_s: Seconds = 30.0
    enterprise: bool = False
    """The app has an Enterprise plan, which alone still has likes and quote posts (changelog 2026-04-20)."""


POSTS = "posts"
POSTS_DAY = "posts_day"
DIRECTS = "directs"
DIRECTS_DAY = "directs_day"

# x-api/getting-started/pricing.mdx, changelog 2026-04-20. What a post with an address costs as a reply isn't said: the
# dearer of the two.
POST_USD = 0.015
LINKED_USD = 0.2
SUMMONED_USD = 0.01
DIRECT_USD = 0.015
ALT_USD = 0.005

PROFILE = Profile(
    features={
        Feature.DELETE: Support.FULL,
        Feature.THREAD: Support.FULL,
        Feature.DIRECT: Support.FULL,
        Feature.IMAGE: Support.FULL,
        Feature.GIF: Support.FULL,
        Feature.VIDEO: Support.FULL,
        Feature.ALT: Support.FULL,  # POST /2/media/metadata, openapi.json
        # Only films and pictures can be posted: openapi.json, media_category.
        Feature.AUDIO: Support.REJECTED,
        Feature.FILE: Support.REJECTED,
        Feature.ATTACHMENTS: Support.FULL,  # media.fields of the lookups, openapi.json
        Feature.REPOST: Support.FULL,  # POST /2/users/:id/retweets, openapi.json
        # One answer from each; media or a quote can't stand beside it: openapi.json.
        Feature.POLL: Support.PARTIAL,
        # Enterprise only (changelog 2026-04-20); X shows a post's address as that post.
        Feature.QUOTE: Support.FALLBACK,
        # "following" and "mentionedUsers"; nobody at all is not there: openapi.json, reply_settings.
        Feature.REPLIERS: Support.PARTIAL,
        # Media alone, and in one class: openapi.json, sensitive_media_warning.
        Feature.SENSITIVE: Support.PARTIAL,
        Feature.WARNING: Support.FALLBACK,
        Feature.LANGUAGE: Support.DROPPED,
        Feature.UNLISTED: Support.DROPPED,
        Feature.FOLLOWERS: Support.REJECTED,
        # X makes cards itself, of the page's own metadata.
        Feature.LINK_CARD: Support.DROPPED,
        Feature.FORMAT: Support.FALLBACK,
        Feature.LINK_TEXT: Support.FALLBACK,
        Feature.SPOILER: Support.DROPPED,
        # A post that names somebody goes out whoever they are, but is no conversation: automated accounts may only
        # *reply* where they were mentioned (changelog 2026-02-23), and unasked mentions in bulk are spam by the rules.
        Feature.MENTION_ANYONE: Support.PARTIAL,
        # "DMs only after user DMs first" (developer guidelines, automation rules).
        Feature.DIRECT_ANYONE: Support.REJECTED,
        # Editing wants Premium, gives a new id each time and leaves replies out: edit-posts.mdx.
        Feature.EDIT: Support.REJECTED,
        # Likes left the self-serve tiers: changelog 2026-04-20.
        Feature.REACT: Support.REJECTED,
        Feature.TYPING: Support.REJECTED,
    },
    limits=Limits(
        text_max=280,  # twitter-text config/v3.json
        unit="twitter-text-v3",
        direct_max=10_000,  # tweepy AsyncClient.create_direct_message: "up to 10,000 characters"
        images_max=4,  # media/quickstart/best-practices.mdx; so are the next two
        image_size_bytes=5_000_000,
        image_mimes=("image/jpeg", "image/png", "image/gif", "image/webp"),
        others={  # best-practices.mdx; types: openapi.json, media_type
            MediaKind.GIF: MediaLimits(15_000_000, ("image/gif",), side_max_px=1280, pixels_max=1280 * 1080),
            MediaKind.VIDEO: MediaLimits(512_000_000, ("video/mp4", "video/quicktime"), duration_max_s=140.0),
        },
        poll_options_max=4,  # openapi.json; so are the next three
        poll_option_length=25,
        poll_shortest_s=300.0,
        poll_longest_s=604_800.0,
        alt_max=1000,  # openapi.json, POST /2/media/metadata
        url_length=23,  # twitter-text config/v3.json
    ),
    lanes=(  # rate-limits.mdx and posts/manage-tweets/integrate.mdx; live headers rule
        Lane(POSTS, 100, 900.0, ("post", "reply")),
        Lane(POSTS_DAY, 10_000, 86_400.0, ("post", "reply")),
        Lane(DIRECTS, 15, 900.0, ("direct",)),
        Lane(DIRECTS_DAY, 1440, 86_400.0, ("direct",)),
    ),
    idempotency=Idempotency.READ_BACK,
    settle_after_s=5.0,  # reading back is eventually consistent (how late is not known); nothing else protects a DM
    # Reads stay open while the account is locked; only a write tells.
    probe_sees_lock=False,
    concurrency=64,  # aiohttp takes them; with 16 slots too few sends share a commit (docs/performance.md)
)

ENTERPRISE = structs.replace(
    PROFILE, features=PROFILE.features | {Feature.REACT: Support.PARTIAL, Feature.QUOTE: Support.PARTIAL}
)
"""What an Enterprise plan has besides: one reaction, the like; quotes, though not beside media or a poll."""

_LOG = "observed body (report or live log, 2026)"
_TYPES = "list of problem types, xdocs response codes"
_V1 = "v1 error codes, still sent by some layers"

FAULTS: tuple[Rule, ...] = (
    Rule(FaultKind.NETWORK, code="connection", certain=False, source="aiohttp: the connection broke or timed out"),
    Rule(FaultKind.SIGNED_OUT, code="invalid_request", source="POST /2/oauth2/token, " + _LOG),
    Rule(FaultKind.SIGNED_OUT, code="invalid_grant", source="POST /2/oauth2/token, " + _LOG),
    Rule(FaultKind.SIGNED_OUT, code="invalid_client", source="RFC 6749, 5.2"),
    Rule(FaultKind.SIGNED_OUT, code="unauthorized_client", source="RFC 6749, 5.2"),
    Rule(FaultKind.SUSPENDED, code="user-suspended", source=_LOG),
    Rule(FaultKind.SUSPENDED, code="app-suspended", source=_LOG),
    Rule(FaultKind.SUSPENDED, status=403, code="64", source=_V1),
    Rule(FaultKind.LOCKED, status=403, text="account is temporarily locked", source=_LOG),
    Rule(FaultKind.LOCKED, status=403, code="326", source=_V1),
    Rule(FaultKind.QUOTA, status=402, source=_LOG),
    Rule(FaultKind.QUOTA, code="usage-capped", source=_TYPES),
    Rule(FaultKind.QUOTA, code="UsageCapExceeded", source=_LOG),
    Rule(FaultKind.QUOTA, code="SpendCapReached", source=_LOG + "; its status is not established"),
    Rule(FaultKind.QUOTA, text="billing cycle spend cap", source=_LOG),
    Rule(FaultKind.RATE_LIMITED, status=429, source="rate-limits.mdx"),
    Rule(FaultKind.RATE_LIMITED, code="88", source=_V1),
    # Looks automated: nothing but hours of rest helps; the adapter sets retry_at.
    Rule(FaultKind.RATE_LIMITED, status=403, code="226", source=_V1),
    Rule(FaultKind.SIGNED_OUT, status=401, source=_LOG),
    Rule(FaultKind.SIGNED_OUT, code="89", source=_V1),
    Rule(FaultKind.SIGNED_OUT, code="32", source=_V1),
    Rule(FaultKind.CONFIG, code="oauth1-permissions", source=_TYPES),
    Rule(FaultKind.CONFIG, code="client-forbidden", source=_TYPES),
    # The request was refused, but an earlier try of the same part may be what it repeats: never certain.
    Rule(FaultKind.DUPLICATE, status=403, text="duplicate content", certain=False, source=_LOG),
    Rule(FaultKind.DUPLICATE, status=403, code="187", certain=False, source=_V1),
    Rule(FaultKind.DUPLICATE, status=403, text="already retweeted", source="POST /2/users/:id/retweets, " + _LOG),
    Rule(FaultKind.DUPLICATE, status=403, code="327", source=_V1),
    Rule(FaultKind.DUPLICATE, status=403, code="139", source=_V1),
    Rule(FaultKind.TOO_LONG, text="text is too long", source=_LOG + ", with 400 and with 403"),
    Rule(FaultKind.TOO_LONG, code="186", source=_V1),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="not been mentioned or otherwise engaged", source=_LOG),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="only reply to or quote posts where", source=_LOG),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="quoting this post is not allowed", source=_LOG),
    Rule(FaultKind.TARGET_REFUSED, status=403, code="433", source=_V1),
    Rule(FaultKind.TARGET_GONE, status=403, text="deleted or not visible to you", source=_LOG),
    Rule(FaultKind.TARGET_GONE, status=403, code="385", source=_V1),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="permission to DM", source=_LOG),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="this operation is not permitted", source=_LOG),
    Rule(FaultKind.MEDIA, text="media IDs are invalid", source=_LOG),
    Rule(FaultKind.MEDIA, status=403, text="not allowed to post a video", source=_LOG),
    Rule(FaultKind.TARGET_GONE, code="resource-not-found", source=_TYPES),
    Rule(FaultKind.FORBIDDEN, status=403, text="not permitted to perform this action", source=_LOG + ", ambiguous"),
    Rule(FaultKind.FORBIDDEN, status=403, text="not permitted to access this feature", source=_LOG + ", ambiguous"),
    Rule(FaultKind.INVALID, status=400, source="invalid-request; nothing is accepted with a 400"),
    Rule(FaultKind.CONFIG, status=404, source="no such path: the server is not an X API"),
)
"""The first match wins. Suspended and locked follow from their own words and codes only, never from a bare 403."""

PLATFORM = Platform("x", Settings, PROFILE, "adapters.x.adapter:open_account")

"""X's facts: what it carries, how much, how fast, and what its refusals mean. No client library is imported here.

Sources: pages are xdevplatform/docs (docs.x.com) as of 2026-09, openapi.json is its version 2.168; owner/name#number is
a thread on GitHub; "unsourced" is what is done by a written rule whose answer nobody shows.

What maps to what (2026-11): a reaction is a like, whatever its emoji; a repost is a retweet; a quoted post is a quote
post; what hides media is "sensitive_media_warning" of their metadata; ``Repliers`` is ``reply_settings``, where NOBODY
is "mentionedUsers" (X has no stricter one). A post's language is X's own guess; there are neither warnings nor posts
that are unlisted or for followers alone.

What others do: mentions, replies and direct messages are polled, and with them come edits of mentions (a new id, under
edit_history_tweet_ids) and the quotes and retweets that call the account by name. None of this is heard: other quotes,
retweets and likes of one's posts, of which X tells who asks post by post (quote_tweets, retweeted_by, liking_users: 75
requests in 15 minutes, $0.010 for each account that is told, 100 likes of a post ever); and deletions, which only the
X Activity stream tells, author by author (post.delete): it wants an app's own token, and tweepy can't open it.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, structs

from adapters.border import Rule
from gateway.model.capabilities import Feature, Idempotency, Lane, Limits, MediaLimits, Profile, Support
from gateway.model.delivery import Change, FaultKind
from gateway.model.media import MediaKind
from gateway.model.secret import Secret
from gateway.ports import Platform

Seconds = Annotated[float, Meta(gt=0)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account's keys. ``access_token`` is an OAuth 2.0 user token (scopes tweet.read tweet.write users.read
    dm.read dm.write media.write, with an Enterprise plan like.write); with a refresh token (offline.access) and
    ``client_id`` it is renewed by itself.
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
    video_max_s: Seconds = 140.0
    """How long a post's film may be. X's page said 140 s till August 2026; since then it is 20 minutes, and 125 with
    Premium (best-practices.mdx). Others tell of the older number still: it is what every account has.
    """
    shown_within_s: Seconds = 180.0
    """How late X may show what it has taken, from us or others. "About 2 or 3 minutes" late were direct messages in the
    older API (tweepy/tweepy#1468, TWBlue#334); of this one nothing is published.
    """
    enterprise: bool = False
    """The app has an Enterprise plan, which alone still has likes and quote posts (changelog 2026-04-20)."""


QUARTER_S = 900.0
DAY_S = 86_400.0
"""X's two windows."""
DIRECT_VIDEO_MAX_S = 140.0
"""In direct messages, whatever :data:`PROFILE` says of posts: best-practices.mdx, accounts without Premium."""

# x-api/getting-started/pricing.mdx, changelog 2026-04-20. What a post with an address costs as a reply isn't said: the
# dearer of the two.
POST_USD = 0.015
LINKED_USD = 0.2
SUMMONED_USD = 0.01
DIRECT_USD = 0.015
ALT_USD = 0.005

# twitter-text, validUrl. An address ends before letters that are neither Latin nor Cyrillic.
_LETTERS = r"a-z0-9\u00c0-\u024f\u0300-\u036f\u0400-\u04ff\u1e00-\u1eff"
_SIGNS = r"!*';:=+,.$/%#\[\]\u2013_~@|&-"
_IN_BRACKETS = rf"\([{_LETTERS}{_SIGNS}]+\)"
_ADDRESS = (
    r"(?i)https?://(?:[\w-]+\.)+(?:[a-z]{2,}[0-9a-z@+-]*|[^\W\d_]{2,})(?::\d+)?"
    rf"(?:/(?:(?:[{_LETTERS}{_SIGNS}]|{_IN_BRACKETS})*(?:[{_LETTERS}=_#/+-]|{_IN_BRACKETS}))?)?"
    r"(?:\?[a-z0-9!?*'@();:&=+$/%#\[\]_.,~|-]*[a-z0-9_&=#/-])?"
)

PROFILE = Profile(
    features={
        Feature.DELETE: Support.FULL,
        Feature.THREAD: Support.FULL,
        Feature.DIRECT: Support.FULL,
        Feature.IMAGE: Support.FULL,
        Feature.GIF: Support.FULL,
        Feature.VIDEO: Support.FULL,
        Feature.ALT: Support.FULL,
        Feature.AUDIO: Support.REJECTED,
        Feature.FILE: Support.REJECTED,
        Feature.ATTACHMENTS: Support.FULL,
        Feature.REPOST: Support.FULL,
        Feature.POLL: Support.PARTIAL,
        Feature.QUOTE: Support.FALLBACK,
        Feature.REPLIERS: Support.PARTIAL,
        Feature.SENSITIVE: Support.PARTIAL,
        Feature.WARNING: Support.FALLBACK,
        Feature.LANGUAGE: Support.DROPPED,
        Feature.UNLISTED: Support.DROPPED,
        Feature.FOLLOWERS: Support.REJECTED,
        Feature.LINK_CARD: Support.DROPPED,
        Feature.FORMAT: Support.FALLBACK,
        Feature.LINK_TEXT: Support.FALLBACK,
        Feature.SPOILER: Support.DROPPED,
        Feature.MENTION_ANYONE: Support.PARTIAL,
        Feature.DIRECT_ANYONE: Support.REJECTED,
        Feature.EDIT: Support.REJECTED,
        Feature.REACT: Support.REJECTED,
        Feature.TYPING: Support.REJECTED,
    },
    says={
        Feature.ALT: "POST /2/media/metadata, openapi.json",
        Feature.AUDIO: "Only films and pictures can be posted: openapi.json, media_category.",
        Feature.ATTACHMENTS: "media.fields of the lookups, openapi.json",
        Feature.REPOST: "POST /2/users/:id/retweets, openapi.json",
        Feature.POLL: "One answer from each; media or a quote can't stand beside it: openapi.json up to 2.167.",
        Feature.QUOTE: "Enterprise only (changelog 2026-04-20); X shows a post's address as that post.",
        Feature.REPLIERS: (
            '"following" and "mentionedUsers"; nobody at all is not there: openapi.json, reply_settings.'
        ),
        Feature.SENSITIVE: "Media alone, and in one class: openapi.json up to 2.167, sensitive_media_warning.",
        Feature.LINK_CARD: "X makes cards itself, of the page's own metadata.",
        Feature.MENTION_ANYONE: (
            "A post that names somebody goes out whoever they are, but is no conversation: automated accounts "
            "may only *reply* where they were mentioned (changelog 2026-02-23), and unasked mentions in bulk "
            "are spam by the rules."
        ),
        Feature.DIRECT_ANYONE: '"DMs only after user DMs first" (developer guidelines, automation rules).',
        Feature.EDIT: "Editing wants Premium, gives a new id each time and leaves replies out: edit-posts.mdx.",
        Feature.REACT: "A like, whatever the emoji, on the Enterprise plan alone: changelog 2026-04-20.",
    },
    limits=Limits(
        text_max=280,  # twitter-text config/v3.json
        unit="twitter-text-v3",
        direct_max=10_000,  # tweepy AsyncClient.create_direct_message: "up to 10,000 characters"
        images_max=4,  # media/quickstart/best-practices.mdx; so are the next two
        image_size_bytes=5_000_000,
        image_mimes=("image/jpeg", "image/png", "image/gif", "image/webp"),
        others={  # best-practices.mdx; types: openapi.json, media_type, and its codecs
            MediaKind.GIF: MediaLimits(
                15_000_000,
                ("image/gif",),
                side_max_px=1280,
                pixels_max=1280 * 1080,
                frames_max=350,
                frames_pixels_max=300_000_000,
            ),
            # X takes 8 GB, but a film is handed in with 1,000 requests at most (openapi.json, segment_index), of half
            # a mebibyte each here. Direct messages end at 512 MB anyway.
            MediaKind.VIDEO: MediaLimits(
                512_000_000, ("video/mp4", "video/quicktime"), duration_max_s=140.0, frames_per_s_max=60
            ),
        },
        poll_options_min=2,  # openapi.json; so is the rest of polls
        poll_options_max=4,
        poll_option_length=25,
        poll_shortest_s=300.0,
        poll_longest_s=604_800.0,
        poll_multiple=False,
        poll_alone=True,
        alt_max=1000,  # openapi.json, POST /2/media/metadata
        url_length=23,  # twitter-text config/v3.json
    ),
    # rate-limits.mdx; live headers rule. That posts and retweets together are 300 in 3 hours stands in
    # manage-tweets/integrate.mdx, of 2018 and beside another number than this for posts: the newer page is followed.
    lanes=(
        Lane("posts", 100, QUARTER_S, ("post", "reply")),
        Lane("posts_day", 10_000, DAY_S, ("post", "reply")),
        Lane("directs", 15, QUARTER_S, ("direct",)),
        Lane("directs_day", 1440, DAY_S, ("direct",)),
        Lane("deletes", 50, QUARTER_S, (Change.DELETE,)),  # of posts; of direct messages 300
        Lane("reposts", 50, QUARTER_S, (Change.REPOST,)),
        Lane("likes", 50, QUARTER_S, (Change.REACT,)),
        Lane("likes_day", 1000, DAY_S, (Change.REACT,)),
    ),
    calls_by_text=True,  # twitter-text finds the names in a text
    address=_ADDRESS,
    idempotency=Idempotency.READ_BACK,
    settle_after_s=5.0,  # reading back is eventually consistent: see lateness.py
    # Reads stay open while the account is locked; only a write tells.
    probe_sees_lock=False,
    concurrency=64,  # aiohttp takes them; with 16 slots too few sends share a commit (docs/performance.md)
)

ENTERPRISE = structs.replace(
    PROFILE, features=PROFILE.features | {Feature.REACT: Support.PARTIAL, Feature.QUOTE: Support.PARTIAL}
)
"""What an Enterprise plan has besides: one reaction, the like; quotes, though not beside media or a poll."""


def profile_of(settings: Settings) -> Profile:
    """What one account may do."""
    profile = ENTERPRISE if settings.enterprise else PROFILE
    film = structs.replace(profile.limits.others[MediaKind.VIDEO], duration_max_s=settings.video_max_s)
    others = profile.limits.others | {MediaKind.VIDEO: film}
    return structs.replace(profile, limits=structs.replace(profile.limits, others=others))


_LOG = "an observed body (reports and live logs of others, 2026)"
_TYPES = "response-codes-and-errors.mdx, error types"
_V1 = "v1 error codes, reported as still sent by some layers"
_MEDIA = "best-practices.mdx, posting errors"

FAULTS: tuple[Rule, ...] = (
    Rule(FaultKind.NETWORK, code="connection", certain=False, source="aiohttp: the connection broke or timed out"),
    Rule(FaultKind.SIGNED_OUT, code="invalid_request", source="POST /2/oauth2/token, " + _LOG),
    Rule(FaultKind.SIGNED_OUT, code="invalid_grant", source="POST /2/oauth2/token, " + _LOG),
    Rule(FaultKind.SIGNED_OUT, code="invalid_client", source="RFC 6749, 5.2"),
    Rule(FaultKind.SIGNED_OUT, code="unauthorized_client", source="RFC 6749, 5.2"),
    Rule(FaultKind.SUSPENDED, code="user-suspended", source="akrherz/iembot#156"),
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
    Rule(FaultKind.CONFIG, code="oauth1-permissions", source=_LOG),
    Rule(FaultKind.CONFIG, code="unsupported-authentication", source="PLhery/node-twitter-api-v2#340"),
    Rule(FaultKind.CONFIG, code="client-forbidden", source=_TYPES),
    # The request was refused, but an earlier try of the same part may be what it repeats: never certain.
    Rule(FaultKind.DUPLICATE, status=403, text="duplicate content", certain=False, source="akrherz/iembot#163"),
    Rule(FaultKind.DUPLICATE, status=403, code="187", certain=False, source=_V1),
    Rule(FaultKind.DUPLICATE, status=403, text="already retweeted", source="in a problem body: unsourced"),
    Rule(FaultKind.DUPLICATE, status=403, code="327", source="marco97pa/Blackpink-Data#24: already retweeted"),
    Rule(FaultKind.DUPLICATE, status=403, code="139", source="v1 response codes: already liked"),
    Rule(FaultKind.TOO_LONG, text="text is too long", source=_LOG + ", with 400 and with 403"),
    Rule(FaultKind.TOO_LONG, code="186", source="mahrtayyab/tweety#199"),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="not been mentioned or otherwise engaged", source=_LOG),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="only reply to or quote posts where", source=_LOG),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="quoting this post is not allowed", source=_LOG),
    Rule(FaultKind.TARGET_REFUSED, status=403, code="433", source=_V1),
    Rule(FaultKind.TARGET_GONE, status=403, text="deleted or not visible to you", source=_LOG),
    Rule(FaultKind.TARGET_GONE, status=403, code="385", source=_V1),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="permission to DM", source=_LOG),
    Rule(FaultKind.TARGET_REFUSED, status=403, text="this operation is not permitted", source=_LOG),
    Rule(FaultKind.MEDIA, text="media IDs are invalid", source="abraham/twitteroauth#1222"),
    Rule(FaultKind.MEDIA, status=403, text="not allowed to post a video", source=_MEDIA),
    Rule(FaultKind.TARGET_GONE, code="resource-not-found", source=_TYPES),
    Rule(FaultKind.FORBIDDEN, status=403, text="not permitted to perform this action", source=_LOG + ", ambiguous"),
    Rule(FaultKind.FORBIDDEN, status=403, text="not permitted to access this feature", source=_LOG + ", ambiguous"),
    Rule(FaultKind.INVALID, status=400, source="sferik/x-ruby#62: invalid-request; nothing is accepted with a 400"),
    Rule(FaultKind.CONFIG, status=404, source="no such path: the server is not an X API"),
)
"""The first match wins. Suspended and locked follow from their own words and codes only, never from a bare 403."""

PLATFORM = Platform("x", Settings, PROFILE, "adapters.x.adapter:open_account")

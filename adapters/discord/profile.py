"""Facts of Discord: what it can do, its sizes and rates, and what its refusals mean (docs of 2026-08)."""

from __future__ import annotations

from msgspec import Struct

from adapters.border import Rule
from gateway.model.capabilities import Feature, Idempotency, Lane, Limits, MediaLimits, Profile, Scope, Support
from gateway.model.delivery import FaultKind
from gateway.model.media import MediaKind
from gateway.model.secret import Secret
from gateway.ports import Platform

SERVER = "https://discord.com"


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of a Discord account.

    ``announce_to`` is the channel that posts go to; without it only conversations work. ``watch`` lists channels
    whose messages are fetched after a pause even if nothing was ever heard of them. ``member_joins`` asks for the
    privileged "Server Members" intent. ``identify_pause_s`` is the least rest between two logins of one run.
    """

    token: Secret
    server: str = SERVER
    announce_to: str | None = None
    watch: tuple[str, ...] = ()
    member_joins: bool = False
    identify_pause_s: float = 5.0


TEXT_MAX = 2000  # resources/message: code points
NONCE_MAX = 25  # resources/message
HIDDEN = "SPOILER_"  # reference: uploading files; begins the name of a file that is hidden until a reader asks
ALT_MAX = 1024  # resources/message: attachment.description
FILES_MAX = 10
FILE_SIZE_MAX_BYTES = 10_485_760  # 10 MiB without boosts; the API refuses the 20 of a page (discord-api-docs#8572)
REQUEST_SIZE_MAX_BYTES = 26_214_400  # resources/message: 25 MiB
HISTORY_PAGE = 100  # resources/message
MENTIONS_MAX = 100  # resources/message: allowed_mentions.users
POLL_QUESTION_MAX = 300  # resources/poll: poll media object
POLL_ANSWERS_MAX = 10  # resources/poll
POLL_ANSWER_MAX = 55  # resources/poll
POLL_HOURS_MAX = 768  # resources/poll: 32 days

KINDS = ("post", "reply", "direct")
CHANGES = ("edit", "delete", "react")
CHANNEL_LANE = "channel"
EDIT_LANE, DELETE_LANE, REACTION_LANE = "edits", "deletes", "reactions"

PROFILE = Profile(
    features={
        Feature.EDIT: Support.FULL,
        Feature.DELETE: Support.FULL,
        Feature.REACT: Support.FULL,
        Feature.TYPING: Support.FULL,
        Feature.ATTACHMENTS: Support.FULL,
        Feature.THREAD: Support.PARTIAL,
        Feature.DIRECT: Support.FULL,
        Feature.IMAGE: Support.FULL,
        Feature.GIF: Support.FULL,
        Feature.VIDEO: Support.FULL,
        Feature.AUDIO: Support.FULL,
        Feature.FILE: Support.FULL,
        Feature.ALT: Support.FULL,
        Feature.FORMAT: Support.FULL,
        Feature.SPOILER: Support.FULL,
        Feature.LINK_TEXT: Support.FULL,
        Feature.LINK_CARD: Support.DROPPED,
        Feature.POLL: Support.PARTIAL,
        Feature.WARNING: Support.FALLBACK,
        Feature.SENSITIVE: Support.FULL,
        Feature.LANGUAGE: Support.DROPPED,
        Feature.UNLISTED: Support.DROPPED,
        Feature.FOLLOWERS: Support.REJECTED,
        Feature.QUOTE: Support.FALLBACK,
        Feature.REPLIERS: Support.DROPPED,
        Feature.REPOST: Support.REJECTED,
        Feature.MENTION_ANYONE: Support.PARTIAL,
        Feature.DIRECT_ANYONE: Support.PARTIAL,
    },
    says={
        Feature.THREAD: "parts answer one another in the channel",
        Feature.ALT: "resources/message: attachment.description",
        Feature.SPOILER: "reference: ||words||",
        Feature.LINK_CARD: "Discord makes its own from the page",
        Feature.POLL: "whole hours, and no edit",
        Feature.SENSITIVE: "reference: files named SPOILER_…",
        Feature.REACT: "any emoji",
        Feature.REPOST: "a forward goes to a channel, not to readers of one's own",
        Feature.MENTION_ANYONE: "reaches who can see the channel of `announce_to`",
        Feature.DIRECT_ANYONE: "reaches who shares a server and takes its DMs",
    },
    limits=Limits(
        text_max=TEXT_MAX,
        unit="code points",
        direct_max=TEXT_MAX,
        images_max=FILES_MAX,
        image_size_bytes=FILE_SIZE_MAX_BYTES,
        image_mimes=("image/png", "image/jpeg", "image/gif", "image/webp"),
        alt_max=ALT_MAX,
        others=dict.fromkeys(
            (MediaKind.GIF, MediaKind.VIDEO, MediaKind.AUDIO, MediaKind.FILE),
            MediaLimits(FILE_SIZE_MAX_BYTES, count_max=FILES_MAX),  # any type of file is taken
        ),
        media_max=FILES_MAX,
        poll_options_max=POLL_ANSWERS_MAX,
        poll_option_length=POLL_ANSWER_MAX,
        poll_shortest_s=3600.0,
        poll_longest_s=POLL_HOURS_MAX * 3600.0,
    ),
    lanes=(
        Lane("global", 50, 1.0, (*KINDS, *CHANGES)),  # topics/rate-limits
        # Each method has a window of its own in each channel (topics/rate-limits), whose size no page tells: these were
        # observed, and live headers rule.
        Lane(CHANNEL_LANE, 5, 5.0, KINDS, Scope.CONVERSATION),
        Lane(EDIT_LANE, 5, 5.0, ("edit",), Scope.CONVERSATION),
        Lane(DELETE_LANE, 5, 1.0, ("delete",), Scope.CONVERSATION),  # discord-api-docs#8330
        Lane(REACTION_LANE, 1, 0.25, ("react",), Scope.CONVERSATION),  # staff in discord-api-docs#864
    ),
    calls_by_text=False,  # allowed_mentions names whom a message calls: resources/message
    idempotency=Idempotency.KEYED,
    key_lifetime_s=120.0,  # enforce_nonce: "in the past few minutes"; the lower end
    settle_after_s=1.0,
    probe_sees_lock=False,  # 40002 meets writes only
    open_conversations=False,
    concurrency=64,
)

_CODES = "topics/opcodes-and-status-codes"
_HTTP = "discord/http.py"


def _codes(kind: FaultKind, *codes: str, certain: bool = True, source: str = _CODES) -> tuple[Rule, ...]:
    return tuple(Rule(kind, code=code, certain=certain, source=source) for code in codes)


FAULTS: tuple[Rule, ...] = (
    Rule(FaultKind.RATE_LIMITED, code="waits", source=f"{_HTTP}: RateLimited, nothing was sent"),
    # The account.
    Rule(FaultKind.SIGNED_OUT, status=401, source="401: Unauthorized; also 40001 and 50014, and a disabled bot"),
    *_codes(FaultKind.SIGNED_OUT, "4004", source="gateway close 4004"),
    *_codes(FaultKind.CONFIG, "4010", "4011", "4012", "4013", "4014", source="gateway close codes"),
    *_codes(FaultKind.LOCKED, "40002"),
    *_codes(FaultKind.NETWORK, "40333", source="Cloudflare refuses before Discord sees it"),
    # Rates.
    *_codes(FaultKind.RATE_LIMITED, "20016", "20028", "20029", "20022", "30046", "40003"),
    Rule(FaultKind.RATE_LIMITED, status=429, source=f"{_HTTP}: 429 without Via is Cloudflare's ban of the address"),
    *_codes(FaultKind.SERVER, "40004", "40006", source="switched off for a while"),
    *_codes(FaultKind.SERVER, "130000", certain=False, source="overloaded, comes as a 5xx"),
    # The target. A quarantined bot (20026) still talks in its servers; only new DMs are refused.
    *_codes(FaultKind.TARGET_REFUSED, "20026", source="discord-api-docs#2669"),
    *_codes(FaultKind.TARGET_REFUSED, "50001", "50013", "50009", "160005", "50083", "50007", "50278", "50005"),
    *_codes(FaultKind.TARGET_REFUSED, "40058", "50008", "50021", "50024", "160002", "520002", "520003"),
    *_codes(FaultKind.TARGET_REFUSED, "30010", "90001", source=f"{_CODES}; whoever blocked the bot takes no reactions"),
    *_codes(FaultKind.TARGET_GONE, "10003", "10004", "10008", "10013"),
    Rule(FaultKind.TARGET_GONE, code="50035", text="In message_reference", source="the message replied to is gone"),
    # The content.
    Rule(FaultKind.TOO_LONG, code="50035", text="In content: Must be", source="BASE_TYPE_MAX_LENGTH"),
    *_codes(FaultKind.INVALID, "50035", "50006", "200000", "240000", "20009", "10014"),
    *_codes(FaultKind.MEDIA, "40005", "50045", "50046", "30015", "400001"),
    Rule(FaultKind.MEDIA, status=413, source="request entity too large"),
    # Last, for closes whose code no row above knows.
    Rule(FaultKind.NETWORK, code="broken", certain=False, source=f"{_HTTP}: connection errors pass through"),
)

PLATFORM = Platform("discord", Settings, PROFILE, "adapters.discord.adapter:open_account")

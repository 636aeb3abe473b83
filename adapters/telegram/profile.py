"""What Telegram does and how it says no. Facts only, read on 2026-11-26.

Sources: PTB = constants and error classes of python-telegram-bot 22.8; tba = tdlib/telegram-bot-api 01a3679;
td = tdlib/td 022d602; bot = core.telegram.org/bots/api; live = what api.telegram.org answered to the tests of
atahanyorganci/effect-telegram-api; emu = the words that KnightNiwrem/tg-bot-api-emulator took from td and tba;
the rest as each row says.
"""

from __future__ import annotations

from msgspec import Struct

from adapters.border import Rule
from gateway.model.capabilities import Feature, Idempotency, Lane, Limits, MediaLimits, Profile, Scope, Support
from gateway.model.delivery import Change
from gateway.model.delivery import FaultKind as K
from gateway.model.media import MediaKind
from gateway.model.secret import Secret
from gateway.ports import Platform

TEXT_MAX = 4096
CAPTION_MAX = 1024
ENTITIES_MAX = 100
"""Entities a message keeps (PTB MessageLimit.MESSAGE_ENTITIES)."""
UPLOAD_BYTES = 50_000_000
"""PTB FileSizeLimit.FILESIZE_UPLOAD; bot#sending-files says 50 MB and not of which kind: the smaller is safe."""
DOWNLOAD_BYTES = 20 * 2**20  # tba Client.h: MAX_DOWNLOAD_FILE_SIZE = 20 << 20; "20 MB" in the pages is rounded
PHOTO_BYTES = 10_000_000
"""PTB FileSizeLimit.PHOTOSIZE_UPLOAD; td takes 10 * 2**20, which is more."""
PHOTO_SIDES_MAX_PX = 10_000
"""Width and height of a photo together (bot#sendphoto)."""
PHOTO_RATIO_MAX = 20
"""The longer side by the shorter (bot#sendphoto)."""
PHOTO_MIMES = ("image/jpeg", "image/png", "image/webp")
ALBUM_MAX = 10  # PTB MediaGroupLimit.MAX_MEDIA_LENGTH
QUESTION_MAX = 300  # PTB PollLimit.MAX_QUESTION_LENGTH
OPTIONS_MAX = 12  # PTB PollLimit.MAX_OPTION_NUMBER
OPTION_MAX = 100  # PTB PollLimit.MAX_OPTION_LENGTH
POLL_SHORTEST_S = 5  # PTB PollLimit.MIN_OPEN_PERIOD
POLL_LONGEST_S = 2_628_000  # PTB PollLimit.MAX_OPEN_PERIOD


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of an ``[[accounts]]`` table besides ``id``."""

    token: Secret
    server: str = "https://api.telegram.org"
    announce_to: str | int | None = None
    """Where posts on the account's timeline go: ``@channel`` or a chat's id. The bot must be allowed to write there."""
    poll_timeout_s: float = 25.0
    """How long one getUpdates waits; whole seconds, at most 50 (tba Client.h:1610)."""


PROFILE = Profile(
    features={
        Feature.EDIT: Support.FULL,
        Feature.DELETE: Support.FULL,
        Feature.REACT: Support.PARTIAL,
        Feature.TYPING: Support.FULL,
        Feature.THREAD: Support.PARTIAL,
        Feature.DIRECT: Support.FULL,
        Feature.ATTACHMENTS: Support.PARTIAL,
        Feature.IMAGE: Support.PARTIAL,
        Feature.GIF: Support.PARTIAL,
        Feature.VIDEO: Support.PARTIAL,
        Feature.AUDIO: Support.PARTIAL,
        Feature.FILE: Support.FULL,
        Feature.ALT: Support.DROPPED,
        Feature.FORMAT: Support.FULL,
        Feature.SPOILER: Support.FULL,
        Feature.LINK_TEXT: Support.FULL,
        Feature.LINK_CARD: Support.DROPPED,
        Feature.POLL: Support.PARTIAL,
        Feature.WARNING: Support.FALLBACK,
        Feature.SENSITIVE: Support.PARTIAL,
        Feature.LANGUAGE: Support.DROPPED,
        Feature.UNLISTED: Support.DROPPED,
        Feature.FOLLOWERS: Support.REJECTED,
        Feature.QUOTE: Support.PARTIAL,
        Feature.REPLIERS: Support.DROPPED,
        Feature.MENTION_ANYONE: Support.REJECTED,
        Feature.DIRECT_ANYONE: Support.REJECTED,
    },
    says={
        Feature.REACT: (
            "the nearest of the emoji that Telegram has (❤ for 💙, 👍 for ✅, 🎉 for 🎊); one for each message"
        ),
        Feature.THREAD: "messages that answer each other; in private they just follow",
        Feature.ATTACHMENTS: "up to 20 MB",
        Feature.IMAGE: "no field for alt text",
        Feature.GIF: "in no album",
        Feature.VIDEO: "what isn't MP4 is a file to download",
        Feature.AUDIO: "what is neither MP3 nor M4A is a file to download",
        Feature.ALT: "the Bot API has no field for it",
        Feature.LINK_CARD: "the server makes its own previews",
        Feature.POLL: "plain text of 300 characters; what is longer goes before it",
        Feature.WARNING: "said first; the words are spoilers",
        Feature.SENSITIVE: "pictures and films are hidden, sounds and files can't be",
        Feature.FOLLOWERS: "a channel is for all who read it",
        Feature.QUOTE: "an answer in the same chat, elsewhere a link that Telegram shows as a preview",
        Feature.REPLIERS: "who may write is the chat's own setting",
        Feature.MENTION_ANYONE: "a bot has no public place people look at",
        Feature.DIRECT_ANYONE: '403 "bot can\'t initiate conversation with a user"',
    },
    limits=Limits(
        text_max=TEXT_MAX,  # td OptionManager.cpp:218
        unit="code points",  # after entities are read: td MessageContent.cpp:4758
        direct_max=TEXT_MAX,
        images_max=ALBUM_MAX,
        image_size_bytes=PHOTO_BYTES,
        image_mimes=PHOTO_MIMES,
        alt_max=0,
        image_sides_sum_max_px=PHOTO_SIDES_MAX_PX,
        others={
            MediaKind.GIF: MediaLimits(UPLOAD_BYTES, count_max=ALBUM_MAX),
            MediaKind.VIDEO: MediaLimits(UPLOAD_BYTES, count_max=ALBUM_MAX),
            MediaKind.AUDIO: MediaLimits(UPLOAD_BYTES, count_max=ALBUM_MAX),
            MediaKind.FILE: MediaLimits(UPLOAD_BYTES, count_max=ALBUM_MAX),
        },
        media_max=ALBUM_MAX,
        poll_options_max=OPTIONS_MAX,
        poll_option_length=OPTION_MAX,
        poll_shortest_s=POLL_SHORTEST_S,
        poll_longest_s=POLL_LONGEST_S,
    ),
    # Sizes: PTB FloodLimit. What counts: PTB ext/_aioratelimiter.py paces each call that names a chat. A second passes
    # between two messages in whatever chat (core.telegram.org/bots/faq). An edit takes a message's place
    # (tdlib/td#3034; grammy.dev/advanced/flood: 20 a minute in a group), and after quicker ones no message left for two
    # minutes (GH letta-ai/lettabot#433: one in 1.5 s is well in private). What is right in a group holds everywhere,
    # since a change doesn't tell what chat it is in.
    lanes=(
        Lane("bot", 30, 1.0, ("post", "reply", "direct", Change.EDIT, Change.DELETE, Change.REACT)),
        Lane("chat", 1, 1.0, ("post", "reply", "direct", Change.EDIT), Scope.CONVERSATION),
        Lane("group", 20, 60.0, ("post", "reply", Change.EDIT), Scope.CONVERSATION),
        Lane("edits", 1, 3.0, (Change.EDIT,), Scope.CONVERSATION),
    ),
    calls_by_text=True,  # td MessageEntity.cpp: find_mentions
    idempotency=Idempotency.NONE,  # no key, no history, own messages aren't in getUpdates
    probe_sees_lock=False,  # a frozen account still answers getMe
    open_conversations=False,
    concurrency=16,
)

FAULTS: tuple[Rule, ...] = (
    # What came back wasn't the Bot API: an edge's page. It says nothing of the account.
    Rule(K.SERVER, code="NotJson", certain=False, source="PTB: HTML 502"),
    Rule(K.RATE_LIMITED, code="RetryAfter", source="PTB: 429 with retry_after"),
    Rule(K.RATE_LIMITED, status=429, source="429 without retry_after"),
    Rule(K.MOVED, code="ChatMigrated", source="PTB: 400 with migrate_to_chat_id"),
    Rule(K.CONFLICT, code="Conflict", source="tba: 409, second poller or active webhook"),
    # A server of one's own that is older than a method says so with a 404, as it does of a wrong token.
    Rule(K.INVALID, text="method not found", source="tba Client.cpp: 404 of an unknown method"),
    Rule(K.SIGNED_OUT, code="InvalidToken", source="tba Client.cpp:16277-16291: 401 and 404"),
    Rule(K.SIGNED_OUT, code="BadRequest", text="logged out", source="tba: bot moved to another server"),
    Rule(K.LOCKED, text="FROZEN_METHOD_INVALID", source="tba Client.cpp:181"),
    Rule(K.TARGET_REFUSED, code="Forbidden", text="blocked by the user", source="tba Client.cpp:127"),
    Rule(K.TARGET_GONE, code="Forbidden", text="user is deactivated", source="tba Client.cpp:124"),
    Rule(K.TARGET_REFUSED, text="can't initiate conversation", source="td MessagesManager.cpp:27957"),
    Rule(K.TARGET_REFUSED, text="can't send messages to", source="td MessagesManager.cpp:27957: a bot, to a bot"),
    Rule(K.TARGET_REFUSED, code="Forbidden", text="was kicked", source="tba Client.cpp:8158"),
    Rule(K.TARGET_REFUSED, code="Forbidden", text="is not a member", source="tba Client.cpp:8158"),
    Rule(K.TARGET_GONE, code="Forbidden", text="was deleted", source="tba Client.cpp:8185"),
    Rule(K.FORBIDDEN, code="Forbidden", source="a 403 no row knows: the probe judges"),
    Rule(K.TARGET_REFUSED, text="have no write access", source="td: facts 3.3"),
    Rule(K.TARGET_REFUSED, text="not enough rights", source="td: facts 3.3"),
    Rule(K.TARGET_GONE, text="chat not found", source="live: sendMessage"),
    Rule(K.TARGET_GONE, text="message to be replied not found", source="live: sendMessage"),
    Rule(K.TARGET_GONE, text="message thread not found", source="live: sendMessage"),
    Rule(K.TARGET_GONE, text="message to edit not found", source="live: editMessageText"),
    Rule(K.TARGET_GONE, text="message to react not found", source="live: setMessageReaction"),
    Rule(K.TARGET_REFUSED, text="message can't be", source="tba fail_query_with_error; td: edited, deleted"),
    Rule(K.TARGET_REFUSED, text="media can't be edited", source="emu: td can_edit_message_media, a poll's"),
    Rule(K.TARGET_REFUSED, text="can't change media type", source="emu: td, an album keeps its kind"),
    Rule(K.TOO_LONG, text="is too long", source="live: sendMessage; td MessageContent.cpp:4758: message and caption"),
    Rule(K.INVALID, text="can't parse entities", source="live: sendMessage"),
    Rule(K.MEDIA, status=413, source="emu: what api.telegram.org says of more than 50 MB"),
    Rule(K.MEDIA, text="wrong file identifier", source="reported"),
    Rule(K.MEDIA, text="wrong file_id", source="tba: getFile"),
    Rule(K.MEDIA, text="invalid file_id", source="live: getFile"),
    Rule(K.MEDIA, text="file is too big", source="emu: tba, getFile of more than 20 MB"),
    Rule(K.MEDIA, text="file must be non-empty", source="emu: td"),
    Rule(K.MEDIA, text="mixed with other media types", source="emu: td check_message_group_message_contents"),
    Rule(K.MEDIA, text="media not found", source="emu: tba, an InputMedia without its file"),
    Rule(K.MEDIA, text="failed to get HTTP URL content", source="tba fail_query_with_error: WEBPAGE_CURL_FAILED"),
    Rule(K.MEDIA, text="is too big for a photo", source="emu: td"),
    Rule(K.MEDIA, text="PHOTO_INVALID_DIMENSIONS", source="emu: Telegram's servers"),
    Rule(K.MEDIA, text="IMAGE_PROCESS_FAILED", source="emu: Telegram's servers"),
    Rule(K.INVALID, code="BadRequest", source="PTB: any other 400"),
    # Weather. request.py's Lost is the __cause__: that tells what left and what didn't.
    Rule(K.CONFIG, code="BadServer", source="aiohttp InvalidURL: the server setting is no http address"),
    Rule(K.NETWORK, code="NoAnswer", certain=False, source="aiohttp: a time-out or an end while it waits"),
    Rule(K.SERVER, code="NetworkError", certain=False, source="PTB: any other status, 5xx above all"),
)

PLATFORM = Platform("telegram", Settings, PROFILE, "adapters.telegram.adapter:open_account")

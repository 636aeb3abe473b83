"""What Telegram does and how it says no. Facts only, read on 2026-11-22.

Sources: PTB = constants and error classes of python-telegram-bot 22.8; tba = tdlib/telegram-bot-api 01a3679;
td = tdlib/td 022d602; the rest as each row says.
"""

from __future__ import annotations

from msgspec import Struct

from adapters.border import Rule
from gateway.model.capabilities import Feature, Idempotency, Lane, Limits, Profile, Scope, Support
from gateway.model.delivery import FaultKind as K
from gateway.model.secret import Secret
from gateway.ports import Platform

TEXT_MAX = 4096
CAPTION_MAX = 1024
ENTITIES_MAX = 100
"""Entities a message keeps (PTB MessageLimit.MESSAGE_ENTITIES)."""


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
        Feature.REACT: Support.PARTIAL,  # a fixed list of emoji, one per message
        Feature.TYPING: Support.FULL,
        Feature.THREAD: Support.PARTIAL,  # messages that answer each other; in private they just follow
        Feature.DIRECT: Support.FULL,
        Feature.IMAGE: Support.PARTIAL,  # no field for alt text
        Feature.MENTION_ANYONE: Support.REJECTED,  # a bot has no public place people look at
        Feature.DIRECT_ANYONE: Support.REJECTED,  # 403 "bot can't initiate conversation with a user"
    },
    limits=Limits(
        text_max=TEXT_MAX,  # td OptionManager.cpp:218
        unit="code points",  # after entities are read: td MessageContent.cpp:4758
        direct_max=TEXT_MAX,
        images_max=10,
        image_size_bytes=10_000_000,  # PTB FileSizeLimit.PHOTOSIZE_UPLOAD
        image_mimes=("image/jpeg", "image/png", "image/webp"),
        alt_max=0,
    ),
    lanes=(
        Lane("bot", 30, 1.0, ("post", "reply", "direct")),  # PTB FloodLimit.MESSAGES_PER_SECOND
        Lane("chat", 1, 1.0, ("direct",), Scope.CONVERSATION),  # PTB FloodLimit.MESSAGES_PER_SECOND_PER_CHAT
        Lane("group", 20, 60.0, ("post", "reply"), Scope.CONVERSATION),  # PTB FloodLimit.MESSAGES_PER_MINUTE_PER_GROUP
    ),
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
    Rule(K.SIGNED_OUT, code="InvalidToken", source="tba Client.cpp:16277-16291: 401 and 404"),
    Rule(K.SIGNED_OUT, code="BadRequest", text="logged out", source="tba: bot moved to another server"),
    Rule(K.LOCKED, text="FROZEN_METHOD_INVALID", source="tba Client.cpp:181"),
    Rule(K.TARGET_REFUSED, code="Forbidden", text="blocked by the user", source="tba Client.cpp:127"),
    Rule(K.TARGET_GONE, code="Forbidden", text="user is deactivated", source="tba Client.cpp:124"),
    Rule(K.TARGET_REFUSED, text="can't initiate conversation", source="td MessagesManager.cpp:27957"),
    Rule(K.TARGET_REFUSED, text="can't send messages to", source="td MessagesManager.cpp:27957"),
    Rule(K.TARGET_REFUSED, code="Forbidden", text="was kicked", source="tba Client.cpp:8158"),
    Rule(K.TARGET_REFUSED, code="Forbidden", text="is not a member", source="tba Client.cpp:8158"),
    Rule(K.TARGET_GONE, code="Forbidden", text="was deleted", source="tba Client.cpp:8185"),
    Rule(K.FORBIDDEN, code="Forbidden", source="a 403 no row knows: the probe judges"),
    Rule(K.TARGET_REFUSED, text="have no write access", source="td"),
    Rule(K.TARGET_REFUSED, text="not enough rights", source="td"),
    Rule(K.TARGET_GONE, text="chat not found", source="tba"),
    Rule(K.TARGET_GONE, text="message to be replied not found", source="tba"),
    Rule(K.TARGET_GONE, text="message thread not found", source="tba"),
    Rule(K.TARGET_GONE, text="message to edit not found", source="tba"),
    Rule(K.TARGET_GONE, text="message to react not found", source="tba"),
    Rule(K.TARGET_REFUSED, text="message can't be", source="tba: edited, deleted"),
    Rule(K.TOO_LONG, text="is too long", source="td MessageContent.cpp:4758: message and caption"),
    Rule(K.INVALID, text="can't parse entities", source="tba"),
    Rule(K.MEDIA, status=413, source="tba: upload over 50 MB"),
    Rule(K.MEDIA, text="wrong file identifier", source="tba"),
    Rule(K.MEDIA, text="failed to get HTTP URL content", source="tba"),
    Rule(K.MEDIA, text="is too big for a photo", source="td"),
    Rule(K.MEDIA, text="PHOTO_INVALID_DIMENSIONS", source="td"),
    Rule(K.MEDIA, text="IMAGE_PROCESS_FAILED", source="td"),
    Rule(K.INVALID, code="BadRequest", source="PTB: any other 400"),
    # Weather. request.py's Lost is the __cause__: that tells what left and what didn't.
    Rule(K.CONFIG, code="BadServer", source="aiohttp InvalidURL: the server setting is no http address"),
    Rule(K.NETWORK, code="NoAnswer", certain=False, source="aiohttp: a time-out or an end while it waits"),
    Rule(K.SERVER, code="NetworkError", certain=False, source="PTB: any other status, 5xx above all"),
)

PLATFORM = Platform("telegram", Settings, PROFILE, "adapters.telegram.adapter:open_account")

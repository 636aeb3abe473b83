"""Discord's own words: objects and refusals as its REST API and gateway spell them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from aiohttp import web

from adapters.sandbox.world import Member, Message

EPOCH_MS = 1_420_070_400_000
MENTION = re.compile(r"<@!?(\d+)>")

REFUSALS: dict[str, tuple[int, str]] = {
    "10003": (404, "Unknown Channel"),
    "10004": (404, "Unknown Guild"),
    "10008": (404, "Unknown Message"),
    "10013": (404, "Unknown User"),
    "10014": (400, "Unknown Emoji"),
    "20009": (400, "Explicit content cannot be sent to the desired recipient(s)"),
    "20016": (429, "This action cannot be performed due to slowmode rate limit"),
    "20022": (429, "This message cannot be edited due to announcement rate limits"),
    "20026": (
        403,
        "Your bot has been flagged by our anti-spam system for abusive behavior. It is quarantined until you appeal.",
    ),
    "20028": (429, "The write action you are performing on the channel has hit the write rate limit."),
    "20029": (429, "The write action you are performing on the server has hit the write rate limit."),
    "30010": (400, "Maximum number of reactions reached (20)"),
    "30015": (400, "Maximum number of attachments in a message reached (10)"),
    "30046": (429, "Maximum number of edits to messages older than 1 hour reached. Try again later"),
    "40001": (401, "Unauthorized. Provide a valid token and try again"),
    "40002": (403, "You need to verify your account in order to perform this action."),
    "40003": (400, "You are opening direct messages too fast"),
    "40004": (403, "Send messages has been temporarily disabled"),
    "40005": (413, "Request entity too large"),
    "40006": (503, "This feature has been temporarily disabled server-side"),
    "40058": (400, "Cannot send a message in a forum channel"),
    "40333": (403, "Cloudflare is blocking your request. This can often be resolved by setting a proper User Agent"),
    "50001": (403, "Missing Access"),
    "50005": (403, "Cannot edit a message authored by another user"),
    "50006": (400, "Cannot send an empty message"),
    "50007": (403, "Cannot send messages to this user"),
    "50008": (400, "Cannot send messages in a non-text channel"),
    "50009": (403, "Channel verification level is too high for you to gain access"),
    "50013": (403, "Missing Permissions"),
    "50014": (401, "Invalid authentication token provided"),
    "50021": (403, "Cannot execute action on a system message"),
    "50024": (400, "Cannot execute action on this channel type"),
    "50045": (400, "File uploaded exceeds the maximum size"),
    "50046": (400, "Invalid file uploaded"),
    "50083": (400, "Thread is archived"),
    "50278": (403, "Cannot send messages to this user due to having no mutual guilds"),
    "90001": (403, "Reaction blocked"),
    "130000": (503, "API resource is currently overloaded. Try again a little later"),
    "160002": (403, "Cannot reply without permission to read message history"),
    "160005": (403, "Thread is locked"),
    "200000": (400, "Message was blocked by automatic moderation"),
    "240000": (400, "Message blocked by harmful links filter"),
    "400001": (403, "Access to file uploads has been limited for this guild"),
    "520002": (400, "Invalid channel type for poll creation"),
    "520003": (400, "Cannot edit a poll message"),
}
"""Each row that a rule's ``code`` can ask for: status and Discord's text. Codes are those of
topics/opcodes-and-status-codes; where reports quote the text itself it is theirs (413 and 40005, 50013, 10014, 90001),
else the page's.
"""


def wrong(code: str, told: str) -> dict[str, Any]:
    """What is wrong with a field of a form (reference: error messages)."""
    return {"_errors": [{"code": code, "message": told}]}


def longer_than(most: int) -> dict[str, Any]:
    return wrong("BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")


def not_between(least: int, most: int) -> dict[str, Any]:
    return wrong("BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


FORM_ERRORS: dict[str, dict[str, Any]] = {
    "poll": {"poll": {"question": {"text": not_between(1, 300)}}},
    "too_long": {"content": longer_than(2000)},
    "reference": {"message_reference": wrong("REPLIES_UNKNOWN_MESSAGE", "Unknown message")},
    "nonce": {"nonce": wrong("NONCE_TYPE_TOO_LONG", "Must be 25 or fewer characters long.")},
    "50035": {"embeds": {"0": wrong("BASE_TYPE_BAD", "This value is not acceptable")}},
}
"""Bodies of code 50035 by what is wrong with the form."""


def snowflake(at: datetime) -> str:
    """The least id of that time."""
    return str(int((at.timestamp() * 1000 - EPOCH_MS) * (1 << 22)))


class Snowflakes:
    """Ids that carry their time, strictly growing. The low bits go on with the time where Discord has its machines."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> str:
        self._last = max(self._last + 1, int((time.time() * 1000 - EPOCH_MS) * (1 << 22)))
        return str(self._last)


def reply(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """An answer whose content type is exactly ``application/json``: with a charset discord.py takes it for text."""
    return web.Response(status=status, body=json.dumps(data).encode(), content_type="application/json", headers=headers)


def refusal(code: str, retry_after_s: float | None = None) -> web.Response:
    """The body for one of :data:`REFUSALS` or :data:`FORM_ERRORS`."""
    if code in FORM_ERRORS:
        return invalid(FORM_ERRORS[code])
    status, text = REFUSALS[code]
    if status == 429:
        return limited(retry_after_s or 1.0, text=text, code=int(code))
    return reply({"message": text, "code": int(code)}, status)


def invalid(errors: dict[str, Any]) -> web.Response:
    return reply({"message": "Invalid Form Body", "code": 50035, "errors": errors}, 400)


def unauthorized() -> web.Response:
    return reply({"message": "401: Unauthorized", "code": 0}, 401)


def limited(
    retry_after_s: float,
    *,
    everywhere: bool = False,
    text: str = "You are being rate limited.",
    code: int | None = None,
) -> web.Response:
    """A 429 of Discord's own, recognisable by its ``Via`` header."""
    body: dict[str, Any] = {"message": text, "retry_after": retry_after_s, "global": everywhere}
    if code is not None:
        body["code"] = code
    headers = {"Via": "1.1 google", "Retry-After": str(int(retry_after_s) + 1)}
    if everywhere:
        headers |= {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
    else:
        headers |= {
            "X-RateLimit-Limit": "5",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{time.time() + retry_after_s:.3f}",
            "X-RateLimit-Reset-After": f"{retry_after_s:.3f}",
            "X-RateLimit-Scope": "shared" if code else "user",
        }
    return reply(body, 429, headers)


def banned() -> web.Response:
    """Cloudflare's answer to an address that sent 10,000 invalid requests: no ``Via``, no JSON."""
    return web.Response(status=429, text="error code: 1015", content_type="text/plain")


def user(member: Member) -> dict[str, Any]:
    return {
        "id": member.id,
        "username": member.handle,
        "global_name": None if member.is_bot else member.name,
        "discriminator": "0",
        "avatar": None,
        "bot": member.is_bot,
        "public_flags": 0,
    }


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def mentioned(text: str) -> list[str]:
    """Ids of the people a text names, each once."""
    return list(dict.fromkeys(MENTION.findall(text)))


def message(
    item: Message, author: Member, mentions: Iterable[Member], *, referenced: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A message object as REST returns it; the gateway adds ``guild_id`` and ``member``."""
    data: dict[str, Any] = {
        "id": item.id,
        "type": 19 if item.in_reply_to else 0,
        "channel_id": item.conversation,
        "author": user(author),
        "content": item.extra.get("content", item.text),
        "timestamp": stamp(item.at),
        "edited_timestamp": item.extra.get("edited"),
        "tts": False,
        "mention_everyone": False,
        "mentions": [user(member) for member in mentions],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "flags": 0,
        "components": [],
    }
    data |= {name: item.extra[name] for name in ("poll", "sticker_items") if item.extra.get(name)}
    if item.in_reply_to:
        data["message_reference"] = {"type": 0, "message_id": item.in_reply_to, "channel_id": item.conversation}
        data["referenced_message"] = referenced
    return data


GUILD: dict[str, Any] = {
    "name": "Sandbox",
    "icon": None,
    "afk_timeout": 300,
    "verification_level": 0,
    "default_message_notifications": 0,
    "explicit_content_filter": 0,
    "mfa_level": 0,
    "nsfw_level": 0,
    "premium_tier": 0,
    "preferred_locale": "en-US",
    "features": [],
    "stickers": [],
    "system_channel_flags": 0,
    "joined_at": "2026-01-01T00:00:00+00:00",
    "large": False,
    "unavailable": False,
    "voice_states": [],
    "presences": [],
    "stage_instances": [],
    "guild_scheduled_events": [],
    "soundboard_sounds": [],
}
"""What discord.py needs besides to read a guild."""
EVERYONE = {"name": "@everyone", "color": 0, "hoist": False, "position": 0, "permissions": "2248473465835073"}
EVERYONE |= {"managed": False, "mentionable": False, "flags": 0}


def guild(
    guild_id: str,
    channels: list[dict[str, Any]],
    threads: list[dict[str, Any]],
    emojis: list[dict[str, Any]],
    members: Iterable[Member],
) -> dict[str, Any]:
    """GUILD_CREATE's object."""
    members = list(members)
    return GUILD | {
        "id": guild_id,
        "owner_id": guild_id,
        "emojis": emojis,
        "roles": [EVERYONE | {"id": guild_id}],
        "system_channel_id": channels[0]["id"] if channels else None,
        "member_count": len(members),
        "members": [joined(member) | {"user": user(member)} for member in members if member.is_bot],
        "channels": channels,
        "threads": threads,
    }


def joined(_: Member) -> dict[str, Any]:
    """A guild member without its user."""
    return {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": False, "mute": False, "flags": 0}

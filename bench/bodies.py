"""What the bench's server says: the five platforms' answers as they are on the wire, canned. ``%d`` takes a new id."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

ME = "4242"
DID = "did:plc:benchbenchbenchbenchbench"
CID = "bafyreiag65rebr5yxevsmwkbzc6ut6ifkgnu4k3le6h6hvvge7l5aymtwm"
STAMP = "2026-11-22T12:00:00.000000+00:00"
SHORT_STAMP = "2026-11-22T12:00:00.000Z"
WORDS = "Something to say that is about as long as a post usually is, and a second sentence to it."


def _jwt(lifetime_s: int) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    now = int(time.time())
    claims = {"scope": "com.atproto.access", "sub": DID, "iat": now, "exp": now + lifetime_s, "aud": "did:web:bench"}
    return f"{part({'typ': 'at+jwt', 'alg': 'ES256K'})}.{part(claims)}.{'s' * 86}"


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def _many(value: Any) -> bytes:
    """A template: every ``"%d"`` and ``-7`` becomes the id."""
    return json.dumps(value).replace("%", "%%").replace("%%d", "%d").replace("-7", "%d").encode()


# X.

X_ME = _bytes({"data": {"id": ME, "name": "Agent", "username": "agent"}})
X_NOTHING = _bytes({"meta": {"result_count": 0}})
X_POST = _many({"data": {"edit_history_tweet_ids": ["%d"], "id": "%d", "text": WORDS}})
X_SUSPENDED = _bytes(
    {
        "title": "Forbidden",
        "detail": "The user used for authentication is suspended",
        "type": "https://api.twitter.com/2/problems/user-suspended",
        "status": 403,
    }
)

# Discord.

_DISCORD_ME = {
    "id": ME,
    "username": "agent",
    "global_name": None,
    "discriminator": "0",
    "avatar": None,
    "bot": True,
    "public_flags": 0,
}
DISCORD_ME = _bytes({**_DISCORD_ME, "verified": True, "mfa_enabled": False, "flags": 0})
DISCORD_APPLICATION = _bytes(
    {
        "id": ME,
        "name": "Agent",
        "icon": None,
        "description": "",
        "bot_public": False,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "owner": _DISCORD_ME,
        "team": None,
        "flags": 0,
    }
)
_DISCORD_MESSAGE = {
    "type": 0,
    "content": WORDS,
    "timestamp": STAMP,
    "edited_timestamp": None,
    "tts": False,
    "mention_everyone": False,
    "mentions": [],
    "mention_roles": [],
    "attachments": [],
    "embeds": [],
    "pinned": False,
    "flags": 0,
    "components": [],
}
DISCORD_SENT = _many({"id": "%d", "channel_id": "%d", "author": _DISCORD_ME, **_DISCORD_MESSAGE})


def discord_ready(gateway_url: str) -> dict[str, Any]:
    return {
        "v": 10,
        "user": {**_DISCORD_ME, "verified": True, "mfa_enabled": False, "flags": 0},
        "guilds": [],
        "session_id": "bench",
        "resume_gateway_url": gateway_url,
        "application": {"id": ME, "flags": 0},
    }


def discord_heard(number: int, chat: int) -> dict[str, Any]:
    """A direct message to the bot."""
    author = {**_DISCORD_ME, "id": str(chat), "username": f"person{chat}", "bot": False}
    return {"id": str(number), "channel_id": str(chat), "author": author, **_DISCORD_MESSAGE}


# Telegram.

TELEGRAM_ME = _bytes(
    {
        "ok": True,
        "result": {
            "id": int(ME),
            "is_bot": True,
            "first_name": "Agent",
            "username": "agent_bot",
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        },
    }
)
_TELEGRAM_BOT = {"id": int(ME), "is_bot": True, "first_name": "Agent", "username": "agent_bot"}
TELEGRAM_SENT = _many(
    {
        "ok": True,
        "result": {
            "message_id": -7,
            "from": _TELEGRAM_BOT,
            "chat": {"id": -7, "first_name": "Ana", "username": "ana", "type": "private"},
            "date": 1795348800,
            "text": WORDS,
        },
    }
)
TELEGRAM_TRUE = _bytes({"ok": True, "result": True})


def telegram_heard(number: int, chat: int) -> bytes:
    """An answered getUpdates with one private message."""
    person = {"id": chat, "is_bot": False, "first_name": "Ana", "username": f"person{chat}", "language_code": "en"}
    place = {"id": chat, "first_name": "Ana", "username": f"person{chat}", "type": "private"}
    message = {"message_id": number, "from": person, "chat": place, "date": int(time.time()), "text": WORDS}
    return _bytes({"ok": True, "result": [{"update_id": number, "message": message}]})


TELEGRAM_NOTHING = _bytes({"ok": True, "result": []})

# Bluesky.


def bluesky_session() -> bytes:
    session = {"did": DID, "handle": "agent.test", "email": "agent@example.com", "emailConfirmed": True}
    return _bytes({**session, "accessJwt": _jwt(7200), "refreshJwt": _jwt(5_184_000), "active": True})


BLUESKY_WHO = _bytes({"did": DID, "handle": "agent.test", "active": True})
BLUESKY_PROFILE = _bytes({"did": DID, "handle": "agent.test", "displayName": "Agent", "labels": []})
BLUESKY_NOTHING = _bytes({"notifications": [], "seenAt": SHORT_STAMP})
BLUESKY_NO_CHAT = _bytes({"logs": [], "cursor": "222222226fj2d"})
BLUESKY_SENT = _many(
    {
        "uri": f"at://{DID}/app.bsky.feed.post/%d",
        "cid": CID,
        "commit": {"cid": CID, "rev": "3kz%d"},
        "validationStatus": "valid",
    }
)

# Mastodon.

_MASTODON_ME = {
    "id": ME,
    "username": "agent",
    "acct": "agent",
    "display_name": "Agent",
    "locked": False,
    "bot": True,
    "discoverable": True,
    "indexable": False,
    "group": False,
    "created_at": "2026-01-01T00:00:00.000Z",
    "note": "<p>An agent that answers on five platforms and says where it can be found.</p>",
    "url": "https://mastodon.example/@agent",
    "uri": "https://mastodon.example/users/agent",
    "avatar": "https://files.mastodon.example/accounts/avatars/000/004/242/original/0123456789abcdef.png",
    "avatar_static": "https://files.mastodon.example/accounts/avatars/000/004/242/original/0123456789abcdef.png",
    "header": "https://files.mastodon.example/accounts/headers/000/004/242/original/0123456789abcdef.png",
    "header_static": "https://files.mastodon.example/accounts/headers/000/004/242/original/0123456789abcdef.png",
    "followers_count": 120,
    "following_count": 20,
    "statuses_count": 4000,
    "last_status_at": "2026-11-22",
    "hide_collections": None,
    "noindex": False,
    "emojis": [],
    "roles": [],
    "fields": [{"name": "Home", "value": "<a href='https://agent.example'>agent.example</a>", "verified_at": None}],
}
MASTODON_ME = _bytes({**_MASTODON_ME, "source": {"privacy": "public", "sensitive": False, "language": "en"}})
MASTODON_SENT = _many(
    {
        "id": "%d",
        "created_at": SHORT_STAMP,
        "in_reply_to_id": "1000",
        "in_reply_to_account_id": "77",
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": "https://mastodon.example/users/agent/statuses/%d",
        "url": "https://mastodon.example/@agent/%d",
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "edited_at": None,
        "favourited": False,
        "reblogged": False,
        "muted": False,
        "bookmarked": False,
        "pinned": False,
        "content": f"<p>{WORDS}</p>",
        "filtered": [],
        "reblog": None,
        "application": {"name": "multihome", "website": None},
        "account": _MASTODON_ME,
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "card": None,
        "poll": None,
    }
)


def mastodon_instance(url: str) -> bytes:
    """What v1 and v2 say of the instance, in one."""
    limits = {
        "urls": {"streaming": url},
        "statuses": {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23},
        "media_attachments": {"image_size_limit": 16_777_216, "supported_mime_types": ["image/png", "image/jpeg"]},
    }
    named = {"domain": "mastodon.example", "uri": "mastodon.example", "title": "Bench", "version": "4.3.0"}
    return _bytes({**named, "urls": {"streaming_api": url}, "configuration": limits})

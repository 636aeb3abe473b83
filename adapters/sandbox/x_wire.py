"""X's spelling: ids that tell time, weights of a text, t.co, and posts, people and messages as JSON."""

from __future__ import annotations

import hashlib
import re
import time
import unicodedata
from datetime import UTC, datetime
from typing import Any

from adapters.sandbox import x_shown
from adapters.sandbox.world import Member, Message

TEXT_MAX = 280
DIRECT_MAX = 10_000
EPOCH_MS = 1288834974657
_ONE = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_TLDS = "com|org|net|edu|gov|io|dev|app|social|news|info|blog|me|co|uk|de|fr|at|eu|jp"
_LATIN = "a-z0-9\u00c0-\u024f\u0300-\u036f\u0400-\u04ff\u1e00-\u1eff"
_BRACKETS = rf"\([{_LATIN}!*';:=+,.$/%#\[\]\u2013_~@|&-]*\)"
URL = re.compile(
    rf"https?://(?:[\w-]+\.)*(?:[a-z0-9]+|[^\W_]+)(?::\d+)?"
    rf"(?:/(?:(?:[{_LATIN}!*';:=+,.$/%#\[\]\u2013_~@|&-]|{_BRACKETS})*(?:[{_LATIN}=_#/+-]|{_BRACKETS}))?)?"
    rf"(?:\?[a-z0-9!?*'@();:&=+$/%#\[\]_.,~|-]*[a-z0-9_&=#/-])?"
    rf"|(?<![\w@.$#-])(?:[a-z0-9-]+\.)+(?:{_TLDS})(?:/[\w/?=&%.#-]*[\w/])?\b",
    re.IGNORECASE,
)
_EMOJI = re.compile(
    "(?:[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3|"
    "[\u2600-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*[\U000e0020-\U000e007f]*"
    "(?:\u200d[\u2600-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*)*)"
)
MENTION = re.compile(r"(?<![\w@])@(\w{1,15})")


class Snowflakes:
    """Ids that grow with time, as X's do, never the same twice."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> str:
        self._last = max(self._last + 1, (int(time.time() * 1000) - EPOCH_MS) << 22)
        return str(self._last)


def weighted_length(text: str) -> int:
    """Roughly twitter-text v3: URLs 23, emoji 2, the rest by its range. Good enough to refuse what X would."""
    normal = unicodedata.normalize("NFC", text)
    bare, urls = URL.subn("", normal)
    bare, emoji = _EMOJI.subn("", bare)
    weights = sum(1 if any(a <= ord(c) <= b for a, b in _ONE) else 2 for c in bare)
    return weights + 23 * urls + 2 * emoji


def shorten(text: str) -> tuple[str, list[dict[str, str]]]:
    """The text with each URL as t.co, and the URL entities that tell what they were."""
    entities: list[dict[str, str]] = []

    def replace(match: re.Match[str]) -> str:
        typed = match.group()
        short = _short(typed)
        expanded = typed if "://" in typed else f"http://{typed}"
        entities.append({"url": short, "expanded_url": expanded, "display_url": expanded.partition("://")[2]})
        return short

    return URL.sub(replace, text), entities


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def wire_id(message: Message) -> str:
    """The id it goes by now: every edit gives a new one."""
    return str(message.extra.get("edit_ids", [message.id])[-1])


def wire_text(message: Message, answered: Member | None = None) -> str:
    """As the API tells it: addresses as t.co, escaped, the name X puts before a reply, the links of a quoted post and
    of pictures.

    The network keeps what was typed; this is how anybody gets to see it.
    """
    text = escape(shorten(message.text)[0])
    if answered is not None and answered.id != message.author and f"@{answered.handle}" not in text:
        text = f"@{answered.handle} {text}"
    added = [entity["url"] for entity in _added(message, "")]
    return " ".join([text, *added]).strip() if added else text


def _added(message: Message, author: str) -> list[dict[str, str]]:
    """The addresses that X puts behind the words, and where they lead."""
    added: list[dict[str, str]] = []
    if quoted := message.extra.get("quote_url"):
        added.append({"url": _short(f"quote {message.id}"), "expanded_url": quoted})
    if message.media:
        shown = f"https://x.com/{author}/status/{message.id}/photo/1"
        added.append({"url": _short(f"media {message.id}"), "expanded_url": shown, "media_key": f"3_{message.id}"})
    return added


def _short(address: str) -> str:
    return "https://t.co/" + hashlib.sha256(address.encode()).hexdigest()[:10]


def post(
    message: Message,
    author: Member,
    answered: Member | None,
    mentioned: list[Member],
    fields: set[str],
) -> dict[str, Any]:
    """A post with the fields that were asked for, besides those that always come."""
    text = wire_text(message, answered)
    urls = [_placed(text, entity) for entity in (*shorten(message.text)[1], *_added(message, author.handle))]
    mentions = [_placed(text, {"username": m.handle, "id": m.id}, f"@{m.handle}") for m in mentioned]
    everything: dict[str, Any] = {
        "id": wire_id(message),
        "text": text,
        "edit_history_tweet_ids": message.extra.get("edit_ids", [message.id]),
        "author_id": message.author,
        "created_at": stamp(message.at),
        "conversation_id": message.conversation or message.id,
    }
    if urls or mentions:
        everything["entities"] = {key: value for key, value in (("urls", urls), ("mentions", mentions)) if value}
    if message.in_reply_to:
        everything["referenced_tweets"] = [{"type": "replied_to", "id": message.in_reply_to}]
        if answered is not None:
            everything["in_reply_to_user_id"] = answered.id
    if quoted := message.extra.get("quote_tweet_id"):
        everything.setdefault("referenced_tweets", []).append({"type": "quoted", "id": quoted})
    if message.extra.get("sensitive"):
        everything["possibly_sensitive"] = True
    if message.media or message.extra.get("poll"):
        everything["attachments"] = x_shown.attachments(message)
    everything["lang"] = message.extra.get("lang", "en")
    if len(text) > TEXT_MAX and message.extra.get("long"):
        everything["note_tweet"] = {"text": text, "entities": everything.get("entities", {})}
        everything["text"] = text[:TEXT_MAX]
    always = {"id", "text", "edit_history_tweet_ids"}
    return {key: value for key, value in everything.items() if key in always | fields}


def _placed(text: str, entity: dict[str, Any], needle: str | None = None) -> dict[str, Any]:
    start = max(0, text.find(needle or str(entity["url"])))
    return {"start": start, "end": start + len(needle or str(entity["url"])), **entity}


def user(member: Member) -> dict[str, Any]:
    return {"id": member.id, "name": member.name, "username": member.handle}


def direct_event(message: Message, fields: set[str]) -> dict[str, Any]:
    """A message; who else reads it stands in the events of joining and leaving alone (changelog 2025-06-03)."""
    text, urls = shorten(message.text)
    everything: dict[str, Any] = {
        "id": message.id,
        "event_type": "MessageCreate",
        "text": text,
        "sender_id": message.author,
        "dm_conversation_id": message.conversation,
        "created_at": stamp(message.at),
    }
    if urls:
        everything["entities"] = {"urls": [_placed(text, entity) for entity in urls]}
    if message.media:
        everything["attachments"] = x_shown.attachments(message)
    return {key: value for key, value in everything.items() if key in {"id", "event_type", "text"} | fields}

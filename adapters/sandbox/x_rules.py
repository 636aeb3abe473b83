"""What X's POST /2/tweets takes besides words: openapi.json 2.168, CreatePostsRequest.

That media, poll and quote exclude one another was said up to 2.167; 2.168 is silent.
"""

from __future__ import annotations

import re
from typing import Any

_CASHTAG = re.compile(
    r"(?<![^\s\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])\$[a-z]{1,6}(?:[._][a-z]{1,2})?(?![\w$])", re.IGNORECASE
)
"""twitter-text, validCashtag, roughly."""
FIELDS = frozenset(
    {
        *("card_uri", "community_id", "direct_message_deep_link", "edit_options", "for_super_followers_only", "geo"),
        *("made_with_ai", "media", "nullcast", "paid_partnership", "poll", "quote_tweet_id", "reply", "reply_settings"),
        *("share_with_followers", "text"),
    }
)
REPLY_SETTINGS = frozenset({"following", "mentionedUsers", "subscribers", "verified"})


def wrong(body: dict[str, Any]) -> str | None:
    """What of a request's fields is not valid, in a sentence; None where all are."""
    if unknown := sorted(set(body) - FIELDS):  # in these words: atymic/twitter#419
        return f"$.{unknown[0]}: is not defined in the schema and the schema does not allow additional properties"
    if sum(bool(body.get(key)) for key in ("media", "poll", "quote_tweet_id")) > 1:
        return "media, poll and quote_tweet_id are mutually exclusive"
    settings = body.get("reply_settings")
    if settings is not None and settings not in REPLY_SETTINGS:
        return f"reply_settings [{settings}] is not one of {sorted(REPLY_SETTINGS)}"
    poll = body.get("poll")
    return None if poll is None else _wrong_poll(poll)


def _wrong_poll(poll: Any) -> str | None:
    options = poll.get("options") if isinstance(poll, dict) else None
    if not isinstance(options, list) or not 2 <= len(options) <= 4:
        return "poll.options [2..4] is not valid"
    if not all(isinstance(option, str) and 1 <= len(option) <= 25 for option in options):
        return "an option of a poll has 1 to 25 characters"
    minutes = poll.get("duration_minutes")
    if not isinstance(minutes, int) or not 5 <= minutes <= 10_080:
        return "poll.duration_minutes [5..10080] is not valid"
    return None


def too_many_cashtags(text: str) -> bool:
    """Self-serve apps post one at most: posts/manage-tweets/integrate.mdx."""
    return len(_CASHTAG.findall(text)) > 1


def company(media: list[dict[str, Any]]) -> bool:
    """Four photos, one GIF or one video: best-practices.mdx."""
    alone = any(not one["mime"].startswith("image/") or one.get("moves") for one in media)
    return len(media) <= (1 if alone else 4)

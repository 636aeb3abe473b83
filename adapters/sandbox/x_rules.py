"""What X's POST /2/tweets takes besides words: openapi.json, TweetCreateRequest."""

from __future__ import annotations

from typing import Any

REPLY_SETTINGS = frozenset({"following", "mentionedUsers", "subscribers", "verified"})


def wrong(body: dict[str, Any]) -> str | None:
    """What of a request's fields is not valid, in a sentence; None where all are."""
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


def company(media: list[dict[str, Any]]) -> bool:
    """Four photos, one GIF or one video: best-practices.mdx."""
    alone = any(not one["mime"].startswith("image/") or one.get("moves") for one in media)
    return len(media) <= (1 if alone else 4)

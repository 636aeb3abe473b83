"""What a Mastodon instance takes as a status, and its words for what it doesn't.

masto post_status_service.rb, status.rb, status_length_validator.rb, poll_options_validator.rb,
poll_expiration_validator.rb, languages_helper.rb, config/locales/en.yml.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any, NamedTuple

from aiohttp import web

from adapters.sandbox.mastodon_entities import (
    FILES_MAX,
    OPEN_LONGEST_S,
    OPEN_SHORTEST_S,
    OPTION_MAX,
    POLL_OPTIONS,
    graphemes,
    length,
    stamp,
)
from adapters.sandbox.world import utc_now

VISIBILITIES = ("public", "unlisted", "private", "direct")
REGIONAL = ("zh-CN", "zh-HK", "zh-TW", "zh-YUE")


class Written(NamedTuple):
    """A status as its form says it."""

    text: str
    spoiler: str
    sensitive: bool
    visibility: str
    language: str | None
    parent: str | None
    quoted: str | None
    media_ids: list[str]
    poll: dict[str, Any] | None


def written(form: dict[str, Any]) -> Written:
    text, spoiler = str(form.get("status") or ""), str(form.get("spoiler_text") or "")
    sensitive = str(form.get("sensitive") or "0").casefold() in ("1", "true") or bool(spoiler)
    quoted = form.get("quoted_status_id")
    if not text.strip() and spoiler and not quoted:
        text, spoiler = spoiler, ""
    return Written(
        text,
        spoiler,
        sensitive,
        str(form.get("visibility") or "public"),
        _language(str(form.get("language") or "")),
        form.get("in_reply_to_id"),
        quoted,
        [str(one) for one in form.get("media_ids[]", [])],
        _poll(form),
    )


def _language(tag: str) -> str | None:
    """A language as the server keeps it: without its region, but for Chinese and the like."""
    return tag if tag in REGIONAL else re.split("[_-]", tag)[0] or None


def _poll(form: dict[str, Any]) -> dict[str, Any] | None:
    poll = form.get("poll")
    if not isinstance(poll, dict):
        poll = {"options": form.get("poll[options][]"), "expires_in": form.get("poll[expires_in]")}
        poll["multiple"] = form.get("poll[multiple]")
    if not poll.get("options"):
        return None
    options = [str(option).strip() for option in poll["options"]]
    told = str(poll.get("expires_in") or "")
    number = re.match(r"\s*[+-]?\d+", told)
    return {
        "options": [option for option in options if option],
        "open_for_s": int(number[0]) if number else 0 if told.strip() else None,
        "multiple": str(poll.get("multiple") or "0").casefold() in ("1", "true"),
    }


def refused_media(said: Written, files: list[dict[str, Any] | None], status: str | None = None) -> str | None:
    """Why these files can't be a status's. ``status`` is the one that is edited, whose own files may stay."""
    if not said.media_ids:
        return None
    if len(files) > FILES_MAX or said.poll:
        return "too_many_files"
    lost = [n for n, f in zip(said.media_ids, files, strict=True) if f is None or f.get("status") not in (None, status)]
    if lost:
        return f"Media {', '.join(lost)} not found or already attached to another post"
    known = [file for file in files if file]
    if len(known) > 1 and any(file["type"] in ("video", "audio") for file in known):
        return "Cannot attach a video to a post that already contains images"
    return "media_pending" if any(file.get("pending") for file in known) else None


def refused_words(said: Written, text_max: int) -> str | None:
    """Why the instance's validations don't pass."""
    if said.visibility not in VISIBILITIES:
        return "Validation failed: Visibility is not included in the list"
    if not said.text.strip() and not said.media_ids and not said.quoted:
        return "blank"
    if length(said.text, said.spoiler) > text_max:
        return "too_long"
    return _refused_poll(said.poll) if said.poll else None


def _refused_poll(poll: dict[str, Any]) -> str | None:
    options, open_for_s = poll["options"], poll["open_for_s"]
    wrong = []
    if len(options) < 2:
        wrong.append("Choices must have more than one item")
    if len(options) > POLL_OPTIONS:
        wrong.append(f"Choices can't contain more than {POLL_OPTIONS} items")
    if any(graphemes(option) > OPTION_MAX for option in options):
        wrong.append(f"Choices cannot be longer than {OPTION_MAX} characters each")
    if len(set(options)) < len(options):
        wrong.append("Choices contain duplicate items")
    if open_for_s is None:
        wrong.append("Deadline can't be blank")
    elif open_for_s > OPEN_LONGEST_S:
        wrong.append("Deadline is too far into the future")
    elif open_for_s < OPEN_SHORTEST_S:
        wrong.append("Deadline is too soon")
    return f"Validation failed: {', '.join(wrong)}" if wrong else None


def begun(poll: dict[str, Any] | None) -> dict[str, Any] | None:
    """A poll from now on."""
    return poll and {**poll, "expires_at": stamp(utc_now() + timedelta(seconds=poll["open_for_s"]))}


async def form_of(request: web.Request) -> dict[str, Any]:
    """A body as Rails reads it: ``name[]`` repeats, everything else is one value."""
    if request.content_type == "application/json":
        body = json.loads(await request.text())
        return {(f"{name}[]" if isinstance(value, list) else name): value for name, value in body.items()}
    form = await request.post()
    return {name: form.getall(name) if name.endswith("[]") else form[name] for name in form}

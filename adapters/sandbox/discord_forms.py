"""The rules for what stands in a message, and Discord's words for what breaks them."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from adapters.sandbox import discord_bodies as bodies

TEXT_MAX = 2000
NONCE_MAX = 25
FILES_MAX = 10
FILE_SIZE_MAX_BYTES = 10_485_760
REQUEST_SIZE_MAX_BYTES = 26_214_400
ALT_MAX = 1024
MENTIONS_MAX = 100
QUESTION_MAX = 300
ANSWERS_MAX = 10
ANSWER_MAX = 55
HOURS_MAX = 768

Errors = dict[str, Any]


def misfit(payload: dict[str, Any], files: list[dict[str, Any]]) -> web.Response | None:
    """The refusal that a message with these meets, if any."""
    text, poll = str(payload.get("content") or ""), payload.get("poll")
    if len(files) > FILES_MAX:
        return bodies.refusal("30015")
    sizes = [len(file["data"]) for file in files]
    if sum(sizes) > REQUEST_SIZE_MAX_BYTES or any(size > FILE_SIZE_MAX_BYTES for size in sizes):
        return bodies.refusal("40005")
    errors = _too_long(payload, text, files) | _mentions(payload.get("allowed_mentions")) | _poll(poll)
    if errors:
        return bodies.invalid(errors)
    return bodies.refusal("50006") if not text.strip() and not files and poll is None else None


def _too_long(payload: dict[str, Any], text: str, files: list[dict[str, Any]]) -> Errors:
    found: Errors = {}
    if len(text) > TEXT_MAX:
        found["content"] = bodies.longer_than(TEXT_MAX)
    if len(str(payload.get("nonce") or "")) > NONCE_MAX:
        found["nonce"] = bodies.wrong("NONCE_TYPE_TOO_LONG", f"Must be {NONCE_MAX} or fewer characters long.")
    described = {str(n): file for n, file in enumerate(files) if len(file["alt"]) > ALT_MAX}
    if described:
        found["attachments"] = {n: {"description": bodies.longer_than(ALT_MAX)} for n in described}
    return found


def _mentions(allowed: Any) -> Errors:
    """resources/message: allowed mentions object."""
    if not isinstance(allowed, dict):
        return {}
    users = [str(user) for user in allowed.get("users", [])]
    if "users" in allowed.get("parse", []) and users:
        told = 'parse:["users"] and users: [ids...] are mutually exclusive.'
        return {"allowed_mentions": bodies.wrong("MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", told)}
    if len(users) > MENTIONS_MAX:
        return {"allowed_mentions": {"users": bodies.longer_than(MENTIONS_MAX)}}
    if len(set(users)) < len(users):
        told = "The set already contains this value"
        return {"allowed_mentions": {"users": bodies.wrong("SET_TYPE_ALREADY_CONTAINS_VALUE", told)}}
    return {}


def _poll(poll: Any) -> Errors:
    """resources/poll: poll create request object."""
    if poll is None:
        return {}
    question, answers = _text(poll), poll.get("answers") or []
    found: Errors = {}
    if not 0 < len(question) <= QUESTION_MAX:
        found["question"] = {"text": bodies.not_between(1, QUESTION_MAX)}
    if not 0 < len(answers) <= ANSWERS_MAX:
        found["answers"] = bodies.not_between(1, ANSWERS_MAX)
    elif wrong := [n for n, one in enumerate(answers) if not 0 < len(_text(one, "poll_media")) <= ANSWER_MAX]:
        found["answers"] = {str(n): {"poll_media": {"text": bodies.not_between(1, ANSWER_MAX)}} for n in wrong}
    hours = poll.get("duration", 24)
    if not isinstance(hours, int) or not 0 < hours <= HOURS_MAX:
        found["duration"] = bodies.wrong("NUMBER_TYPE_MAX", f"int value should be less than or equal to {HOURS_MAX}.")
    return {"poll": found} if found else {}


def _text(one: Any, name: str = "question") -> str:
    return str((one.get(name) or {}).get("text") or "")


def opened(poll: Any, at: datetime) -> dict[str, Any] | None:
    """A poll as it is shown, from what was asked for."""
    if poll is None:
        return None
    answers = [{"answer_id": n, "poll_media": one["poll_media"]} for n, one in enumerate(poll["answers"], 1)]
    return {
        "question": poll["question"],
        "answers": answers,
        "expiry": bodies.stamp(at + timedelta(hours=poll.get("duration", 24))),
        "allow_multiselect": bool(poll.get("allow_multiselect")),
        "layout_type": 1,
        "results": {"is_finalized": False, "answer_counts": []},
    }


def question(poll: Any) -> str:
    """What a message without words of its own says: the question of its poll."""
    return _text(poll) if poll else ""


def is_emoji(text: str) -> bool:
    """Whether it is one of everybody's emoji, as Discord spells it: a picture that needs no asking for one is not asked
    for (discord-api-docs#1047).
    """
    pictures = [letter for letter in text if letter != "\ufe0f"]
    if not pictures or any(letter.isalpha() for letter in pictures):
        return False
    needless = text.endswith("\ufe0f") and ord(text[0]) >= 0x1F000 and len(text) == 2
    return not needless and any(unicodedata.category(letter) in ("So", "Me", "Sk") for letter in pictures)

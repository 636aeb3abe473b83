"""What Discord takes in a message: its JSON and its files, and the rules for both."""

from __future__ import annotations

import json
import mimetypes
from typing import Any

from aiohttp import web

TEXT_MAX = 2000
FILES_MAX = 10
FILE_SIZE_MAX_BYTES = 10_485_760
ALT_MAX = 1024
QUESTION_MAX = 300
ANSWERS_MAX = 10
ANSWER_MAX = 55
HOURS_MAX = 768


PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 60
"""What people attach."""


async def serve_picture(_: web.Request) -> web.Response:
    return web.Response(body=PICTURE, content_type="image/png")


def misfit(text: str, poll: Any, files: list[dict[str, Any]]) -> str | None:
    """The name of the refusal that a message with these meets, if any."""
    if len(text) > TEXT_MAX:
        return "too_long"
    if not text.strip() and not files and poll is None:
        return "50006"
    if poll is not None and not _is_poll(poll):
        return "poll"
    if len(files) > FILES_MAX or any(len(file["alt"]) > ALT_MAX for file in files):
        return "50035"
    return "40005" if any(file["size_bytes"] > FILE_SIZE_MAX_BYTES for file in files) else None


def _is_poll(poll: Any) -> bool:
    match poll:
        case {"question": {"text": str(question)}, "answers": [*answers]}:
            texts = [(one.get("poll_media") or {}).get("text") for one in answers if isinstance(one, dict)]
            hours = poll.get("duration", 24)
            return (
                0 < len(question) <= QUESTION_MAX
                and 0 < len(answers) <= ANSWERS_MAX
                and len(texts) == len(answers)
                and all(isinstance(text, str) and 0 < len(text) <= ANSWER_MAX for text in texts)
                and isinstance(hours, int)
                and 0 < hours <= HOURS_MAX
            )
    return False


def question(poll: Any) -> str:
    """What a message without words of its own says: the question of its poll."""
    return str(poll["question"]["text"]) if poll else ""


async def read(request: web.Request) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A message's JSON and its files, from either content type."""
    if not request.content_type.startswith("multipart/"):
        payload = await request.json()
        return (payload if isinstance(payload, dict) else {}), []
    form = await request.post()
    payload = json.loads(str(form["payload_json"]))
    described = {str(item.get("id")): item for item in payload.get("attachments", [])}
    files = []
    for key, field in form.items():
        if isinstance(field, web.FileField):
            index = key.removeprefix("files[").removesuffix("]")
            alt = str(described.get(index, {}).get("description") or "")
            files.append(_file(field, index, alt))
    return payload, files


def _file(field: web.FileField, index: str, alt: str) -> dict[str, Any]:
    size_bytes = len(field.file.read())
    mime = mimetypes.guess_type(field.filename)[0] or field.content_type  # Discord goes by the name, too
    shown = {"id": index, "filename": field.filename, "size": size_bytes, "content_type": mime, "description": alt}
    shown |= {"url": f"https://cdn.discordapp.example/{index}/{field.filename}", "proxy_url": ""}
    return {"mime": mime, "size_bytes": size_bytes, "alt": alt, "object": shown}

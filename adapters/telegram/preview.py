"""How a part will look. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.telegram.profile import CAPTION_MAX, QUESTION_MAX, TEXT_MAX
from gateway.model.delivery import Part, Shown
from gateway.text.shown import poll_line

_WORDS = (("text", TEXT_MAX), ("caption", CAPTION_MAX), ("question", QUESTION_MAX))


def preview(part: Part) -> Shown:
    """The words as a reader sees them; what is set apart in them is a line of the extras."""
    body = part.body
    name, limit = next(((name, limit) for name, limit in _WORDS if name in body), ("caption", CAPTION_MAX))
    text = str(body.get(name, ""))
    return Shown(
        text=text,
        length=len(text),
        limit=limit,
        unit="code points",
        media=tuple(_line(file) for file in body.get("files", ())),
        extras=tuple(_extras(body)),
    )


def _line(file: dict[str, Any]) -> str:
    name = f" {file['name']!r}" if "name" in file else ""
    alt = "; its alt text is left out" if file.get("alt") else ""
    return f"{file['type']}{name}, {file['mime']}, {file['size_bytes']} bytes{alt}"


def _extras(body: dict[str, Any]) -> Iterator[str]:
    if marks := body.get("entities", body.get("caption_entities")):
        yield "set apart: " + ", ".join(_set(body, mark) for mark in marks)
    if "options" in body:
        answers = (option["text"] for option in body["options"])
        yield poll_line(answers, body["open_period"], multiple=body["allows_multiple_answers"])
    if "reply_parameters" in body:
        yield f"answers message {body['reply_parameters']['message_id']}"
    if body.get("has_spoiler"):
        yield "media are hidden until asked for"
    if "link_preview_options" in body:
        yield "links show no preview"
    if len(body.get("files", ())) > 1:
        yield f"an album of {len(body['files'])}"


def _set(body: dict[str, Any], mark: dict[str, Any]) -> str:
    raw = str(body.get("text", body.get("caption", ""))).encode("utf-16-le")
    words = raw[2 * mark["offset"] : 2 * (mark["offset"] + mark["length"])].decode("utf-16-le", "replace")
    where = f" to {mark['url']}" if "url" in mark else ""
    return f"{mark['type']} {words!r}{where}"

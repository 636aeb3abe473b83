"""How a planned status will look."""

from __future__ import annotations

from typing import Any

from adapters.mastodon.plan import weight
from gateway.model.capabilities import Limits
from gateway.model.delivery import Part, Shown
from gateway.model.media import kind_of
from gateway.text.shown import poll_line

_VISIBLE = {"unlisted": "unlisted", "private": "for followers alone", "direct": "for those it mentions alone"}


def shown(part: Part, text: str, limits: Limits) -> Shown:
    """``text`` is the part's, with people named as its instance names them."""
    body = part.body
    return Shown(
        text=text,
        length=weight(body["text"], body.get("warning", ""), limits),
        limit=limits.text_max,
        unit=limits.unit,
        media=tuple(map(_file, body.get("media", ()))),
        extras=tuple(_extras(body)),
    )


def _file(file: dict[str, Any]) -> str:
    kind = kind_of(file["mime"], animated=file["mime"] == "image/gif")
    alt = file["alt"] or "no description"
    return f"{kind}: {file['mime']}, {file['size_bytes']} bytes, {alt}"


def _extras(body: dict[str, Any]) -> list[str]:
    lines = [f"content warning: {body['warning']}"] if body.get("warning") else []
    lines += ["media are hidden"] if body.get("sensitive") and body.get("media") else []
    if poll := body.get("poll"):
        lines.append(poll_line(poll["options"], poll["expires_in"], multiple=poll["multiple"]))
    lines += [f"quotes the post {body['quote']}"] if body.get("quote") else []
    lines += [f"language: {body['language']}"] if body.get("language") else []
    return lines + ([_VISIBLE[body["visibility"]]] if body["visibility"] in _VISIBLE else [])

"""Albums that come in: each picture is an update of its own, and together they are one message. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from gateway.model.events import MessageReceived, PlatformEvent


def album_of(raw: object) -> str:
    """What the pictures of one album have in common; empty for all else."""
    said = raw.get("message", raw.get("channel_post")) if isinstance(raw, dict) else None
    found = said.get("media_group_id", "") if isinstance(said, dict) else ""
    return found if isinstance(found, str) else ""


def in_albums(page: Sequence[object]) -> int:
    """How many of a page's updates are pictures of albums."""
    return sum(bool(album_of(raw)) for raw in page)


def before_a_cut_album(page: list[Any]) -> list[Any]:
    """A page without the album at its end, whose rest may be on the next one; all of it, where that is all."""
    album = album_of(page[-1])
    begin = next((number for number, raw in enumerate(page) if album and album_of(raw) == album), len(page))
    return page[: begin or len(page)]


def gathered(page: Sequence[object]) -> list[list[object]]:
    """A page's updates in their order, those of one album together: somebody may have spoken between its pictures."""
    found: dict[str | int, list[object]] = {}
    for number, raw in enumerate(page):
        found.setdefault(album_of(raw) or number, []).append(raw)
    return list(found.values())


def together(events: Sequence[PlatformEvent]) -> list[PlatformEvent]:
    """The messages of one album as the one that people see: the first, with the words of whichever has some."""
    messages = [event for event in events if isinstance(event, MessageReceived)]
    if len(messages) < 2:
        return list(events)
    worded = next((each for each in messages if each.text), messages[0])
    first = structs.replace(
        messages[0],
        document=worded.document,
        attachments=tuple(attachment for each in messages for attachment in each.attachments),
        kind=worded.kind,
        addressed=any(each.addressed for each in messages),
    )
    return [first, *(event for event in events if not isinstance(event, MessageReceived))]

"""What comes with a message besides its words: files, stickers, polls, forwards and embeds. Pure.

Each is read by itself: one that is malformed, or new to us, must not lose the message that it came with.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from adapters.discord.markup import PLATFORM
from adapters.discord.markup import document as read
from adapters.discord.profile import HIDDEN, SERVER
from gateway.model.content import Paragraph, Poll, Quote, Text, plain
from gateway.model.ids import MessageRef
from gateway.model.media import Attachment
from gateway.text.plain import from_text

SHOWN_MAX = 10
"""Of attachments, stickers, embeds and answers."""

Snowflake = Annotated[str, Meta(pattern=r"\A\d{1,20}\Z")]
Words = Annotated[str, Meta(max_length=10_000)]
Size = Annotated[int, Meta(ge=0, le=2**53)]
Label = Annotated[str, Meta(max_length=500)]
T = TypeVar("T")


class _Attachment(Struct):
    id: Snowflake
    url: Annotated[str, Meta(max_length=2_000)]
    filename: Annotated[str, Meta(max_length=1_000)] = ""
    description: Words | None = None
    content_type: Annotated[str, Meta(max_length=200)] | None = None
    size: Size | None = None
    width: Size | None = None
    height: Size | None = None
    duration_secs: float | None = None

    def of(self, message: MessageRef) -> Attachment:
        """Its address is good for a day: what is kept is where to ask for a new one."""
        mime = (self.content_type or "").partition(";")[0].strip()
        return Attachment(
            handle=f"{message}/{self.id}",
            mime=mime,
            size_bytes=self.size,
            alt=self.description or "",
            name=self.filename.rpartition("/")[2],
            width_px=self.width,
            height_px=self.height,
            duration_s=self.duration_secs,
            animated=mime == "image/gif",
            sensitive=self.filename.startswith(HIDDEN),
        )


class _Sticker(Struct):
    name: Label = ""


class _Said(Struct):
    """What a forward shows of a message."""

    content: Words = ""
    attachments: Any = None


class _Snapshot(Struct):
    message: _Said


class _Answer(Struct):
    text: Label | None = None


class _Option(Struct):
    poll_media: _Answer


class _Poll(Struct):
    question: _Answer
    answers: Any = None
    allow_multiselect: bool = False
    expiry: datetime | None = None


class _Embed(Struct):
    title: Words | None = None
    description: Words | None = None


class Reference(Struct):
    """Another message: one that is answered, or one that is forwarded."""

    type: int = 0
    message_id: Snowflake | None = None
    guild_id: Snowflake | None = None
    channel_id: Snowflake | None = None


class Enclosed(Struct):
    """The keys of a message object that hold what comes with it."""

    attachments: Any = None
    message_snapshots: Any = None
    sticker_items: Any = None
    poll: Any = None
    embeds: Any = None


def attachments(message: Enclosed, ref: MessageRef) -> tuple[Attachment, ...]:
    return tuple(item.of(ref) for item in _attached(message))


def addresses(raw: Any) -> dict[str, str]:
    """Where the files of a message just now are, by their ids."""
    message = _one(raw, Enclosed) or Enclosed()
    return {item.id: item.url for item in _attached(message)}


def _attached(message: Enclosed) -> list[_Attachment]:
    """What is attached to a message, and to the one it forwards."""
    own = list(_each(message.attachments, _Attachment))
    for snapshot in list(_each(message.message_snapshots, _Snapshot))[:1]:
        own += _each(snapshot.message.attachments, _Attachment)
    return own[:SHOWN_MAX]


def beside(message: Enclosed) -> tuple[Paragraph, ...]:
    """The names of stickers, as their pictures say little to one who can't see them."""
    return tuple((Text(f":{item.name}:"),) for item in _each(message.sticker_items, _Sticker) if item.name)


def instead(message: Enclosed) -> str:
    """What a message without words of its own says: its poll's question, or else its embeds."""
    asked = _one(message.poll, _Poll)
    if asked is not None:
        return asked.question.text or ""
    told = (text for embed in _each(message.embeds, _Embed) for text in (embed.title, embed.description) if text)
    return "\n\n".join(told)


def poll(message: Enclosed, at: datetime) -> Poll | None:
    asked = _one(message.poll, _Poll)
    if asked is None:
        return None
    options = tuple(one.poll_media.text or "" for one in _each(asked.answers, _Option))
    open_for_s = max(0.0, (_aware(asked.expiry) - _aware(at)).total_seconds()) if asked.expiry else 0.0
    return Poll(options, open_for_s, asked.allow_multiselect)


def forwarded(message: Enclosed, where: Reference | None) -> Quote | None:
    for snapshot in _each(message.message_snapshots, _Snapshot):
        text = plain(read(snapshot.message.content, {}))
        if where is None or where.message_id is None or where.channel_id is None:
            return Quote(PLATFORM, text=text)
        ref = MessageRef(f"{where.channel_id}/{where.message_id}")
        return Quote(PLATFORM, ref, address(where.guild_id, where.channel_id, where.message_id), text=text)
    return None


def address(guild: str | None, channel: str, message: str) -> str:
    """Where a person finds a message."""
    return f"{SERVER}/channels/{guild or '@me'}/{channel}/{message}"


def words(text: str) -> tuple[Any, ...]:
    return from_text(text).paragraphs


def _one(raw: Any, shape: type[T]) -> T | None:
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError:
        return None


def _each(raw: Any, shape: type[T]) -> Iterator[T]:
    items = raw[:SHOWN_MAX] if isinstance(raw, list) else ()
    return (read for item in items if (read := _one(item, shape)) is not None)


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at

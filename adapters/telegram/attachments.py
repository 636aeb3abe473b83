"""What others attached, as the Bot API tells of it. Pure. A handle is a ``file_id``, which only this bot can use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct

from adapters.telegram.entities import clean
from gateway.model.content import Poll
from gateway.model.media import Attachment

_ID_MAX = 256
_NAME_MAX = 255
_MIME_MAX = 127
_SIZES_MAX = 20
_OPTIONS_MAX = 50

_Count = Annotated[int, Meta(ge=0, le=2**53)]


class File(Struct):
    """Any kind of file; each has some of these."""

    file_id: str
    file_size: _Count | None = None
    mime_type: str = ""
    file_name: str = ""
    title: str = ""
    width: _Count | None = None
    height: _Count | None = None
    length: _Count | None = None
    """Of a round film: its width and height."""
    duration: _Count | None = None
    emoji: str = ""
    is_animated: bool = False
    is_video: bool = False


class _Option(Struct):
    text: str = ""


class PollShown(Struct):
    question: str = ""
    options: list[_Option] = []
    allows_multiple_answers: bool = False
    open_period: _Count | None = None
    close_date: _Count | None = None

    def meant(self, asked_at_unix_s: int) -> Poll:
        """Without an end where none is told: a poll of a person's stays open until it is closed."""
        left = self.open_period or (self.close_date - asked_at_unix_s if self.close_date else 0)
        options = tuple(clean(option.text) for option in self.options[:_OPTIONS_MAX])
        return Poll(options, float(max(0, left)), self.allows_multiple_answers)


class Holder(Struct):
    """The part of a message that holds files."""

    photo: list[File] = []
    video: File | None = None
    animation: File | None = None
    audio: File | None = None
    voice: File | None = None
    video_note: File | None = None
    document: File | None = None
    sticker: File | None = None
    has_media_spoiler: bool = False

    @property
    def attached(self) -> tuple[Attachment, ...]:
        return tuple(each for each in _attached(self) if 0 < len(each.handle) <= _ID_MAX)


def _attached(held: Holder) -> Iterator[Attachment]:
    veiled = held.has_media_spoiler
    if held.photo:
        largest = max(held.photo[:_SIZES_MAX], key=lambda size: (size.width or 0) * (size.height or 0))
        yield _attachment(largest, "image/jpeg", sensitive=veiled)
    if held.animation is not None:
        yield _attachment(held.animation, "video/mp4", animated=True, sensitive=veiled)
    elif held.document is not None:  # an animation is told of twice
        yield _attachment(held.document, "application/octet-stream")
    if held.video is not None:
        yield _attachment(held.video, "video/mp4", sensitive=veiled)
    if held.video_note is not None:
        yield _attachment(held.video_note, "video/mp4")
    if held.audio is not None:
        yield _attachment(held.audio, "audio/mpeg")
    if held.voice is not None:
        yield _attachment(held.voice, "audio/ogg")
    if held.sticker is not None:
        yield _sticker(held.sticker)


def _sticker(sticker: File) -> Attachment:
    mime = "video/webm" if sticker.is_video else "application/x-tgsticker" if sticker.is_animated else "image/webp"
    return _attachment(sticker, mime, alt=clean(sticker.emoji), animated=sticker.is_video or sticker.is_animated)


def _attachment(file: File, mime: str, **more: Any) -> Attachment:
    """``mime`` where the sender's app said none."""
    told = clean(file.mime_type).strip().lower()
    return Attachment(
        handle=file.file_id if file.file_id.isprintable() else "",
        mime=told if told and len(told) <= _MIME_MAX and told.isprintable() else mime,
        size_bytes=file.file_size,
        name=_name(file.file_name or file.title),
        width_px=file.width or file.length or None,
        height_px=file.height or file.length or None,
        duration_s=None if file.duration is None else float(file.duration),
        **more,
    )


def _name(told: str) -> str:
    """Without a folder, whatever the sender's system parts them by."""
    last = clean(told).replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in last if character.isprintable())[:_NAME_MAX]

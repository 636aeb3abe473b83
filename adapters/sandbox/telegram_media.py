"""Files at the Bot API: what comes as one, what the server makes of it, albums, and how files are fetched.

The sandbox fetches nothing itself: a file comes in the request, or is one it has already.
"""

from __future__ import annotations

import itertools
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from adapters.sandbox.telegram_errors import Refusal, refusal

if TYPE_CHECKING:
    from adapters.sandbox.telegram_call import Call

PHOTO_BYTES = 10 * 2**20  # td, its words as well
DOWNLOAD_BYTES = 20 * 2**20  # tba Client.h: MAX_DOWNLOAD_FILE_SIZE
ALBUM_MAX = 10
TYPES = ("photo", "video", "animation", "audio", "document")
HELD = (*TYPES, "voice", "video_note", "sticker")
"""Fields of a message that hold a file: its words are a caption then."""
_VEILED = frozenset({"photo", "video", "animation"})
_ALONE = frozenset({"audio", "document"})
_SIDES_MAX_PX = 10_000  # core.telegram.org/bots/api#sendphoto, as the ratio
_RATIO_MAX = 20
_FILE_ID = re.compile(r"[A-Za-z0-9_-]{10,}")
_OF_THE_SERVERS = ("IMAGE_PROCESS_FAILED", "PHOTO_INVALID_DIMENSIONS")
"""What is found out after the album left for Telegram's servers: the answer says which of its files it was."""


@dataclass
class Stored:
    """A file that the server has."""

    id: str
    data: bytes
    mime: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.mime.partition('/')[0]}s/{self.id}"


class Files:
    """What the server has, by the ids it gave."""

    def __init__(self) -> None:
        self._held: dict[str, Stored] = {}
        self._numbers = itertools.count(1)

    def keep(self, data: bytes, mime: str, name: str = "") -> Stored:
        kept = Stored(f"AgACAgIAAx{next(self._numbers)}", data, mime, name)
        self._held[kept.id] = kept
        return kept

    def picture(self) -> Stored:
        """Some person's."""
        head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 90, 90)
        return self.keep(head.ljust(1234, b"\0"), "image/jpeg", "picture.jpg")

    def find(self, file_id: str) -> Stored | None:
        return self._held.get(file_id)

    def get_file(self, call: Call) -> dict[str, Any]:
        """What getFile answers."""
        if not _FILE_ID.fullmatch(call.text("file_id")):
            raise refusal("bad_file_id")
        kept = self.find(call.text("file_id"))
        if kept is None:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(kept.data) > DOWNLOAD_BYTES:
            raise Refusal(400, "Bad Request: file is too big")
        size = {"file_size": len(kept.data)}
        return {"file_id": kept.id, "file_unique_id": f"u{kept.id}", **size, "file_path": kept.path}

    def download(self, path: str) -> web.Response:
        """The file's bytes, at the place that getFile named."""
        kept = self.find(path.rpartition("/")[2])
        if kept is None or kept.path != path:
            return Refusal(404, "Not Found").response()
        return web.Response(body=kept.data, content_type="application/octet-stream")

    def uploaded(self, call: Call, value: Any) -> Stored:
        """The file that a parameter names: in the request, or one that is here."""
        if isinstance(value, str) and value.startswith("attach://"):
            value = call.params.get(value.removeprefix("attach://"))
        if isinstance(value, str) and (kept := self.find(value)) is not None:
            return kept
        if not isinstance(value, web.FileField):
            raise refusal("wrong_file")
        data = value.file.read()
        if not data:
            raise Refusal(400, "Bad Request: file must be non-empty")
        return self.keep(data, value.content_type, value.filename or "")


@dataclass
class Shown:
    """A file on its way into a message: the Bot API's field, and what the network keeps."""

    kind: str
    file: Stored
    fields: dict[str, Any]
    media: dict[str, Any]


def shown(kind: str, file: Stored, said: dict[str, Any]) -> Shown:
    """One file as a message of its kind; ``said`` is what the sender tells of it."""
    size = {"file_id": file.id, "file_unique_id": f"u{file.id}", "file_size": len(file.data)}
    media: dict[str, Any] = {"mime": file.mime, "size_bytes": len(file.data), "alt": "", "type": kind}
    veil = kind in _VEILED and str(said.get("has_spoiler", "")).casefold() == "true"
    fields: dict[str, Any] = {"has_media_spoiler": True} if veil else {}
    if veil:
        media["spoiler"] = True
    if kind == "photo":
        width, height = _photo(file)
        return Shown(kind, file, fields | {"photo": [size | {"width": width, "height": height}]}, media)
    told = size | {"mime_type": file.mime, "file_name": file.name}
    if kind in ("video", "animation"):
        told |= {key: _whole(said.get(key)) for key in ("width", "height", "duration")}
    if kind == "audio":
        told["duration"] = _whole(said.get("duration"))
    fields[kind] = told
    if kind == "animation":
        fields["document"] = told
    return Shown(kind, file, fields, media | {"name": file.name})


def _whole(value: Any) -> int:
    try:
        return max(0, int(value))
    except (TypeError, ValueError):
        return 0


def _photo(file: Stored) -> tuple[int, int]:
    """A photo's sides, when the server takes it."""
    size = len(file.data)
    if size > PHOTO_BYTES:
        words = f"file of size {size} bytes is too big for a photo; the maximum size is {PHOTO_BYTES} bytes"
        raise Refusal(400, f"Bad Request: {words}")
    sides = _sides(file.data)
    if sides is None:
        raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")
    if sum(sides) > _SIDES_MAX_PX or max(sides) > _RATIO_MAX * min(sides):
        raise Refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    return sides


def _sides(data: bytes) -> tuple[int, int] | None:
    """Width and height by a picture's head; None for what is none, or has no sides."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack(">II", data[16:24])
        elif data.startswith(b"\xff\xd8\xff"):
            width, height = _jpeg(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            width, height = _webp(data)
        else:
            return None
    except (struct.error, IndexError):
        return None
    return (width, height) if width and height else None


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        marker, length = struct.unpack(">HH", data[at : at + 4])
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


# Albums.


def album(call: Call, files: Files) -> list[tuple[Shown, dict[str, Any]]]:
    """The items of a sendMediaGroup with what their sender tells of each.

    Words of the refusals: td check_message_group_message_contents and tba get_input_media, at the places that
    KnightNiwrem/tg-bot-api-emulator names (docs/features/media-and-files.md).
    """
    items = call.json("media", [])
    if not isinstance(items, list) or not items:
        raise Refusal(400, "Bad Request: there are no messages to send")
    if len(items) > ALBUM_MAX:
        raise Refusal(400, "Bad Request: too many messages to send as an album")
    kinds = [_kind(item) for item in items]
    for kind in sorted(_ALONE & set(kinds)):
        if set(kinds) != {kind}:
            raise Refusal(400, f"Bad Request: {kind} can't be mixed with other media types")
    return [(_member(call, files, number, item), item) for number, item in enumerate(items, 1)]


def _kind(item: Any) -> str:
    kind = item.get("type") if isinstance(item, dict) else None
    if kind not in TYPES:
        raise Refusal(400, f'Bad Request: can\'t parse InputMedia: type "{kind}" is unsupported')
    if kind == "animation":
        raise Refusal(400, "Bad Request: can't parse InputMedia: type \"animation\" can't be used in sendMediaGroup")
    return str(kind)


def _member(call: Call, files: Files, number: int, item: dict[str, Any]) -> Shown:
    try:
        return described(call, files, item)
    except Refusal as no:
        words = no.description.removeprefix("Bad Request: ")
        if words not in _OF_THE_SERVERS:
            raise
        told = f'failed to send message #{number} with the error message "{words}"'
        raise Refusal(400, f"Bad Request: {told}") from None


def described(call: Call, files: Files, item: Any) -> Shown:
    """An InputMedia's file."""
    if not isinstance(item, dict) or item.get("type") not in TYPES:
        raise Refusal(400, "Bad Request: can't parse InputMedia: type is wrong")
    try:
        file = files.uploaded(call, item.get("media"))
    except Refusal as no:
        if no.description.endswith("non-empty"):
            raise
        raise Refusal(400, "Bad Request: can't parse InputMedia: media not found") from None
    return shown(str(item["type"]), file, item)

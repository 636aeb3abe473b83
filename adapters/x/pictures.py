"""Pictures and films on their way in: media v2, request after request. tweepy has none of it."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct, structs

from adapters.x import session, translate
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.ports import Context

SEGMENT_BYTES = 2**19
"""Per request: as base64 still below the megabyte from which aiohttp warns of blocking."""
STATUS_ASKS_MAX = 20
STATUS_REST_LONGEST_S = 10.0

Route = Callable[[str, str, dict[str, str] | None, dict[str, Any] | None], Awaitable[session.Reply]]


class _Failure(Struct):
    name: str = ""
    message: str = ""


class _Processing(Struct):
    state: str
    error: _Failure | None = None
    check_after_secs: float = 1.0


class _Upload(Struct):
    id: translate.Id
    processing_info: _Processing | None = None


class _Answer(Struct):
    data: _Upload


class Pictures:
    """Uploads of one account. ``route`` makes a request: method, path, query, body."""

    def __init__(self, route: Route, context: Context) -> None:
        self._route = route
        self._context = context

    async def upload(self, picture: dict[str, Any], kind: str) -> str:
        """Hand a picture in; returns its media id. Whatever fails here, nothing was posted yet."""
        try:
            return await self._handed_in(picture, await self._bytes(picture["sha256"]), kind)
        except FaultError as error:
            refused = error.fault.kind is FaultKind.INVALID
            fault = structs.replace(error.fault, certain=True)
            raise FaultError(structs.replace(fault, kind=FaultKind.MEDIA) if refused else fault) from error

    async def _bytes(self, sha256: str) -> bytes:
        try:
            return await self._context.media(sha256)
        except (LookupError, OSError) as error:
            raise FaultError(Fault(FaultKind.MEDIA, certain=True, evidence="the bytes are gone")) from error

    async def _handed_in(self, picture: dict[str, Any], data: bytes, kind: str) -> str:
        prefix = "dm" if kind == "direct" else "tweet"
        category = f"{prefix}_{picture['kind']}"
        begin = {"media_type": picture["mime"], "total_bytes": len(data), "media_category": category}
        media_id = session.read(await self._post("upload/initialize", begin), _Answer).data.id
        for index in range(0, len(data), SEGMENT_BYTES):
            segment = base64.b64encode(data[index : index + SEGMENT_BYTES]).decode()
            await self._post(f"upload/{media_id}/append", {"media": segment, "segment_index": index // SEGMENT_BYTES})
        reply = await self._post(f"upload/{media_id}/finalize", {})
        await self._processed(session.read(reply, _Answer).data)
        if metadata := _metadata(picture):
            await self._post("metadata", {"id": media_id, "metadata": metadata})
        return media_id

    async def _processed(self, upload: _Upload) -> None:
        """Wait until X has worked through the picture."""
        for _ in range(STATUS_ASKS_MAX):
            info = upload.processing_info
            if info is None or info.state == "succeeded":
                return
            if info.state == "failed":
                raise FaultError(Fault(FaultKind.MEDIA, certain=True, evidence=_why(info)))
            await self._context.clock.sleep(min(max(info.check_after_secs, 0.0), STATUS_REST_LONGEST_S))
            query = {"command": "STATUS", "media_id": upload.id}
            upload = session.read(await self._route("GET", "/2/media/upload", query, None), _Answer).data
        raise FaultError(Fault(FaultKind.MEDIA_PENDING, certain=True, evidence="X still processes the media"))

    async def _post(self, step: str, body: dict[str, Any]) -> session.Reply:
        return await self._route("POST", f"/2/media/{step}", None, body)


def _why(info: _Processing) -> str:
    told = f": {info.error.name}: {info.error.message}" if info.error else ""
    return f"X could not process the media{told}"[: session.WORDS_MAX]


def _metadata(picture: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"alt_text": {"text": picture["alt"]}} if picture.get("alt") else {}
    return told | {"sensitive_media_warning": {"other": True}} if picture.get("sensitive") else told

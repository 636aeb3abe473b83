"""Pictures and films on their way in: media v2, request after request. tweepy has none of it."""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct, structs

from adapters.x import session, translate
from gateway.model.delivery import Fault, FaultError, FaultKind, Part
from gateway.ports import Context

SEGMENT_BYTES = 2**19
"""Per request: as base64 still below the megabyte from which aiohttp warns of blocking."""
STATUS_ASKS_MAX = 20
STATUS_REST_LONGEST_S = 10.0
KEPT_S = 23 * 3600.0
"""Media can be used for a day after they were handed in (direct-messages/manage/integrate.mdx; v1's FINALIZE, which the
paths of v2 follow, answers expires_after_secs 86400). An hour of it is left for the post.
"""
KEPT_MAX = 200
REFUSALS = frozenset({FaultKind.INVALID, FaultKind.TARGET_GONE})
"""What a request for media is refused with: the file is none, or its id is none any more."""

Place = tuple[str, int]
"""A part's key, and which of its pictures."""
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


class _Kept(Struct):
    """What was handed in whole."""

    picture: dict[str, Any]
    upload: _Upload
    until_s: float
    described: bool = False
    again: bool = False
    """Whether an earlier attempt handed it in."""


class Pictures:
    """Uploads of one account. ``route`` makes a request: method, path, query, body.

    What was handed in for a part is remembered until the part is out, so that a long film isn't handed in anew each
    time X still works through it. Forgotten with the process: an upload without a post is nothing to anybody.
    """

    def __init__(self, route: Route, context: Context) -> None:
        self._route = route
        self._context = context
        self._kept: OrderedDict[Place, _Kept] = OrderedDict()
        self._anew: OrderedDict[str, None] = OrderedDict()
        """Parts whose media were refused already, and are handed in a second time."""

    async def ready(self, part: Part) -> list[str]:
        """The media ids of a part's pictures, ready to be posted. Whatever fails here, nothing was posted yet."""
        media = part.body.get("media", ())
        try:
            return [await self._one(one, (part.key, number), part.kind) for number, one in enumerate(media)]
        except FaultError as error:
            kind = FaultKind.MEDIA if error.fault.kind in REFUSALS else error.fault.kind
            raise FaultError(self.judged(part.key, structs.replace(error.fault, kind=kind, certain=True))) from error

    def judged(self, key: str, fault: Fault) -> Fault:
        """Where media are refused that an earlier attempt handed in, the next one hands them in anew. Once: if it isn't
        their age, they are refused for ever.
        """
        if fault.kind is not FaultKind.MEDIA:
            return fault
        again = any(kept.again for place, kept in self._kept.items() if place[0] == key) and key not in self._anew
        self.forget(key)
        if not again:
            return fault
        self._anew[key] = None
        if len(self._anew) > KEPT_MAX:
            self._anew.popitem(last=False)
        return structs.replace(fault, kind=FaultKind.MEDIA_PENDING)

    def forget(self, key: str) -> None:
        """The part is out, or its media are none."""
        self._anew.pop(key, None)
        for place in [place for place in self._kept if place[0] == key]:
            del self._kept[place]

    async def _one(self, picture: dict[str, Any], place: Place, kind: str) -> str:
        kept = self._known(place, picture) or await self._handed_in(place, picture, kind)
        if not kept.described:
            await self._processed(kept)
            if metadata := _metadata(picture):
                await self._post("metadata", {"id": kept.upload.id, "metadata": metadata})
            kept.described = True
        return kept.upload.id

    def _known(self, place: Place, picture: dict[str, Any]) -> _Kept | None:
        kept = self._kept.get(place)
        if kept is None or kept.picture != picture or kept.until_s <= self._context.clock.monotonic():
            return None
        kept.again = True
        return kept

    async def _handed_in(self, place: Place, picture: dict[str, Any], kind: str) -> _Kept:
        upload = await self._upload(picture, await self._context.media(picture["sha256"]), kind)
        kept = self._kept[place] = _Kept(picture, upload, self._context.clock.monotonic() + KEPT_S)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return kept

    async def _upload(self, picture: dict[str, Any], data: bytes, kind: str) -> _Upload:
        prefix = "dm" if kind == "direct" else "tweet"
        category = f"{prefix}_{picture['kind']}"
        begin = {"media_type": picture["mime"], "total_bytes": len(data), "media_category": category}
        media_id = session.read(await self._post("upload/initialize", begin), _Answer).data.id
        for index in range(0, len(data), SEGMENT_BYTES):
            segment = base64.b64encode(data[index : index + SEGMENT_BYTES]).decode()
            await self._post(f"upload/{media_id}/append", {"media": segment, "segment_index": index // SEGMENT_BYTES})
        return session.read(await self._post(f"upload/{media_id}/finalize", {}), _Answer).data

    async def _processed(self, kept: _Kept) -> None:
        """Wait until X has worked through the picture."""
        upload = kept.upload
        for _ in range(STATUS_ASKS_MAX):
            info = upload.processing_info
            if info is None or info.state == "succeeded":
                return
            if info.state == "failed":
                kept.again = False  # the file is to blame, not its age
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

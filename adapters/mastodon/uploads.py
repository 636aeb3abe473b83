"""Files on their way: uploaded, and waited for until the instance has processed them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import msgspec
from mastodon import Mastodon
from msgspec import structs

from adapters.mastodon.calls import Calls
from adapters.mastodon.entities import Id
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.ports import Context

MEDIA_TURNS_S = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0)
"""Mastodon answers 202 and takes its time. What isn't ready by then is asked about when the part is sent again."""
PENDING_MAX = 200
KEPT_S = 23 * 3600.0
"""An upload that no post has is taken away after a day (masto media_attachments_vacuum.rb, TTL). An hour of it is left
for the post.
"""


class _Uploaded(msgspec.Struct, frozen=True):
    id: Id
    url: str | None = None


class _Kept(msgspec.Struct):
    """What was uploaded for a part."""

    media: _Uploaded
    until_s: float
    again: bool = False
    """Whether an earlier attempt uploaded it."""
    unsettled: int = 0
    """How many posts went out with it whose end isn't known."""


class Uploads:
    """What was uploaded for a part is remembered until the part is out, so that a long film isn't sent anew each time
    it is still being processed. Forgotten with the process: an upload without a status is nothing to anybody.
    """

    def __init__(self, calls: Calls, context: Context) -> None:
        self._calls = calls
        self._context = context
        self._pending: OrderedDict[tuple[str, int], _Kept] = OrderedDict()
        self._anew: OrderedDict[str, None] = OrderedDict()
        """Parts whose uploads were lost already, and are uploaded a second time."""
        self._full: Fault | None = None
        """What the instance said when there had been too many. Until it lets more in, nothing is handed in."""

    async def ready(self, files: Sequence[dict[str, Any]], key: str = "") -> list[str]:
        """The ids of a part's files, ready to be posted. Whatever goes wrong here, nothing was posted."""
        try:
            ready = [await self._one(file, (key, number)) for number, file in enumerate(files)]
        except FaultError as error:
            raise FaultError(self._unready(key, structs.replace(error.fault, certain=True))) from error
        for kept in self._of(key):
            kept.unsettled += 1
        return ready

    def _unready(self, key: str, fault: Fault) -> Fault:
        if fault.kind is FaultKind.TARGET_GONE:
            return self._lost(key, structs.replace(fault, kind=FaultKind.MEDIA))
        if fault.kind not in (FaultKind.MEDIA_PENDING, FaultKind.RATE_LIMITED):
            self.forget(key)
        return fault

    def judged(self, key: str, fault: Fault) -> Fault:
        """What it means that the post of a part failed, whose uploads were ready."""
        if not fault.certain:
            return fault
        for kept in self._of(key):
            kept.unsettled -= 1
        return self._lost(key, fault) if fault.kind is FaultKind.MEDIA else fault

    def _lost(self, key: str, fault: Fault) -> Fault:
        """The instance doesn't know what an earlier attempt uploaded: the next one uploads it anew. Once: if it isn't
        lost, it is refused for ever. And never while a post may have it already: that one has to be looked for.
        """
        found = self._of(key)
        anew = any(kept.again for kept in found) and not any(kept.unsettled for kept in found) and key not in self._anew
        self.forget(key)
        if not anew:
            return fault
        self._anew[key] = None
        if len(self._anew) > PENDING_MAX:
            self._anew.popitem(last=False)
        return structs.replace(fault, kind=FaultKind.MEDIA_PENDING)

    def forget(self, key: str) -> None:
        """The part is out, or its files are none: an upload serves once."""
        self._anew.pop(key, None)
        for place in [place for place in self._pending if place[0] == key]:
            del self._pending[place]

    def _of(self, key: str) -> list[_Kept]:
        return [kept for place, kept in self._pending.items() if place[0] == key]

    async def _one(self, file: dict[str, Any], place: tuple[str, int]) -> str:
        kept = self._known(place) or self._kept(place, await self._upload(file))
        kept.media = await self._processed(kept.media)
        return str(kept.media.id)

    def _known(self, place: tuple[str, int]) -> _Kept | None:
        kept = self._pending.get(place)
        if kept is None or kept.until_s <= self._context.clock.monotonic():
            return None
        kept.again = True
        return kept

    def _kept(self, place: tuple[str, int], media: _Uploaded) -> _Kept:
        kept = _Kept(media, self._context.clock.monotonic() + KEPT_S)
        if place[0]:
            self._pending[place] = kept
            if len(self._pending) > PENDING_MAX:
                self._pending.popitem(last=False)
        return kept

    async def _upload(self, file: dict[str, Any]) -> _Uploaded:
        """Its window (30 in half an hour, masto rack_attack.rb) is no lane: a part takes none of it, or several."""
        if self._full is not None and self._full.retry_at and self._full.retry_at > self._context.clock.now():
            raise FaultError(self._full)
        try:
            return await self._handed_in(file)
        except FaultError as error:
            if error.fault.kind is FaultKind.RATE_LIMITED:
                self._full = error.fault
            raise

    async def _handed_in(self, file: dict[str, Any]) -> _Uploaded:
        data = await self._context.media(file["sha256"])

        def post(client: Mastodon) -> Any:
            return client.media_post(BytesIO(data), file["mime"], description=file["alt"] or None)

        uploaded: _Uploaded = (await self._calls.write(_Uploaded, post, "upload"))[0]
        return uploaded

    async def _processed(self, media: _Uploaded) -> _Uploaded:
        upload = str(media.id)
        for pause_s in MEDIA_TURNS_S:
            if media.url is not None:
                return media
            await self._context.clock.sleep(pause_s)
            media = await self._calls.ask(_Uploaded, lambda client: client.media(upload))
        raise FaultError(Fault(FaultKind.MEDIA_PENDING, True, "the instance is still processing the file"))

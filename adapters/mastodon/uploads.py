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


class _Uploaded(msgspec.Struct, frozen=True):
    id: Id
    url: str | None = None


class Uploads:
    """What was uploaded for a part is remembered until the part is out, so that a long film isn't sent anew each time
    it is still being processed. Forgotten with the process: an upload without a status is nothing to anybody.
    """

    def __init__(self, calls: Calls, context: Context) -> None:
        self._calls = calls
        self._context = context
        self._pending: OrderedDict[tuple[str, int], _Uploaded] = OrderedDict()
        self._full: Fault | None = None
        """What the instance said when there had been too many. Until it lets more in, nothing is handed in."""

    async def ready(self, files: Sequence[dict[str, Any]], key: str = "") -> list[str]:
        """The ids of a part's files, ready to be posted. Whatever goes wrong here, nothing was posted."""
        try:
            return [await self._one(file, (key, number)) for number, file in enumerate(files)]
        except FaultError as error:
            if error.fault.kind not in (FaultKind.MEDIA_PENDING, FaultKind.RATE_LIMITED):
                self.forget(key)
            raise FaultError(structs.replace(error.fault, certain=True)) from error

    def forget(self, key: str) -> None:
        """The part is out, or its files are none: an upload serves once."""
        for place in [place for place in self._pending if place[0] == key]:
            del self._pending[place]

    async def _one(self, file: dict[str, Any], place: tuple[str, int]) -> str:
        media = self._pending.get(place) or await self._upload(file)
        if place[0]:
            self._pending[place] = media
            if len(self._pending) > PENDING_MAX:
                self._pending.popitem(last=False)
        return await self._processed(media)

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

    async def _processed(self, media: _Uploaded) -> str:
        upload = str(media.id)
        for pause_s in MEDIA_TURNS_S:
            if media.url is not None:
                return upload
            await self._context.clock.sleep(pause_s)
            media = await self._calls.ask(_Uploaded, lambda client: client.media(upload))
        raise FaultError(Fault(FaultKind.MEDIA_PENDING, True, "the instance is still processing the file"))

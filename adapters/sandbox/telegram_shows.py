"""The Bot API's methods that show something besides words: files, albums, polls."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from adapters.sandbox.telegram_errors import Refusal, refusal
from adapters.sandbox.telegram_media import HELD, Shown, album, described, shown
from adapters.sandbox.telegram_polls import asked
from adapters.sandbox.world import Message, utc_now

if TYPE_CHECKING:
    from adapters.sandbox.telegram_call import Call
    from adapters.sandbox.telegram_methods import Methods

_albums = itertools.count(13_000_000_000_000_001)


class Shows:
    """Handlers for :class:`adapters.sandbox.telegram_methods.Methods`."""

    def __init__(self, methods: Methods) -> None:
        self._methods = methods

    def _caption(self, call: Call, said: dict[str, Any] | None = None) -> tuple[str, list[dict[str, Any]]]:
        """The words of a request, or of an InputMedia."""
        return self._methods.caption(call if said is None else call.of(said))

    def sender(self, kind: str) -> Callable[[Call], Awaitable[web.StreamResponse]]:
        async def send(call: Call) -> web.StreamResponse:
            def work() -> tuple[Any, Message]:
                text, entities = self._caption(call)
                files = self._methods.face.files
                show = shown(kind, files.uploaded(call, call.params.get(kind)), call.params)
                message = self._methods.post(call, text, entities, show=show)
                return message.extra["json"], message

            return await self._methods.write(call, self._methods.action(call), work, call.text("caption"))

        return send

    async def send_album(self, call: Call) -> web.StreamResponse:
        """All of it or nothing."""

        def work() -> tuple[Any, Message]:
            members = album(call, self._methods.face.files)
            worded = [self._caption(call, said) for _, said in members]
            group = {"media_group_id": str(next(_albums))} if len(members) > 1 else {}
            sent = [
                self._methods.post(call, text, entities, show=show, fields=dict(group))
                for (show, _), (text, entities) in zip(members, worded, strict=True)
            ]
            return [message.extra["json"] for message in sent], sent[0]

        return await self._methods.write(call, self._methods.action(call), work)

    async def send_poll(self, call: Call) -> web.StreamResponse:
        def work() -> tuple[Any, Message]:
            poll = asked(call)
            message = self._methods.post(call, poll["question"], [], fields={"poll": poll})
            message.extra["poll"] = poll
            return message.extra["json"], message

        return await self._methods.write(call, self._methods.action(call), work, call.text("question"))

    async def edit_media(self, call: Call) -> web.StreamResponse:
        return await self._methods.write(call, "edit", lambda: self._edited(call))

    def _edited(self, call: Call) -> tuple[Any, Message]:
        message = self._methods.message(call, "edit_gone")
        body = message.extra["json"]
        if message.author != call.bot.id or "poll" in body:
            raise refusal("cant_edit_media")
        said = call.json("media", {})
        show = described(call, self._methods.face.files, said)
        text, entities = self._caption(call, said)
        if "media_group_id" in body and not _may_follow(body, show):
            raise Refusal(400, "Bad Request: can't change media type in the album")
        self._methods.face.network.edit(message, text)
        body["edit_date"] = int(utc_now().timestamp())
        self._methods.face.put(message, show)
        self._methods.face.reword(message, text, entities)
        return body, message


def _may_follow(body: dict[str, Any], show: Shown) -> bool:
    """In an album a photo may become a film and back; a file stays a file and a song a song (td)."""
    before = next((kind for kind in HELD if kind in body), "")
    seen = ("photo", "video")
    return before == show.kind or (before in seen and show.kind in seen)

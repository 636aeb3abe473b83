"""X's writes besides posts: media v2, retweets and likes. Their paths and bodies: openapi.json 2.168."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from adapters.sandbox import x_bodies
from adapters.sandbox.world import Member
from adapters.sandbox.x_media import Upload

if TYPE_CHECKING:
    from adapters.sandbox.x import XFace


def routes(face: XFace) -> list[web.RouteDef]:
    writes = _Writes(face)
    return [
        web.post("/2/media/upload/initialize", writes.media_begin),
        web.post("/2/media/upload/{id}/append", writes.media_append),
        web.post("/2/media/upload/{id}/finalize", writes.media_finalize),
        web.get("/2/media/upload", writes.media_status),
        web.post("/2/media/metadata", writes.media_describe),
        web.post("/2/users/{id}/retweets", writes.retweet),
        web.post("/2/users/{id}/likes", writes.like),
    ]


async def body_of(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        answer = x_bodies.invalid("the body is not a JSON object")
        raise web.HTTPBadRequest(text=answer.text, content_type="application/problem+json")
    return body


class _Writes:
    def __init__(self, face: XFace) -> None:
        self._face = face

    async def media_begin(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "media")
        if not isinstance(bot, Member):
            return bot
        return self._face.uploads.begin(self._face.new_id(), bot.id, await body_of(request))

    async def media_append(self, request: web.Request) -> web.StreamResponse:
        upload = await self._begun(request, request.match_info["id"])
        return self._face.uploads.append(upload, await body_of(request)) if isinstance(upload, Upload) else upload

    async def media_finalize(self, request: web.Request) -> web.StreamResponse:
        upload = await self._begun(request, request.match_info["id"])
        return self._face.uploads.finalize(upload) if isinstance(upload, Upload) else upload

    async def media_status(self, request: web.Request) -> web.StreamResponse:
        upload = await self._begun(request, request.query.get("media_id", ""), on="read")
        return self._face.uploads.status(upload) if isinstance(upload, Upload) else upload

    async def _begun(self, request: web.Request, media_id: str, *, on: str = "write") -> Upload | web.StreamResponse:
        """The bot's upload of that id, or what stands in the way."""
        bot = await self._face.enter(request, "media", on=on)
        if not isinstance(bot, Member):
            return bot
        return self._face.uploads.owned(media_id, bot.id) or x_bodies.invalid(x_bodies.NO_UPLOAD)

    async def media_describe(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "media")
        if not isinstance(bot, Member):
            return bot
        return self._face.uploads.describe(await body_of(request), bot.id)

    async def retweet(self, request: web.Request) -> web.StreamResponse:
        return await self._mark(request, "retweet", "retweeted")

    async def like(self, request: web.Request) -> web.StreamResponse:
        return await self._mark(request, "like", "liked")

    async def _mark(self, request: web.Request, action: str, done: str) -> web.StreamResponse:
        """A member's retweets and likes are reactions on the post, as this world holds them."""
        body = await body_of(request)
        bot = await self._face.enter(request, action)
        if not isinstance(bot, Member):
            return bot
        message = self._face.found(str(body.get("tweet_id", "")))
        if request.match_info["id"] != bot.id or (action == "like" and not self._face.enterprise):
            return self._face.refuse(bot, action, "write_block")
        if message is None or message.private:
            return x_bodies.not_found("tweet", str(body.get("tweet_id", "")))
        name = "❤️" if action == "like" else action
        if action == "retweet" and {"member": bot.id, "reaction": name} in message.reactions:
            return self._face.refuse(bot, action, "retweeted")
        self._face.network.react(message, bot, name)
        return await self._face.answer(request, bot, action, web.json_response({"data": {done: True}}), message)

"""X's reading side: who am I, posts by id, timelines, mentions and direct message events, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from adapters.sandbox import x_bodies, x_shown, x_wire
from adapters.sandbox.faults import Trouble
from adapters.sandbox.world import Member, Message, utc_now

if TYPE_CHECKING:
    from adapters.sandbox.x import XFace

MENTIONS_DEPTH = 800
TIMELINE_DEPTH = 3200
BROKEN: dict[str, Any] = {"id": {"not": "an id"}, "text": ["?"], "author_id": 17, "created_at": "yesterday"}
"""An item no client expects."""


class Lists:
    """The read routes of one face."""

    def __init__(self, face: XFace) -> None:
        self._face = face

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/2/users/me", self._me),
            web.get("/2/users/by/username/{handle}", self._user),
            web.get("/2/users/{id}", self._user),
            web.get("/2/users/{id}/tweets", self._timeline),
            web.get("/2/users/{id}/mentions", self._mentions),
            web.get("/2/tweets/{id}", self._post),
            web.get("/2/tweets", self._posts),
            web.get("/media/{id}/{index:[0-9]+}/{name}", self._file),
            web.get("/2/dm_events", self._directs),
            web.get("/2/dm_conversations/with/{person}/dm_events", self._directs),
            web.get("/2/dm_conversations/{conversation}/dm_events", self._directs),
        ]

    async def _me(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "me", on="read")
        return web.json_response({"data": x_wire.user(bot)}) if isinstance(bot, Member) else bot

    async def _user(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "user", on="read")
        if not isinstance(bot, Member):
            return bot
        network = self._face.network
        handle = request.match_info.get("handle")
        member = network.member(handle) if handle else network.members.get(request.match_info["id"])
        if member is None:
            return x_bodies.not_found("user", handle or request.match_info["id"])
        return web.json_response({"data": x_wire.user(member)})

    async def _post(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "lookup", on="read")
        if not isinstance(bot, Member):
            return bot
        message = self._face.found(request.match_info["id"])
        if message is None or message.private:
            return x_bodies.not_found("tweet", request.match_info["id"])
        return web.json_response({"data": self._told(message, _fields(request, "tweet.fields"))})

    async def _posts(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "lookup", on="read")
        if not isinstance(bot, Member):
            return bot
        found = [self._face.found(post_id) for post_id in request.query.get("ids", "").split(",")[:100]]
        fields = _fields(request, "tweet.fields")
        return web.json_response({"data": [self._told(m, fields) for m in found if m and not m.private]})

    async def _timeline(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "timeline", on="read")
        if not isinstance(bot, Member):
            return bot
        owner = request.match_info["id"]
        posts = [m for m in self._newest() if m.author == owner and not m.private and self._shows(m)]
        return self._page(request, posts[:TIMELINE_DEPTH], least=5)

    async def _mentions(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "mentions", on="read")
        if not isinstance(bot, Member):
            return bot
        others = [m for m in self._newest() if not m.private and m.author != bot.id and self._shows(m)]
        posts = [m for m in others if self._calls(m, bot)]
        broken = self._face.faults.find(Trouble.MALFORMED_EVENT, bot.handle, on="read", action="mentions")
        return self._page(request, posts[:MENTIONS_DEPTH], least=5, broken=broken is not None)

    def _calls(self, message: Message, bot: Member) -> bool:
        answered = self._face.network.messages.get(message.in_reply_to or "")
        named = any(handle.casefold() == bot.handle.casefold() for handle in x_wire.MENTION.findall(message.text))
        return named or (answered is not None and answered.author == bot.id)

    async def _directs(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "dm_events", on="read")
        if not isinstance(bot, Member):
            return bot
        only = request.match_info.get("conversation")
        person = self._face.network.members.get(request.match_info.get("person", ""))
        if person is not None:
            only = self._face.conversation(person, bot, group=False)
        private = [m for m in self._newest() if m.private and only in (None, m.conversation) and self._shows(m)]
        mine = [m for m in private if bot.id in self._face.participants(m.conversation)]
        broken = self._face.faults.find(Trouble.MALFORMED_EVENT, bot.handle, on="read", action="dm_events")
        fields = _fields(request, "dm_event.fields")
        items = [x_wire.direct_event(m, fields) for m in mine]
        return self._answer(request, mine, items, least=1, broken=broken is not None)

    def _shows(self, message: Message) -> bool:
        """Lists are late: what a bot wrote by ``shown_after_s``, and what a test holds back."""
        if message.extra.get("held_back"):
            return False
        late_s = self._face.shown_after_s if self._face.network.members[message.author].is_bot else 0.0
        return not late_s or (utc_now() - message.at).total_seconds() >= late_s

    def _newest(self) -> list[Message]:
        return sorted(
            (m for m in self._face.network.messages.values() if not m.deleted),
            key=lambda m: int(x_wire.wire_id(m)),
            reverse=True,
        )

    def _page(
        self, request: web.Request, posts: list[Message], *, least: int, broken: bool = False
    ) -> web.StreamResponse:
        since_id = request.query.get("since_id")
        if since_id is not None:
            posts = [m for m in posts if int(x_wire.wire_id(m)) > int(since_id)]
        start = request.query.get("start_time")
        if start is not None:
            posts = [m for m in posts if m.at >= datetime.fromisoformat(start)]
        items = [self._told(m, _fields(request, "tweet.fields")) for m in posts]
        return self._answer(request, posts, items, least=least, broken=broken)

    def _answer(
        self, request: web.Request, messages: list[Message], items: list[dict[str, Any]], *, least: int, broken: bool
    ) -> web.StreamResponse:
        """One page of it, with who wrote it where that was asked for."""
        size = int(request.query.get("max_results", "10" if least > 1 else "100"))
        if not least <= size <= 100:
            return x_bodies.invalid(f"The `max_results` query parameter value [{size}] is not between {least} and 100")
        token = request.query.get("pagination_token", "p0")
        if not token.removeprefix("p").isdecimal():
            return x_bodies.invalid(f"The `pagination_token` query parameter value [{token}] is not valid")
        start = int(token.removeprefix("p"))
        shown = items[start : start + size]
        body: dict[str, Any] = {"meta": {"result_count": len(shown)}}
        if shown:
            body["data"] = shown
            body["meta"] |= {"newest_id": shown[0]["id"], "oldest_id": shown[-1]["id"]}
            includes = self._includes(request, messages[start : start + size])
            if includes:
                body["includes"] = includes
        if start + size < len(items):
            body["meta"]["next_token"] = f"p{start + size}"
        if broken:
            body["data"] = [BROKEN, *body.get("data", [])]
        return web.json_response(body)

    def _includes(self, request: web.Request, shown: list[Message]) -> dict[str, Any]:
        """What was asked for around these messages."""
        wanted, fields = _fields(request, "expansions"), _fields(request, "media.fields")
        quoted = [self._face.found(m.extra["quote_tweet_id"]) for m in shown if "quote_tweet_id" in m.extra]
        posts = [post for post in quoted if post is not None] if "referenced_tweets.id" in wanted else []
        authors = {m.author for m in shown} if wanted & {"author_id", "sender_id"} else set()
        if "referenced_tweets.id.author_id" in wanted:
            authors |= {post.author for post in posts}
        told: dict[str, list[dict[str, Any]]] = {
            "users": [x_wire.user(self._face.network.members[author]) for author in sorted(authors)],
            "tweets": [self._told(post, _fields(request, "tweet.fields")) for post in posts],
            "media": [one for m in shown for one in x_shown.media(m, self._face.url, fields)],
            "polls": [x_shown.poll(m) for m in shown if m.extra.get("poll")],
        }
        if "attachments.media_keys" not in wanted:
            del told["media"]
        if "attachments.poll_ids" not in wanted:
            del told["polls"]
        return {name: items for name, items in told.items() if items}

    async def _file(self, request: web.Request) -> web.StreamResponse:
        bot = await self._face.enter(request, "file", on="read")
        if not isinstance(bot, Member):
            return bot
        message = self._face.found(request.match_info["id"])
        if message is None or int(request.match_info["index"]) >= len(message.media):
            return web.Response(status=404)
        return web.Response(body=x_shown.CONTENT, content_type=message.media[int(request.match_info["index"])]["mime"])

    def _told(self, message: Message, fields: set[str]) -> dict[str, Any]:
        members = self._face.network.members
        answered = self._face.network.messages.get(message.in_reply_to or "")
        to = members.get(answered.author) if answered else None
        named = [self._face.network.member(handle) for handle in x_wire.MENTION.findall(message.text)]
        mentioned = [member for member in named if member is not None]
        if to is not None and to.id != message.author and to not in mentioned:
            mentioned.insert(0, to)
        return x_wire.post(message, members[message.author], to, mentioned, fields)


def _fields(request: web.Request, name: str) -> set[str]:
    return set(filter(None, request.query.get(name, "").split(",")))

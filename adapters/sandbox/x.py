"""X on the wire: API v2 posts, mentions, direct messages, media and OAuth2 refresh, as tweepy meets them."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any, ClassVar

from aiohttp import web

from adapters.sandbox import x_bodies, x_rules, x_wire, x_writes
from adapters.sandbox.face import Face
from adapters.sandbox.faults import Faults, Rule, Trouble
from adapters.sandbox.world import Member, Message, Network, utc_now
from adapters.sandbox.x_lists import Lists
from adapters.sandbox.x_media import Uploads

DUPLICATE_WINDOW = timedelta(hours=1)
"""How long X refuses the same words again. The real window is not published."""
RATE = web.RequestKey("rate", tuple)
"""Whose window of which action an answer counts in."""


class XFace(Face):
    """X. A REFUSE rule's ``code`` is a key of :data:`adapters.sandbox.x_bodies.REFUSALS`, or ``html_403``.

    A rate limit's ``extra`` are further headers, such as ``x-user-limit-24hour-reset``. A 5xx with the code
    ``html`` is the edge's page instead of a problem body.
    """

    name: ClassVar[str] = "x"

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network, faults)
        self.uploads = Uploads()
        self.enterprise = False
        """Whether the app has the plan that likes and quotes want."""
        self.shown_after_s = 0.0
        """How late its lists show what an account of ours wrote."""
        self.refreshes: list[str] = []
        """Every refresh token that was handed in, in order: ``accepted`` or ``refused``."""
        self._ids = x_wire.Snowflakes()
        self._lists = Lists(self)
        self._access: dict[str, Member] = {}
        self._aliases: dict[str, str] = {}
        self._spent: dict[tuple[str, str], int] = {}

    def app(self) -> web.Application:
        app = web.Application(client_max_size=32 * 2**20)
        app.on_response_prepare.append(self._rate_headers)
        app.add_routes(
            [
                web.post("/2/oauth2/token", self._token),
                web.post("/2/tweets", self._create),
                web.delete("/2/tweets/{id}", self._delete),
                web.post("/2/dm_conversations/with/{person}/messages", self._direct),
                web.post("/2/dm_conversations/{conversation}/messages", self._direct),
                web.delete("/2/dm_events/{id}", self._delete_direct),
                *self._lists.routes(),
                *x_writes.routes(self),
            ]
        )
        return app

    # Accounts and people.

    def account(self, handle: str = "agent") -> dict[str, Any]:
        bot = self.network.member(handle) or self._sign_up(handle)
        prefix = "X_" + re.sub(r"\W", "_", handle).upper()
        settings = {
            "id": "x/main" if handle == "agent" else f"x/{handle}",
            "server": self.url,
            "access_token": {"env": f"{prefix}_ACCESS_TOKEN"},
            "refresh_token": {"env": f"{prefix}_REFRESH_TOKEN"},
            "client_id": "sandbox-app",
            "poll_s": 0.05,
            "poll_direct_s": 0.1,
        }
        tokens = {"ACCESS_TOKEN": bot.extra["access"], "REFRESH_TOKEN": bot.extra["refresh"]}
        return {"settings": settings, "environment": {f"{prefix}_{name}": value for name, value in tokens.items()}}

    def expire(self, handle: str = "agent") -> None:
        """The access token's two hours are over."""
        bot = self.network.member(handle)
        if bot is not None:
            self._access.pop(bot.extra["access"], None)

    def person(self, handle: str) -> Member:
        known = self.network.member(handle)
        return known or self.network.join(Member(self._ids.next(), handle, handle.capitalize()))

    def _sign_up(self, handle: str) -> Member:
        bot = self.network.join(Member(self._ids.next(), handle, handle.capitalize(), is_bot=True))
        self._hand_out(bot)
        return bot

    def _hand_out(self, bot: Member) -> None:
        self._access.pop(bot.extra.get("access", ""), None)
        bot.extra |= {"access": f"access-{secrets.token_hex(12)}", "refresh": f"refresh-{secrets.token_hex(12)}"}
        self._access[bot.extra["access"]] = bot

    def say(self, person: str, kind: str, text: str, **options: Any) -> Message:
        author = self.person(person)
        bot = self.network.member(options.get("account", "agent")) or self._sign_up(options.get("account", "agent"))
        to = self.found(str(options["to"])) if options.get("to") else None
        if kind == "reply" and to is None:
            raise ValueError("a reply wants `to`, the id of a message")
        media = [{"mime": "image/png", "size_bytes": 68, "alt": "a picture"}] if options.get("image") else []
        media += [{"mime": "video/mp4", "size_bytes": 68, "alt": "a film"}] if options.get("video") else []
        told = {"poll", "quote_tweet_id", "lang", "sensitive", "long"}
        shown = {key: value for key, value in options.items() if key in told}
        if kind in ("direct", "group") or (to is not None and to.private):
            conversation = (
                to.conversation if to and to.private else self.conversation(author, bot, group=kind == "group")
            )
            kind = "group" if "-" not in conversation else "direct"
            return self._written(author, text, kind, media, conversation, shown=shown)
        if kind == "mention" and f"@{bot.handle}" not in text:
            text = f"@{bot.handle} {text}"
        return self._written(author, text, kind, media, to=to, shown=shown)

    def person_edits(self, message_id: str, text: str) -> None:
        """Somebody edits a post's words, not whom it calls: it goes on under a new id."""
        message = self.network.messages[message_id]
        called = re.match(r"@\w+ ", message.text)
        if called and called.group() not in text:
            text = called.group() + text
        new = self._ids.next()
        message.extra["edit_ids"] = [*message.extra.get("edit_ids", [message.id]), new]
        self._aliases[new] = message.id
        self.network.edit(message, text)

    def person_deletes(self, message_id: str) -> None:
        self.network.delete(self.network.messages[message_id])

    def conversation(self, person: Member, bot: Member, *, group: bool) -> str:
        """Two people's ids make a conversation's id; a group's is a number of its own."""
        low, high = sorted((int(person.id), int(bot.id)))
        if not group:
            return f"{low}-{high}"
        members: list[str] = bot.extra.setdefault("group_members", [bot.id])
        if person.id not in members:
            members.append(person.id)
        return str(bot.extra.setdefault("group", self._ids.next()))

    def new_id(self) -> str:
        return self._ids.next()

    def participants(self, conversation: str) -> list[str]:
        if "-" in conversation:
            return conversation.split("-")
        bots = (m for m in self.network.members.values() if m.extra.get("group") == conversation)
        return next((list(bot.extra["group_members"]) for bot in bots), [])

    def found(self, message_id: str) -> Message | None:
        """A message that is still there, by any id it ever had."""
        message = self.network.messages.get(self._aliases.get(message_id, message_id))
        return message if message is not None and not message.deleted else None

    # Trouble.

    def body(self, trouble: Trouble, rule: Rule, member: Member | None) -> web.Response:  # noqa: ARG002  the face's port
        match trouble:
            case Trouble.REFUSE:
                return x_bodies.refusal(rule.code or "write_block")
            case Trouble.SUSPEND | Trouble.LOCK | Trouble.REVOKE:
                codes = {Trouble.SUSPEND: "suspended", Trouble.LOCK: "locked", Trouble.REVOKE: "revoked"}
                return x_bodies.refusal(rule.code or codes[trouble])
            case Trouble.RATE_LIMIT:
                return x_bodies.rate_limited(rule.retry_after_s, rule.extra)
            case _:
                status = rule.status or 503
                words = {500: "Internal Server Error", 502: "Bad Gateway", 504: "Gateway Timeout"}
                if rule.code == "html":
                    page = f"<html><head><title>{status}</title></head></html>"
                    return web.Response(status=status, content_type="text/html", text=page)
                title = words.get(status, "Service Unavailable")
                return x_bodies.problem(status, title, title)

    def codes(self, rule: Rule) -> Collection[str]:
        if rule.kind in (Trouble.FAIL_BEFORE, Trouble.FAIL_AFTER):
            return ("html",)
        said = (Trouble.REFUSE, Trouble.SUSPEND, Trouble.LOCK, Trouble.REVOKE)
        return (*x_bodies.REFUSALS, "html_403") if rule.kind in said else ()

    def cut_streams(self, account: str | None = None) -> None:
        """X is polled here: no stream stays open."""

    # A bot's requests.

    async def enter(
        self, request: web.Request, action: str, *, on: str = "write", text: str = ""
    ) -> Member | web.StreamResponse:
        """Who asks, or what stands in the way."""
        member = self._access.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        request[RATE] = (member.id if member else "", action)
        refused = await self.admit(request, member, action, on=on, text=text)
        if refused is not None:
            return refused
        return member if member is not None else x_bodies.refusal("revoked")

    def refuse(self, member: Member, action: str, code: str, text: str = "") -> web.Response:
        self.network.attempted(member.handle, action, "refused", text=text, detail=code)
        return x_bodies.refusal(code)

    async def _rate_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        if RATE not in request or response.status == 429:
            return
        spent = self._spent[request[RATE]] = self._spent.get(request[RATE], 0) + 1
        reset = int(utc_now().timestamp()) // 900 * 900 + 900
        response.headers["x-rate-limit-limit"] = "1000000"
        response.headers["x-rate-limit-remaining"] = str(max(0, 1_000_000 - spent))
        response.headers["x-rate-limit-reset"] = str(reset)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        token = str(form.get("refresh_token", ""))
        bot = next((m for m in self.network.members.values() if m.extra.get("refresh") == token), None)
        gone = frozenset({Trouble.REVOKE, Trouble.SUSPEND, Trouble.LOCK})
        refused = await self.admit(request, bot, "refresh", on="refresh", ignore=gone)
        if refused is not None:
            return refused
        revoked = bot is None or self.faults.active(Trouble.REVOKE, bot.handle)
        if bot is None or revoked or form.get("grant_type") != "refresh_token" or not _client(request, form):
            self.refreshes.append("refused")
            words = "Value passed for the token was invalid."
            return web.json_response({"error": "invalid_request", "error_description": words}, status=400)
        self.refreshes.append("accepted")
        self._hand_out(bot)
        scope = "tweet.read tweet.write users.read dm.read dm.write media.write offline.access"
        tokens = {"access_token": bot.extra["access"], "refresh_token": bot.extra["refresh"]}
        return web.json_response({"token_type": "bearer", "expires_in": 7200, "scope": scope, **tokens})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await x_writes.body_of(request)
        text = str(body.get("text") or "")
        bot = await self.enter(request, "post", text=text)
        if not isinstance(bot, Member):
            return bot
        if (wrong := x_rules.wrong(body)) is not None:
            self.network.attempted(bot.handle, "post", "refused", text=text, detail=wrong)
            return x_bodies.invalid(wrong)
        media = self.uploads.attached((body.get("media") or {}).get("media_ids") or [], bot.id, "tweet")
        code = next(self._objections(bot, text, body, media), None)
        if code is not None or media is None:
            return self.refuse(bot, "post", code or "media_invalid", text)
        message = self._posted(bot, text, body, media)
        data = {"id": message.id, "text": x_wire.wire_text(message), "edit_history_tweet_ids": [message.id]}
        return await self.answer(request, bot, "post", web.json_response({"data": data}, status=201), message)

    def _objections(self, bot: Member, text: str, body: dict[str, Any], media: list[Any] | None) -> Iterator[str]:
        """Why X would not take this post. In which order it looks is unsourced."""
        target, quoted = self._answered(body), body.get("quote_tweet_id")
        if quoted and not self.enterprise:
            yield "quote_refused"
        if (quoted and self.found(str(quoted)) is None) or (body.get("reply") and (target is None or target.private)):
            yield "target_gone"
        if media is None or not x_rules.company(media) or not (text.strip() or media):
            yield "media_invalid"
        if x_wire.weighted_length(text) > x_wire.TEXT_MAX:
            yield "too_long"
        if not self.enterprise and x_rules.too_many_cashtags(text):
            yield "cashtags"
        if target is not None and not self._summoned(bot, target):
            yield "not_summoned"
        if self._said_before(bot, text, target):
            yield "duplicate"

    def _answered(self, body: dict[str, Any]) -> Message | None:
        return self.found(str((body.get("reply") or {}).get("in_reply_to_tweet_id", "")))

    def _posted(self, bot: Member, text: str, body: dict[str, Any], media: list[dict[str, Any]]) -> Message:
        target = self._answered(body)
        mentioned = any(self.network.member(handle) for handle in x_wire.MENTION.findall(text))
        kind = "reply" if target else "mention" if mentioned else "post"
        shown = {key: body[key] for key in ("poll", "quote_tweet_id", "reply_settings") if body.get(key)}
        return self._written(bot, text.strip(), kind, media, to=target, shown=shown)

    def _summoned(self, bot: Member, target: Message) -> bool:
        """Only under one's own posts, or where the author mentioned, answered or quoted the account: integrate.mdx."""
        keys = (target.in_reply_to, target.extra.get("quote_tweet_id"))
        spoken_of = [self.network.messages.get(key) for key in keys if key]
        named = any(handle.casefold() == bot.handle.casefold() for handle in x_wire.MENTION.findall(target.text))
        return named or any(one is not None and one.author == bot.id for one in (target, *spoken_of))

    def _said_before(self, bot: Member, text: str, target: Message | None) -> bool:
        under = target.id if target else None
        since = utc_now() - DUPLICATE_WINDOW
        for message in reversed(self.network.messages.values()):
            if message.at < since:
                return False
            same = message.author == bot.id and message.text == text.strip() and message.in_reply_to == under
            if same and text.strip() and not message.private and not message.deleted:
                return True
        return False

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        return await self._remove(request, "delete", private=False)

    async def _delete_direct(self, request: web.Request) -> web.StreamResponse:
        return await self._remove(request, "delete_direct", private=True)

    async def _remove(self, request: web.Request, action: str, *, private: bool) -> web.StreamResponse:
        bot = await self.enter(request, action)
        if not isinstance(bot, Member):
            return bot
        message = self.found(request.match_info["id"])
        if message is None or message.private is not private:
            return x_bodies.not_found("dm_event" if private else "tweet", request.match_info["id"])
        if message.author != bot.id:
            return self.refuse(bot, action, "write_block")
        self.network.delete(message)
        return await self.answer(request, bot, action, web.json_response({"data": {"deleted": True}}), message)

    async def _direct(self, request: web.Request) -> web.StreamResponse:
        body = await x_writes.body_of(request)
        text = str(body.get("text") or "")
        bot = await self.enter(request, "direct", text=text)
        if not isinstance(bot, Member):
            return bot
        conversation = request.match_info.get("conversation") or self._with(bot, request.match_info["person"])
        attachments = body.get("attachments") or []
        media = self.uploads.attached([item.get("media_id") for item in attachments], bot.id, "dm")
        if media is None or len(media) > 1 or not (text or media) or len(text) > x_wire.DIRECT_MAX:
            return self.refuse(bot, "direct", "media_invalid", text)
        if bot.id not in self.participants(conversation) or not self._wrote_first(bot, conversation):
            return self.refuse(bot, "direct", "dm_refused", text)
        kind = "direct" if "-" in conversation else "group"
        message = self._written(bot, text, kind, media, conversation)
        data = {"dm_conversation_id": conversation, "dm_event_id": message.id}
        return await self.answer(request, bot, "direct", web.json_response({"data": data}, status=201), message)

    def _with(self, bot: Member, person: str) -> str:
        known = self.network.members.get(person)
        return self.conversation(known, bot, group=False) if known else ""

    def _wrote_first(self, bot: Member, conversation: str) -> bool:
        messages = self.network.messages.values()
        return any(m.conversation == conversation and m.author != bot.id and m.private for m in messages)

    def _written(
        self,
        author: Member,
        text: str,
        kind: str,
        media: list[dict[str, Any]],
        conversation: str = "",
        *,
        to: Message | None = None,
        shown: dict[str, Any] | None = None,
    ) -> Message:
        message = Message(self._ids.next(), author.id, text, utc_now(), kind=kind, media=media, extra=shown or {})
        message.private = bool(conversation)
        message.in_reply_to = to.id if to else None
        message.conversation = conversation or (to.conversation if to else message.id)
        if quoted := self.found(str(message.extra.get("quote_tweet_id"))):
            handle = self.network.members[quoted.author].handle
            message.extra["quote_url"] = f"https://twitter.com/{handle}/status/{quoted.id}"
        return self.network.add(message)


def _client(request: web.Request, form: Any) -> bool:
    """Public clients name themselves in the form, confidential ones by Basic."""
    given = request.headers.get("Authorization", "")
    if not given.startswith("Basic "):
        return bool(form.get("client_id") == "sandbox-app")
    try:
        return base64.b64decode(given[6:]).startswith(b"sandbox-app:")
    except binascii.Error:
        return False

"""Discord on the wire: REST v10 as bots meet it, beside the gateway of :mod:`adapters.sandbox.discord_gateway`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Any

from aiohttp import web

from adapters.sandbox import discord_bodies as bodies
from adapters.sandbox import discord_gateway as gateway
from adapters.sandbox.discord_changes import Changes
from adapters.sandbox.discord_files import read
from adapters.sandbox.discord_forms import misfit, opened, question
from adapters.sandbox.discord_people import FORUM, People, told
from adapters.sandbox.face import html_error
from adapters.sandbox.faults import Faults, Rule, Trouble
from adapters.sandbox.world import Member, Message, Network, utc_now


class DiscordFace(People):
    """One server ("guild") with the channels ``general`` and ``announcements``, and a DM per pair that needs one.

    REFUSE takes the codes of ``discord_bodies.REFUSALS`` and ``FORM_ERRORS`` (``too_long``, ``reference``, ``nonce``,
    ``50035``); on ``stream`` a close code such as 4014, given at IDENTIFY. RATE_LIMIT takes ``global`` as its code;
    without ``retry_after_s`` it is Cloudflare's ban. A MALFORMED_EVENT comes on the gateway or in a history page.
    """

    name = "discord"

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network, faults)
        self.gateway = gateway.Gateway(faults, self._by_token, self._welcome)
        self._changes = Changes(self)
        self.window: tuple[int, float] = (1000, 1.0)
        """Requests of one kind in one channel: how many in how many seconds."""
        self.nonce_window_s = 180.0
        """How long a nonce is remembered: "the past few minutes"."""
        self._nonces: dict[tuple[str, str], tuple[float, Message]] = {}
        self._buckets: dict[tuple[str, str, str], tuple[float, int]] = {}

    # The world's side.

    def app(self) -> web.Application:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        channel = "/api/v10/channels/{channel}"
        message = channel + "/messages/{message}"
        app.add_routes(
            [
                web.get("/api/v10/users/@me", self._me),
                web.get("/api/v10/oauth2/applications/@me", self._application),
                web.get("/api/v10/gateway", self._gateway),
                web.get("/api/v10/gateway/bot", self._gateway_bot),
                web.post("/api/v10/users/@me/channels", self._open_direct),
                web.get(channel, self._channel),
                web.get(channel + "/messages", self._history),
                web.post(channel + "/messages", self._create),
                web.post(channel + "/typing", self._typing),
                web.get(message, self._changes.get),
                web.patch(message, self._changes.edit),
                web.delete(message, self._changes.delete),
                web.put(message + "/reactions/{emoji}/@me", self._changes.react),
                web.delete(message + "/reactions/{emoji}/@me", self._changes.unreact),
                web.get("/api/v10/guilds/{guild}/emojis", self._emojis),
                web.get("/gw", self.gateway.serve),
                web.get("/attachments/{channel}/{id}/{name}", self.files.serve),
            ]
        )
        app.cleanup_ctx.append(self._watch)
        return app

    async def _watch(self, _: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._enforce())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _enforce(self) -> None:
        while True:
            await self.faults.changed.wait()
            self.faults.changed.clear()
            self.gateway.enforce()

    def account(self, handle: str = "agent") -> dict[str, Any]:
        member = self.network.member(handle) or self._new_bot(handle)
        variable = f"DISCORD_TOKEN_{handle.upper().replace('-', '_')}"
        settings = {
            "id": "discord/main" if handle == "agent" else f"discord/{handle}",
            "server": self.url,
            "token": {"env": variable},
            "announce_to": self.announcements,
            "identify_pause_s": 0.05,
        }
        return {"settings": settings, "environment": {variable: member.extra["token"]}}

    def _new_bot(self, handle: str) -> Member:
        token = f"MTA{secrets.token_hex(8)}.G{secrets.token_hex(3)}.{secrets.token_hex(19)}"
        return self.network.join(Member(self.ids.next(), handle, handle.title(), is_bot=True, extra={"token": token}))

    def body(self, trouble: Trouble, rule: Rule, member: Member | None) -> web.Response:  # noqa: ARG002 - same for all
        if trouble in (Trouble.SUSPEND, Trouble.REVOKE):
            return bodies.unauthorized()
        if trouble is Trouble.LOCK:
            return bodies.refusal("40002")
        if trouble is Trouble.RATE_LIMIT:
            if rule.retry_after_s is None:
                return bodies.banned()
            return bodies.limited(rule.retry_after_s, everywhere=rule.code == "global")
        if trouble is Trouble.REFUSE:
            return bodies.refusal(rule.code or "50013", rule.retry_after_s)
        return html_error(rule.status or 502)

    def codes(self, rule: Rule) -> Collection[str]:
        if rule.kind is Trouble.REFUSE:
            return gateway.CLOSE_CODES if rule.on == "stream" else (*bodies.REFUSALS, *bodies.FORM_ERRORS)
        return ("global",) if rule.kind is Trouble.RATE_LIMIT else ()

    def cut_streams(self, account: str | None = None) -> None:
        self.gateway.cut(account)

    def _by_token(self, token: str) -> Member | None:
        token = token.removeprefix("Bot ")
        return next((m for m in self.network.members.values() if m.extra.get("token") == token), None)

    def _welcome(self, session: gateway.Session) -> None:
        session.dispatch("READY", gateway.ready(session, self.guild, self._gateway_url()))
        session.dispatch("GUILD_CREATE", self.guild_object())

    def _gateway_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/gw"

    # The bot's side: who it is.

    async def enter(
        self, request: web.Request, action: str, *, on: str = "read", text: str = ""
    ) -> tuple[Member, web.StreamResponse | None]:
        """The bot behind a request and what stands in its way. An unknown token is answered like Discord does."""
        member = self._by_token(request.headers.get("Authorization", ""))
        refused = await self.admit(request, member, action, on=on, text=text)
        if member is None:
            return Member("0", "nobody", "nobody"), refused or bodies.unauthorized()
        return member, refused

    async def _me(self, request: web.Request) -> web.StreamResponse:
        member, refused = await self.enter(request, "me")
        return refused or bodies.reply(bodies.user(member) | {"verified": True, "mfa_enabled": False, "flags": 0})

    async def _application(self, request: web.Request) -> web.StreamResponse:
        member, refused = await self.enter(request, "me")
        about = {
            "id": member.id,
            "name": member.name,
            "icon": None,
            "description": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": 1 << 18,
            "owner": bodies.user(member),
            "team": None,
        }
        return refused or bodies.reply(about)

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        refused = await self.admit(request, None, "gateway", on="read")
        return refused or bodies.reply({"url": self._gateway_url()})

    async def _gateway_bot(self, request: web.Request) -> web.StreamResponse:
        _, refused = await self.enter(request, "gateway")
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        return refused or bodies.reply({"url": self._gateway_url(), "shards": 1, "session_start_limit": limit})

    # The guild.

    async def _emojis(self, request: web.Request) -> web.StreamResponse:
        _, refused = await self.enter(request, "emojis")
        if request.match_info["guild"] != self.guild:
            refused = refused or bodies.refusal("10004")
        return refused or bodies.reply(self.emoji_objects())

    # Channels.

    async def _open_direct(self, request: web.Request) -> web.StreamResponse:
        member, refused = await self.enter(request, "open_direct", on="write")
        if refused:
            return refused
        person = self.network.members.get(str((await request.json()).get("recipient_id")))
        if person is None or person.is_bot:
            return bodies.refusal("10013" if person is None else "50007")
        channel = self.direct_channel(member, person)
        return await self.answer(request, member, "open_direct", bodies.reply(self.channel_object(channel)))

    def refused_channel(self, member: Member, channel: str) -> web.Response | None:
        if channel not in self.channels:
            return bodies.refusal("10003")
        return None if self.sees(member, channel) else bodies.refusal("50001")

    async def _channel(self, request: web.Request) -> web.StreamResponse:
        member, refused = await self.enter(request, "channel")
        channel = request.match_info["channel"]
        return refused or self.refused_channel(member, channel) or bodies.reply(self.channel_object(channel))

    async def _history(self, request: web.Request) -> web.StreamResponse:
        member, refused = await self.enter(request, "history")
        channel = request.match_info["channel"]
        refused = refused or self.refused_channel(member, channel)
        if refused:
            return refused
        limit = min(int(request.query.get("limit", "50")), 100)
        after, before = int(request.query.get("after", "0")), int(request.query.get("before", "0"))
        found = [m for m in self.held_in(channel) if int(m.id) > after and (not before or int(m.id) < before)]
        # Newest first in any case; "after" starts right behind the given message.
        chosen = found[:limit] if "after" in request.query else found[-limit:]
        page = [self.message_object(message) for message in reversed(chosen)]
        if self.faults.find(Trouble.MALFORMED_EVENT, member.handle, on="read"):
            page.insert(0, gateway.MALFORMED[1])
        return bodies.reply(page)

    async def _typing(self, request: web.Request) -> web.StreamResponse:
        member, refused = await self.enter(request, "typing", on="write")
        refused = refused or self.refused_channel(member, request.match_info["channel"])
        return refused or await self.answer(request, member, "typing", web.Response(status=204))

    # Messages.

    async def _create(self, request: web.Request) -> web.StreamResponse:
        payload, files = await read(request)
        channel = request.match_info["channel"]
        text = str(payload.get("content") or "")
        action = self._action(channel, payload)
        member, refused = await self.enter(request, action, on="write", text=text)
        if refused:
            return refused
        headers, limited = self.count(member, channel, "POST")
        refused = limited or self.refused_channel(member, channel)
        if refused:
            return self._refuse(member, action, text, refused)
        known = self._known(member, payload)
        if known is not None:
            answer = bodies.reply(self.own(known), headers=headers)
            return await self.answer(request, member, action, answer, known, repeated=True)
        refused = self._invalid(channel, payload, files)
        if refused:
            return self._refuse(member, action, text, refused)
        message = self._accept(member, channel, action, payload, files)
        return await self.answer(request, member, action, bodies.reply(self.own(message), headers=headers), message)

    def _action(self, channel: str, payload: dict[str, Any]) -> str:
        if self.is_direct(channel):
            return "direct"
        return "reply" if payload.get("message_reference") else "post"

    def _refuse(self, member: Member, action: str, text: str, response: web.Response) -> web.Response:
        self.network.attempted(member.handle, action, "refused", text=text, detail=str(response.status))
        return response

    def count(self, member: Member, channel: str, method: str) -> tuple[dict[str, str], web.Response | None]:
        """One more request in a channel's window: the headers that say so, and a 429 when it is full."""
        limit, per_s = self.window
        now = time.time()
        reset, used = self._buckets.get((member.id, channel, method), (0.0, 0))
        if now >= reset:
            reset, used = now + per_s, 0
        if used >= limit:
            return {}, bodies.limited(reset - now)
        self._buckets[member.id, channel, method] = (reset, used + 1)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - used - 1),
            "X-RateLimit-Reset": f"{reset:.3f}",
            "X-RateLimit-Reset-After": f"{reset - now:.3f}",
            "X-RateLimit-Bucket": hashlib.md5(method.encode(), usedforsecurity=False).hexdigest(),
        }
        return headers, None

    def forget(self, before: datetime) -> int:
        self.files.forget(bodies.snowflake(before))
        self._nonces = {nonce: (at, made) for nonce, (at, made) in self._nonces.items() if made.at >= before}
        return super().forget(before)

    def _known(self, member: Member, payload: dict[str, Any]) -> Message | None:
        """The message this nonce made already, within the window."""
        if not payload.get("enforce_nonce") or payload.get("nonce") is None:
            return None
        at, message = self._nonces.get((member.id, str(payload["nonce"])), (0.0, None))
        return message if time.time() - at < self.nonce_window_s else None

    def _invalid(self, channel: str, payload: dict[str, Any], files: list[dict[str, Any]]) -> web.Response | None:
        if self.channels[channel]["type"] == FORUM:
            return bodies.refusal("40058")
        wrong = misfit(payload, files)
        if wrong is not None:
            return wrong
        reference = payload.get("message_reference") or {}
        must_exist = bool(reference) and reference.get("fail_if_not_exists", True)
        gone = must_exist and self.in_channel(channel, str(reference.get("message_id"))) is None
        return bodies.refusal("reference") if gone else None

    def _accept(
        self, member: Member, channel: str, action: str, payload: dict[str, Any], files: list[dict[str, Any]]
    ) -> Message:
        reference = str((payload.get("message_reference") or {}).get("message_id"))
        target = self.in_channel(channel, reference)
        nonce, at = payload.get("nonce"), utc_now()
        kept = [self.files.keep(channel, **file) for file in files]
        message = Message(
            self.ids.next(),
            member.id,
            str(payload.get("content") or "") or question(payload.get("poll")),
            at,
            action,
            channel,
            private=self.is_direct(channel),
            in_reply_to=target.id if target else None,
            key=str(nonce) if nonce is not None else None,
            media=[told(file) for file in kept],
            extra={
                "pings": self.pinged(payload, target),
                "attachments": kept,
                "poll": opened(payload.get("poll"), at),
                "content": str(payload.get("content") or ""),
            },
        )
        if nonce is not None:
            self._nonces[member.id, str(nonce)] = (time.time(), message)
        self.publish(self.network.add(message))
        return message

    def own(self, message: Message) -> dict[str, Any]:
        return self.message_object(message) | ({"nonce": message.key} if message.key else {})

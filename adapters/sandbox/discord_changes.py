"""What bots do with messages that are there: look at them, edit, delete and react to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from adapters.sandbox import discord_bodies as bodies
from adapters.sandbox.discord_files import read
from adapters.sandbox.discord_forms import is_emoji, misfit
from adapters.sandbox.discord_people import told
from adapters.sandbox.world import Member, Message

if TYPE_CHECKING:
    from adapters.sandbox.discord import DiscordFace

REACTIONS_MAX = 20
WINDOW: web.RequestKey[dict[str, str]] = web.RequestKey("window", dict)
"""The headers that tell of the rate window that a request counts in."""


class Changes:
    """Handlers for :class:`adapters.sandbox.discord.DiscordFace`."""

    def __init__(self, face: DiscordFace) -> None:
        self._face = face

    async def _entered(self, request: web.Request, action: str) -> tuple[Member, Message | None, web.StreamResponse]:
        """The bot, the message of the address, and the refusal where there is none for it."""
        on = "read" if action == "get" else "write"
        member, refused = await self._face.enter(request, action, on=on)
        channel = request.match_info["channel"]
        refused = refused or self._face.refused_channel(member, channel)
        message = None if refused else self._face.in_channel(channel, request.match_info["message"])
        if message is not None and on == "write":
            request[WINDOW], refused = self._face.count(member, channel, request.method)
        return member, None if refused else message, refused or bodies.refusal("10008")

    async def _done(self, request: web.Request, member: Member, action: str, message: Message) -> web.StreamResponse:
        shown, headers = self._face.own(message), request[WINDOW]
        answer = bodies.reply(shown, headers=headers) if action == "edit" else web.Response(status=204, headers=headers)
        return await self._face.answer(request, member, action, answer, message)

    async def get(self, request: web.Request) -> web.StreamResponse:
        _, message, refused = await self._entered(request, "get")
        return bodies.reply(self._face.message_object(message)) if message else refused

    async def edit(self, request: web.Request) -> web.StreamResponse:
        member, message, refused = await self._entered(request, "edit")
        if message is None:
            return refused
        payload, files = await read(request)
        wrong = self._uneditable(member, message) or misfit(payload, files)
        if wrong is not None:
            return wrong
        if "attachments" in payload:
            kept = [self._face.files.keep(message.conversation, **file) for file in files]
            message.media = [told(file) for file in kept]
            message.extra["attachments"] = kept
        self._face.change(message, str(payload.get("content") or ""))
        return await self._done(request, member, "edit", message)

    def _uneditable(self, member: Member, message: Message) -> web.Response | None:
        if message.author != member.id:
            return bodies.refusal("50005")
        return bodies.refusal("520003") if message.extra.get("poll") else None

    async def delete(self, request: web.Request) -> web.StreamResponse:
        member, message, refused = await self._entered(request, "delete")
        if message is None:
            return refused
        if message.author != member.id:
            return bodies.refusal("50013")
        self._face.remove(message)
        return await self._done(request, member, "delete", message)

    async def react(self, request: web.Request) -> web.StreamResponse:
        member, message, refused = await self._entered(request, "react")
        if message is None:
            return refused
        emoji = request.match_info["emoji"]
        wrong = self._unreactable(message, emoji)
        if wrong is not None:
            return wrong
        self._face.react(message, member, emoji)
        return await self._done(request, member, "react", message)

    def _unreactable(self, message: Message, emoji: str) -> web.Response | None:
        there = {reaction["reaction"] for reaction in message.reactions}
        name, _, own = emoji.partition(":")
        if emoji not in there and not is_emoji(emoji) and self._face.emoji.get(name) != own:
            return bodies.refusal("10014")
        return bodies.refusal("30010") if emoji not in there and len(there) >= REACTIONS_MAX else None

    async def unreact(self, request: web.Request) -> web.StreamResponse:
        member, message, refused = await self._entered(request, "react")
        if message is None:
            return refused
        gone = {"member": member.id, "reaction": request.match_info["emoji"]}
        message.reactions = [reaction for reaction in message.reactions if reaction != gone]
        return await self._done(request, member, "react", message)

"""One Discord account: sending, the probe, and the rest of the port. Receiving is in ``receive.py``."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from discord.http import Route
from msgspec import structs

from adapters.border import crossing
from adapters.discord import enclosed, planning, translate
from adapters.discord.attached import download
from adapters.discord.errors import Window, describe
from adapters.discord.markup import PLATFORM
from adapters.discord.memory import Bounded, Memory
from adapters.discord.position import snowflake
from adapters.discord.profile import (
    CHANNEL_LANE,
    DELETE_LANE,
    EDIT_LANE,
    FAULTS,
    HISTORY_PAGE,
    PROFILE,
    REACTION_LANE,
    SERVER,
    Settings,
)
from adapters.discord.reactions import Reactions
from adapters.discord.receive import Run
from adapters.discord.wire import UPLOAD_TIMEOUT, Rest
from gateway.model.capabilities import LaneState, Profile
from gateway.model.content import Document
from gateway.model.delivery import Draft, FaultError, FaultKind, Part, Receipt, Shown, refused
from gateway.model.identity import Identity
from gateway.model.ids import ConversationId, MessageRef
from gateway.model.media import Attachment
from gateway.model.standing import Signal, Source
from gateway.ports import Arrival, Context, Taken, Unsure, nobodys

CHECK_S = 20.0
HISTORY_PAGES_MAX = 100
SKEW = timedelta(seconds=30)
"""How far our clock may be ahead of Discord's when a part is looked for."""


class DiscordAccount:
    """See :class:`gateway.ports.Adapter`."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._rest = Rest(settings.server)
        self._memory = Memory()
        self._reactions = Reactions(self._rest, self._memory)
        self._signing_in = asyncio.Lock()
        self._identity: Identity | None = None
        self._describe = partial(describe, context.clock.now)
        self._routes: Bounded[str, Route] = Bounded(1024)
        self._directs: Bounded[str, str] = Bounded(1024)

    @property
    def profile(self) -> Profile:
        return PROFILE

    def events(self, cursor: str | None) -> AsyncIterator[Arrival]:
        return Run(self._rest, self._settings, self._context, self._memory, cursor, self._who).arrivals()

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:  # noqa: ARG002 - keys come from the draft alone
        return planning.plan(draft, self._settings)

    def preview(self, part: Part) -> Shown:
        return planning.preview(part)

    # Who we are.

    async def _who(self) -> Any:
        """Ask the platform about ourselves, signing in where nobody has yet."""
        return await self._sign_in() or await self._rest.request(Route("GET", "/users/@me"))

    async def _sign_in(self) -> Any:
        """Who we are, from the sign-in; ``None`` when that is done already."""
        async with self._signing_in:
            if self._memory.me:
                return None
            me = await self._rest.sign_in(self._settings.token.reveal())
            self._memory.me = me["id"]
            self._identity = Identity(PLATFORM, me["id"], me["username"])
            return me

    def identity(self) -> Identity | None:
        return self._identity

    async def check(self) -> Signal:
        """Who are we? A token that is reset and a bot that was disabled look the same here: 401."""
        now = self._context.clock.now()
        try:
            async with self._crossing("check"), asyncio.timeout(CHECK_S):
                me = await self._who()
                return Signal(Source.PROBE, now, f"signed in as {me['username']}")
        except FaultError as error:
            return Signal(Source.PROBE, now, error.fault.evidence, error.fault)

    # Sending.

    async def send(self, part: Part) -> Receipt:
        channel = await self._prepare(part)
        files = await self._files(part.body)
        payload = part.body["payload"]
        if part.previous is not None:
            payload = payload | planning.following(part.previous)
        route = self._send_route(channel)
        try:
            async with self._crossing("send", Window(CHANNEL_LANE, part.conversation)):
                answer = await self._post(route, payload, files)
                return self._receipt(answer, part, route)
        except FaultError as error:
            seen = None if error.fault.certain else self._memory.confirmed.get(part.key)
            if seen is None:
                raise
            return seen

    def _crossing(self, doing: str, window: Window | None = None) -> AbstractAsyncContextManager[None]:
        return crossing(partial(self._describe, window), FAULTS, doing=doing)

    async def _prepare(self, part: Part) -> str:
        """What comes before the message: whatever fails here, nothing was sent."""
        try:
            async with self._crossing("send", Window(CHANNEL_LANE, part.conversation)):
                if not self._memory.me:
                    await self._sign_in()
                return await self._channel(part)
        except FaultError as error:
            raise FaultError(structs.replace(error.fault, certain=True)) from error

    async def _channel(self, part: Part) -> str:
        """The channel a part goes to; a DM is opened where there is none yet (asking twice gives the same)."""
        if part.previous is not None:
            return part.previous.partition("/")[0]
        if "channel" in part.body:
            return str(part.body["channel"])
        person = str(part.body["recipient"])
        channel = self._directs.get(person)
        if channel is None:
            opened = await self._rest.start_private_message(int(person))
            channel = self._directs[person] = str(opened["id"])
        return channel

    async def _files(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Form fields of a message's files; as streams, since aiohttp writes plain bytes in one go."""
        return [
            {
                "name": f"files[{index}]",
                "value": io.BytesIO(await self._context.media(media["sha256"])),
                "filename": media["name"],
                "content_type": media["mime"],
            }
            for index, media in enumerate(body.get("media", ()))
        ]

    def _send_route(self, channel: str) -> Route:
        route = self._routes.get(channel)
        if route is None:
            path = "/channels/{channel_id}/messages"
            route = self._routes[channel] = self._rest.route("POST", path, channel_id=int(channel))
        return route

    async def _post(self, route: Route, payload: dict[str, Any], files: list[dict[str, Any]]) -> Any:
        if not files:
            return await self._rest.request(route, json=payload)
        form = [{"name": "payload_json", "value": json.dumps(payload)}, *files]
        return await self._rest.request(route, form=form, timeout=UPLOAD_TIMEOUT)

    def _receipt(self, answer: Any, part: Part, route: Route) -> Receipt:
        channel, message = answer["channel_id"], answer["id"]
        self._memory.nonces[message] = part.key
        place = self._memory.places.get(channel)
        server = "@me" if part.kind == "direct" else place.guild if place else None
        url = f"{self._settings.server}/channels/{server}/{channel}/{message}" if server else None
        at = datetime.fromisoformat(answer["timestamp"])
        lanes = self._lanes(Window(CHANNEL_LANE, part.conversation), route)
        return Receipt(translate.reference(channel, message), at, url, lanes)

    def _lanes(self, window: Window, route: Route) -> tuple[LaneState, ...]:
        told = self._rest.window(route)
        if told is None:
            return ()
        remaining, reset_after_s = told
        reset_at_unix_s = self._context.clock.now().timestamp() + reset_after_s
        return (LaneState(window.lane, remaining, reset_at_unix_s, window.conversation),)

    async def reconcile(self, part: Part, since: datetime, taken: Taken = nobodys) -> Receipt | Unsure:
        """By our own message on the gateway, else by the channel's history from ``since`` on."""
        seen = self._memory.confirmed.get(part.key)
        if seen is not None:
            return seen
        async with self._crossing("reconcile"):
            if not self._memory.me:
                await self._sign_in()
            channel = await self._channel(part)
            after = snowflake(since - SKEW)
            for _ in range(HISTORY_PAGES_MAX):
                page = await self._rest.logs_from(int(channel), HISTORY_PAGE, after=after)
                for message in sorted(page, key=lambda item: int(item["id"])):
                    if await self._is(message, part, taken):
                        return self._receipt(message, part, self._send_route(channel))
                if len(page) < HISTORY_PAGE:
                    return Unsure.NOT_SENT
                after = max(int(message["id"]) for message in page)
        return Unsure.UNKNOWN

    async def _is(self, message: Any, part: Part, taken: Taken) -> bool:
        """Whether a message of the history is this part. History may leave the nonce out: then its words decide."""
        if message["author"]["id"] != self._memory.me:
            return False
        nonce = message.get("nonce") or self._memory.nonces.get(message["id"])
        if nonce:
            return str(nonce) == part.key
        answered = (message.get("message_reference") or {}).get("message_id")
        payload = part.body["payload"]
        expected = {(payload.get("message_reference") or {}).get("message_id")}
        if part.previous is not None:  # it says nothing of the one before when that is gone
            expected = {part.previous.partition("/")[2], None}
        same_files = len(message.get("attachments", ())) == len(part.body.get("media", ()))
        same = message["content"].strip() == payload["content"].strip() and answered in expected and same_files
        return same and not await taken(translate.reference(message["channel_id"], message["id"]))

    # What is sent already.

    def stays(self, before: Document, after: Document) -> str:
        return planning.stays(before, after)

    async def edit(self, ref: MessageRef, document: Document, *, words_only: bool = False) -> Receipt:
        channel, message = translate.located(ref)
        body = planning.reworded(document, words_only=words_only)
        files = await self._files(body)
        path = "/channels/{channel_id}/messages/{message_id}"
        window = Window(EDIT_LANE, str(channel))
        async with self._acting("edit", window):
            route = self._rest.route("PATCH", path, channel_id=channel, message_id=message)
            answer = await self._post(route, body["payload"], files)
            at = datetime.fromisoformat(answer["edited_timestamp"] or answer["timestamp"])
            return Receipt(ref, at, lanes=self._lanes(window, route))

    async def delete(self, ref: MessageRef) -> None:
        channel, message = translate.located(ref)
        try:
            async with self._acting("delete", Window(DELETE_LANE, str(channel))):
                await self._rest.delete_message(channel, message)
        except FaultError as error:
            if error.fault.kind is not FaultKind.TARGET_GONE:
                raise

    async def react(self, ref: MessageRef, reaction: str) -> None:
        """An emoji, or ``:name:`` for one of the server's own."""
        channel, message = translate.located(ref)
        async with self._acting("react", Window(REACTION_LANE, str(channel))):
            await self._reactions.add(channel, message, reaction)

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """Addresses of files are good for a day (reference: signed attachment CDN URLs): it is asked for a new one."""
        ref, _, file = attachment.handle.rpartition("/")
        channel, message = translate.located(MessageRef(ref))
        async with self._acting("fetch"):
            url = enclosed.addresses(await self._rest.get_message(channel, message)).get(file)
        if url is None:
            raise refused(FaultKind.TARGET_GONE, "the file is no longer there")
        async for piece in download(url, self._settings.server):
            yield piece

    async def show_typing(self, conversation: ConversationId) -> None:
        """Shown for ten seconds or until a message comes."""
        channel, _ = translate.located(translate.reference(conversation, 0))
        async with self._acting("show typing"):
            await self._rest.send_typing(channel)

    @asynccontextmanager
    async def _acting(self, doing: str, window: Window | None = None) -> AsyncIterator[None]:
        async with self._crossing(doing, window):
            if not self._memory.me:
                await self._sign_in()
            yield

    async def aclose(self) -> None:
        await self._rest.shut()


async def open_account(settings: Settings, context: Context) -> DiscordAccount:
    """An account that has talked to nobody yet. CONFIG when its server is no web address."""
    url = urlsplit(settings.server)
    if url.scheme not in ("http", "https") or not url.hostname:
        cure = f"server = {settings.server!r} is no web address; leave it out for {SERVER}"
        raise refused(FaultKind.CONFIG, cure)
    return DiscordAccount(settings, context)

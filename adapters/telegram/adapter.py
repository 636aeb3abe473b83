"""One bot on Telegram. The library is in session.py; what is said to it is made in planning.py and entities.py."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from adapters.border import crossing
from adapters.telegram import entities, planning, translate
from adapters.telegram.profile import FAULTS, PROFILE, Settings
from adapters.telegram.session import CALL_TIMEOUT_S, Clients, describe, silence, upload
from gateway.model.capabilities import Profile
from gateway.model.content import Document
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, Part, Receipt
from gateway.model.events import PlatformEvent
from gateway.model.identity import Identity
from gateway.model.ids import ConversationId, MessageRef
from gateway.model.standing import Signal, Source
from gateway.ports import Arrival, Context

log = logging.getLogger("multihome.telegram")

POLL_MAX_S = 50
PAGE = 100
ID_LIMIT = 2**31 - 1
"""Update ids are 32 bits; an offset beyond would be refused for ever."""
SLACK_S = 15.0
"""How much later than asked a poll's answer may come."""
PAUSE_S = 0.05
"""After a page that held nothing for us: a server that answers at once with nothing must not keep us spinning."""
FRESH_FOR_S = 6 * 86_400
"""After a week without updates the next one's id is random (Bot API, Update.update_id): an offset this old would drop
it. Nothing is lost without one, since updates are kept for a day."""


class _Cursor(Struct, omit_defaults=True):
    """The next update's id, and when the one before it came. 0: whatever is there."""

    offset: int = 0
    at_unix_s: float = 0.0


async def open_account(settings: Settings, context: Context) -> TelegramAdapter:
    """See :data:`gateway.ports.Factory`. Talks to nobody yet."""
    silence()
    return TelegramAdapter(settings, context)


class TelegramAdapter:
    """A :class:`gateway.ports.Adapter` with Edits, Deletes, Reacts and ShowsTyping."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._clients = Clients(settings.token, settings.server)
        self._me: translate.Me | None = None

    @property
    def profile(self) -> Profile:
        return PROFILE

    # Receiving.

    async def events(self, cursor: str | None) -> AsyncIterator[Arrival]:
        """See :meth:`gateway.ports.Adapter.events`.

        An update is confirmed by asking for the next page, so only once the consumer stored it. Telegram keeps what
        was missed for a day; the last update of a queue that was never read is where "from now" begins.
        """
        me = await self._myself()
        if cursor is None:
            position = await self._end_of_queue()
            yield (), _written(position)
        else:
            position = _read(cursor)
        while True:
            page = await self._poll(offset=self._offset(position), timeout=self._patience_s)
            moved = self._after(page, position)
            events = [event for raw in page for event in self._parsed(raw, me)]
            if events or moved.offset != position.offset:
                position = moved
                yield events, _written(position)
            if not events:
                await self._context.clock.sleep(PAUSE_S)

    @property
    def _patience_s(self) -> int:
        return max(0, min(int(self._settings.poll_timeout_s), POLL_MAX_S))

    def _offset(self, position: _Cursor) -> int:
        stale = self._context.clock.now().timestamp() - position.at_unix_s > FRESH_FOR_S
        return 0 if stale else position.offset

    async def _end_of_queue(self) -> _Cursor:
        return self._after(await self._poll(offset=-1, timeout=0), _Cursor())

    async def _poll(self, *, offset: int, timeout: int) -> list[Any]:  # noqa: ASYNC109  # the server's, in seconds
        wanted = {"offset": offset, "limit": PAGE, "timeout": timeout, "allowed_updates": list(translate.WANTED)}
        async with self._crossing("getUpdates"), asyncio.timeout(timeout + CALL_TIMEOUT_S):
            poller = self._clients.poller(self._patience_s + SLACK_S)
            page = await poller.call("getUpdates", wanted)
        if not isinstance(page, list):
            raise FaultError(Fault(FaultKind.SERVER, False, "getUpdates: the answer holds no list of updates"))
        return page

    def _after(self, page: list[Any], position: _Cursor) -> _Cursor:
        """The position behind a page: behind every update that has an id, readable or not."""
        ids = [raw.get("update_id") for raw in page if isinstance(raw, dict)]
        known = [number for number in ids if isinstance(number, int) and 0 <= number < ID_LIMIT]
        return _Cursor(max(known) + 1, self._context.clock.now().timestamp()) if known else position

    def _parsed(self, raw: object, me: translate.Me) -> list[PlatformEvent]:
        try:
            return translate.parse(raw, me)
        except (msgspec.ValidationError, ValueError, RecursionError) as error:
            log.warning("%s: skipped an update that makes no sense: %s", me.account, str(error)[:200])
            return []

    async def _myself(self) -> translate.Me:
        if self._me is None:
            await self._introduce()
        assert self._me is not None  # noqa: S101  # for the type checker: _introduce sets it or raises
        return self._me

    async def _introduce(self) -> str:
        found = await self._call("getMe", {})
        if not isinstance(found, dict) or not isinstance(found.get("id"), int):
            raise FaultError(Fault(FaultKind.SERVER, False, "getMe: the answer holds no bot"))
        name = str(found.get("username", ""))
        self._me = translate.Me(self._context.account, found["id"], name, self._settings.announce_to)
        return name

    def identity(self) -> Identity | None:
        me = self._me
        return Identity(entities.PLATFORM, str(me.id), me.username) if me else None

    # Sending.

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:  # noqa: ARG002  # keys need no time: there are none
        return planning.plan(draft, self._settings.announce_to)

    async def send(self, part: Part) -> Receipt:
        body = dict(part.body)
        method = body.pop("method")
        if "media" in body:
            body["photo"] = upload(await self._context.media(body.pop("media")), body.pop("mime"))
        if part.previous is not None and part.kind != "direct":
            body["reply_parameters"] = planning.answering(planning.message_of(part.previous)[1])
        return self._receipt(await self._call(method, body), body.get("message_thread_id"))

    def _receipt(self, sent: Any, topic: int | None = None) -> Receipt:
        """What the API says of a message. Uncertain when it says nothing: it may be there all the same."""
        try:
            chat, number = sent["chat"], int(sent["message_id"])
            place = f"{int(chat['id'])}:{topic}" if topic else f"{int(chat['id'])}"
            at = datetime.fromtimestamp(sent["date"], UTC)
        except (TypeError, KeyError, ValueError, OverflowError, OSError) as error:
            raise FaultError(Fault(FaultKind.SERVER, False, "the answer to a send holds no message")) from error
        name = chat.get("username") if chat.get("type") != "private" else None
        return Receipt(MessageRef(f"{place}/{number}"), at, f"https://t.me/{name}/{number}" if name else None)

    async def _call(self, method: str, parameters: dict[str, Any]) -> Any:
        async with self._crossing(method), asyncio.timeout(CALL_TIMEOUT_S):
            return await self._clients.caller().call(method, parameters)

    def _crossing(self, doing: str) -> AbstractAsyncContextManager[None]:
        return crossing(lambda error: describe(error, self._context.clock.now()), FAULTS, doing=doing)

    # The rest.

    async def edit(self, ref: MessageRef, document: Document) -> Receipt:
        chat, number = planning.message_of(ref)
        words = planning.edited(document)
        where = {"chat_id": chat, "message_id": number}
        try:
            await self._call("editMessageText", where | {"text": words.text, "entities": words.entities})
        except FaultError as error:
            if _says(error, "message is not modified"):
                return Receipt(ref, self._context.clock.now())
            if not _says(error, "there is no text in the message"):
                raise
            return await self._edit_caption(ref, where, words)
        return Receipt(ref, self._context.clock.now())

    async def _edit_caption(self, ref: MessageRef, where: dict[str, Any], words: entities.Words) -> Receipt:
        """A picture's words are its caption; a ref doesn't tell which message has a picture."""
        try:
            await self._call("editMessageCaption", where | {"caption": words.text, "caption_entities": words.entities})
        except FaultError as error:
            if not _says(error, "message is not modified"):
                raise
        return Receipt(ref, self._context.clock.now())

    async def delete(self, ref: MessageRef) -> None:
        chat, number = planning.message_of(ref)
        try:
            await self._call("deleteMessage", {"chat_id": chat, "message_id": number})
        except FaultError as error:
            if not _says(error, "message to delete not found"):
                raise

    async def react(self, ref: MessageRef, reaction: str) -> None:
        """One emoji of Telegram's list; it takes the place of the bot's earlier one. INVALID for any other."""
        chat, number = planning.message_of(ref)
        emoji = [{"type": "emoji", "emoji": reaction.replace("\ufe0f", "")}]  # Telegram's list has no selectors
        await self._call("setMessageReaction", {"chat_id": chat, "message_id": number, "reaction": emoji})

    async def show_typing(self, conversation: ConversationId) -> None:
        chat, topic = planning.conversation_of(conversation)
        thread = {"message_thread_id": topic} if topic else {}
        await self._call("sendChatAction", {"chat_id": chat, "action": "typing", **thread})

    async def check(self) -> Signal:
        try:
            name = await self._introduce()
        except FaultError as error:
            return Signal(Source.PROBE, self._context.clock.now(), error.fault.evidence, error.fault)
        return Signal(Source.PROBE, self._context.clock.now(), f"getMe answers: @{name}")

    async def aclose(self) -> None:
        await self._clients.aclose()


def _says(error: FaultError, words: str) -> bool:
    return words in error.fault.evidence.casefold()


def _written(position: _Cursor) -> str:
    return msgspec.json.encode(position).decode()


def _read(cursor: str) -> _Cursor:
    """A cursor nobody can read costs nothing: the server still has what it wasn't told to forget."""
    try:
        return msgspec.json.decode(cursor, type=_Cursor)
    except msgspec.DecodeError as error:
        log.warning("the stored cursor can't be read, going on with whatever is waiting: %s", error)
        return _Cursor()

"""One bot on Telegram. The library is in session.py; what is said to it is made in planning.py and entities.py."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from adapters.border import crossing
from adapters.telegram import albums, entities, planning, translate, uploads
from adapters.telegram.preview import preview
from adapters.telegram.profile import CAPTION_MAX, DOWNLOAD_BYTES, FAULTS, PROFILE, TEXT_MAX, Settings
from adapters.telegram.reactions import nearest
from adapters.telegram.session import CALL_TIMEOUT_S, UPLOAD_CALL_TIMEOUT_S, Clients, describe, silence, upload
from gateway.model.capabilities import Profile
from gateway.model.content import Document
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, Part, Receipt, Shown
from gateway.model.events import PlatformEvent
from gateway.model.identity import Identity
from gateway.model.ids import ConversationId, MessageRef
from gateway.model.media import Attachment
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
ALBUM_PAUSE_S = 0.5
"""How long the rest of an album is waited for: its pictures are messages of their own, which come one by one."""
ALBUM_PAUSES = 4
"""However many more keep coming: what is said besides waits too."""
FRESH_FOR_S = 6 * 86_400
"""After a week without updates the next one's id is random (Bot API, Update.update_id): an offset this old would drop
it. Nothing is lost without one, since updates are kept for a day."""
_PATH = re.compile(r"[\w-][\w./-]{0,511}", re.ASCII)


class _Cursor(Struct, omit_defaults=True):
    """The next update's id, and when the one before it came. 0: whatever is there."""

    offset: int = 0
    at_unix_s: float = 0.0


async def open_account(settings: Settings, context: Context) -> TelegramAdapter:
    """See :data:`gateway.ports.Factory`. Talks to nobody yet."""
    silence()
    return TelegramAdapter(settings, context)


class TelegramAdapter:
    """A :class:`gateway.ports.Adapter` with Edits, Deletes, Reacts, ShowsTyping, Fetches and Previews."""

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
            page = await self._page(self._offset(position))
            moved = self._after(page, position)
            events = [event for updates in albums.gathered(page) for event in self._read(updates, me)]
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

    async def _page(self, offset: int) -> list[Any]:
        """The next updates, albums whole: nothing is confirmed while the rest of one is waited for, so the same page
        comes again, longer.
        """
        page = await self._poll(offset=offset, timeout=self._patience_s)
        for _ in range(ALBUM_PAUSES):
            begun = albums.in_albums(page)
            if not begun or len(page) >= PAGE:
                break
            await self._context.clock.sleep(ALBUM_PAUSE_S)
            page = await self._poll(offset=offset, timeout=0)
            if albums.in_albums(page) == begun:
                break
        return albums.before_a_cut_album(page) if len(page) >= PAGE else page

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

    def _read(self, updates: list[object], me: translate.Me) -> list[PlatformEvent]:
        return albums.together([event for raw in updates for event in self._parsed(raw, me)])

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

    def preview(self, part: Part) -> Shown:
        return preview(part)

    async def send(self, part: Part) -> Receipt:
        body = dict(part.body)
        if part.previous is not None and part.kind != "direct":
            body["reply_parameters"] = planning.answering(planning.message_of(part.previous)[1])
        method, topic = body.pop("method"), body.get("message_thread_id")
        if files := body.get("files"):
            body = uploads.parameters(body) | await self._bytes_of(files, uploads.names(files))
        return self._receipt(await self._say(method, body, UPLOAD_CALL_TIMEOUT_S if files else CALL_TIMEOUT_S), topic)

    async def _say(self, method: str, parameters: dict[str, Any], timeout_s: float) -> Any:
        """A request with words. For somebody whom this bot never met all of it is refused: then the name is said."""
        try:
            return await self._call(method, parameters, timeout_s)
        except FaultError as error:
            plain = entities.without_calls(parameters)
            if plain == parameters or not _says(error, "user not found"):
                raise
        return await self._call(method, plain, timeout_s)

    async def _bytes_of(self, files: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
        return {
            name: upload(await self._context.media(file["sha256"]), file["mime"], file.get("name", ""))
            for file, name in zip(files, names, strict=True)
        }

    def _receipt(self, answer: Any, topic: int | None = None) -> Receipt:
        """What the API says of a message, or of an album's. Uncertain when it says nothing: it may be there."""
        try:
            messages = answer if isinstance(answer, list) else [answer]
            chat, first = messages[0]["chat"], int(messages[0]["message_id"])
            numbers = ",".join(str(int(each["message_id"])) for each in messages)
            place = f"{int(chat['id'])}:{topic}" if topic else f"{int(chat['id'])}"
            at = datetime.fromtimestamp(messages[0]["date"], UTC)
        except (TypeError, KeyError, ValueError, OverflowError, OSError, IndexError) as error:
            raise FaultError(Fault(FaultKind.SERVER, False, "the answer to a send holds no message")) from error
        name = chat.get("username") if chat.get("type") != "private" else None
        return Receipt(MessageRef(f"{place}/{numbers}"), at, f"https://t.me/{name}/{first}" if name else None)

    async def _call(self, method: str, parameters: dict[str, Any], timeout_s: float | None = None) -> Any:
        async with self._crossing(method), asyncio.timeout(timeout_s or CALL_TIMEOUT_S):
            return await self._clients.caller().call(method, parameters)

    def _crossing(self, doing: str) -> AbstractAsyncContextManager[None]:
        return crossing(lambda error: describe(error, self._context.clock.now()), FAULTS, doing=doing)

    # The rest.

    def stays(self, before: Document, after: Document) -> str:
        return planning.stays(before, after)

    async def edit(self, ref: MessageRef, document: Document, *, words_only: bool = False) -> Receipt:
        chat, numbers = planning.messages_of(ref)
        words = planning.edited(document, CAPTION_MAX if document.media else TEXT_MAX)
        if document.media and words_only:
            where = {"chat_id": chat, "message_id": numbers[0]}
            told = {"caption": words.text, "caption_entities": words.entities}
            await self._changed("editMessageCaption", {**where, **told})
        elif document.media:
            await self._edit_media(chat, numbers, document, words)
        else:
            said = {"chat_id": chat, "message_id": numbers[0], "text": words.text, "entities": words.entities}
            await self._changed("editMessageText", said)
        return Receipt(ref, self._context.clock.now())

    async def _edit_media(
        self, chat: int, numbers: tuple[int, ...], document: Document, words: entities.Words
    ) -> None:  # fmt: skip
        """Each message of an album shows one; the first has the words."""
        if len(document.media) != len(numbers):
            told = f"{len(numbers)} messages can't show {len(document.media)} media: an album keeps its number"
            raise FaultError(Fault(FaultKind.TARGET_REFUSED, True, told))
        for number, media in zip(numbers, document.media, strict=True):
            body = uploads.body((media,), sensitive=document.sensitive)
            (file,), (name,) = body["files"], uploads.names(body["files"], attached=True)
            item = uploads.item(file, name, veiled="has_spoiler" in body)
            if number == numbers[0]:
                item |= {"caption": words.text, "caption_entities": words.entities}
            where = {"chat_id": chat, "message_id": number, "media": item}
            await self._changed("editMessageMedia", where | await self._bytes_of([file], [name]))

    async def _changed(self, method: str, parameters: dict[str, Any]) -> None:
        """An edit; that all is as it should be already is a success. What has media has no text, and a poll neither."""
        try:
            await self._say(method, parameters, UPLOAD_CALL_TIMEOUT_S)
        except FaultError as error:
            if _says(error, "there is no text in the message") or _says(error, "media can't be edited"):
                raise FaultError(Fault(FaultKind.TARGET_REFUSED, True, planning.STAYS)) from error
            if not _says(error, "message is not modified"):
                raise

    async def delete(self, ref: MessageRef) -> None:
        chat, numbers = planning.messages_of(ref)
        if len(numbers) > 1:  # those that are gone are passed over (Bot API, deleteMessages)
            await self._call("deleteMessages", {"chat_id": chat, "message_ids": list(numbers)})
            return
        try:
            await self._call("deleteMessage", {"chat_id": chat, "message_id": numbers[0]})
        except FaultError as error:
            if not _says(error, "message to delete not found"):
                raise

    async def react(self, ref: MessageRef, reaction: str) -> None:
        """The nearest of Telegram's list; it takes the place of the bot's earlier one. INVALID where none is near."""
        chat, number = planning.message_of(ref)
        emoji = [{"type": "emoji", "emoji": nearest(reaction)}]
        await self._call("setMessageReaction", {"chat_id": chat, "message_id": number, "reaction": emoji})

    async def show_typing(self, conversation: ConversationId) -> None:
        chat, topic = planning.conversation_of(conversation)
        thread = {"message_thread_id": topic} if topic else {}
        await self._call("sendChatAction", {"chat_id": chat, "action": "typing", **thread})

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """See :class:`gateway.ports.Fetches`. From the account's own server, as far as its bots may fetch."""
        if (attachment.size_bytes or 0) > DOWNLOAD_BYTES:
            told = f"a file of {attachment.size_bytes} bytes; a bot may fetch {DOWNLOAD_BYTES}"
            raise FaultError(Fault(FaultKind.MEDIA, True, told))
        path = _path(await self._call("getFile", {"file_id": attachment.handle}))
        ends_at = self._context.clock.monotonic() + UPLOAD_CALL_TIMEOUT_S
        left = DOWNLOAD_BYTES
        async with self._crossing("fetch"), aclosing(self._clients.fetcher().pieces(path)) as pieces:
            async for piece in pieces:
                left -= len(piece)
                if left < 0 or self._context.clock.monotonic() > ends_at:
                    raise FaultError(
                        Fault(FaultKind.MEDIA, True, "the file is longer than a bot may fetch, or endless")
                    )
                yield piece

    async def check(self) -> Signal:
        try:
            name = await self._introduce()
        except FaultError as error:
            return Signal(Source.PROBE, self._context.clock.now(), error.fault.evidence, error.fault)
        return Signal(Source.PROBE, self._context.clock.now(), f"getMe answers: @{name}")

    async def aclose(self) -> None:
        await self._clients.aclose()


def _path(found: Any) -> str:
    """Where a file lies on the server. A server of one's own that runs in local mode names a file of its disk."""
    path = found.get("file_path") if isinstance(found, dict) else None
    if not isinstance(path, str) or not _PATH.fullmatch(path) or ".." in path:
        raise FaultError(Fault(FaultKind.MEDIA, True, "getFile: the answer names no file that can be fetched"))
    return path


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

"""The Bot API's methods, as far as a gateway calls them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from adapters.sandbox.face import drop
from adapters.sandbox.faults import Trouble
from adapters.sandbox.telegram_call import Call, ok, params
from adapters.sandbox.telegram_errors import Refusal, refusal, too_many
from adapters.sandbox.telegram_media import HELD, TYPES, Shown
from adapters.sandbox.telegram_shows import Shows
from adapters.sandbox.telegram_text import trimmed
from adapters.sandbox.telegram_updates import BY_DEFAULT, LIMIT_MAX, TIMEOUT_MAX_S, Mailbox, Poll
from adapters.sandbox.world import Member, Message, utc_now

if TYPE_CHECKING:
    from adapters.sandbox.telegram import Chat, TelegramFace

TEXT_MAX = 4096
CAPTION_MAX = 1024
DELETE_WINDOW = timedelta(hours=48)
DELETED_MAX = 100
NOTHING_NAMED = "Bad Request: message identifiers are not specified"
REACTIONS = frozenset(
    {"\u2764\u200d\U0001f525", "\U0001f468\u200d\U0001f4bb", "\U0001f937\u200d\u2642", "\U0001f937\u200d\u2640"}
    | set("👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄")
    | set("☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾🤷😡")
)
"""What ReactionTypeEmoji may hold: without variation selectors."""
_ENDS_A_POLL = (Trouble.OUTAGE, Trouble.REVOKE, Trouble.SUSPEND)


class Methods:
    """Handlers by the method's lower-case name: the server doesn't look at case."""

    def __init__(self, face: TelegramFace) -> None:
        self.face = face
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}
        shows = Shows(self)
        self._handlers: dict[str, Callable[[Call], Awaitable[web.StreamResponse]]] = {
            "getme": self._get_me,
            "getupdates": self._get_updates,
            "getchat": self._get_chat,
            "sendmessage": self._send_message,
            **{f"send{kind}": shows.sender(kind) for kind in TYPES},
            "sendmediagroup": shows.send_album,
            "sendpoll": shows.send_poll,
            "editmessagemedia": shows.edit_media,
            "getfile": self._get_file,
            "sendmessagedraft": self._send_draft,
            "sendchataction": self._send_action,
            "editmessagetext": self._edit_text,
            "editmessagecaption": self._edit_caption,
            "deletemessage": self._delete,
            "deletemessages": self._delete_many,
            "setmessagereaction": self._react,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            bot = self.face.bot_of(request.match_info["token"])
            call = Call(request, bot, await params(request))
            handler = self._handlers.get(request.match_info["method"].lower(), self._unknown)
            return await handler(call)
        except Refusal as no:
            down = await self.face.admit(request, None, "", on="read") if no.status in (401, 404) else None
            return down or no.response()

    async def _unknown(self, _: Call) -> web.StreamResponse:
        raise Refusal(404, "Not Found: method not found")

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file that getFile told the place of."""
        try:
            bot = self.face.bot_of(request.match_info["token"])
            if refused := await self.face.admit(request, bot, "download", on="read"):
                return refused
            return self.face.files.download(request.match_info["path"])
        except Refusal as no:
            return no.response()

    # Reading.

    async def _get_me(self, call: Call) -> web.StreamResponse:
        if refused := await self.face.admit(call.request, call.bot, "getMe", on="read"):
            return refused
        bot = call.bot
        can = {"can_join_groups": True, "can_read_all_group_messages": not bot.extra["privacy"]}
        return ok(self.face.shown(bot) | can | {"supports_inline_queries": False})

    async def _get_chat(self, call: Call) -> web.StreamResponse:
        if refused := await self.face.admit(call.request, call.bot, "getChat", on="read"):
            return refused
        return ok(self._chat(call).shown() | {"accent_color_id": 0, "max_reaction_count": 11})

    async def _get_file(self, call: Call) -> web.StreamResponse:
        if refused := await self.face.admit(call.request, call.bot, "getFile", on="read"):
            return refused
        return ok(self.face.files.get_file(call))

    async def _get_updates(self, call: Call) -> web.StreamResponse:
        if refused := await self.face.admit(call.request, call.bot, "getUpdates", on="read"):
            return refused
        box: Mailbox = call.bot.extra["mailbox"]
        if "allowed_updates" in call.params:
            box.allowed = frozenset(call.json("allowed_updates", [])) or BY_DEFAULT
        box.confirm(call.number("offset", 0))
        limit = min(max(call.number("limit", LIMIT_MAX), 1), LIMIT_MAX)
        until = asyncio.get_running_loop().time() + min(call.number("timeout", 0), TIMEOUT_MAX_S)
        poll = box.begin()
        try:
            return await self._wait(call, box, poll, limit, until)
        finally:
            if box.poll is poll:
                box.poll = None

    async def _wait(self, call: Call, box: Mailbox, poll: Poll, limit: int, until: float) -> web.StreamResponse:
        while True:
            if poll.ended == "conflict":
                raise refusal("conflict")
            if poll.ended:
                return drop(call.request)
            if any(self.face.faults.active(trouble, call.bot.handle) for trouble in _ENDS_A_POLL):
                refused = await self.face.admit(call.request, call.bot, "getUpdates", on="read")
                if refused is not None:
                    return refused
            self._maybe_broken(call.bot, box)
            left = until - asyncio.get_running_loop().time()
            page = box.page(limit)
            if page or left <= 0:
                return ok(page)
            await self._rest(box, left)

    def _maybe_broken(self, bot: Member, box: Mailbox) -> None:
        for on in ("read", "stream"):
            rule = self.face.faults.find(Trouble.MALFORMED_EVENT, bot.handle, on=on, action="getUpdates")
            if rule is not None:
                box.put_broken(nameless=rule.code == "nameless")
                return

    async def _rest(self, box: Mailbox, longest_s: float) -> None:
        """Until there is something to look at."""
        box.changed.clear()
        self.face.faults.changed.clear()
        waits = [asyncio.ensure_future(event.wait()) for event in (box.changed, self.face.faults.changed)]
        try:
            await asyncio.wait(waits, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    # Writing.

    async def write(
        self, call: Call, action: str, work: Callable[[], tuple[Any, Message | None]], text: str = ""
    ) -> web.StreamResponse:
        """Let trouble strike, do the work, keep account of it."""
        if refused := await self.face.admit(call.request, call.bot, action, text=text):
            return refused
        try:
            self._count(call, action)
            result, message = work()
        except Refusal as no:
            self.face.network.attempted(call.bot.handle, action, "refused", text=text, detail=no.description)
            raise
        return await self.face.answer(call.request, call.bot, action, ok(result), message)

    def _count(self, call: Call, action: str) -> None:
        """One more message or edit in a chat's window, or a 429 when it is full."""
        if action not in ("post", "reply", "direct", "edit"):
            return
        place, now_s = (call.bot.id, call.text("chat_id")), asyncio.get_running_loop().time()
        until_s, used = self._windows.get(place, (0.0, 0))
        most, per_s = self.face.window
        if now_s >= until_s:
            until_s, used = now_s + per_s, 0
        if used >= most:
            raise too_many(until_s - now_s)
        self._windows[place] = until_s, used + 1

    async def _send_message(self, call: Call) -> web.StreamResponse:
        def work() -> tuple[Any, Message]:
            text, entities = self._text(call)
            message = self.post(call, text, entities)
            return message.extra["json"], message

        return await self.write(call, self.action(call), work, call.text("text"))

    async def _send_draft(self, call: Call) -> web.StreamResponse:
        def work() -> tuple[Any, None]:
            chat = self._open_chat(call)
            if chat.type != "private":
                raise Refusal(400, "Bad Request: message drafts can be sent only to private chats")
            if not call.number("draft_id", 0):
                raise Refusal(400, "Bad Request: DRAFT_ID_INVALID")
            call.bot.extra["drafts"][chat.id] = call.text("text")
            return True, None

        return await self.write(call, "draft", work, call.text("text"))

    async def _send_action(self, call: Call) -> web.StreamResponse:
        def work() -> tuple[Any, None]:
            call.bot.extra["typing"].append((self._open_chat(call).id, call.text("action")))
            return True, None

        return await self.write(call, "typing", work)

    async def _edit_text(self, call: Call) -> web.StreamResponse:
        return await self.write(call, "edit", lambda: self._edited(call, "text", "entities"), call.text("text"))

    async def _edit_caption(self, call: Call) -> web.StreamResponse:
        return await self.write(
            call, "edit", lambda: self._edited(call, "caption", "caption_entities"), call.text("caption")
        )

    def _edited(self, call: Call, words: str, marks: str) -> tuple[Any, Message]:
        message = self.message(call, "edit_gone")
        body = message.extra["json"]
        if message.author != call.bot.id:
            raise refusal("cant_edit")
        if words == "text" and ("text" not in body):
            raise refusal("no_text")
        if words == "caption" and not any(key in body for key in HELD):
            raise refusal("no_caption")
        text, entities = self._text(call) if words == "text" else self.caption(call)
        if text == message.text and entities == body.get(marks, []):
            raise refusal("not_modified")
        self.face.network.edit(message, text)
        body["edit_date"] = int(utc_now().timestamp())
        self.face.reword(message, text, entities)
        return body, message

    async def _delete(self, call: Call) -> web.StreamResponse:
        def work() -> tuple[Any, Message]:
            message = self.message(call, "delete_gone")
            self._remove(call, message)
            return True, message

        return await self.write(call, "delete", work)

    def _remove(self, call: Call, message: Message) -> None:
        """A bot takes back its own, in private anything, of the last two days (Bot API, deleteMessage)."""
        if message.author != call.bot.id and not message.private:
            raise refusal("cant_delete")
        if utc_now() - message.at > DELETE_WINDOW:
            raise refusal("cant_delete_for_everyone")
        self.face.network.delete(message)

    async def _delete_many(self, call: Call) -> web.StreamResponse:
        """Those that aren't there are passed over (Bot API, deleteMessages)."""

        def work() -> tuple[Any, Message | None]:
            numbers = call.json("message_ids", [])
            if not isinstance(numbers, list) or not 0 < len(numbers) <= DELETED_MAX:
                raise Refusal(400, "Bad Request: too many messages to delete" if numbers else NOTHING_NAMED)
            chat = self._open_chat(call)
            named = [self.face.network.messages.get(f"{chat.id}/{number}") for number in numbers]
            there = [message for message in named if message is not None and not message.deleted]
            for message in there:
                self._remove(call, message)
            return True, there[0] if there else None

        return await self.write(call, "delete", work)

    async def _react(self, call: Call) -> web.StreamResponse:
        def work() -> tuple[Any, Message]:
            message = self.message(call, "react_gone")
            emojis = [str(item.get("emoji", "")) for item in call.json("reaction", [])]
            if not all(emoji in REACTIONS for emoji in emojis):
                raise refusal("bad_reaction")
            if len(emojis) > 1:
                raise refusal("too_many_reactions")
            message.reactions[:] = [r for r in message.reactions if r["member"] != call.bot.id]
            for emoji in emojis:
                self.face.network.react(message, call.bot, emoji)
            return True, message

        return await self.write(call, "react", work)

    # Parameters.

    def _chat(self, call: Call) -> Chat:
        name = call.text("chat_id")
        for chat in self.face.chats.values():
            if name == str(chat.id) or (chat.username and chat.type != "private" and name == f"@{chat.username}"):
                return chat
        person = self.face.network.members.get(name)
        if person is None:
            raise refusal("chat_gone")
        raise refusal("to_bot" if person.is_bot else "not_started")

    def _open_chat(self, call: Call) -> Chat:
        """The chat, when the bot may write there."""
        chat = self._chat(call)
        if chat.moved_to is not None:
            raise refusal("migrated", migrate_to_chat_id=chat.moved_to)
        if chat.type == "private" and call.bot.id not in self.face.network.members[str(chat.id)].extra["started"]:
            raise refusal("not_started")
        if chat.title.endswith("'s channel"):
            raise refusal("chat_gone")
        return chat

    def action(self, call: Call) -> str:
        with contextlib.suppress(Refusal):
            return {"private": "direct", "channel": "post"}.get(self._chat(call).type, "reply")
        return "direct"

    def message(self, call: Call, absent: str) -> Message:
        chat = self._open_chat(call)
        message = self.face.network.messages.get(f"{chat.id}/{call.number('message_id', 0)}")
        if message is None or message.deleted:
            raise refusal(absent)
        return message

    def _text(self, call: Call) -> tuple[str, list[dict[str, Any]]]:
        if not call.text("text"):
            raise refusal("empty")
        text, entities = self._words(call, "text", "entities", TEXT_MAX, "too_long")
        if not text:
            raise refusal("blank")
        return text, entities

    def caption(self, call: Call) -> tuple[str, list[dict[str, Any]]]:
        return self._words(call, "caption", "caption_entities", CAPTION_MAX, "caption_too_long")

    def _words(
        self, call: Call, words: str, marks: str, most: int, otherwise: str
    ) -> tuple[str, list[dict[str, Any]]]:  # fmt: skip
        """The text and its entities; counted in code points once the entities are read."""
        if call.text("parse_mode"):
            raise Refusal(400, "Bad Request: unsupported parse_mode")
        try:
            text, entities = trimmed(call.text(words), call.json(marks, []))
        except ValueError as error:
            raise Refusal(400, f"Bad Request: {error}") from None
        if any(each["type"] == "text_mention" and not self._knows(each["user"]) for each in entities):
            raise refusal("user_gone")
        if len(text) > most:
            raise refusal(otherwise)
        return text, entities

    def _knows(self, user: Any) -> bool:
        return isinstance(user, dict) and str(user.get("id")) in self.face.network.members

    def post(
        self,
        call: Call,
        text: str,
        entities: list[Any],
        *,
        show: Shown | None = None,
        fields: dict[str, Any] | None = None,
    ) -> Message:
        chat = self._open_chat(call)
        thread = call.number("message_thread_id", 0) or None
        if thread is not None and thread not in chat.threads:
            raise refusal("thread_gone")
        to = self._replied(call, chat)
        kinds = {"private": "direct", "channel": "post"}
        kind = kinds.get(chat.type, "reply" if to else "group")
        call.bot.extra["drafts"].pop(chat.id, None)
        more = (fields or {}) | ({"message_thread_id": thread, "is_topic_message": True} if thread else {})
        return self.face.write(call.bot, chat, text, kind=kind, to=to, entities=entities, show=show, fields=more)

    def _replied(self, call: Call, chat: Chat) -> Message | None:
        wanted = call.json("reply_parameters", None)
        if not isinstance(wanted, dict):
            return None
        to = self.face.network.messages.get(f"{chat.id}/{wanted.get('message_id')}")
        if to is not None and not to.deleted:
            return to
        if not wanted.get("allow_sending_without_reply"):
            raise refusal("reply_gone")
        return None

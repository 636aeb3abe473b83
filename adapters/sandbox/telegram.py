"""Telegram's Bot API on the wire: bots, chats, and how people speak there. The methods are in telegram_methods.py."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from aiohttp import web

from adapters.sandbox.face import Face, html_error
from adapters.sandbox.faults import Faults, Rule, Trouble
from adapters.sandbox.telegram_errors import REFUSALS, Refusal, refusal, too_many
from adapters.sandbox.telegram_media import HELD, Files, Shown, shown
from adapters.sandbox.telegram_methods import Methods
from adapters.sandbox.telegram_text import trimmed
from adapters.sandbox.telegram_updates import Mailbox
from adapters.sandbox.world import Member, Message, Network, utc_now

_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{30,}")
UPLOAD_BYTES = 52_428_800


@dataclass
class Chat:
    """A place. ``id`` is the other's own in a private chat, negative elsewhere."""

    id: int
    type: str
    title: str = ""
    username: str = ""
    threads: set[int] = field(default_factory=set)
    moved_to: int | None = None
    ids: Any = field(default_factory=lambda: itertools.count(1))

    def shown(self) -> dict[str, Any]:
        shown = {"id": self.id, "type": self.type, "title": self.title, "username": self.username}
        return {key: value for key, value in shown.items() if value != ""}


class TelegramFace(Face):
    """A Bot API server with its people.

    From the start there are a supergroup "general" and a channel "@announcements"; every bot of ours is in both. A
    private chat exists once its person wrote. Bots read all of a group (privacy mode off, as an agent's bot is set up);
    ``privacy(handle)`` turns privacy mode on: then only mentions, replies to the bot and commands reach it.

    SUSPEND and REVOKE are both 401 "Unauthorized", as in reality; LOCK is a frozen account (400 FROZEN_METHOD_INVALID
    on writes). REFUSE takes as ``code`` the names of telegram_errors.REFUSALS; "migrated" says where
    to in ``extra={"to": id}``. MALFORMED_EVENT with code ``nameless`` has not even an update id.

    Actions of writes: post (channel), direct (private), reply (group), edit, delete, react, typing, draft. Parse modes
    aren't spoken: a message with one is refused as the server refuses an unknown one.
    """

    name: ClassVar[str] = "telegram"

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network, faults)
        self.chats: dict[int, Chat] = {}
        self.files = Files()
        self.window: tuple[int, float] = (100_000, 1.0)
        """Messages and edits of a bot in one chat: how many in how many seconds."""
        self._ids = itertools.count(7_000_000_001)
        self._group_ids = itertools.count(1)
        self._private_ids = itertools.count(1)
        self.general = self._place("supergroup", "general")
        self.channel = self._place("channel", "announcements", "announcements")

    def app(self) -> web.Application:
        app = web.Application(client_max_size=UPLOAD_BYTES)
        methods = Methods(self)
        app.router.add_get("/file/bot{token}/{path:.*}", methods.download)
        app.router.add_route("*", "/bot{token}/{method}", methods.handle)
        return app

    # Who and where.

    def account(self, handle: str = "agent") -> dict[str, Any]:
        bot = self._bot(handle)
        name = f"SANDBOX_TELEGRAM_{re.sub(r'[^A-Z0-9]', '_', handle.upper())}_TOKEN"
        settings = {
            "id": "telegram/main" if handle == "agent" else f"telegram/{handle}",
            "server": self.url,
            "token": {"env": name},
            "announce_to": f"@{self.channel.username}",
            "poll_timeout_s": 2.0,
        }
        return {"settings": settings, "environment": {name: bot.extra["token"]}}

    def _bot(self, handle: str) -> Member:
        bot = self.network.member(handle)
        if bot is None:
            bot = self.network.join(Member(str(next(self._ids)), handle, handle.title(), is_bot=True))
            bot.extra["username"] = f"{handle}_bot"
            bot.extra["token"] = f"{bot.id}:{secrets.token_urlsafe(26)[:35]}"
            bot.extra["mailbox"] = Mailbox()
            bot.extra["privacy"] = False
            bot.extra["drafts"] = {}
            bot.extra["typing"] = []
        return bot

    def person(self, handle: str) -> Member:
        """Somebody of the network, made when absent. Has no private chat with a bot before writing to it."""
        person = self.network.member(handle)
        if person is None:
            person = self.network.join(Member(str(next(self._ids)), handle, handle.title()))
            person.extra.update(username=handle, started=set())
        return person

    def forget(self, before: datetime) -> int:
        for bot in self._bots():
            bot.extra["typing"].clear()
        return super().forget(before)

    def privacy(self, handle: str, *, on: bool = True) -> None:
        """Privacy mode of a bot, as BotFather sets it."""
        self._bot(handle).extra["privacy"] = on

    def bot_of(self, token: str) -> Member:
        """The bot a token belongs to; the server's own answers otherwise."""
        if not _TOKEN.fullmatch(token):
            raise refusal("not_found")
        for member in self.network.members.values():
            if member.is_bot and secrets.compare_digest(member.extra["token"], token):
                return member
        raise refusal("unauthorized")

    def shown(self, member: Member) -> dict[str, Any]:
        return {
            "id": int(member.id),
            "is_bot": member.is_bot,
            "first_name": member.name,
            "username": member.extra["username"],
        }

    def _place(self, kind: str, title: str, username: str = "") -> Chat:
        chat = Chat(-1_001_000_000_000 - next(self._group_ids), kind, title, username)
        self.chats[chat.id] = chat
        return chat

    def migrate(self, chat: Chat) -> Chat:
        """The group gets another id, as when it is upgraded."""
        new = self._place(chat.type, chat.title, chat.username)
        chat.moved_to = new.id
        if chat is self.general:
            self.general = new
        return new

    def private(self, person: Member) -> Chat:
        shown = Chat(int(person.id), "private", username=person.extra["username"], ids=self._private_ids)
        return self.chats.setdefault(shown.id, shown)

    # People speak.

    def say(self, person: str, kind: str, text: str, **options: Any) -> Message:
        """See :meth:`Face.say`; ``thread`` is a topic of "general", ``fields`` are more of a message as the Bot API has
        them. A reply goes where its message is; a post is in a channel no bot reads.

        A reply to a channel post is a comment: it is written in "general", the channel's discussion group.
        """
        author, bot = self.person(person), self._bot(options.get("account", "agent"))
        to = self.network.messages[options["to"]] if options.get("to") else None
        if kind == "reply" and to is None:
            raise ValueError("a reply needs `to`, the id of a message")
        if kind == "mention" and f"@{bot.extra['username']}" not in text:
            text = f"@{bot.extra['username']} {text}"
        chat = self._where(author, kind, to)
        if chat.type == "private":
            author.extra["started"].add(bot.id)
        topic = options.get("thread")
        fields = (in_topic(topic) if topic else {}) | (options.get("fields") or {})
        picture = shown("photo", self.files.picture(), {}) if options.get("image") else None
        message = self.write(author, chat, text, kind=kind, to=to, show=picture, fields=fields)
        message.extra["bot"] = bot.id
        if kind != "post":
            self._tell(message)
        return message

    def _where(self, author: Member, kind: str, to: Message | None) -> Chat:
        if kind == "direct" or (to is not None and to.private):
            return self.private(author)
        if kind == "post":
            known = (chat for chat in self.chats.values() if chat.title == f"{author.handle}'s channel")
            return next(known, None) or self._place("channel", f"{author.handle}'s channel")
        if kind in ("mention", "reply", "group"):
            return self.general
        raise ValueError(f"no such kind of message: {kind}")

    def write(
        self,
        author: Member,
        chat: Chat,
        text: str,
        *,
        kind: str,
        to: Message | None = None,
        entities: list[Any] | None = None,
        show: Shown | None = None,
        fields: dict[str, Any] | None = None,
    ) -> Message:
        """The network holds a new message, with its Bot API form in ``extra["json"]``."""
        text, found = trimmed(text, entities or [])
        number = next(chat.ids)
        now = utc_now()
        json: dict[str, Any] = {"message_id": number, "chat": chat.shown(), "date": int(now.timestamp())}
        if chat.type == "channel":
            json["sender_chat"] = chat.shown()
        else:
            json["from"] = self.shown(author)
        if to is not None:
            json["reply_to_message"] = _inner(to, chat)
        message = Message(
            id=f"{chat.id}/{number}",
            author=author.id,
            text=text,
            at=now,
            kind=kind,
            conversation=str(chat.id),
            private=chat.type == "private",
            in_reply_to=to.id if to else None,
            extra={"json": json, "bot": author.id},
        )
        json |= fields or {}
        if show is not None:
            self.put(message, show)
        self.reword(message, text, found)
        return self.network.add(message)

    @staticmethod
    def put(message: Message, show: Shown) -> None:
        """A message shows this file, and no other."""
        json = message.extra["json"]
        for key in (*HELD, "has_media_spoiler"):
            json.pop(key, None)
        json |= show.fields
        message.media[:] = [show.media]

    @staticmethod
    def reword(message: Message, text: str, entities: list[dict[str, Any]]) -> None:
        """Put a text and its entities into a message's Bot API form: a caption where there is a file."""
        json = message.extra["json"]
        for key in ("text", "entities", "caption", "caption_entities"):
            json.pop(key, None)
        captioned = any(key in json for key in HELD)
        if text and "poll" not in json:
            json["caption" if captioned else "text"] = text
        if entities and "poll" not in json:
            json["caption_entities" if captioned else "entities"] = entities

    def _tell(self, message: Message, kind: str = "message") -> None:
        for reader in self._readers(message):
            if message.private or not reader.extra["privacy"] or _concerns(message, reader):
                reader.extra["mailbox"].put(kind, message.extra["json"])

    def _readers(self, message: Message) -> list[Member]:
        """Whom an update may reach: in private the bot of that chat, elsewhere every bot."""
        return [self.network.members[message.extra["bot"]]] if message.private else self._bots()

    def person_edits(self, message_id: str, text: str) -> None:
        """The author changes a message; bots get ``edited_message``."""
        message = self.network.messages[message_id]
        text, entities = trimmed(text, [])
        self.network.edit(message, text)
        message.extra["json"]["edit_date"] = int(utc_now().timestamp())
        self.reword(message, text, entities)
        self._tell(message, "edited_message")

    def person_deletes(self, message_id: str) -> None:
        """Gone; the Bot API tells no bot."""
        self.network.delete(self.network.messages[message_id])

    def person_reacts(self, person: str, message_id: str, reaction: str) -> None:
        """Bots that asked for ``message_reaction`` get it."""
        author, message = self.person(person), self.network.messages[message_id]
        json = message.extra["json"]
        old = [r["reaction"] for r in message.reactions if r["member"] == author.id]
        self.network.react(message, author, reaction)
        change = {
            "chat": json["chat"],
            "message_id": json["message_id"],
            "user": self.shown(author),
            "date": int(utc_now().timestamp()),
            "old_reaction": [{"type": "emoji", "emoji": emoji} for emoji in old],
            "new_reaction": [{"type": "emoji", "emoji": emoji} for emoji in (*old, reaction)],
        }
        for bot in self._readers(message):
            bot.extra["mailbox"].put("message_reaction", change)

    def person_joins(self, person: str) -> None:
        """Somebody comes into "general": a service message."""
        self._service(self.person(person), "new_chat_members", [self.shown(self.person(person))])

    def person_leaves(self, person: str) -> None:
        """Somebody leaves "general"."""
        self._service(self.person(person), "left_chat_member", self.shown(self.person(person)))

    def _service(self, author: Member, what: str, content: Any) -> None:
        json = {
            "message_id": next(self.general.ids),
            "chat": self.general.shown(),
            "date": int(utc_now().timestamp()),
            "from": self.shown(author),
            what: content,
        }
        for bot in self._bots():
            bot.extra["mailbox"].put("message", json)

    def _bots(self) -> list[Member]:
        return [member for member in self.network.members.values() if member.is_bot]

    # Trouble.

    def body(self, trouble: Trouble, rule: Rule, member: Member | None) -> web.Response:  # noqa: ARG002 - Face's own
        if trouble in (Trouble.FAIL_BEFORE, Trouble.FAIL_AFTER):
            failed = Refusal(500, "Internal Server Error: restart")
            return html_error(rule.status) if rule.status not in (None, 500) else failed.response()
        return self._refused(trouble, rule).response()

    def _refused(self, trouble: Trouble, rule: Rule) -> Refusal:
        if trouble is Trouble.RATE_LIMIT:
            return too_many(rule.retry_after_s)
        if trouble is Trouble.LOCK:
            return refusal("frozen")
        if trouble is Trouble.REFUSE and rule.code == "migrated":
            return refusal("migrated", migrate_to_chat_id=int(rule.extra.get("to", self.general.id - 1)))
        code = rule.code if trouble is Trouble.REFUSE and rule.code in REFUSALS else None
        return refusal(code or ("no_rights" if trouble is Trouble.REFUSE else "unauthorized"))

    def codes(self, rule: Rule) -> Collection[str]:
        if rule.kind is Trouble.REFUSE:
            return REFUSALS
        return ("nameless",) if rule.kind is Trouble.MALFORMED_EVENT else ()

    def cut_streams(self, account: str | None = None) -> None:
        for bot in self._bots():
            if account in (None, bot.handle):
                bot.extra["mailbox"].end("cut")


def in_topic(number: int) -> dict[str, Any]:
    return {"message_thread_id": number, "is_topic_message": True}


def _inner(to: Message, chat: Chat) -> dict[str, Any]:
    """A message as one that answers it shows it: a channel's post shows as its copy in the discussion group."""
    inner = {key: value for key, value in to.extra["json"].items() if key != "reply_to_message"}
    if inner["chat"]["id"] == chat.id:
        return inner
    origin = {"type": "channel", "chat": inner["chat"], "message_id": inner["message_id"], "date": inner["date"]}
    service = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
    copy = {"message_id": next(chat.ids), "chat": chat.shown(), "from": service, "forward_origin": origin}
    return inner | copy | {"is_automatic_forward": True}


def _concerns(message: Message, bot: Member) -> bool:
    """What privacy mode lets through."""
    replied = message.extra["json"].get("reply_to_message", {}).get("from", {})
    spoken = f"@{bot.extra['username']}".casefold() in message.text.casefold()
    return spoken or message.text.startswith("/") or str(replied.get("id")) == bot.id

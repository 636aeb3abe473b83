"""Between the Bot API's JSON and the model: updates in. Pure. entities.py reads and writes their text, and
planning.py makes the calls that say it.

A conversation is ``chat`` or ``chat:topic``; a message is ``conversation/message``. Both hold all that an answer needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from adapters.telegram.entities import PLATFORM, Entity, User, clean, covered, document
from gateway.model.events import Kind, MemberJoined, MessageEdited, MessageReceived, PlatformEvent, Reacted
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef

WANTED = ("message", "edited_message", "message_reaction")
"""The kinds of update we ask for. The Bot API tells no bot of deletions."""

# What comes in. Unknown fields are ignored; a wrong type is a ValidationError.

_Date = Annotated[int, Meta(ge=0, le=253_402_300_799)]


class _Chat(Struct):
    id: int
    type: str = ""
    title: str = ""
    username: str = ""


class _Origin(Struct):
    type: str
    chat: _Chat | None = None
    message_id: int = 0


class _Message(Struct, rename={"sender": "from"}):
    message_id: int
    chat: _Chat
    date: _Date
    sender: User | None = None
    sender_chat: _Chat | None = None
    text: str = ""
    caption: str = ""
    entities: list[Entity] = []
    caption_entities: list[Entity] = []
    message_thread_id: int | None = None
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    forward_origin: _Origin | None = None
    new_chat_members: list[User] = []
    reply_to_message: _Message | None = None
    edit_date: _Date | None = None

    @property
    def words(self) -> str:
        return self.text or self.caption

    @property
    def marks(self) -> list[Entity]:
        return self.entities or self.caption_entities


class _Emoji(Struct):
    type: str
    emoji: str = ""


class _Reaction(Struct):
    chat: _Chat
    message_id: int
    date: _Date
    old_reaction: list[_Emoji]
    new_reaction: list[_Emoji]
    user: User | None = None
    actor_chat: _Chat | None = None


class _Update(Struct):
    update_id: int
    message: _Message | None = None
    edited_message: _Message | None = None
    message_reaction: _Reaction | None = None


class Me(Struct, frozen=True):
    """Who we are there, as far as it takes to know when we are spoken to."""

    account: AccountId
    id: int
    username: str
    announce_to: str | int | None = None

    def owns(self, message: _Message) -> bool:
        """Whether we wrote it, or it is our channel's post (or its copy in the discussion group)."""
        if message.sender is not None and message.sender.id == self.id:
            return True
        origin = message.forward_origin
        chat = origin.chat if message.is_automatic_forward and origin else message.sender_chat
        return chat is not None and str(self.announce_to).casefold() in (str(chat.id), f"@{chat.username}".casefold())


def parse(raw: object, me: Me) -> list[PlatformEvent]:
    """The events of one update. Raises msgspec.ValidationError for what no Bot API server should send."""
    update = msgspec.convert(raw, _Update)
    if update.message is not None:
        return list(_received(update.message, me))
    if update.edited_message is not None:
        return list(_edited(update.edited_message, update.update_id, me))
    if update.message_reaction is not None:
        return list(_reacted(update.message_reaction, update.update_id, me))
    return []


def _received(message: _Message, me: Me) -> Iterator[PlatformEvent]:
    if message.new_chat_members:
        yield from _joined(message, me)
        return
    if not _is_somebodys(message, me) or not (message.words or message.sender):
        return
    answered = message.reply_to_message
    private = message.chat.type == "private"
    kind = _kind(message, me)
    yield MessageReceived(
        account=me.account,
        id=_ref(message),
        ref=_ref(message),
        conversation=_conversation(message),
        kind=kind,
        author=_author(message),
        document=document(message.words, message.marks),
        at=_at(message.date),
        private=private,
        addressed=private or kind in (Kind.MENTION, Kind.REPLY),
        in_reply_to=_ref(answered) if answered else None,
    )


def _is_somebodys(message: _Message, me: Me) -> bool:
    """Neither ours nor the copy of a channel's post that Telegram puts into the discussion group."""
    return not message.is_automatic_forward and (message.sender is None or message.sender.id != me.id)


def _kind(message: _Message, me: Me) -> Kind:
    if message.chat.type == "private":
        return Kind.DIRECT
    if message.reply_to_message is not None and me.owns(message.reply_to_message):
        return Kind.REPLY
    return Kind.MENTION if any(_calls(me, entity, message.words) for entity in message.marks) else Kind.GROUP


def _calls(me: Me, entity: Entity, text: str) -> bool:
    if entity.type == "text_mention":
        return entity.user is not None and entity.user.id == me.id
    if entity.type not in ("mention", "bot_command") or not me.username:
        return False
    return covered(text, entity).casefold().endswith(f"@{me.username}".casefold())


def _edited(message: _Message, update_id: int, me: Me) -> Iterator[PlatformEvent]:
    if _is_somebodys(message, me) and message.words:
        yield MessageEdited(
            account=me.account,
            id=f"edit/{update_id}",
            ref=_ref(message),
            conversation=_conversation(message),
            author=_author(message),
            document=document(message.words, message.marks),
            at=_at(message.edit_date or message.date),
            private=message.chat.type == "private",
        )


def _reacted(change: _Reaction, update_id: int, me: Me) -> Iterator[PlatformEvent]:
    before = {reaction.emoji for reaction in change.old_reaction}
    author = _identity(change.user) if change.user else _place(change.actor_chat or change.chat)
    new = [reaction.emoji for reaction in change.new_reaction if reaction.emoji and reaction.emoji not in before]
    for number, emoji in enumerate(new if author.id != str(me.id) else []):
        yield Reacted(
            account=me.account,
            id=f"reaction/{update_id}/{number}",
            ref=MessageRef(f"{change.chat.id}/{change.message_id}"),
            conversation=ConversationId(str(change.chat.id)),
            author=author,
            reaction=emoji,
            at=_at(change.date),
        )


def _joined(message: _Message, me: Me) -> Iterator[PlatformEvent]:
    for user in message.new_chat_members:
        if user.id != me.id:
            yield MemberJoined(
                account=me.account,
                id=f"{_ref(message)}/{user.id}",
                conversation=_conversation(message),
                member=_identity(user),
                at=_at(message.date),
            )


def _conversation(message: _Message) -> ConversationId:
    topic = message.message_thread_id if message.is_topic_message else None
    return ConversationId(f"{message.chat.id}:{topic}" if topic else str(message.chat.id))


def _ref(message: _Message) -> MessageRef:
    """A copy of a channel's post goes by the post's own name."""
    origin = message.forward_origin
    if message.is_automatic_forward and origin and origin.chat:
        return MessageRef(f"{origin.chat.id}/{origin.message_id}")
    return MessageRef(f"{_conversation(message)}/{message.message_id}")


def _author(message: _Message) -> Identity:
    """Who wrote it: a group or channel that speaks as itself stands in for its unnamed human."""
    if message.sender_chat is not None or message.sender is None:
        return _place(message.sender_chat or message.chat)
    return _identity(message.sender)


def _identity(user: User) -> Identity:
    return Identity(PLATFORM, str(user.id), user.username, clean(f"{user.first_name} {user.last_name}".strip()))


def _place(chat: _Chat) -> Identity:
    return Identity(PLATFORM, str(chat.id), chat.username, clean(chat.title))


def _at(unix_s: int) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)

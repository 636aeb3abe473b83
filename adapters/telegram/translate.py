"""Between the Bot API's JSON and the model: updates in. Pure. entities.py reads and writes their text, and
planning.py makes the calls that say it.

A conversation is ``chat`` or ``chat:topic``; a message is ``conversation/message``. Both hold all that an answer needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from adapters.telegram.attachments import Holder, PollShown
from adapters.telegram.entities import PLATFORM, Entity, User, clean, covered, document
from gateway.model.content import Document, Quote, plain
from gateway.model.events import (
    RAW_MAX,
    Kind,
    MemberJoined,
    MemberLeft,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    Reacted,
)
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef

WANTED = ("message", "edited_message", "channel_post", "edited_channel_post", "message_reaction")
"""The kinds of update we ask for. The Bot API tells no bot of deletions."""

# What comes in. Unknown fields are ignored; a wrong type is a ValidationError.

_Date = Annotated[int, Meta(ge=0, le=253_402_300_799)]


class _Chat(Struct):
    id: int
    type: str = ""
    title: str = ""
    username: str = ""


class _Origin(Struct):
    """Where something was written first; which of these is there depends on who wrote it."""

    type: str
    chat: _Chat | None = None
    sender_chat: _Chat | None = None
    sender_user: User | None = None
    sender_user_name: str = ""
    message_id: int = 0


class _Excerpt(Struct):
    text: str = ""


class _External(Struct):
    """A message of another chat that is answered."""

    origin: _Origin
    chat: _Chat | None = None
    message_id: int = 0


class _Message(Holder, kw_only=True, rename={"sender": "from"}):
    message_id: int
    chat: _Chat
    date: _Date
    sender: User | None = None
    sender_chat: _Chat | None = None
    text: str = ""
    caption: str = ""
    entities: list[Entity] = msgspec.field(default_factory=list)
    caption_entities: list[Entity] = msgspec.field(default_factory=list)
    message_thread_id: int | None = None
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    forward_origin: _Origin | None = None
    new_chat_members: list[User] = msgspec.field(default_factory=list)
    left_chat_member: User | None = None
    media_group_id: str = ""
    poll: PollShown | None = None
    quote: _Excerpt | None = None
    external_reply: _External | None = None
    reply_to_message: _Message | None = None
    edit_date: _Date | None = None

    @property
    def words(self) -> str:
        return self.text or self.caption or (self.poll.question if self.poll else "")

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
    channel_post: _Message | None = None
    edited_channel_post: _Message | None = None
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
    if (said := update.message or update.channel_post) is not None:
        return list(_received(said, me, _kept(raw)))
    if (edited := update.edited_message or update.edited_channel_post) is not None:
        return list(_edited(edited, update.update_id, me, _kept(raw)))
    if update.message_reaction is not None:
        return list(_reacted(update.message_reaction, update.update_id, me))
    return []


def _kept(raw: object) -> str:
    """The payload for the operator, unless it is long."""
    try:
        kept = json.dumps(raw, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        return ""
    return kept if len(kept) <= RAW_MAX else ""


def _received(message: _Message, me: Me, raw: str) -> Iterator[PlatformEvent]:
    if message.new_chat_members or message.left_chat_member:
        yield from _members(message, me)
        return
    if not _is_somebodys(message, me) or not (message.words or message.attached or message.sender):
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
        document=_document(message, me),
        at=_at(message.date),
        private=private,
        addressed=private or kind in (Kind.MENTION, Kind.REPLY),
        in_reply_to=_ref(answered) if answered else None,
        thread_root=_root(message),
        attachments=message.attached,
        url=_url(message.chat, message.message_id),
        raw=raw,
    )


def _document(message: _Message, me: Me) -> Document:
    said = document(message.words, message.marks, _known(message, me))
    poll = message.poll.meant(message.date) if message.poll else None
    return structs.replace(said, poll=poll, quote=_quote(message, said), sensitive=message.has_media_spoiler)


def _known(message: _Message, me: Me) -> dict[str, int]:
    """Ids of those whom a payload names by their handle: the Bot API tells no other."""
    answered = message.reply_to_message
    users = (message.sender, answered.sender if answered else None)
    found = {user.username.casefold(): user.id for user in users if user is not None and user.username}
    return found | ({me.username.casefold(): me.id} if me.username else {})


def _quote(message: _Message, said: Document) -> Quote | None:
    """What somebody else wrote: forwarded, answered from another chat, or picked out of what is answered."""
    if (origin := message.forward_origin) is not None:
        place = origin.chat if origin.type == "channel" else None
        return _quoted(place, origin.message_id, _origin(origin), plain(said))
    excerpt = clean(message.quote.text) if message.quote else ""
    if (external := message.external_reply) is not None:
        return _quoted(external.chat, external.message_id, _origin(external.origin), excerpt)
    answered = message.reply_to_message
    if answered is not None and message.quote is not None:
        return Quote(PLATFORM, _ref(answered), _url(answered.chat, answered.message_id), _author(answered), excerpt)
    return None


def _quoted(chat: _Chat | None, number: int, author: Identity, text: str) -> Quote:
    if chat is None or not number:
        return Quote(PLATFORM, author=author, text=text)
    return Quote(PLATFORM, MessageRef(f"{chat.id}/{number}"), _url(chat, number), author, text)


def _origin(origin: _Origin) -> Identity:
    """Who wrote it; one who doesn't want to be found has a name and no id."""
    if origin.sender_user is not None:
        return _identity(origin.sender_user)
    place = origin.chat or origin.sender_chat
    return _place(place) if place is not None else Identity(PLATFORM, "", "", clean(origin.sender_user_name))


def _root(message: _Message) -> MessageRef | None:
    """A topic began with the message that has its number; a thread of answers has no topic."""
    number, answered = message.message_thread_id, message.reply_to_message
    if number is None or number == message.message_id:
        return None
    if answered is not None and answered.message_id == number:
        return _ref(answered)
    return MessageRef(f"{_conversation(message)}/{number}")


def _url(chat: _Chat, number: int) -> str:
    """Where anybody can read it: in a channel or group with a name."""
    named = chat.type in ("channel", "supergroup") and chat.username.isascii() and chat.username.isidentifier()
    return f"https://t.me/{chat.username}/{number}" if named else ""


def _is_somebodys(message: _Message, me: Me) -> bool:
    """Neither ours, or our channel's, nor the copy of a channel's post that Telegram puts into the discussion group."""
    if message.is_automatic_forward or (message.chat.type == "channel" and me.owns(message)):
        return False
    return message.sender is None or message.sender.id != me.id


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


def _edited(message: _Message, update_id: int, me: Me, raw: str) -> Iterator[PlatformEvent]:
    if _is_somebodys(message, me) and (message.words or message.attached):
        yield MessageEdited(
            account=me.account,
            id=f"edit/{update_id}",
            ref=_ref(message),
            conversation=_conversation(message),
            author=_author(message),
            document=_document(message, me),
            at=_at(message.edit_date or message.date),
            private=message.chat.type == "private",
            attachments=message.attached,
            raw=raw,
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


def _members(message: _Message, me: Me) -> Iterator[PlatformEvent]:
    """Who came and who went. Bots in large groups aren't told of all."""
    gone = [message.left_chat_member] if message.left_chat_member else []
    for what, users in ((MemberJoined, message.new_chat_members), (MemberLeft, gone)):
        for user in users:
            if user.id != me.id:
                yield what(
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

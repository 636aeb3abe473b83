"""Discord's words and ours: raw events to :mod:`gateway.model.events`, documents to message payloads. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, ValidationError, convert, field, json

from adapters.discord import enclosed
from adapters.discord.enclosed import Snowflake, Words
from adapters.discord.markup import ID, PLATFORM, Person
from adapters.discord.markup import document as read
from adapters.discord.memory import Place
from gateway.model.content import Document
from gateway.model.delivery import FaultKind, refused
from gateway.model.events import (
    RAW_MAX,
    Kind,
    MemberJoined,
    MemberLeft,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    Reacted,
)
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef

REPLY = 19
SPOKEN = frozenset({0, REPLY})
"""Message types that people write: plain messages and replies; the rest is the server's own news."""
DIRECT_TYPES = frozenset({1, 3})
PUBLIC_THREADS = frozenset({10, 11})
FORUMS = frozenset({15, 16})
"""Channel types: resources/channel."""


class RawUser(Struct):
    id: Snowflake
    username: str = ""
    global_name: str | None = None
    bot: bool = False


class RawReferenced(Struct):
    author: RawUser
    channel_id: Snowflake = ""
    type: int = 0
    message_reference: enclosed.Reference | None = None


class RawMessage(enclosed.Enclosed, kw_only=True):
    """A message object, from the gateway or from history."""

    id: Snowflake
    channel_id: Snowflake
    author: RawUser
    timestamp: datetime
    content: Words = ""
    edited_timestamp: datetime | None = None
    guild_id: Snowflake | None = None
    mentions: list[RawUser] = field(default_factory=list)
    type: int = 0
    message_reference: enclosed.Reference | None = None
    referenced_message: RawReferenced | None = None
    webhook_id: str | None = None
    nonce: str | int | None = None

    @property
    def ref(self) -> MessageRef:
        return reference(self.channel_id, self.id)


class RawInThread(Struct):
    """What messages in threads, and only those, have (resources/message: ``position``)."""

    channel_id: Snowflake
    position: int


class RawDeleted(Struct):
    id: Snowflake
    channel_id: Snowflake


class RawBulkDeleted(Struct):
    ids: list[Snowflake]
    channel_id: Snowflake


class RawEmoji(Struct):
    id: Snowflake | None = None
    name: str | None = None

    @property
    def named(self) -> str:
        """As requests name one of a server's own."""
        return f"{self.name}:{self.id}"


class RawMember(Struct):
    user: RawUser | None = None


class RawReaction(Struct):
    user_id: Snowflake
    channel_id: Snowflake
    message_id: Snowflake
    emoji: RawEmoji
    guild_id: Snowflake | None = None
    member: RawMember | None = None


class RawLeave(Struct):
    guild_id: Snowflake
    user: RawUser


class RawJoin(Struct):
    guild_id: Snowflake
    user: RawUser
    joined_at: datetime | None = None


class RawChannel(Struct):
    id: Snowflake
    type: int = 0
    last_message_id: Snowflake | None = None
    guild_id: Snowflake | None = None
    parent_id: Snowflake | None = None

    @property
    def is_public_thread(self) -> bool:
        return self.type in PUBLIC_THREADS


class RawEntered(Struct):
    id: Snowflake


class RawReady(Struct):
    session_id: str
    resume_gateway_url: str
    guilds: list[RawEntered] = []


class RawGuild(Struct):
    id: Snowflake
    system_channel_id: Snowflake | None = None
    channels: list[RawChannel] = []
    threads: list[RawChannel] = []


def reference(channel: str | int, message: str | int) -> MessageRef:
    """Names a message so that it can be answered, edited and deleted."""
    return MessageRef(f"{channel}/{message}")


def located(ref: MessageRef) -> tuple[int, int]:
    """Channel and message of a reference; TARGET_GONE when it is none of ours."""
    channel, _, message = ref.partition("/")
    if not (ID.fullmatch(channel) and ID.fullmatch(message)):
        raise refused(FaultKind.TARGET_GONE, f"{ref!r} is no message of this platform")
    return int(channel), int(message)


# Raw to events.


def place(channel: RawChannel, guild: str | None, above: int | None) -> Place:
    """Where a channel is; ``above`` is the type of the one that a thread belongs to."""
    return Place(channel.type in DIRECT_TYPES, guild, _began(channel, above))


def _began(thread: RawChannel, above: int | None) -> MessageRef | None:
    """topics/threads: a public thread has the id of the message that it was started from, a forum's of its first one.
    A private one is started from none.
    """
    if not thread.is_public_thread or not thread.parent_id:
        return None
    return reference(thread.id if above in FORUMS else thread.parent_id, thread.id)


def thread(raw: Any) -> str | None:
    """The thread that a message is in; ``None`` where it is in none, or can't be read."""
    try:
        return convert(raw, RawInThread).channel_id
    except ValidationError:
        return None


def answered(message: RawMessage | RawReferenced) -> MessageRef | None:
    """The message that this one replies to."""
    to = message.message_reference if message.type == REPLY else None
    if to is None or not to.message_id:
        return None
    return reference(to.channel_id or message.channel_id, to.message_id)


def identity(user: RawUser) -> Identity:
    return Identity(PLATFORM, user.id, user.username, user.global_name or user.username)


def document(message: RawMessage) -> Document:
    """The text with links and mentions, then the names of stickers; and the poll, and what was forwarded."""
    people = {user.id: Person(user.username, user.global_name or "") for user in message.mentions}
    said = read(message.content, people).paragraphs or enclosed.words(enclosed.instead(message))
    return Document(
        (*said, *enclosed.beside(message)),
        poll=enclosed.poll(message, message.timestamp),
        quote=enclosed.forwarded(message, message.message_reference),
    )


def kept(raw: Any) -> str:
    """A payload as it is kept for the operator; nothing of one that is too long."""
    text = json.encode(raw).decode()
    return text if len(text) <= RAW_MAX else ""


def received(
    message: RawMessage, account: AccountId, me: str, place: Place, *, root: MessageRef | None = None, raw: str = ""
) -> MessageReceived | None:
    """A person's message; ``root`` is what its chain of replies began with. Bots and webhooks are left out: two bots
    that answer each other never stop.
    """
    if message.author.bot or message.webhook_id or message.author.id == me or message.type not in SPOKEN:
        return None
    kind = _kind(message, me, private=place.private)
    return MessageReceived(
        account=account,
        id=message.id,
        ref=message.ref,
        conversation=ConversationId(message.channel_id),
        kind=kind,
        author=identity(message.author),
        document=document(message),
        at=_utc(message.timestamp),
        private=place.private,
        addressed=kind is not Kind.GROUP,
        in_reply_to=answered(message),
        thread_root=place.root if place.root not in (None, message.ref) else root,
        attachments=enclosed.attachments(message, message.ref),
        url=enclosed.address(place.guild, message.channel_id, message.id),
        raw=raw,
    )


def _kind(message: RawMessage, me: str, *, private: bool) -> Kind:
    if private:
        return Kind.DIRECT
    if message.type == REPLY and message.referenced_message and message.referenced_message.author.id == me:
        return Kind.REPLY
    return Kind.MENTION if any(user.id == me for user in message.mentions) else Kind.GROUP


def edited(message: RawMessage, account: AccountId, me: str, place: Place, *, raw: str = "") -> MessageEdited | None:
    """New words of a person. Updates without an edit time only add a preview."""
    if message.edited_timestamp is None or received(message, account, me, place) is None:
        return None
    return MessageEdited(
        account=account,
        id=f"{message.id}:{message.edited_timestamp.timestamp()}",
        ref=message.ref,
        conversation=ConversationId(message.channel_id),
        author=identity(message.author),
        document=document(message),
        at=_utc(message.edited_timestamp),
        private=place.private,
        attachments=enclosed.attachments(message, message.ref),
        raw=raw,
    )


def deleted(raw: RawDeleted, account: AccountId, at: datetime) -> MessageDeleted:
    ref = reference(raw.channel_id, raw.id)
    return MessageDeleted(account, f"{raw.id}:deleted", ref, ConversationId(raw.channel_id), at)


def reacted(raw: RawReaction, account: AccountId, me: str, at: datetime) -> Reacted | None:
    """Somebody's reaction; a custom emoji is ``:name:``. One that is gone from its server has no name any more."""
    if raw.user_id == me or not raw.emoji.name:
        return None
    emoji = f":{raw.emoji.name}:" if raw.emoji.id else raw.emoji.name
    user = raw.member.user if raw.member and raw.member.user else RawUser(raw.user_id)
    ref = reference(raw.channel_id, raw.message_id)
    event_id = f"{raw.message_id}:{raw.user_id}:{raw.emoji.id or emoji}"
    return Reacted(account, event_id, ref, ConversationId(raw.channel_id), identity(user), emoji, at)


def member_joined(raw: RawJoin, account: AccountId, lobby: str, at: datetime) -> MemberJoined:
    """A newcomer; ``lobby`` is the channel where the server greets."""
    joined_at = _utc(raw.joined_at) if raw.joined_at else at
    event_id = f"{raw.guild_id}:{raw.user.id}:{joined_at.timestamp()}"
    return MemberJoined(account, event_id, ConversationId(lobby), identity(raw.user), joined_at)


def member_left(raw: RawLeave, account: AccountId, lobby: str, at: datetime) -> MemberLeft:
    event_id = f"{raw.guild_id}:{raw.user.id}:left:{at.timestamp()}"
    return MemberLeft(account, event_id, ConversationId(lobby), identity(raw.user), at)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

"""Discord's words and ours: raw events to :mod:`gateway.model.events`, documents to message payloads. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, structs

from adapters.discord.markup import ID, PLATFORM, Person, render, spell
from adapters.discord.markup import document as read
from adapters.discord.profile import (
    ALT_MAX,
    FILE_SIZE_MAX_BYTES,
    FILES_MAX,
    MENTIONS_MAX,
    PROFILE,
    TEXT_MAX,
    Settings,
)
from gateway.model.content import (
    Block,
    Document,
    Link,
    Media,
    Mention,
    Paragraph,
    spans,
)
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, InConversation, Part, Timeline, ToPerson
from gateway.model.events import Kind, MemberJoined, MessageDeleted, MessageEdited, MessageReceived, Reacted
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef
from gateway.text.split import split

SPOKEN = frozenset({0, 19})
"""Message types that people write: plain messages and replies; the rest is the server's own news."""


Snowflake = Annotated[str, Meta(pattern=r"\A\d{1,20}\Z")]
Words = Annotated[str, Meta(max_length=10_000)]


class RawUser(Struct):
    id: Snowflake
    username: str = ""
    global_name: str | None = None
    bot: bool = False


class RawAttachment(Struct):
    url: str
    filename: str = ""
    description: str | None = None


class RawReference(Struct):
    message_id: Snowflake | None = None
    channel_id: Snowflake | None = None


class RawReferenced(Struct):
    author: RawUser


class RawMessage(Struct):
    """A message object, from the gateway or from history."""

    id: Snowflake
    channel_id: Snowflake
    author: RawUser
    timestamp: datetime
    content: Words = ""
    edited_timestamp: datetime | None = None
    guild_id: Snowflake | None = None
    mentions: list[RawUser] = []
    attachments: list[RawAttachment] = []
    type: int = 0
    message_reference: RawReference | None = None
    referenced_message: RawReferenced | None = None
    webhook_id: str | None = None
    nonce: str | int | None = None


class RawDeleted(Struct):
    id: Snowflake
    channel_id: Snowflake


class RawBulkDeleted(Struct):
    ids: list[Snowflake]
    channel_id: Snowflake


class RawEmoji(Struct):
    id: Snowflake | None = None
    name: str | None = None


class RawMember(Struct):
    user: RawUser | None = None


class RawReaction(Struct):
    user_id: Snowflake
    channel_id: Snowflake
    message_id: Snowflake
    emoji: RawEmoji
    member: RawMember | None = None


class RawJoin(Struct):
    guild_id: Snowflake
    user: RawUser
    joined_at: datetime | None = None


class RawChannel(Struct):
    id: Snowflake
    type: int = 0
    last_message_id: Snowflake | None = None


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


def refused(kind: FaultKind, why: str) -> FaultError:
    return FaultError(Fault(kind, True, why))


# Raw to events.


def identity(user: RawUser) -> Identity:
    return Identity(PLATFORM, user.id, user.username, user.global_name or user.username)


def document(message: RawMessage) -> Document:
    """The text with links and mentions; attachments follow as links."""
    people = {user.id: Person(user.username, user.global_name or "") for user in message.mentions}
    files = ((Link(item.url, item.description or item.filename or None),) for item in message.attachments[:10])
    return Document((*read(message.content, people).paragraphs, *files))


def received(message: RawMessage, account: AccountId, me: str, *, private: bool) -> MessageReceived | None:
    """A person's message. Bots and webhooks are left out: two bots that answer each other never stop."""
    if message.author.bot or message.webhook_id or message.author.id == me or message.type not in SPOKEN:
        return None
    kind = _kind(message, me, private=private)
    answered = message.message_reference if message.type == 19 else None
    return MessageReceived(
        account=account,
        id=message.id,
        ref=reference(message.channel_id, message.id),
        conversation=ConversationId(message.channel_id),
        kind=kind,
        author=identity(message.author),
        document=document(message),
        at=_utc(message.timestamp),
        private=private,
        addressed=kind is not Kind.GROUP,
        in_reply_to=reference(answered.channel_id or message.channel_id, answered.message_id)
        if answered and answered.message_id
        else None,
    )


def _kind(message: RawMessage, me: str, *, private: bool) -> Kind:
    if private:
        return Kind.DIRECT
    if message.type == 19 and message.referenced_message and message.referenced_message.author.id == me:
        return Kind.REPLY
    return Kind.MENTION if any(user.id == me for user in message.mentions) else Kind.GROUP


def edited(message: RawMessage, account: AccountId, me: str, *, private: bool) -> MessageEdited | None:
    """New words of a person. Updates without an edit time only add a preview."""
    if message.edited_timestamp is None or received(message, account, me, private=private) is None:
        return None
    return MessageEdited(
        account=account,
        id=f"{message.id}:{message.edited_timestamp.timestamp()}",
        ref=reference(message.channel_id, message.id),
        conversation=ConversationId(message.channel_id),
        author=identity(message.author),
        document=document(message),
        at=_utc(message.edited_timestamp),
        private=private,
    )


def deleted(raw: RawDeleted, account: AccountId, at: datetime) -> MessageDeleted:
    ref = reference(raw.channel_id, raw.id)
    return MessageDeleted(account, f"{raw.id}:deleted", ref, ConversationId(raw.channel_id), at)


def reacted(raw: RawReaction, account: AccountId, me: str, at: datetime) -> Reacted | None:
    """Somebody's reaction; a custom emoji is ``name:id``, as reacting with it wants."""
    emoji = f"{raw.emoji.name}:{raw.emoji.id}" if raw.emoji.id else raw.emoji.name
    if raw.user_id == me or not emoji:
        return None
    user = raw.member.user if raw.member and raw.member.user else RawUser(raw.user_id)
    ref = reference(raw.channel_id, raw.message_id)
    event_id = f"{raw.message_id}:{raw.user_id}:{emoji}"
    return Reacted(account, event_id, ref, ConversationId(raw.channel_id), identity(user), emoji, at)


def member_joined(raw: RawJoin, account: AccountId, lobby: str, at: datetime) -> MemberJoined:
    """A newcomer; ``lobby`` is the channel where the server greets."""
    joined_at = _utc(raw.joined_at) if raw.joined_at else at
    event_id = f"{raw.guild_id}:{raw.user.id}:{joined_at.timestamp()}"
    return MemberJoined(account, event_id, ConversationId(lobby), identity(raw.user), joined_at)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


# Documents to payloads.


def words(document: Document) -> dict[str, Any]:
    """Text and whom it may ping: nobody but the people it names."""
    named = dict.fromkeys(
        span.id for span in spans(document) if isinstance(span, Mention) and spell(span) == f"<@{span.id}>"
    )
    allowed = {"parse": [], "users": list(named)[:MENTIONS_MAX], "replied_user": False}
    return {"content": render(document), "allowed_mentions": allowed}


def plan(draft: Draft, settings: Settings) -> tuple[Part, ...]:
    """The draft's messages. Each continues the one before it; pictures go with the first."""
    if draft.document.is_empty:
        raise refused(FaultKind.INVALID, "there is nothing to say")
    _check_media(draft.document.media)
    place, kind, conversation = _place(draft, settings)
    called = _called(draft)
    slices = _slices(called + draft.document.paragraphs, draft.document)
    parts = []
    for index, piece in enumerate(slices):
        key = f"{draft.id}.{index}"
        payload = words(piece) | {"nonce": key, "enforce_nonce": True}
        if index == 0 and draft.in_reply_to is not None and "channel" in place:
            payload |= _answering(draft.in_reply_to, place["channel"])
        body: dict[str, Any] = place | {"payload": payload}
        if piece.media:
            body["media"] = [{"sha256": media.sha256, "mime": media.mime} for media in piece.media]
            payload["attachments"] = [{"id": i, "description": _alt(media)} for i, media in enumerate(piece.media)]
        rest = _own_words(piece, called) if len(slices) > 1 else None
        parts.append(Part(index, kind, key, body, conversation, rest))
    return tuple(parts)


def _check_media(media: tuple[Media, ...]) -> None:
    if len(media) > FILES_MAX:
        raise refused(FaultKind.MEDIA, f"{len(media)} pictures; a message takes {FILES_MAX}")
    for item in media:
        if item.size_bytes > FILE_SIZE_MAX_BYTES:
            raise refused(FaultKind.MEDIA, f"a picture of {item.size_bytes} bytes; {FILE_SIZE_MAX_BYTES} are taken")
        if item.mime not in PROFILE.limits.image_mimes:
            raise refused(FaultKind.MEDIA, f"{item.mime} is not a picture that this platform shows")


def _alt(media: Media) -> str:
    return media.alt if len(media.alt) <= ALT_MAX else media.alt[: ALT_MAX - 1] + "…"


def _place(draft: Draft, settings: Settings) -> tuple[dict[str, Any], str, str]:
    """Where the parts go: body keys, part kind, conversation of the rate lane."""
    match draft.target:
        case InConversation(conversation, private):
            if not ID.fullmatch(conversation):
                raise refused(FaultKind.TARGET_REFUSED, f"{conversation!r} is no channel of this platform")
            kind = "direct" if private else "reply" if draft.in_reply_to else "post"
            return {"channel": conversation}, kind, conversation
        case ToPerson(person, private):
            if person.platform != PLATFORM or not ID.fullmatch(person.id):
                raise refused(FaultKind.TARGET_REFUSED, f"{person} has no account on this platform")
            if private:
                return {"recipient": person.id}, "direct", f"@{person.id}"
        case Timeline():
            pass
    if settings.announce_to is None:
        cure = 'public posts need a channel: set announce_to = "<channel id>" for this account'
        raise refused(FaultKind.CONFIG, cure)
    return {"channel": settings.announce_to}, "post", settings.announce_to


def _called(draft: Draft) -> tuple[Paragraph, ...]:
    """A post to a person begins with their name."""
    if isinstance(draft.target, ToPerson) and not draft.target.private:
        person = draft.target.identity
        return ((Mention(PLATFORM, person.id, person.handle, person.name),),)
    return ()


def _slices(paragraphs: tuple[Paragraph | Block, ...], document: Document) -> tuple[Document, ...]:
    whole = structs.replace(document, paragraphs=paragraphs)
    try:
        return split(whole, lambda piece: len(render(piece)) <= TEXT_MAX)
    except ValueError as error:
        raise refused(FaultKind.TOO_LONG, f"one piece alone is over {TEXT_MAX} characters") from error


def _own_words(piece: Document, called: tuple[Paragraph, ...]) -> Document:
    """The slice of the draft, without the name that was put in front."""
    if called and piece.paragraphs[: len(called)] == called:
        return structs.replace(piece, paragraphs=piece.paragraphs[len(called) :])
    return piece


def _answering(ref: MessageRef, channel: str) -> dict[str, Any]:
    """A reply's reference. Discord knows none across channels: there the text stands alone."""
    answered_channel, message = located(ref)
    return {"message_reference": {"message_id": str(message)}} if str(answered_channel) == channel else {}


def following(previous: MessageRef) -> dict[str, Any]:
    """What ties a continuation to the message before it, should that still be there."""
    _, message = located(previous)
    return {"message_reference": {"message_id": str(message), "fail_if_not_exists": False}}

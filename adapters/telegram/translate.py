"""Between the Bot API's JSON and the model: updates in, words out. Pure; planning.py makes method calls of the words.

A conversation is ``chat`` or ``chat:topic``; a message is ``conversation/message``. Both hold all that an answer needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from adapters.telegram.profile import ENTITIES_MAX
from gateway.model.content import Document, Link, Mention, Span, Text, layout, spans, spelled
from gateway.model.events import Kind, MemberJoined, MessageEdited, MessageReceived, PlatformEvent, Reacted
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef

PLATFORM = "telegram"
WANTED = ("message", "edited_message", "message_reaction")
"""The kinds of update we ask for. The Bot API tells no bot of deletions."""

# What comes in. Unknown fields are ignored; a wrong type is a ValidationError.

_Date = Annotated[int, Meta(ge=0, le=253_402_300_799)]


class _User(Struct):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""


class _Chat(Struct):
    id: int
    type: str = ""
    title: str = ""
    username: str = ""


class _Entity(Struct):
    type: str
    offset: Annotated[int, Meta(ge=0)]
    length: Annotated[int, Meta(ge=0)]
    url: str = ""
    user: _User | None = None


class _Origin(Struct):
    type: str
    chat: _Chat | None = None
    message_id: int = 0


class _Message(Struct, rename={"sender": "from"}):
    message_id: int
    chat: _Chat
    date: _Date
    sender: _User | None = None
    sender_chat: _Chat | None = None
    text: str = ""
    caption: str = ""
    entities: list[_Entity] = []
    caption_entities: list[_Entity] = []
    message_thread_id: int | None = None
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    forward_origin: _Origin | None = None
    new_chat_members: list[_User] = []
    reply_to_message: _Message | None = None
    edit_date: _Date | None = None

    @property
    def words(self) -> str:
        return self.text or self.caption

    @property
    def marks(self) -> list[_Entity]:
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
    user: _User | None = None
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


def _calls(me: Me, entity: _Entity, text: str) -> bool:
    if entity.type == "text_mention":
        return entity.user is not None and entity.user.id == me.id
    if entity.type not in ("mention", "bot_command") or not me.username:
        return False
    return _cut(text, entity).casefold().endswith(f"@{me.username}".casefold())


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


def _identity(user: _User) -> Identity:
    return Identity(PLATFORM, str(user.id), user.username, _clean(f"{user.first_name} {user.last_name}".strip()))


def _place(chat: _Chat) -> Identity:
    return Identity(PLATFORM, str(chat.id), chat.username, _clean(chat.title))


def _at(unix_s: int) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


# Text with entities, whose offsets count UTF-16 code units.

_LONE = re.compile("[\ud800-\udfff]")
_BLANK = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which nothing after us could store."""
    return _LONE.sub("\ufffd", text)


def _cut(text: str, entity: _Entity) -> str:
    raw = text.encode("utf-16-le", "surrogatepass")[2 * entity.offset : 2 * (entity.offset + entity.length)]
    return raw.decode("utf-16-le", "replace")


def document(text: str, marks: Iterable[_Entity]) -> Document:
    """A message's words. Links and mentions keep their meaning, other formatting is dropped."""
    paragraphs: list[list[Span]] = [[]]
    for span in _spans(_clean(text), marks):
        if not isinstance(span, Text):
            paragraphs[-1].append(span)
            continue
        first, *others = _BLANK.split(span.text)
        paragraphs[-1] += [Text(first)] if first else []
        paragraphs += [[Text(other)] if other else [] for other in others]
    return Document(tuple(tuple(paragraph) for paragraph in paragraphs if paragraph))


def _spans(text: str, marks: Iterable[_Entity]) -> Iterator[Span]:
    raw = text.encode("utf-16-le")
    done = 0
    for mark in sorted(marks, key=lambda mark: mark.offset):
        start, end = 2 * mark.offset, 2 * (mark.offset + mark.length)
        span = _span(mark, raw[start:end].decode("utf-16-le", "replace"))
        if span is None or start < done or end > len(raw):
            continue
        if start > done:
            yield Text(raw[done:start].decode("utf-16-le", "replace"))
        yield span
        done = end
    if done < len(raw):
        yield Text(raw[done:].decode("utf-16-le", "replace"))


def _span(mark: _Entity, covered: str) -> Span | None:
    match mark.type:
        case "url":
            return Link(covered) if "://" in covered else Link(f"http://{covered}", covered)
        case "text_link" if mark.url:
            return Link(_clean(mark.url), " ".join(covered.split()))
        case "mention":
            return Mention(PLATFORM, "", covered.removeprefix("@"))
        case "text_mention" if mark.user is not None:
            return Mention(PLATFORM, str(mark.user.id), mark.user.username, covered)
        case _:
            return None


class Words(NamedTuple):
    """A text as the Bot API takes it."""

    text: str
    entities: list[dict[str, Any]]


def render(content: Document) -> Words:
    """The paragraphs a blank line apart, with entities for what plain text can't say."""
    spell = _speller(content)
    entities: list[dict[str, Any]] = []
    pieces: list[str] = []
    at = 0
    for piece in layout(content):
        words = spell(piece.span) if piece.span else piece.text
        length = _units(words)
        mark = _mark(piece.span, words)
        if mark and length:
            entities.append(mark | {"offset": at, "length": length})
        pieces.append(words)
        at += length
    return Words("".join(pieces), entities)


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _mark(span: Span | None, written: str) -> dict[str, Any] | None:
    if isinstance(span, Link) and written != span.url and written == _shown(span):
        return {"type": "text_link", "url": span.url}
    if isinstance(span, Mention) and _pings_by_id(span):
        return {"type": "text_mention", "user": {"id": int(span.id), "is_bot": False, "first_name": written}}
    return None


def _speller(content: Document) -> Any:
    """How spans of this document are written: addresses behind their texts while a message has room for that."""
    hidden = sum(isinstance(span, Link) and _hides(span) for span in spans(content))
    return _visible if hidden <= ENTITIES_MAX else _open


def _visible(span: Span) -> str:
    return _shown(span) if isinstance(span, Link) and _hides(span) else _open(span)


def _open(span: Span) -> str:
    if isinstance(span, Mention):
        return _clean(_called(span))
    return _clean(spelled(span))


def _hides(link: Link) -> bool:
    return bool(
        link.text and link.text.strip() and link.text != link.url and link.url.startswith(("http://", "https://"))
    )


def _shown(link: Link) -> str:
    return _clean(link.text or link.url)


def _pings_by_id(mention: Mention) -> bool:
    return mention.platform == PLATFORM and not mention.handle and mention.id.isdecimal()


def _called(mention: Mention) -> str:
    """``@handle`` calls somebody here, so only people of this platform are written so."""
    if mention.platform == PLATFORM and mention.handle:
        return f"@{mention.handle}"
    return re.sub(r"@(?=\w)", "", mention.name or mention.handle) or "somebody"

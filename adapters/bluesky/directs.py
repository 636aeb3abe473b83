"""What the chat service's log tells, as events, without any I/O. All of it is somebody else's data.

A file of its own because events.py would be too long with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, convert

from adapters.bluesky.events import Author, Here, Name, Record, View, Views, Words, calls, document_of, kept
from adapters.bluesky.profile import NAME
from adapters.bluesky.translate import DirectMessage, aware, direct_conversation
from gateway.model.events import Kind, MemberJoined, MemberLeft, MessageReceived, PlatformEvent, Reacted
from gateway.model.identity import Identity

_DEFS = "chat.bsky.convo.defs"
_GONE = f"{_DEFS}#deletedMessageView"
_PROFILES_READ = 50
_MOVES = {"logAddMember": MemberJoined, "logMemberJoin": MemberJoined} | dict.fromkeys(
    ("logMemberLeave", "logRemoveMember"), MemberLeft
)
TOLD = frozenset({"logCreateMessage", "logAddReaction", *_MOVES})
"""Other entries are no events: what is read, muted, renamed, or deleted, which everybody does for themselves alone."""


class _Sender(Struct):
    did: Name


class Message(Struct, rename="camel"):
    """A messageView of chat.bsky.convo."""

    id: Name
    sender: _Sender
    sent_at: datetime
    text: Words
    facets: Any = None
    embed: Any = None


class Convo(Struct):
    """Who talks in a convoView; of a group not everybody."""

    id: Name
    members: list[Author]
    kind: Any = None

    is_shown: ClassVar[bool] = True

    @property
    def is_group(self) -> bool:
        return isinstance(self.kind, dict) and str(self.kind.get("$type", "")).endswith("#groupConvo")


class _Unshown(Convo):
    """One that the server doesn't show us: nobody in it is known, and no answer would be taken there. So it counts as a
    group: who doesn't call us by name doesn't speak to us.
    """

    is_shown: ClassVar[bool] = False

    @property
    def is_group(self) -> bool:
        return True


def unshown(convo_id: str) -> Convo:
    return _Unshown(convo_id, [])


class Entry(Struct, rename="camel"):
    """What any entry has; who it names may be described beside."""

    convo_id: Name
    related_profiles: Any = None

    def identity(self, did: str, convo: Convo) -> Identity:
        beside = self.related_profiles[:_PROFILES_READ] if isinstance(self.related_profiles, list) else []
        for raw in beside:
            try:
                author = convert(raw, Author)
            except ValueError:
                continue
            if author.did == did:
                return author.identity
        return next((one.identity for one in convo.members if one.did == did), Identity(NAME, did))


class _Said(Entry, kw_only=True):
    message: Message


class _Reaction(Struct, rename="camel"):
    value: Annotated[str, Meta(min_length=1, max_length=64)]
    sender: _Sender
    created_at: datetime


class _Marked(Entry, kw_only=True):
    message: Message
    reaction: _Reaction


class _Move(Struct):
    member: _Sender


class _Notice(Struct, rename="camel"):
    """A systemMessageView."""

    id: Name
    sent_at: datetime
    data: _Move


class _Moved(Entry, kw_only=True):
    message: _Notice


def kind_of(raw: Any) -> str:
    """Of an entry that tells something; else nothing."""
    match raw:
        case {"message": {"$type": str(shown)}} if shown == _GONE:
            return ""
        case {"$type": str(told)} if (kind := told.rpartition("#")[2]) in TOLD:
            return kind
    return ""


def heard(raw: Any, convo: Convo, here: Here) -> PlatformEvent | None:
    """An entry as an event; own deeds are none. ValueError for one that can't be read."""
    match kind := kind_of(raw):
        case "logCreateMessage":
            said = convert(raw, _Said)
            return _message(said, convo, here, kept(raw)) if said.message.sender.did != here.did else None
        case "logAddReaction":
            marked = convert(raw, _Marked)
            return _reaction(marked, convo, here) if marked.reaction.sender.did != here.did else None
        case "":
            return None
    moved = convert(raw, _Moved)
    did, at = moved.message.data.member.did, aware(moved.message.sent_at)
    if did == here.did:
        return None
    return _MOVES[kind](here.account, moved.message.id, direct_conversation(convo.id), moved.identity(did, convo), at)


def _message(said: _Said, convo: Convo, here: Here, raw: str) -> MessageReceived:
    """In a group only who is called by name is addressed."""
    message = said.message
    document = document_of(*_as_record(message), here)
    return MessageReceived(
        account=here.account,
        id=message.id,
        ref=DirectMessage(convo.id, message.id).ref,
        conversation=direct_conversation(convo.id),
        kind=Kind.GROUP if convo.is_group else Kind.DIRECT,
        author=said.identity(message.sender.did, convo),
        document=document,
        at=aware(message.sent_at),
        private=True,
        addressed=not convo.is_group or calls(document, here.did),
        raw=raw,
    )


def _as_record(message: Message) -> tuple[Record, Views]:
    """A message as if it were a record: the post it shows is in the view of it."""
    record = Record(message.text, message.facets)
    match message.embed:
        case {"$type": "app.bsky.embed.record#view", "record": dict(quoted)}:
            try:
                view = convert({**quoted, "record": quoted.get("value")}, View)
            except ValueError:
                return record, {}
            record.embed = {"$type": "app.bsky.embed.record", "record": {"uri": view.uri, "cid": view.cid}}
            return record, {view.uri: view}
    return record, {}


def _reaction(marked: _Marked, convo: Convo, here: Here) -> Reacted:
    reaction, message = marked.reaction, marked.message
    return Reacted(
        here.account,
        f"{message.id} {reaction.sender.did} {reaction.value} {reaction.created_at.isoformat()}",
        DirectMessage(convo.id, message.id).ref,
        direct_conversation(convo.id),
        marked.identity(reaction.sender.did, convo),
        reaction.value,
        aware(reaction.created_at),
    )

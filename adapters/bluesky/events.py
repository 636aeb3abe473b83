"""What people do to the account, as events, without any I/O: notifications and direct messages.

A file of its own because translate.py would be too long with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from adapters.bluesky.profile import NAME
from adapters.bluesky.translate import DirectMessage, Post, aware, direct_conversation, read
from gateway.model.content import Document, Mention, spans
from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId

_Name = Annotated[str, Meta(min_length=1, max_length=2600, pattern=r"^\S+$")]
_Words = Annotated[str, Meta(max_length=40_000)]


class _StrongRef(Struct):
    uri: _Name
    cid: _Name


class _Reply(Struct):
    root: _StrongRef
    parent: _StrongRef


class _Record(Struct):
    text: _Words = ""
    facets: Any = None
    reply: _Reply | None = None


class _Author(Struct, rename="camel"):
    did: _Name
    handle: _Words = ""
    display_name: _Words | None = None

    @property
    def identity(self) -> Identity:
        return Identity(NAME, self.did, self.handle, self.display_name or "")


class Notification(Struct, rename="camel"):
    """One item of listNotifications, checked as far as it is used."""

    uri: _Name
    cid: _Name
    author: _Author
    reason: str
    record: _Record
    indexed_at: datetime


class _Sender(Struct):
    did: _Name


class Message(Struct, rename="camel"):
    """A messageView of chat.bsky.convo."""

    id: _Name
    sender: _Sender
    sent_at: datetime
    text: _Words
    facets: Any = None


class Entry(Struct, rename="camel"):
    """A logCreateMessage of the chat's log."""

    convo_id: _Name
    message: Message


class Convo(Struct):
    """Who talks in a convoView."""

    id: _Name
    members: list[_Author]
    kind: Any = None

    @property
    def is_group(self) -> bool:
        return isinstance(self.kind, dict) and str(self.kind.get("$type", "")).endswith("#groupConvo")


def received(notification: Notification, account: AccountId, own_did: str) -> MessageReceived:
    """A mention, a reply or a quote as an event."""
    record = notification.record
    post = Post(notification.uri, notification.cid, notification.uri, notification.cid)
    parent = None
    if record.reply:
        root = record.reply.root
        post = Post(notification.uri, notification.cid, root.uri, root.cid)
        parent = Post(record.reply.parent.uri, record.reply.parent.cid, root.uri, root.cid)
    document = read(record.text, record.facets)
    answers_us = parent is not None and parent.uri.startswith(f"at://{own_did}/")
    return MessageReceived(
        account=account,
        id=post.uri,
        ref=post.ref,
        conversation=ConversationId(f"{post.root_uri} {post.root_cid}"),
        kind=Kind.REPLY if notification.reason == "reply" else Kind.MENTION,
        author=notification.author.identity,
        document=document,
        at=aware(notification.indexed_at),
        addressed=answers_us or _mentions(document, own_did),
        in_reply_to=parent.ref if parent else None,
    )


def received_direct(message: Message, convo: Convo, account: AccountId, own_did: str) -> MessageReceived:
    """A direct message as an event. In a group chat only who is called by name is addressed."""
    document = read(message.text, message.facets)
    author = next((m.identity for m in convo.members if m.did == message.sender.did), None)
    return MessageReceived(
        account=account,
        id=message.id,
        ref=DirectMessage(convo.id, message.id).ref,
        conversation=direct_conversation(convo.id),
        kind=Kind.GROUP if convo.is_group else Kind.DIRECT,
        author=author or Identity(NAME, message.sender.did),
        document=document,
        at=aware(message.sent_at),
        private=True,
        addressed=not convo.is_group or _mentions(document, own_did),
    )


def _mentions(document: Document, did: str) -> bool:
    return any(isinstance(span, Mention) and span.id == did for span in spans(document))

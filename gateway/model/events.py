"""What happens: on the platforms (stored before anything handles it) and in the gateway itself."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from gateway.model.content import Document, plain
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, DeliveryId, MessageRef
from gateway.model.media import Attachment

RAW_MAX = 32_768
"""Characters of a raw payload that are kept; of a longer one nothing is."""


class Kind(StrEnum):
    """How a message reached the account."""

    MENTION = "mention"
    REPLY = "reply"
    GROUP = "group"
    DIRECT = "direct"


class MessageReceived(Struct, frozen=True, tag="message_received", omit_defaults=True):
    """Somebody wrote something the account can see.

    ``id`` is the platform's own and the key against repeats within the account; ``ref`` is what a reply
    names; ``addressed`` is true when the account itself was spoken to (a DM, a mention, a reply to it). ``raw`` is the
    platform's own payload as JSON, for the operator.
    """

    account: AccountId
    id: str
    ref: MessageRef
    conversation: ConversationId
    kind: Kind
    author: Identity
    document: Document
    at: datetime
    private: bool = False
    addressed: bool = True
    in_reply_to: MessageRef | None = None
    thread_root: MessageRef | None = None
    """The message a thread began with, where this one belongs to one and isn't it."""
    attachments: tuple[Attachment, ...] = ()
    url: str = ""
    raw: str = ""

    @property
    def text(self) -> str:
        """What was written, as plain text."""
        return plain(self.document)

    @property
    def platform(self) -> str:
        return self.author.platform


class MessageEdited(Struct, frozen=True, tag="message_edited", omit_defaults=True):
    """A message has new text. ``id`` differs for every edit."""

    account: AccountId
    id: str
    ref: MessageRef
    conversation: ConversationId
    author: Identity
    document: Document
    at: datetime
    private: bool = False
    attachments: tuple[Attachment, ...] = ()
    raw: str = ""


class MessageDeleted(Struct, frozen=True, tag="message_deleted", omit_defaults=True):
    account: AccountId
    id: str
    ref: MessageRef
    conversation: ConversationId
    at: datetime


class Reacted(Struct, frozen=True, tag="reacted", omit_defaults=True):
    """Somebody reacted to a message. ``reaction`` is an emoji, "❤️" for what a platform calls a like or a favourite, or
    ``:name:`` for a picture of the platform's own.
    """

    account: AccountId
    id: str
    ref: MessageRef
    conversation: ConversationId
    author: Identity
    reaction: str
    at: datetime


class Reposted(Struct, frozen=True, tag="reposted", omit_defaults=True):
    """Somebody showed a message to their own readers."""

    account: AccountId
    id: str
    ref: MessageRef
    conversation: ConversationId
    author: Identity
    at: datetime


class MemberJoined(Struct, frozen=True, tag="member_joined", omit_defaults=True):
    account: AccountId
    id: str
    conversation: ConversationId
    member: Identity
    at: datetime


class MemberLeft(Struct, frozen=True, tag="member_left", omit_defaults=True):
    account: AccountId
    id: str
    conversation: ConversationId
    member: Identity
    at: datetime


PlatformEvent = MessageReceived | MessageEdited | MessageDeleted | Reacted | Reposted | MemberJoined | MemberLeft


class StandingChanged(Struct, frozen=True, tag="standing_changed", omit_defaults=True):
    """An account's standing is another one now; ``evidence`` is what said so."""

    account: AccountId
    before: str
    after: str
    evidence: str
    at: datetime


class DeliveryChanged(Struct, frozen=True, tag="delivery_changed", omit_defaults=True):
    delivery: DeliveryId
    account: AccountId
    state: str
    at: datetime
    reason: str = ""
    ref: MessageRef | None = None


GatewayEvent = StandingChanged | DeliveryChanged

"""The truth behind the faces: who is on each network and what it holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


def utc_now() -> datetime:
    """The sandbox's wall clock."""
    return datetime.now(UTC)


@dataclass
class Member:
    """An account of the network. A bot is one of ours; everybody else is people."""

    id: str
    handle: str
    name: str
    is_bot: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    """What only the member's face knows: tokens, sessions, chats."""


@dataclass
class Message:
    """Something the network holds. ``key`` is the idempotency key it came with, ``conversation`` is the face's own id.

    ``kind`` is one of post, mention, reply, group, direct.
    """

    id: str
    author: str
    text: str
    at: datetime
    kind: str = "post"
    conversation: str = ""
    private: bool = False
    in_reply_to: str | None = None
    key: str | None = None
    media: list[dict[str, Any]] = field(default_factory=list)
    """Each has ``mime``, ``size_bytes`` and ``alt``."""
    reactions: list[dict[str, str]] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)
    """Earlier texts."""
    deleted: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Attempt:
    """A write that a bot tried, as the network saw it. ``outcome``: accepted, repeated, refused or failed.

    ``at_unix_s`` is when the request arrived; ``message`` is the id it led to, where it led to one.
    """

    at_unix_s: float
    account: str
    action: str
    outcome: str
    message: str | None = None
    text: str = ""
    detail: str = ""


class Network:
    """One platform's truth. Faces read and write it; people and tests look at it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[str, Member] = {}
        self.messages: dict[str, Message] = {}
        self.attempts: list[Attempt] = []
        self._listeners: list[Callable[[str, Message], None]] = []

    def join(self, member: Member) -> Member:
        self.members[member.id] = member
        return member

    def member(self, handle: str) -> Member | None:
        return next((m for m in self.members.values() if m.handle == handle), None)

    def add(self, message: Message) -> Message:
        """The network holds it from now on; listeners hear ``created``."""
        self.messages[message.id] = message
        self._tell("created", message)
        return message

    def edit(self, message: Message, text: str) -> None:
        message.edits.append(message.text)
        message.text = text
        self._tell("edited", message)

    def delete(self, message: Message) -> None:
        message.deleted = True
        self._tell("deleted", message)

    def forget(self, before: datetime) -> list[Message]:
        """Drop what is older, and the attempts with it: a world that runs for days. Returns the messages."""
        gone = [message for message in self.messages.values() if message.at < before]
        for message in gone:
            del self.messages[message.id]
        self.attempts = [attempt for attempt in self.attempts if attempt.at_unix_s >= before.timestamp()]
        return gone

    def react(self, message: Message, member: Member, reaction: str) -> None:
        """The same reaction of the same member is there once, on every platform."""
        mark = {"member": member.id, "reaction": reaction}
        if mark not in message.reactions:
            message.reactions.append(mark)
            self._tell("reacted", message)

    def listen(self, listener: Callable[[str, Message], None]) -> Callable[[], None]:
        """Call ``listener(what, message)`` on every change; returns the way to stop it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def attempted(
        self, account: str, action: str, outcome: str, *, message: str | None = None, text: str = "", detail: str = ""
    ) -> None:
        self.attempts.append(Attempt(time.time(), account, action, outcome, message, text, detail))

    def held_by(self, account: str) -> list[Message]:
        """What the network holds of a bot, in the order it was accepted, without what was deleted."""
        ids = {m.id for m in self.members.values() if m.is_bot and m.handle == account}
        return [m for m in self.messages.values() if m.author in ids and not m.deleted]

    def _tell(self, what: str, message: Message) -> None:
        for listener in list(self._listeners):
            listener(what, message)

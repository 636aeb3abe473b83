"""What people do, as the gateway and the history tell it: one event at a time becomes ours.

A file beside ``receive.py`` because the connection and what is said on it change for different reasons.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec

from adapters.discord import position as positions
from adapters.discord import translate
from adapters.discord.memory import Bounded, Memory, Place
from gateway.model.delivery import Receipt
from gateway.model.events import PlatformEvent
from gateway.model.ids import AccountId, MessageRef
from gateway.ports import Clock

T = TypeVar("T")

log = logging.getLogger("multihome.discord")

_MALFORMED = (ValueError, OverflowError)
"""What reading an event throws: of the wrong shape, characters that can't be stored, times out of range."""


def unless_malformed(event: str, read: Callable[[Any], list[T]], data: Any) -> list[T]:
    """What was read of it; nothing, with a line in the log, where it makes no sense."""
    try:
        return read(data)
    except _MALFORMED as error:
        log.warning("skipped a malformed %s: %s", event, str(error)[:200])
        return []


class Hearing:
    """One run's. Keeps the position up to date, and in memory what later events and sends need."""

    def __init__(self, account: AccountId, clock: Clock, memory: Memory, position: positions.Position) -> None:
        self._account = account
        self._clock = clock
        self._memory = memory
        self._position = position
        self._recent: Bounded[str, None] = Bounded(4096)
        self._readers: dict[str, Callable[[Any], list[PlatformEvent]]] = {
            "MESSAGE_CREATE": self._on_create,
            "MESSAGE_UPDATE": self._on_update,
            "MESSAGE_DELETE": self._on_delete,
            "MESSAGE_DELETE_BULK": self._on_bulk_delete,
            "MESSAGE_REACTION_ADD": self._on_reaction,
            "GUILD_MEMBER_ADD": self._on_join,
            "GUILD_MEMBER_REMOVE": self._on_leave,
        }

    def live(self, event: str, data: Any) -> list[PlatformEvent]:
        return unless_malformed(event, self._readers[event], data)

    def page(self, page: list[Any], place: Place) -> tuple[list[PlatformEvent], int]:
        """The events of a page of history, oldest first, and its newest id."""
        found = [one for raw in page for one in unless_malformed("history", self._read, raw)]
        found.sort(key=lambda one: int(one[0].id))
        events = [
            event
            for message, raw in found
            for event in unless_malformed("history", partial(self._message, place=place, raw=raw), message)
        ]
        return events, max((int(message.id) for message, _ in found), default=0)

    # Messages.

    def _read(self, raw: Any) -> list[tuple[translate.RawMessage, str]]:
        return [(msgspec.convert(raw, translate.RawMessage), translate.kept(raw))]

    def _place(self, message: translate.RawMessage) -> Place:
        """Live messages name their server themselves."""
        known = self._memory.places.get(message.channel_id)
        place = Place(message.guild_id is None, message.guild_id, known.root if known else None)
        if message.guild_id:
            self._memory.places[message.channel_id] = place
        return place

    def _on_create(self, data: Any) -> list[PlatformEvent]:
        [(message, raw)] = self._read(data)
        return self._message(message, place=self._place(message), raw=raw)

    def _message(self, message: translate.RawMessage, *, place: Place, raw: str) -> list[PlatformEvent]:
        self._position.saw(message.channel_id, int(message.id), private=place.private)
        if message.id in self._recent:
            return []
        self._recent[message.id] = None
        root = self._root(message)
        if message.author.id == self._memory.me:
            self._confirm(message)
        event = translate.received(message, self._account, self._memory.me, place, root=root, raw=raw)
        return [event] if event else []

    def _root(self, message: translate.RawMessage) -> MessageRef | None:
        """Where a chain of replies began. A message tells of two before it; of those further up, who heard them."""
        answered = translate.answered(message)
        if answered is None:
            return None
        before = message.referenced_message and translate.answered(message.referenced_message)
        roots = self._memory.roots
        root = roots.get(answered) or (before and roots.get(before)) or before or answered
        roots[message.ref] = root
        return root

    def _confirm(self, message: translate.RawMessage) -> None:
        """Our own message came by: whoever waits for its answer in vain can be told."""
        nonce = "" if message.nonce is None else str(message.nonce)
        self._memory.nonces[message.id] = nonce
        if nonce:
            self._memory.confirmed[nonce] = Receipt(message.ref, positions.moment(int(message.id)))

    def _on_update(self, data: Any) -> list[PlatformEvent]:
        if isinstance(data, dict) and "author" not in data:
            return []  # only a preview was added
        [(message, raw)] = self._read(data)
        event = translate.edited(message, self._account, self._memory.me, self._place(message), raw=raw)
        return [event] if event else []

    def _on_delete(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawDeleted)
        if raw.id in self._memory.nonces:
            return []
        return [translate.deleted(raw, self._account, self._clock.now())]

    def _on_bulk_delete(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawBulkDeleted)
        return [
            event
            for message_id in raw.ids
            for event in self._on_delete({"id": message_id, "channel_id": raw.channel_id})
        ]

    # People.

    def _on_reaction(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawReaction)
        if raw.emoji.id and raw.emoji.name:
            self._memory.emoji[raw.guild_id, raw.emoji.name] = raw.emoji.named
        event = translate.reacted(raw, self._account, self._memory.me, self._clock.now())
        return [event] if event else []

    def _on_join(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawJoin)
        if raw.user.id == self._memory.me:
            return []
        return [translate.member_joined(raw, self._account, self._lobby(raw.guild_id), self._clock.now())]

    def _on_leave(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawLeave)
        if raw.user.id == self._memory.me:
            return []
        return [translate.member_left(raw, self._account, self._lobby(raw.guild_id), self._clock.now())]

    def _lobby(self, guild: str) -> str:
        return self._memory.lobbies.get(guild, guild)

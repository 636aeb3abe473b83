"""One bot's update queue: ids, confirmation by offset, and one poll at a time."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

RETENTION_S = 86_400
TIMEOUT_MAX_S = 50
LIMIT_MAX = 100
BY_DEFAULT = frozenset(
    {"message", "edited_message", "channel_post", "edited_channel_post", "inline_query", "callback_query"}
    | {"my_chat_member", "poll"}
)
"""What a bot gets that never said what it wants: reactions and members aren't in it."""


@dataclass
class Poll:
    """An open getUpdates; ``ended`` says why it must go: ``conflict`` or ``cut``."""

    ended: str = ""


@dataclass
class _Queued:
    id: int
    at_unix_s: float
    body: Any


@dataclass
class Mailbox:
    """Updates wait here until a poll with a higher offset confirms them, at most a day."""

    allowed: frozenset[str] = BY_DEFAULT
    poll: Poll | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _queue: deque[_Queued] = field(default_factory=deque)
    _ids: Any = field(default_factory=lambda: itertools.count(830_000_001))

    def put(self, kind: str, content: dict[str, Any]) -> None:
        """Queue an update of a kind the bot wants; others are never made."""
        if kind in self.allowed:
            number = next(self._ids)
            self._add(number, {"update_id": number, kind: content})

    def put_broken(self, *, nameless: bool) -> None:
        """Queue what no client expects, before everything else: without even an id where ``nameless``."""
        number = self._queue[0].id - 1 if self._queue else next(self._ids)
        broken: dict[str, Any] = {"message_id": "seven", "date": None, "chat": {"id": []}}
        body: Any = ["not an update"] if nameless else {"update_id": number, "message": broken}
        self._queue.appendleft(_Queued(number, time.time(), body))
        self.changed.set()

    def _add(self, number: int, body: Any) -> None:
        self._queue.append(_Queued(number, time.time(), body))
        self.changed.set()

    def confirm(self, offset: int) -> None:
        """Forget what lies before ``offset``; a negative one keeps that many from the end."""
        if offset < 0:
            while len(self._queue) > -offset:
                self._queue.popleft()
        while offset > 0 and self._queue and self._queue[0].id < offset:
            self._queue.popleft()

    def page(self, limit: int) -> list[Any]:
        oldest = time.time() - RETENTION_S
        while self._queue and self._queue[0].at_unix_s < oldest:
            self._queue.popleft()
        return [queued.body for queued in itertools.islice(self._queue, limit)]

    def begin(self) -> Poll:
        """A new poll ends the one before it."""
        self.end("conflict")
        self.poll = Poll()
        return self.poll

    def end(self, why: str) -> None:
        if self.poll is not None:
            self.poll.ended = why
            self.changed.set()

"""The sandbox's server-sent events: one queue per open stream, cut when its account is lost."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from adapters.sandbox.faults import Faults, Trouble
from adapters.sandbox.world import Member

THUMP_S = 0.2
"""Mastodon thumps every 15 s; the sandbox looks after its accounts at the same beat, so it beats faster."""

MALFORMED = b"no colon here\nevent: notification\ndata: {broken\n\nevent: \xff\xfe\ndata: 1\n\n"
"""A line without a key, JSON that ends too soon, a name that is not UTF-8."""

_ENDING = (Trouble.SUSPEND, Trouble.LOCK, Trouble.REVOKE, Trouble.OUTAGE)


@dataclass(eq=False)
class Stream:
    """One open stream. ``None`` in the queue ends it."""

    member: Member
    only_notifications: bool
    queue: asyncio.Queue[tuple[str, str] | None] = field(default_factory=asyncio.Queue)


class Streams:
    """Every open stream of the face."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._open: list[Stream] = []

    def __len__(self) -> int:
        return len(self._open)

    def push(self, member: Member, event: str, payload: Any) -> None:
        """Tell one account. ``payload`` is an entity, or an id as it is."""
        data = payload if isinstance(payload, str) else json.dumps(payload)
        for stream in self._open:
            if stream.member.id == member.id and (event == "notification" or not stream.only_notifications):
                stream.queue.put_nowait((event, data))

    def cut(self, account: str | None) -> None:
        for stream in self._open:
            if account in (None, stream.member.handle):
                stream.queue.put_nowait(None)

    async def serve(self, request: web.Request, member: Member, *, only_notifications: bool) -> web.StreamResponse:
        """Speak until the client goes or the stream is cut."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "private, no-store"}
        )
        stream = Stream(member, only_notifications)
        self._open.append(stream)
        try:
            await response.prepare(request)
            await self._speak(stream, response)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.remove(stream)
        if request.transport is not None:
            request.transport.abort()
        return response

    async def _speak(self, stream: Stream, response: web.StreamResponse) -> None:
        await response.write(b":)\n")
        while not any(self._faults.active(trouble, stream.member.handle) for trouble in _ENDING):
            try:
                said = await asyncio.wait_for(stream.queue.get(), THUMP_S)
            except TimeoutError:
                await response.write(b":thump\n")
                continue
            if said is None:
                return
            if self._faults.find(Trouble.MALFORMED_EVENT, stream.member.handle, on="stream"):
                await response.write(MALFORMED)
            await response.write(f"event: {said[0]}\ndata: {said[1]}\n\n".encode())

"""Receiving: a stream that wakes, a reader that is woken, and what is remembered of threads.

Apart from adapter.py, which sends, because together they would pass 400 lines.

The stream's events are never trusted to be all there are: they only say when to read the notifications. What no
notification tells, edits and deletions of messages heard before, is taken from the stream as it comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from adapters.mastodon import translate
from adapters.mastodon.entities import Above, Notification, Numbered, Status
from adapters.mastodon.places import Here, conversation_of, ref_of
from adapters.mastodon.session import Streamed
from adapters.mastodon.translate import Thread
from adapters.mastodon.workers import Workers
from gateway.model.delivery import FaultError
from gateway.model.events import PlatformEvent
from gateway.model.ids import ConversationId, MessageRef
from gateway.ports import Arrival, Clock, Context

log = logging.getLogger("multihome.mastodon")

PAGE = 80
TYPES = ("mention", "favourite", "reblog")
REMEMBERED = 5_000
NEWS_MAX = 500
SILENCE_MAX_S = 90.0
"""Mastodon thumps every 15 s: after this the connection is dead."""
OPENING_MAX_S = 3.0
PAUSE_FIRST_S = 1.0
PAUSE_LONGEST_S = 60.0

_WAKING = frozenset({b"notification", b"notifications_merged"})


class Ask(Protocol):
    """Run ``call(client)`` on a thread; returns its answer decoded as ``shape``. Raises FaultError."""

    async def __call__(self, shape: Any, call: Callable[[Any], Any]) -> Any: ...


class Known(Struct, frozen=True):
    """What is known of a status: its thread's root, its ref, its conversation, and whether we wrote it."""

    root: str
    ref: MessageRef
    conversation: ConversationId
    ours: bool


class Memory:
    """The statuses of late, so that an answer to one of them needs no look at its thread. Bounded."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()

    def get(self, status: str | None) -> Known | None:
        return self._known.get(status or "")

    def root_of(self, status: Status) -> str:
        """The root of a status's thread as far as memory goes; empty when it doesn't."""
        known = self.get(status.id) or self.get(status.in_reply_to_id)
        return known.root if known else "" if status.in_reply_to_id else status.id

    def keep(self, status: Status, here: Here, root: str) -> None:
        """Remember a status, where its root is known. ValueError when a name in it can't be one."""
        if not root:
            return
        conversation = conversation_of(status, here, root)
        ours = status.account.id == here.id
        self._known[status.id] = Known(root, ref_of(status, here), conversation, ours)
        self._known.move_to_end(status.id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


class Edit(NamedTuple):
    """A status as it is now, and as the stream told it."""

    status: Status
    raw: bytes


News = Edit | str
"""What the stream told: an edit, or the id of a status that is gone."""


class Bell:
    """Wakes the reader, who then looks at the ``news``."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rung = asyncio.Event()
        self.news: deque[News] = deque(maxlen=NEWS_MAX)

    def ring(self) -> None:
        self._rung.set()

    def ring_from_thread(self, news: News | None = None) -> None:
        if news is not None:
            self.news.append(news)
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, clock: Clock, longest_s: float) -> None:
        """Until somebody rang, or the time has passed."""
        waits = [asyncio.ensure_future(self._rung.wait()), asyncio.ensure_future(clock.sleep(longest_s))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._rung.clear()


class Listener:
    """What Mastodon.py hands its stream to. It reads lines itself: the library's own reader takes a call per byte."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    def handle_stream(self, stream: Streamed) -> None:
        """Read until the stream ends. Nothing that it may say raises."""
        self._bell.ring_from_thread()
        name, data = b"", b""
        for line in stream.lines():
            if line is None:
                name, data = b"", b""
                self._bell.ring_from_thread()
            elif not line:
                self._hear(name, data)
                name, data = b"", b""
            elif line.startswith(b"event:"):
                name = line[6:].strip()
            elif line.startswith(b"data:"):
                data = line[5:].strip()

    def _hear(self, name: bytes, data: bytes) -> None:
        if name in _WAKING:
            self._bell.ring_from_thread()
        elif name == b"delete" and data:
            self._bell.ring_from_thread(data.decode("utf-8", "replace")[:64])
        elif name in (b"status.update", b"status_update"):
            try:
                self._bell.ring_from_thread(Edit(msgspec.json.decode(data, type=Status), data))
            except (ValueError, RecursionError):  # a ValueError only, where bytes are no text
                log.warning("passed over an edit that is not understood")


class Stream:
    """Keeps one stream open on a thread of its own, with growing pauses; it never fails, it only falls silent."""

    def __init__(self, workers: Workers, shape: Any, clock: Clock) -> None:
        self.bell = Bell(asyncio.get_running_loop())
        self._workers = workers
        self._shape = shape
        self._clock = clock
        self._task = asyncio.create_task(self._keep())

    async def aclose(self) -> None:
        """Cut the stream and see its thread out. Safe to call twice."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._workers.aclose()

    async def _keep(self) -> None:
        failures = 0
        while True:
            since_s = self._clock.monotonic()
            outcome = await self._workers.call(self._shape, self._listen)
            log.info("the stream ended: %s", type(outcome.error).__name__ if outcome.error else "closed")
            self.bell.ring()
            failures = 0 if self._clock.monotonic() - since_s > PAUSE_LONGEST_S else failures + 1
            await self._clock.sleep(min(PAUSE_LONGEST_S, PAUSE_FIRST_S * 2 ** min(failures, 10)))

    def _listen(self, client: Any) -> None:
        client.stream_user(Listener(self.bell), timeout=SILENCE_MAX_S)


class Reader:
    """Reads notifications upwards from a cursor, whenever the bell rings or the clock says."""

    def __init__(self, ask: Ask, memory: Memory, context: Context, poll_s: float) -> None:
        self._ask = ask
        self._memory = memory
        self._account = context.account
        self._clock = context.clock
        self._poll_s = poll_s

    async def arrivals(self, cursor: str | None, here: Here, bell: Bell) -> AsyncGenerator[Arrival]:
        """Everything after the cursor, which is ``{"min_id": id of the last notification}``; without end."""
        position = _position(cursor) or await self._newest(here)
        await bell.wait(self._clock, OPENING_MAX_S)  # it rings when the stream is open, or can't be
        yield (), _cursor(position)
        while True:
            while notes := await self._page(position, here):
                before, position = position, max((position, *map(_id, notes)), key=translate.order)
                yield await self._events(notes, before, here), _cursor(position)
                if position == before:
                    break
            if news := await self._news(bell, here):
                yield news, _cursor(position)
            await bell.wait(self._clock, self._poll_s)

    async def _newest(self, here: Here) -> str:
        found = await self._notifications(None, 1, here)
        return max(map(_id, found), key=translate.order, default="0") or "0"

    async def _page(self, position: str, here: Here) -> list[msgspec.Raw]:
        """The oldest notifications above the position, lowest first."""
        return sorted(await self._notifications(position, PAGE, here), key=lambda raw: translate.order(_id(raw)))

    async def _notifications(self, min_id: str | None, limit: int, here: Here) -> list[msgspec.Raw]:
        types = [*TYPES, "quote"] if here.quotes else [*TYPES]
        found: list[msgspec.Raw] = await self._ask(
            list[msgspec.Raw], lambda client: client.notifications(types=types, min_id=min_id, limit=limit)
        )
        return found

    async def _events(self, notes: Sequence[msgspec.Raw], above: str, here: Here) -> list[PlatformEvent]:
        """What the notifications say. One that is not understood is passed over."""
        events: list[PlatformEvent] = []
        for raw in notes:
            if _id(raw) and translate.order(_id(raw)) <= translate.order(above):
                continue  # a server that doesn't know min_id shows the newest again and again
            try:
                events += await self._event(msgspec.json.decode(raw, type=Notification), here, bytes(raw))
            except (ValueError, RecursionError) as error:
                log.warning("%s: passed over a notification: %s", self._account, type(error).__name__)
        return events

    async def _event(self, note: Notification, here: Here, raw: bytes) -> list[PlatformEvent]:
        status = note.status
        if note.account.id == here.id:
            return []
        if note.type in ("favourite", "reblog"):
            root = self._memory.root_of(status) or status.id
            return [translate.marked(note, here, self._account, root)]
        if note.type not in ("mention", "quote") or status.account.id == here.id:
            return []
        thread = await self._thread(status, here)
        self._memory.keep(status, here, thread.root)
        addressed = note.type == "mention" or translate.calls(status, here)
        return [translate.message(status, here, self._account, thread, raw, addressed=addressed)]

    async def _thread(self, status: Status, here: Here) -> Thread:
        """The thread of a status, from memory or by a look at what is above it."""
        parent = status.in_reply_to_id
        if parent is None:
            return Thread(status.id)
        if known := self._memory.get(parent):
            return Thread(known.root, known.ref, self._ref(known.root))
        try:
            above = await self._ask(Above, lambda client: client.status_context(status.id))
        except FaultError as error:  # it may always fail for this one: the message matters more than its place
            log.info("%s: no look at a thread: %s", self._account, error.fault.kind)
            return Thread(parent)
        if not above.ancestors or above.ancestors[-1].id != parent:
            return Thread(parent)
        root = above.ancestors[0].id
        for ancestor in above.ancestors:
            with suppress(ValueError):  # whoever writes above may have any name: what is below is heard all the same
                self._memory.keep(ancestor, here, root)
        return Thread(root, self._ref(parent), self._ref(root))

    def _ref(self, status: str) -> MessageRef | None:
        known = self._memory.get(status)
        return known.ref if known else None

    async def _news(self, bell: Bell, here: Here) -> list[PlatformEvent]:
        """Edits and deletions of what was heard before. One that can't be read is passed over."""
        events: list[PlatformEvent] = []
        while bell.news:
            said = bell.news.popleft()
            try:
                known = await self._known(said, here)
                if known is None or known.ours:
                    continue
                if isinstance(said, str):
                    events.append(translate.deleted(known.ref, self._account, known.conversation, self._clock.now()))
                elif known.ref == ref_of(said.status, here):
                    events.append(translate.edited(said.status, here, self._account, known.conversation, said.raw))
            except ValueError as error:
                log.warning("%s: passed over an edit: %s", self._account, error)
        return events

    async def _known(self, said: News, here: Here) -> Known | None:
        """What is remembered of a status; of one that calls us, what its thread tells: it was heard before a start."""
        number = said if isinstance(said, str) else said.status.id
        if isinstance(said, Edit) and self._memory.get(number) is None and translate.calls(said.status, here):
            self._memory.keep(said.status, here, (await self._thread(said.status, here)).root)
        return self._memory.get(number)


class _Position(Struct):
    min_id: str


def _cursor(position: str) -> str:
    return msgspec.json.encode(_Position(position)).decode()


def _position(cursor: str | None) -> str:
    """The last notification's id; empty without a cursor, and where it can't be read."""
    if not cursor:
        return ""
    try:
        return msgspec.json.decode(cursor, type=_Position).min_id
    except (ValueError, RecursionError):
        log.warning("the stored cursor can't be read: beginning with what comes from now on")
        return ""


def _id(raw: msgspec.Raw) -> str:
    """The id of a notification that may be broken otherwise; empty when even that is missing."""
    try:
        return msgspec.json.decode(raw, type=Numbered).id
    except (ValueError, RecursionError):
        return ""

"""What the suite asks of the network under an adapter, and the small tools its tests are written with."""

from __future__ import annotations

import asyncio
import itertools
import struct
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Protocol, Self, TypeVar, cast

import pytest
from msgspec import structs

from gateway.model.capabilities import Feature
from gateway.model.content import Media
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, InConversation, Part, Receipt, Target, Timeline
from gateway.model.events import Kind, MessageReceived, PlatformEvent
from gateway.model.ids import DEFAULT_WORKSPACE, DraftId, MessageRef
from gateway.ports import Adapter, Platform, Taken
from gateway.testing.kit import Bench
from gateway.text.plain import from_text

WAIT_S = 15.0
"""How long anything over loopback may take before the test gives up. Nothing waits that long when all is well."""


class Held(Protocol):
    """One message as the network has it."""

    id: str
    text: str
    kind: str
    private: bool
    in_reply_to: str | None
    media: list[dict[str, Any]]
    reactions: list[dict[str, str]]
    deleted: bool


class Rig(Protocol):
    """A network under the suite's control, and one account of ours on it.

    Troubles have the sandbox's names (suspend, lock, revoke, silent_suspend, rate_limit, delay, outage, fail_before,
    fail_after, drop_before, drop_after, malformed_event); one the network can't make is refused with ``pytest.skip``.
    """

    platform: Platform
    settings: object
    """What the adapter is opened with."""
    bench: Bench
    kinds: frozenset[Kind]
    """How people can reach an account there."""
    faults: Mapping[str, FaultKind]
    """What a trouble is to this platform's table: at least suspend, lock and revoke."""
    secrets: frozenset[str]
    """Clear texts that nobody may ever read."""
    reaction: str
    shown: frozenset[str]
    """Which doings of people with messages an account is told of there: edit, delete, react."""

    async def open(self, account: str = "agent") -> Adapter:
        """The adapter, opened as the gateway does it. The rig closes what a test leaves open."""
        ...

    def say(self, person: str, kind: Kind, text: str, *, to: str | None = None) -> str:
        """Somebody writes to the account; returns the network's id of it."""
        ...

    def meddle(self, doing: str, person: str, message_id: str, *, text: str = "") -> None:
        """Somebody edits a message (to ``text``), deletes it or reacts to it."""
        ...

    def held(self, account: str = "agent") -> Sequence[Held]:
        """What the network holds of an account, in the order it was accepted, without what was deleted."""
        ...

    def message(self, message_id: str) -> Held: ...

    def everything(self) -> Sequence[Held]:
        """What the network holds of anybody."""
        ...

    def attempts(self) -> int:
        """How many writes the network has seen, whatever became of them."""
        ...

    def strike(self, trouble: str, **options: Any) -> None:
        """Options: ``count`` (None: until lifted), ``on`` (write, read, stream or any), ``status``, ``delay_s``,
        ``retry_after_s`` (None: it doesn't tell).
        """
        ...

    def standing_troubles(self) -> int:
        """How many are not used up or lifted."""
        ...

    def lift(self) -> None: ...

    def cut_streams(self) -> None: ...

    def listening(self) -> bool:
        """Whether the account would hear a stranger now. Where it asks for news rather than being told, always."""
        ...

    async def unplug(self) -> None:
        """The network's address refuses connections from now on."""
        ...


_numbers = itertools.count(1)


def draft(rig: Rig, text: str, target: Target | None = None, *, media: tuple[Media, ...] = (), **more: Any) -> Draft:
    """Something to say, with an id of its own; on the account's timeline unless told otherwise."""
    number = next(_numbers)
    document = structs.replace(from_text(text), media=media)
    return Draft(
        id=DraftId(f"draft{number}"),
        workspace=DEFAULT_WORKSPACE,
        account=rig.bench.context.account,
        target=target or Timeline(),
        document=document,
        created_at=now(),
        key=f"conformance:{number}",
        **more,
    )


def now() -> datetime:
    return datetime.now(UTC)


def unique(words: str) -> str:
    """The words and a number: some platforms refuse what they have read before."""
    return f"{words} {next(_numbers)}"


def answer_to(rig: Rig, event: MessageReceived, text: str, *, media: tuple[Media, ...] = ()) -> Draft:
    """A reply to somebody's message, as the gateway drafts it."""
    target = InConversation(event.conversation, event.private)
    return draft(rig, text, target, media=media, in_reply_to=event.ref, with_person=event.author)


async def send_all(adapter: Adapter, parts: Sequence[Part]) -> list[Receipt]:
    """Send a plan as the outbox does: in order, each part told what it follows."""
    receipts: list[Receipt] = []
    for part in parts:
        receipts.append(await adapter.send(following(part, receipts)))
    return receipts


def following(part: Part, receipts: Sequence[Receipt]) -> Part:
    if not receipts:
        return part
    return structs.replace(part, previous=receipts[-1].ref, first=receipts[0].ref)


async def publish(rig: Rig, adapter: Adapter, text: str) -> tuple[MessageRef, str]:
    """One post on the timeline: its ref and the network's id."""
    (receipt,) = await send_all(adapter, adapter.plan(draft(rig, text), now()))
    return receipt.ref, rig.held()[-1].id


def taken_by(*receipts: Receipt) -> Taken:
    """For reading back: what is known to be another delivery's."""
    refs = {receipt.ref for receipt in receipts}

    async def taken(ref: MessageRef) -> bool:
        return ref in refs

    return taken


@asynccontextmanager
async def refused() -> AsyncGenerator[list[Fault]]:
    """What runs inside must raise FaultError; the fault is the list's only item afterwards."""
    caught: list[Fault] = []
    with pytest.raises(FaultError) as info:
        yield caught
    caught.append(info.value.fault)


T = TypeVar("T")


async def outcome(work: Awaitable[T]) -> T | Fault:
    """What a call gave, or the fault it raised: for where both are right."""
    try:
        return await work
    except FaultError as error:
        return error.fault


def planned(adapter: Adapter, said: Draft) -> tuple[Part, ...] | Fault:
    """The plan of a draft, or why there is none."""
    try:
        return adapter.plan(said, now())
    except FaultError as error:
        return error.fault


def needs(rig: Rig, feature: Feature) -> None:
    if not rig.platform.profile.supports(feature):
        pytest.skip(f"{rig.platform.name} doesn't claim {feature}")


def needs_kind(rig: Rig, kind: Kind) -> None:
    if kind not in rig.kinds:
        pytest.skip(f"nobody can reach an account of {rig.platform.name} by {kind}")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in the network."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110  # the network has no bell for everything
            await asyncio.sleep(0.005)


class Listener:
    """Reads an adapter's events the way the gateway does: it stores each arrival, then asks for the next."""

    def __init__(
        self, adapter: Adapter, cursor: str | None = None, listening: Callable[[], bool] = lambda: True
    ) -> None:
        self._adapter = adapter
        self._listening = listening
        self._pulse = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.events: list[PlatformEvent] = []
        self.cursor = cursor
        self.fault: Fault | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        try:
            async with aclosing(stream(self._adapter, self.cursor)) as arrivals:
                async for events, cursor in arrivals:
                    self.events.extend(events)
                    self.cursor = cursor
                    self._pulse.set()
        except FaultError as error:
            self.fault = error.fault
        finally:
            self._pulse.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for arrivals to make it true; what the adapter raises meanwhile is raised here."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                if self._task is not None and self._task.done():
                    self._task.result()
                    pytest.fail(f"events() ended: {self.fault or 'without a fault'}")
                await self._pulse.wait()
                self._pulse.clear()

    async def started(self) -> None:
        """Until there is a position to go on from, and the network would tell us what is said."""
        await self.until(lambda: self.cursor is not None)
        await until(self._listening)

    async def failed(self) -> Fault:
        """Until events() raises, as it must when the account is lost."""
        if self._task is None:
            pytest.fail("not listening")
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait([self._task])
        self._task.result()
        return self.fault or pytest.fail("events() ended without a fault")

    async def message(self, text: str) -> MessageReceived:
        """The message with these words, when it is there."""
        await self.until(lambda: bool(self.messages(text)))
        return self.messages(text)[0]

    def messages(self, text: str = "") -> list[MessageReceived]:
        return [e for e in self.events if isinstance(e, MessageReceived) and text in e.text]


def listen(rig: Rig, adapter: Adapter, cursor: str | None = None) -> Listener:
    """A listener that has started only when the network would tell it of a stranger."""
    return Listener(adapter, cursor, rig.listening)


def stream(adapter: Adapter, cursor: str | None) -> AsyncGenerator[tuple[Sequence[PlatformEvent], str]]:
    """The adapter's iterator, closable."""
    return cast("AsyncGenerator[tuple[Sequence[PlatformEvent], str]]", adapter.events(cursor))


async def approach(rig: Rig, adapter: Adapter, person: str, kind: Kind, text: str) -> str:
    """Somebody writes to the account; a reply answers a fresh post of ours. Returns the network's id."""
    to = (await publish(rig, adapter, unique("Something to answer")))[1] if kind is Kind.REPLY else None
    return rig.say(person, kind, text, to=to)


async def hear(rig: Rig, adapter: Adapter, person: str, kind: Kind, text: str) -> MessageReceived:
    """Somebody writes, and the adapter hears it."""
    async with listen(rig, adapter) as listener:
        await listener.started()
        await approach(rig, adapter, person, kind, text)
        return await listener.message(text)


def picture(rig: Rig, alt: str) -> Media:
    """A small real PNG, kept where the adapter's context looks for it."""
    data = _png(8)
    digest = sha256(data).hexdigest()
    rig.bench.pictures[digest] = data
    return Media(digest, "image/png", len(data), alt, 8, 8)


def _png(side_px: int) -> bytes:
    rows = b"".join(b"\0" + b"\x20\x80\xc0" * side_px for _ in range(side_px))
    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def too_long_for_one(adapter: Adapter, *, private: bool = False) -> str:
    """A text of 3,000 characters or more that the platform doesn't take in one piece."""
    limits = adapter.profile.limits
    return text_of(max(3000, 2 * (limits.direct_max if private else limits.text_max)) // 6)


def text_of(words: int) -> str:
    """Sentences of words that are all different, in paragraphs: about seven characters a word."""
    numbered = [f"w{i:05d}" for i in range(words)]
    sentences = [" ".join(numbered[i : i + 9]) + "." for i in range(0, words, 9)]
    return "\n\n".join(" ".join(sentences[i : i + 4]) for i in range(0, len(sentences), 4))

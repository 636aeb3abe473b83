"""One Bluesky face on loopback and accounts that talk to it through the real library; and a server of bare bytes."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from msgspec import structs

from adapters.bluesky.adapter import BlueskyAdapter, open_account
from adapters.bluesky.profile import Settings
from adapters.sandbox.bluesky import BlueskyFace
from adapters.sandbox.control import Sandbox, build
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.world import Message
from gateway.clock import SystemClock
from gateway.model.content import Document
from gateway.model.delivery import Draft, Fault, FaultError, Part, Receipt, Target, Timeline
from gateway.model.ids import AccountId, DraftId, MessageRef, WorkspaceId
from gateway.model.secret import Secret
from gateway.testing.kit import Bench
from gateway.text.plain import from_text

CREATE = "com.atproto.server.createSession"
REFRESH = "com.atproto.server.refreshSession"


class Rig:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        face = sandbox.faces["bluesky"]
        assert isinstance(face, BlueskyFace)
        self.face = face
        self.bench = Bench("bluesky/main", SystemClock())
        self.opened: list[BlueskyAdapter] = []

    @property
    def member(self) -> Any:
        return self.face.network.member("agent")

    def settings(self, **changes: Any) -> Settings:
        given = self.face.account()
        keys = {key: value for key, value in given["settings"].items() if key not in ("id", "password")}
        password = given["environment"][given["settings"]["password"]["env"]]
        return structs.replace(Settings(password=Secret(password), **{**keys, "poll_s": 0.01}), **changes)

    async def open(self, **changes: Any) -> BlueskyAdapter:
        adapter = await open_account(self.settings(**changes), self.bench.context)
        self.opened.append(adapter)
        return adapter

    async def aclose(self) -> None:
        for adapter in self.opened:
            await adapter.aclose()
        await self.sandbox.stop()

    def strike(self, kind: str, **options: Any) -> None:
        self.face.faults.add(Rule(Trouble(kind), **options))

    def held(self) -> list[Message]:
        return self.face.network.held_by("agent")

    def called(self, nsid: str) -> int:
        return self.face.calls.count(nsid)


@pytest.fixture(name="rig")
async def bluesky_rig() -> AsyncIterator[Rig]:
    sandbox = build(["bluesky"])
    await sandbox.start()
    rig = Rig(sandbox)
    yield rig
    await rig.aclose()
    gc.collect()  # what was left open complains here, in the test that left it


class _Times:
    """Each plan's own moment, as the gateway gives it."""

    def __init__(self) -> None:
        self._last = datetime.now(UTC)

    def next(self) -> datetime:
        self._last = max(self._last + timedelta(microseconds=1), datetime.now(UTC))
        return self._last


_times = _Times()


def draft(said: str | Document, target: Target | None = None, *, to: MessageRef | None = None) -> Draft:
    return Draft(
        DraftId("d1"),
        WorkspaceId("default"),
        AccountId("bluesky/main"),
        target or Timeline(),
        from_text(said) if isinstance(said, str) else said,
        datetime.now(UTC),
        "key",
        in_reply_to=to,
    )


def one_part(adapter: BlueskyAdapter, said: str | Document, target: Target | None = None, **more: Any) -> Part:
    (part,) = adapter.plan(draft(said, target, **more), _times.next())
    return part


async def send_all(adapter: BlueskyAdapter, one: Draft) -> list[Receipt]:
    """A draft's parts in order, each told what it follows, as the outbox does it."""
    receipts: list[Receipt] = []
    for part in adapter.plan(one, _times.next()):
        told = structs.replace(part, previous=receipts[-1].ref, first=receipts[0].ref) if receipts else part
        receipts.append(await adapter.send(told))
    return receipts


async def fault_of(awaitable: Any) -> Fault:
    with pytest.raises(FaultError) as caught:
        await awaitable
    return caught.value.fault


class Ear:
    """Reads ``events()`` as the runtime does, one arrival after the other."""

    def __init__(self, adapter: BlueskyAdapter, cursor: str | None = None) -> None:
        self.stream = cast("Any", adapter.events(cursor))
        self.cursor = cursor
        self.heard: list[Any] = []

    async def until(self, count: int) -> list[Any]:
        async with asyncio.timeout(30):
            while len(self.heard) < count:
                await self.step()
        return self.heard

    async def step(self) -> Sequence[Any]:
        events, self.cursor = await anext(self.stream)
        self.heard.extend(events)
        return cast("Sequence[Any]", events)


@asynccontextmanager
async def listening(adapter: BlueskyAdapter, cursor: str | None = None) -> AsyncIterator[Ear]:
    """What is said from here on is heard; with a cursor, what was missed too."""
    ear = Ear(adapter, cursor)
    async with aclosing(ear.stream):
        if cursor is None:
            await ear.step()
        yield ear


@asynccontextmanager
async def raw_server(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers every request with these bytes, or never. Gives its address and what it was asked."""
    asked: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
                writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)

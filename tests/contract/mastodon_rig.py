"""An account of ours on the sandbox's instance, and a scripted server for trouble that the sandbox can't make."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from adapters.mastodon.adapter import MastodonAdapter, open_account
from adapters.mastodon.profile import Settings
from adapters.sandbox.control import Sandbox, serve
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.mastodon import MastodonFace
from adapters.sandbox.world import Message
from gateway.clock import SystemClock
from gateway.model.content import Document
from gateway.model.delivery import Draft, Fault, FaultError, Receipt, Target, Timeline
from gateway.model.events import MessageReceived, PlatformEvent
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DraftId
from gateway.model.secret import Secret
from gateway.ports import Clock
from gateway.testing.kit import Bench
from gateway.text.plain import from_text

ACCOUNT = "mastodon/main"
TOKEN = "mastodon-token-of-agent"
WAIT_S = 20.0
"""For what comes over loopback when all is well; nothing waits that long."""

_numbers = itertools.count(1)


class Rig:
    """One instance and one account there."""

    def __init__(self, sandbox: Sandbox, face: MastodonFace) -> None:
        self.sandbox = sandbox
        self.face = face
        self.bench = Bench(ACCOUNT, SystemClock())
        self._opened: list[MastodonAdapter] = []
        face.account()

    async def open(self, clock: Clock | None = None, **settings: Any) -> MastodonAdapter:
        if clock is not None:
            pictures = self.bench.pictures
            self.bench = Bench(ACCOUNT, clock)
            self.bench.pictures = pictures
        adapter = await opened(self.face.url, self.bench, **settings)
        self._opened.append(adapter)
        return adapter

    async def close(self) -> None:
        for adapter in self._opened:
            await adapter.aclose()
        await self.sandbox.stop()

    def strike(self, trouble: Trouble, **options: Any) -> None:
        self.face.faults.add(Rule(trouble, **options))

    def held(self) -> list[Message]:
        return self.face.network.held_by("agent")

    def outcomes(self) -> list[str]:
        return [attempt.outcome for attempt in self.face.network.attempts]


async def opened(server: str, bench: Bench, **settings: Any) -> MastodonAdapter:
    adapter = await open_account(
        Settings(server=server, access_token=Secret(TOKEN), **{"poll_s": 60.0, **settings}), bench.context
    )
    assert isinstance(adapter, MastodonAdapter)
    return adapter


@pytest.fixture(name="rig")
async def mastodon_rig() -> AsyncGenerator[Rig]:
    sandbox = await serve(names=["mastodon"])
    face = sandbox.faces["mastodon"]
    assert isinstance(face, MastodonFace)
    rig = Rig(sandbox, face)
    yield rig
    await rig.close()


@pytest.fixture(name="account")
async def mastodon_account(rig: Rig) -> MastodonAdapter:
    return await rig.open()


def draft(said: str | Document, target: Target | None = None, **more: Any) -> Draft:
    number = next(_numbers)
    return Draft(
        id=DraftId(f"draft{number}"),
        workspace=DEFAULT_WORKSPACE,
        account=AccountId(ACCOUNT),
        target=target or Timeline(),
        document=from_text(said) if isinstance(said, str) else said,
        created_at=datetime.now(UTC),
        key=f"key{number}",
        **more,
    )


async def send(adapter: MastodonAdapter, said: Draft) -> list[Receipt]:
    """Plan and send as the outbox does."""
    receipts: list[Receipt] = []
    for part in adapter.plan(said, datetime.now(UTC)):
        follows = {"previous": receipts[-1].ref, "first": receipts[0].ref} if receipts else {}
        receipts.append(await adapter.send(structs.replace(part, **follows)))
    return receipts


async def refusal(work: Awaitable[Any]) -> Fault:
    """The fault of something that must not succeed."""
    try:
        result = await work
    except FaultError as error:
        return error.fault
    raise AssertionError(f"it succeeded: {result}")


class Heard:
    """What an adapter has received, stored as the gateway stores it."""

    def __init__(self, adapter: MastodonAdapter, cursor: str | None) -> None:
        self._adapter = adapter
        self._pulse = asyncio.Event()
        self.cursor = cursor
        self.events: list[PlatformEvent] = []
        self.fault: Fault | None = None

    async def listen(self) -> None:
        try:
            async with aclosing(self._adapter.events(self.cursor)) as arrivals:  # type: ignore[type-var]  # a generator
                async for events, cursor in arrivals:
                    self.events += events
                    self.cursor = cursor
                    self._pulse.set()
        except FaultError as error:
            self.fault = error.fault
        finally:
            self._pulse.set()

    async def until(self, condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(WAIT_S):
            while not (result := condition()):
                self._pulse.clear()
                await self._pulse.wait()
        return result

    def messages(self) -> list[MessageReceived]:
        return [event for event in self.events if isinstance(event, MessageReceived)]

    async def message(self, text: str) -> MessageReceived:
        await self.until(lambda: any(text in m.text for m in self.messages()))
        return next(m for m in self.messages() if text in m.text)


@asynccontextmanager
async def listening(adapter: MastodonAdapter, cursor: str | None = None) -> AsyncGenerator[Heard]:
    heard = Heard(adapter, cursor)
    task = asyncio.create_task(heard.listen())
    try:
        await heard.until(lambda: heard.cursor is not None or heard.fault)
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something that happens in the network."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


ME = {"id": "1", "acct": "agent"}
STATUS = {
    "id": "113",
    "created_at": "2026-11-22T12:00:00.000Z",
    "visibility": "public",
    "account": ME,
    "content": "<p>hello</p>",
}


def reply(body: Any, status: int = 200, **headers: str) -> bytes:
    """A raw HTTP answer. ``body`` is bytes as they are, or something to encode."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + content


class Stub:
    """Answers what it is told to: by ``METHOD /path`` a raw answer, or a function that writes one itself."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._talks: set[asyncio.Task[Any]] = set()
        self.answers: dict[str, Any] = {
            "GET /api/v1/accounts/verify_credentials": reply(ME),
            "GET /api/v2/instance/": reply({"domain": "stub.example"}),
            "GET /api/v1/notifications": reply([]),
            "POST /api/v1/statuses": reply(STATUS),
        }

    async def hang_up(self) -> None:
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._talks.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await self._talk(reader, writer)
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                self.bodies.append(await reader.readexactly(int(fields.get("content-length", "0"))))
                method, target, _ = head.split(" ", 2)
                name = f"{method} {target.partition('?')[0]}"
                self.asked.append(name)
                answer = self.answers.get(name, reply({"error": "Record not found"}, 404))
                if callable(answer):
                    await answer(writer)
                else:
                    writer.write(answer)
                await writer.drain()
                if writer.is_closing():
                    return


@asynccontextmanager
async def stub_server(tls: ssl.SSLContext | None = None) -> AsyncGenerator[Stub]:
    stub = Stub()
    server = await asyncio.start_server(stub.talk, "127.0.0.1", 0, ssl=tls)
    stub.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield stub
    finally:
        server.close()
        await stub.hang_up()
        await server.wait_closed()


@asynccontextmanager
async def stubbed(clock: Clock | None = None, **settings: Any) -> AsyncGenerator[tuple[Stub, MastodonAdapter]]:
    """An account on a scripted server."""
    async with stub_server() as stub:
        adapter = await opened(stub.url, Bench(ACCOUNT, clock or SystemClock()), **settings)
        try:
            yield stub, adapter
        finally:
            await adapter.aclose()

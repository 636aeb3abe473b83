"""What Telegram's contract tests stand on: its face with an adapter, and a server that answers whatever it is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from conformance_rig import SandboxRig, platform_named

from adapters.sandbox.control import serve
from adapters.sandbox.telegram import TelegramFace
from adapters.telegram.adapter import TelegramAdapter, open_account
from adapters.telegram.profile import Settings
from gateway.clock import SystemClock
from gateway.model.delivery import Part
from gateway.model.secret import Secret
from gateway.ports import Clock
from gateway.testing.kit import Bench

TOKEN = "7000000001:AAsecretsecretsecretsecretsecretsec"
PART = Part(0, "post", "d1.0", {"method": "sendMessage", "chat_id": -5, "text": "Hello"}, "-5")
SENT = b'{"ok":true,"result":{"message_id":5,"date":1795000000,"chat":{"id":-5,"type":"supergroup"},"text":"Hello"}}'

Answer = Callable[[str], bytes | None]
"""From a request's path to a whole HTTP answer; ``None`` never answers."""


@pytest.fixture(name="rig")
async def telegram_rig() -> AsyncIterator[SandboxRig]:
    made = SandboxRig(platform_named("telegram"), await serve(names=["telegram"]))
    yield made
    await made.close()


async def opened(rig: SandboxRig) -> TelegramAdapter:
    adapter = await rig.open()
    assert isinstance(adapter, TelegramAdapter)
    return adapter


def face_of(rig: SandboxRig) -> TelegramFace:
    assert isinstance(rig.face, TelegramFace)
    return rig.face


def http(body: bytes, status: str = "200 OK", *, kind: str = "application/json", head: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


class Stub:
    """A server of raw answers, which counts who is talking to it."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[str] = []
        self.connections = 0
        self.busy = 0
        self.busiest = 0
        self.url = ""
        self.hold = asyncio.Event()
        self.hold.set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                body = await reader.readexactly(int(length.group(1))) if length else b""
                await self._say(head.split(b" ")[1].decode() + "?" + body.decode("utf-8", "replace"), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _say(self, request: str, writer: asyncio.StreamWriter) -> None:
        self.requests.append(request)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await self.hold.wait()
        self.busy -= 1
        answer = self.answer(request)
        if answer is not None:
            writer.write(answer)
            await writer.drain()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def stub(answer: Answer) -> AsyncIterator[Stub]:
    made = Stub(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = "http://{}:{}".format(*server.sockets[0].getsockname()[:2])
    try:
        yield made
    finally:
        server.close()
        made.hold.set()
        made.cut()
        await asyncio.sleep(0)
        await server.wait_closed()


@asynccontextmanager
async def adapter_at(
    server: str, *, clock: Clock | None = None, token: str = TOKEN, **settings: Any
) -> AsyncIterator[TelegramAdapter]:
    bench = Bench("telegram/main", clock or SystemClock())
    adapter = await open_account(Settings(token=Secret(token), server=server, **settings), bench.context)
    try:
        yield adapter
    finally:
        await adapter.aclose()

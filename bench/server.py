"""Five platforms that answer at once and know nothing: what is measured is the client.

    python bench/server.py [--cpu N]

Raw asyncio protocols and canned bodies (bodies.py), one port, a process and a core of its own. It measures what only
the other end can see: when a reply arrived, which platform was listened to when, and when a post that one platform
refused was seen on the next. It prints its address and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import itertools
import json
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import bodies
from cores import pin

CHATS = 64
POLL_S = 25.0
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_JSON = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:)\n\r\n"


class Echo:
    """A closed loop with one bot: say something, wait for the reply, note how long it took, say the next."""

    def __init__(self, say: Callable[[int, int], None], count: int) -> None:
        self._say = say
        self._left = count
        self._said_at = 0.0
        self.took_ms: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def go_on(self) -> None:
        self._left -= 1
        number = next(NUMBERS)
        self._say(number, 1000 + number % CHATS)

    def said(self) -> None:
        self._said_at = time.perf_counter()

    def replied(self, at: float) -> None:
        if not self._said_at:
            return
        self.took_ms.append((at - self._said_at) * 1e3)
        self._said_at = 0.0
        if self._left > 0:
            asyncio.get_running_loop().call_soon(self.go_on)  # the reply is answered first
        elif not self.done.done():
            self.done.set_result(None)


NUMBERS = itertools.count(2_000_000)


class Bot:
    """One Telegram bot's queue or one Discord bot's socket, by token."""

    def __init__(self) -> None:
        self.waiting: Wire | None = None
        self.unread: list[tuple[int, int]] = []
        self.socket: Wire | None = None
        self.echo: Echo | None = None
        self.sequence = 1

    def say_telegram(self, number: int, chat: int) -> None:
        """An update; its time counts from when it is handed to a waiting getUpdates."""
        self.unread.append((number, chat))
        self.deliver()

    def deliver(self) -> None:
        if self.waiting is None or not self.unread:
            return
        wire, self.waiting = self.waiting, None
        if self.echo is not None:
            self.echo.said()
        wire.answer(bodies.telegram_heard(*self.unread.pop(0)))

    def say_discord(self, number: int, chat: int) -> None:
        assert self.socket is not None  # noqa: S101  # for the type checker
        self.sequence += 1
        event = {"op": 0, "s": self.sequence, "t": "MESSAGE_CREATE", "d": bodies.discord_heard(number, chat)}
        if self.echo is not None:
            self.echo.said()
        self.socket.frame(event)


class Bench:
    """What is known of all connections."""

    def __init__(self) -> None:
        self.url = ""
        self.bots: dict[str, Bot] = {}
        self.suspended = False
        self.refused: dict[str, float] = {}
        self.seen_after_s: list[float] = []
        self.listened: dict[str, float] = {}
        self.sends = 0

    def bot(self, token: str) -> Bot:
        return self.bots.setdefault(token, Bot())

    def listens(self, platform: str) -> None:
        self.listened.setdefault(platform, time.time())

    async def control(self, wire: Wire, asked: dict[str, Any]) -> None:
        match asked["do"]:
            case "echo":
                wire.answer(json.dumps(await self._echo(asked)).encode())
                return
            case "suspend":
                self.suspended, self.refused, self.seen_after_s = asked["on"], {}, []
            case "forget":
                self.listened = {}
        state = {"cpu_s": time.process_time(), "seen_after_s": self.seen_after_s, "listened": self.listened}
        wire.answer(json.dumps({**state, "sends": self.sends}).encode())

    async def _echo(self, asked: dict[str, Any]) -> list[float]:
        bot = self.bot(asked["token"])
        say = bot.say_telegram if asked["platform"] == "telegram" else bot.say_discord
        bot.echo = Echo(say, asked["count"])
        bot.echo.go_on()
        await asyncio.wait_for(bot.echo.done, 60)
        return bot.echo.took_ms


class Wire(asyncio.Protocol):
    """One connection: HTTP/1.1 with a length to every body, or a websocket after an upgrade."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._buffer = b""
        self._speaks = self._http
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while self._speaks():
            pass

    def answer(self, body: bytes, status: int = 200) -> None:
        self._transport.write(_JSON % (status, len(body), body))

    # HTTP.

    def _http(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._buffer[:end]
        size = _length(head)
        if len(self._buffer) < end + 4 + size:
            return False
        body = self._buffer[end + 4 : end + 4 + size]
        self._buffer = self._buffer[end + 4 + size :]
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
        path = target.split(b"?", 1)[0].decode()
        for prefix, respond in ROUTES:
            if path.startswith(prefix):
                respond(self, self._bench, method.decode(), path, head, body)
                return True
        self.answer(b'{"error":"no such path"}', 404)
        return True

    def upgrade(self, head: bytes) -> None:
        key = _header(head, b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + _ACCEPT).digest())  # noqa: S324  # RFC 6455 wants this one
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._transport.write(answer + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self._speaks = self._websocket
        self.frame({"op": 10, "s": None, "t": None, "d": {"heartbeat_interval": 41_250}})

    def stream(self) -> None:
        self._transport.write(_STREAM)

    def control(self, asked: dict[str, Any]) -> None:
        task = asyncio.create_task(self._bench.control(self, asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Discord's gateway.

    def frame(self, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack("!H", len(data))
        self._transport.write(b"\x81" + size + data)

    def _websocket(self) -> bool:
        if len(self._buffer) < 6:
            return False
        size, begin = self._buffer[1] & 0x7F, 2
        if size == 126:
            size, begin = struct.unpack("!H", self._buffer[2:4])[0], 4
        if len(self._buffer) < begin + 4 + size:
            return False
        key, data = self._buffer[begin : begin + 4], self._buffer[begin + 4 : begin + 4 + size]
        opcode = self._buffer[0] & 0x0F
        self._buffer = self._buffer[begin + 4 + size :]
        if opcode == 8:
            self._transport.close()
        elif opcode in (1, 2):
            self._hear(json.loads(bytes(byte ^ key[place % 4] for place, byte in enumerate(data))))
        return True

    def _hear(self, said: dict[str, Any]) -> None:
        if said["op"] == 1:
            self.frame({"op": 11, "s": None, "t": None, "d": None})
        elif said["op"] == 2:
            self._bench.listens("discord")
            self._bench.bot(said["d"]["token"]).socket = self
            ready = bodies.discord_ready(self._bench.url.replace("http", "ws", 1) + "/gw")
            self.frame({"op": 0, "s": 1, "t": "READY", "d": ready})


def _length(head: bytes) -> int:
    found = _header(head, b"content-length")
    return int(found) if found else 0


def _header(head: bytes, name: bytes) -> bytes:
    at = head.lower().find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    start = at + len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else None].strip()


# The platforms. Each takes the connection, what is known, and the request.


def _x(wire: Wire, bench: Bench, method: str, path: str, _head: bytes, body: bytes) -> None:
    if method == "POST" and path == "/2/tweets":
        if bench.suspended:
            bench.refused.setdefault(json.loads(body)["text"], time.perf_counter())
            wire.answer(bodies.X_SUSPENDED, 403)
            return
        bench.sends += 1
        number = next(NUMBERS)
        wire.answer(bodies.X_POST % (number, number), 201)
    elif path == "/2/users/me":
        wire.answer(*((bodies.X_SUSPENDED, 403) if bench.suspended else (bodies.X_ME, 200)))
    else:
        if path.endswith("/mentions"):
            bench.listens("x")
        wire.answer(bodies.X_NOTHING)


def _discord(wire: Wire, bench: Bench, method: str, path: str, head: bytes, _body: bytes) -> None:
    if method == "POST" and path.endswith("/messages"):
        bench.sends += 1
        bot = bench.bots.get(_header(head, b"authorization").decode().removeprefix("Bot "))
        if bot is not None and bot.echo is not None:
            bot.echo.replied(time.perf_counter())
        wire.answer(bodies.DISCORD_SENT % (next(NUMBERS), int(path.split("/")[-2])))
    elif path.endswith("/@me"):
        wire.answer(bodies.DISCORD_APPLICATION if "/applications/" in path else bodies.DISCORD_ME)
    elif "/gateway" in path:
        gateway = json.dumps({"url": bench.url.replace("http", "ws", 1) + "/gw", "shards": 1})
        wire.answer(gateway.encode())
    else:
        wire.answer(b"[]")


def _telegram(wire: Wire, bench: Bench, _method: str, path: str, _head: bytes, body: bytes) -> None:
    token, _, call = path.removeprefix("/bot").partition("/")
    if call == "sendMessage":
        bench.sends += 1
        bot = bench.bots.get(token)
        if bot is not None and bot.echo is not None:
            bot.echo.replied(time.perf_counter())
        wire.answer(bodies.TELEGRAM_SENT % (next(NUMBERS), 1000))
    elif call == "getUpdates":
        bench.listens("telegram")
        _poll(wire, bench.bot(token), body)
    else:
        wire.answer(bodies.TELEGRAM_ME if call == "getMe" else bodies.TELEGRAM_TRUE)


def _poll(wire: Wire, bot: Bot, body: bytes) -> None:
    if b"timeout=0" in body or b"timeout=" not in body:
        wire.answer(bodies.TELEGRAM_NOTHING)
        return
    bot.waiting = wire
    asyncio.get_running_loop().call_later(POLL_S, _end_poll, wire, bot)
    bot.deliver()


def _end_poll(wire: Wire, bot: Bot) -> None:
    if bot.waiting is wire:
        bot.waiting = None
        wire.answer(bodies.TELEGRAM_NOTHING)


def _bluesky(wire: Wire, bench: Bench, _method: str, path: str, _head: bytes, body: bytes) -> None:
    call = path.rpartition(".")[2]
    if call in ("putRecord", "createRecord"):
        bench.sends += 1
        number = next(NUMBERS)
        if bench.refused:
            _seen(bench, json.loads(body)["record"]["text"])
        wire.answer(bodies.BLUESKY_SENT % (number, number))
    elif call in ("createSession", "refreshSession"):
        wire.answer(bodies.bluesky_session())
    elif call == "listNotifications":
        bench.listens("bluesky")
        wire.answer(bodies.BLUESKY_NOTHING)
    elif call == "getProfile":
        wire.answer(bodies.BLUESKY_PROFILE)
    else:
        wire.answer(bodies.BLUESKY_NO_CHAT if call == "getLog" else bodies.BLUESKY_WHO)


def _seen(bench: Bench, text: str) -> None:
    refused_at = bench.refused.pop(text, None)
    if refused_at is not None:
        bench.seen_after_s.append(time.perf_counter() - refused_at)


def _mastodon(wire: Wire, bench: Bench, method: str, path: str, _head: bytes, _body: bytes) -> None:
    if method == "POST" and path == "/api/v1/statuses":
        bench.sends += 1
        number = next(NUMBERS)
        wire.answer(bodies.MASTODON_SENT % (number, number, number))
    elif path.endswith("/verify_credentials"):
        wire.answer(bodies.MASTODON_ME)
    elif "/instance" in path:
        wire.answer(bodies.mastodon_instance(bench.url))
    elif "/streaming/" in path:
        wire.stream()
    else:
        if path.endswith("/notifications"):
            bench.listens("mastodon")
        wire.answer(b"[]")


def _gateway(wire: Wire, _bench: Bench, _method: str, _path: str, head: bytes, _body: bytes) -> None:
    wire.upgrade(head)


def _control(wire: Wire, _bench: Bench, _method: str, _path: str, _head: bytes, body: bytes) -> None:
    wire.control(json.loads(body))


ROUTES: tuple[tuple[str, Callable[[Wire, Bench, str, str, bytes, bytes], None]], ...] = (
    ("/bot", _telegram),
    ("/2/", _x),
    ("/api/v10/", _discord),
    ("/xrpc/", _bluesky),
    ("/api/", _mastodon),
    ("/gw", _gateway),
    ("/bench", _control),
)


async def serve() -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    bench = Bench()
    server = await loop.create_server(lambda: Wire(bench), "127.0.0.1", 0)
    bench.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(json.dumps({"url": bench.url}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cpu", type=int, default=None)
    pin(parser.parse_args().cpu)
    asyncio.run(serve())

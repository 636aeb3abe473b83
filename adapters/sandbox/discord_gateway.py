"""Discord's gateway: sessions that outlive their sockets, and the frames that go through them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from adapters.sandbox import discord_bodies as bodies
from adapters.sandbox.face import drop
from adapters.sandbox.faults import Faults, Trouble
from adapters.sandbox.world import Member

GUILD_MEMBERS = 1 << 1
GUILD_MESSAGES = 1 << 9
GUILD_REACTIONS = 1 << 10
DIRECT_MESSAGES = 1 << 12
DIRECT_REACTIONS = 1 << 13
MESSAGE_CONTENT = 1 << 15

CLOSE_CODES = tuple(str(code) for code in range(4000, 4015))
"""topics/opcodes-and-status-codes."""

MALFORMED: tuple[str, dict[str, Any]] = (
    "MESSAGE_CREATE",
    {"id": None, "channel_id": {}, "author": "nobody", "content": 7, "mentions": 3},
)


class Socket:
    """One open websocket: frames leave in the order they were put."""

    def __init__(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        self._request = request
        self._ws = ws
        self._frames: asyncio.Queue[str | int] = asyncio.Queue()
        self.closing = False
        self.mute = False

    def put(self, frame: dict[str, Any]) -> None:
        if not self.mute:
            self._frames.put_nowait(json.dumps(frame))

    def put_raw(self, text: str) -> None:
        self._frames.put_nowait(text)

    def close(self, code: int) -> None:
        """Close with Discord's code, after what was put before."""
        self._frames.put_nowait(code)

    def abort(self) -> None:
        drop(self._request)

    async def pump(self) -> None:
        while True:
            frame = await self._frames.get()
            if isinstance(frame, int):
                self.closing = True
                await self._ws.close(code=frame)
                return
            await self._ws.send_str(frame)

    async def finish(self, pump: asyncio.Task[None]) -> None:
        """End the pump, but let it say goodbye first where it has begun to."""
        if self.closing:
            await asyncio.wait({pump}, timeout=1)
        pump.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError, RuntimeError):
            await pump


@dataclass
class Session:
    """What RESUME comes back to: the events of the last minutes and how far they count."""

    id: str
    member: Member
    intents: int
    sequence: int = 0
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=1000))
    socket: Socket | None = None
    left_at_s: float = 0.0
    """When its socket went; it can be resumed for a while."""

    def dispatch(self, event: str, data: dict[str, Any]) -> None:
        self.sequence += 1
        frame = {"op": 0, "s": self.sequence, "t": event, "d": data}
        self.events.append(frame)
        if self.socket is not None:
            self.socket.put(frame)


class Gateway:
    """Every session of the network's bots."""

    def __init__(
        self, faults: Faults, find: Callable[[str], Member | None], welcome: Callable[[Session], None]
    ) -> None:
        self._faults = faults
        self._find = find
        self._welcome = welcome
        self.sessions: dict[str, Session] = {}
        self.identified: list[str] = []
        """Handles in the order of their IDENTIFYs."""
        self.resumed: list[str] = []
        self.heartbeat_ms = 41_250
        self.memory_s = 120.0
        """How long a session outlives its socket."""
        self.portal_intents = GUILD_MEMBERS | MESSAGE_CONTENT
        """Privileged intents that the developer portal grants."""

    def of(self, account: str | None) -> list[Session]:
        return [s for s in self.sessions.values() if account in (None, s.member.handle)]

    @property
    def entered(self) -> int:
        """How often anybody came in, by IDENTIFY or RESUME."""
        return len(self.identified) + len(self.resumed)

    def open_sockets(self, account: str | None = None) -> int:
        return sum(session.socket is not None for session in self.of(account))

    def forget(self, older_than_s: float = 0.0) -> None:
        """Sessions that nobody came back for are over."""
        now = time.monotonic()
        for session in list(self.sessions.values()):
            if session.socket is None and now - session.left_at_s >= older_than_s:
                del self.sessions[session.id]

    def publish(self, member: Member, intent: int, event: str, data: dict[str, Any]) -> None:
        """Tell every session of a bot that asked for the intent."""
        for session in self.of(member.handle):
            if not intent or session.intents & intent:
                if self._faults.find(Trouble.MALFORMED_EVENT, member.handle, on="stream"):
                    session.dispatch(*MALFORMED)
                session.dispatch(event, self._seen_by(session, data))

    def _seen_by(self, session: Session, data: dict[str, Any]) -> dict[str, Any]:
        """Without the message content intent a guild's words are blank unless they name the bot."""
        if session.intents & MESSAGE_CONTENT or "content" not in data or "guild_id" not in data:
            return data
        named = data["author"]["id"] == session.member.id or any(
            user["id"] == session.member.id for user in data["mentions"]
        )
        return data if named else data | {"content": "", "attachments": [], "embeds": [], "components": []}

    def enforce(self) -> None:
        """What the book of troubles now says of open connections."""
        for session in list(self.sessions.values()):
            handle = session.member.handle
            if self._faults.active(Trouble.SUSPEND, handle) or self._faults.active(Trouble.REVOKE, handle):
                self.end(session, 4004)
            elif self._faults.active(Trouble.OUTAGE, handle) and session.socket is not None:
                session.socket.abort()

    def end(self, session: Session, code: int) -> None:
        """Close for good: nothing to resume."""
        self.sessions.pop(session.id, None)
        if session.socket is not None:
            session.socket.close(code)

    def cut(self, account: str | None = None) -> None:
        for session in self.of(account):
            if session.socket is not None:
                session.socket.abort()

    def mute(self, account: str | None = None) -> None:
        """Open sockets stay so, but neither acknowledge heartbeats any more nor tell of anything."""
        for session in self.of(account):
            if session.socket is not None:
                session.socket.mute = True

    def close(self, code: int, account: str | None = None) -> None:
        """Close sockets with a code; their sessions can be resumed."""
        for session in self.of(account):
            if session.socket is not None:
                session.socket.close(code)

    def reconnect(self, account: str | None = None) -> None:
        """Opcode 7: come back and resume."""
        for session in self.of(account):
            if session.socket is not None:
                session.socket.put({"op": 7, "d": None})

    def invalidate(self, account: str | None = None, *, resumable: bool = False) -> None:
        """Opcode 9: the session is over, or (``resumable``) may be resumed on a new connection."""
        for session in self.of(account):
            if not resumable:
                self.sessions.pop(session.id, None)
            if session.socket is not None:
                session.socket.put({"op": 9, "d": resumable})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One websocket, from HELLO to its close."""
        if self._faults.active(Trouble.OUTAGE):
            return drop(request)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        socket = Socket(request, ws)
        socket.put({"op": 10, "s": None, "t": None, "d": {"heartbeat_interval": self.heartbeat_ms}})
        pump = asyncio.create_task(socket.pump())
        try:
            await self._listen(ws, socket)
        finally:
            await socket.finish(pump)
            self._left(socket, ws.close_code)
        return ws

    def _left(self, socket: Socket, code: int | None) -> None:
        for session in list(self.sessions.values()):
            if session.socket is socket:
                session.socket = None
                session.left_at_s = time.monotonic()
                if code in (1000, 1001) and not socket.closing:
                    del self.sessions[session.id]

    async def _listen(self, ws: web.WebSocketResponse, socket: Socket) -> None:
        async for frame in ws:
            if frame.type is not WSMsgType.TEXT:
                continue
            try:
                said = json.loads(frame.data)
                op, data = said["op"], said["d"]
            except (ValueError, KeyError, TypeError):
                socket.close(4002)
                continue
            if op == 1:
                socket.put({"op": 11, "s": None, "t": None, "d": None})
            elif op == 2:
                self._identify(socket, data)
            elif op == 6:
                self._resume(socket, data)
            elif op not in (3, 4, 8):
                socket.close(4001)

    def _identify(self, socket: Socket, data: dict[str, Any]) -> None:
        member = self._find(str(data.get("token")))
        intents = int(data.get("intents", 0))
        if member is not None and self._faults.active(Trouble.OUTAGE, member.handle):
            socket.abort()
            return
        code = self._unwelcome(member, intents)
        if member is None or code:
            socket.close(code or 4004)
            return
        self.forget(self.memory_s)
        session = Session(secrets.token_hex(16), member, intents, socket=socket)
        self.sessions[session.id] = session
        self.identified.append(member.handle)
        self._welcome(session)

    def _unwelcome(self, member: Member | None, intents: int) -> int | None:
        """The close code for somebody who may not come in."""
        if member is None:
            return 4004
        if self._faults.active(Trouble.SUSPEND, member.handle) or self._faults.active(Trouble.REVOKE, member.handle):
            return 4004
        if any(rule.kind is Trouble.REFUSE and rule.on == "stream" for rule in self._faults.rules()):
            rule = self._faults.find(Trouble.REFUSE, member.handle, on="stream", action="identify")
            if rule is not None:
                return int(rule.code or 4000)
        privileged = intents & (GUILD_MEMBERS | MESSAGE_CONTENT | 1 << 8)
        return 4014 if privileged & ~self.portal_intents else None

    def _resume(self, socket: Socket, data: dict[str, Any]) -> None:
        session = self.sessions.get(str(data.get("session_id")))
        member = self._find(str(data.get("token")))
        if session is None or member is not session.member:
            socket.put({"op": 9, "d": False})
            return
        if self._faults.active(Trouble.OUTAGE, member.handle):
            socket.abort()
            return
        session.socket = socket
        self.resumed.append(member.handle)
        for frame in [event for event in session.events if event["s"] > int(data.get("seq") or 0)]:
            socket.put(frame)
        session.dispatch("RESUMED", {"_trace": []})


def ready(session: Session, guild_id: str, url: str) -> dict[str, Any]:
    """READY's data: guilds come unavailable, each follows in its GUILD_CREATE."""
    return {
        "v": 10,
        "user": bodies.user(session.member) | {"verified": True, "mfa_enabled": False, "email": None, "flags": 0},
        "guilds": [{"id": guild_id, "unavailable": True}],
        "private_channels": [],
        "relationships": [],
        "presences": [],
        "user_settings": {},
        "geo_ordered_rtc_regions": [],
        "session_id": session.id,
        "session_type": "normal",
        "resume_gateway_url": url,
        "application": {"id": session.member.id, "flags": 0},
    }

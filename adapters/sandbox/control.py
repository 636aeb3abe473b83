"""The sandbox as a server: five faces on ports of their own, and one port to rule the world from."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

from aiohttp import web
from yarl import URL

from adapters.sandbox.face import Face
from adapters.sandbox.faults import LONGEST_S, Faults, Trouble, read_rule
from adapters.sandbox.world import Message, Network, utc_now

FACES = {
    "x": "adapters.sandbox.x:XFace",
    "discord": "adapters.sandbox.discord:DiscordFace",
    "telegram": "adapters.sandbox.telegram:TelegramFace",
    "bluesky": "adapters.sandbox.bluesky:BlueskyFace",
    "mastodon": "adapters.sandbox.mastodon:MastodonFace",
}


log = logging.getLogger("multihome.sandbox")

SPOKEN_MAX = 100_000
"""Characters one person may say at once: enough to overrun every platform's limit."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class Sandbox:
    """Faces that listen on loopback. Use :func:`serve` to start one."""

    def __init__(self, faces: dict[str, Face]) -> None:
        self.faces = faces
        self.url = ""
        self._runners: list[web.AppRunner] = []
        self._houses: dict[str, tuple[web.AppRunner, web.TCPSite]] = {}

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. The control answers on ``port`` and the faces on those after it, in their order; 0: on any free ones.

        Raises OSError when a port is taken; nothing listens then.
        """
        try:
            self.url = await self._listen(self._control(), host, port)
            for number, face in enumerate(self.faces.values(), 1):
                app = face.app()
                app.middlewares.insert(0, _told_in_the_log)
                face.url = await self._listen(app, host, port and port + number, face.name)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Listen no more. Safe to call twice."""
        for face in self.faces.values():
            face.cut_streams()
        runners, self._runners = self._runners, []
        await asyncio.gather(*(runner.cleanup() for runner in runners))

    async def down(self, name: str) -> None:
        """A dead host: every connection is cut, and new ones are refused until :meth:`up`."""
        runner, site = self._houses[name]
        if site in runner.sites:
            await site.stop()
        for connection in runner.server.connections if runner.server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()

    async def up(self, name: str) -> None:
        """The host is back, at the same address."""
        runner, site = self._houses[name]
        if site not in runner.sites:
            where = URL(self.faces[name].url)
            site = web.TCPSite(runner, where.host, where.port, reuse_address=True)
            await site.start()
            self._houses[name] = (runner, site)

    async def _listen(self, app: web.Application, host: str, port: int, name: str = "") -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, host, port)
        await site.start()
        if name:
            self._houses[name] = (runner, site)
        address = runner.addresses[0]
        return f"http://{address[0]}:{address[1]}"

    def _control(self) -> web.Application:
        app = web.Application(middlewares=[_one_line])
        app.add_routes(
            [
                web.get("/", self._index),
                web.post("/{network}/accounts", self._account),
                web.post("/{network}/say", self._say),
                web.get("/{network}/messages", self._messages),
                web.get("/{network}/attempts", self._attempts),
                web.get("/{network}/faults", self._list_faults),
                web.post("/{network}/faults", self._add_fault),
                web.delete("/{network}/faults", self._lift_faults),
                web.delete(r"/{network}/faults/{id:\d{1,18}}", self._lift_fault),
                web.post("/{network}/forget", self._forget),
                web.post("/{network}/cut", self._cut),
                web.post("/{network}/down", self._down),
                web.post("/{network}/up", self._up),
            ]
        )
        return app

    def _face(self, request: web.Request) -> Face:
        face = self.faces.get(request.match_info["network"])
        if face is None:
            raise web.HTTPNotFound(text=f"no such network; there are: {', '.join(self.faces)}\n")
        return face

    async def _index(self, _: web.Request) -> web.Response:
        """Each network's address and an account there, ready for a configuration."""
        return web.json_response({name: {"url": face.url, **face.account()} for name, face in self.faces.items()})

    async def _account(self, request: web.Request) -> web.Response:
        body = await _json(request)
        return web.json_response(self._face(request).account(_name(body, "handle", "agent")))

    async def _say(self, request: web.Request) -> web.Response:
        face, body = self._face(request), await _json(request)
        person, kind, text = _name(body, "person"), _text(body, "kind"), _text(body, "text")
        options = {name: value for name, value in body.items() if name not in ("person", "kind", "text")}
        _check_options(options)
        try:
            message = face.say(person, kind, text, **options)
        except KeyError as error:
            raise _bad(f"there is no message {error}") from error
        except (TypeError, ValueError) as error:
            raise _bad(str(error)) from error
        return web.json_response(_plain(message))

    async def _messages(self, request: web.Request) -> web.Response:
        network = self._face(request).network
        by = request.query.get("by")
        messages = network.held_by(by) if by else list(network.messages.values())
        return web.json_response([_plain(message) for message in messages])

    async def _attempts(self, request: web.Request) -> web.Response:
        return web.json_response([dataclasses.asdict(attempt) for attempt in self._face(request).network.attempts])

    async def _list_faults(self, request: web.Request) -> web.Response:
        return web.json_response([dataclasses.asdict(rule) for rule in self._face(request).faults.rules()])

    async def _add_fault(self, request: web.Request) -> web.Response:
        face, body = self._face(request), await _json(request)
        try:
            rule = face.faults.add(read_rule(body))
        except ValueError as error:
            raise _bad(str(error)) from error
        return web.json_response(dataclasses.asdict(rule))

    async def _lift_faults(self, request: web.Request) -> web.Response:
        kind = request.query.get("kind")
        if kind is not None and kind not in set(Trouble):
            raise _bad(f"kind is one of: {', '.join(Trouble)}")
        return web.json_response({"lifted": self._face(request).faults.lift_all(Trouble(kind) if kind else None)})

    async def _lift_fault(self, request: web.Request) -> web.Response:
        if not self._face(request).faults.lift(int(request.match_info["id"])):
            raise web.HTTPNotFound(text="no such fault\n")
        return web.json_response({"lifted": 1})

    async def _down(self, request: web.Request) -> web.Response:
        await self.down(self._face(request).name)
        return web.json_response({})

    async def _up(self, request: web.Request) -> web.Response:
        await self.up(self._face(request).name)
        return web.json_response({})

    async def _forget(self, request: web.Request) -> web.Response:
        face, body = self._face(request), await _json(request)
        age_s = body.get("older_than_s")
        if not isinstance(age_s, int | float) or isinstance(age_s, bool) or not 0 <= age_s <= LONGEST_S:
            raise _bad(f"older_than_s: a number from 0 to {LONGEST_S:.0f} is wanted")
        return web.json_response({"forgotten": face.forget(utc_now() - timedelta(seconds=age_s))})

    async def _cut(self, request: web.Request) -> web.Response:
        face, body = self._face(request), await _json(request)
        face.cut_streams(_name(body, "account") if body.get("account") is not None else None)
        return web.json_response({})


@web.middleware
async def _one_line(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Whatever goes wrong is told in one line."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.Response(status=error.status, text=f"{' '.join((error.text or error.reason).split())[:300]}\n")
    except Exception:
        log.exception("%s %s", request.method, request.path)
        return web.Response(status=500, text="the sandbox is broken; its log tells more\n")


@web.middleware
async def _told_in_the_log(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A client would take a bug of ours for the platform's trouble, and so would who tests it."""
    try:
        return await handler(request)
    except (web.HTTPException, ConnectionError):  # the latter: it went away
        raise
    except Exception:
        log.exception("%s %s", request.method, request.path)
        return web.Response(status=500, text="the sandbox is broken; its log tells more\n")


def _bad(why: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=why)


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError) as error:
        raise _bad("that is not JSON") from error
    if not isinstance(body, dict):
        raise _bad("a JSON object is wanted")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= SPOKEN_MAX:
        raise _bad(f"{name}: a text of 1 to {SPOKEN_MAX} characters is wanted")
    return _sendable(value, name)


def _sendable(value: str, name: str) -> str:
    """Half a surrogate pair can't be written on any wire."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _bad(f"{name}: that is not Unicode text") from error
    return value


def _name(body: dict[str, Any], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _bad(f"{name}: a short name of letters, digits, dot, dash and underscore is wanted")
    return value


def _check_options(options: dict[str, Any]) -> None:
    for name, value in options.items():
        if isinstance(value, str) and len(value) <= 1000:
            _sendable(value, name)
        elif not isinstance(value, bool) and value is not None:
            raise _bad(f"{name}: a short text or a boolean is wanted")
    if options.get("account") is not None:
        _name(options, "account")


def _plain(message: Message) -> dict[str, Any]:
    """A message as JSON, without what only its face knows."""
    plain = {f.name: getattr(message, f.name) for f in dataclasses.fields(message) if f.name != "extra"}
    return {**plain, "at": message.at.isoformat()}


def build(names: Iterable[str] | None = None) -> Sandbox:
    """A sandbox of the named networks (all by default), not yet listening."""
    faces: dict[str, Face] = {}
    for name in names or FACES:
        module, _, attribute = FACES[name].partition(":")
        faces[name] = getattr(importlib.import_module(module), attribute)(Network(name), Faults())
    return Sandbox(faces)


async def serve(*, host: str = "127.0.0.1", port: int = 0, names: Iterable[str] | None = None) -> Sandbox:
    """Build and start. The caller stops it."""
    sandbox = build(names)
    await sandbox.start(host=host, port=port)
    return sandbox

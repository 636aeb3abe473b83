"""The sandbox as a server: five faces on ports of their own, and one port to rule the world from."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from adapters.sandbox.face import Face
from adapters.sandbox.faults import Faults, Rule, Trouble
from adapters.sandbox.world import Message, Network

FACES = {
    "x": "adapters.sandbox.x:XFace",
    "discord": "adapters.sandbox.discord:DiscordFace",
    "telegram": "adapters.sandbox.telegram:TelegramFace",
    "bluesky": "adapters.sandbox.bluesky:BlueskyFace",
    "mastodon": "adapters.sandbox.mastodon:MastodonFace",
}


class Sandbox:
    """Faces that listen on loopback. Use :func:`serve` to start one."""

    def __init__(self, faces: dict[str, Face]) -> None:
        self.faces = faces
        self.url = ""
        self._runners: list[web.AppRunner] = []

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. The control answers on ``port`` (0: any free one), each face on a free one of its own."""
        for face in self.faces.values():
            face.url = await self._listen(face.app(), host, 0)
        self.url = await self._listen(self._control(), host, port)

    async def stop(self) -> None:
        for face in self.faces.values():
            face.cut_streams()
        while self._runners:
            await self._runners.pop().cleanup()

    async def _listen(self, app: web.Application, host: str, port: int) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, host, port).start()
        address = runner.addresses[0]
        return f"http://{address[0]}:{address[1]}"

    def _control(self) -> web.Application:
        app = web.Application()
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
                web.delete("/{network}/faults/{id}", self._lift_fault),
                web.post("/{network}/cut", self._cut),
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
        return web.json_response(self._face(request).account(str(body.get("handle", "agent"))))

    async def _say(self, request: web.Request) -> web.Response:
        body = await _json(request)
        try:
            message = self._face(request).say(body.pop("person"), body.pop("kind"), body.pop("text"), **body)
        except (KeyError, TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=f"say: {error}\n") from error
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
        body = await _json(request)
        face = self._face(request)
        try:
            rule = Rule(Trouble(body.pop("kind")), **body)
        except (KeyError, TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=f"fault: {error}\n") from error
        face.faults.add(rule)
        return web.json_response(dataclasses.asdict(rule))

    async def _lift_faults(self, request: web.Request) -> web.Response:
        kind = request.query.get("kind")
        return web.json_response({"lifted": self._face(request).faults.lift_all(Trouble(kind) if kind else None)})

    async def _lift_fault(self, request: web.Request) -> web.Response:
        if not self._face(request).faults.lift(int(request.match_info["id"])):
            raise web.HTTPNotFound(text="no such fault\n")
        return web.json_response({"lifted": 1})

    async def _cut(self, request: web.Request) -> web.Response:
        self._face(request).cut_streams((await _json(request)).get("account"))
        return web.json_response({})


async def _json(request: web.Request) -> dict[str, Any]:
    body = await request.json() if request.can_read_body else {}
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="a JSON object is wanted\n")
    return body


def _plain(message: Message) -> dict[str, Any]:
    plain = dataclasses.asdict(message)
    del plain["extra"]
    plain["at"] = message.at.isoformat()
    return plain


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

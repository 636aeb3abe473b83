"""The local endpoint: the desk's operations on loopback, for who can read the token beside the database."""

from __future__ import annotations

import contextlib
import errno
import hmac
import inspect
import json
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from msgspec import Struct

from gateway.api import ENDPOINT
from gateway.books import StoreError
from gateway.database_url import Place
from gateway.desk.desk import Desk, DeskError

log = logging.getLogger("multihome.api")
wire = logging.getLogger("multihome.api.wire")
wire.setLevel(logging.CRITICAL)
"""aiohttp's word on requests that are no HTTP: a traceback for each, whoever sends it. What is ours, we log."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
BODY_MAX_BYTES = 24 * 1024 * 1024


class EndpointError(Exception):
    """One line for people: why the endpoint can't be offered, and the cure."""


class LocalEndpoint:
    """Listens on 127.0.0.1 and leaves its address and token in ``place``'s file (mode 0600) as long as it does."""

    def __init__(self, desk: Desk, place: Place) -> None:
        self._desk = desk
        self._place = place
        self._file = Path(place.files + ENDPOINT)
        self._token = secrets.token_urlsafe(32)
        self._runner: web.AppRunner | None = None
        self._hosts: frozenset[str] = frozenset()
        self._arguments = {name: _shape(name, getattr(desk, name)) for name in Desk.OPERATIONS}

    async def start(self, port: int = 0) -> None:
        """Raises EndpointError."""
        app = web.Application(client_max_size=BODY_MAX_BYTES, middlewares=[self._guard])
        app.router.add_post("/local/media", self._keep)
        app.router.add_post("/local/{operation}", self._operate)
        self._runner = web.AppRunner(app, access_log=None, logger=wire, shutdown_timeout=2.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
            host, bound = self._runner.addresses[0][:2]
            self._hosts = frozenset({f"{host}:{bound}", f"localhost:{bound}"})
            self._publish(f"http://{host}:{bound}")
        except OSError as error:
            await self._runner.cleanup()
            raise EndpointError(_unable(error, port, self._file)) from error

    async def stop(self) -> None:
        if self._runner is None:
            return
        with contextlib.suppress(FileNotFoundError):
            if self._token in self._file.read_text():  # another gateway of this folder may have written its own
                self._file.unlink()
        await self._runner.cleanup()

    def _publish(self, url: str) -> None:
        """In one step, and readable for the owner only from its first moment."""
        whose = {"database": self._place.database, "workspace": self._place.workspace}
        address = {"url": url, "token": self._token, "pid": os.getpid(), **whose}
        fresh = self._file.with_name(self._file.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            json.dump(address, handle)
        fresh.replace(self._file)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only who knows the token and means us; whatever goes wrong is told in one line."""
        if request.headers.get(hdrs.HOST, "") not in self._hosts:
            # A page whose name was pointed here (DNS rebinding) sends its own name.
            return _answer({"error": "this is not the address of that host"}, 421)
        if not self._knows(request):
            return _answer({"error": "the token is wrong: read it from the file beside the database"}, 401)
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge as error:
            return _answer({"error": f"the request is larger than {BODY_MAX_BYTES // 2**20} MiB"}, error.status)
        except web.HTTPException as error:
            return _answer({"error": error.reason}, error.status)

    def _knows(self, request: web.Request) -> bool:
        given = request.headers.get(hdrs.AUTHORIZATION, "").encode(errors="surrogateescape")
        return hmac.compare_digest(given, f"Bearer {self._token}".encode())

    async def _keep(self, request: web.Request) -> web.Response:
        """A file's bytes as they are, of which an announcement tells afterwards: no JSON, and no limit of its."""
        most = self._desk.kept_max_bytes
        data = bytearray()
        async for piece in request.content.iter_any():
            if len(data) <= most:  # what is more is heard to its end, so that the answer is
                data += piece
        if len(data) > most:
            return _answer({"error": f"the file has more than {most} bytes; so many are the most"}, 413)
        try:
            return _answer(await self._desk.keep(bytes(data), request.query.get("name", "")), 200)
        except DeskError as error:
            return _answer({"error": str(error)}, 400)
        except StoreError as error:
            return _answer({"error": str(error)}, 503)

    async def _operate(self, request: web.Request) -> web.Response:
        name = request.match_info["operation"]
        shape = self._arguments.get(name)
        if shape is None:
            return _answer({"error": f"there is no operation {name[:100]!r}"}, 404)
        try:
            arguments = msgspec.json.decode(await request.read() or b"{}", type=shape)
            return _answer(await getattr(self._desk, name)(**msgspec.structs.asdict(arguments)), 200)
        except (DeskError, msgspec.DecodeError) as error:
            return _answer({"error": str(error)}, 400)
        except (RecursionError, UnicodeDecodeError):
            return _answer({"error": "the arguments are no JSON object"}, 400)
        except web.HTTPException:
            raise
        except StoreError as error:
            return _answer({"error": str(error)}, 503)
        except Exception as error:
            log.exception("the operation %s failed", name)
            return _answer({"error": f"{name} failed with {type(error).__name__}; the log says more"}, 500)


def _shape(name: str, operation: Callable[..., Any]) -> type[Struct]:
    """The arguments of an operation as a struct, so that wrong names and types are told in words."""
    signature = inspect.signature(operation, eval_str=True)
    fields: list[Any] = [
        (one.name, one.annotation) if one.default is one.empty else (one.name, one.annotation, one.default)
        for one in signature.parameters.values()
    ]
    return msgspec.defstruct(f"{name}_arguments", fields, forbid_unknown_fields=True)


def _unable(error: OSError, port: int, file: Path) -> str:
    if error.filename is not None or error.errno in _FULL:
        return f"{file} can't be written ({error.strerror}): the command line finds the gateway by it"
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"api_port {port} can't be used ({reason}): choose another in [gateway], or 0 for any free one"


def _answer(body: object, status: int) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")

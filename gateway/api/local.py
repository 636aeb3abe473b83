"""The local endpoint: the desk's operations on loopback, for who can read the token beside the database."""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from gateway.desk import Desk, DeskError

log = logging.getLogger("multihome.api")

BODY_MAX_BYTES = 32 * 1024 * 1024


class LocalEndpoint:
    """Listens on 127.0.0.1 and leaves its address and token in ``file`` (mode 0600) as long as it does."""

    def __init__(self, desk: Desk, file: Path) -> None:
        self._desk = desk
        self._file = file
        self._token = secrets.token_urlsafe(32)
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_post("/local/{operation}", self._operate)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        host, bound = self._runner.addresses[0][:2]
        self._publish({"url": f"http://{host}:{bound}", "token": self._token, "pid": os.getpid()})

    async def stop(self) -> None:
        self._file.unlink(missing_ok=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def _publish(self, address: dict[str, Any]) -> None:
        """In one step, and readable for the owner only from its first moment."""
        fresh = self._file.with_name(self._file.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            json.dump(address, handle)
        fresh.replace(self._file)

    async def _operate(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return _answer({"error": "the token is wrong: read it from the file beside the database"}, 401)
        name = request.match_info["operation"]
        if name not in Desk.OPERATIONS:
            return _answer({"error": f"there is no operation {name!r}"}, 404)
        try:
            arguments = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
            return _answer(await getattr(self._desk, name)(**arguments), 200)
        except (DeskError, TypeError, ValueError) as error:
            return _answer({"error": str(error)}, 400)
        except Exception as error:
            log.exception("the operation %s failed", name)
            return _answer({"error": f"{name} failed with {type(error).__name__}; the log says more"}, 500)


def _answer(body: object, status: int) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")

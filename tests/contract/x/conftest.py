"""Every test here has an X of its own; some have a server that answers what X's face never would."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from adapters.sandbox.control import serve
from tests.contract.x_rig import XRig


@pytest.fixture
async def rig() -> AsyncIterator[XRig]:
    sandbox = await serve(names=["x"])
    made = XRig(sandbox.faces["x"])  # type: ignore[arg-type]  # it is the X face
    yield made
    await made.close()
    await sandbox.stop()
    gc.collect()


@pytest.fixture
async def stub() -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """A server that answers every request with what the test put into the dict."""
    told: dict[str, Any] = {}

    async def handle(_: web.Request) -> web.Response:
        return web.Response(**told)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}", told
    await runner.cleanup()

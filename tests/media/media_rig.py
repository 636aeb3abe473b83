"""Limits for media, the house that makes them fit, and hostile servers on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from gateway.media.pictures import Pictures
from gateway.model.capabilities import Feature, Idempotency, Limits, MediaLimits, Profile, Support
from gateway.model.fetching import Fetching
from gateway.model.media import MediaKind
from gateway.store import open_store
from gateway.testing.kit import ManualClock

# An account, and the house.

JPEG_ONLY = ("image/jpeg",)
USUAL = ("image/jpeg", "image/png", "image/webp")


def profile(
    size_bytes: int = 1_000_000, mimes: tuple[str, ...] = USUAL, *, cards: Support = Support.DROPPED, **limits: int
) -> Profile:
    others = {
        MediaKind.GIF: MediaLimits(500_000, ("image/gif",)),
        MediaKind.VIDEO: MediaLimits(5_000_000, ("video/mp4",), side_max_px=1920),
    }
    sizes = Limits(300, "graphemes", 300, 4, size_bytes, mimes, 1000, others=others, **limits)  # type: ignore[arg-type]
    return Profile({Feature.LINK_CARD: cards, Feature.IMAGE: Support.FULL}, sizes, (), Idempotency.NONE)


@contextlib.asynccontextmanager
async def house(folder: Path, **fetching: object) -> AsyncIterator[tuple[Pictures, ManualClock]]:
    clock = ManualClock()
    store = open_store(f"sqlite:///{folder / 'm.db'}", clock=clock)
    try:
        yield Pictures(store, clock, Fetching(**{"inner_hosts": ("127.0.0.1",), **fetching})), clock  # type: ignore[arg-type]
    finally:
        await store.aclose()


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Town:
    """A web server whose paths answer as a test says, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Handler] = {}
        self.asked: list[web.BaseRequest] = []
        self.base = ""

    def serves(self, path: str, body: bytes, content_type: str = "application/octet-stream", **more: str) -> str:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(body=body, content_type=content_type, headers=more)

        return self.does(path, answer)

    def does(self, path: str, handler: Handler) -> str:
        self.answers[unquote(path)] = handler
        return self.base + path

    def moved(self, path: str, to: str) -> str:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": to})

        return self.does(path, answer)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        handler = self.answers.get(request.path)
        return await handler(request) if handler else web.Response(status=404)


@contextlib.asynccontextmanager
async def a_town() -> AsyncIterator[Town]:
    town = Town()
    app = web.Application()
    app.router.add_get("/{path:.*}", town._answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    town.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield town
    finally:
        await runner.cleanup()

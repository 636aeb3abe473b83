"""The one way to what strangers name, as the adapters take it: with an own server, and with credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.addresses import NOT_PUBLIC
from gateway.fetch import at, pieces
from gateway.model.delivery import FaultError, FaultKind

TOKEN = {"Authorization": "Bearer secret-7"}


@asynccontextmanager
async def server() -> AsyncIterator[tuple[str, list[web.Request]]]:
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        if to := request.query.get("to"):
            raise web.HTTPFound(to)
        return web.Response(status=int(request.query.get("status", "200")), body=b"bytes" * 50_000)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as running:
        yield f"http://127.0.0.1:{running.port}", asked


async def fetched(url: str, own: str, *, redirects: int = 0) -> bytes:
    return b"".join([piece async for piece in pieces(url, inner=at(own), headers=TOKEN, redirects=redirects)])


async def refused(url: str, own: str, *, redirects: int = 0) -> tuple[FaultKind, str]:
    with pytest.raises(FaultError) as caught:
        await fetched(url, own, redirects=redirects)
    assert caught.value.fault.certain
    assert "secret" not in repr(caught.value.fault)
    return caught.value.fault.kind, caught.value.fault.evidence


async def test_only_the_named_server_may_be_inside() -> None:
    async with server() as (own, asked), server() as (other, unasked):
        assert await fetched(f"{own}/file", own) == b"bytes" * 50_000
        assert await refused(f"{other}/file", own) == (FaultKind.TARGET_REFUSED, NOT_PUBLIC)
        moved = f"{own}/file?to={other}/secret"
        assert await refused(moved, own, redirects=3) == (FaultKind.TARGET_REFUSED, NOT_PUBLIC)
        assert await refused(moved, own) == (FaultKind.SERVER, "the server says 302")
        assert len(asked) == 3
        assert unasked == []


async def test_credentials_are_for_the_first_address_alone() -> None:
    async with server() as (own, asked):
        await fetched(f"{own}/first?to=/second", own, redirects=1)
        assert [(request.path, request.headers.get("Authorization")) for request in asked] == [
            ("/first", TOKEN["Authorization"]),
            ("/second", None),
        ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, FaultKind.TARGET_GONE), (403, FaultKind.TARGET_GONE), (500, FaultKind.SERVER), (204, FaultKind.SERVER)],
)
async def test_an_answer_that_is_no_file_is_told(status: int, kind: FaultKind) -> None:
    async with server() as (own, _):
        assert await refused(f"{own}/file?status={status}", own) == (kind, f"the server says {status}")


@pytest.mark.parametrize("url", ["file:///etc/secret", "114", "", "http://", "http://ana:secret@e.org/", "http://a:b/"])
async def test_what_is_no_address_is_not_asked(url: str) -> None:
    assert (await refused(url, "https://e.org"))[0] is FaultKind.INVALID

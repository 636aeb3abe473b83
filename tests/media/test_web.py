"""Fetching, from servers that are slow, endless, lying, or lead into the operator's own network."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from media_rig import Town, a_town
from some_media import noise, written

from gateway.media.errors import MediaError
from gateway.media.probe import PICTURE_MAX_BYTES
from gateway.media.web import REDIRECTS_MAX, Web
from gateway.model.fetching import Fetching

JPEG = written(noise(20, 20), "JPEG")
NOWHERE = "0.0.0.0"  # noqa: S104 - refused, not bound
FILM = b"\x00\x00\x00\x18ftypisom" + bytes(2000)


@pytest.fixture
async def town() -> Any:
    async with a_town() as town:
        yield town


def outside() -> Web:
    """With the rules as they are."""
    return Web(Fetching())


def inside(**more: Any) -> Web:
    """Loopback is taken for the web."""
    return Web(Fetching(inner_hosts=("127.0.0.1",), **more))


async def refused(fetching: Web, url: str) -> str:
    with pytest.raises(MediaError) as caught:
        await fetching.media(url)
    return str(caught.value)


# Where it may be.


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.1", "[::1]", "[::ffff:127.0.0.1]", NOWHERE]
)
async def test_loopback_is_not_asked_however_it_is_spelled(town: Town, host: str) -> None:
    town.serves("/a.jpg", JPEG)
    port = town.base.rpartition(":")[2]
    assert "not public" in await refused(outside(), f"http://{host}:{port}/a.jpg") or not town.asked
    assert town.asked == []


async def test_a_name_is_judged_by_the_address_that_is_connected_to(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that says something else each time: whatever it says last counts."""
    port = int(town.base.rpartition(":")[2])
    told: Iterator[str] = iter(["127.0.0.1"] * 9)

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(told), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert await refused(outside(), f"http://pictures.example:{port}/a.jpg") == "its address is not public"
    assert town.asked == []


async def test_a_redirect_is_judged_like_the_first_address(town: Town) -> None:
    """What may be asked leads to what may not."""
    port = town.base.rpartition(":")[2]
    town.moved("/a.jpg", f"http://localhost:{port}/b.jpg")
    town.serves("/b.jpg", JPEG)
    assert await refused(inside(), town.base + "/a.jpg") == "its address is not public"
    assert town.paths == ["/a.jpg"]


async def test_a_redirect_within_the_web_is_followed(town: Town) -> None:
    town.serves("/b.jpg", JPEG)
    found = await inside().media(town.moved("/a.jpg", "b.jpg"))
    assert (found.data, found.url) == (JPEG, town.base + "/b.jpg")


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://e.org/a", "gopher://e.org", "http://", "//", "http://a b/"]
)
async def test_a_redirect_leads_nowhere_else(town: Town, to: str) -> None:
    await refused(inside(), town.moved("/a.jpg", to))
    assert len(town.asked) <= REDIRECTS_MAX + 1


async def test_a_circle_is_left(town: Town) -> None:
    assert "moved more than" in await refused(inside(), town.moved("/a.jpg", "/a.jpg"))
    assert len(town.asked) == REDIRECTS_MAX + 1


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://e.org/a", "data:image/png;base64,AA", "/a.jpg", "", "http://", "http://ana:pw@e.org/a",
            "http://[::1", f"http://e.org/{'a' * 5000}", "http://e.org:99999/a"],
)  # fmt: skip
async def test_what_is_no_address_is_not_asked(url: str) -> None:
    assert await refused(outside(), url)


async def test_a_server_learns_nothing_and_leaves_nothing(town: Town) -> None:
    town.serves("/b.jpg", JPEG, **{"Set-Cookie": "a=b"})

    async def first(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/b.jpg", "Set-Cookie": "who=ana; Path=/"})

    fetching = inside()
    for _ in range(2):
        await fetching.media(town.does("/a.jpg", first))
    assert all(not {"Cookie", "Authorization", "Referer"} & set(request.headers) for request in town.asked)


# How much, and for how long.


async def test_more_than_is_said_is_not_read(town: Town) -> None:
    small = inside(size_max_bytes=10_000)
    assert "the most" in await refused(small, town.serves("/told.mp4", FILM + bytes(20_000)))

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(FILM)
        while True:
            await answer.write(bytes(1000))

    assert "more than 10000 bytes" in await refused(small, town.does("/endless.mp4", endless))


async def test_a_picture_is_cut_where_pictures_end(town: Town) -> None:
    """It begins like one, so it may not be as large as a film; what it is called doesn't matter."""
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        await answer.prepare(request)
        await answer.write(JPEG)
        while True:
            await answer.write(bytes(1 << 20))
            sent += 1 << 20

    assert f"more than {PICTURE_MAX_BYTES} bytes" in await refused(inside(), town.does("/film.mp4", endless))
    assert sent < 2 * PICTURE_MAX_BYTES


async def test_what_is_nothing_is_left_after_its_first_bytes(town: Town) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "image/png"})
        await answer.prepare(request)
        while True:
            await answer.write(b"<html>" * 1000)

    assert "no picture, film" in await refused(inside(), town.does("/a.png", endless))


async def test_a_trickle_is_cut(town: Town) -> None:
    """Always something, never enough: only the whole time ends it."""
    let_go = asyncio.Event()

    async def trickle(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for byte in JPEG:
            await answer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        await let_go.wait()
        return answer

    assert "didn't come within" in await refused(inside(timeout_s=0.3), town.does("/a.jpg", trickle))
    let_go.set()


async def test_silence_is_cut(town: Town) -> None:
    let_go = asyncio.Event()

    async def silence(_: web.Request) -> web.StreamResponse:
        await let_go.wait()
        return web.Response()

    assert "didn't come within" in await refused(inside(timeout_s=0.2), town.does("/a.jpg", silence))
    let_go.set()


async def test_a_break_is_told(town: Town) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100000"})
        await answer.prepare(request)
        await answer.write(JPEG)
        assert request.transport
        request.transport.close()
        return answer

    assert await refused(inside(), town.does("/a.jpg", half)) == "it broke off"


async def test_what_was_not_asked_for_is_not_unpacked(town: Town) -> None:
    packed = gzip.compress(bytes(10_000_000))
    url = town.serves("/a.jpg", packed, **{"Content-Encoding": "gzip"})
    assert "compressed" in await refused(inside(), url)


async def test_a_refusal_is_told(town: Town) -> None:
    assert await refused(inside(), town.base + "/none.jpg") == "the server says 404"


async def test_nobody_is_there(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/a.jpg"
    assert await refused(inside(), url) == "the server can't be reached"


async def test_a_server_that_speaks_no_http_is_told() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x00\x01 no http\r\n\r\n" + b"a" * 100_000)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.jpg"
        assert "can't be fetched" in await refused(inside(), url)


async def test_headers_without_end_are_not_read() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 5000) for n in range(400)))
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.jpg"
        assert await refused(inside(timeout_s=5), url)

"""python-telegram-bot's transport on aiohttp: what goes over the wire, and how each of its time-outs ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from telegram import InputFile
from telegram.error import NetworkError, TimedOut
from telegram.request import RequestData
from telegram.request._requestparameter import RequestParameter
from telegram_rig import SENT, TOKEN, http, stub

from adapters.telegram.request import PIECE_BYTES, AiohttpRequest, Lost, Patience
from gateway.model.secret import Secret

PATIENCE = Patience(connect_s=5.0, read_s=5.0, write_s=5.0, upload_s=5.0, pool_s=5.0)


def made(connections: int = 4, patience: Patience = PATIENCE) -> AiohttpRequest:
    return AiohttpRequest(Secret(TOKEN), connections, patience)


def said(**parameters: Any) -> RequestData:
    return RequestData([RequestParameter.from_input(key, value) for key, value in parameters.items()])


def cause(error: BaseException) -> Lost:
    assert isinstance(error.__cause__, Lost)
    return error.__cause__


async def test_a_form_is_what_the_bot_api_reads() -> None:
    async with stub(lambda _: http(SENT)) as server, made() as request:
        result = await request.post(f"{server.url}/bot1:x/sendMessage", said(chat_id=5, text="Où? 1+1=2 & 3", tags=[1]))
        assert result["message_id"] == 5
        await request.post(f"{server.url}/bot1:x/getMe", said())
    assert server.requests[0] == "/bot1:x/sendMessage?chat_id=5&text=O%C3%B9%3F+1%2B1%3D2+%26+3&tags=%5B1%5D"
    assert server.requests[1] == "/bot1:x/getMe?"


async def test_a_file_goes_in_parts_with_its_name_and_kind() -> None:
    picture = bytes(range(256)) * 1024
    async with stub(lambda _: http(SENT)) as server, made() as request:
        await request.post(f"{server.url}/sendPhoto", said(caption="Ünder it", photo=InputFile(picture, "p.png")))
    body = server.requests[0]
    assert 'name="caption"' in body
    assert "Ünder it" in body
    assert 'name="photo"; filename="p.png"' in body
    assert "image/png" in body
    assert picture.decode("utf-8", "replace") in body


async def test_an_upload_that_the_server_does_not_take_is_given_up_and_uncertain() -> None:
    """It reads nothing: the piece that the system's buffers can't take any more has ``write`` to leave."""
    stuck = asyncio.Event()

    async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's TCP transports have it
        await stuck.wait()
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1024)
    url = "http://{}:{}".format(*server.sockets[0].getsockname()[:2])
    async with made() as request:
        with pytest.raises(TimedOut) as info:
            await request.post(
                f"{url}/sendPhoto", said(photo=InputFile(bytes(PIECE_BYTES * 128), "p.png")), write_timeout=0.05
            )
    stuck.set()
    server.close()
    await server.wait_closed()
    assert cause(info.value).reached


async def test_one_call_may_wait_longer_or_shorter_than_the_others() -> None:
    async with stub(lambda _: None) as server, made() as request:
        with pytest.raises(TimedOut) as info:
            await request.post(f"{server.url}/x", said(a=1), read_timeout=0.02)
        assert cause(info.value).reached
    hasty = Patience(5.0, 0.02, 5.0, 5.0, 5.0)
    async with stub(lambda _: http(SENT)) as server, made(patience=hasty) as request:
        server.hold.clear()
        patient = asyncio.create_task(request.post(f"{server.url}/x", said(a=1), read_timeout=None))
        with pytest.raises(TimedOut):
            await request.post(f"{server.url}/x", said(a=1))
        server.hold.set()
        assert (await patient)["message_id"] == 5
    assert made(patience=hasty).read_timeout == 0.02


async def test_who_finds_no_place_is_told_that_nothing_was_sent() -> None:
    async with stub(lambda _: None) as server, made(1) as request:
        first = asyncio.create_task(request.post(f"{server.url}/x", said(a=1)))
        while not server.requests:
            await asyncio.sleep(0.001)
        with pytest.raises(TimedOut, match="Pool timeout") as info:
            await request.post(f"{server.url}/x", said(a=2), pool_timeout=0.02)
        assert not cause(info.value).reached
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert len(server.requests) == 1


async def test_a_cancelled_request_leaves_its_place_and_its_connection_clean() -> None:
    """The next answer is the next request's own."""
    answers = iter([None, http(SENT), http(SENT)])
    async with stub(lambda _: next(answers)) as server, made(1) as request:
        first = asyncio.create_task(request.post(f"{server.url}/x", said(a=1)))
        while not server.requests:
            await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        for _ in range(2):
            assert (await request.post(f"{server.url}/x", said(a=2)))["message_id"] == 5
        assert server.connections == 2


async def test_connections_are_kept_for_the_next_request() -> None:
    async with stub(lambda _: http(SENT)) as server, made() as request:
        for _ in range(5):
            await request.post(f"{server.url}/x", said(a=1))
        assert server.connections == 1


async def test_a_redirect_is_not_followed() -> None:
    moved = http(b"{}", "302 Found", head="Location: /elsewhere\r\n")
    async with stub(lambda _: moved) as server, made() as request:
        with pytest.raises(NetworkError, match="302"):
            await request.post(f"{server.url}/x", said(a=1))
        assert len(server.requests) == 1


async def test_the_environments_proxy_is_used_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stub(lambda _: http(SENT)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "near.example")
        async with made() as request:
            assert (await request.post("http://far.example/bot1:x/getMe", said(a=1)))["message_id"] == 5
        assert proxy.requests[0].startswith("http://far.example/bot1:x/getMe")
        async with made() as request:
            with pytest.raises(NetworkError):
                await request.post("http://near.example/bot1:x/getMe", said(a=1), connect_timeout=0.5)
        assert len(proxy.requests) == 1


async def test_a_proxy_that_is_away_or_refuses_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stub(lambda _: http(b"no", "407 Proxy Authentication Required")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        async with made() as request:
            with pytest.raises(NetworkError) as info:
                await request.post("https://far.example/bot1:x/getMe", said(a=1))
        assert not cause(info.value).reached
    async with made() as request:
        with pytest.raises(NetworkError) as gone:
            await request.post("https://far.example/bot1:x/getMe", said(a=1))
    assert not cause(gone.value).reached


@pytest.mark.parametrize("answer", [b"HTTP/1.1 nonsense\r\n\r\n", b"", http(SENT)[:-5]])
async def test_what_is_lost_on_the_way_names_no_address(answer: bytes) -> None:
    async with stub(lambda _: answer) as server, made() as request:
        asking = asyncio.create_task(request.post(f"{server.url}/bot{TOKEN}/getMe", said(a=1)))
        while not server.requests:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        server.cut()
        with pytest.raises(NetworkError) as info:
            await asking
    shown = f"{info.value!r} {info.value.__cause__!r} {info.value.__cause__ and info.value.__cause__.__context__!r}"
    assert TOKEN not in shown
    assert cause(info.value).reached


async def test_half_a_surrogate_pair_in_an_answer_loses_nothing() -> None:
    body = b'{"ok":true,"result":[{"update_id":7,"text":"\\ud83d"}]}'
    async with stub(lambda _: http(body)) as server, made() as request:
        (update,) = await request.post(f"{server.url}/x", said(a=1))
    assert update["update_id"] == 7


async def test_closed_means_closed_until_it_is_opened_again() -> None:
    async with stub(lambda _: http(SENT)) as server:
        request = made()
        await request.shutdown()
        with pytest.raises(NetworkError) as info:
            await request.post(f"{server.url}/x", said(a=1))
        assert not cause(info.value).reached
        await request.initialize()
        assert await request.post(f"{server.url}/x", said(a=1))
        await request.shutdown()

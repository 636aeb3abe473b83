"""python-telegram-bot's transport on aiohttp, at the library's own seam: ``telegram.request.BaseRequest``.

Its usual one is httpx, which spends 1.6 ms of CPU on a send and loses half of its rate to 64 callers at once (measured
2026-11-22; aiohttp: 0.08 ms, whatever the callers). Time-outs mean what they mean there: ``pool`` for a free place,
``connect`` for a connection, ``write`` for each piece of a body, ``read`` for each wait for bytes of the answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from io import BytesIO
from typing import Any, TypeVar
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from msgspec import Struct, structs
from telegram._utils.defaultvalue import DefaultValue
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData
from yarl import URL

from gateway.model.secret import Secret

ANSWER_MAX_BYTES = 16 * 1024 * 1024
IDLE_MAX_S = 5.0
"""An unused connection's life, as httpx has it: a send on one that the server is just closing is never certain."""
PIECE_BYTES = 64 * 1024
NOT_JSON = "the answer is not the Bot API's"
FORM = "application/x-www-form-urlencoded"

T = TypeVar("T")


class Patience(Struct, frozen=True):
    """How long each step of a request may take. ``upload_s`` stands for ``write_s`` where files are sent."""

    connect_s: float | None
    read_s: float | None
    write_s: float | None
    upload_s: float | None
    pool_s: float | None


class Lost(Exception):  # noqa: N818 - what happened to a request
    """Why a request has no answer, in words without its address: the token is part of it.

    ``reached`` False: it provably never left. ``bad_server``: the address can't be one.
    """

    def __init__(self, words: str, *, reached: bool = True, bad_server: bool = False, late: bool = False) -> None:
        super().__init__(words)
        self.reached = reached
        self.bad_server = bad_server
        self.late = late


class AiohttpRequest(BaseRequest):
    """At most ``connections`` requests at once; who finds no place waits, first come first served."""

    __slots__ = ("_patience", "_places", "_proxies", "_secret", "_session", "_shut", "_usual")

    def __init__(self, token: Secret, connections: int, patience: Patience) -> None:
        self._secret = token.reveal().rpartition(":")[2].encode()
        self._patience = patience
        self._usual = _timeout(patience)
        self._places = asyncio.Semaphore(connections)
        self._proxies = getproxies()
        self._session: aiohttp.ClientSession | None = None
        self._shut = False

    @property
    def read_timeout(self) -> float | None:
        return self._patience.read_s

    async def initialize(self) -> None:
        self._shut = False

    async def shutdown(self) -> None:
        """Close the connections; requests under way end as lost."""
        self._shut = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """One request; its status and the answer's bytes, an error page's without the token that it may repeat.

        Raises TimedOut or NetworkError, as the library's own transport does, with :class:`Lost` as the cause.
        """
        usual = self._patience
        patience = structs.replace(
            usual,
            read_s=_chosen(read_timeout, usual.read_s),
            connect_s=_chosen(connect_timeout, usual.connect_s),
            pool_s=_chosen(pool_timeout, usual.pool_s),
            write_s=_chosen(write_timeout, usual.write_s),
            upload_s=_chosen(write_timeout, usual.upload_s),
        )
        try:
            return await self._placed(url, method, request_data, patience)
        except Lost as lost:
            failure = _failure(lost)
            raise failure from lost

    async def _placed(
        self, url: str, method: str, request_data: RequestData | None, patience: Patience
    ) -> tuple[int, bytes]:
        await self._take_place(patience.pool_s)
        try:
            body, headers = await _body(request_data, patience)
            # Out of the handler, so that no exception that names the address comes along as a context.
            found = await self._exchanged(url, method, body, headers, patience)
        finally:
            self._places.release()
        if isinstance(found, Lost):
            raise found
        return found

    async def _take_place(self, pool_s: float | None) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(pool_s):
                await self._places.acquire()
        except TimeoutError:
            raise Lost("no free connection", reached=False, late=True) from None

    async def _exchanged(
        self, url: str, method: str, body: Any, headers: dict[str, str], patience: Patience
    ) -> tuple[int, bytes] | Lost:
        timeout = self._usual if patience == self._patience else _timeout(patience)
        try:
            address = _address(url)
            async with self._opened().request(
                method,
                address,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                proxy=self._proxy(address),
            ) as answer:
                payload = await _read(answer)
        except Lost as lost:
            return lost
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _lost(error)
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.status, payload
        return answer.status, payload.replace(self._secret, b"***")

    async def pieces(self, url: str) -> AsyncGenerator[bytes]:
        """The bytes of a file as they come. Raises NetworkError with :class:`Lost` as the cause."""
        await self._take_place(self._patience.pool_s)
        try:
            async with aclosing(self._streamed(url)) as found:
                async for piece in found:
                    if isinstance(piece, Lost):
                        raise _failure(piece) from piece
                    yield piece
        finally:
            self._places.release()

    async def _streamed(self, url: str) -> AsyncGenerator[bytes | Lost]:
        """A failure is yielded, so that no exception that names the address comes along as a context."""
        lost: Lost | None = None
        try:
            address = _address(url)
            async with self._opened().get(
                address, timeout=self._usual, allow_redirects=False, proxy=self._proxy(address)
            ) as answer:
                if answer.status != HTTPStatus.OK:
                    lost = Lost(f"the file's address answers {answer.status}")
                else:
                    async for chunk in answer.content.iter_any():
                        yield chunk
        except Lost as error:
            lost = error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            lost = _lost(error)
        if lost is not None:
            yield lost

    def _opened(self) -> aiohttp.ClientSession:
        if self._shut:
            raise Lost("the client is closed", reached=False)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_MAX_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": self.USER_AGENT, "Accept-Encoding": "identity"},
            )
        return self._session

    def _proxy(self, address: URL) -> str | None:
        """What the environment says, as the library's own transport reads it."""
        if not self._proxies or proxy_bypass(address.host or ""):
            return None
        return self._proxies.get(address.scheme) or self._proxies.get("all")

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the library's own, but what isn't JSON isn't logged: an error page may be long and hold anything."""
        try:
            data = _decoded(payload)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or not isinstance(data.get("parameters", {}), dict):
            raise TelegramError(NOT_JSON)
        data.setdefault("result", None)
        return data


class _Pieces(Payload):
    """A long body: each piece has ``write_s`` to leave."""

    _value: memoryview
    _autoclose = True

    def __init__(self, body: bytes, content_type: str, write_s: float | None) -> None:
        super().__init__(memoryview(body), content_type=content_type)
        self._size = len(body)
        self._write_s = write_s

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:  # noqa: ARG002 - always all of it, since we give no length
        for at in range(0, len(self._value), PIECE_BYTES):
            async with asyncio.timeout(self._write_s):
                await writer.write(self._value[at : at + PIECE_BYTES])


def _decoded(payload: bytes) -> Any:
    """What the slow reader takes and the fast one doesn't, half a surrogate pair say, must not lose a page."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return json.loads(payload.decode("utf-8", "replace"))


def _address(url: str) -> URL:
    address = URL(url)
    if not (address.host or "").isprintable():
        raise aiohttp.InvalidURL(url)
    return address


def _chosen(given: Any, usual: T) -> T:
    """What the caller of one request said, or the usual."""
    return usual if isinstance(given, DefaultValue) else given


def _timeout(patience: Patience) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=patience.connect_s, sock_read=patience.read_s)


async def _body(request_data: RequestData | None, patience: Patience) -> tuple[Any, dict[str, str]]:
    """What is sent, and its headers: a form, with files in parts."""
    if request_data is None:
        return None, {}
    if request_data.contains_files:
        return await _with_files(request_data, patience.upload_s), {}
    encoded = request_data.url_encoded_parameters().encode()
    if not encoded:
        return None, {}
    if len(encoded) > PIECE_BYTES:
        return _Pieces(encoded, FORM, patience.write_s), {}
    return encoded, {"Content-Type": FORM}


async def _with_files(request_data: RequestData, write_s: float | None) -> _Pieces:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in request_data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, mime) in request_data.multipart_data.items():
        body = BytesIO(content) if isinstance(content, bytes) else content
        form.add_field(name, body, filename=filename, content_type=mime)
    parts = form()
    return _Pieces(await parts.as_bytes(), parts.content_type, write_s)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """An answer's bytes, up to a limit. Raises Lost."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        answer.close()
        raise Lost("a compressed answer, which we don't ask for")
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > ANSWER_MAX_BYTES:
            answer.close()
            raise Lost("the answer is too large")
    return bytes(body)


_NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
_BAD_SERVER = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)


def _lost(error: Exception) -> Lost:
    """A failure below HTTP by its name alone: aiohttp's words hold the address."""
    name = type(error).__name__
    if isinstance(error, _BAD_SERVER) or type(error) is ValueError:
        return Lost(name, reached=False, bad_server=True)
    late = isinstance(error, TimeoutError)
    return Lost(name, reached=not isinstance(error, _NEVER_LEFT), late=late)


def _failure(lost: Lost) -> NetworkError:
    if not lost.late:
        return NetworkError(str(lost))
    if not lost.reached and "free" in str(lost):
        return TimedOut("Pool timeout: all connections are occupied. The request was *not* sent.")
    return TimedOut()

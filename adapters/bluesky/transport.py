"""The client library's HTTP on aiohttp, at httpx's own seam: ``httpx.AsyncBaseTransport``.

Its usual one spends most of a send's CPU and loses half of its rate to 64 callers at once (measured 2026-11-26, and
2026-11-22). Redirects are not followed: a POST could be made twice.
"""

from __future__ import annotations

import functools
import ssl
from io import BytesIO
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

from adapters.bluesky.pages import TooLargeError

ANSWER_MAX_BYTES = 8_000_000
CONNECT_S, WAIT_S = 10.0, 30.0
"""For a connection, and for each wait for bytes of the answer."""
IDLE_MAX_S = 5.0
"""An unused connection's life, as httpx has it: a send on one that the server is just closing is never certain."""

PIECE_BYTES = 65_536
"""A longer body leaves in pieces."""


class UnreadableError(ValueError):
    """An answer that is not looked at."""


async def untie(response: httpx.Response) -> None:
    """An event hook. httpx ties each answer to a stream and that stream to the answer, for the time it took
    (https://github.com/encode/httpx/pull/3733, open): hundreds of answers then wait for the garbage collector, and the
    heap they leave is full of holes. Ours are read whole when they get here.
    """
    response.stream = httpx.ByteStream(response.content)


async def undecoded(response: httpx.Response) -> None:
    """An event hook. The library decodes what calls itself JSON, and refuses all of it for one deep item (pages.py). An
    answer that doesn't say what it is it leaves as bytes.
    """
    response.headers.pop("Content-Type", None)


class Transport(httpx.AsyncBaseTransport):
    """Answers are read whole, and no further than ``ANSWER_MAX_BYTES``."""

    def __init__(self) -> None:
        self._proxies = getproxies()
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw]
        content = request.content if len(request.content) <= PIECE_BYTES else BytesIO(request.content)
        try:
            url = URL(str(request.url), encoded=True)
            async with self._opened().request(
                request.method,
                url,
                headers=headers,
                data=content or None,
                allow_redirects=False,
                proxy=self._proxy(url),
            ) as answer:
                return httpx.Response(answer.status, headers=answer.raw_headers, content=await _read(answer))
        except (aiohttp.ClientError, OSError) as error:
            raise _failure(error, request) from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Not before there is a loop: an account's client is made in a thread."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=trusted(), limit=0, keepalive_timeout=IDLE_MAX_S),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=WAIT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    def _proxy(self, url: URL) -> str | None:
        """What the environment says, as httpx reads it."""
        if not self._proxies or proxy_bypass(url.host or ""):
            return None
        return self._proxies.get(url.scheme) or self._proxies.get("all")


@functools.cache
def trusted() -> ssl.SSLContext:
    """Certificates, loaded once: every client that does it by itself blocks for 20 ms."""
    return httpx.create_ssl_context()


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise UnreadableError("a packed answer, which nobody asked for")  # what has to be unpacked has no bound
    body = bytearray()
    size_bytes = answer.content_length or 0
    while size_bytes <= ANSWER_MAX_BYTES and (piece := await answer.content.readany()):
        body += piece
        size_bytes = max(size_bytes, len(body))
    if size_bytes > ANSWER_MAX_BYTES:
        raise TooLargeError(f"an answer of more than {ANSWER_MAX_BYTES} bytes")
    return bytes(body)


_NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
_NO_ADDRESS = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)


def _failure(error: Exception, request: httpx.Request) -> httpx.RequestError:
    """The same in httpx's words, which the library knows."""
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, _NO_ADDRESS):
        return httpx.UnsupportedProtocol(words, request=request)
    if isinstance(error, _NEVER_LEFT):
        return httpx.ConnectError(words, request=request)
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout(words, request=request)
    return httpx.ReadError(words, request=request)

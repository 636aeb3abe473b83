"""Fetching from addresses that strangers name: without cookies, never packed, bounded in time and redirects, and never
from inside the operator's network, but for servers that the operator named.

The one way for what goes out (:mod:`gateway.media.web`) and for what others attached (the adapters, which add their
credentials). Who reads an answer bounds its size.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import hdrs
from yarl import URL

from gateway.addresses import NOT_PUBLIC, InnerError, public_socket
from gateway.model.delivery import Fault, FaultError, FaultKind, refused

URL_MAX = 4_000
PIECE_BYTES = 65_536
CONNECT_S = 10.0
SILENCE_S = 30.0
"""A server that says nothing for so long is given up."""
FETCH_S = 600.0
"""From one address, in all."""
_MOVED = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({400, 401, 403, 404, 410})
_HEADERS = {hdrs.USER_AGENT: "Multihome (link preview)", hdrs.ACCEPT_ENCODING: "identity"}
_TIMES = aiohttp.ClientTimeout(total=FETCH_S, sock_connect=CONNECT_S, sock_read=SILENCE_S)

Inner = Callable[[URL], bool]
"""Whether a place may be inside the operator's network."""


def nowhere(_: URL) -> bool:
    return False


def at(server: str) -> Inner:
    """The server that the operator named may be anywhere."""
    own = URL(server).origin()
    return lambda place: place.origin() == own


@asynccontextmanager
async def opened(
    url: str, *, inner: Inner = nowhere, headers: Mapping[str, str] | None = None, redirects: int = 0
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer of an address, or of where it was moved to; ``headers`` are for the first one alone. Without
    ``redirects``, having moved is a refusal as any other.

    Raises FaultError, also for what goes wrong while the answer is read. Its words are for people; neither the address,
    which may hold a secret, nor what a hostile server said is among them.
    """
    try:
        async with _answer(_place(url), inner, headers or {}, redirects) as answer:
            yield answer
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise FaultError(_fault(error)) from None


async def pieces(
    url: str, *, inner: Inner = nowhere, headers: Mapping[str, str] | None = None, redirects: int = 0
) -> AsyncGenerator[bytes]:
    """What :func:`opened` opens, as it comes."""
    async with opened(url, inner=inner, headers=headers, redirects=redirects) as answer:
        async for piece in answer.content.iter_chunked(PIECE_BYTES):
            yield piece


@asynccontextmanager
async def _answer(
    place: URL, inner: Inner, headers: Mapping[str, str], redirects: int
) -> AsyncIterator[aiohttp.ClientResponse]:
    for _ in range(redirects + 1):
        async with (
            _session(place, inner) as session,
            session.get(place, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status not in _MOVED or not redirects:
                _look(answer)
                yield answer
                return
            place, headers = _place(str(place.join(URL(answer.headers.get(hdrs.LOCATION, ""))))), {}
    raise refused(FaultKind.SERVER, f"it was moved more than {redirects} times")


def _session(place: URL, inner: Inner) -> aiohttp.ClientSession:
    """One for each hop: nothing is kept from one to the next."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            force_close=True, use_dns_cache=False, socket_factory=None if inner(place) else public_socket
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        timeout=_TIMES,
        auto_decompress=False,
        trust_env=False,
    )


def _place(url: str) -> URL:
    """An address that may be asked."""
    try:
        place = URL(url)
    except ValueError as error:
        raise refused(FaultKind.INVALID, "its address can't be read") from error
    if len(url) > URL_MAX:
        raise refused(FaultKind.INVALID, "its address is too long")
    if place.scheme not in ("http", "https") or not place.host:
        raise refused(FaultKind.INVALID, "it is not on the web: only http and https are fetched")
    if place.user is not None or place.password is not None:
        raise refused(FaultKind.INVALID, "there is a name or a password in its address")
    return place


def _look(answer: aiohttp.ClientResponse) -> None:
    if answer.status != 200:
        kind = FaultKind.TARGET_GONE if answer.status in _GONE else FaultKind.SERVER
        raise refused(kind, f"the server says {answer.status}")
    if answer.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise refused(FaultKind.SERVER, "it was sent compressed, without being asked")


def _fault(error: Exception) -> Fault:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, InnerError) or NOT_PUBLIC in str(cause):  # of several addresses: the words of each
        return Fault(FaultKind.TARGET_REFUSED, True, NOT_PUBLIC)
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            why = "the server's certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            why = "there is no such host"
        case aiohttp.ClientConnectorError():
            why = "the server can't be reached"
        case aiohttp.ClientPayloadError():
            why = "it broke off"
        case TimeoutError():
            why = "it didn't come in time"
        case _:
            why = f"it can't be fetched ({type(error).__name__})"
    return Fault(FaultKind.NETWORK, True, why)

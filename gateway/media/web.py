"""Fetching from the web for somebody who may be anybody: bounded in bytes, time and redirects, without credentials, and
never from an address that isn't public.

Each address is looked at where its socket is made (:func:`_public_only`): behind a name's resolution and every
redirect, so that no name can change what it means in between.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp
from aiohttp import hdrs
from yarl import URL

from gateway.addresses import is_public
from gateway.media.errors import MediaError
from gateway.media.kinds import HEAD_BYTES, sniffed
from gateway.media.probe import PICTURE_MAX_BYTES
from gateway.model.fetching import Fetching

log = logging.getLogger("multihome.media")

REDIRECTS_MAX = 5
AT_ONCE = 2
"""Media are held in memory while they come."""
URL_MAX = 4_000
_HEADERS = {hdrs.USER_AGENT: "Multihome (link preview)", hdrs.ACCEPT_ENCODING: "identity"}
_MOVED = frozenset({301, 302, 303, 307, 308})
_CONNECT_S = 10.0
_SILENCE_S = 15.0
"""A server that says nothing for so long is given up."""

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str | int | bytes, ...]]


class Fetched(NamedTuple):
    """What came."""

    data: bytes
    url: str
    """Where it was in the end."""
    content_type: str
    """The server's word."""


_Read = Callable[[aiohttp.ClientResponse], Awaitable[bytes]]


class _ForbiddenError(OSError):
    """The socket is not made."""


def _public_only(info: AddrInfo) -> socket.socket:
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise _ForbiddenError("its address is not public")
    return socket.socket(family, kind, protocol)


class Web:
    """Fetches for all accounts."""

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching
        self._inner = frozenset(host.lower() for host in fetching.inner_hosts)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def media(self, url: str) -> Fetched:
        """A picture, film, sound or file, whole. Raises MediaError."""
        async with self._turns:
            return await self._within(self._fetching.timeout_s, url, self._whole)

    async def beginning(self, url: str, most_bytes: int, timeout_s: float) -> Fetched:
        """The first bytes of a page. Raises MediaError."""
        return await self._within(timeout_s, url, functools.partial(_first, most_bytes=most_bytes))

    async def _within(self, timeout_s: float, url: str, read: _Read) -> Fetched:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._fetch(url, read)
        except TimeoutError as error:
            raise MediaError(f"it didn't come within {timeout_s:.0f} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.info("a fetch failed: %s", type(error).__name__)
            raise MediaError(_why(error)) from error

    async def _fetch(self, url: str, read: _Read) -> Fetched:
        place = _checked(url)
        for _ in range(REDIRECTS_MAX + 1):
            async with self._session(place) as session, session.get(place, allow_redirects=False) as answer:
                if answer.status not in _MOVED:
                    return await _read(answer, read)
                place = _checked(str(place.join(URL(answer.headers.get(hdrs.LOCATION, "")))))
        raise MediaError(f"it was moved more than {REDIRECTS_MAX} times")

    def _session(self, place: URL) -> aiohttp.ClientSession:
        """One for each hop: nothing is kept from one to the next."""
        is_inner = place.host is not None and place.host.lower() in self._inner
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                force_close=True, use_dns_cache=False, socket_factory=None if is_inner else _public_only
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S),
            auto_decompress=False,
            trust_env=False,
        )

    async def _whole(self, answer: aiohttp.ClientResponse) -> bytes:
        most = self._fetching.size_max_bytes
        told = answer.content_length
        if told is not None and told > most:
            raise MediaError(f"it has {told} bytes; {most} are the most")
        data = bytearray()
        async for piece in answer.content.iter_any():
            data += piece
            if len(data) >= HEAD_BYTES and len(data) - len(piece) < HEAD_BYTES:
                most = min(most, _most(bytes(data[:HEAD_BYTES])))
            if len(data) > most:
                raise MediaError(f"it has more than {most} bytes")
        return bytes(data)


def _most(head: bytes) -> int:
    """How large what begins like this may be."""
    mime = sniffed(head)
    if mime is None:
        raise MediaError("it is no picture, film, sound or file of a known kind")
    return PICTURE_MAX_BYTES if mime.startswith("image/") else 1 << 40


async def _first(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    data = bytearray()
    async for piece in answer.content.iter_any():
        data += piece
        if len(data) >= most_bytes:
            break
    return bytes(data[:most_bytes])


async def _read(answer: aiohttp.ClientResponse, read: _Read) -> Fetched:
    if answer.status != 200:
        raise MediaError(f"the server says {answer.status}")
    if answer.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise MediaError("it was sent compressed, without being asked")
    return Fetched(await read(answer), str(answer.url), answer.headers.get(hdrs.CONTENT_TYPE, ""))


def _checked(url: str) -> URL:
    """An address that may be asked. Raises MediaError."""
    try:
        place = URL(url)
    except ValueError as error:
        raise MediaError("its address can't be read") from error
    if len(url) > URL_MAX:
        raise MediaError("its address is too long")
    if place.scheme not in ("http", "https") or not place.host:
        raise MediaError("it is not on the web: only http and https are fetched")
    if place.user is not None or place.password is not None:
        raise MediaError("there is a name or a password in its address")
    return place


def _why(error: Exception) -> str:
    """For people; without what a hostile server said."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, _ForbiddenError) or "not public" in str(cause):
        return "its address is not public"
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "the server's certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            return "there is no such host"
        case aiohttp.ClientConnectorError():
            return "the server can't be reached"
        case aiohttp.ClientPayloadError():
            return "it broke off"
    return f"it can't be fetched ({type(error).__name__})"

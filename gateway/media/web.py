"""What a post shows, fetched from the web for somebody who may be anybody: bounded in bytes and time.
:mod:`gateway.fetch` sees to the rest.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp
from aiohttp import hdrs
from yarl import URL

from gateway.fetch import opened
from gateway.media.errors import MediaError
from gateway.media.kinds import HEAD_BYTES, sniffed
from gateway.media.probe import PICTURE_MAX_BYTES
from gateway.model.delivery import FaultError
from gateway.model.fetching import Fetching

log = logging.getLogger("multihome.media")

REDIRECTS_MAX = 5


class Fetched(NamedTuple):
    """What came."""

    data: bytes
    url: str
    """Where it was in the end."""
    content_type: str
    """The server's word."""


_Read = Callable[[aiohttp.ClientResponse], Awaitable[bytes]]


class Web:
    """Fetches for all accounts."""

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching
        self._inner = frozenset(host.lower() for host in fetching.inner_hosts)

    async def media(self, url: str) -> Fetched:
        """A picture, film, sound or file, whole. Raises MediaError."""
        return await self._within(self._fetching.timeout_s, url, self._whole)

    async def beginning(self, url: str, most_bytes: int, timeout_s: float) -> Fetched:
        """The first bytes of a page. Raises MediaError."""
        return await self._within(timeout_s, url, functools.partial(_first, most_bytes=most_bytes))

    async def _within(self, timeout_s: float, url: str, read: _Read) -> Fetched:
        try:
            async with (
                asyncio.timeout(timeout_s),
                opened(url, inner=self._may_be_inside, redirects=REDIRECTS_MAX) as answer,
            ):
                return Fetched(await read(answer), str(answer.url), answer.headers.get(hdrs.CONTENT_TYPE, ""))
        except TimeoutError as error:
            raise MediaError(f"it didn't come within {timeout_s:.0f} s") from error
        except FaultError as error:
            log.info("a fetch failed: %s", error.fault.evidence)
            raise MediaError(error.fault.evidence) from error

    def _may_be_inside(self, place: URL) -> bool:
        return place.host is not None and place.host.lower() in self._inner

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

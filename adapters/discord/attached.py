"""The bytes of what people attach: from Discord's own file servers, or from the server the operator named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from urllib.parse import urlsplit

import aiohttp

from adapters.border import crossing
from adapters.discord.errors import describe
from adapters.discord.profile import FAULTS
from adapters.discord.translate import refused
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.ports import Clock

FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
PIECE_SIZE_BYTES = 65_536
_TIMEOUT = aiohttp.ClientTimeout(total=600, sock_connect=10, sock_read=30)


async def download(url: str, server: str, clock: Clock) -> AsyncIterator[bytes]:
    """A file, without credentials: its address is signed. Addresses elsewhere are nobody's business here."""
    if not _is_ours(url, server):
        raise refused(FaultKind.INVALID, "not an attachment of this platform")

    told = partial(describe, clock.now, None)
    async with (
        crossing(told, FAULTS, doing="fetch"),
        aiohttp.ClientSession(timeout=_TIMEOUT) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            kind = FaultKind.TARGET_GONE if answer.status in (403, 404) else FaultKind.SERVER
            raise FaultError(Fault(kind, True, f"fetch: {answer.status}"))
        async for piece in answer.content.iter_chunked(PIECE_SIZE_BYTES):
            yield piece


def _is_ours(url: str, server: str) -> bool:
    try:
        asked, own = urlsplit(url), urlsplit(server)
        there = (asked.scheme, asked.hostname, asked.port)
    except ValueError:
        return False
    return there == (own.scheme, own.hostname, own.port) or (asked.scheme == "https" and asked.hostname in FILE_HOSTS)

"""The bytes of what others attached: from the account's own server, or from wherever on the internet it keeps files.

An address is only the sender's word. So it is asked without the token, and a socket is made to public addresses
alone (behind names and redirects, too); the server that the operator named may be anywhere.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from adapters.mastodon.attached import refused
from gateway.addresses import is_public
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.media import Attachment
from gateway.ports import Clock

FETCH_S = 600.0
PIECE_BYTES = 65_536
REDIRECTS_MAX = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TIMES = aiohttp.ClientTimeout(total=FETCH_S, sock_connect=10.0, sock_read=30.0)


class InnerError(OSError):
    """The socket is not made."""


class Files:
    """``server`` is the account's own, by the operator's word."""

    def __init__(self, server: str, clock: Clock) -> None:
        self._own = _origin(server)
        self._clock = clock

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        url = attachment.handle
        until_s = self._clock.monotonic() + FETCH_S
        try:
            for _ in range(REDIRECTS_MAX + 1):
                async with self._session(url) as session, session.get(url, allow_redirects=False) as answer:
                    if answer.status not in _REDIRECTS:
                        async for piece in self._pieces(answer, until_s):
                            yield piece
                        return
                    url = str(answer.url.join(URL(answer.headers.get("Location", ""))))
        except InnerError as error:
            raise refused(FaultKind.TARGET_REFUSED, "the file isn't on the internet") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error.__cause__ or error.__context__, InnerError):
                raise refused(FaultKind.TARGET_REFUSED, "the file isn't on the internet") from error
            raise refused(FaultKind.NETWORK, f"fetch: {type(error).__name__}") from error
        raise refused(FaultKind.SERVER, f"fetch: moved more than {REDIRECTS_MAX} times")

    async def _pieces(self, answer: aiohttp.ClientResponse, until_s: float) -> AsyncIterator[bytes]:
        if answer.status != 200:
            kind = FaultKind.TARGET_GONE if answer.status in (403, 404, 410) else FaultKind.SERVER
            raise FaultError(Fault(kind, True, f"fetch: {answer.status}"))
        async for piece in answer.content.iter_chunked(PIECE_BYTES):
            if self._clock.monotonic() > until_s:
                raise refused(FaultKind.SERVER, f"fetch: not done in {FETCH_S:.0f} s")
            yield piece

    def _session(self, url: str) -> aiohttp.ClientSession:
        origin = _origin(url)
        if origin[0] not in ("http", "https") or not origin[1]:
            raise refused(FaultKind.INVALID, "not an address of a file")
        guarded: dict[str, Any] = {} if origin == self._own else {"socket_factory": _public_only}
        connector = aiohttp.TCPConnector(limit=1, use_dns_cache=False, **guarded)
        headers = {"Accept-Encoding": "identity", "User-Agent": "multihome"}
        return aiohttp.ClientSession(connector=connector, timeout=_TIMES, headers=headers, auto_decompress=False)


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.casefold()
        return scheme, (parts.hostname or "").casefold(), parts.port or (443 if scheme == "https" else 80)
    except ValueError:  # a port that is none
        return "", "", 0


def _public_only(info: Any) -> socket.socket:
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise InnerError("not a public address")
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made

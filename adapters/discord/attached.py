"""The bytes of what people attach: from Discord's own file servers, or from the server the operator named."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from gateway.fetch import at, pieces
from gateway.model.delivery import FaultKind, refused

FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})


def download(url: str, server: str) -> AsyncGenerator[bytes]:
    """A file, without credentials: its address is signed. Addresses elsewhere are nobody's business here."""
    if not _is_ours(url, server):
        raise refused(FaultKind.INVALID, "not an attachment of this platform")
    return pieces(url, inner=at(server))


def _is_ours(url: str, server: str) -> bool:
    try:
        asked, own = urlsplit(url), urlsplit(server)
        there = (asked.scheme, asked.hostname, asked.port)
    except ValueError:
        return False
    return there == (own.scheme, own.hostname, own.port) or (asked.scheme == "https" and asked.hostname in FILE_HOSTS)

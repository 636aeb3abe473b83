"""The bytes of what others attached: from the account's own server, or from the one its author lives on.

Where an author lives, the author says: of such addresses only those are asked that anybody on the internet can reach.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import urlencode

from msgspec import json

from gateway.fetch import at, opened, pieces
from gateway.model.delivery import FaultError, FaultKind, refused
from gateway.model.media import Attachment

DIRECTORY = "https://plc.directory"
DOCUMENT_MAX_BYTES = 200_000

_HANDLE = re.compile(r"(did:(?:plc:[a-z2-7]{24}|web:[a-z0-9.-]{1,253})) ([a-z0-9]{8,128})")


class Blobs:
    """``own`` gives the account's server, which the operator named; ``public`` says whether others are asked."""

    def __init__(self, own: Callable[[], Awaitable[str]], *, public: bool) -> None:
        self._own = own
        self._public = public

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        named = _HANDLE.fullmatch(attachment.handle)
        if named is None:
            raise refused(FaultKind.INVALID, "not an attachment of this network")
        own = await self._own()
        try:
            async with aclosing(pieces(_address(own, *named.groups()), inner=at(own))) as found:
                async for piece in found:
                    yield piece
        except FaultError as error:
            if error.fault.kind is not FaultKind.TARGET_GONE or not self._public:
                raise
        else:
            return
        home = await _home_of(named[1])
        async with aclosing(pieces(_address(home, *named.groups()))) as found:
            async for piece in found:
                yield piece


def _address(server: str, did: str, cid: str) -> str:
    return f"{server}/xrpc/com.atproto.sync.getBlob?{urlencode({'did': did, 'cid': cid})}"


async def _home_of(did: str) -> str:
    """The server an account lives on, by its own document."""
    web = did.removeprefix("did:web:")
    address = f"https://{web}/.well-known/did.json" if web != did else f"{DIRECTORY}/{did}"
    data = b""
    async with opened(address) as answer:
        while len(data) <= DOCUMENT_MAX_BYTES and (piece := await answer.content.readany()):
            data += piece
    home = home_in(data)
    if not home:
        raise refused(FaultKind.TARGET_GONE, "nobody knows where the author lives")
    return home


def home_in(document: bytes) -> str:
    """The server that a DID document names, or nothing."""
    try:
        told: Any = json.decode(document)
    except ValueError:
        return ""
    services = told.get("service") if isinstance(told, dict) else None
    for service in services if isinstance(services, list) else ():
        match service:
            case {"id": str(name), "serviceEndpoint": str(url)} if name.endswith("#atproto_pds"):
                return url.rstrip("/") if re.fullmatch(r"https://[a-z0-9.-]+(:\d+)?/?", url) else ""
    return ""

"""The bytes of what others attached: from the account's own server, or from the one its author lives on.

Where an author lives, the author says: of such addresses only those are asked that anybody on the internet can reach.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
from msgspec import json

from adapters.bluesky.embeds import refused
from adapters.bluesky.profile import FAULTS
from adapters.bluesky.transport import trusted
from adapters.bluesky.wire import describe
from adapters.border import crossing
from gateway.addresses import is_public
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.media import Attachment
from gateway.ports import Clock

DIRECTORY = "https://plc.directory"
FETCH_S = 600.0
DOCUMENT_MAX_BYTES = 200_000

_HANDLE = re.compile(r"(did:(?:plc:[a-z2-7]{24}|web:[a-z0-9.-]{1,253})) ([a-z0-9]{8,128})")
_TIMES = httpx.Timeout(30.0, connect=10.0)

Resolve = Callable[[str], Awaitable[str]]


class Blobs:
    """``own`` gives the account's server, which the operator named; ``public`` says whether others are asked."""

    def __init__(
        self, own: Callable[[], Awaitable[str]], clock: Clock, *, public: bool, resolve: Resolve | None = None
    ) -> None:
        self._own = own
        self._clock = clock
        self._public = public
        self._resolve = resolve or public_address

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        named = _HANDLE.fullmatch(attachment.handle)
        if named is None:
            raise refused(FaultKind.INVALID, "not an attachment of this network")
        until_s = self._clock.monotonic() + FETCH_S
        async with (
            crossing(lambda error: describe(error, self._clock.now()), FAULTS, doing="fetch"),
            AsyncExitStack() as stack,
        ):
            client = await stack.enter_async_context(_client())
            response = await self._opened(client, *named.groups())
            stack.push_async_callback(response.aclose)
            async for piece in response.aiter_raw():
                if self._clock.monotonic() > until_s:
                    raise FaultError(Fault(FaultKind.SERVER, True, f"fetch: not done in {FETCH_S:.0f} s"))
                yield piece

    async def _opened(self, client: httpx.AsyncClient, did: str, cid: str) -> httpx.Response:
        where = {"did": did, "cid": cid}
        request = client.build_request("GET", f"{await self._own()}/xrpc/com.atproto.sync.getBlob", params=where)
        response = await client.send(request, stream=True)
        if response.status_code in (400, 404) and self._public:
            await response.aclose()
            home = await self._home_of(client, did)
            response = await self._ask(client, f"{home}/xrpc/com.atproto.sync.getBlob", where)
        if response.status_code == 200:
            return response
        await response.aclose()
        kind = FaultKind.TARGET_GONE if response.status_code in (400, 404) else FaultKind.SERVER
        raise FaultError(Fault(kind, True, f"fetch: {response.status_code}"))

    async def _home_of(self, client: httpx.AsyncClient, did: str) -> str:
        """The server an account lives on, by its own document."""
        web = did.removeprefix("did:web:")
        address = f"https://{web}/.well-known/did.json" if web != did else f"{DIRECTORY}/{did}"
        response = await self._ask(client, address, {})
        data = b""
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > DOCUMENT_MAX_BYTES:
                break
        await response.aclose()
        home = home_in(data) if response.status_code == 200 else ""
        if not home:
            raise FaultError(Fault(FaultKind.TARGET_GONE, True, "fetch: nobody knows where the author lives"))
        return home

    async def _ask(self, client: httpx.AsyncClient, url: str, params: dict[str, str]) -> httpx.Response:
        """Of the very address that was looked at: a name may lead elsewhere the second time."""
        request = client.build_request("GET", url, params=params)
        host = request.url.host
        request.extensions["sni_hostname"] = host
        request.url = request.url.copy_with(host=await self._resolve(host))
        return await client.send(request, stream=True)


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=_TIMES, verify=trusted(), headers={"Accept-Encoding": "identity"})


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


async def public_address(host: str) -> str:
    """An address of this name, when all of them are on the internet."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FaultError(
            Fault(FaultKind.NETWORK, True, f"fetch: {type(error).__name__} for the author's server")
        ) from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(map(is_public, addresses)):
        raise refused(FaultKind.TARGET_REFUSED, "the author's server isn't on the internet")
    return addresses[0]

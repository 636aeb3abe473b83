"""The client library's place: calls, and what its exceptions and answers tell.

With transport.py the only importer of the client library. It is a module of its own so that adapter.py can import it,
with the 0.6 s that atproto costs, in a thread and only when an account is opened.

What the library would do and is kept from: five seconds as time-out, a getProfile at sign-in, redirects of a POST, a
renewal by each client for itself, a decoder and models that refuse a whole page for one bad item or show tokens in
their errors (answers stay bytes, calls here are its low-level ``invoke_query`` and ``invoke_procedure``), and ``null``
left out of a request (a put without ``swapRecord: null`` overwrites).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import httpx
from atproto_client import AsyncClient
from atproto_client import Session as LibrarySession
from atproto_client.exceptions import RateLimitExceededError, RequestErrorBase
from atproto_client.models.common import XrpcError
from atproto_client.models.dot_dict import DotDict
from atproto_client.request import AsyncRequest, Response

from adapters.bluesky.pages import Page, decoded
from adapters.bluesky.profile import FAULTS, PROFILE
from adapters.bluesky.session import Answer, Tokens
from adapters.bluesky.transport import Transport, undecoded, untie
from adapters.border import Told, crossing
from gateway.model.capabilities import LaneState
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.ports import Clock

CALL_S = 60.0
"""A whole call, whatever the server does; connecting and each wait for bytes have the shorter ones below."""
SLOWEST_UPLOAD_BYTES_S = 200_000
"""What is sent with a call may take longer at this pace."""

_JSON = "application/json"
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_LANES = {f"{lane.n};w={lane.per_s:.0f}": lane.name for lane in PROFILE.lanes}


class _Calls(AsyncRequest):
    """The library's requests, never redirected: a POST could be made twice."""

    async def get(self, *args: Any, **kwargs: Any) -> Response:
        return await super().get(*args, follow_redirects=False, **kwargs)

    async def post(self, *args: Any, **kwargs: Any) -> Response:
        return await super().post(*args, follow_redirects=False, **kwargs)


class Wire:
    """Calls to one server. Every method raises FaultError and nothing else but CancelledError."""

    def __init__(self, server: str, clock: Clock) -> None:
        self._clock = clock
        plain = {"Accept-Encoding": "identity"}
        calls = _Calls(transport=Transport(), headers=plain, event_hooks={"response": [untie, undecoded]})
        self._client = AsyncClient(server, calls)
        self._closed = False

    async def use(self, tokens: Tokens) -> None:
        """Sign what is called from now on. No word goes to the server."""
        session = LibrarySession(tokens.handle, tokens.did, tokens.access, tokens.refresh, tokens.endpoint)
        await self._client.login(session_string=session.encode(), fetch_bsky_profile=False)

    async def query(self, nsid: str, params: dict[str, Any], headers: dict[str, str]) -> Answer:
        async with self._crossing(nsid):
            return _answer(await self._asked(nsid, params, headers))

    async def page(self, nsid: str, params: dict[str, Any], headers: dict[str, str]) -> Page:
        async with self._crossing(nsid):
            return decoded(_content(await self._asked(nsid, params, headers)), Page)

    async def procedure(self, nsid: str, content: bytes, headers: dict[str, str]) -> Answer:
        async with self._crossing(nsid, CALL_S + len(content) / SLOWEST_UPLOAD_BYTES_S):
            given = {"Content-Type": _JSON, **headers} if content else headers
            return _answer(
                await self._client.invoke_procedure(nsid, content=content, headers=given, ignore_session_check=True)
            )

    async def _asked(self, nsid: str, params: dict[str, Any], headers: dict[str, str]) -> Response:
        """The library takes whatever its models module turns into a dict."""
        given = cast("Any", DotDict(params))
        return await self._client.invoke_query(nsid, params=given, headers=headers, ignore_session_check=True)

    async def aclose(self) -> None:
        self._closed = True
        await self._client.request.close()

    @asynccontextmanager
    async def _crossing(self, doing: str, within_s: float = CALL_S) -> AsyncIterator[None]:
        if self._closed:
            raise FaultError(Fault(FaultKind.CANCELLED, True, f"{doing}: the account is closed"))
        async with crossing(self._describe, FAULTS, doing=doing), asyncio.timeout(within_s):
            yield

    def _describe(self, error: Exception) -> Told | None:
        return describe(error, self._clock.now())


def _answer(response: Response) -> Answer:
    content = _content(response)
    return Answer(decoded(content, dict[str, Any]) if content else {}, _lanes(response.headers))


def _content(response: Response) -> bytes:
    """See :func:`adapters.bluesky.transport.undecoded`."""
    return cast("bytes", response.content)


# What exceptions and headers tell.


def describe(error: Exception, now: datetime) -> Told | None:
    """What the library's exception says; ``None`` for one that isn't its own."""
    if isinstance(error, RequestErrorBase):
        if error.response is not None:
            return _answered(error, error.response, now)
        return _unanswered(error.__cause__)
    if isinstance(error, httpx.HTTPError | httpx.InvalidURL):  # those it doesn't wrap
        return _unanswered(error)
    if isinstance(error, ValueError):
        return Told(type(error).__name__, codes=("Unreadable",))
    return None


def _answered(error: RequestErrorBase, response: Response, now: datetime) -> Told:
    content = response.content
    if 300 <= response.status_code < 400:
        return Told("the server sends elsewhere", response.status_code, ("Redirected",))
    code, words = (content.error, content.message) if isinstance(content, XrpcError) else ("", "not an XRPC error")
    return Told(
        _TOKEN.sub("***", words or code or ""),
        response.status_code,
        (_TOKEN.sub("***", code),) if code else (),
        retry_at=_retry_at(error, now) if isinstance(error, RateLimitExceededError) else None,
        lanes=_lanes(response.headers),
    )


def _unanswered(cause: BaseException | None) -> Told:
    """What transport.py told."""
    match cause:
        case httpx.ConnectError():
            return Told(str(cause), reached=False)
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return Told(type(cause).__name__, codes=("BadAddress",), reached=False)
        case httpx.TimeoutException():
            return Told(str(cause), codes=("TimedOut",))
    return Told(str(cause), codes=("Dropped",))


def _retry_at(error: RateLimitExceededError, now: datetime) -> datetime | None:
    """``retry-after`` first: it doesn't depend on this machine's clock."""
    if error.retry_after is not None:
        return now + timedelta(seconds=min(error.retry_after, 86_400 * 2))
    try:
        return error.reset_at
    except (ValueError, OverflowError, OSError):
        return None


def _lanes(headers: dict[str, Any]) -> tuple[LaneState, ...]:
    """The tightest rate window, where the answer tells of one that the profile has."""
    name = _LANES.get(headers.get("ratelimit-policy", ""))
    remaining, reset = headers.get("ratelimit-remaining", ""), headers.get("ratelimit-reset", "")
    if name is None or not (remaining.isdecimal() and reset.isdecimal()):
        return ()
    return (LaneState(name, int(remaining), float(reset)),)

"""The client library's place: calls over a few small clients, and what its exceptions and answers tell.

The only importer of the client library. It is a module of its own so that adapter.py can import it, with the
0.6 s that atproto costs, in a thread and only when an account is opened.

What the library would do and is kept from: five seconds as time-out, a getProfile at sign-in, redirects of a POST, a
renewal by each client for itself, models that refuse a whole page for one bad item or show tokens in their errors
(calls here are its low-level ``invoke_query`` and ``invoke_procedure``), and ``null`` left out of a request (a put
without ``swapRecord: null`` overwrites).
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
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

from adapters.bluesky.profile import FAULTS, PROFILE
from adapters.bluesky.session import Answer, Tokens
from adapters.border import Told, crossing
from gateway.model.capabilities import LaneState
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.ports import Clock

CALL_S = 60.0
"""A whole call, whatever the server does; connecting and each wait for bytes have the shorter ones below."""
SLOWEST_UPLOAD_BYTES_S = 200_000
"""What is sent with a call may take longer at this pace."""
ANSWER_MAX_BYTES = 8_000_000
SENDERS = 16

_TIMES = httpx.Timeout(30.0, connect=10.0)
_JSON = "application/json"
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_LANES = {f"{lane.n};w={lane.per_s:.0f}": lane.name for lane in PROFILE.lanes}


@functools.cache
def trusted() -> ssl.SSLContext:
    """Certificates, loaded once: every client that does it by itself blocks for 20 ms."""
    return httpx.create_ssl_context()


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
        self._main = _client(server)
        self._senders: list[AsyncClient] = []
        self._idle: list[AsyncClient] = []
        self._turns = asyncio.Semaphore(SENDERS)
        self._closed = False

    async def use(self, tokens: Tokens) -> None:
        """Sign what is called from now on. No word goes to the server."""
        session = LibrarySession(tokens.handle, tokens.did, tokens.access, tokens.refresh, tokens.endpoint)
        await self._main.login(session_string=session.encode(), fetch_bsky_profile=False)
        for sender in self._senders:
            sender.update_base_url(tokens.endpoint)

    async def query(self, nsid: str, params: dict[str, Any], headers: dict[str, str]) -> Answer:
        async with self._crossing(nsid):
            # The library takes whatever its models module turns into a dict.
            given = cast("Any", DotDict(params))
            return _answer(
                await self._main.invoke_query(nsid, params=given, headers=headers, ignore_session_check=True)
            )

    async def procedure(self, nsid: str, content: bytes, headers: dict[str, str]) -> Answer:
        within_s = CALL_S + len(content) / SLOWEST_UPLOAD_BYTES_S
        async with self._turn() as client, self._crossing(nsid, within_s):
            given = {"Content-Type": _JSON, **headers} if content else headers
            return _answer(
                await client.invoke_procedure(nsid, content=content, headers=given, ignore_session_check=True)
            )

    async def aclose(self) -> None:
        self._closed = True
        for client in (self._main, *self._senders):
            await client.request.close()

    @asynccontextmanager
    async def _crossing(self, doing: str, within_s: float = CALL_S) -> AsyncIterator[None]:
        if self._closed:
            raise FaultError(Fault(FaultKind.CANCELLED, True, f"{doing}: the account is closed"))
        async with crossing(self._describe, FAULTS, doing=doing), asyncio.timeout(within_s):
            yield

    def _describe(self, error: Exception) -> Told | None:
        return describe(error, self._clock.now())

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[AsyncClient]:
        """A client of one's own. Callers wait here: an httpx client loses half its speed to a queue of its own."""
        async with self._turns:
            client = self._idle.pop() if self._idle else self._another()
            try:
                yield client
            finally:
                self._idle.append(client)

    def _another(self) -> AsyncClient:
        client = self._main.clone()  # shares the session
        self._senders.append(client)
        return client


def _client(server: str) -> AsyncClient:
    headers = {"Accept-Encoding": "identity"}  # what has to be unpacked has no bound
    hooks = {"response": [_bound]}
    return AsyncClient(server, _Calls(timeout=_TIMES, verify=trusted(), headers=headers, event_hooks=hooks))


def _answer(response: Response) -> Answer:
    content = response.content
    if isinstance(content, dict):
        return Answer(content, _lanes(response.headers))
    if content == b"":
        return Answer({}, ())
    raise FaultError(Fault(FaultKind.SERVER, False, f"{response.status_code}: an answer that isn't a JSON object"))


async def _bound(response: httpx.Response) -> None:
    """Runs before the body is read."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _TooLargeError("a packed answer, which nobody asked for")
    length = response.headers.get("content-length", "")
    if length.isdigit():
        if int(length) > ANSWER_MAX_BYTES:
            raise _TooLargeError(f"an answer of {length} bytes")
    elif isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Bounded(response.stream)


class _TooLargeError(ValueError):
    pass


class _Bounded(httpx.AsyncByteStream):
    """A body whose length nobody told."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read_bytes = 0
        async for chunk in self._stream:
            read_bytes += len(chunk)
            if read_bytes > ANSWER_MAX_BYTES:
                raise _TooLargeError(f"an answer of more than {ANSWER_MAX_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


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
    words = type(cause).__name__
    if isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
        return Told(f"{words}: {cause}", reached=False)
    if isinstance(cause, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.InvalidURL):
        return Told(words, codes=("BadAddress",), reached=False)
    if isinstance(cause, httpx.TimeoutException):
        return Told(words, codes=("TimedOut",))
    if isinstance(cause, httpx.DecodingError):
        return Told(words, codes=("Unreadable",))
    return Told(words, codes=("Dropped",))


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

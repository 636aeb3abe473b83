"""The Bot API through python-telegram-bot: clients, their number, what their exceptions tell, and no token in any log.

Apart from adapter.py because both together would pass 400 lines; nothing else in the project imports the library.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
from telegram import Bot, InputFile
from telegram.error import ChatMigrated, RetryAfter, TelegramError
from telegram.request import HTTPXRequest
from telegram.warnings import PTBDeprecationWarning

from adapters.border import Told
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.ids import ConversationId
from gateway.model.secret import Secret

CLIENTS = 8
CALLERS_PER_CLIENT = 2
"""One httpx client gets slower with every caller it has at once, so the others wait outside httpx. Measured 2026-11-22
with 64 callers on one core, sends/s: one Bot with a pool of 256: 390; 2 clients x 8 callers: 630; 4 x 4: 750; 8 x 2,
4 x 2, 16 x 1 and 1 x 1: 900-1100. 8 x 2 keeps 16 requests under way where the network is slow.
"""
ANSWER_MAX_BYTES = 16 * 1024 * 1024
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 120.0
"""The whole call: httpx's own time-outs start anew with every byte that drips in."""
RETRY_MOST = timedelta(days=1)

_NOT_JSON = "the answer is not the Bot API's"


def silence() -> None:
    """Keep the token out of the logs: it is part of every URL.

    httpx logs each URL at INFO and Bot its base URL at DEBUG. A filter, since whoever debugs sets levels later.
    Besides, PTB 22 warns of its own attribute whenever it makes a RetryAfter.
    """
    warnings.filterwarnings("ignore", r".*attribute `retry_after`", PTBDeprecationWarning)
    for name in ("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "telegram.Bot"):
        logging.getLogger(name).addFilter(_warnings_only)


def _warnings_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all clients: reading the certificates takes longer than anything else in making a client."""
    return httpx.create_ssl_context()


class _Capped(httpx.AsyncByteStream):
    """An answer's bytes, up to a limit."""

    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = ANSWER_MAX_BYTES
        async for chunk in self._inner:
            left -= len(chunk)
            if left < 0:
                raise httpx.RemoteProtocolError("the answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _cap(response: httpx.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx.RemoteProtocolError("a compressed answer, which we don't ask for")
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Capped(response.stream)


class _Wire(HTTPXRequest):
    """PTB's transport, bounded; what a server echoes of the URL in an error page is blotted out."""

    __slots__ = ("_secret",)

    def __init__(self, token: Secret, connections: int, read_timeout_s: float) -> None:
        super().__init__(
            connection_pool_size=connections,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            write_timeout=READ_TIMEOUT_S,
            media_write_timeout=UPLOAD_TIMEOUT_S,
            pool_timeout=READ_TIMEOUT_S,
            httpx_kwargs={
                "verify": _tls(),
                "headers": {"Accept-Encoding": "identity"},
                "event_hooks": {"response": [_cap]},
            },
        )
        self._secret = token.reveal().rpartition(":")[2].encode()

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        status, payload = await super().do_request(*args, **kwargs)
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return status, payload
        return status, payload.replace(self._secret, b"***")

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As PTB's own, but what isn't JSON isn't logged: an error page may be long and hold anything."""
        try:
            data = json.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or not isinstance(data.get("parameters", {}), dict):
            raise TelegramError(_NOT_JSON)
        data.setdefault("result", None)
        return data


class Client(Bot):
    """A Bot that takes and gives the API's own JSON.

    PTB builds objects of every answer; one update it can't build loses the whole page with no way past it, and a
    message that was sent would look like one that failed.
    """

    __slots__ = ()

    def __init__(self, token: Secret, server: str, connections: int, read_timeout_s: float) -> None:
        wire = _Wire(token, connections, read_timeout_s)
        base = server.rstrip("/")
        super().__init__(
            token.reveal(),
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            request=wire,
            get_updates_request=wire,
        )

    def __repr__(self) -> str:
        return "Client(***)"

    async def call(self, method: str, parameters: dict[str, Any]) -> Any:
        """One request; the API's ``result``."""
        return await self._post(method, parameters)

    async def close_connections(self) -> None:
        await self.request.shutdown()


def upload(data: bytes, mime: str) -> InputFile:
    """A file as the value of a method's parameter."""
    return InputFile(data, filename=f"picture.{mime.rpartition('/')[2]}")


class Clients:
    """A few clients, made when needed, each with few callers at once. The rest queue here."""

    def __init__(self, token: Secret, server: str) -> None:
        self._token = token
        self._server = server
        self._made: dict[int, Client] = {}
        # The first client's slots are on top: a lone caller never needs a second client.
        self._free = [n for n in reversed(range(CLIENTS)) for _ in range(CALLERS_PER_CLIENT)]
        self._slots = asyncio.Semaphore(CLIENTS * CALLERS_PER_CLIENT)
        self._closed = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Client]:
        """A client of which this caller has a connection."""
        async with self._slots:
            number = self._free.pop()
            try:
                yield self._client(number, CALLERS_PER_CLIENT, READ_TIMEOUT_S)
            finally:
                self._free.append(number)

    def poller(self, patience_s: float) -> Client:
        """A client apart: a long poll must not hold a place that a send needs, and waits longer for its answer."""
        return self._client(-1, 1, patience_s)

    def _client(self, number: int, connections: int, read_timeout_s: float) -> Client:
        if self._closed:
            raise FaultError(Fault(FaultKind.CANCELLED, True, "the account is closed"))
        client = self._made.get(number)
        if client is None:
            client = self._made[number] = Client(self._token, self._server, connections, read_timeout_s)
        return client

    async def aclose(self) -> None:
        self._closed = True
        while self._made:
            await self._made.popitem()[1].close_connections()


# What PTB's exceptions tell. BadRequest and TimedOut are subclasses of NetworkError: the class alone decides nothing.

_STATUSES = {"Conflict": 409, "Forbidden": 403, "BadRequest": 400}
"""By PTB's class. InvalidToken is 401 or 404."""
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BAD_SERVER = (httpx.UnsupportedProtocol, httpx.InvalidURL)


def describe(error: Exception, now: datetime) -> Told | None:
    """What an exception of the library told, without its types; ``None`` for what is none of its."""
    if not isinstance(error, TelegramError):
        return None
    cause = error.__cause__
    if cause is not None and not isinstance(cause, TelegramError):
        return _unanswered(cause)
    if cause is not None or type(error) is TelegramError:
        return Told(_NOT_JSON, _status(error), ("NotJson",))
    name = type(error).__name__
    if isinstance(error, RetryAfter):
        wait = min(error._retry_after, RETRY_MOST)  # noqa: SLF001  # the property warns, always
        return Told(error.message, 429, (name,), retry_at=now + wait)
    if isinstance(error, ChatMigrated):
        return Told(error.message, 400, (name,), moved_to=ConversationId(str(error.new_chat_id)))
    return Told(error.message, _STATUSES.get(name) or _status(error), (name,))


def _unanswered(cause: BaseException) -> Told:
    """The request failed on the way: the cause tells whether it can have arrived. Only httpx's words hold no URL."""
    name = type(cause).__name__
    text = f"{name}: {cause}" if isinstance(cause, httpx.HTTPError) else name
    if isinstance(cause, _BAD_SERVER):
        return Told(f"the server setting is no http(s) address ({text})", codes=("BadServer",), reached=False)
    if isinstance(cause, _NEVER_LEFT):
        return Told(text, reached=False)
    return Told(text, codes=("NoAnswer",))


def _status(error: TelegramError) -> int | None:
    """PTB drops the status; its own words for it and the server's first ones give it back."""
    if numbered := re.search(r"\((\d{3})\)", error.message):
        return int(numbered.group(1))
    return next((status.value for status in HTTPStatus if error.message.startswith(status.phrase)), None)

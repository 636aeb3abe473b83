"""The ``requests`` session that Mastodon.py is given: one connection, few allocations, hard bounds.

Mastodon.py takes any session. With its own, one post costs 2 to 5 ms of CPU: requests prepares, dateutil reads two
headers, and every field of the answer is cast through type hints. This one asks http.client directly, keeps the
headers for the adapter, and decodes an answer into the struct that the adapter wants: the library "gives up and
returns as-is" (``try_cast_recurse``) what it doesn't know. One post then costs 0.2 ms, and no answer of a hostile
server can make the library recurse, read for ever, follow a redirect with a token, or fail after a status was made
(it raises on odd rate headers, and warns on deprecations).
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

import msgspec
import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from gateway.ports import Clock

ANSWER_MAX_BYTES = 4 << 20
LINE_MAX_BYTES = 1 << 20
REDIRECTS_MAX = 3
IDLE_MAX_S = 20.0
"""A connection that rested longer is not trusted: routers forget them without a word."""
RESET_MAX = timedelta(days=1)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_IN_ENGLISH = {"lang": "en"}
"""Refusals are told in the language that the account's owner reads, unless another is asked for: masto localized.rb."""
_ASKED_BESIDES = {"/api/v1/notifications": {"include_filtered": "true"}}
"""What the library has no word for. Since 4.3 a stranger's first direct message waits among the requests unless it is
asked for (masto notification_policy.rb, notify_service.rb; pull request 31011); older servers don't look at it.
"""


class UnreachedError(OSError):
    """No byte of the request left."""


class UnansweredError(OSError):
    """The request may have arrived; there is no usable answer."""


class RedirectedError(OSError):
    """The server points elsewhere; it did nothing."""


class Refusal(msgspec.Struct, frozen=True):
    error: str


class Answer:
    """As much of ``requests.Response`` as Mastodon.py looks at; :attr:`Session.headers_told` keeps the headers."""

    headers: Mapping[str, str] = {}

    def __init__(self, status: int, reason: str, content: bytes, shape: Any) -> None:
        self.status_code = status
        self.reason = reason
        self.ok = status < 400
        self.content = content
        self._shape = shape

    def json(self) -> Any:
        """The struct that was asked for; ValueError for anything else, refusals among it."""
        try:
            return msgspec.json.decode(self.content, type=self._shape)
        except (ValueError, RecursionError) as error:
            raise ValueError(str(error)) from None

    def refusal(self) -> str | None:
        """The words of a refusal; None where they are not an API's. (The library loses them where it wants a list.)"""
        try:
            return None if self.ok else msgspec.json.decode(self.content, type=Refusal).error
        except (ValueError, RecursionError):
            return None


class Streamed:
    """An open stream of lines. ``close`` only from the thread that reads; from others :meth:`Session.abort`."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.status_code = response.status
        self.reason = response.reason

    def lines(self) -> Iterator[bytes | None]:
        """Lines without their ends; None for one that is too long."""
        while line := self._response.readline(LINE_MAX_BYTES):
            whole = line.endswith(b"\n")
            while not line.endswith(b"\n"):
                if not (line := self._response.readline(LINE_MAX_BYTES)):
                    return
                whole = False
            yield line.rstrip(b"\r\n") if whole else None

    def close(self) -> None:
        self._response.close()


class Session(requests.Session):
    """For one thread. ``shape`` is what the next success is decoded into.

    Environment, proxies, cookies and .netrc are not looked at. ``headers_told`` are the last answer's, lower case,
    ``refusal_told`` its words where it is a refusal.
    """

    shape: Any = msgspec.Raw

    def __init__(self, server: str, clock: Clock, timeout_s: float) -> None:
        super().__init__()
        self._server = urlsplit(server)
        self._clock = clock
        self._timeout_s = timeout_s
        self._connection = self._connect_to(self._server)
        self._sock: socket.socket | None = None
        self._used_at_s = 0.0
        self._over = False
        self.headers_told: dict[str, str] = {}
        self.refusal_told: str | None = None

    def forget(self) -> None:
        """The last answer is of no interest any more."""
        self.headers_told, self.refusal_told = {}, None

    def request(  # type: ignore[override]  # requests allows more; Mastodon.py passes these by name
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        params: Any = None,
        data: Any = None,
        files: Any = None,
        json: Any = None,
        **_: Any,
    ) -> Answer:
        """One API call. Raises this module's errors, which Mastodon.py wraps as MastodonNetworkError."""
        path = url[len(f"{self._server.scheme}://{self._server.netloc}") :]
        asked = _IN_ENGLISH | _ASKED_BESIDES.get(path, {}) | (params or {})
        target = f"{path}?{urlencode(asked, doseq=True)}"
        body = (
            None
            if method == "GET"
            else _encoded(url, data if json is None else json, files, headers, as_json=json is not None)
        )
        for _redirect in range(REDIRECTS_MAX + 1):
            answer = self._exchange(method, target, body, headers)
            if answer.status_code not in _REDIRECTS:
                return answer
            target = self._elsewhere(method, answer)
        raise RedirectedError("it redirects in a circle")

    def get(  # type: ignore[override]  # Mastodon.py asks for streams with it, and for nothing else
        self, url: str, *, headers: dict[str, str], timeout: tuple[float, float], **_: Any
    ) -> Streamed:
        """Open a stream; ``timeout`` is for the connection and for the silence between two lines."""
        parts = urlsplit(url)
        self._connection.close()
        self._connection = self._connect_to(parts)
        try:
            connection = self._ready()
            connection.sock.settimeout(timeout[1])
            connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers)
            return Streamed(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnansweredError(f"no stream: {type(error).__name__}") from error

    def abort(self) -> None:
        """From another thread: whatever is read or written fails now, and nothing is begun any more."""
        self._over = True
        if self._sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # the TLS layer's own would wait for the reader

    def close(self) -> None:
        self._connection.close()
        super().close()

    def _connect_to(self, parts: SplitResult) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, parts.port, timeout=self._timeout_s, context=_tls())
        return http.client.HTTPConnection(host, parts.port, timeout=self._timeout_s)

    def _ready(self) -> http.client.HTTPConnection:
        """The connection, open and fresh enough."""
        connection = self._connection
        if connection.sock is not None and self._is_stale(connection.sock):
            connection.close()
        if connection.sock is None and not self._over:
            try:
                connection.connect()
            except (OSError, ValueError) as error:
                connection.close()
                raise UnreachedError(f"no connection: {_words(error)}") from error
            self._sock = connection.sock
        if self._over:  # looked at last: abort() either finds the socket or is seen here
            connection.close()
            raise UnreachedError("the account is being closed")
        return connection

    def _is_stale(self, sock: socket.socket) -> bool:
        """Whether the other side has closed it (or says what nobody asked), or it has rested for long."""
        if self._clock.monotonic() - self._used_at_s > IDLE_MAX_S:
            return True
        poll = select.poll()
        poll.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))

    def _exchange(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        self.forget()
        connection = self._ready()
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            content = self._drained(response)
        except ValueError as error:  # http.client looks at every header before it sends the first
            connection.close()
            raise UnreachedError("the request has characters that can't be sent") from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise UnansweredError(f"no answer: {_words(error)}") from error
        self._used_at_s = self._clock.monotonic()
        self.headers_told = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, response.reason, content, self.shape)
        self.refusal_told = answer.refusal()
        return answer

    def _drained(self, response: http.client.HTTPResponse) -> bytes:
        """The body, bounded in size and in time, however slowly it drips."""
        until_s = self._clock.monotonic() + self._timeout_s
        content = b""
        while piece := response.read1(ANSWER_MAX_BYTES):
            content += piece
            if len(content) > ANSWER_MAX_BYTES:
                raise UnansweredError("an answer without end")
            if self._clock.monotonic() > until_s:
                raise UnansweredError("an answer that takes for ever")
        if response.length:
            raise UnansweredError("an answer cut short")
        response.close()
        return content

    def _elsewhere(self, method: str, answer: Answer) -> str:
        """Where a redirect leads: for a read, and on the same server. All else would carry the token away."""
        location = urlsplit(self.headers_told.get("location", ""))
        same = not location.netloc or (location.scheme, location.netloc) == self._server[:2]
        if method != "GET" or not same or not location.path.startswith("/"):
            raise RedirectedError(f"{answer.status_code}: it redirects to {location.scheme}://{location.netloc}")
        return f"{location.path}?{location.query}" if location.query else location.path


def _encoded(url: str, data: Any, files: Any, headers: dict[str, str], *, as_json: bool) -> bytes:
    """The body of a write, and its type among the headers."""
    if as_json:
        headers["Content-Type"] = "application/json"
        return msgspec.json.encode(data)
    if files:
        prepared = requests.Request("POST", url, data=data, files=files).prepare()
        headers["Content-Type"] = prepared.headers["Content-Type"]
        return prepared.body if isinstance(prepared.body, bytes) else b""
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return urlencode(data or {}, doseq=True).encode()


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}"[:200]


_context: ssl.SSLContext | None = None


def _tls() -> ssl.SSLContext:
    """One for all: reading the authorities takes 20 ms."""
    global _context  # noqa: PLW0603 -- a cache without a key
    if _context is None:
        _context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    return _context


def window(headers: Mapping[str, str], now: datetime) -> tuple[int, datetime] | None:
    """What is left of the rate window and when it starts anew, by our clock; None where the answer doesn't tell.

    Mastodon writes the hour in ISO 8601, GoToSocial in Unix seconds; a proxy may only say Retry-After.
    """
    try:
        if "x-ratelimit-reset" not in headers:
            return 0, now + timedelta(seconds=float(headers["retry-after"]))
        told = headers["x-ratelimit-reset"]
        reset = datetime.fromtimestamp(int(told), UTC) if told.isdigit() else datetime.fromisoformat(told)
        if "date" in headers:
            reset += now - parsedate_to_datetime(headers["date"])
        return int(headers.get("x-ratelimit-remaining", "0")), min(max(reset, now), now + RESET_MAX)
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return None

"""The Bot API through python-telegram-bot: clients, what their exceptions tell, and no token in any log.

Apart from adapter.py because both together would pass 400 lines; request.py is the library's transport.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from telegram import Bot, InputFile
from telegram.error import ChatMigrated, RetryAfter, TelegramError
from telegram.warnings import PTBDeprecationWarning

from adapters.border import Told
from adapters.telegram.request import NOT_JSON, AiohttpRequest, Lost, Patience
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.ids import ConversationId
from gateway.model.secret import Secret

CONNECTIONS = 16
"""Requests under way at once; the others wait."""
FETCHES = 4
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 120.0
"""The whole call: reading's own time-out starts anew with every byte that drips in."""
UPLOAD_CALL_TIMEOUT_S = 900.0
"""The whole call where files are sent: ten of the largest take a while."""
RETRY_MOST = timedelta(days=1)


def silence() -> None:
    """Keep the token out of the logs: it is part of every URL.

    Bot logs its base URL at DEBUG. A filter, since whoever debugs sets levels later.
    Besides, PTB 22 warns of its own attribute whenever it makes a RetryAfter.
    """
    warnings.filterwarnings("ignore", r".*attribute `retry_after`", PTBDeprecationWarning)
    logging.getLogger("telegram.Bot").addFilter(_warnings_only)


def _warnings_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


class Client(Bot):
    """A Bot that takes and gives the API's own JSON.

    PTB builds objects of every answer; one update it can't build loses the whole page with no way past it, and a
    message that was sent would look like one that failed.
    """

    __slots__ = ()

    def __init__(self, token: Secret, server: str, connections: int, read_timeout_s: float) -> None:
        patience = Patience(CONNECT_TIMEOUT_S, read_timeout_s, READ_TIMEOUT_S, UPLOAD_TIMEOUT_S, READ_TIMEOUT_S)
        wire = AiohttpRequest(token, connections, patience)
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

    def _insert_defaults(self, data: dict[str, Any]) -> None:
        """None: parameters are the API's own JSON, in which the library would look for its objects."""

    async def call(self, method: str, parameters: dict[str, Any]) -> Any:
        """One request; the API's ``result``."""
        return await self._post(method, parameters)

    def pieces(self, path: str) -> AsyncGenerator[bytes]:
        """The bytes of a file at the place that getFile told."""
        assert isinstance(self.request, AiohttpRequest)  # noqa: S101  # for the type checker: __init__ gave it
        return self.request.pieces(f"{self.base_file_url}/{path}")

    async def close_connections(self) -> None:
        await self.request.shutdown()


def upload(data: bytes, mime: str, name: str) -> InputFile:
    """A file as the value of a method's parameter. Its type is what we know it to be, not what its name says."""
    made = InputFile(data, filename=name or f"file.{mime.rpartition('/')[2]}")
    made.mimetype = mime
    return made


class Clients:
    """One client for calls and one for the long poll, made when needed."""

    def __init__(self, token: Secret, server: str) -> None:
        self._token = token
        self._server = server
        self._made: dict[str, Client] = {}
        self._closed = False

    def caller(self) -> Client:
        return self._client("calls", CONNECTIONS, READ_TIMEOUT_S)

    def poller(self, patience_s: float) -> Client:
        """A client apart: a long poll must not hold a place that a send needs, and waits longer for its answer."""
        return self._client("poll", 1, patience_s)

    def fetcher(self) -> Client:
        """A client apart: what is fetched must not hold a place that a send needs."""
        return self._client("files", FETCHES, READ_TIMEOUT_S)

    def _client(self, name: str, connections: int, read_timeout_s: float) -> Client:
        if self._closed:
            raise FaultError(Fault(FaultKind.CANCELLED, True, "the account is closed"))
        client = self._made.get(name)
        if client is None:
            client = self._made[name] = Client(self._token, self._server, connections, read_timeout_s)
        return client

    async def aclose(self) -> None:
        self._closed = True
        while self._made:
            await self._made.popitem()[1].close_connections()


# What PTB's exceptions tell. BadRequest and TimedOut are subclasses of NetworkError: the class alone decides nothing.

_STATUSES = {"Conflict": 409, "Forbidden": 403, "BadRequest": 400}
"""By PTB's class. InvalidToken is 401 or 404."""


def describe(error: Exception, now: datetime) -> Told | None:
    """What an exception of the library told, without its types; ``None`` for what is none of its."""
    if not isinstance(error, TelegramError):
        return None
    cause = error.__cause__
    if cause is not None and not isinstance(cause, TelegramError):
        return _unanswered(cause)
    if cause is not None or type(error) is TelegramError:
        return Told(NOT_JSON, _status(error), ("NotJson",))
    name = type(error).__name__
    if isinstance(error, RetryAfter):
        wait = min(error._retry_after, RETRY_MOST)  # noqa: SLF001  # the property warns, always
        return Told(error.message, 429, (name,), retry_at=now + wait)
    if isinstance(error, ChatMigrated):
        return Told(error.message, 400, (name,), moved_to=ConversationId(str(error.new_chat_id)))
    return Told(error.message, _STATUSES.get(name) or _status(error), (name,))


def _unanswered(cause: BaseException) -> Told:
    """The request failed on the way: the cause tells whether it can have arrived."""
    if not isinstance(cause, Lost):
        return Told(type(cause).__name__, codes=("NoAnswer",))
    if cause.bad_server:
        return Told(f"the server setting is no http(s) address ({cause})", codes=("BadServer",), reached=False)
    return Told(str(cause), codes=("NoAnswer",) if cause.reached else (), reached=cause.reached)


def _status(error: TelegramError) -> int | None:
    """PTB drops the status; its own words for it and the server's first ones give it back."""
    if numbered := re.search(r"\((\d{3})\)", error.message):
        return int(numbered.group(1))
    return next((status.value for status in HTTPStatus if error.message.startswith(status.phrase)), None)

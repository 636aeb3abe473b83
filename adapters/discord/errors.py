"""What discord.py's exceptions say: each as :class:`adapters.border.Told`, for the fault table to judge.

A file beside ``adapter.py`` because sending, receiving and the wire all need it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import aiohttp
import discord

from adapters.border import Told
from gateway.model.capabilities import LaneState

BAN_S = 600.0
"""Cloudflare counts invalid requests over ten minutes."""
WAIT_MAX_S = 86_400.0


class Window(NamedTuple):
    """The rate window that a request counts in."""

    lane: str
    conversation: str


EVERYWHERE = Window("global", "")


class GatewayEndedError(Exception):
    """The connection is over without an exception of the library's."""


class ThrottledError(discord.HTTPException):
    """A 429 with Discord's own body."""

    def __init__(self, response: aiohttp.ClientResponse, body: dict[str, Any]) -> None:
        super().__init__(response, body)
        self.retry_after_s = float(body["retry_after"])
        self.everywhere = bool(body.get("global"))


def describe(now: Callable[[], datetime], window: Window | None, error: Exception) -> Told | None:  # noqa: PLR0911 - a table
    """What the library's exceptions say; ``window`` is full when one says so."""
    match error:
        case discord.HTTPException():
            return _refusal(now(), window, error)
        case discord.RateLimited():
            retry_at = _later(now(), error.retry_after)
            return Told(str(error), codes=("waits",), retry_at=retry_at, lanes=_full(window, retry_at))
        case discord.LoginFailure() | discord.PrivilegedIntentsRequired() | discord.ConnectionClosed():
            return _unwelcome(error)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return Told(f"not reached: {type(error).__name__}", reached=False)
        case RuntimeError() if str(error) == "Session is closed":
            return Told("the account is closed", reached=False)
        case aiohttp.ClientError() | OSError() | GatewayEndedError() if not isinstance(error, TimeoutError):
            return Told(f"{type(error).__name__}: {error}", codes=("broken",))
    return None


def _refusal(now: datetime, window: Window | None, error: discord.HTTPException) -> Told:
    codes = (str(error.code),) if error.code else ()
    if error.status != 429:
        return Told(str(error.text), error.status, codes)
    if isinstance(error, ThrottledError):
        retry_at = _later(now, error.retry_after_s)
        lanes = _full(EVERYWHERE if error.everywhere else window, retry_at)
    else:
        retry_at = _later(now, _ban_s(error))
        lanes = _full(EVERYWHERE, retry_at)
    return Told(str(error.text), error.status, codes, retry_at=retry_at, lanes=lanes)


def _later(now: datetime, seconds: float) -> datetime:
    """A time the platform named, within reason."""
    return now + timedelta(seconds=seconds if 0 <= seconds <= WAIT_MAX_S else WAIT_MAX_S)


def _full(window: Window | None, until: datetime) -> tuple[LaneState, ...]:
    return (LaneState(window.lane, 0, until.timestamp(), window.conversation),) if window else ()


def _ban_s(error: discord.HTTPException) -> float:
    try:
        return float(error.response.headers["Retry-After"])
    except (KeyError, ValueError):
        return BAN_S


def _unwelcome(error: Exception) -> Told:
    if isinstance(error, discord.LoginFailure):
        return Told("the token is refused; make a new one in the developer portal", 401)
    code = error.code if isinstance(error, discord.ConnectionClosed) else 4014
    if code in _FATAL:
        return Told(f"the gateway {_FATAL[code]}", codes=(str(code),))
    return Told(f"the gateway closed with {code}", codes=("broken",))


_FATAL = {
    4004: "refuses the token; make a new one in the developer portal",
    4010: "wants no shard of this bot",
    4011: "wants this bot to be sharded, which is not done here",
    4012: "no longer speaks this version of its protocol: update discord.py",
    4013: "doesn't know these intents: update discord.py",
    4014: "refuses privileged intents: switch on Message Content (and Server Members for member_joins) for this bot "
    "in the developer portal",
}

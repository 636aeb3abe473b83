"""X's side of HTTP: the real host, bounded answers, and errors in words.

A file of its own so that the adapter stays a list of what X can do. It knows aiohttp, not tweepy.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from adapters.border import Told, judge
from adapters.x.profile import DAY_S, FAULTS, PROFILE, QUARTER_S, Settings
from gateway import fetch
from gateway.model.capabilities import LaneState
from gateway.model.delivery import Fault, FaultError, FaultKind

log = logging.getLogger("multihome.x")
T = TypeVar("T")
BODY_MAX_BYTES = 8 * 2**20
WORDS_MAX = 300
ERRORS_MAX = 20
RESET_LONGEST = timedelta(days=32)
"""A reset further away than any window of X is nonsense."""
HARD_CODED = "https://api.twitter.com"
"""tweepy/asynchronous/client.py: where every request would go."""
MEDIA_PRIVATE = frozenset({"ton.twitter.com"})
"""What direct messages show: direct-messages/lookup/integrate.mdx; asked for with the account's token."""
MEDIA_HOSTS = frozenset({"pbs.twimg.com", "video.twimg.com"}) | MEDIA_PRIVATE
_WINDOWS = {QUARTER_S: "x-rate-limit", DAY_S: "x-user-limit-24hour"}
"""What the headers that tell of a window begin with."""


class Reply(aiohttp.ClientResponse):
    """An answer whose body is bounded, and whose error bodies can always be read as a problem.

    tweepy reads the body, and decodes it only for a status of no success: there it would meet HTML of the edge, lists
    where it wants objects, and die of them without telling the status.
    """

    async def read(self) -> bytes:
        if self._body is None:
            announced = self.content_length
            if announced is None or announced > BODY_MAX_BYTES or "Content-Encoding" in self.headers:
                self._body = await self._bounded()
        return await super().read()

    async def _bounded(self) -> bytes:
        body = bytearray()
        async for chunk in self.content.iter_any():
            body += chunk
            if len(body) > BODY_MAX_BYTES:
                self.close()
                raise aiohttp.ClientPayloadError(f"an answer above {BODY_MAX_BYTES} bytes")
        return bytes(body)

    async def json(self, **_: Any) -> Any:
        """The body as a problem that tweepy's exceptions can take, whatever it was."""
        return self.problem

    @property
    def problem(self) -> dict[str, Any]:
        """Made anew each time: tweepy puts the word that is its "error" among its errors (errors.py, HTTPException)."""
        return problem(self.body, self.content_type)

    @property
    def body(self) -> bytes:
        """What was read, also after the answer was let go."""
        return self._body or b""


def problem(body: bytes, content_type: str) -> dict[str, Any]:
    """An answer's body in the shape of a problem: strings, and errors that are objects. Never fails."""
    try:
        told = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return {"detail": f"no JSON object but {content_type}"}
    errors = told.get("errors")
    kept = [error for error in errors[:ERRORS_MAX] if isinstance(error, dict)] if isinstance(errors, list) else []
    words = {key: value for key, value in told.items() if isinstance(value, str)}
    return words | {"errors": [_legacy(error) for error in kept]}


def _legacy(error: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in error.items() if isinstance(value, (str, int))} | {
        "message": str(error.get("message") or error.get("detail") or "")[:WORDS_MAX]
    }


def read(reply: Reply, kind: type[T]) -> T:
    """What a success says."""
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (ValueError, RecursionError) as error:
        raise FaultError(judged(reply, "an answer that is none")) from error


def judged(reply: Reply, words: str) -> Fault:
    """X also answers 200 with errors and no data: they are judged like a refusal."""
    fault = judge(told(reply.status, reply.reason or "", reply.problem, words), FAULTS)
    if fault.kind is FaultKind.UNKNOWN:
        log.error("no rule for: %s", fault.evidence)
    return fault


def told(status: int, reason: str, problem: Mapping[str, Any], text: str = "") -> Told:
    """A problem body as what the fault table looks at: last parts of its types, titles, codes, and its words."""
    codes: list[str] = []
    words: list[str] = [text] if text else []
    for item in (problem, *problem.get("errors", ())):
        kind, title = str(item.get("type", "")), str(item.get("title", ""))
        codes += [kind.rpartition("/")[2]] if "/problems/" in kind else []
        codes += [title] if title and " " not in title and title != reason else []
        codes += [str(item["code"])] if "code" in item else []
        words += [str(item[key])[:WORDS_MAX] for key in ("detail", "message") if item.get(key)]
    oauth = problem.get("error")
    codes += [oauth] if isinstance(oauth, str) else []
    words += [str(problem["error_description"])[:WORDS_MAX]] if "error_description" in problem else []
    return Told("; ".join(dict.fromkeys(words)) or reason, status, tuple(dict.fromkeys(codes))[:ERRORS_MAX])


def broken(error: Exception) -> Told | None:
    """What a failure below HTTP says of the request: never left, or lost from sight."""
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return Told(f"not reached: {type(error).__name__}", reached=False)
    if isinstance(error, (aiohttp.ClientError, TimeoutError, OSError)):
        return Told(f"lost: {type(error).__name__}", codes=("connection",))
    return None


def lanes(kind: str | None, headers: Mapping[str, str]) -> tuple[LaneState, ...]:
    """What an answer's headers say of the windows that a part of this kind counts in."""
    states = (_lane(lane.name, _WINDOWS[lane.per_s], headers) for lane in PROFILE.lanes if kind in lane.kinds)
    return tuple(state for state in states if state is not None)


def _lane(lane: str, prefix: str, headers: Mapping[str, str]) -> LaneState | None:
    remaining, reset = headers.get(f"{prefix}-remaining"), headers.get(f"{prefix}-reset")
    if remaining is None or reset is None:
        return None
    try:
        return LaneState(lane, int(remaining), float(int(reset)))
    except ValueError:
        return None


def reset_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When a rate limit ends: the day's where that is used up, else the window's; None where X doesn't tell."""
    resets = [
        headers.get(f"{prefix}-reset")
        for prefix in ("x-user-limit-24hour", "x-app-limit-24hour")
        if headers.get(f"{prefix}-remaining", "0") == "0"
    ]
    told_at = [_moment(value) for value in (*resets, headers.get("x-rate-limit-reset")) if value is not None]
    sane = [at for at in told_at if at is not None and at - now < RESET_LONGEST]
    return max(sane, default=None)


def _moment(epoch_s: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(epoch_s), UTC)
    except (ValueError, OverflowError, OSError):
        return None


class Door:
    """What tweepy takes for its session: the same requests, to the account's own server, without redirects."""

    def __init__(self, settings: Settings) -> None:
        self.server = _checked(settings.server)
        self._http = aiohttp.ClientSession(
            response_class=Reply,
            cookie_jar=aiohttp.DummyCookieJar(),
            json_serialize_bytes=msgspec.json.encode,
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s, sock_connect=min(10.0, settings.timeout_s)),
        )

    def request(self, method: str, url: str, **options: Any) -> Any:
        where = self.server + url.removeprefix(HARD_CODED)
        return self._http.request(method, where, allow_redirects=False, **options)

    def pieces(self, url: str, token: str) -> AsyncGenerator[bytes]:
        """What lies at an address of X's own media, with the token where it is asked for: never from anywhere else,
        wherever an address leads.
        """
        there, own = _address(url), URL(self.server)
        if there.origin() != own.origin() and (there.scheme != "https" or there.host not in MEDIA_HOSTS):
            raise FaultError(Fault(FaultKind.TARGET_REFUSED, certain=True, evidence="no address of X's media"))
        private = there.origin() == own.origin() or there.host in MEDIA_PRIVATE
        headers = {"Authorization": f"Bearer {token}"} if private else None
        return fetch.pieces(url, inner=fetch.at(self.server), headers=headers)

    @property
    def closed(self) -> bool:
        return self._http.closed

    async def close(self) -> None:
        await self._http.close()


def _address(url: str) -> URL:
    try:
        there = URL(url)
        there.origin()
    except ValueError as error:
        raise FaultError(Fault(FaultKind.TARGET_REFUSED, certain=True, evidence="no web address")) from error
    return there


def _checked(server: str) -> str:
    if not server.startswith(("https://", "http://")):
        raise FaultError(Fault(FaultKind.CONFIG, certain=True, evidence="server: an http(s) address is wanted"))
    return server.rstrip("/")


def quiet(logger: str) -> None:
    """Keep a library's DEBUG lines out of every log: tweepy's hold the Authorization header."""
    logging.getLogger(logger).addFilter(_above_debug)


def _above_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG

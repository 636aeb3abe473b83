"""discord.py, fitted: one HTTP client and one gateway client per account.

A file beside ``adapter.py`` because the library is adapted by subclassing, which is another job than talking.
What is different from the library, each at the narrowest seam it has:

* every account has its own server, where the library keeps ``Route.BASE`` and ``DEFAULT_GATEWAY`` for the process;
* a send returns when it is answered, where the library sleeps out an exhausted bucket first (http.py ``__aexit__``);
* a 5xx, and a 429 to a write, comes back at once, where the library retries for 25 s: the outbox repeats with the
  same nonce and the monitor sees the outage;
* a read that is cancelled while it sleeps out a global 429 wakes the others, where the library forgets them;
* events reach us raw and in order, where the library starts a task for each and lets a malformed one end
  ``connect()``; nothing is cached.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import aiohttp
import discord
from discord.gateway import DiscordWebSocket, ReconnectWebSocket
from discord.http import HTTPClient, Ratelimit, Route, json_or_text
from discord.state import ConnectionState
from discord.utils import MISSING

from adapters.discord.errors import GatewayEndedError, ThrottledError
from adapters.discord.profile import SERVER

_Url = type(DiscordWebSocket.DEFAULT_GATEWAY)
"""The library's own kind of address."""
# Voice is none of our business, its missing parts no reason to warn.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=180, sock_connect=10)
ANSWER_SIZE_MAX_BYTES = 16 * 1024 * 1024
RATELIMIT_WAIT_S = 30.0
"""The least the library lets one set: what would wait longer comes back as RateLimited."""
QUEUE_MAX = 10_000
OPEN_S = 60.0
CLOSE_S = 2.0
MUTE_S = 60.0
"""The library's own. A heartbeat is due every 41 s: after this an open connection is dead."""

HEARD = (
    "READY",
    "GUILD_CREATE",
    "MESSAGE_CREATE",
    "MESSAGE_UPDATE",
    "MESSAGE_DELETE",
    "MESSAGE_DELETE_BULK",
    "MESSAGE_REACTION_ADD",
    "GUILD_MEMBER_ADD",
    "GUILD_MEMBER_REMOVE",
)
LOGIN = "login"
"""Beside these: an IDENTIFY is about to be used up."""
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)
"""What discord.py throws out of ``connect()`` for frames that are not what it expects."""

Item = tuple[str, Any, int]
"""Event, data, and its number in the session (0: none)."""


class Bucket(Ratelimit):
    """A rate window whose last caller isn't kept waiting for the reset."""

    def __init__(self, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> None:
        super().__init__(RATELIMIT_WAIT_S)
        self._spawn = spawn
        self._refreshing: asyncio.Task[None] | None = None

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        refreshing = self._refreshing is not None and not self._refreshing.done()
        exhausted = self.remaining - self.outgoing + 1 <= 0
        if exhausted and self.reset_after > 0 and not self._sleeping.locked():
            self.outgoing -= 1
            if not refreshing:
                self._refreshing = self._spawn(self._refresh())
        else:
            await super().__aexit__(kind, value, traceback)  # type: ignore[type-var, arg-type]  # the library leaves out None


class Rest(HTTPClient):
    """The library's HTTP client for one server. Lives as long as the account; the gateway comes and goes."""

    def __init__(self, server: str) -> None:
        super().__init__(asyncio.get_running_loop(), max_ratelimit_timeout=RATELIMIT_WAIT_S)
        self.gateway: str | None = None
        """Where to connect instead of the library's default."""
        self.elsewhere = server.rstrip("/") != SERVER
        """Whether this is another server than the real one."""
        self._base = f"{server.rstrip('/')}/api/v10"
        self._tasks: set[asyncio.Task[None]] = set()

    def route(self, method: str, path: str, **parameters: Any) -> Route:
        """A route on this server. May be kept and used again."""
        return self._here(Route(method, path, **parameters))

    def _here(self, route: Route) -> Route:
        if route.url.startswith(Route.BASE):
            route.url = self._base + route.url.removeprefix(Route.BASE)
        return route

    async def request(self, route: Route, **kwargs: Any) -> Any:
        kwargs.setdefault("timeout", TIMEOUT)
        kwargs["allow_redirects"] = False
        kwargs["raise_for_status"] = _impatient_read if route.method == "GET" else _impatient_write
        try:
            return await super().request(self._here(route), **kwargs)
        except asyncio.CancelledError:
            # The library, cancelled while it sleeps out a global 429, would make every later request wait for ever:
            # https://github.com/DisnakeDev/disnake/pull/1585 (the same code). Too early costs another 429 at most.
            self._global_over.set()
            raise

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        if self.gateway is not None and url.startswith(str(DiscordWebSocket.DEFAULT_GATEWAY)):
            url = str(_Url(self.gateway).with_query(_Url(url).query))
        return await super().ws_connect(url, compress=compress)

    def get_ratelimit(self, key: str) -> Ratelimit:
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = bucket = Bucket(self._spawn)
            self._try_clear_expired_ratelimits()
        return bucket

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def window(self, route: Route) -> tuple[int, float] | None:
        """What the last answers said of a route: requests left, seconds until more."""
        key = self._bucket_hashes.get(route.key, route.key)
        bucket = self._buckets.get(f"{key}:{route.major_parameters}")
        if bucket is None or bucket.expires is None:
            return None
        return max(0, bucket.remaining), max(0.0, bucket.expires - self.loop.time())

    async def sign_in(self, token: str) -> Any:
        """Open the session and ask who we are. A failed one leaves nothing open and may be repeated."""
        try:
            return await self.static_login(token)
        except BaseException:
            await self.shut()
            raise

    async def find_gateway(self) -> None:
        """Take the gateway's address from the server itself."""
        url = (await self.request(Route("GET", "/gateway")))["url"]
        if not url.startswith(("ws://", "wss://")):
            raise GatewayEndedError("the server names a gateway that is no websocket")
        self.gateway = url

    async def close(self) -> None:
        """Nothing: a gateway client that ends (4004 too) must not take REST with it. See :meth:`shut`."""

    async def shut(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().close()
        self.connector = MISSING


async def _impatient_read(response: aiohttp.ClientResponse) -> None:
    if (response.content_length or 0) > ANSWER_SIZE_MAX_BYTES:
        raise aiohttp.ClientPayloadError("the answer is too large")
    if response.status in (500, 502, 504, 524):
        raise discord.DiscordServerError(response, await json_or_text(response))


async def _impatient_write(response: aiohttp.ClientResponse) -> None:
    await _impatient_read(response)
    if response.status == 429 and response.headers.get("Via"):
        body = await json_or_text(response)
        if isinstance(body, dict):
            raise ThrottledError(response, body)


class _State(ConnectionState["Gateway"]):
    """Keeps the latest websocket in reach even while it is still being opened."""

    latest: DiscordWebSocket | None = None

    def _update_references(self, ws: DiscordWebSocket) -> None:
        self.latest = ws


class Session(NamedTuple):
    """Where to take up the gateway's events again. The server keeps them for minutes."""

    id: str
    url: str
    sequence: int


class Ear(Protocol):
    """Who hears what the gateway says of the connection itself."""

    async def before_login(self) -> None:
        """An IDENTIFY is next; it may be delayed (less than :data:`OPEN_S`) or refused by raising."""
        ...

    def broke(self) -> None:
        """The connection is gone and made anew, unless this raises."""
        ...


class Gateway(discord.Client):
    """One run of the gateway connection, on the account's HTTP client. Events go to ``hear``, in order."""

    def __init__(self, rest: Rest, ear: Ear, hear: Callable[[Item], None], *, member_joins: bool) -> None:
        self._rest = rest
        self._ear = ear
        self._hear = hear
        intents = discord.Intents(
            guilds=True, messages=True, message_content=True, reactions=True, members=member_joins
        )
        flags = discord.MemberCacheFlags.none()
        super().__init__(
            intents=intents,
            max_messages=None,
            member_cache_flags=flags,
            chunk_guilds_at_startup=False,
            heartbeat_timeout=MUTE_S,
        )

    def _get_state(self, **options: Any) -> ConnectionState[Self]:
        self.http = self._rest
        self._state = _State(
            dispatch=self.dispatch, handlers=self._handlers, hooks=self._hooks, http=self.http, **options
        )
        self._state.parsers = {event: partial(self._heard, event) for event in HEARD}
        return self._state  # type: ignore[return-value]  # the state of exactly this class

    def _heard(self, event: str, data: Any) -> None:
        latest = self._state.latest
        self._hear((event, data, (latest and latest.sequence) or 0))

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Nobody listens: the library would start a task for each event."""

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:  # noqa: ARG002 - the library's signature
        await self._ear.before_login()

    async def follow(self, session: Session | None) -> None:
        """Stay connected until it fails for good.

        This stands for the library's ``connect()``, which can't take up an earlier run's session, hides an outage
        behind retries of its own, and can swallow a cancellation (its ``wait_for``).
        """
        how: dict[str, Any] = {"initial": True}
        if session is not None:
            how |= {"session": session.id, "sequence": session.sequence, "gateway": _Url(session.url), "resume": True}
        while True:
            try:
                async with asyncio.timeout(OPEN_S):
                    self.ws = await DiscordWebSocket.from_client(self, **how)
                while True:
                    await self.ws.poll_event()
            except ReconnectWebSocket as again:
                self._ear.broke()
                how = self._resuming() if again.resume else {}

    def _resuming(self) -> dict[str, Any]:
        ws = self._state.latest
        if ws is None or ws.session_id is None:
            return {}
        return {"session": ws.session_id, "sequence": ws.sequence, "gateway": ws.gateway, "resume": True}

    async def close(self) -> None:
        """Leave, but not with code 1000: that would end the session, and the next run could not take it up."""
        if self._state.latest is not None:
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, ConnectionError):
                async with asyncio.timeout(CLOSE_S):
                    await self._state.latest.close()
        await super().close()


class Feed:
    """The gateway's events as batches. Raises what ended the connection, after what came before it."""

    def __init__(self, rest: Rest, ear: Ear, session: Session | None, *, member_joins: bool) -> None:
        self._items: deque[Item] = deque()
        self._news = asyncio.Event()
        self._overflowed = False
        self._session = session
        self._gateway = Gateway(rest, ear, self.put, member_joins=member_joins)
        self._connection: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._gateway.__aenter__()
        self._connection = asyncio.create_task(self._gateway.follow(self._session))
        self._connection.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.cancel()
            await asyncio.gather(self._connection, return_exceptions=True)
        await self._gateway.close()

    def put(self, item: Item) -> None:
        """Take an event in. When the reader lags too far behind, the run ends: session or history have the rest."""
        self._overflowed = self._overflowed or len(self._items) >= QUEUE_MAX
        if not self._overflowed:
            self._items.append(item)
        self._news.set()

    async def batch(self) -> deque[Item]:
        """What has come since, at least one item."""
        while not self._items:
            if self._overflowed:
                raise GatewayEndedError(f"more than {QUEUE_MAX} events were waiting")
            if self._connection is not None and self._connection.done():
                _raise_end(self._connection)
            self._news.clear()
            await self._news.wait()
        items, self._items = self._items, deque()
        return items


def _raise_end(connection: asyncio.Task[None]) -> None:
    if connection.cancelled():
        raise GatewayEndedError("the connection was ended")
    error = connection.exception()
    if isinstance(error, _UNREADABLE):
        raise GatewayEndedError(f"the gateway sent what can't be read ({type(error).__name__})") from error
    raise error if error is not None else GatewayEndedError("the gateway closed the connection")

"""One account's session: its tokens, their renewal, and calls that are made with them."""

from __future__ import annotations

import asyncio
import logging
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol, TypeVar

from msgspec import Meta, Struct, convert, json

from adapters.bluesky.pages import Page
from adapters.bluesky.profile import DEFAULT_SERVER, NAME, Settings
from gateway.model.capabilities import LaneState
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.identity import Identity
from gateway.model.secret import Secret
from gateway.ports import Context

log = logging.getLogger("multihome.bluesky")

T = TypeVar("T")

_LEAD_S = 900.0  # as the library: 15 minutes before the end
_REST_FIRST_S, _REST_LONGEST_S = 2.0, 300.0  # createSession: 30 in 5 minutes, 300 a day
_VAULT_NAME = "session"
_HOPELESS = frozenset({FaultKind.SIGNED_OUT, FaultKind.SUSPENDED, FaultKind.LOCKED, FaultKind.RATE_LIMITED})


class Answer(Struct, frozen=True):
    """The JSON object of an answer, and what its headers say of the rate windows."""

    body: dict[str, Any]
    lanes: tuple[LaneState, ...] = ()


class Tokens(Struct, frozen=True):
    """A session as the vault keeps it. Of another server or identifier it is of no use."""

    server: str
    identifier: str
    endpoint: str
    did: str
    handle: str
    access: str
    refresh: str

    def __repr__(self) -> str:
        return f"Tokens({self.did}, ***)"


class Line(Protocol):
    """What a session needs of the wire."""

    async def use(self, tokens: Tokens) -> None: ...

    async def query(self, nsid: str, params: dict[str, Any], headers: dict[str, str]) -> Answer: ...

    async def page(self, nsid: str, params: dict[str, Any], headers: dict[str, str]) -> Page: ...

    async def procedure(self, nsid: str, content: bytes, headers: dict[str, str]) -> Answer: ...


_Word = Annotated[str, Meta(min_length=1, max_length=16_384, pattern=r"^[^\s:]+$")]


class _SignedIn(Struct, rename="camel"):
    """What createSession and refreshSession answer."""

    did: Annotated[str, Meta(max_length=2048, pattern=r"^did:[^\s:]+:\S+$")]
    handle: _Word
    access_jwt: _Word
    refresh_jwt: _Word
    did_doc: Any = None

    def __repr__(self) -> str:
        return f"_SignedIn({self.did}, ***)"


class Session:
    """Calls as one account. Every method raises FaultError and nothing else but CancelledError."""

    def __init__(self, settings: Settings, context: Context, wire: Line) -> None:
        self._settings = settings
        self._server = settings.server.rstrip("/")
        self._context = context
        self._clock = context.clock
        self._wire = wire
        self._tokens: Tokens | None = None
        self._unsaved: Tokens | None = None
        self._keeping = asyncio.Lock()
        self._generation = 0
        self._renew_at_s = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self._rest: tuple[float, float, Fault] | None = None

    async def restore(self) -> None:
        """Take up the session the vault has, without a word to the server."""
        secret = await self._context.vault.get(_VAULT_NAME)
        if secret is None:
            return
        try:
            tokens = json.decode(secret.reveal(), type=Tokens)
        except ValueError:
            log.warning("%s: the kept session can't be read; signing in anew", self._context.account)
            return
        if (tokens.server, tokens.identifier) == (self._server, self._settings.identifier):
            await self._take_up(tokens, _seconds_left(tokens.access, self._clock.now().timestamp()))

    async def aclose(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        await self._keep_at_last()

    @property
    def identity(self) -> Identity | None:
        """Who is signed in, or was when the tokens were kept."""
        return Identity(NAME, self._tokens.did, self._tokens.handle) if self._tokens else None

    async def did(self) -> str:
        """Who we are, signing in when that isn't known yet."""
        return (self._tokens or await self._ready()).did

    async def endpoint(self) -> str:
        """The server the account lives on, as far as it is known."""
        return (self._tokens or await self._ready()).endpoint

    async def query(
        self, nsid: str, params: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """A read."""
        return (await self._call(lambda: self._wire.query(nsid, params or {}, headers or {}))).body

    async def page(self, nsid: str, params: dict[str, Any], headers: dict[str, str] | None = None) -> Page:
        """A read of a list."""
        return await self._call(lambda: self._wire.page(nsid, params, headers or {}))

    async def procedure(self, nsid: str, content: bytes, headers: dict[str, str] | None = None) -> Answer:
        """A write. ``content`` is JSON unless a header says otherwise."""
        return await self._call(lambda: self._wire.procedure(nsid, content, headers or {}))

    async def renew(self) -> None:
        """A new access token, whatever the old one is still good for."""
        await self._renewed(self._generation)

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._ready()
        generation = self._generation
        try:
            return await call()
        except FaultError as error:
            if error.fault.kind is not FaultKind.SIGNED_OUT:
                raise
        # Refused for its token alone, so nothing was done: once more with a new one.
        await self._renewed(generation)
        return await call()

    async def _ready(self) -> Tokens:
        """Sign in, or renew what ends soon."""
        if self._tokens is None or self._clock.monotonic() >= self._renew_at_s:
            return await self._renewed(self._generation)
        tokens = self._tokens
        await self._keep_at_last()
        return tokens

    async def _renewed(self, generation: int) -> Tokens:
        """Tokens newer than ``generation``: one renewal, however many ask.

        A caller that is cancelled doesn't cut it: the server would have rotated what we then don't know.
        """
        while self._tokens is None or generation == self._generation:
            if self._renewal is None or self._renewal.done():
                self._renewal = asyncio.create_task(self._sign_in())
                self._renewal.add_done_callback(lambda task: task.cancelled() or task.exception())
            await asyncio.shield(self._renewal)
        return self._tokens

    async def _sign_in(self) -> None:
        if self._tokens is not None:
            try:
                await self._adopt(await self._refresh(self._tokens.refresh))
            except FaultError as error:
                if error.fault.kind is not FaultKind.SIGNED_OUT:
                    raise
                self._tokens = None
            else:
                return
        await self._adopt(await self._create())

    async def _refresh(self, token: str) -> Answer:
        bearer = {"Authorization": f"Bearer {token}"}
        return await self._wire.procedure("com.atproto.server.refreshSession", b"", bearer)

    async def _create(self) -> Answer:
        """With the password; after a refusal not again for a while, because the server counts."""
        if self._rest and self._clock.monotonic() < self._rest[0]:
            raise FaultError(self._rest[2])
        given = {"identifier": self._settings.identifier, "password": self._settings.password.reveal()}
        unsigned = {"Authorization": ""}
        try:
            return await self._wire.procedure("com.atproto.server.createSession", json.encode(given), unsigned)
        except FaultError as error:
            if error.fault.kind in _HOPELESS:
                self._rest = self._next_rest(error.fault)
            raise

    def _next_rest(self, fault: Fault) -> tuple[float, float, Fault]:
        pause_s = min(_REST_LONGEST_S, self._rest[1] * 2 if self._rest else _REST_FIRST_S)
        told_s = (fault.retry_at - self._clock.now()).total_seconds() if fault.retry_at else 0.0
        return self._clock.monotonic() + max(pause_s, told_s), pause_s, fault

    async def _adopt(self, answer: Answer) -> None:
        """The vault has new tokens before anybody uses them, unless it takes nothing: then it is asked again later."""
        try:
            given = convert(answer.body, _SignedIn)
        except ValueError as error:
            raise FaultError(Fault(FaultKind.SERVER, True, f"the server's session can't be read: {error}")) from error
        tokens = Tokens(
            server=self._server,
            identifier=self._settings.identifier,
            endpoint=self._endpoint(given.did_doc),
            did=given.did,
            handle=given.handle,
            access=given.access_jwt,
            refresh=given.refresh_jwt,
        )
        await self._keep(tokens)
        await self._take_up(tokens, _seconds_left(tokens.access))
        self._rest = None

    async def _keep_at_last(self) -> None:
        """Try once more to put on disk what could not be; one at a time is enough."""
        if self._unsaved is not None and not self._keeping.locked():
            await self._keep(self._unsaved)

    async def _keep(self, tokens: Tokens) -> None:
        async with self._keeping:  # older tokens must not be put over newer ones
            try:
                await self._context.vault.put(_VAULT_NAME, Secret(json.encode(tokens).decode()))
            except Exception as error:  # noqa: BLE001 - whatever the vault's trouble is, a post can go out without it
                self._not_kept(tokens, error)
            else:
                self._unsaved = None

    def _not_kept(self, tokens: Tokens, error: Exception) -> None:
        known, self._unsaved = self._unsaved, tokens
        words = str(error).replace(tokens.access, "***").replace(tokens.refresh, "***")
        if tokens != known:
            log.error("%s: the new session can't be kept; a restart signs in anew: %s", self._context.account, words)

    async def _take_up(self, tokens: Tokens, left_s: float) -> None:
        await self._wire.use(tokens)
        self._tokens = tokens
        self._generation += 1
        self._renew_at_s = self._clock.monotonic() + left_s

    def _endpoint(self, did_doc: Any) -> str:
        """The account's own host on the network whose entry alone is known; else the server that was configured.

        So a server that is reached by another address than it tells the world stays reachable.
        """
        services = did_doc.get("service") if self._server == DEFAULT_SERVER and isinstance(did_doc, dict) else None
        for service in services if isinstance(services, list) else ():
            match service:
                case {"id": str(name), "serviceEndpoint": str(url)} if name.endswith("#atproto_pds"):
                    return url if url.startswith("https://") else self._server
        return self._server


class _Claims(Struct):
    exp: float
    iat: float | None = None


def _seconds_left(jwt: str, now_unix_s: float | None = None) -> float:
    """How long to use an access token: of a fresh one its lifetime counts, not this machine's clock."""
    try:
        payload = jwt.split(".")[1]
        claims = json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)
    except (ValueError, IndexError):
        return _LEAD_S
    begin = now_unix_s if now_unix_s is not None else claims.iat or claims.exp - 2 * _LEAD_S
    return claims.exp - begin - min(_LEAD_S, abs(claims.exp - begin) / 2)

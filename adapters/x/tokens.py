"""An account's tokens, which renew themselves: what is handed out once must not be lost."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct, structs

from adapters.border import Told, crossing
from adapters.x import session
from adapters.x.profile import FAULTS, Settings
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.secret import Secret
from gateway.ports import Vault

log = logging.getLogger("multihome.x")

TOKEN_PATH = "/2/oauth2/token"  # noqa: S105  a path, no token


class Pair(Struct, frozen=True):
    """What X hands out together; a refresh token serves once."""

    access: str
    refresh: str | None


class Tokens:
    """The account's tokens. One refresh at a time; what it brings is on disk before anybody uses it. Where it can't be
    put there the account goes on all the same: the tokens of before are worth nothing either way.

    The vault's entry is named after the configured refresh token, so that a newly configured one replaces it.
    """

    def __init__(self, settings: Settings, vault: Vault, door: session.Door) -> None:
        refresh = settings.refresh_token.reveal().strip() if settings.refresh_token else None
        if refresh is not None and not settings.client_id:
            raise FaultError(Fault(FaultKind.CONFIG, certain=True, evidence="refresh_token wants client_id beside it"))
        self._settings = settings
        self._vault = vault
        self._door = door
        self._pair = Pair(settings.access_token.reveal().strip(), refresh)
        self._unsaved: Pair | None = None
        self._keeping = asyncio.Lock()
        self._entry = "oauth2-" + hashlib.sha256((refresh or "").encode()).hexdigest()[:12]
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def access(self) -> str:
        return self._pair.access

    def hide(self, text: str) -> str:
        """The text without the secrets that a platform's words might repeat."""
        secrets = [one for pair in (self._pair, self._unsaved) if pair for one in (pair.access, pair.refresh)]
        secrets += [self._settings.client_secret.reveal()] if self._settings.client_secret else []
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text

    async def load(self) -> None:
        """Go on with what an earlier run was given."""
        kept = await self._vault.get(self._entry) if self._pair.refresh else None
        if kept is not None:
            with suppress(msgspec.DecodeError):
                self._pair = msgspec.json.decode(kept.reveal(), type=Pair)

    async def renew(self, refused: str) -> bool:
        """See to it that another token than the refused one is there; False where that can't be."""
        if self._pair.access != refused:
            return True
        if self._pair.refresh is None:
            return False
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())
            self._refreshing.add_done_callback(_heard)
        # Somebody who stops waiting must not lose the new token for everybody.
        await asyncio.shield(self._refreshing)
        return True

    async def keep(self) -> None:
        """Try once more to put on disk what could not be. Never fails, and one at a time is enough."""
        if self._unsaved is not None and not self._keeping.locked():
            await self._put(self._unsaved)

    async def aclose(self) -> None:
        """Let a refresh under way finish: its token would be lost."""
        if self._refreshing is not None:
            await asyncio.wait({self._refreshing})
        await self.keep()

    async def _refresh(self) -> None:
        # Before an unsaved pair the vault has only an older one, whose refresh token has served.
        if self._unsaved is None and await self._renewed_elsewhere():
            return
        fresh = await self._fetch(self._pair)
        await self._put(fresh)
        self._pair = fresh

    async def _put(self, pair: Pair) -> None:
        async with self._keeping:  # an older pair must not be put over a newer one
            try:
                await self._vault.put(self._entry, Secret(msgspec.json.encode(pair).decode()))
            except Exception as error:  # noqa: BLE001 - whatever the vault's trouble is, a post can go out without it
                self._not_kept(pair, error)
            else:
                self._unsaved = None

    def _not_kept(self, pair: Pair, error: Exception) -> None:
        known, self._unsaved = self._unsaved, pair
        if pair != known:
            log.error("new tokens can't be kept; if the gateway ends now they are lost: %s", self.hide(str(error)))

    async def _renewed_elsewhere(self) -> bool:
        """Whether another gateway, or a ``doctor``, has used up our refresh token: what that brought is kept."""
        before = self._pair
        try:
            await self.load()
        except Exception as error:
            # Whatever the vault's trouble is: what wanted the token was refused with 401 and is certainly not sent.
            evidence = f"the kept token can't be read: {type(error).__name__}"
            raise FaultError(Fault(FaultKind.NETWORK, certain=True, evidence=evidence)) from error
        return self._pair != before

    async def _fetch(self, pair: Pair) -> Pair:
        client, secret = self._settings.client_id or "", self._settings.client_secret
        form = {"grant_type": "refresh_token", "refresh_token": pair.refresh or "", "client_id": client}
        headers = {"Authorization": _basic(client, secret.reveal().strip())} if secret else {}
        try:
            async with crossing(self._describe, FAULTS, doing="refresh"):
                async with self._door.request("POST", TOKEN_PATH, data=form, headers=headers) as answer:
                    body: bytes = await answer.read()
                    if answer.status != 200:
                        raise _RefusedError(answer.status, answer.reason or "", await answer.json())
                return _pair(body, pair)
        except FaultError as error:
            # Whatever became of the refresh: what wanted it was refused with 401 and is certainly not sent.
            raise FaultError(structs.replace(error.fault, certain=True)) from error.__cause__

    def _describe(self, error: Exception) -> Told | None:
        if isinstance(error, _RefusedError):
            said = session.told(error.status, error.reason, error.problem)
            return structs.replace(said, text=self.hide(said.text))
        return session.broken(error)


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str, problem: dict[str, Any]) -> None:
        super().__init__(status)
        self.status, self.reason, self.problem = status, reason, problem


class _Granted(Struct):
    access_token: str
    refresh_token: str | None = None


def _pair(body: bytes, before: Pair) -> Pair:
    try:
        granted = msgspec.json.decode(body, type=_Granted)
    except ValueError as error:
        raise _RefusedError(200, "OK", {"detail": "an answer without a token"}) from error
    return Pair(granted.access_token, granted.refresh_token or before.refresh)


def _basic(client: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def _heard(task: asyncio.Task[None]) -> None:
    """A failure that nobody waited for is no news: the next caller finds out by itself."""
    if not task.cancelled():
        task.exception()

"""Secrets that change while the gateways run, kept in the database they share: sealed with a key that isn't in it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import cached_property
from typing import TYPE_CHECKING

from gateway.books import Store, StoreError
from gateway.model.ids import AccountId, WorkspaceId
from gateway.model.secret import Secret
from gateway.ports import Clock
from gateway.vault import SIZE_MAX_BYTES, VaultError, checked_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

log = logging.getLogger("multihome.vault")

NONCE_BYTES = 12
PAUSE_S = 1.0
"""Between two tries to store a secret, as often as it takes: a rotated token exists nowhere else."""


class SealedVault:
    """One account's secrets. Implements :class:`gateway.ports.Vault`; AES-256-GCM under a key made of ``key``."""

    def __init__(self, store: Store, clock: Clock, workspace: WorkspaceId, account: AccountId, key: Secret) -> None:
        self._store = store
        self._clock = clock
        self._workspace = workspace
        self._account = account
        self._key = key
        self._one_at_a_time = asyncio.Lock()

    async def get(self, name: str) -> Secret | None:
        """The secret, or ``None`` when there is none; one being put is waited for. Raises VaultError, StoreError."""
        async with self._one_at_a_time:
            sealed = await self._store.sealed(self._account, checked_name(name))
        return None if sealed is None else Secret(self._opened(name, sealed))

    async def put(self, name: str, secret: Secret) -> None:
        """Keep a secret, as soon as the database takes it. Raises VaultError; when cancelled it finishes its write
        before it gives way.
        """
        content = secret.reveal().encode()
        if len(content) > SIZE_MAX_BYTES:
            raise VaultError(f"{self._account}: larger than {SIZE_MAX_BYTES} bytes is no secret")
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, content, self._label(checked_name(name)))
        writing = asyncio.create_task(self._insist(name, sealed))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise

    async def _insist(self, name: str, sealed: bytes) -> None:
        async with self._one_at_a_time:
            while True:
                try:
                    return await self._store.seal(self._account, name, sealed)
                except StoreError as error:
                    log.error("%s: a secret is not stored yet: %s", self._account, error)  # noqa: TRY400 - it says it all
                    await self._clock.sleep(PAUSE_S)

    def _opened(self, name: str, sealed: bytes) -> str:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._label(name)).decode()
        except (InvalidTag, ValueError):
            raise VaultError(
                f"{self._account}: what the database keeps of it was sealed with another vault_key: use that one"
            ) from None

    def _label(self, name: str) -> bytes:
        """Binds a secret to its place: one copied to another account's row doesn't open."""
        return f"{self._workspace}\0{self._account}\0{name}".encode()

    @cached_property
    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        made = HKDF(SHA256(), 32, salt=None, info=b"multihome vault 1").derive(self._key.reveal().encode())
        return AESGCM(made)

"""gateway/sealed_vault.py: secrets in a database that gateways share, which the database can't read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.books import Store, StoreError
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, WorkspaceId
from gateway.model.secret import Secret
from gateway.sealed_vault import SealedVault
from gateway.store import open_store
from gateway.testing.kit import ManualClock
from gateway.vault import SIZE_MAX_BYTES, VaultError

ACCOUNT, OTHER = AccountId("net/main"), AccountId("net/other")
KEY = Secret("k" * 40)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'm.db'}")
    yield opened
    await opened.aclose()


def vault(
    store: Store, account: AccountId = ACCOUNT, key: Secret = KEY, workspace: str = DEFAULT_WORKSPACE
) -> SealedVault:
    return SealedVault(store, ManualClock(), WorkspaceId(workspace), account, key)


async def test_what_one_gateway_puts_another_one_gets(store: Store) -> None:
    assert await vault(store).get("session") is None
    await vault(store).put("session", Secret("first"))
    await vault(store).put("session", Secret("second ü"))
    assert await vault(store).get("session") == Secret("second ü")


async def test_the_database_holds_nothing_readable_and_never_the_same_twice(store: Store) -> None:
    await vault(store).put("session", Secret("a-refresh-token"))
    once = await store.sealed(ACCOUNT, "session")
    await vault(store).put("session", Secret("a-refresh-token"))
    again = await store.sealed(ACCOUNT, "session")
    assert once is not None
    assert again is not None
    assert once != again
    assert b"refresh" not in once + again


@pytest.mark.parametrize(
    "reader",
    [{"key": Secret("another" * 10)}, {"account": OTHER}, {"workspace": "elsewhere"}],
    ids=["other key", "other account", "other workspace"],
)
async def test_elsewhere_it_does_not_open(store: Store, reader: dict[str, object]) -> None:
    await vault(store).put("session", Secret("a-refresh-token"))
    sealed = await store.sealed(ACCOUNT, "session")
    assert sealed is not None
    await store.seal(OTHER, "session", sealed)
    with pytest.raises(VaultError, match="sealed with another vault_key") as told:
        await vault(store, **reader).get("session")  # type: ignore[arg-type]  # one argument at a time
    assert "refresh" not in str(told.value)


@pytest.mark.parametrize("damaged", [b"", b"short", b"x" * 100])
async def test_what_is_damaged_does_not_open(store: Store, damaged: bytes) -> None:
    await store.seal(ACCOUNT, "session", damaged)
    with pytest.raises(VaultError, match="sealed with another vault_key"):
        await vault(store).get("session")


async def test_limits_and_names(store: Store) -> None:
    with pytest.raises(VaultError, match="larger than"):
        await vault(store).put("session", Secret("x" * (SIZE_MAX_BYTES + 1)))
    with pytest.raises(ValueError, match="a secret's name is"):
        await vault(store).put("../session", Secret("x"))


class Gone:
    """A database that fails so many times."""

    def __init__(self, store: Store, failures: int) -> None:
        self._store, self.failures = store, failures

    async def seal(self, account: AccountId, name: str, data: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("the database is gone")
        await self._store.seal(account, name, data)

    async def sealed(self, account: AccountId, name: str) -> bytes | None:
        return await self._store.sealed(account, name)


class Jumping(ManualClock):
    """Sleeping is a jump."""

    async def sleep(self, delay_s: float) -> None:
        await self.advance(delay_s)


async def test_a_rotated_token_is_insisted_on_while_the_database_fails(store: Store) -> None:
    gone = Gone(store, 5)
    there = SealedVault(gone, Jumping(), DEFAULT_WORKSPACE, ACCOUNT, KEY)  # type: ignore[arg-type]  # two operations are used
    await there.put("session", Secret("rotated"))
    assert await vault(store).get("session") == Secret("rotated")


async def test_who_opens_the_account_anew_waits_for_the_token_that_is_not_stored_yet(store: Store) -> None:
    """However long the database was gone: the one that it holds is worth nothing any more."""
    await vault(store).put("session", Secret("used up"))
    gone, clock = Gone(store, 90), ManualClock()
    there = SealedVault(gone, clock, DEFAULT_WORKSPACE, ACCOUNT, KEY)  # type: ignore[arg-type]  # two operations are used
    storing = asyncio.create_task(there.put("session", Secret("rotated")))
    await clock.advance(1.0)
    reading = asyncio.create_task(there.get("session"))
    for _ in range(100):
        await clock.advance(1.0)
    await storing
    assert await reading == Secret("rotated")


async def test_a_token_that_is_being_stored_is_waited_for_although_who_stores_it_was_cancelled(store: Store) -> None:
    """Twice: who closes an account has only so much patience."""
    await vault(store).put("session", Secret("used up"))
    gone, clock = Gone(store, 90), ManualClock()
    there = SealedVault(gone, clock, DEFAULT_WORKSPACE, ACCOUNT, KEY)  # type: ignore[arg-type]  # two operations are used
    storing = asyncio.create_task(there.put("session", Secret("rotated")))
    for _ in range(2):
        await clock.advance(1.0)
        storing.cancel()
    await asyncio.wait([storing])
    reading = asyncio.create_task(there.get("session"))
    for _ in range(100):
        await clock.advance(1.0)
    assert await reading == Secret("rotated")

"""A renewed token that can't be kept: a refresh token serves once, so the new ones are used from memory meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from adapters.x.adapter import XAdapter
from gateway.model.secret import Secret
from gateway.testing.kit import MemoryVault
from gateway.vault import VaultError
from tests.contract.x_rig import XRig, draft, sent

NEVER = 10**6


class FullVault(MemoryVault):
    """A disk that is full ``times`` times."""

    def __init__(self, times: int, error: type[Exception] = VaultError) -> None:
        super().__init__()
        self.left, self.error = times, error

    async def put(self, name: str, secret: Secret) -> None:
        self.left -= 1
        if self.left >= 0:
            raise self.error(f"no space left on device: {secret.reveal()}")
        await super().put(name, secret)


def refresh_token(rig: XRig) -> str:
    return str(rig.face.network.member("agent").extra["refresh"])  # type: ignore[union-attr]  # it is there


async def keeping_in(rig: XRig, vault: MemoryVault) -> XAdapter:
    rig.bench.context = structs.replace(rig.bench.context, vault=vault)
    return await rig.open()


@pytest.mark.parametrize("error", [OSError, VaultError])
async def test_a_token_that_can_not_be_kept_is_used_and_kept_later(
    rig: XRig, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    vault = FullVault(1, error)
    adapter = await keeping_in(rig, vault)
    rig.face.expire()
    await sent(adapter, draft("first"))
    assert (vault.secrets, rig.face.refreshes) == ({}, ["accepted"])
    await sent(adapter, draft("second"))
    assert [refresh_token(rig) in kept.reveal() for kept in vault.secrets.values()] == [True]
    assert [message.text for message in rig.held()] == ["first", "second"]
    assert [one.levelname for one in caplog.records if "can't be kept" in one.message] == ["ERROR"]
    assert refresh_token(rig) not in caplog.text


async def test_while_no_token_can_be_kept_what_was_kept_before_is_of_no_use(rig: XRig) -> None:
    vault = FullVault(0)
    adapter = await keeping_in(rig, vault)
    for number in range(4):
        rig.face.expire()
        await sent(adapter, draft(f"number {number}"))
        vault.left = NEVER
    assert rig.face.refreshes == ["accepted"] * 4
    assert len(rig.held()) == 4


async def test_at_the_end_a_token_is_kept_that_could_not_be_before(rig: XRig) -> None:
    vault = FullVault(1)
    adapter = await keeping_in(rig, vault)
    rig.face.expire()
    await adapter.check()
    assert vault.secrets == {}
    await adapter.aclose()
    assert [refresh_token(rig) in kept.reveal() for kept in vault.secrets.values()] == [True]


async def test_an_older_token_is_never_kept_over_a_newer(rig: XRig) -> None:
    vault = FullVault(1)
    adapter = await keeping_in(rig, vault)
    rig.face.expire()
    await sent(adapter, draft("first"))
    rig.face.expire()
    await asyncio.gather(*(sent(adapter, draft(f"number {n}")) for n in range(8)))
    assert [refresh_token(rig) in kept.reveal() for kept in vault.secrets.values()] == [True]

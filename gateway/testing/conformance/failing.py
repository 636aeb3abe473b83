"""Sends that go wrong: whether it is certain, what the fault says, and how the truth is found out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec import structs

from gateway.books import StoreError
from gateway.media.kept import kept
from gateway.model.capabilities import Feature, Idempotency, Scope
from gateway.model.delivery import Fault, FaultKind, Part, Receipt
from gateway.model.standing import WEATHER
from gateway.ports import Adapter, Reconciles, Unsure
from gateway.testing.conformance.rig import (
    Rig,
    draft,
    needs,
    now,
    outcome,
    picture,
    publish,
    refused,
    unique,
    until,
)

_AFTER = ("drop_after", "fail_after")
_BEFORE = ("drop_before", "fail_before", "outage")
_STATUS = 503  # what client libraries don't retry by themselves for long


class Failing:
    @pytest.mark.parametrize("trouble", _AFTER)
    async def test_trouble_after_acceptance_is_never_certain(self, rig: Rig, trouble: str) -> None:
        adapter, part = await _about_to_send(rig)
        fault = await _strike_send(rig, adapter, part, trouble)
        assert not fault.certain
        assert fault.kind in WEATHER
        assert len(rig.held()) == 1

    @pytest.mark.parametrize("trouble", _AFTER)
    async def test_sending_again_after_that_is_one_message(self, rig: Rig, trouble: str) -> None:
        adapter, part = await _about_to_send(rig)
        if adapter.profile.idempotency is not Idempotency.KEYED:
            pytest.skip(f"{rig.platform.name} has no keys")
        await _strike_send(rig, adapter, part, trouble)
        receipt = await adapter.send(part)
        assert (await adapter.send(part)).ref == receipt.ref
        assert len(rig.held()) == 1

    @pytest.mark.parametrize("trouble", _AFTER)
    async def test_reading_back_after_that_finds_the_message(self, rig: Rig, trouble: str) -> None:
        adapter, part = await _about_to_send(rig)
        reconciles = _reconciles(rig, adapter)
        since = now() - timedelta(seconds=1)
        await _strike_send(rig, adapter, part, trouble)
        answer = await reconciles.reconcile(part, since)
        assert isinstance(answer, Receipt)
        if adapter.profile.idempotency is Idempotency.KEYED:
            assert (await adapter.send(part)).ref == answer.ref
        assert len(rig.held()) == 1

    @pytest.mark.parametrize("trouble", _BEFORE)
    async def test_trouble_before_acceptance_is_weather(self, rig: Rig, trouble: str) -> None:
        adapter, part = await _about_to_send(rig)
        fault = await _strike_send(rig, adapter, part, trouble)
        assert fault.kind in WEATHER
        assert rig.held() == []
        assert (await adapter.send(part)).ref
        assert len(rig.held()) == 1

    @pytest.mark.parametrize("trouble", _BEFORE)
    async def test_reading_back_after_that_finds_nothing(self, rig: Rig, trouble: str) -> None:
        adapter, part = await _about_to_send(rig)
        reconciles = _reconciles(rig, adapter)
        await publish(rig, adapter, unique("Something else, before"))
        since = now() - timedelta(seconds=1)
        await _strike_send(rig, adapter, part, trouble)
        await publish(rig, adapter, unique("Something else, after"))
        assert await reconciles.reconcile(part, since) is Unsure.NOT_SENT

    async def test_reading_back_in_an_outage_proves_nothing(self, rig: Rig) -> None:
        adapter, part = await _about_to_send(rig)
        reconciles = _reconciles(rig, adapter)
        await adapter.send(part)
        rig.strike("outage", status=_STATUS)
        answer = await outcome(reconciles.reconcile(part, now() - timedelta(minutes=1)))
        assert answer is Unsure.UNKNOWN or (isinstance(answer, Fault) and answer.kind in WEATHER)

    async def test_a_refused_connection_is_certain(self, rig: Rig) -> None:
        adapter, part = await _about_to_send(rig)
        await rig.unplug()
        async with refused() as faults:
            await adapter.send(part)
        assert faults[0].kind is FaultKind.NETWORK
        assert faults[0].certain

    async def test_opening_with_nobody_there_is_no_failure(self, rig: Rig) -> None:
        await rig.unplug()
        signal = await (await rig.open()).check()
        assert signal.fault is not None
        assert signal.fault.kind is FaultKind.NETWORK

    async def test_a_cancelled_send_is_never_lost_nor_doubled(self, rig: Rig) -> None:
        adapter, part = await _about_to_send(rig)
        rig.strike("delay", count=1, on="write", delay_s=0.2)
        task = asyncio.create_task(adapter.send(part))
        await until(lambda: rig.standing_troubles() == 0)
        task.cancel()
        await _uncertain(task)
        await until(lambda: len(rig.held()) == 1)
        if adapter.profile.idempotency is Idempotency.KEYED:
            await adapter.send(part)
        elif isinstance(adapter, Reconciles):
            assert isinstance(await adapter.reconcile(part, now() - timedelta(minutes=1)), Receipt)
        assert len(rig.held()) == 1
        await publish(rig, adapter, unique("The next one goes"))

    @pytest.mark.parametrize(
        ("error", "kind"),
        [(KeyError("gone"), FaultKind.MEDIA), (StoreError("restarting"), FaultKind.MEDIA_PENDING)],
        ids=["gone", "not now"],
    )
    async def test_bytes_that_can_not_be_had_are_a_certain_fault(
        self, rig: Rig, error: Exception, kind: FaultKind
    ) -> None:
        needs(rig, Feature.IMAGE)

        async def media(_: str) -> bytes:
            raise error

        rig.bench.context = structs.replace(rig.bench.context, media=kept(media))
        adapter = await rig.open()
        (part,) = adapter.plan(draft(rig, unique("A picture"), media=(picture(rig, "A blue square"),)), now())
        await adapter.check()
        async with refused() as faults:
            await adapter.send(part)
        assert faults[0].certain
        assert faults[0].kind is kind
        assert (rig.attempts(), rig.held()) == (0, [])

    async def test_a_rate_limit_says_when_to_come_back(self, rig: Rig) -> None:
        adapter, part = await _about_to_send(rig)
        rig.strike("rate_limit", count=1, on="write", retry_after_s=90.0)
        before = now()
        async with refused() as faults:
            await adapter.send(part)
        assert faults[0].kind is FaultKind.RATE_LIMITED
        assert faults[0].certain
        assert faults[0].retry_at is not None
        assert timedelta(seconds=80) < faults[0].retry_at - before < timedelta(seconds=100)
        assert rig.held() == []
        await adapter.send(part)

    async def test_rate_windows_have_the_names_of_the_profile(self, rig: Rig) -> None:
        """What is said of another one is not heeded."""
        adapter, part = await _about_to_send(rig)
        rig.strike("rate_limit", count=1, on="write", retry_after_s=90.0)
        async with refused() as faults:
            await adapter.send(part)
        heard = {(lane.lane, bool(lane.conversation)) for lane in (*faults[0].lanes, *(await adapter.send(part)).lanes)}
        assert heard <= {(lane.name, lane.scope is Scope.CONVERSATION) for lane in adapter.profile.lanes}

    async def test_a_rate_limit_that_says_nothing_is_one_all_the_same(self, rig: Rig) -> None:
        adapter, part = await _about_to_send(rig)
        rig.strike("rate_limit", count=1, on="write", retry_after_s=None)
        async with refused() as faults:
            await adapter.send(part)
        assert faults[0].kind is FaultKind.RATE_LIMITED
        assert faults[0].certain

    async def test_a_healthy_answer_that_is_slow_is_waited_for(self, rig: Rig) -> None:
        adapter, part = await _about_to_send(rig)
        rig.strike("delay", count=1, delay_s=0.3)
        assert (await adapter.send(part)).ref


async def _about_to_send(rig: Rig) -> tuple[Adapter, Part]:
    """An adapter and a part. One thing was sent before, elsewhere in time: sessions are open, connections are warm."""
    adapter = await rig.open()
    (part,) = adapter.plan(draft(rig, unique("To be or not to be sent")), now())
    await adapter.check()
    return adapter, part


async def _strike_send(rig: Rig, adapter: Adapter, part: Part, trouble: str) -> Fault:
    rig.strike(trouble, on="write", status=_STATUS if trouble.startswith("fail") else None)
    async with refused() as faults:
        await adapter.send(part)
    rig.lift()
    fault = faults[0]
    assert not (fault.certain and rig.held()), "certain means: provably nothing was sent"
    return fault


def _reconciles(rig: Rig, adapter: Adapter) -> Reconciles:
    if not isinstance(adapter, Reconciles):
        pytest.skip(f"{rig.platform.name} can't be read back")
    return adapter


async def _uncertain(task: asyncio.Task[Receipt]) -> None:
    """A cancelled send either stays cancelled or is an uncertain fault; it is never a certain one."""
    try:
        result = await outcome(task)
    except asyncio.CancelledError:
        return
    assert isinstance(result, Fault), "the cancellation was swallowed"
    assert not result.certain

"""Losing the account and getting it back: what send, check and events say."""

from __future__ import annotations

import pytest

from gateway.model.standing import WEATHER, Source
from gateway.ports import Introduces
from gateway.testing.conformance.rig import (
    Rig,
    approach,
    draft,
    listen,
    now,
    publish,
    refused,
    unique,
)

_LOSSES = ("suspend", "lock", "revoke")
_STATUS = 503


class Standing:
    async def test_a_probe_of_a_healthy_account_only_reads(self, rig: Rig) -> None:
        adapter = await rig.open()
        before = rig.attempts()
        signal = await adapter.check()
        assert signal.source is Source.PROBE
        assert signal.fault is None
        assert rig.attempts() == before
        assert rig.held() == []

    async def test_the_account_introduces_itself(self, rig: Rig) -> None:
        """After a probe at the latest: so that two accounts of one gateway don't answer each other for ever."""
        first, second = await rig.open(), await rig.open("second")
        assert isinstance(first, Introduces)
        assert isinstance(second, Introduces)
        await first.check()
        await second.check()
        attempts = rig.attempts()
        mine, theirs = first.identity(), second.identity()
        assert mine is not None
        assert theirs is not None
        assert mine.platform == theirs.platform == rig.platform.name
        assert mine.id != theirs.id
        assert rig.attempts() == attempts

    @pytest.mark.parametrize("trouble", _LOSSES)
    async def test_a_send_says_what_was_lost(self, rig: Rig, trouble: str) -> None:
        adapter = await rig.open()
        await publish(rig, adapter, unique("All was well"))
        rig.strike(trouble)
        (part,) = adapter.plan(draft(rig, unique("Into the void")), now())
        async with refused() as faults:
            await adapter.send(part)
        assert faults[0].kind is rig.faults[trouble]
        assert faults[0].certain
        assert len(rig.held()) == 1

    @pytest.mark.parametrize("trouble", [*_LOSSES, "silent_suspend"])
    async def test_a_probe_sees_it_without_writing(self, rig: Rig, trouble: str) -> None:
        if trouble not in rig.faults:
            pytest.skip(f"{rig.platform.name} has no {trouble}")
        adapter = await rig.open()
        await adapter.check()
        rig.strike(trouble)
        before = rig.attempts()
        signal = await adapter.check()
        if trouble == "lock" and not adapter.profile.probe_sees_lock:
            assert signal.fault is None
        else:
            assert signal.fault is not None
            assert signal.fault.kind is rig.faults[trouble]
        assert rig.attempts() == before

    @pytest.mark.parametrize("trouble", ["suspend", "revoke"])
    async def test_an_account_lost_before_the_start_opens(self, rig: Rig, trouble: str) -> None:
        await (await rig.open()).aclose()
        rig.strike(trouble)
        signal = await (await rig.open()).check()
        assert signal.fault is not None
        assert signal.fault.kind is rig.faults[trouble]

    @pytest.mark.parametrize("trouble", ["suspend", "revoke"])
    async def test_listening_ends_with_what_was_lost(self, rig: Rig, trouble: str) -> None:
        adapter = await rig.open()
        async with listen(rig, adapter) as listener:
            await listener.started()
            rig.strike(trouble)
            assert (await listener.failed()).kind is rig.faults[trouble]

    @pytest.mark.parametrize("trouble", ["suspend", "revoke"])
    async def test_listening_to_a_lost_account_says_so(self, rig: Rig, trouble: str) -> None:
        rig.strike(trouble)
        async with listen(rig, await rig.open()) as listener:
            assert (await listener.failed()).kind is rig.faults[trouble]

    async def test_an_outage_shows_in_the_probe_as_weather(self, rig: Rig) -> None:
        adapter = await rig.open()
        await adapter.check()
        for status in (None, _STATUS):
            rig.strike("outage", status=status)
            signal = await adapter.check()
            assert signal.fault is not None
            assert signal.fault.kind in WEATHER
            rig.lift()
        assert (await adapter.check()).fault is None

    @pytest.mark.parametrize("trouble", ["suspend", "lock"])
    async def test_what_comes_back_works_again(self, rig: Rig, trouble: str) -> None:
        """The same adapter object: the gateway doesn't restart for it."""
        adapter = await rig.open()
        await publish(rig, adapter, unique("All was well"))
        rig.strike(trouble)
        (part,) = adapter.plan(draft(rig, unique("Held for later")), now())
        async with refused():
            await adapter.send(part)
        rig.lift()
        assert (await adapter.check()).fault is None
        await adapter.send(part)
        assert len(rig.held()) == 2

    async def test_what_was_said_meanwhile_is_heard_on_return(self, rig: Rig) -> None:
        adapter, kind = await rig.open(), min(rig.kinds)
        async with listen(rig, adapter) as listener:
            await listener.started()
            known = unique("Before")
            await approach(rig, adapter, "ana", kind, known)
            await listener.message(known)
            rig.strike("suspend")
            await listener.failed()
            cursor = listener.cursor
        missed = unique("While you were gone")
        rig.say("ana", kind, missed)
        rig.lift()
        async with listen(rig, adapter, cursor) as again:
            await again.message(missed)
            assert again.messages(known) == []

    async def test_evidence_is_one_short_line(self, rig: Rig) -> None:
        adapter = await rig.open()
        rig.strike("suspend")
        evidence = (await adapter.check()).evidence
        assert evidence
        assert "\n" not in evidence
        assert len(evidence) <= 300

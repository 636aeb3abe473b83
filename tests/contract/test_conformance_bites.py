"""The conformance suite finds what it is there to find: adapters broken on purpose fail it."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from conformance_rig import SandboxRig, platform_named
from msgspec import structs

from adapters.sandbox.control import serve
from gateway.model.capabilities import LaneState
from gateway.model.delivery import FaultError
from gateway.model.standing import Signal, Source
from gateway.testing.conformance import Conformance

PLATFORM = "telegram"


class Broken:
    """An adapter that is well but for what a subclass breaks."""

    left_out: frozenset[str] = frozenset()

    def __init__(self, adapter: Any, rig: SandboxRig) -> None:
        self._adapter = adapter
        self._rig = rig
        for name in {"edit", "delete", "react", "show_typing", "reconcile", "identity"} - self.left_out:
            if hasattr(adapter, name):  # isinstance() of a protocol looks for real attributes
                setattr(self, name, getattr(adapter, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


class SendsTwice(Broken):
    async def send(self, part: Any) -> Any:
        await self._adapter.send(part)
        return await self._adapter.send(part)


class ChainsFromMemory(Broken):
    last: Any = None

    async def send(self, part: Any) -> Any:
        receipt = await self._adapter.send(structs.replace(part, previous=self.last))
        self.last = receipt.ref
        return receipt


class IsAlwaysSure(Broken):
    async def send(self, part: Any) -> Any:
        try:
            return await self._adapter.send(part)
        except FaultError as error:
            raise FaultError(structs.replace(error.fault, certain=True)) from error


class SwallowsCancellation(Broken):
    async def send(self, part: Any) -> Any:
        work = asyncio.ensure_future(self._adapter.send(part))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            return await work


class PlansInPublic(Broken):
    def plan(self, draft: Any, at: Any) -> Any:
        return tuple(structs.replace(part, kind="post") for part in self._adapter.plan(draft, at))


class PlansAtRandom(Broken):
    def plan(self, draft: Any, at: Any) -> Any:
        return tuple(structs.replace(part, key=uuid.uuid4().hex) for part in self._adapter.plan(draft, at))


class LosesTheLastPart(Broken):
    def plan(self, draft: Any, at: Any) -> Any:
        parts = self._adapter.plan(draft, at)
        return parts[:-1] or parts


class ForgetsItsPosition(Broken):
    def events(self, _: str | None) -> Any:
        return self._adapter.events(None)


class ReadsOnePage(Broken):
    async def events(self, cursor: str | None) -> AsyncIterator[Any]:
        left = 100
        async for events, now in self._adapter.events(cursor):
            yield events[:left], now
            left = max(0, left - len(events))


class NamesAtRandom(Broken):
    async def events(self, cursor: str | None) -> AsyncIterator[Any]:
        async for events, now in self._adapter.events(cursor):
            yield [structs.replace(event, id=uuid.uuid4().hex) for event in events], now


class TrustsItsCursor(Broken):
    async def events(self, cursor: str | None) -> AsyncIterator[Any]:
        if cursor is not None and "offset" not in json.loads(cursor):
            raise KeyError("offset")
        async for arrival in self._adapter.events(cursor):
            yield arrival


class MovesOnTooFar(Broken):
    async def events(self, cursor: str | None) -> AsyncIterator[Any]:
        async for events, now in self._adapter.events(cursor):
            position = json.loads(now)
            yield events, json.dumps(position | {"offset": position.get("offset", 0) + 3})


class AsksAgainAtOnce(Broken):
    async def events(self, cursor: str | None) -> AsyncIterator[Any]:
        with suppress(FaultError):
            async for arrival in self._adapter.events(cursor):
                yield arrival
        async for arrival in self._adapter.events(cursor):
            yield arrival


class MisspellsALane(Broken):
    async def send(self, part: Any) -> Any:
        receipt = await self._adapter.send(part)
        return structs.replace(receipt, lanes=(LaneState("chatt", 0, 0.0, part.conversation),))


class CountsNowhere(Broken):
    def plan(self, draft: Any, at: Any) -> Any:
        return tuple(structs.replace(part, conversation="") for part in self._adapter.plan(draft, at))


class ProbesByPosting(Broken):
    async def check(self) -> Any:
        await self._adapter.send(self._adapter.plan(self._rig.any_draft(), None)[0])
        return await self._adapter.check()


class SeesNothing(Broken):
    async def check(self) -> Any:
        return Signal(Source.PROBE, self._rig.bench.context.clock.now(), "all is well")


class StaysUnknown(Broken):
    left_out = frozenset({"identity"})

    def identity(self) -> None:
        return None


class TellsSecrets(Broken):
    async def send(self, part: Any) -> Any:
        logging.getLogger("multihome.broken").debug("with %s", next(iter(self._rig.secrets)))
        return await self._adapter.send(part)


class LeavesATask(Broken):
    async def aclose(self) -> None:
        self._rig.left.append(asyncio.create_task(asyncio.sleep(60)))
        await self._adapter.aclose()


class LeavesCircles(Broken):
    async def send(self, part: Any) -> Any:
        circle: list[Any] = []
        circle.append(circle)
        return await self._adapter.send(part)


class CannotEdit(Broken):
    left_out = frozenset({"edit"})

    def __getattr__(self, name: str) -> Any:
        if name in self.left_out:
            raise AttributeError(name)
        return super().__getattr__(name)


class BreakableRig(SandboxRig):
    broken: type[Broken] = Broken

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.left: list[asyncio.Task[None]] = []

    async def open(self, account: str = "agent") -> Any:
        return self.broken(await super().open(account), self)

    def any_draft(self) -> Any:
        from gateway.testing.conformance.rig import draft

        return draft(self, "Just looking")


@pytest.fixture
async def rig() -> AsyncIterator[BreakableRig]:
    made = BreakableRig(platform_named(PLATFORM), await serve(names=[PLATFORM]))
    yield made
    for task in made.left:
        task.cancel()
    await made.close()


async def run(rig: BreakableRig, name: str, fixtures: dict[str, Any]) -> None:
    await getattr(Conformance(), f"test_{name}")(rig, **fixtures)


CASES = [
    (SendsTwice, "a_post_arrives_with_its_exact_words_and_links", {}),
    (IsAlwaysSure, "trouble_after_acceptance_is_never_certain", {"trouble": "drop_after"}),
    (SwallowsCancellation, "a_cancelled_send_is_never_lost_nor_doubled", {}),
    (PlansInPublic, "a_private_conversation_never_plans_a_public_part", {}),
    (PlansAtRandom, "the_same_draft_and_time_give_the_same_parts", {}),
    (LosesTheLastPart, "a_long_text_becomes_a_thread_in_order", {}),
    (ForgetsItsPosition, "what_was_said_while_we_were_away_arrives", {"kind": "direct"}),
    (MovesOnTooFar, "what_was_said_while_we_were_away_arrives", {"kind": "direct"}),
    (AsksAgainAtOnce, "a_limit_on_reading_says_when_to_come_back", {}),
    (TrustsItsCursor, "a_cursor_that_can_not_be_read_silences_nobody", {"cursor": "{}"}),
    (NamesAtRandom, "what_was_not_stored_comes_again", {}),
    (NamesAtRandom, "what_was_not_stored_comes_again_from_the_same_adapter", {}),
    (ChainsFromMemory, "a_thread_goes_on_after_a_restart", {}),
    (ReadsOnePage, "what_was_said_while_we_were_away_arrives", {"kind": "direct"}),
    (MisspellsALane, "rate_windows_have_the_names_of_the_profile", {}),
    (CountsNowhere, "parts_say_whose_rate_window_they_count_in", {}),
    (ProbesByPosting, "a_probe_of_a_healthy_account_only_reads", {}),
    (SeesNothing, "a_probe_sees_it_without_writing", {"trouble": "suspend"}),
    (StaysUnknown, "the_account_introduces_itself", {}),
    (TellsSecrets, "secrets_stay_secret", {}),
    (LeavesATask, "nothing_runs_on_after_closing", {}),
    (LeavesCircles, "sends_leave_no_garbage", {}),
    (CannotEdit, "the_adapter_is_what_its_profile_claims", {}),
]


@pytest.mark.parametrize(("broken", "name", "more"), CASES, ids=[broken.__name__ for broken, _, _ in CASES])
async def test_a_broken_adapter_fails(
    rig: BreakableRig,
    broken: type[Broken],
    name: str,
    more: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fixtures = more | ({"caplog": caplog} if name == "secrets_stay_secret" else {})
    rig.broken = broken
    monkeypatch.setattr("gateway.testing.conformance.rig.WAIT_S", 1.0)  # for what never comes
    with pytest.raises((AssertionError, ValueError, TimeoutError, KeyError)):
        await run(rig, name, fixtures)


@pytest.mark.parametrize(("name", "more"), [case[1:] for case in CASES], ids=[name for _, name, _ in CASES])
async def test_a_sound_adapter_passes_the_same(
    rig: BreakableRig, name: str, more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await run(rig, name, more | ({"caplog": caplog} if name == "secrets_stay_secret" else {}))

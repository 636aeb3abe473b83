"""What an adapter leaves behind: no task, no thread, no warning, no garbage, no secret."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import threading

import pytest

from gateway.model.delivery import FaultError
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

_TOKEN_MIN = 33
"""Shorter words in a vault are names of accounts and servers."""
_SENDS = 10


class Hygiene:
    async def test_closing_twice_is_safe(self, rig: Rig) -> None:
        adapter = await rig.open()
        await publish(rig, adapter, unique("Good bye"))
        await adapter.aclose()
        await adapter.aclose()

    async def test_closing_what_never_spoke_is_safe(self, rig: Rig) -> None:
        await (await rig.open()).aclose()

    async def test_nothing_runs_on_after_closing(self, rig: Rig) -> None:
        threads = _threads()
        adapter, kind = await rig.open(), min(rig.kinds)
        async with listen(rig, adapter) as listener:
            await listener.started()
            text = unique("Anybody there?")
            await approach(rig, adapter, "ana", kind, text)
            await listener.message(text)
            await adapter.check()
        await adapter.aclose()
        await rig.unplug()
        await _let_go()
        here = asyncio.current_task()
        assert [task for task in asyncio.all_tasks() if task is not here and not task.done()] == []
        assert _threads() <= threads

    async def test_closing_while_listening_ends_it(self, rig: Rig) -> None:
        adapter = await rig.open()
        async with listen(rig, adapter) as listener:
            await listener.started()
            await adapter.aclose()

    async def test_a_dropped_iterator_can_be_started_again(self, rig: Rig) -> None:
        adapter, kind = await rig.open(), min(rig.kinds)
        for _ in range(3):
            async with listen(rig, adapter) as listener:
                await listener.started()
        async with listen(rig, adapter, listener.cursor) as again:
            text = unique("Still there?")
            await again.started()
            await approach(rig, adapter, "ana", kind, text)
            await again.message(text)

    async def test_sends_leave_no_garbage(self, rig: Rig) -> None:
        """What holds itself in a circle waits for a rare collection, and a heap that is then full of holes grows."""
        adapter = await rig.open()
        await publish(rig, adapter, unique("The first asks for more than the others"))
        gc.collect()
        gc.disable()
        try:
            for _ in range(_SENDS):
                await publish(rig, adapter, unique("And another"))
            assert gc.collect() < _SENDS
        finally:
            gc.enable()

    async def test_secrets_stay_secret(self, rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
        await (await rig.open()).aclose()  # so that the client library's loggers are there
        _debug(caplog)
        evidence = await _an_eventful_life(rig)
        shown = "\n".join((caplog.text, *evidence))
        assert rig.secrets
        assert [secret for secret in rig.secrets | _kept(rig) if secret in shown] == []

    async def test_settings_show_no_secret(self, rig: Rig) -> None:
        adapter = await rig.open()
        shown = f"{rig.settings!r} {rig.settings} {adapter!r} {adapter}"
        assert [secret for secret in rig.secrets if secret in shown] == []


async def _an_eventful_life(rig: Rig) -> list[str]:
    """Everything an account goes through; returns what was said to people about it."""
    adapter, told = await rig.open(), []
    async with listen(rig, adapter) as listener:
        await listener.started()
        text = unique("Psst")
        await approach(rig, adapter, "ana", min(rig.kinds), text)
        await listener.message(text)
        for trouble in ("drop_before", "fail_before", "revoke"):
            rig.strike(trouble, status=503 if trouble == "fail_before" else None)
            (part,) = adapter.plan(draft(rig, unique("Into the void")), now())
            async with refused() as faults:
                await adapter.send(part)
            signal = await adapter.check()
            told += [str(faults[0]), str(FaultError(faults[0])), str(signal)]
            rig.lift()
    await rig.unplug()
    told.append(str(await adapter.check()))
    return [*told, *(str(report) for report in rig.bench.reports)]


def _debug(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever looks for a mistake turns on everything there is."""
    for name in ("", *logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)


def _kept(rig: Rig) -> set[str]:
    """Tokens that the account got while it ran and put into its vault."""
    words = (word for secret in rig.bench.vault.secrets.values() for word in re.split(r"[^\w.~+/=-]+", secret.reveal()))
    return {word for word in words if len(word) >= _TOKEN_MIN}


def _threads() -> set[str]:
    """Names of living threads, without the event loop's own pool."""
    return {thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


async def _let_go() -> None:
    """Give closed transports their turns."""
    for _ in range(50):
        await asyncio.sleep(0.002)

"""What ends a run as wrong besides the count: planted by hand, without a process."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import chaos_processes
import chaos_soak
import chaos_succession
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from chaos_database import File
from chaos_gauge import Effort, Sample, crowding, effort
from chaos_processes import ChaosError, Gateway
from chaos_rounds import Rounds
from chaos_soak import Soak
from chaos_town import Town
from chaos_traffic import Traffic

ENDED = "gateway-0 ended with"
FULL = "multihome: /tmp/multihome.db: the disk is full: nothing of this was written; free some space and it goes on"
IN_USE = "multihome: another gateway (process {}) uses /tmp/multihome.db: stop it first"
ABSENT = "multihome: the database can't be reached: start it, or correct `database` (connection refused)"


NOW_S = 1000.0


@pytest.fixture
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos_soak, "time", SimpleNamespace(monotonic=lambda: NOW_S))


def soaked(tmp_path: Path, *pids: int) -> Soak:
    """One whose gateway was seen just now, every two seconds before that, and never grew."""
    soak = Soak(argparse.Namespace(soak=1.0, seed=1), tmp_path, lambda _: None)
    soak.began_s = NOW_S - 2.0 * len(pids)
    soak.samples = [Sample(2.0 * (n + 1), pid, 1000.0, 10.0, 100.0) for n, pid in enumerate(pids)]
    return soak


def town(*, failures: tuple[str, ...] = (), refusals: tuple[str, ...] = ()) -> Any:
    gateway = SimpleNamespace(failures=list(failures), callers={41})
    database = SimpleNamespace(refusals=refusals)
    return SimpleNamespace(gateways=[gateway], database=database, traffic=SimpleNamespace(expected=[]))


@pytest.mark.usefixtures("_still")
def test_a_soak_of_one_process_that_does_not_grow_is_in_order(tmp_path: Path) -> None:
    soak = soaked(tmp_path, *[7] * 10)
    soak.judge(town())
    assert not soak.wrong


@pytest.mark.usefixtures("_still")
def test_a_soak_that_an_operator_helped_is_none(tmp_path: Path) -> None:
    soak = soaked(tmp_path, *[7] * 10)
    soak.helped = 1
    soak.judge(town())
    assert soak.wrong == ["the operator had to restart the gateway: 1 times"]
    assert soak.result()["operator_restarts"] == 1


@pytest.mark.usefixtures("_still")
def test_a_soak_of_two_processes_is_none(tmp_path: Path) -> None:
    soak = soaked(tmp_path, 7, 7, 7, 8, 8, 8)
    soak.judge(town())
    assert soak.wrong == ["not one process: what was measured are 2"]


@pytest.mark.usefixtures("_still")
def test_a_soak_that_was_watched_for_a_part_of_its_time_is_none(tmp_path: Path) -> None:
    soak = soaked(tmp_path, *[7] * 10)
    soak.began_s -= 60.0
    soak.judge(town())
    assert soak.wrong == ["not watched to the end: the last look is 60 s old"]
    unseen = soaked(tmp_path)
    unseen.judge(town())
    assert unseen.wrong == ["not watched: 0 looks"]


@pytest.mark.skipif(sys.platform != "linux", reason="what a process takes is read from /proc")
async def test_a_soak_goes_on_watching_when_there_is_no_process_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos_soak, "SAMPLE_EVERY_S", 0.001)
    gone = 2**22 + 1  # more than Linux numbers processes with

    class Gateway:
        pids: Iterator[int | None] = chain([os.getpid(), None, gone], repeat(os.getpid()))

        @property
        def pid(self) -> int | None:
            return next(self.pids)

    database = File.__new__(File)
    database.path = tmp_path / "multihome.db"
    soak = soaked(tmp_path)
    watching = asyncio.create_task(soak.watch(SimpleNamespace(gateways=[Gateway()], database=database)))  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        while len(soak.samples) < 3:
            await asyncio.sleep(0.001)
    watching.cancel()


def played(tmp_path: Path, of: Any) -> list[str]:
    rounds = Rounds(argparse.Namespace(gateways=1, database="sqlite", rounds=1, seed=1), tmp_path, lambda _: None)
    return rounds.ended(of)


@pytest.mark.parametrize(
    "how", ["-11: no word", "70: multihome: this is a bug", f"0: {FULL}", "1: ValueError", f"1: {ABSENT}"]
)
def test_a_gateway_that_ended_by_itself_is_found(tmp_path: Path, how: str) -> None:
    of = town(failures=(f"{ENDED} {how}",), refusals=("the disk is full",))
    assert played(tmp_path, of) == [f"round 0: ended by itself: {ENDED} {how}"]


def test_a_start_that_the_database_refused_is_no_such_end(tmp_path: Path) -> None:
    assert not played(tmp_path, town(failures=(f"{ENDED} 1: {FULL}",), refusals=("the disk is full",)))
    assert not played(tmp_path, town(failures=(f"{ENDED} 1: {ABSENT}",), refusals=("the database can't be reached",)))
    assert not played(tmp_path, town(failures=(f"{ENDED} 1: {IN_USE.format(41)}",)))
    assert played(tmp_path, town(failures=(f"{ENDED} 1: {IN_USE.format(42)}",)))


async def succeeded(
    monkeypatch: pytest.MonkeyPatch, answered_at_s: float, *, others: float = 0.0
) -> tuple[float, list[str], list[str]]:
    """A death whose accounts others have so late, on a machine that has far too much to do: ``others`` are the share of
    it that isn't chaos itself. Returns what was told as well.
    """
    now_s = 0.0

    async def even(*_: object) -> bool:
        return True

    async def answered(*_: object) -> bool:
        nonlocal now_s
        now_s += 0.5
        return now_s >= answered_at_s

    async def ask(_: str) -> str:
        return "r1"

    told: list[str] = []
    efforts = [Effort(0.0, 0.0, 0.0), Effort(100.0, 100.0 * (1 - others), 0.0)]
    monkeypatch.setattr(chaos_succession, "effort", lambda: efforts.pop(0))
    monkeypatch.setattr(chaos_succession, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(chaos_succession, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(chaos_succession, "_is_even", even)
    monkeypatch.setattr(chaos_succession, "_all_there", answered)
    monkeypatch.setattr(os, "getloadavg", lambda: (1000.0, 1000.0, 1000.0))
    victim = SimpleNamespace(name="gateway-0", hold=lambda _: None, kill=lambda: None)
    traffic, sandbox = SimpleNamespace(ask=ask), SimpleNamespace(networks=["x"])
    of: Any = SimpleNamespace(gateways=[victim], traffic=traffic, sandbox=sandbox, shake=lambda: None, tell=told.append)
    return *await chaos_succession.succeed(of, random.Random(1)), told  # noqa: S311 - a story, not a secret


async def test_a_late_succession_is_late_however_much_chaos_itself_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await succeeded(monkeypatch, 10.0) == (10.0, [], [])
    took_s, wrong, told = await succeeded(monkeypatch, 10.5)
    assert (took_s, len(wrong), told) == (10.5, 1, [])
    assert wrong[0].startswith("late: 10.5 s until everybody had an answer after gateway-0 died; others took 0%")


async def test_a_succession_that_others_slowed_down_is_told_and_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    _, wrong, told = await succeeded(monkeypatch, 15.0, others=0.5)
    assert not wrong
    assert told == [
        "late by the clock, 15.0 s after gateway-0 died; but others took 50% of the machine, which allows for 15.0 s"
    ]
    assert len((await succeeded(monkeypatch, 15.5, others=0.5))[1]) == 1


async def test_others_excuse_no_succession_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not (await succeeded(monkeypatch, 20.0, others=0.999))[1]
    assert len((await succeeded(monkeypatch, 20.5, others=0.999))[1]) == 1
    took_s, wrong, _ = await succeeded(monkeypatch, float("inf"), others=0.999)
    assert took_s > 60.0
    assert wrong[0].startswith(f"late: after {took_s:.1f} s not everybody had an answer")


def test_what_others_take_of_the_machine_is_what_is_neither_ours_nor_nobodys() -> None:
    before = Effort(1000.0, 50.0, 400.0)
    assert crowding(before, Effort(1020.0, 55.0, 415.0)) == 1.0
    assert crowding(before, Effort(1020.0, 55.0, 405.0)) == 2.0
    assert crowding(before, Effort(1020.0, 55.1, 415.1)) == 1.0
    burning = effort()
    while effort().ours_s < burning.ours_s + 0.05:
        pass
    assert crowding(burning, effort()) >= 1.0


async def test_people_are_named_as_the_adapters_know_them() -> None:
    async def say(*_: str, **said: str) -> dict[str, Any]:
        return {"author": "114", "conversation": "c", "private": said["kind"] == "direct"}

    sandbox: Any = SimpleNamespace(networks=["x", "mastodon"], ask=say)
    traffic = Traffic(sandbox, [], random.Random(1), beat_s=1.0)  # noqa: S311 - a story, not a secret
    for name in ("x", "mastodon"):
        await traffic.ask(name, "ana", "direct")
    assert list(traffic.identities.values()) == ["x:id=114", "mastodon:id=ana@mastodon.sandbox"]
    asked = traffic.expected[0]
    assert (asked.place, asked.person, asked.private) == ("c", "ana", True)


async def test_somebody_who_was_never_met_is_not_linked_in_silence() -> None:
    async def link(_: str, *, first: str, second: str) -> dict[str, Any]:
        return {"person": "1", "identities": [first, second]}

    of: Any = SimpleNamespace(_ask=link)
    await Town._link(of, "x:@ana", "mastodon:@ana")
    for made_up in ("mastodon:id=114", "mastodon:114"):
        with pytest.raises(ChaosError, match="never met mastodon"):
            await Town._link(of, "x:@ana", made_up)


@pytest.mark.parametrize("status", [503, 500])
async def test_a_gateway_that_has_a_bug_is_not_asked_for_ever(tmp_path: Path, status: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"error": "announce failed with KeyError; the log says more"}, status=status)

    house = web.Application()
    house.router.add_post("/local/announce", answer)
    async with TestServer(house) as server, aiohttp.ClientSession() as session:
        endpoint = tmp_path / "endpoint"
        endpoint.write_text(json.dumps({"url": str(server.make_url("")).rstrip("/"), "token": "t"}))
        gateway = Gateway("gateway-0", tmp_path / "multihome.toml", endpoint, {}, session)
        if status == 503:
            assert await gateway.ask("announce") is None
            return
        with pytest.raises(ChaosError, match="gateway-0 has a bug: announce failed with KeyError"):
            await gateway.ask("announce")


async def test_a_command_that_ends_by_a_bug_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = "import sys; sys.stderr.write('multihome: this is a bug: KeyError'); sys.exit(70)"
    monkeypatch.setattr(chaos_processes, "PROGRAM", (sys.executable, "-c", ends))
    gateway = Gateway("gateway-0", tmp_path / "multihome.toml", tmp_path / "endpoint", {}, session=None)  # type: ignore[arg-type]
    with pytest.raises(ChaosError, match="the command line has a bug: multihome: this is a bug: KeyError"):
        await gateway.call("announce", "-")

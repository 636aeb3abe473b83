"""The soak: hours of ordinary life in one gateway, whose memory, open files and database must not grow."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from chaos_count import Count
from chaos_database import File
from chaos_gauge import Sample, Trend, take, trend
from chaos_story import Story
from chaos_town import Town
from chaos_troubles import KINDS, Troubles

BEAT_S = 0.08
SAMPLE_EVERY_S = 2.0
MISSED_S = 5 * SAMPLE_EVERY_S
"""So old may the last look be in the end: a busy machine is late, a gateway that is gone is later."""
FEW = 2
"""Looks that tell no growth: half of them are the warm-up."""
TROUBLE_EVERY_S = 5.0
KEPT_SHARE, KEPT_LEAST_S, KEPT_MOST_S = 10, 30.0, 3600.0
"""History is kept for a tenth of the soak: what is forgotten must make room for what comes."""
COUNTS_PER_KEPT = 2
"""What was written between two counts is still in the books at the second."""
REMEMBERED_S = 60.0
"""How long the networks keep what was said, beyond a count."""
WARM_SHARE = 0.5
"""Of the time, before anything is measured: what the adapters and their libraries remember of late messages (some
thousands each) fills up, and the database comes to its size.
"""
MOST = {"memory_kib": 0.03, "open_files": 0.10, "database_kib": 0.10}
"""By how much of itself a figure may be larger at the end than after the warm-up."""


class Soak:
    """Plays it. ``seed`` decides who says what, and what goes wrong."""

    def __init__(self, options: argparse.Namespace, folder: Path, tell: Callable[[str], None]) -> None:
        self._duration_s = options.soak * 60
        self._kept_s = min(KEPT_MOST_S, max(KEPT_LEAST_S, self._duration_s / KEPT_SHARE))
        self._chance = random.Random(f"{options.seed}/soak")  # noqa: S311 - a story, not a secret
        self._folder = folder
        self._tell = tell
        self.samples: list[Sample] = []
        self.began_s = 0.0
        self.helped = 0
        self._counted = Count()
        self._times: dict[str, int] = {}
        self._story = Story()
        self.wrong: list[str] = []

    async def play(self) -> None:
        keys = {"keep_days": self._kept_s / 86_400}
        async with Town(self._folder / "soak", self._chance, self._tell, beat_s=BEAT_S, keys=keys) as town:
            await town.open()
            self._tell(f"a soak of {self._duration_s / 60:.0f} min; history is kept for {self._kept_s:.0f} s")
            town.traffic.start()
            troubles = Troubles(town, frozenset(kind.name for kind in KINDS if not kind.rough))
            self.began_s = time.monotonic()
            watching = asyncio.create_task(self.watch(town))
            try:
                await self._live(town, troubles)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                await troubles.stop()
                self._times, self.helped = troubles.times, town.helped
            self.judge(town)

    async def _live(self, town: Town, troubles: Troubles) -> None:
        began = counted = time.monotonic()
        number = 0
        while not self.wrong and (now := time.monotonic()) < began + self._duration_s:
            number += 1
            begun = troubles.begin(self._chance, most=1)
            self._story.begin(number, len(town.traffic.expected), begun)
            await asyncio.sleep(TROUBLE_EVERY_S)
            town.traffic.check()
            if now > counted + self._kept_s / COUNTS_PER_KEPT - TROUBLE_EVERY_S:
                await self._count(town, troubles)
                counted = time.monotonic()
                self._tell(f"{(counted - began) / 60:.1f} min: {self._told()}")
        await self._count(town, troubles)

    async def _count(self, town: Town, troubles: Troubles) -> None:
        await troubles.end()
        self._counted = await town.count()
        self.wrong += self._story.blame(self._counted.wrong, town.traffic.expected)
        await town.forget(REMEMBERED_S)
        town.traffic.go_on()

    async def watch(self, town: Town) -> None:
        """For ever: where there is no process now there is one at the next look. What that means is judged later."""
        assert isinstance(town.database, File)
        files = [town.database.path.with_name(town.database.path.name + end) for end in ("", "-wal")]
        while True:
            if (pid := town.gateways[0].pid) is not None:
                with suppress(OSError):
                    self.samples.append(take(time.monotonic() - self.began_s, pid, files))
            await asyncio.sleep(SAMPLE_EVERY_S)

    def _told(self) -> str:
        last = self.samples[-1]
        return (
            f"{self._counted.accepted} accepted, {len(self._counted.wrong)} wrong; "
            f"memory {last.memory_kib / 1024:.1f} MiB, "
            f"{last.open_files:.0f} open files, database {last.database_kib / 1024:.1f} MiB"
        )

    def judge(self, town: Town) -> None:
        if failures := town.gateways[0].failures:
            self.wrong.append(f"the gateway ended by itself: {'; '.join(failures)}")
        if self.helped:
            self.wrong.append(f"the operator had to restart the gateway: {self.helped} times")
        interrupted = self._interrupted()
        self.wrong += interrupted
        for name, most in MOST.items() if not interrupted else ():
            found = self._trend(name)
            if found.growth > most * found.start:
                self.wrong.append(
                    f"grows: {name} from {found.start:.0f} to {found.end:.0f}, {found.per_hour:+.0f} an hour"
                )

    def _interrupted(self) -> list[str]:
        """Why what was measured is not one process to its end: its growth tells nothing then."""
        if (processes := len({one.pid for one in self.samples})) > 1:
            return [f"not one process: what was measured are {processes}"]
        if (looks := len(self.samples)) <= FEW:
            return [f"not watched: {looks} looks"]
        age_s = time.monotonic() - self.began_s - self.samples[-1].at_s
        return [f"not watched to the end: the last look is {age_s:.0f} s old"] if age_s > MISSED_S else []

    def _trend(self, name: str) -> Trend:
        warm_s = self.samples[-1].at_s * WARM_SHARE
        return trend([one for one in self.samples if one.at_s >= warm_s], name)

    def result(self) -> dict[str, Any]:
        trends = {name: self._trend(name) for name in MOST} if len(self.samples) > FEW else {}
        figures = {
            name: {"start": round(one.start), "end": round(one.end), "per_hour": round(one.per_hour)}
            for name, one in trends.items()
        }
        counted = {"accepted": self._counted.accepted, "found": self._counted.found}
        played = {"operator_restarts": self.helped, "troubles": self._times}
        return {"kept_s": round(self._kept_s), **counted, **figures, **played}

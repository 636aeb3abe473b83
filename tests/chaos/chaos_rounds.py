"""The rounds: one to three new troubles each, a look after every one, a count once calm after every few."""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaos_count import Count
from chaos_database import Server
from chaos_processes import was_refused
from chaos_story import Story
from chaos_succession import succeed
from chaos_town import Town
from chaos_troubles import Troubles

COUNT_EVERY = 20
"""Rounds between two counts."""
ERA = 100
"""Rounds in one world: then a new one begins, with the operator's other choice about unknown sends."""
ROUND_S = (1.0, 2.4)
BEAT_S = 0.25
TOTALS = ("accepted", "found", "elsewhere", "uncertain", "absent", "doubled")


class Rounds:
    """Plays them. ``seed`` decides who says what, and what breaks in which round; the machine decides the rest."""

    def __init__(self, options: argparse.Namespace, folder: Path, tell: Callable[[str], None]) -> None:
        self._options = options
        self._folder = folder
        self._tell = tell
        self._where = {"gateways": options.gateways, "database": options.database}
        self._totals: Counter[str] = Counter()
        self._times: Counter[str] = Counter()
        self._failures: list[str] = []
        self._round = 0
        self._how = ""
        self._slowest_s = 0.0
        self._counted = Count()
        self._story = Story()
        self.wrong: list[str] = []

    async def play(self) -> None:
        while self._round < self._options.rounds and not self.wrong:
            await self._era(min(self._round + ERA, self._options.rounds))

    async def _era(self, until: int) -> None:
        number = self._round // ERA
        folder = self._folder / f"from-round-{self._round}"
        resend = frozenset({"telegram"} if number % 2 else ())
        async with Town(
            folder, self._chance("traffic"), self._tell, beat_s=BEAT_S, resend=resend, **self._where
        ) as town:
            await town.open()
            self._story, self._counted = Story(), Count()
            choice = "sent again" if resend else "held"
            self._how = town.database.told
            self._tell(f"a new world on {self._how}; what nobody can tell about is {choice}")
            town.traffic.start()
            troubles = Troubles(town, frozenset(self._options.only))
            try:
                while self._round < until and not self.wrong:
                    await self._some(town, troubles, min(COUNT_EVERY, until - self._round))
            finally:
                await troubles.stop()
                self._remember(town, troubles)

    async def _some(self, town: Town, troubles: Troubles, number: int) -> None:
        for _ in range(number):
            await self._one(town, troubles)
        await troubles.end()
        self._counted = await town.count()
        self.wrong += self._story.blame(self._counted.wrong, town.traffic.expected) + self.ended(town)
        self._tell(
            f"count: {self._counted.accepted} accepted, {self._counted.found} on the networks, "
            f"{self._counted.elsewhere} by another road, {self._counted.uncertain} uncertain, "
            f"{self._counted.doubled} twice by choice, {len(self._counted.wrong)} wrong"
        )
        if isinstance(town.database, Server) and not self.wrong:
            await self._succession(town)
        town.traffic.go_on()

    async def _succession(self, town: Town) -> None:
        took_s, wrong = await succeed(town, self._chance("succession"))
        self._slowest_s = max(self._slowest_s, round(took_s, 1))
        self.wrong += self._story.blame(wrong, town.traffic.expected)
        self._tell(f"a gateway died for good: {took_s:.1f} s until the others had answered everybody")

    async def _one(self, town: Town, troubles: Troubles) -> None:
        chance = self._chance("troubles")
        self._round += 1
        begun = troubles.begin(chance)
        self._story.begin(self._round, len(town.traffic.expected), begun)
        await asyncio.sleep(chance.uniform(*ROUND_S))
        town.traffic.check()
        self.wrong += self._story.blame(await town.look(), town.traffic.expected) + self.ended(town)
        accepted = len(town.traffic.expected)
        self._tell(f"round {self._round}/{self._options.rounds}: {', '.join(begun) or 'quiet'}; {accepted} accepted")

    def ended(self, town: Town) -> list[str]:
        """Gateways that nobody ended, but for starts that their database refused."""
        wrong = []
        for gateway in town.gateways:
            in_use = (f"another gateway (process {pid}) uses" for pid in gateway.callers)
            refusals = (*town.database.refusals, *in_use)
            wrong += [f"ended by itself: {one}" for one in gateway.failures if not was_refused(one, refusals)]
        return self._story.blame(wrong, town.traffic.expected)

    def _chance(self, of: str) -> random.Random:
        return random.Random(f"{self._options.seed}/{self._round}/{of}")  # noqa: S311 - a story, not a secret

    def _remember(self, town: Town, troubles: Troubles) -> None:
        self._totals.update({name: getattr(self._counted, name) for name in TOTALS})
        self._totals.update(
            starts=sum(gateway.starts for gateway in town.gateways),
            asked_again=town.traffic.asked_again,
            operator_restarts=town.helped,
        )
        self._times.update(troubles.times)
        self._failures += [failure for gateway in town.gateways for failure in gateway.failures]

    def result(self) -> dict[str, Any]:
        return {
            "rounds": self._round,
            "gateways": self._options.gateways,
            "database": self._how,
            "slowest_succession_s": self._slowest_s,
            **self._totals,
            "troubles": dict(self._times),
            "ended_by_itself": self._failures,
        }

"""script/chaos: real processes, real client libraries, and every trouble at once. Counted from the networks."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from disk import enter_namespace
from processes import ChaosError
from town import Town
from troubles import KINDS, Troubles

COUNT_EVERY = 20
"""Rounds between two counts."""
ERA = 100
"""Rounds in one world: then a new one begins, so that its memory stays bounded."""
ROUND_S = (1.0, 2.4)
BEAT_S = 0.25


class Chaos:
    """Plays the rounds. ``seed`` decides who says what, and what breaks in which round; the machine decides the rest."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._log = (folder / "chaos.log").open("w", buffering=1)
        self._began = time.monotonic()
        self.totals: dict[str, int] = {}
        self.times: dict[str, int] = {}
        self.failures: list[str] = []
        self.wrong: list[str] = []
        self._round = 0

    def tell(self, line: str) -> None:
        line = f"{time.monotonic() - self._began:7.1f} s  {line}"
        self._log.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stderr.write(f"{line}\n")

    async def play(self) -> dict[str, Any]:
        while self._round < self._options.rounds and not self.wrong:
            await self._era(min(self._round + ERA, self._options.rounds))
        return self.result()

    async def _era(self, until: int) -> None:
        name = f"from-round-{self._round}"
        chance = random.Random(f"{self._options.seed}/{self._round}/traffic")  # noqa: S311 - a story, not a secret
        async with Town(self._folder / name, chance, self.tell, beat_s=BEAT_S) as town:
            await town.open()
            how = town.disk.how if town.disk is not None else "none"
            self.tell(f"a new world: {len(town.gateways)} gateway(s) on {self._options.database}; small disk: {how}")
            town.traffic.start()
            troubles = Troubles(town, frozenset(self._options.only))
            try:
                while self._round < until and not self.wrong:
                    await self._rounds(town, troubles, min(COUNT_EVERY, until - self._round))
            finally:
                self._remember(town, troubles)

    async def _rounds(self, town: Town, troubles: Troubles, number: int) -> None:
        for _ in range(number):
            chance = random.Random(f"{self._options.seed}/{self._round}")  # noqa: S311 - a story, not a secret
            self._round += 1
            begun = troubles.begin(chance)
            await asyncio.sleep(chance.uniform(*ROUND_S))
            town.traffic.check()
            self.tell(
                f"round {self._round}/{self._options.rounds}: {', '.join(begun) or 'quiet'}; "
                f"{len(town.traffic.expected)} accepted"
            )
        await troubles.end()
        counted = await town.count()
        self.wrong += [f"round {self._round}: {line}" for line in counted.wrong]
        self.tell(
            f"count: {counted.accepted} accepted, {counted.found} on the networks, {counted.elsewhere} by another road, "
            f"{counted.uncertain} uncertain ({counted.absent} of them not there), {len(counted.wrong)} wrong"
        )
        self._last = counted
        town.traffic.go_on()

    def _remember(self, town: Town, troubles: Troubles) -> None:
        last = getattr(self, "_last", None)
        if last is not None:
            for key in ("accepted", "found", "elsewhere", "uncertain", "absent"):
                self.totals[key] = self.totals.get(key, 0) + getattr(last, key)
        for name, times in troubles.times.items():
            self.times[name] = self.times.get(name, 0) + times
        self.failures += [failure for gateway in town.gateways for failure in gateway.failures]
        for key, number in (
            ("starts", sum(gateway.starts for gateway in town.gateways)),
            ("asked_again", town.traffic.asked_again),
            ("helped", town.helped),
        ):
            self.totals[key] = self.totals.get(key, 0) + number

    def result(self) -> dict[str, Any]:
        return {
            "seed": self._options.seed,
            "rounds": self._round,
            "seconds": round(time.monotonic() - self._began, 1),
            "database": self._options.database,
            "gateways": self._options.gateways,
            **self.totals,
            "troubles": self.times,
            "ended_by_themselves": self.failures,
            "wrong": self.wrong,
        }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--gateways", type=int, choices=(1, 3), default=None)
    parser.add_argument("--only", action="append", default=[], choices=[kind.name for kind in KINDS])
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs in any case")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    options.gateways = options.gateways or (3 if options.database == "postgres" else 1)
    return options


async def _play(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Ctrl-C and SIGTERM end it as an error would: everything is closed on the way out."""
    playing = asyncio.current_task()
    assert playing is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    chaos = Chaos(options, folder)
    try:
        return await chaos.play()
    except ChaosError as error:
        return {**chaos.result(), "wrong": [*chaos.wrong, str(error)]}


def main() -> int:
    options = _options()
    enter_namespace()
    folder = Path(tempfile.mkdtemp(prefix="multihome-chaos-"))
    good = False
    try:
        result = asyncio.run(_play(options, folder))
        good = not result["wrong"]
    except asyncio.CancelledError:
        sys.stderr.write("stopped\n")
        return 130
    finally:
        if good and not options.keep:
            shutil.rmtree(folder)
        else:
            sys.stderr.write(f"all logs are in {folder}\n")
    sys.stdout.write(f"{json.dumps(result) if options.json else _told(result)}\n")
    return 0 if good else 1


def _told(result: dict[str, Any]) -> str:
    lines = [f"{key}: {value}" for key, value in result.items() if not isinstance(value, list | dict)]
    lines += ["troubles: " + ", ".join(f"{name} {times}" for name, times in sorted(result["troubles"].items()))]
    lines += [f"ended by itself: {failure}" for failure in result["ended_by_themselves"]]
    return "\n".join([*lines, *(f"WRONG {line}" for line in result["wrong"])])


if __name__ == "__main__":
    sys.exit(main())

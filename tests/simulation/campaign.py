"""Plays seeds: many of them on several processes, or one of them with its story. This is ``script/simulate``."""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import signal
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import mutations
from sim_world import Outcome, play

CHUNK = 10
WIDTH = 80
FAILED = Path(__file__).with_name("failed_seeds.txt")
ENDLESS_S = 120
"""One seed takes less than a second; who takes this long will never end."""
TOLD_BROKEN = 20


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def murmur(words: str) -> None:
    """Beside the results: how far it is."""
    sys.stderr.write(words)
    sys.stderr.flush()


class Endless(KeyboardInterrupt):
    """A seed doesn't end. A KeyboardInterrupt, because nothing else leaves asyncio's callbacks."""


def _endless(*_: object) -> None:
    raise Endless


def played(seed: int) -> Outcome:
    """One seed, whatever happens."""
    signal.signal(signal.SIGALRM, _endless)
    signal.alarm(ENDLESS_S)
    try:
        return play(seed)
    except Endless:
        return Outcome(seed, "", f"it didn't end within {ENDLESS_S} s", "everything comes to rest", {}, [], 0.0)
    finally:
        signal.alarm(0)


def chunk(seeds: Sequence[int], mutation: str) -> list[dict[str, Any]]:
    """Some seeds in one process; only what a summary needs comes back."""
    with mutations.planted(mutation):
        found = [played(seed) for seed in seeds]
    gc.collect()
    return [
        {"seed": one.seed, "broken": one.broken, "invariant": one.invariant, "happened": one.happened,
         "span_s": one.span_s}
        for one in found
    ]  # fmt: skip


class Campaign:
    """Counts what comes back."""

    def __init__(self, seeds: Sequence[int], jobs: int, mutation: str, *, stop_early: bool, quiet: bool) -> None:
        self.seeds = seeds
        self.jobs = jobs
        self.mutation = mutation
        self.stop_early = stop_early
        self.quiet = quiet
        self.done = 0
        self.span_s = 0.0
        self.broken: list[dict[str, Any]] = []
        self.happened: Counter[str] = Counter()
        self.began = time.monotonic()
        self._told_at = -math.inf

    @property
    def took_s(self) -> float:
        return time.monotonic() - self.began

    def run(self) -> None:
        """All seeds, unless one is enough."""
        size = 1 if self.stop_early else CHUNK
        chunks = iter([self.seeds[at : at + size] for at in range(0, len(self.seeds), size)])
        if self.jobs == 1:
            for seeds in chunks:
                if self._count(chunk(seeds, self.mutation)):
                    return
            return
        with ProcessPoolExecutor(self.jobs, initializer=_ignore_interrupts) as pool:
            try:
                self._collect(pool, chunks)
            except BaseException:
                for worker in list(pool._processes.values()):
                    worker.terminate()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _collect(self, pool: ProcessPoolExecutor, chunks: Iterator[Sequence[int]]) -> None:
        running: set[Future[list[dict[str, Any]]]] = set()
        while True:
            while len(running) < 2 * self.jobs and (seeds := next(chunks, None)) is not None:
                running.add(pool.submit(chunk, seeds, self.mutation))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                if self._count(future.result()):
                    return

    def _count(self, found: list[dict[str, Any]]) -> bool:
        """Whether this was enough."""
        for one in found:
            self.done += 1
            self.span_s += one["span_s"]
            self.happened.update(one["happened"])
            if one["broken"]:
                self.broken.append(one)
                self._say_broken(one)
        self._progress()
        return self.stop_early and bool(self.broken)

    def _say_broken(self, one: dict[str, Any]) -> None:
        if self.quiet or len(self.broken) > TOLD_BROKEN:
            return
        self._clear()
        say(textwrap.fill(f"seed {one['seed']}: {one['broken']}", WIDTH - 1, subsequent_indent="    "))
        say(f"    replay: {replay(one['seed'], self.mutation)}")

    def _progress(self) -> None:
        now = self.took_s
        on_screen = sys.stderr.isatty()
        if self.quiet or (now - self._told_at < (0.5 if on_screen else 30) and self.done < len(self.seeds)):
            return
        self._told_at = now
        rate = self.done / max(now, 0.001)
        left_s = (len(self.seeds) - self.done) / max(rate, 0.001)
        line = (
            f"  {self.done} of {len(self.seeds)} seeds, {len(self.broken)} broken, {rate:.1f} seeds/s, "
            f"{left_s / 60:.0f} min left"
        )
        murmur(f"\r{line:<{WIDTH - 1}}" if on_screen else f"{line}\n")

    def _clear(self) -> None:
        if sys.stderr.isatty():
            murmur("\r" + " " * (WIDTH - 1) + "\r")

    def summary(self) -> dict[str, Any]:
        return {
            "seeds": self.done,
            "from": self.seeds[0],
            "broken": [{key: one[key] for key in ("seed", "invariant", "broken")} for one in self.broken],
            "seconds": round(self.took_s, 1),
            "days_lived": round(self.span_s / 86_400, 1),
            "happened": dict(sorted(self.happened.items())),
        }

    def report(self) -> None:
        self._clear()
        say(f"{self.done} seeds from {self.seeds[0]} on: {len(self.broken)} broken.")
        say(f"{self.took_s / 60:.1f} minutes, in which {self.span_s / 86_400:.0f} days were lived through.\n")
        say("How often which trouble struck\n")
        half = (WIDTH - 2) // 2
        cells = [f"{count:>8} {name[: half - 10]}" for name, count in sorted(self.happened.items())]
        rows = (len(cells) + 1) // 2
        for left, right in zip(cells[:rows], [*cells[rows:], ""][:rows], strict=True):
            say(f"{left:<{half}}  {right}".rstrip())


def replay(seed: int, mutation: str = "") -> str:
    planted = f" --mutation {mutation!r}" if mutation else ""
    return f"script/simulate --seed {seed}{planted}"


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def one_story(seed: int, mutation: str) -> int:
    """Tell it line by line."""
    with mutations.planted(mutation):
        outcome = play(seed, echo=say)
    say(f"\nseed {seed}, digest {outcome.digest[:16]}: {outcome.broken or 'all invariants held'}")
    return 1 if outcome.broken else 0


def failed_seeds() -> dict[int, str]:
    """Seeds that once failed, and what they found."""
    lines = FAILED.read_text(encoding="utf-8").splitlines()
    words = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return {int(seed): found for seed, found in words}


def options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "script/simulate",
        description="Live through seeded stories of trouble, and look whether the gateway's promises hold.",
    )
    parser.add_argument("--seeds", type=int, default=300, metavar="N", help="how many seeds (300)")
    parser.add_argument("--from", type=int, default=1, metavar="N", dest="first", help="the first seed (1)")
    parser.add_argument("--seed", type=int, metavar="N", help="play this one and tell its story")
    parser.add_argument("--failed", action="store_true", help="the seeds that once failed (failed_seeds.txt)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (one per core)")
    parser.add_argument("--mutation", default="", choices=["", *mutations.PLANTED], metavar="NAME", help="plant a bug")
    parser.add_argument("--stop-early", action="store_true", help="the first broken seed is enough")
    parser.add_argument("--json", action="store_true", help="the summary as JSON")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    asked = options(words)
    if asked.seed is not None:
        return one_story(asked.seed, asked.mutation)
    seeds: Sequence[int] = range(asked.first, asked.first + max(1, asked.seeds))
    if asked.failed:
        seeds = list(failed_seeds())
    campaign = Campaign(seeds, max(1, asked.jobs), asked.mutation, stop_early=asked.stop_early, quiet=asked.json)
    try:
        campaign.run()
    except KeyboardInterrupt:
        murmur(f"\nstopped after {campaign.done} seeds, {len(campaign.broken)} broken\n")
        return 130
    if asked.json:
        say(json.dumps(campaign.summary(), indent=1))
    else:
        campaign.report()
    return 1 if campaign.broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        sys.exit(1)

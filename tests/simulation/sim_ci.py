"""What CI plays: fresh seeds in blocks, drawn anew in each run, by a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from mutations import PLANTED

CAMPAIGN = Path(__file__).with_name("campaign.py")
BLOCKS = 6
SEEDS_PER_BLOCK = 25
LARGEST = 1_000_000_000
MUST_STRIKE = (
    *("5xx before", "5xx after", "timeout", "timeout accepted", "dropped", "dropped accepted", "hangs accepted"),
    *("cancelled", "cancelled accepted", "adapter bug", "adapter bug accepted", "duplicate", "moved"),
    *("429", "429 storm", "rate headers", "outage", "rough weather", "silent suspension", "false alarm of the probe"),
    *("loss: suspended", "loss: locked", "loss: signed_out", "loss: quota", "delivery: took another road"),
    *("stream cut", "events repeated", "events reordered", "empty message", "odd words", "announced twice"),
    *("crash: any await", "crash: before commit", "restart", "clock set forward", "clock set back"),
    *("disk full", "slow disk", "database busy", "asked: there", "asked: not there", "delivery: expired"),
)
"""What 150 seeds can't do without: each was in 15 of 150 at least."""


def campaign(*words: str) -> dict[str, Any]:
    """The summary of a campaign; what it says of broken seeds is the caller's to look at."""
    done = subprocess.run(
        [sys.executable, CAMPAIGN, "--json", "--jobs", "1", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode in (0, 1), done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


class Fresh:
    """Blocks of fresh seeds, and what struck in all of them together."""

    def __init__(self) -> None:
        self.played: set[int] = set()
        self.happened: Counter[str] = Counter()

    def play(self, block: int) -> None:
        first = int.from_bytes(os.urandom(8), "big") % LARGEST
        summary = campaign("--from", str(first), "--seeds", str(SEEDS_PER_BLOCK))
        self.played.add(block)
        self.happened.update(summary["happened"])
        assert summary["seeds"] == SEEDS_PER_BLOCK
        assert not summary["broken"], told(summary)


def told(summary: dict[str, Any]) -> str:
    """Each broken seed, with the command that plays it again."""
    return "\n".join(f"{one['broken']}\n  replay: script/simulate --seed {one['seed']}" for one in summary["broken"])


HUNTED = 200
"""A planted bug must be found within so many seeds."""


def hunt(bug: str) -> None:
    """Plant it, and play until an invariant breaks that is meant to see it."""
    summary = campaign("--mutation", bug, "--seeds", str(HUNTED), "--stop-early")
    assert summary["broken"], f"{HUNTED} seeds did not find it: {bug}"
    found = summary["broken"][0]
    assert found["invariant"] in PLANTED[bug].noticed_by, found

"""How long it takes until a text is what five platforms show. Nothing is sent."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bodies import WORDS
from house import ENVIRONMENT, PLATFORMS, draft, write_config
from rounds import Round

from gateway import wiring
from gateway.config import load
from gateway.model.content import plain
from gateway.model.delivery import Timeline
from gateway.model.manner import USUAL
from gateway.outbox.planner import planned
from gateway.text.markdown import from_markdown
from gateway.text.plain import from_text
from gateway.text.split import split

NOWHERE = "http://127.0.0.1:9"
"""Accounts open although nobody answers."""
LINKS = 5
POST_WORDS = 300
LONG_CHARACTERS = 1_000_000
PART = 300


def post() -> str:
    """Markdown: 300 words, five of them links."""
    words = (WORDS.split() * POST_WORDS)[: POST_WORDS - LINKS]
    for number in range(LINKS):
        words.insert((number + 1) * POST_WORDS // (LINKS + 1), f"[a page](https://example.org/{number}/of-the-bench)")
    lines = [" ".join(words[at : at + 60]) for at in range(0, len(words), 60)]
    return "\n\n".join(lines)


@asynccontextmanager
async def render(_platform: str, _url: str, folder: Path) -> AsyncIterator[Round]:
    """Each platform's plan of a post of 300 words, and a megabyte cut into posts."""
    gateway = await wiring.build(load(write_config(folder, NOWHERE, PLATFORMS), wiring.platforms(), ENVIRONMENT))
    await gateway.monitor.load()
    await gateway.runtime.connect()
    document = from_markdown(post())

    async def measured(told: dict[str, Any]) -> dict[str, Any]:
        each = {}
        for account, adapter in sorted(gateway.adapters.items()):
            said, at = draft(account.partition("/")[0], (Timeline(), None), document), datetime.now(UTC)
            each[account.partition("/")[0]] = _median_ms(
                lambda n, a=adapter, s=said, t=at: planned(a, s, s.account, t + timedelta(microseconds=n), USUAL),
                told["times"],
            )
        long = from_text((WORDS + ". ") * (LONG_CHARACTERS // (len(WORDS) + 2) + 1))
        began = time.perf_counter()
        split(long, lambda part: len(plain(part)) <= PART)
        return {"each_ms": each, "split_s": time.perf_counter() - began}

    yield measured
    await gateway.runtime.disconnect()
    await gateway.services.store.aclose()


def _median_ms(work: Callable[[int], object], times: int) -> float:
    took = []
    for number in range(times):
        began = time.perf_counter()
        work(number)
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)

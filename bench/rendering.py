"""How long it takes until a text is what five platforms show: time of the CPU, for nothing waits. Nothing is sent."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bodies import WORDS
from house import ENVIRONMENT, PLATFORMS, draft, write_config
from rounds import Round

from gateway import wiring
from gateway.config import load
from gateway.model.content import Document, plain
from gateway.model.delivery import Timeline
from gateway.model.ids import AccountId
from gateway.model.manner import USUAL
from gateway.outbox.planner import planned
from gateway.ports import Adapter
from gateway.text.markdown import from_markdown
from gateway.text.plain import from_text
from gateway.text.split import split

NOWHERE = "http://127.0.0.1:9"
"""Accounts open although nobody answers."""
LINKS = 5
POST_WORDS = 300
LONG_CHARACTERS = 1_000_000
PART = 300


def post(number: int) -> str:
    """Markdown: 300 words, five of them links, which no two posts have in common."""
    words = (WORDS.split() * POST_WORDS)[: POST_WORDS - LINKS]
    for link in range(LINKS):
        words.insert((link + 1) * POST_WORDS // (LINKS + 1), f"[a page](https://example.org/{link}/of-bench-{number})")
    lines = [" ".join(words[at : at + 60]) for at in range(0, len(words), 60)]
    return "\n\n".join(lines)


@asynccontextmanager
async def render(_platform: str, _url: str, folder: Path) -> AsyncIterator[Round]:
    """The five platforms' plans of a post of 300 words, each time another one, and a megabyte cut into posts."""
    gateway = await wiring.build(load(write_config(folder, NOWHERE, PLATFORMS), wiring.platforms(), ENVIRONMENT))
    await gateway.monitor.load()
    await gateway.runtime.connect()
    numbers = itertools.count()  # nothing that is kept of one post may help with the next

    async def measured(told: dict[str, Any]) -> dict[str, Any]:
        rounds = [_took_ms(gateway.adapters, from_markdown(post(next(numbers)))) for _ in range(told["times"])]
        each = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        long = from_text(f"{next(numbers)}. " + (WORDS + ". ") * (LONG_CHARACTERS // (len(WORDS) + 2) + 1))
        began = time.thread_time()
        split(long, lambda part: len(plain(part)) <= PART)
        took_s = time.thread_time() - began
        return {"all_ms": statistics.median(sum(one.values()) for one in rounds), "each_ms": each, "split_s": took_s}

    yield measured
    await gateway.runtime.disconnect()
    await gateway.services.store.aclose()


def _took_ms(adapters: Mapping[AccountId, Adapter], document: Document) -> dict[str, float]:
    """How long each platform's plan of this post took."""
    took = {}
    for account, adapter in sorted(adapters.items()):
        platform, at = account.partition("/")[0], datetime.now(UTC)
        said = draft(platform, (Timeline(), None), document)
        began = time.thread_time()
        planned(adapter, said, said.account, at, USUAL)
        took[platform] = (time.thread_time() - began) * 1e3
    return took

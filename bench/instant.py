"""A platform that has everything at once. What is measured with it is the gateway and its database, nothing else."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec import Struct

from gateway import wiring
from gateway.clock import SystemClock
from gateway.config import AccountConfig, AnnounceSection, Config, GatewaySection
from gateway.model.capabilities import Feature, Idempotency, Limits, Profile, Support
from gateway.model.content import plain
from gateway.model.delivery import Draft, InConversation, Part, Receipt
from gateway.model.ids import AccountId, MessageRef
from gateway.model.standing import Signal, Source
from gateway.ports import Arrival, Context, Platform, Taken, Unsure, nobodys

PROFILE = Profile(
    {Feature.THREAD: Support.FULL, Feature.DIRECT: Support.FULL},
    Limits(500, "characters", 500, 0, 0, (), 0),
    (),
    Idempotency.READ_BACK,
    concurrency=64,
)
_numbers = itertools.count(1)


class Settings(Struct, frozen=True):
    """Nothing to set."""


class InstantAdapter:
    """One account. A send is there when it is asked for."""

    def __init__(self, context: Context) -> None:
        self._clock = context.clock

    @property
    def profile(self) -> Profile:
        return PROFILE

    async def events(self, cursor: str | None) -> AsyncIterator[Arrival]:
        del cursor
        while True:
            await asyncio.get_running_loop().create_future()
            yield (), ""

    def plan(self, draft: Draft, at: object) -> tuple[Part, ...]:
        del at
        target = draft.target
        place = target.conversation if isinstance(target, InConversation) else "timeline"
        return (Part(0, "post", f"{draft.id}.0", {"text": plain(draft.document), "place": place}, place),)

    async def send(self, part: Part) -> Receipt:
        del part
        return Receipt(MessageRef(f"{next(_numbers)}"), self._clock.now())

    async def reconcile(self, part: Part, since: object, taken: Taken = nobodys) -> Receipt | Unsure:
        del part, since, taken
        return Unsure.NOT_SENT

    async def check(self) -> Signal:
        return Signal(Source.PROBE, self._clock.now(), "it answers")

    async def aclose(self) -> None:
        """There is nothing to give back."""


async def open_account(settings: Settings, context: Context) -> InstantAdapter:
    del settings
    return InstantAdapter(context)


PLATFORM = Platform("instant", Settings, PROFILE, "instant:open_account")


def build(database: str, folder: Path, accounts: int = 1) -> wiring.Gateway:
    """A whole gateway with so many accounts, ``instant/main`` and ``instant/a1`` ... ``instant/an``."""
    names = ["main", *(f"a{number}" for number in range(1, accounts))]
    configured = tuple(AccountConfig(AccountId(f"instant/{name}"), PLATFORM.name, "hold", Settings()) for name in names)
    section = GatewaySection(database=database or f"sqlite:///{folder / 'bench.db'}")
    config = Config(section, configured, (), None, AnnounceSection(), folder)
    clock = SystemClock()
    store = wiring.open_store(section.database, section.workspace, clock)
    return wiring.assemble(config, store, clock, {PLATFORM.name: PLATFORM})

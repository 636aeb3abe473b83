"""Many sends at once whose end nobody hears of, a clock to step over what has to rest, and gateways that die."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from town_rig import Town, write_config

from adapters.sandbox.control import serve
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.world import Message
from gateway import wiring
from gateway.config import load
from gateway.model.content import plain
from gateway.model.delivery import FINAL, Delivery, Draft, State, Target
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DraftId
from gateway.text.plain import from_text

PATIENCE_S = 60.0
"""Nothing here takes so long; it only ends a test that hangs."""
SENDS = 100
STEP_S = 10.0
LATER = timedelta(hours=2)
"""Longer than any platform's key lives."""


HEARD: list[Any] = []


async def reply(message: Any, _: Any) -> str | None:
    """The agent: it answers hellos, and remembers what it was told."""
    HEARD.append(message)
    return f"echo {message.text.split()[-1]}" if "hello" in message.text else None


class SteppedClock:
    """The machine's clock, with leaps: who sleeps through one wakes."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._leapt = asyncio.Event()

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._ahead_s)

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_s

    async def sleep(self, delay_s: float) -> None:
        due_s = self.monotonic() + delay_s
        while (left_s := due_s - self.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leapt.wait(), left_s)
        await asyncio.sleep(0)

    def leap(self, seconds: float) -> None:
        self._ahead_s += seconds
        self._leapt.set()
        self._leapt = asyncio.Event()


def numbered(count: int = SENDS) -> list[str]:
    """The answers' words."""
    return [f"echo {number:03}" for number in range(count)]


class Doubt(Town):
    """A gateway on one network, and a hundred people who are answered there."""

    def __init__(self, folder: Path, sandbox: Any, network: str, environment: dict[str, str]) -> None:
        self.clock = SteppedClock()
        self._environment = environment
        self._network = network
        self.face = sandbox.faces[network]
        self.held_back: asyncio.Event | None = None
        self.folder, self.sandbox = folder, sandbox
        self._hold()

    # The gateway's life.

    async def start(self) -> None:
        config = load(self.folder / "multihome.toml", wiring.platforms(), self._environment)
        self.gateway = await wiring.build(config, clock=self.clock)
        await self.gateway.start()

    async def listening(self) -> None:
        await self.until_listening(f"{self._network}/main")
        gateway = getattr(self.face, "gateway", None)
        if gateway is not None:
            await self.until(lambda: bool(gateway.open_sockets("agent")))

    async def die(self) -> None:
        """What is on the wire is never heard of again: its rows stay as the database last knew them."""
        await self.gateway.outbox.stop(0.0)
        await self.gateway.stop()
        self.let_go()

    # What people say, and what is answered.

    async def ask(self, kind: str, people: int = SENDS) -> None:
        """Many people, each in a conversation of their own, so that nobody's answer waits for another's."""
        await self.listening()
        for number in range(people):
            self.face.say(f"person{number:03}", kind, f"hello {number:03}")

    async def meet(self, person: str) -> Any:
        """What somebody says in private, as the agent hears it."""
        await self.listening()
        HEARD.clear()
        self.face.say(person, "direct", "good morning")
        await self.until(lambda: bool(HEARD))
        return HEARD[0]

    async def say(self, text: str, *targets: Target) -> None:
        """The same words to each target."""
        now, new_id = self.clock.now(), self.gateway.services.new_id
        account = AccountId(f"{self._network}/main")
        drafts = [
            Draft(DraftId(new_id()), DEFAULT_WORKSPACE, account, target, from_text(text), now, new_id())
            for target in targets
        ]
        await self.gateway.intake.submit(drafts)

    @property
    def answers(self) -> list[Message]:
        return self.messages(self._network, "echo")

    def strike(self, trouble: Trouble, *matches: str) -> None:
        """The first request with such words meets it, for each of them."""
        status = 503 if trouble in (Trouble.FAIL_AFTER, Trouble.FAIL_BEFORE) else None
        for match in matches:
            self.face.faults.add(Rule(trouble, on="write", match=match, count=1, status=status))

    @property
    def struck(self) -> bool:
        return not self.face.faults.rules()

    # Answers of the platform that never arrive.

    def hold(self) -> None:
        self.held_back = asyncio.Event()

    def let_go(self) -> None:
        if self.held_back is not None:
            self.held_back.set()
            self.held_back = None

    def forget_keys(self) -> None:
        """Hours pass: the platform no longer knows which keys it has seen."""
        self.clock.leap(LATER.total_seconds())
        if self._network == "discord":
            self.face.nonce_window_s = 0.0
        elif self._network == "mastodon":
            self.face._keys.clear()  # the face keeps them for good

    def _hold(self) -> None:
        """While :attr:`held_back` is set, what the platform accepts is not told until then. A repeat is."""
        tell = self.face.answer

        async def answer(*arguments: Any, repeated: bool = False) -> web.StreamResponse:
            if (held_back := self.held_back) is not None and not repeated:
                await held_back.wait()
            told: web.StreamResponse = await tell(*arguments, repeated=repeated)
            return told

        self.face.answer = answer

    # What became of it.

    async def deliveries(self) -> tuple[Delivery, ...]:
        return await self.gateway.services.store.deliveries(limit=1000)

    async def until_drafted(self, count: int = SENDS) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while sum((await self.counted()).values()) < count:
                await asyncio.sleep(0.01)

    async def until_accepted(self, count: int) -> None:
        """All are on the network. One unknown send may make an account rest before the others left: step over that."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.answers) < count:
                known = await self.counted()
                if sum(known.values()) >= count and not known.get(State.SENDING):
                    self.clock.leap(STEP_S)
                await asyncio.sleep(0.02)

    async def until_unheard(self, count: int) -> None:
        """Nobody waits for an answer any more."""
        await self.until_drafted(count)
        async with asyncio.timeout(PATIENCE_S):
            while (await self.counted()).keys() & {State.QUEUED, State.WAITING, State.SENDING}:
                await asyncio.sleep(0.01)

    async def until_clear(self, count: int = SENDS) -> dict[State, int]:
        """Step over the rests until no send is in doubt any more; how many ended how.

        Only once all are drafted: what is drafted in hours ahead would be looked for among messages still to come.
        """
        async with asyncio.timeout(PATIENCE_S):
            while (found := await self.ended()).total() < count:
                known = await self.counted()
                if sum(known.values()) >= count and not known.get(State.SENDING):
                    self.clock.leap(STEP_S)
                await asyncio.sleep(0.02)
        return dict(found)

    async def ended(self) -> Counter[State]:
        """How many are over, an operator's doubt included."""
        known = await self.counted()
        doubts = len(await self.gateway.services.store.doubts(1000))
        return Counter({state: known.get(state, 0) for state in FINAL} | {State.UNCERTAIN: doubts}) + Counter()

    async def counted(self) -> dict[State, int]:
        counts = await self.gateway.services.store.counts()
        return counts.get(AccountId(f"{self._network}/main"), {})

    async def each_has_its_own(self) -> bool:
        """Whether every delivery that arrived names the message with its own words, and no other does."""
        named = [(d, receipt.ref) for d in await self.deliveries() for receipt in d.sent]
        pairs = [(d, m) for d, ref in named for m in self.messages(self._network) if m.id in ref]
        own = all(plain(delivery.draft.document) in message.text for delivery, message in pairs)
        return own and len(pairs) == len(named) == len({message.id for _, message in pairs})


@pytest.fixture
def doubt(tmp_path: Path) -> Callable[..., Any]:
    """``async with doubt("x") as d``: a gateway that nothing was asked of yet."""

    @asynccontextmanager
    async def open_doubt(network: str, **keys: Any) -> AsyncIterator[Doubt]:
        sandbox = await serve(names=[network])
        accounts: dict[str, Any] = {network: _PACE.get(network, {}) | keys}
        environment = write_config(tmp_path, sandbox, handler="uncertain_rig:reply", **accounts)
        one = Doubt(tmp_path, sandbox, network, environment)
        if network == "discord":
            one.face.window = (100_000, 1.0)
        await one.start()
        try:
            yield one
        finally:
            one.let_go()
            await one.gateway.stop()
            await sandbox.stop()

    return open_doubt


_PACE: dict[str, dict[str, Any]] = {"mastodon": {"workers": 16}}

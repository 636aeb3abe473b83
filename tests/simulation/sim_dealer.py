"""What becomes of each request to a network: the dice, and the weather that loads them.

Requests travel in the universe's time: a process that dies doesn't call back what it has sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar

from msgspec import structs
from sim_network import Account, Networks, Post
from sim_time import START

from gateway.model.capabilities import LaneState
from gateway.model.delivery import Fault, FaultError, FaultKind, Part, Receipt
from gateway.model.ids import AccountId, ConversationId, MessageRef, platform_of
from gateway.model.standing import Signal, Source
from gateway.ports import Taken, Unsure

CLEAR = (
    FaultKind.SERVER, FaultKind.NETWORK, FaultKind.CONFLICT, FaultKind.MEDIA_PENDING, FaultKind.FORBIDDEN,
    FaultKind.TARGET_REFUSED, FaultKind.TARGET_GONE, FaultKind.INVALID, FaultKind.QUOTA, FaultKind.CONFIG,
)  # fmt: skip
"""Refusals of one request, provably not sent."""
TROUBLES = (
    "5xx before", "5xx after", "timeout", "timeout accepted", "dropped", "dropped accepted", "cancelled",
    "cancelled accepted", "hangs", "hangs accepted", "adapter bug", "adapter bug accepted", "429", "429", "duplicate",
    "moved", "refused",
)  # fmt: skip

HEARD = {
    "5xx before": FaultKind.SERVER, "5xx after": FaultKind.SERVER, "cancelled": FaultKind.CANCELLED,
    "duplicate": FaultKind.DUPLICATE,
}  # fmt: skip
"""What a client makes of a trouble; of all others, that nobody answers."""
CLOCK_MARGIN = timedelta(minutes=30)
"""How much older than asked for a post may be when it is looked for by its words: clocks differ."""

REPEATED_WITHIN_S = 7200.0
"""How old an event may be when it is told again: less than any history is kept."""


class Dealer:
    """One account's network, as one process reaches it."""

    by_account: ClassVar[dict[str, Dealer]] = {}
    """Of the process that runs now: the factories have no other way to find it."""

    def __init__(
        self,
        account: Account,
        networks: Networks,
        rng: Random,
        happened: Counter[str],
        tell: Callable[[str], None],
        on_send: Callable[[str, Part], None],
        key_lives_s: float | None,
        keyed: bool,
        by_words: bool,
    ) -> None:
        self.name = account.name
        self.account = account
        self.networks = networks
        self.universe = networks.universe
        self.rng = rng
        self.happened = happened
        self.tell = tell
        self.on_send = on_send
        self._key_lives_s = key_lives_s
        self._keyed = keyed
        self._by_words = by_words
        self.on_accepted: Callable[[], None] = lambda: None
        self.on_header: Callable[[str, float], None] = lambda *_: None
        self.now: Callable[[], datetime] = lambda: self.universe.true
        """The gateway's clock, as an adapter is handed it."""

    @classmethod
    def of(cls, account: AccountId) -> Dealer:
        return cls.by_account[account]

    # The road out.

    async def send(self, part: Part) -> Receipt:
        self.on_send(self.name, part)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Receipt] = loop.create_future()
        latency = self.rng.choice((0.02, 0.05, 0.1, 0.3, 1.2))
        self.universe.after(latency, lambda: self._arrived(part, answer))
        try:
            return await answer
        except asyncio.CancelledError:
            self.networks.left_open(part)
            raise

    def _arrived(self, part: Part, answer: asyncio.Future[Receipt]) -> None:
        trouble, fault = self._met()
        if trouble:
            self.happened[trouble] += 1
        accepted = trouble in ("", "5xx after") or trouble.endswith("accepted")
        post = self._accept(part) if accepted else None
        if trouble == "" and post is not None:
            self._reply(answer, Receipt(MessageRef(post.ref), self.universe.true, lanes=self._lanes(part)), post)
            return
        if not (fault is not None and fault.certain):
            self.networks.left_open(part)
        self.tell(f"{self.name}: {trouble}: {_short(part)}")
        if trouble.startswith("hangs"):
            return
        slow = self.rng.uniform(5, 30) if trouble.startswith("timeout") else 0.1
        self.universe.after(slow, lambda: self._fail(answer, trouble, fault))

    def _met(self) -> tuple[str, Fault | None]:
        """What this request meets: nothing, or a trouble and what the client hears of it."""
        there, rng = self.account, self.rng
        if there.outage:
            sure = rng.random() < 0.4
            words = "connection refused" if sure else "connection lost"
            return "outage", self.fault(FaultKind.NETWORK, certain=sure, words=words)
        if there.lost is not None:
            return f"refused: {there.lost.kind}", self._again(there.lost)
        if there.storm or (rng.random() < there.flaky and rng.random() < 0.1):
            return "429 storm" if there.storm else "429", self._too_fast()
        if rng.random() >= there.flaky:
            return "", None
        return self._trouble(rng.choice(TROUBLES))

    def _trouble(self, trouble: str) -> tuple[str, Fault | None]:
        """What the client hears; nothing when the adapter itself fails."""
        if trouble.startswith("adapter bug"):
            return trouble, None
        if trouble == "429":
            return trouble, self._too_fast()
        if trouble == "moved":
            there = ConversationId(f"moved{self.rng.randrange(1000)}")
            return trouble, structs.replace(self.fault(FaultKind.MOVED, certain=True, words="moved"), moved_to=there)
        if trouble == "refused":
            kind = self.rng.choice(CLEAR)
            return f"refused: {kind}", self.fault(kind, certain=True, words="no")
        kind = HEARD.get(trouble.removesuffix(" accepted"), FaultKind.NETWORK)
        return trouble, self.fault(kind, certain=kind is FaultKind.DUPLICATE, words=trouble.removesuffix(" accepted"))

    def _too_fast(self) -> Fault:
        """With a right hour, none, one that is past, or one that is far too late."""
        rest_s = self.rng.choice((None, 5, 30, 900, -60, 3600))
        at = None if rest_s is None else self.universe.true + timedelta(seconds=rest_s)
        fault = self.fault(FaultKind.RATE_LIMITED, certain=True, words=f"429, headers {rest_s}")
        return Fault(fault.kind, True, fault.evidence, at)

    def _lanes(self, part: Part) -> tuple[LaneState, ...]:
        """Now and then the answer says something of the rate windows, not always right."""
        if self.rng.random() > 0.05:
            return ()
        self.happened["rate headers"] += 1
        self.on_header(self.name, self.universe.now)
        lane = {"red": "posts" if part.kind == "post" else "dms", "blue": "writes", "green": "posts", "gold": "channel"}
        reset = self.universe.true.timestamp() + self.rng.choice((-5, 10, 300, 900))
        name = lane.get(platform_of(AccountId(self.name)), "all")
        where = part.conversation if name == "channel" else ""
        return (LaneState(name, self.rng.choice((0, 1, 50)), reset, where),)

    def _accept(self, part: Part) -> Post:
        if self.account.silent:
            self.happened["posted while silently suspended"] += 1
        post = self.networks.accept(self.name, part, protects=self._protects)
        self.on_accepted()
        return post

    def _protects(self, post: Post) -> bool:
        if not self._keyed:
            return False
        return self._key_lives_s is None or self.universe.now - post.at < self._key_lives_s

    def _reply(self, answer: asyncio.Future[Receipt], receipt: Receipt, post: Post) -> None:
        def heard() -> None:
            if not _is_dead(answer) and not answer.done():
                post.told = True
                answer.set_result(receipt)

        self.universe.after(self.rng.choice((0.02, 0.1, 0.5)), heard)

    def _fail(self, answer: asyncio.Future[Receipt], trouble: str, fault: Fault | None) -> None:
        if _is_dead(answer) or answer.done():
            return
        if trouble.startswith("cancelled"):
            answer.set_exception(asyncio.CancelledError())
        elif fault is None:
            answer.set_exception(ScriptedBug("the adapter has a bug"))
        else:
            self._tells(fault)
            answer.set_exception(FaultError(fault))

    async def reconcile(self, part: Part, since: datetime, taken: Taken) -> Receipt | Unsure:
        """What is there; what came within the last moments may not be shown yet."""
        answer = None
        try:
            answer = await self._found(part, since, taken)
            return answer
        finally:
            if answer in (None, Unsure.UNKNOWN):
                self.account.asked_in_vain[part.body["draft"], part.index] += 1

    async def _found(self, part: Part, since: datetime, taken: Taken) -> Receipt | Unsure:
        asked_at = self.universe.now
        await asyncio.sleep(self.rng.choice((0.05, 0.3)))
        there = self.account
        if there.outage:
            raise FaultError(self.fault(FaultKind.NETWORK, certain=True, words="can't be read"))
        if there.lost is not None and there.lost.kind is not FaultKind.QUOTA and self.rng.random() < 0.9:
            raise self._refusal(there.lost)
        if self.rng.random() < there.flaky:
            self.happened["asking fails"] += 1
            match self.rng.randrange(3):
                case 0:
                    return Unsure.UNKNOWN
                case 1:
                    raise ScriptedBug("the adapter has a bug")
                case _:
                    raise FaultError(self.fault(FaultKind.SERVER, certain=True, words="can't be read"))
        shown_until = asked_at - self.rng.choice((0.0, 0.2))
        if self._by_words:
            post = await self._not_taken(part, since, shown_until, taken)
        else:
            post = self.networks.find(self.name, part, shown_until)
        self.happened["asked: there" if post else "asked: not there"] += 1
        if post is None:
            return Unsure.NOT_SENT
        post.told = True
        return Receipt(MessageRef(post.ref), self.universe.true)

    async def _not_taken(self, part: Part, since: datetime, shown_until: float, taken: Taken) -> Post | None:
        from_s = (since - START - CLOCK_MARGIN).total_seconds()
        for post in self.networks.alike(self.name, part, shown_until):
            if post.at < from_s:
                continue
            if not await taken(MessageRef(post.ref)):
                return post
            self.happened["the same words are another's"] += 1
        return None

    # The probe, opening, and typing.

    async def check(self) -> Signal:
        await asyncio.sleep(self.rng.choice((0.05, 0.3, 1.0)))
        there = self.account
        if there.outage:
            words = "the probe finds nobody"
            return self._signal(
                self.fault(self.rng.choice((FaultKind.NETWORK, FaultKind.SERVER)), certain=True, words=words)
            )
        if there.lost is not None and there.probe_sees:
            return self._signal(self._again(there.lost))
        if there.silent:
            return self._signal(self.fault(FaultKind.SUSPENDED, certain=True, words="the profile is taken down"))
        if self.rng.random() < min(0.5, there.flaky + 0.002):
            return await self._false_alarm()
        return self._signal(None)

    async def _false_alarm(self) -> Signal:
        self.happened["false alarm of the probe"] += 1
        match self.rng.randrange(6):
            case 0:
                self.account.hung_probes += 1
                await asyncio.sleep(100)
                return self._signal(None)
            case 1:
                self.account.broken_probes += 1
                raise ScriptedBug("the probe has a bug")
            case n:
                kind = (FaultKind.FORBIDDEN, FaultKind.SERVER, FaultKind.UNKNOWN, FaultKind.RATE_LIMITED)[n - 2]
                return self._signal(self.fault(kind, certain=True, words="a false alarm"))

    def _signal(self, fault: Fault | None) -> Signal:
        self._tells(fault)
        words = "" if fault else self.say("it answers", None)
        return Signal(Source.PROBE, self.now(), words, fault)

    async def opening(self) -> None:
        await asyncio.sleep(0.01)
        if self.account.outage and self.rng.random() < 0.5:
            self.happened["can't be opened"] += 1
            raise FaultError(self.fault(FaultKind.NETWORK, certain=True, words="no connection"))

    async def show_typing(self) -> None:
        await asyncio.sleep(0.05)
        if self.rng.random() < self.account.flaky:
            raise FaultError(self.fault(FaultKind.SERVER, certain=True, words="no typing"))

    # The road in.

    async def position(self) -> int:
        await asyncio.sleep(0.1)
        self._refuse_reading()
        return len(self.account.log)

    async def arrival(self, at: int) -> tuple[Sequence[Any], int]:
        """What came after ``at``: some of it, perhaps not for the first time, perhaps in another order."""
        there, rng = self.account, self.rng
        if there.expected_from is None:
            there.expected_from = at
        while True:
            self._refuse_reading()
            if at < len(there.log):
                break
            await self._something()
        if rng.random() < there.flaky:
            self.happened["stream cut"] += 1
            match rng.randrange(3):
                case 0:
                    raise StopAsyncIteration
                case 1:
                    raise ScriptedBug("the stream has a bug")
                case _:
                    raise FaultError(self.fault(FaultKind.NETWORK, certain=True, words="the stream broke"))
        until = min(len(there.log), at + rng.choice((1, 1, 3, 20)))
        found = there.log[at:until]
        if rng.random() < 0.15:
            self.happened["events repeated"] += 1
            again = there.log[max(0, at - rng.randrange(4)) : at]
            recent = [event for event in again if there.happened_at[event.id] > self.universe.now - REPEATED_WITHIN_S]
            found = recent + found + found[: rng.randrange(2)]
        if len(found) > 1 and rng.random() < 0.15:
            self.happened["events reordered"] += 1
            found = rng.sample(found, len(found))
        return found, until

    async def _something(self) -> None:
        """Until there is something to see."""
        wake = asyncio.get_running_loop().create_future()

        def ring() -> None:
            if not wake.done():
                wake.set_result(None)

        self.account.listeners.append(ring)
        try:
            await wake
        finally:
            self.account.listeners.remove(ring)
        await asyncio.sleep(self.rng.choice((0.02, 0.2, 2.0)))

    def _refuse_reading(self) -> None:
        there = self.account
        if there.outage:
            raise FaultError(self.fault(FaultKind.NETWORK, certain=True, words="the stream finds nobody"))
        blind = there.lost is None or there.lost.kind in (FaultKind.LOCKED, FaultKind.QUOTA)
        if not blind and there.lost is not None:
            raise self._refusal(there.lost)

    # Words.

    def _tells(self, fault: Fault | None) -> None:
        """The gateway hears it now."""
        self.account.is_told(fault.kind if fault else None, self.universe.now)

    def _refusal(self, lost: Fault) -> FaultError:
        self._tells(lost)
        return FaultError(self._again(lost))

    def fault(self, kind: FaultKind, *, certain: bool, words: str) -> Fault:
        return Fault(kind, certain, self.say(words, kind))

    def _again(self, fault: Fault) -> Fault:
        return Fault(fault.kind, True, self.say(fault.evidence, fault.kind), fault.retry_at)

    def say(self, words: str, kind: FaultKind | None) -> str:
        """Every evidence is another one, so that it can be told who gave it, and of what."""
        said = f"{words} <{self.name} {len(self.account.said)}>"
        self.account.said[said] = kind
        return said


class ScriptedBug(Exception):  # noqa: N818 - not ours to handle by name
    """What an adapter, or an agent, should never raise."""


def _is_dead(answer: asyncio.Future[Any]) -> bool:
    return bool(getattr(answer.get_loop(), "dead", False))


def _short(part: Part) -> str:
    return f"{part.body['words'][0][:24]!r} ({part.body['draft'][:28]})"

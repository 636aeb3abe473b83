"""The story: people talk, announcements go out, one network takes the account away and gives it back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gateway.demo.stage import Stage
from gateway.demo.tally import Expected, Loss, found_in, tally, tried_on

FAULTS = {"suspended": "suspend", "locked": "lock", "signed_out": "revoke", "outage": ""}
KINDS = ("mention", "direct")
PEOPLE = ("ana", "ben", "cleo")
BEAT_S = 0.5
DETOUR_LOOKS = 40
RETURN_TIMEOUT_S = 20.0
QUIET_TIMEOUT_S = 25.0


class Wishes(Struct, frozen=True):
    """What the person at the terminal asked for."""

    suspend: str
    fault: str
    kill: bool
    messages: int
    seed: int


class Story:
    """Plays once. ``tell`` gets one line for each thing that happens."""

    def __init__(self, stage: Stage, wishes: Wishes, tell: Callable[[str], None]) -> None:
        self._stage = stage
        self._wishes = wishes
        self._tell = tell
        self._chance = random.Random(wishes.seed)  # noqa: S311 - a story, not a secret
        self._questions = 0
        self._posts = 0
        self._identities: dict[tuple[str, str], str] = {}
        self._loss_from = self._loss_until = 0.0
        self.expected: list[Expected] = []
        self.kills = 0
        self.returned = False

    @property
    def lost(self) -> str:
        return self._wishes.suspend

    async def play(self) -> None:
        """From the first hello to the last post that comes home."""
        third = max(1, self._wishes.messages // 3)
        await self._meet()
        await self._broadcast(range(third), kill_at=third - 1)
        await self._take_away()
        await self._broadcast(range(third, 2 * third), kill_at=third + third // 2)
        await self._give_back()
        await self._broadcast(range(2 * third, self._wishes.messages), kill_at=-1)
        await self._until_quiet()

    async def result(self) -> dict[str, Any]:
        """Counted from the networks."""
        found, tried = [], []
        for name in self._stage.networks:
            found += found_in(name, await self._stage.control("GET", f"{name}/messages?by=agent"))
            tried += tried_on(name, await self._stage.control("GET", f"{name}/attempts"))
        until = self._loss_until or time.time()  # noqa: TID251 - compared with the sandbox's own clock
        loss = Loss(self.lost, self._wishes.fault, self._loss_from, until)
        uncertain = await self._stage.desk("deliveries", state="uncertain", limit=1000) or []
        expired = await self._stage.desk("deliveries", state="expired", limit=1000) or []
        counted = tally(self.expected, found, tried, loss, len(uncertain) + len(expired))
        wishes = self._wishes
        head = {"seed": wishes.seed, "suspended": wishes.suspend, "fault": wishes.fault, "kills": self.kills}
        return {**head, **counted, "expired": len(expired), "returned": self.returned}

    # Scenes.

    async def _meet(self) -> None:
        """Everybody says something on every network, so that the agent knows them; one person is linked."""
        for name in self._stage.networks:
            for person in PEOPLE:
                await self._ask(name, person)
        beyond = next(name for name in self._stage.networks if name != self.lost)
        first, second = (self._identities[(name, PEOPLE[0])] for name in (self.lost, beyond))
        await self._until_known(first, second)
        self._tell(f"{PEOPLE[0]} on {self.lost} and on {beyond} are one person: linked by the operator")

    async def _until_known(self, first: str, second: str) -> None:
        async with asyncio.timeout(QUIET_TIMEOUT_S):
            while not await self._answered():
                await _beat(0.2)
        await self._stage.desk("link", first=first, second=second)

    async def _answered(self) -> bool:
        marks = set()
        for name in self._stage.networks:
            held = await self._stage.control("GET", f"{name}/messages?by=agent")
            marks |= {one.mark for one in found_in(name, held)}
        return all(one.mark in marks for one in self.expected if one.mark.startswith("r"))

    async def _broadcast(self, numbers: range, *, kill_at: int) -> None:
        for number in numbers:
            killing = self._wishes.kill and number == kill_at
            await self._announce(f"a{number}", f"Release {number} is out: https://example.com/r/{number} #a{number}")
            if killing:
                await self._kill()
            await self._note()
            await self._ask(self._chance.choice(list(self._stage.networks)), self._chance.choice(PEOPLE))
            await _beat(BEAT_S)

    async def _note(self) -> None:
        """A post for the one network only that will be lost."""
        self._posts += 1
        await self._announce(f"p{self._posts}", f"Only here: note {self._posts} #p{self._posts}", only=self.lost)

    async def _announce(self, mark: str, text: str, *, only: str | None = None) -> None:
        """Accepted when the gateway says so; until then it is asked again with the same key."""
        accounts = [f"{only}/main"] if only else [f"{name}/main" for name in self._stage.networks]
        async with asyncio.timeout(QUIET_TIMEOUT_S):
            while await self._stage.desk("announce", text=text, key=f"demo-{mark}", accounts=accounts) is None:
                await _beat(0.1)
        now = time.time()  # noqa: TID251 - compared with the sandbox's own clock
        self.expected += [Expected(mark, account.partition("/")[0], now) for account in accounts]

    async def _ask(self, name: str, person: str, *, think: bool = False) -> None:
        """Somebody speaks to the agent in one of the ways the network has."""
        number = self._questions = self._questions + 1
        text = f"{'think about this' if think else 'hello'} #q{number}"
        kind = KINDS[0] if think else self._chance.choice(KINDS)
        message = await self._stage.control("POST", f"{name}/say", person=person, kind=kind, text=text)
        self._identities[(name, person)] = f"{name}:id={message['author']}"
        now = time.time()  # noqa: TID251 - compared with the sandbox's own clock
        self.expected.append(Expected(f"r{number}", name, now, message["conversation"]))

    async def _kill(self) -> None:
        self._tell("the gateway is killed (SIGKILL) in mid-broadcast and started again")
        await self._stage.kill_gateway()
        self.kills += 1
        await self._stage.open_gateway()

    async def _take_away(self) -> None:
        """A question is being thought about, and a post is on its way, when it comes."""
        await self._stage.until_healthy([f"{name}/main" for name in self._stage.networks], RETURN_TIMEOUT_S)
        await self._ask(self.lost, PEOPLE[0], think=True)
        await _beat(0.1)
        if self._wishes.fault != "outage":
            slow = {"kind": "delay", "on": "write", "count": 1, "delay_s": 0.2, "match": f"#p{self._posts + 1}"}
            await self._stage.control("POST", f"{self.lost}/faults", **slow)
            await self._note()
            await _beat(0.05)
        self._loss_from = time.time()  # noqa: TID251 - compared with the sandbox's own clock
        self._tell(f"{self.lost} takes the account away: {self._wishes.fault}")
        kind = FAULTS[self._wishes.fault]
        if kind:
            await self._stage.control("POST", f"{self.lost}/faults", kind=kind, account="agent")
            await self._see_detour(f"p{self._posts}")
        else:
            await self._stage.control("POST", f"{self.lost}/down")

    async def _see_detour(self, mark: str) -> None:
        """Tell where the post stands that was on its way."""
        for _ in range(DETOUR_LOOKS):
            for name in self._stage.networks:
                held = await self._stage.control("GET", f"{name}/messages?by=agent")
                if name != self.lost and any(one.mark == mark for one in found_in(name, held)):
                    self._tell(f"the post that was on its way stands on {name}")
                    return
            await _beat(0.05)

    async def _give_back(self) -> None:
        self._tell(f"{self.lost} lets the account back in")
        self._loss_until = time.time()  # noqa: TID251 - compared with the sandbox's own clock
        await self._stage.control("DELETE", f"{self.lost}/faults")
        await self._stage.control("POST", f"{self.lost}/up")
        account = f"{self.lost}/main"
        if self._wishes.fault == "locked":
            await self._stage.desk("resume", account=account)
        self.returned = await self._stage.until_healthy([account], RETURN_TIMEOUT_S)
        self._tell(f"{account} is healthy again" if self.returned else f"{account} did not come back in time")

    async def _until_quiet(self) -> None:
        """Until nothing is under way any more and every question has its answer."""
        try:
            async with asyncio.timeout(QUIET_TIMEOUT_S):
                while not (await self._settled() and await self._answered()):
                    await _beat(0.2)
        except TimeoutError:
            self._tell("some things are still under way: the table says which")

    async def _settled(self) -> bool:
        status = await self._stage.desk("status")
        if status is None:
            return False
        open_states = ("waiting", "queued", "sending", "held")
        if any(status["deliveries"].get(state) for state in open_states):
            return False
        uncertain = await self._stage.desk("deliveries", state="uncertain", limit=1000)
        return uncertain is not None and all(one["due_at"] is None for one in uncertain)


async def _beat(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - the demonstration plays in real time, outside the gateway

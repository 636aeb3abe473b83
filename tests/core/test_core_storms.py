"""Whatever happens in whatever order: nothing lost, nothing doubled, order kept, nothing sent from a lost account."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from core_rig import BLUE, GREEN, LOCKED, RED, SUSPENDED, House, World, road
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.model.capabilities import Idempotency, Lane
from gateway.model.delivery import FINAL, Fault, FaultKind, Part, State
from gateway.model.ids import AccountId
from gateway.testing.scripted import Trouble, refused, scripted_profile, unclear

LANE = Lane("posts", 4, 10.0, ("post",))
PROFILES = [scripted_profile(kind, lanes=[LANE]) for kind in (Idempotency.KEYED, Idempotency.READ_BACK)]
TROUBLES: list[Trouble] = [
    refused(FaultKind.RATE_LIMITED),
    refused(FaultKind.SERVER),
    unclear(accepted=True),
    unclear(accepted=False),
    unclear(FaultKind.UNKNOWN, accepted=True),
    Trouble(accepted=True, error=RuntimeError("a bug")),
    Trouble(Fault(FaultKind.SUSPENDED, True, "once")),
]
PLACES = st.sampled_from(["", "", "c1", "c2"])
says = st.tuples(st.just("say"), PLACES, st.integers(1, 3))


def steps(*lost: AccountId) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    some = st.sampled_from(lost)
    return st.lists(
        says
        | says
        | st.tuples(st.just("trouble"), some, st.sampled_from(TROUBLES))
        | st.tuples(st.just("lose"), some, st.sampled_from([SUSPENDED, LOCKED, Fault(FaultKind.SERVER, True, "503")]))
        | st.tuples(st.just("back"), some)
        | st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 7.0, 40.0]))
        | st.tuples(st.just("die")),
        min_size=3,
        max_size=14,
    )


class Storm:
    """One script, played on a house that is restarted where it dies."""

    def __init__(self, folder: Path, profile: Any) -> None:
        self.world = World(folder, RED, BLUE, GREEN)
        self.profiles = dict.fromkeys((RED, BLUE, GREEN), profile)
        self.said: list[tuple[str, str]] = []
        self.wrong: list[str] = []
        self.house: House | None = None

    async def begin(self) -> House:
        self.house = house = self.world.house(routes=(road(RED, BLUE, GREEN),), profiles=self.profiles)
        for platform in self.world.platforms.values():
            platform.before_send = self.look
        await house.start()
        return house

    def look(self, account: AccountId, part: Part) -> None:
        assert self.house is not None
        if not self.house.monitor.can_send(account):
            self.wrong.append(f"{part.body['text']} was sent from {account}")

    async def play(self, script: Sequence[tuple[Any, ...]]) -> None:
        house = await self.begin()
        for step in script:
            match step:
                case ("say", place, parts):
                    texts = [f"{len(self.said) + n:04}" for n in range(parts)]
                    self.said += [(text, place) for text in texts]
                    await house.say("\n\n".join(texts), place=place)
                case ("trouble", account, trouble):
                    self.world[account].troubles.append(trouble)
                case ("lose", account, fault):
                    self.world[account].lost = fault
                case ("back", account):
                    self.world[account].lost = None
                case ("wait", seconds):
                    await house.pass_time(seconds)
                case _:
                    await house.die()
                    house = await self.begin()
            await house.quiet()
        await self.calm(house)
        await house.stop()

    async def calm(self, house: House) -> None:
        """All is well again; everything has to come to an end."""
        for platform in self.world.platforms.values():
            platform.lost = None
            platform.troubles.clear()
        for _ in range(60):
            await house.pass_time(60, 15.0)
            if not await house.open():
                break
        left = await house.open()
        assert left == [], [(one.draft.document, one.state, one.account, one.reason) for one in left]
        ends = Counter(one.state for one in await house.real_store.deliveries(limit=1_000))
        assert set(ends) <= {State.DELIVERED} <= FINAL, ends

    def held_by_the_platforms(self) -> Counter[str]:
        return Counter(text for account in self.world.platforms for text in self.world.texts(account))

    def judge(self, *, ordered: bool) -> None:
        assert self.wrong == []
        assert self.held_by_the_platforms() == Counter(text for text, _ in self.said)
        if not ordered:
            return
        for account, platform in self.world.platforms.items():
            for place in {post.place for post in platform.posts}:
                assert platform.texts(place) == sorted(platform.texts(place)), f"{account} {place}"


def played(script: Sequence[tuple[Any, ...]], profile: Any, *, ordered: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        storm = Storm(Path(folder), profile)
        runner.run(storm.play(script))
        storm.judge(ordered=ordered)


@pytest.mark.timeout(300)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps(RED), st.sampled_from(PROFILES))
def test_one_account_in_a_storm(script: list[tuple[Any, ...]], profile: Any) -> None:
    played(script, profile, ordered=True)


@pytest.mark.timeout(300)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps(RED, BLUE, GREEN), st.sampled_from(PROFILES))
def test_all_accounts_in_a_storm(script: list[tuple[Any, ...]], profile: Any) -> None:
    """Order is not asked for here: what comes home from a second lost account comes late."""
    played(script, profile, ordered=False)

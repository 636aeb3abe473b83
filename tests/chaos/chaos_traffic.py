"""What people and the operator say while everything around them breaks."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from chaos_count import Expected
from chaos_processes import Gateway, Sandbox

from adapters.sandbox.mastodon_entities import DOMAIN

PEOPLE = ("ana", "ben", "cleo")
LINKED = PEOPLE[0]
KINDS = ("mention", "direct")
RETRY_S = 0.1
SENTENCE = "Sentence {} of a text that is longer than a post may be, so that it goes out in parts."
LONG, VERY_LONG = 7, 60
"""Sentences: several parts on the small networks; several on every network."""


class Traffic:
    """Keeps a ledger of what was accepted. A text counts when the gateway said yes; a question when it was asked."""

    def __init__(self, sandbox: Sandbox, gateways: list[Gateway], chance: random.Random, *, beat_s: float) -> None:
        self.expected: list[Expected] = []
        self.asked_again = 0
        self.identities: dict[tuple[str, str], str] = {}
        self._sandbox = sandbox
        self._gateways = gateways
        self._chance = chance
        self._beat_s = beat_s
        self._numbers = itertools.count(1)
        self._flowing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # Flow.

    def start(self) -> None:
        """Three who speak: people, the operator's program, and the operator at the command line."""
        scenes = ((self.ask, self._beat_s), (self._publish, self._beat_s), (self._type, 20 * self._beat_s))
        self._tasks = [asyncio.create_task(self._again_and_again(*scene)) for scene in scenes]
        self._flowing.set()

    async def pause(self) -> None:
        """Nothing new; returns when what was being said has been accepted."""
        self._flowing.clear()
        await self._idle.wait()

    def go_on(self) -> None:
        self._flowing.set()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def check(self) -> None:
        """Raises what ended one of the speakers."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def _again_and_again(self, scene: Callable[[], Awaitable[object]], beat_s: float) -> None:
        while True:
            while not self._flowing.is_set():  # it may have been cleared again before we were woken
                await self._flowing.wait()
            self._busy += 1
            self._idle.clear()
            try:
                await scene()
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()
            await asyncio.sleep(self._chance.uniform(0.5, 1.5) * beat_s)

    # Scenes.

    async def ask(self, name: str = "", person: str = "", kind: str = "") -> str:
        """Somebody speaks to the agent, in one of the ways the network has. Returns the mark of the answer."""
        name = name or self._chance.choice(list(self._sandbox.networks))
        person, kind = person or self._chance.choice(PEOPLE), kind or self._chance.choice(KINDS)
        number = next(self._numbers)
        message = await self._sandbox.ask("POST", f"{name}/say", person=person, kind=kind, text=f"hello #q{number}")
        self.identities[(name, person)] = _identity(name, person, message["author"])
        where = {"place": message["conversation"], "private": message["private"]}
        self.expected.append(Expected(f"r{number}", name, "agent", person=person, **where))
        return f"r{number}"

    async def _publish(self) -> None:
        """Announcements, posts for one network, and long texts of both kinds."""
        number, draw = next(self._numbers), self._chance.random()
        mark = f"{'a' if draw < 0.4 else 'p'}{number}"
        sentences = VERY_LONG if draw > 0.98 else LONG if draw > 0.85 or draw < 0.05 else 0
        names = list(self._sandbox.networks)
        homes = names if mark[0] == "a" else [self._chance.choice(names)]
        text, marks = _worded(mark, sentences)
        await self._post("program", text, marks, homes)

    async def _post(self, speaker: str, text: str, marks: list[str], homes: list[str]) -> None:
        """Asked again with the same key until somebody says yes."""
        body = {"text": text, "key": f"chaos-{marks[0]}", "accounts": [f"{home}/main" for home in homes]}
        while (answer := await self._chance.choice(self._gateways).ask("announce", **body)) is None:
            self.asked_again += 1
            await asyncio.sleep(RETRY_S)
        self._accepted(speaker, marks, homes, answer)

    async def _type(self) -> None:
        """The same at the command line, where no running gateway is needed."""
        mark, names = f"p{next(self._numbers)}", list(self._sandbox.networks)
        home = self._chance.choice(names)
        options = ("announce", "-", "--key", f"chaos-{mark}", "--account", f"{home}/main")
        text = f"Typed by hand. #{mark}"
        while (answer := await self._chance.choice(self._gateways).call(*options, words=text)) is None:
            self.asked_again += 1
            await asyncio.sleep(RETRY_S)
        self._accepted("operator", [mark], [home], answer)

    def _accepted(self, speaker: str, marks: list[str], homes: list[str], answer: Any) -> None:
        ids = {row["home"].partition("/")[0]: row["id"] for row in answer["deliveries"]}
        self.expected += [Expected(mark, home, speaker, delivery=ids[home]) for home in homes for mark in marks]


def _worded(mark: str, sentences: int) -> tuple[str, list[str]]:
    """A text and the marks in it."""
    if not sentences:
        return f"News: https://example.com/{mark} #{mark}", [mark]
    marks = [f"{mark}s{number}" for number in range(sentences)]
    return " ".join(f"{SENTENCE.format(number)[:-1]} #{one}." for number, one in enumerate(marks)), marks


def _identity(network: str, person: str, number: str) -> str:
    """As the adapters know people: Mastodon's by a name that is the same on every instance."""
    return f"{network}:id={person}@{DOMAIN}" if network == "mastodon" else f"{network}:id={number}"


def now_unix_s() -> float:
    """The sandbox's clock is this machine's."""
    return time.time()


def pairs(identities: dict[tuple[str, str], str], person: str) -> Iterator[tuple[str, str]]:
    """Which identities of a person have to be linked to make them one."""
    mine = [identity for (_, who), identity in identities.items() if who == person]
    return ((mine[0], other) for other in mine[1:])

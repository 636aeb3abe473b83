"""Who writes, who announces, and what the agent says: each with a log of their own."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from invariants import Broken
from sim_books import Accepted, Event, lines_of
from sim_dealer import ScriptedBug
from sim_network import Networks

from gateway.model.content import Document, Text
from gateway.model.events import Kind, MessageDeleted, MessageEdited, MessageReceived, Reacted
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef, platform_of
from gateway.text.plain import from_text

NAMES = ("ana", "ben", "cai", "dora")
MOODS = (
    *("answer",) * 8, *("thread",) * 4, *("same",) * 2,
    "slow", "raise once", "raise", "none", "empty", "blank", "long", "late",
)  # fmt: skip
FIXED: dict[str, str | None] = {"none": None, "empty": "", "blank": " \n\n ", "same": "thank you"}
"""Answers that are the same each time."""
ATTEMPTS = 3
"""How often the agent is tried."""
ANSWERED = "every message is answered"
ODD = ("\x00\x01", "\ud800", "", "a" * 5000, "\u202e \u05d0\u05d1", " \n\n ")
"""Words as platforms let them through."""


@dataclass
class Said:
    """What a message was, and what the agent did about it each time it was asked."""

    number: int
    event: MessageReceived
    who: str
    mood: str
    answers: list[str | None] = field(default_factory=list)
    """What it returned, call by call; a call that raised or was cut off is not in here."""
    asked: int = 0
    raised: int = 0


class People:
    """Everybody outside: they know nothing of the gateway."""

    def __init__(self, networks: Networks, rng: Random, happened: Counter[str], tell: Callable[[str], None]) -> None:
        self.networks = networks
        self.rng = rng
        self.happened = happened
        self.tell = tell
        self.messages: list[Said] = []
        self.by_id: dict[tuple[str, str], Said] = {}
        self.met: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Who wrote in which place of which account."""
        self.on_asked: Callable[[Said], None] = lambda _: None
        self.on_own_voice: Callable[[MessageReceived], None] = lambda _: None

    def identity(self, who: str, platform: str) -> Identity:
        return Identity(platform, f"{who}.{platform}", who)

    def writes(self, account: str, who: str | None = None) -> None:
        """Somebody writes to an account of ours."""
        rng = self.rng
        number = len(self.messages)
        who = who or rng.choice(NAMES)
        platform = platform_of(AccountId(account))
        kind = rng.choice((Kind.MENTION, Kind.REPLY, Kind.DIRECT, Kind.DIRECT, Kind.GROUP))
        private = kind is Kind.DIRECT
        place = f"dm-{who}" if private else "hall" if kind is Kind.GROUP else f"{rng.choice(('talk', 'walk'))}-{who}"
        author = self.identity(who, platform)
        words = f"e{number} hello"
        if rng.random() < 0.06:
            self.happened["odd words"] += 1
            words += rng.choice(ODD)
        document = Document(((Text(words),),))
        if rng.random() < 0.03:
            document = Document()
            self.happened["empty message"] += 1
        at = self.networks.universe.true - timedelta(seconds=rng.choice((0, 0, 0, 3, 3600, -5)))
        name = f"{platform}-{number}"
        event = MessageReceived(
            AccountId(account),
            name,
            MessageRef(f"in:{number}"),
            ConversationId(place),
            kind,
            author,
            document,
            at,
            private,
        )
        said = Said(number, event, who, rng.choice(MOODS))
        self.messages.append(said)
        self.by_id[account, name] = said
        self.met[account, place].add(who)
        self.tell(f"{who} writes e{number} to {account} in {place} ({said.mood})")
        self.networks.happened(account, event)
        if rng.random() < 0.1:
            self._something_else(event)

    def _something_else(self, of: MessageReceived) -> None:
        """What needs no answer."""
        name = f"{of.id}+"
        self.happened["other events"] += 1
        match self.rng.randrange(4):
            case 0:
                made: Any = MessageEdited(
                    of.account, name, of.ref, of.conversation, of.author, of.document, of.at, of.private
                )
            case 1:
                made = MessageDeleted(of.account, name, of.ref, of.conversation, of.at)
            case 2:
                made = Reacted(of.account, name, of.ref, of.conversation, of.author, "+1", of.at)
            case _:
                other = Identity(of.author.platform, f"self:{of.account}", "us")
                made = MessageReceived(
                    of.account, name, of.ref, of.conversation, Kind.REPLY, other, of.document, of.at, of.private
                )
        self.networks.happened(of.account, made)

    async def answer(self, message: MessageReceived, conversation: Any) -> str | None:
        """The agent."""
        said = self.by_id.get((message.account, message.id.partition("~")[0]))
        if said is None:
            self.on_own_voice(message)
            return None
        said.asked += 1
        self.on_asked(said)
        if self.rng.random() < 0.1:
            await conversation.history(5)
        await asyncio.sleep(self.rng.choice((0, 0, 0.1, 2)))
        text = await self._words(said)
        said.answers.append(text or None)
        return text

    async def _words(self, said: Said) -> str | None:
        await self._mood(said)
        name = f"e{said.number}.{said.asked}"
        if said.mood in FIXED:
            return FIXED[said.mood]
        if said.mood == "long":
            return paragraphs(name, 2, "x" * 290)
        return paragraphs(name, self.rng.randint(2, 5) if said.mood == "thread" else 1)

    async def _mood(self, said: Said) -> None:
        """What happens before, or instead of, an answer."""
        match said.mood:
            case "raise once" if said.raised == 0:
                said.raised += 1
                raise ScriptedBug("the agent has a bug")
            case "raise":
                said.raised += 1
                raise ScriptedBug("the agent has a bug")
            case "slow":
                await asyncio.sleep(self.rng.choice((10, 40)))
            case "late" if said.asked == 1:
                await asyncio.sleep(1000)

    def judge(self, said: Said, known: Event, accepted: Accepted | None) -> None:
        """The end of a message: handled with one of the agent's answers, or parked after as many tries as agreed."""
        if known.state == "parked":
            if known.attempts < ATTEMPTS:
                raise Broken(ANSWERED, f"e{said.number} was given up after {known.attempts} tries: {known.error}")
            return
        if known.state != "handled":
            raise Broken(ANSWERED, f"e{said.number} is still {known.state}")
        texts = [lines_of(from_text(text)) for text in said.answers if text]
        silent = None in said.answers or said.event.document.is_empty
        if accepted is None and not silent:
            raise Broken(ANSWERED, f"the answer to e{said.number} is in no book")
        if accepted is not None and accepted.first_lines not in texts:
            raise Broken(
                ANSWERED, f"e{said.number} was answered with {accepted.first_lines}, which the agent never said"
            )


def paragraphs(name: str, n: int, more: str = "") -> str:
    """Words of which each paragraph says what it is part of."""
    return "\n\n".join(f"{name} {at}/{n}{' ' if more else ''}{more}" for at in range(1, n + 1))


def place_of(line: str) -> int:
    """Which paragraph this is, by its own words."""
    words = line.split()
    first = words[1].partition("/")[0] if len(words) > 1 and "/" in words[1] else "0"
    return int(first) if first.isdecimal() else 0

"""The gateway's side: a configuration on the bench's server, and what 64 callers do with a whole gateway."""

from __future__ import annotations

import asyncio
import itertools
import os
from datetime import UTC, datetime
from pathlib import Path

from bodies import CID, DID, WORDS

from gateway import wiring
from gateway.commands.serve import collect_rarely, share_one_heap
from gateway.config import load
from gateway.model.content import Document, Text
from gateway.model.delivery import Draft, InConversation, State, Target, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, MessageRef
from gateway.model.standing import Standing

PLATFORMS = tuple(wiring.platforms())
TOKENS = {"telegram": "4242:gateway-gateway-gateway-gateway-gate", "discord": "gateway"}
DOCUMENT = Document(((Text(WORDS),),))
READY_S = 20.0
_KEYS = {
    "x": 'access_token = {{ env = "BENCH_SECRET" }}\nserver = "{url}"',
    "discord": 'token = {{ env = "BENCH_DISCORD" }}\nserver = "{url}"\nannounce_to = "1000"',
    "telegram": 'token = {{ env = "BENCH_TELEGRAM" }}\nserver = "{url}"\nannounce_to = "1000"',
    "bluesky": 'identifier = "agent.test"\npassword = {{ env = "BENCH_SECRET" }}\nserver = "{url}"\n'
    'public_server = "{url}"',
    "mastodon": 'access_token = {{ env = "BENCH_SECRET" }}\nserver = "{url}"',
}
ENVIRONMENT = {
    "BENCH_SECRET": "secret-of-the-bench",
    "BENCH_DISCORD": TOKENS["discord"],
    "BENCH_TELEGRAM": TOKENS["telegram"],
}
_AGENT = f"async def reply(message, conversation):\n    return {WORDS!r}\n"
_ROUTE = """
[[routes]]
from = "x/main"
when = ["suspended", "locked", "signed_out"]
divert_to = ["bluesky/main"]
"""
_numbers = itertools.count(1)
_PROCESS = f"{os.getpid() % 1_000_000:06d}"


def write_config(folder: Path, url: str, platforms: tuple[str, ...], *, agent: bool = False) -> Path:
    """A configuration whose rates are those of servers of one's own. Its secrets are in ENVIRONMENT."""
    lines = ["[media]", "cards = false", "[gateway]", "probe_first_s = 0.1", "probe_longest_s = 0.5"]
    for name in platforms:
        lines += ["[[accounts]]", f'id = "{name}/main"', "rate_factor = 10000.0", _KEYS[name].format(url=url)]
    if {"x", "bluesky"} <= set(platforms):
        lines.append(_ROUTE)
    if agent:
        (folder / "bench_agent.py").write_text(_AGENT)
        lines += ["[agent]", 'handler = "bench_agent:reply"']
    path = folder / "multihome.toml"
    path.write_text("\n".join(lines))
    return path


class House:
    """A gateway in this process."""

    def __init__(self, gateway: wiring.Gateway) -> None:
        self.gateway = gateway

    @staticmethod
    async def open(path: Path, *, start: bool = True) -> House:
        share_one_heap()  # as `multihome run` does
        house = House(await wiring.build(load(path, wiring.platforms(), ENVIRONMENT)))
        await (house.begin() if start else house.gateway.monitor.load())
        return house

    async def begin(self, patience_s: float = READY_S) -> None:
        await self.gateway.start()
        await self.until_healthy(patience_s)
        collect_rarely()  # as `multihome run` does

    async def until_healthy(self, patience_s: float = READY_S) -> None:
        async with asyncio.timeout(patience_s):
            monitor = self.gateway.monitor
            while any(one.standing is not Standing.HEALTHY for one in monitor.records()):  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.005)

    async def deliver(self, platform: str, caller: int) -> None:
        """One durable send, from the draft to the receipt in the database."""
        (delivery,) = await self.gateway.intake.submit([draft(platform, conversation(platform, caller))])
        ended = await self.gateway.outbox.ended(delivery.id)
        if ended.state != State.DELIVERED:
            raise RuntimeError(f"{platform}: {ended.state}: {ended.reason}")

    async def accept(self, platform: str, caller: int) -> None:
        await self.gateway.intake.submit([draft(platform, conversation(platform, caller))])

    async def divert(self, count: int) -> None:
        """Public posts for X, one after the other; it returns when all have ended somewhere."""
        for _ in range(count):
            words = Document(((Text(f"Post {next(_numbers)}. {WORDS}"),),))
            (delivery,) = await self.gateway.intake.submit([draft("x", (Timeline(), None), words)])
            await self.gateway.outbox.ended(delivery.id)


def draft(
    platform: str,
    place: tuple[Target, MessageRef | None],
    document: Document = DOCUMENT,
    account: AccountId | None = None,
) -> Draft:
    name = f"{_PROCESS}{next(_numbers):014d}"
    target, answered = place
    account = account or AccountId(f"{platform}/main")
    return Draft(
        DraftId(name), DEFAULT_WORKSPACE, account, target, document, datetime.now(UTC), name, in_reply_to=answered
    )


def conversation(platform: str, caller: int) -> tuple[Target, MessageRef | None]:
    """The caller's own conversation, and the message that is answered in it, as the adapter names both."""
    number = 1000 + caller
    match platform:
        case "x":
            return _in(f"{number}", f"{number}")
        case "bluesky":
            post = f"at://{DID}/app.bsky.feed.post/{number} {CID}"
            return _in(post, post)
        case "mastodon":
            return _in(f"open|{number}", f"{number}|public|")
    return _in(f"{number}", None)


def _in(name: str, answered: str | None) -> tuple[Target, MessageRef | None]:
    return InConversation(ConversationId(name)), MessageRef(answered) if answered else None

"""A whole gateway in this process, its real client libraries talking to the sandbox's faces over loopback."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.control import Sandbox, serve
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.world import Attempt, Message
from gateway import wiring
from gateway.config import load
from gateway.model.capabilities import Feature
from gateway.model.ids import AccountId
from gateway.model.standing import Standing

NETWORKS = tuple(wiring.platforms())
CAN_EDIT = tuple(name for name, one in wiring.platforms().items() if one.profile.supports(Feature.EDIT))
PATIENCE_S = 60.0
"""Nothing here takes so long; it only ends a test that hangs."""
AGENT = """
import asyncio
from gateway.agent import Conversation

async def reply(message, conversation):
    if not message.addressed:
        return None
    if "fail" in message.text:
        raise RuntimeError("the agent is unwell")
    if "silence" in message.text:
        return None
    return "echo " + message.text.split()[-1]

async def pieces(message, conversation):
    yield "one "
    yield "two"
"""


class Town:
    """A sandbox and the gateway on it."""

    def __init__(self, folder: Path, sandbox: Sandbox, gateway: wiring.Gateway) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.gateway = gateway

    def says(self, network: str, text: str, *, person: str = "ana", kind: str = "mention", **options: Any) -> Message:
        return self.sandbox.faces[network].say(person, kind, text, **options)

    def strikes(self, network: str, kind: Trouble, **options: Any) -> Rule:
        return self.sandbox.faces[network].faults.add(Rule(kind, **options))

    def lifts(self, network: str) -> None:
        self.sandbox.faces[network].faults.lift_all()

    def texts(self, network: str, holding: str = "") -> list[str]:
        return [m.text for m in self.sandbox.faces[network].network.held_by("agent") if holding in m.text]

    def messages(self, network: str, holding: str = "") -> list[Message]:
        return [m for m in self.sandbox.faces[network].network.held_by("agent") if holding in m.text]

    def attempts(self, network: str) -> list[Attempt]:
        return self.sandbox.faces[network].network.attempts

    def standing(self, account: str) -> Standing | None:
        record = self.gateway.monitor.record(AccountId(account))
        return record.standing if record else None

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def until_listening(self, account: str) -> None:
        """From here on nothing that is said is missed."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.gateway.services.store.cursor(AccountId(account)) is None:
                await asyncio.sleep(0.01)

    async def until_standing(self, account: str, standing: Standing) -> None:
        await self.until(lambda: self.standing(account) is standing)

    async def states(self) -> dict[str, int]:
        return (await self.gateway.desk.status())["deliveries"]

    async def until_settled(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while (await self.states()).keys() & {"queued", "waiting", "sending"}:
                await asyncio.sleep(0.01)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


def write_config(
    folder: Path,
    sandbox: Sandbox,
    *,
    routes: str = "",
    handler: str = "town_agent:reply",
    handles: tuple[str, ...] = ("agent",),
    **account_keys: Any,
) -> dict[str, str]:
    """A configuration of accounts on every network of the sandbox; returns the environment with their secrets."""
    environment: dict[str, str] = {}
    lines = ["[gateway]", "probe_first_s = 0.1", "probe_longest_s = 0.5", "ramp_s = 0.01"]
    for face, handle in product(sandbox.faces.values(), handles):
        account = face.account(handle)
        environment.update(account["environment"])
        keys = {"rate_factor": 1000.0, **account["settings"], **account_keys.get(face.name, {})}
        lines += ["[[accounts]]", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    lines += ["[media]", "cards = false", "[agent]", f'handler = "{handler}"', routes]
    (folder / "multihome.toml").write_text("\n".join(lines))
    (folder / "town_agent.py").write_text(AGENT)
    return environment


@pytest.fixture
def town(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """``async with town("x", "bluesky", routes=…) as t``: everything is up and healthy inside."""

    @asynccontextmanager
    async def open_town(*networks: str, healthy: bool = True, **config: Any) -> AsyncIterator[Town]:
        sandbox = await serve(names=networks or None)
        try:
            environment = write_config(tmp_path, sandbox, **config)
            gateway = await wiring.build(load(tmp_path / "multihome.toml", wiring.platforms(), environment))
            await gateway.start()
            try:
                one = Town(tmp_path, sandbox, gateway)
                if healthy:
                    for name in sandbox.faces:
                        await one.until_standing(f"{name}/main", Standing.HEALTHY)
                        await one.until_listening(f"{name}/main")
                yield one
            finally:
                await gateway.stop()
        finally:
            await sandbox.stop()

    return open_town


def route(source: str, *others: str, **keys: Any) -> str:
    """A route in TOML."""
    table = {
        "from": f"{source}/main",
        "when": ["suspended", "locked", "signed_out"],
        "divert_to": [f"{other}/main" for other in others],
        "conversations": "person",
        **keys,
    }
    return "\n".join(["[[routes]]", *(f"{key} = {toml(value)}" for key, value in table.items())])


def number(text: str) -> int:
    found = re.search(r"(\d+)", text)
    assert found is not None
    return int(found[1])

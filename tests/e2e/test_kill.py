"""kill -9 of the gateway at the worst moments, then a restart on the same database. Counted on the networks.

The sandbox lives in this process, and kills from inside its own acceptance of a message: the gateway is dead before
the first byte of the answer is written, every time.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from town_rig import NETWORKS, PATIENCE_S, route, write_config

from adapters.sandbox.control import Sandbox, serve
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.world import Message
from gateway.commands.caller import CallError, call
from gateway.config import place_of

SCRIPT = Path(sys.executable).with_name("multihome")
AGENT = """
import asyncio
from pathlib import Path

async def reply(message, conversation):
    if not message.addressed:
        return None
    here = Path(__file__).parent
    if "slow" in message.text and not (here / "go").exists():
        (here / "asked").touch()
        await asyncio.Event().wait()
    return "echo " + message.text.split()[-1]
"""
SENTENCE = "A sentence of a thread that says enough to fill a part of its own on every platform there is, number {}."


class Outside:
    """A gateway in a process of its own, and the sandbox that it doesn't know is one."""

    def __init__(self, folder: Path, sandbox: Sandbox, environment: dict[str, str]) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self._environment = {"PATH": os.environ["PATH"], **environment}
        self._process: subprocess.Popen[bytes] | None = None

    # The process.

    async def start(self, *, healthy: bool = True) -> None:
        (self.folder / "multihome.db.endpoint").unlink(missing_ok=True)
        with (self.folder / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [SCRIPT, "run"], cwd=self.folder, env=self._environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(PATIENCE_S):
            while not await self._is_up(healthy=healthy):
                assert self._process.poll() is None, self.log()
                await asyncio.sleep(0.02)

    async def _is_up(self, *, healthy: bool) -> bool:
        if not (self.folder / "multihome.db.endpoint").exists():
            return False
        return not healthy or all(
            row["standing"] == "healthy" and row["listening"] for row in await self.ask("accounts")
        )

    def kill(self) -> None:
        """It is dead when this returns."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def dead(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def log(self) -> str:
        return (self.folder / "gateway.log").read_text()

    # What people do, and what they see.

    async def ask(self, operation: str, **arguments: Any) -> Any:
        def no_gateway() -> Any:
            raise CallError("no gateway runs")

        there = place_of(self.folder / "multihome.toml")
        return (await asyncio.to_thread(call, there, no_gateway, operation, **arguments))[0]

    async def announce(self, text: str) -> None:
        """The gateway may die of it."""
        try:
            await self.ask("announce", text=text)
        except CallError:
            assert self.dead

    def kill_when(self, network: str, holding: str) -> None:
        """The gateway dies when this message is accepted, before the answer leaves."""
        held = self.sandbox.faces[network].network

        def heard(what: str, message: Message) -> None:
            if what == "created" and holding in message.text and message in held.held_by("agent"):
                stop()
                self.kill()

        stop = held.listen(heard)

    def messages(self, network: str) -> list[Message]:
        return self.sandbox.faces[network].network.held_by("agent")

    def texts(self, network: str) -> list[str]:
        return [message.text for message in self.messages(network)]

    async def until(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pytest.fail(self.log())

    async def until_settled(self) -> dict[str, int]:
        """Nothing is under way any more; how many deliveries are in which state."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                rows = await self.ask("deliveries", limit=1000)
                if not any(row["state"] in ("queued", "waiting", "sending") or _asked(row) for row in rows):
                    return {state: sum(row["state"] == state for row in rows) for state in {r["state"] for r in rows}}
                await asyncio.sleep(0.02)


def _asked(row: dict[str, Any]) -> bool:
    return row["state"] == "uncertain" and row["due_at"] is not None


@pytest.fixture
def outside(tmp_path: Path) -> Callable[..., Any]:
    """Inside ``async with outside("x", "bluesky") as g`` a gateway runs on these networks and is healthy."""

    @asynccontextmanager
    async def open_outside(*networks: str, routes: str = "", **accounts: Any) -> AsyncIterator[Outside]:
        sandbox = await serve(names=networks)
        environment = write_config(tmp_path, sandbox, routes=routes, handler="kill_agent:reply", **accounts)
        (tmp_path / "kill_agent.py").write_text(AGENT)
        gateway = Outside(tmp_path, sandbox, environment)
        try:
            await gateway.start()
            yield gateway
        finally:
            await asyncio.to_thread(gateway.end)
            await sandbox.stop()

    return open_outside


@pytest.mark.parametrize("network", NETWORKS)
async def test_killed_between_acceptance_and_receipt(outside: Any, network: str) -> None:
    async with outside(network) as g:
        g.kill_when(network, "post 1")
        await g.announce("post 1")
        await g.until(lambda: g.dead)
        assert g.texts(network) == ["post 1"]
        await g.start()
        await g.announce("post 2")
        states = await g.until_settled()
        assert g.texts(network) == ["post 1", "post 2"]
    unknown = network == "telegram"  # nobody can say whether it was sent, and the operator asked for no second one
    assert states == ({"delivered": 1, "uncertain": 1} if unknown else {"delivered": 2})


async def test_killed_where_nobody_can_say_and_the_operator_wants_it_again(outside: Any) -> None:
    async with outside("telegram", telegram={"on_uncertain": "resend"}) as g:
        g.kill_when("telegram", "post 1")
        await g.announce("post 1")
        await g.until(lambda: g.dead)
        await g.start()
        assert await g.until_settled() == {"delivered": 1}
        assert g.texts("telegram") == ["post 1", "post 1"]
        assert "resent although maybe sent" in (await g.ask("deliveries"))[0]["reason"]


@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "telegram"])
async def test_killed_before_the_platform_accepts(outside: Any, network: str) -> None:
    """The request is on its way, its sender dies, and the platform accepts it all the same. Telegram can't be asked."""
    async with outside(network) as g:
        faults = g.sandbox.faces[network].faults
        faults.add(Rule(Trouble.DELAY, on="write", match="post 1", count=1, delay_s=0.5))
        await g.announce("post 1")
        await g.until(lambda: not faults.rules())
        assert g.texts(network) == []
        g.kill()
        await g.start()
        await g.until(lambda: "post 1" in g.texts(network))
        await g.until_settled()
        assert g.texts(network) == ["post 1"]


@pytest.mark.parametrize("network", ["x", "bluesky"])
async def test_killed_while_answering(outside: Any, network: str) -> None:
    """Once with the question, once with the answer: it is given exactly once."""
    async with outside(network) as g:
        g.sandbox.faces[network].say("ana", "mention", "hello slow1")
        await g.until((g.folder / "asked").exists)
        g.kill()
        (g.folder / "go").touch()
        g.sandbox.faces[network].say("ben", "mention", "hello missed2")
        g.kill_when(network, "slow1")
        await g.start(healthy=False)
        await g.until(lambda: g.dead)
        await g.start()
        await g.until(lambda: len(g.texts(network)) >= 2)
        await g.until_settled()
        said = sorted(text.split()[-1] for text in g.texts(network))
    assert said == ["missed2", "slow1"]


@pytest.mark.parametrize(("network", "part"), [("x", 0), ("bluesky", 0), ("mastodon", 0), ("mastodon", 1)])
async def test_a_thread_is_finished_where_it_was_killed(outside: Any, network: str, part: int) -> None:
    sentences = [SENTENCE.format(number) for number in range(12 if network == "mastodon" else 6)]
    async with outside(network) as g:
        accepted = 0
        held = g.sandbox.faces[network].network

        def heard(what: str, message: Message) -> None:
            nonlocal accepted
            accepted += what == "created" and message in held.held_by("agent")
            if accepted == part + 1 and not g.dead:
                g.kill()

        stop = held.listen(heard)
        await g.announce(" ".join(sentences))
        await g.until(lambda: g.dead)
        stop()
        await g.start()
        assert await g.until_settled() == {"delivered": 1}
        messages = g.messages(network)
    assert len(messages) >= 3
    assert [message.in_reply_to for message in messages] == [None, *(message.id for message in messages[:-1])]
    whole = " ".join(message.text for message in messages)
    assert [sentence in whole for sentence in sentences] == [True] * len(sentences)
    assert whole.count("number") == len(sentences)


async def test_what_is_held_survives_and_goes_home_in_order(outside: Any) -> None:
    async with outside("x", "bluesky", routes=route("x")) as g:
        g.sandbox.faces["x"].faults.add(Rule(Trouble.SUSPEND))
        for number in range(3):
            await g.ask("announce", text=f"post {number}", accounts=["x/main"])
        await _until_standing(g, "suspended")
        await g.until_settled()
        tried = len(g.sandbox.faces["x"].network.attempts)
        g.kill()
        await g.start(healthy=False)
        await _until_standing(g, "suspended")
        await g.ask("announce", text="post 3", accounts=["x/main"])
        assert await g.until_settled() == {"held": 4}
        assert len(g.sandbox.faces["x"].network.attempts) == tried
        g.sandbox.faces["x"].faults.lift_all()
        await g.until(lambda: len(g.texts("x")) == 4)
        assert g.texts("x") == [f"post {number}" for number in range(4)]


async def test_a_suspension_outlives_the_process_until_a_probe_ends_it(outside: Any) -> None:
    """The platform lets the account in again, but its probes fail: nothing is sent on trial."""
    async with outside("x", "bluesky", routes=route("x", "bluesky")) as g:
        face = g.sandbox.faces["x"]
        face.faults.add(Rule(Trouble.SUSPEND))
        await g.ask("announce", text="post 0", accounts=["x/main"])
        await g.until(lambda: g.texts("bluesky") == ["post 0"])
        g.kill()
        face.faults.lift_all()
        looks = face.faults.add(Rule(Trouble.FAIL_BEFORE, on="read"))
        await g.start(healthy=False)
        tried = len(face.network.attempts)
        await g.ask("announce", text="post 1", accounts=["x/main"])
        await g.until(lambda: g.texts("bluesky") == ["post 0", "post 1"])
        assert len(face.network.attempts) == tried
        face.faults.lift(looks.id)
        await _until_standing(g, "healthy")
        await g.ask("announce", text="post 2", accounts=["x/main"])
        await g.until(lambda: g.texts("x") == ["post 2"])


async def _until_standing(g: Outside, standing: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not any(r["account"] == "x/main" and r["standing"] == standing for r in await g.ask("accounts")):
            await asyncio.sleep(0.02)

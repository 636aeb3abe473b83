"""How commands end: told to, left by their reader, or with an agent that can't be used."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
from cli_rig import SCRIPT, House

Open = Callable[..., House]
SLOW = """
import asyncio
from pathlib import Path

async def reply(message, conversation):
    (Path(__file__).parent / "asked").touch()
    await asyncio.sleep(0.5)
    return "echo " + message.text.split()[-1]

async def never(message, conversation):
    (Path(__file__).parent / "asked").touch()
    await asyncio.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_gateway_ends_cleanly_when_told_to(house: Open, number: int) -> None:
    h = house("mastodon", "telegram")
    with h.gateway() as gateway:
        assert gateway.end(number) == 0
    said = gateway.err.read_text().splitlines()
    assert said[-1].endswith("stopped [multihome]")
    assert not any("Traceback" in line or "ERROR" in line for line in said)
    assert not h.endpoint.exists()
    assert h.told("status")["running"] is False


def test_an_answer_under_way_is_finished(house: Open) -> None:
    h = house("mastodon")
    (h.folder / "house_agent.py").write_text(SLOW)
    with h.gateway() as gateway:
        h.sandbox.control("POST", "mastodon/say", person="ana", kind="mention", text="hello there1", account=h.handle)
        gateway.until((h.folder / "asked").exists)
        assert gateway.end() == 0
    assert [text.split()[-1] for text in h.texts("mastodon")] == ["there1"]


def test_a_post_under_way_is_finished(house: Open) -> None:
    h = house("mastodon")
    with h.gateway() as gateway:
        rule = h.sandbox.control(
            "POST", "mastodon/faults", kind="delay", account=h.handle, on="write", delay_s=0.5, count=1
        )
        h.ask("announce", text="Hello")
        gateway.until(lambda: rule["id"] not in {r["id"] for r in h.sandbox.control("GET", "mastodon/faults")})
        assert gateway.end() == 0
    assert h.texts("mastodon") == ["Hello"]
    assert [row["state"] for row in h.told("deliveries")] == ["delivered"]


def test_a_second_signal_waits_for_nothing(house: Open) -> None:
    h = house("mastodon")
    (h.folder / "house_agent.py").write_text(SLOW)
    h.agent = "house_agent:never"
    h.write()
    with h.gateway() as gateway:
        h.sandbox.control("POST", "mastodon/say", person="ana", kind="mention", text="hello", account=h.handle)
        gateway.until((h.folder / "asked").exists)
        gateway.popen.send_signal(signal.SIGINT)
        gateway.until_said("stopping")
        assert gateway.end(signal.SIGINT) == 130
    assert h.told("status")["running"] is False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_ends_cleanly_when_told_to(house: Open, number: int) -> None:
    h = house("mastodon")
    sandbox = h.start("sandbox")
    sandbox.until(lambda: b"Stop it with Ctrl-C" in sandbox.out.read_bytes())
    assert sandbox.end(number) == 0
    assert sandbox.err.read_bytes() == b""


def test_a_sandbox_port_that_is_taken_is_told(house: Open) -> None:
    h = house("mastodon")
    port = str(h.sandbox.port)
    assert f"port {port} or one after it can't be used" in h.refused("sandbox", "--port", port)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_demonstration_ends_cleanly_and_leaves_no_process(house: Open, number: int, code: int) -> None:
    h = house("mastodon")
    demo = h.start("demo", "--json", "--messages", "500")
    demo.until(lambda: bool(list(h.folder.glob("multihome-demo-*/multihome.db.endpoint"))))
    (stage,) = h.folder.glob("multihome-demo-*")
    gateway = int((stage / "multihome.db.lock").read_text())
    networks = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", (stage / "multihome.toml").read_text())}
    assert demo.end(number) == code
    assert "Traceback" not in demo.err.read_text()
    assert not stage.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(gateway, 0)
    for port in networks:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_waits_for_input_ends_at_once(house: Open, number: int, code: int) -> None:
    h = house("mastodon")
    waiting = subprocess.Popen(
        [SCRIPT, "announce", "-"], cwd=h.folder, env=h.environment(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert waiting.stdin is not None
    waiting.stdin.write(b"a" * 200_000)  # more than the pipe holds: it has begun to read
    waiting.send_signal(number)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (code, b"")
    assert b"Traceback" not in err


@pytest.mark.parametrize("command", ["deliveries", "deliveries --json", "status", "--help"])
def test_a_reader_that_went_away_is_no_trouble(house: Open, command: str) -> None:
    h = house("mastodon")
    for number in range(3):
        h.multihome("announce", "-", stdin=f"Hello {number}".encode())
    read = "import os, sys; os.close(0)"
    done = subprocess.run(
        ["sh", "-c", f"({SCRIPT} {command}; echo $? >code) | {sys.executable} -c '{read}'"],
        cwd=h.folder, env=h.environment(), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert (h.folder / "code").read_text().strip() in ("0", "1")


@pytest.mark.parametrize(
    ("handler", "code", "told"),
    [
        ("nothing:reply", "", "there is no module 'nothing' beside the configuration"),
        ("agent:answer", "async def reply(m, c): ...", "there is no 'answer' in {agent}; there is: reply"),
        ("agent:reply", "def reply(m, c): ...", "must be an `async def` that takes (message, conversation)"),
        ("agent:reply", "async def reply(m): ...", "must take two arguments"),
        ("agent:reply", "\n\nasync def reply(m, c) ...", "{agent}:3: SyntaxError: expected ':'"),
        ("agent:reply", "\nimport not_there_at_all", "{agent}:2: ModuleNotFoundError: No module named"),
        ("agent:reply", "def f():\n    return {}['k']\nf()", "{agent}:2: KeyError: 'k'"),
        ("agent:reply", "import sys\nsys.exit('bye')", "{agent}:2: SystemExit: bye"),
    ],
)
def test_a_broken_agent_is_told_by_file_and_line(house: Open, handler: str, code: str, told: str) -> None:
    h = house("mastodon")
    (h.folder / "agent.py").write_text(code)
    h.agent = handler
    h.write()
    said = h.refused("run")
    assert said.startswith("multihome: [agent] handler: ")
    assert told.format(agent=h.folder / "agent.py") in said
    assert not h.endpoint.exists()


BUSY = """
import asyncio, time
from pathlib import Path

async def reply(message, conversation):
    naps = [asyncio.to_thread(time.sleep, 60) for _ in range({naps})]
    (Path(__file__).parent / "asked").touch()
    await asyncio.gather(*naps)
"""


@pytest.mark.parametrize("naps", [1, 100], ids=["one thread", "all threads"])
@pytest.mark.parametrize("signals", [1, 2], ids=["once", "twice"])
def test_what_an_agent_does_in_threads_is_not_waited_for(house: Open, naps: int, signals: int) -> None:
    h = house("mastodon")
    (h.folder / "house_agent.py").write_text(BUSY.format(naps=naps))
    with h.gateway() as gateway:
        h.sandbox.control("POST", "mastodon/say", person="ana", kind="mention", text="hello", account=h.handle)
        gateway.until((h.folder / "asked").exists)
        if signals == 2:
            gateway.popen.send_signal(signal.SIGINT)
            gateway.until_said("stopped")
        assert gateway.end(signal.SIGINT) == (0 if signals == 1 else 130)
    said = gateway.err.read_text()
    assert "stopped [multihome]" in said
    assert "Traceback" not in said
    assert h.told("status")["running"] is False


WHERE = """
import asyncio, threading

async def reply(message, conversation):
    thread = await asyncio.to_thread(threading.current_thread)
    return f"done in {thread.name}"
"""


def test_what_an_agent_does_in_threads_takes_none_of_the_gateways(house: Open) -> None:
    h = house("mastodon")
    (h.folder / "house_agent.py").write_text(WHERE)
    with h.gateway() as gateway:
        h.sandbox.control("POST", "mastodon/say", person="ana", kind="direct", text="hello", account=h.handle)
        gateway.until(lambda: any("done in agent" in text for text in h.texts("mastodon")))

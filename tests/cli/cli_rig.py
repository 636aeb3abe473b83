"""The real console script in processes of its own: a sandbox for all tests, a house (folder, accounts) for each."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.wiring import platforms

SCRIPT = Path(sys.executable).with_name("multihome")
PATIENCE_S = 30.0
"""Nothing here takes so long; it only ends a test that hangs."""
NETWORKS = tuple(platforms())
AGENT = """
async def reply(message, conversation):
    return "echo " + message.text.split()[-1] if message.addressed else None
"""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f0003860180"
    "5a347d6b0000000049454e44ae426082"
)


class Sandbox:
    """`multihome sandbox --json`, and its control."""

    def __init__(self, control: str) -> None:
        self.port = int(control.rpartition(":")[2])
        self._handles = (f"agent{number}" for number in itertools.count(1))

    def control(self, method: str, path: str, **body: Any) -> Any:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            line.request(method, f"/{path}", json.dumps(body) if body else None)
            answer = line.getresponse()
            told = answer.read()
            assert answer.status == 200, told
            return json.loads(told)
        finally:
            line.close()

    def accounts(self, networks: tuple[str, ...]) -> tuple[str, dict[str, dict[str, Any]]]:
        """A fresh account on each network: its handle, and its keys and secrets by network."""
        handle = next(self._handles)
        return handle, {name: self.control("POST", f"{name}/accounts", handle=handle) for name in networks}


class House:
    """A folder with a configuration, an agent, and accounts of its own in the sandbox."""

    def __init__(self, folder: Path, sandbox: Sandbox, networks: tuple[str, ...]) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.handle, self.accounts = sandbox.accounts(networks)
        self.secrets: dict[str, str] = {}
        for account in self.accounts.values():
            self.secrets.update(account["environment"])
        self.keys: dict[str, dict[str, Any]] = {
            name: {**account["settings"], "id": f"{name}/main"} for name, account in self.accounts.items()
        }
        self.gateway_keys: dict[str, Any] = {"probe_first_s": 0.2, "probe_longest_s": 1.0, "ramp_s": 0.01}
        self.agent: str | None = "house_agent:reply"
        self.more = ""
        (folder / "house_agent.py").write_text(AGENT)
        self.write()

    @property
    def database(self) -> Path:
        return self.folder / "multihome.db"

    @property
    def endpoint(self) -> Path:
        return self.folder / "multihome.db.endpoint"

    def write(self) -> None:
        lines = ["[gateway]", *_toml_lines(self.gateway_keys), "[media]", "cards = false"]
        for keys in self.keys.values():
            lines += ["[[accounts]]", *_toml_lines({"rate_factor": 1000.0, **keys})]
        lines += ["[agent]", f'handler = "{self.agent}"'] if self.agent else []
        (self.folder / "multihome.toml").write_text("\n".join([*lines, self.more, ""]))

    def environment(self, *, secrets: bool = True) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return {**own, **self.secrets} if secrets else own

    def multihome(
        self, *arguments: str, stdin: bytes | None = b"", secrets: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        done = subprocess.run(
            [SCRIPT, *arguments],
            cwd=self.folder,
            env=self.environment(secrets=secrets),
            input=stdin,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def told(self, *arguments: str, **options: Any) -> Any:
        """The one JSON value that a command says."""
        done = self.multihome(*arguments, "--json", **options)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    def refused(self, *arguments: str, code: int = 1, **options: Any) -> str:
        """The one line on standard error with which a command fails."""
        done = self.multihome(*arguments, **options)
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr.strip()

    def start(self, *arguments: str) -> Process:
        return Process(self, arguments)

    @contextmanager
    def gateway(self, *arguments: str, healthy: bool = True) -> Iterator[Process]:
        """A running gateway; inside, every account can send."""
        process = self.start("run", *arguments)
        try:
            process.until(self.endpoint.exists)
            if healthy:
                process.until(
                    lambda: all(row["standing"] == "healthy" and row["listening"] for row in self.ask("accounts"))
                )
            yield process
        finally:
            process.end()

    def ask(self, operation: str, **arguments: Any) -> Any:
        """The running gateway's desk, without the cost of a process."""
        address = json.loads(self.endpoint.read_text())
        line = http.client.HTTPConnection("127.0.0.1", int(address["url"].rpartition(":")[2]), timeout=PATIENCE_S)
        try:
            headers = {"Authorization": f"Bearer {address['token']}"}
            line.request("POST", f"/local/{operation}", json.dumps(arguments), headers)
            answer = line.getresponse()
            told = json.loads(answer.read())
            assert answer.status == 200, told
            return told
        finally:
            line.close()

    def texts(self, network: str) -> list[str]:
        held = self.sandbox.control("GET", f"{network}/messages?by={self.handle}")
        return [message["text"] for message in held]

    def attempts(self) -> int:
        """How many writes the networks saw of this house's accounts."""
        return sum(
            one["account"] == self.handle
            for name in self.accounts
            for one in self.sandbox.control("GET", f"{name}/attempts")
        )

    @contextmanager
    def trouble(self, network: str, kind: str, **rule: Any) -> Iterator[None]:
        made = self.sandbox.control("POST", f"{network}/faults", kind=kind, account=self.handle, **rule)
        try:
            yield
        finally:
            if any(rule["id"] == made["id"] for rule in self.sandbox.control("GET", f"{network}/faults")):
                self.sandbox.control("DELETE", f"{network}/faults/{made['id']}")


class Process:
    """A command that runs until it is told to stop."""

    def __init__(self, house: House, arguments: tuple[str, ...]) -> None:
        self._house = house
        number = len(list(house.folder.glob("process-*.out")))
        self.out, self.err = (house.folder / f"process-{number}.{name}" for name in ("out", "err"))
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.popen = subprocess.Popen(
                [SCRIPT, *arguments],
                cwd=house.folder,
                env=house.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that this process brings about."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.popen.poll() is None, self.err.read_text()
            assert time.monotonic() < deadline, self.err.read_text()
            select.select([], [], [], 0.02)

    def until_said(self, words: str) -> None:
        self.until(lambda: words in self.err.read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            return self.popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise


def told_of_the_encoding(house: House) -> None:
    """Latin-1 in an argument (Python has half a surrogate pair for it): the same with and without a gateway."""
    (house.folder / "caf\udce9.png").write_bytes(PNG)
    announce = ("announce", "-", "-a", "mastodon/main", "--image", "caf\udce9.png")
    for what, more in (("key", ("--key", "\udce9")), ("alt", ("--alt", "caf\udce9")), ("accounts", ("-a", "\udce9"))):
        line = house.refused(*announce, *more, stdin=b"Hi")
        assert line.endswith(f"\\udce9' is not UTF-8: give the {what} in UTF-8"), line
    assert "the first in UTF-8" in house.refused("link", "mastodon:\udce9", "mastodon:ana")
    assert "the name in UTF-8" in house.refused("delete", "\udce9")
    (delivery,) = house.told(*announce, "--key", "latin", stdin=b"Hi")["deliveries"]
    assert delivery["state"] in ("queued", "sending", "delivered")


def _toml_lines(keys: dict[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in keys.items() if value is not None]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    log = tmp_path_factory.mktemp("sandbox") / "err"
    with log.open("wb") as err:
        process = subprocess.Popen([SCRIPT, "sandbox", "--json"], stdout=subprocess.PIPE, stderr=err)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Sandbox(json.loads(line)["control"])
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def house(tmp_path: Path, sandbox: Sandbox) -> Callable[..., House]:
    """``house("x", "bluesky")``: a house with accounts on these networks."""
    return lambda *networks: House(tmp_path, sandbox, networks or ("mastodon",))

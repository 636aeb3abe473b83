"""PyPI's ``mastodon_mock`` on loopback, for tests: a stateful Mastodon API that nobody here wrote.

Installed once, outside the checkout, in a venv of its own (its pins are not ours) in about a minute; after that it
starts in about two seconds, in memory. ``MULTIHOME_SERVERS`` says where to.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "mastodon_mock==0.6.1"
INSTALL_S, START_S = 600, 60
PEOPLE = ("agent", "ana", "bo")


class UnavailableError(Exception):
    """The server can't run here, and why."""


def token_of(person: str) -> str:
    return f"token-of-{person}"


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The address of a server with :data:`PEOPLE` on it and nothing said yet; it ends with the block."""
    program = _install(_home())
    with tempfile.TemporaryDirectory() as folder:  # it keeps uploads where it runs
        port = _free_port()
        config = Path(folder) / "mock.toml"
        config.write_text(_config())
        command = [str(program), "serve", "--config", str(config), "--in-memory", "--port", str(port)]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, url)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _home() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("MULTIHOME_SERVERS") or cache / "multihome-servers") / "mastodon"


def _install(home: Path) -> Path:
    """The server's program, once it is there. Only one process installs."""
    home.mkdir(parents=True, exist_ok=True)
    program = home / "venv" / "bin" / "mastodon_mock"
    done = home / f"{PACKAGE}.installed"
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            venv.create(home / "venv", with_pip=True, clear=True)
            _run([str(home / "venv" / "bin" / "python"), "-m", "pip", "install", "-q", PACKAGE])
            done.touch()
    return program


def _run(command: list[str]) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"installing {PACKAGE}: {error}") from error
    if ended.returncode != 0:
        last = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or ["no output"]
        raise UnavailableError(f"installing {PACKAGE}: {last[0][:200]}")


def _config() -> str:
    people = "".join(
        f'[[seed.accounts]]\nusername = "{person}"\ndisplay_name = "{person.title()}"\n'
        f'access_token = "{token_of(person)}"\n'
        for person in PEOPLE
    )
    return f"[streaming]\nheartbeat_seconds = 0.2\n{people}"


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api/v2/instance", timeout=5):  # noqa: S310 - loopback
            return
        if process.poll() is not None:
            raise UnavailableError(f"the server ended with {process.returncode} before it was up")
        time.sleep(0.1)
    raise UnavailableError(f"the server was not up after {START_S} s")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port

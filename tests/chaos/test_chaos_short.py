"""A short run of the real thing, so that it can't rot; and a Ctrl-C in the middle of one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("chaos_run.py")
TROUBLES = ("kill -9", "disk full", "bad answers", "cut", "suspend")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="full disks and ends of processes are Linux's own")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for the names of sockets, and open to all: PostgreSQL doesn't run as root."""
    made = Path(tempfile.mkdtemp(prefix="chaos-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def begin(folder: Path, *arguments: str, troubles: tuple[str, ...] = TROUBLES) -> subprocess.Popen[str]:
    only = [word for name in troubles for word in ("--only", name)]
    return subprocess.Popen(
        [sys.executable, RUN, *only, *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes(folder: Path) -> list[Path]:
    """What still runs of a chaos whose files are there: each of its processes has the folder in its environment."""
    found = []
    for one in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = one.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"TMPDIR={folder}" in environment:
            found.append(one)
    return found


def gateway(folder: Path) -> int:
    """The process of the only one."""
    for one in processes(folder):
        with suppress(OSError):
            if b"\0run\0" in one.with_name("cmdline").read_bytes():
                return int(one.parent.name)
    raise AssertionError("no gateway runs")


@pytest.mark.timeout(180)
def test_a_few_rounds_do_no_harm(folder: Path) -> None:
    with begin(folder, "--rounds", "6", "--seed", "4", "--json") as chaos:
        out, told = chaos.communicate()
    result = json.loads(out)
    assert (chaos.returncode, result["wrong"]) == (0, []), told
    assert result["rounds"] == 6
    assert result["troubles"].keys() == set(TROUBLES)
    assert 0 < result["accepted"] <= result["found"] + result["absent"]
    assert max(map(len, told.splitlines())) <= 80
    assert not list(folder.iterdir())
    assert not processes(folder)


@pytest.mark.timeout(180)
def test_two_gateways_on_a_database_that_goes_away_do_none_either(folder: Path) -> None:
    troubles = ("kill -9", "database gone")
    options = ("--database", "postgresql", "--gateways", "2", "--rounds", "3", "--seed", "4", "--json")
    with begin(folder, *options, troubles=troubles) as chaos:
        out, told = chaos.communicate()
    result = json.loads(out)
    assert (chaos.returncode, result["wrong"]) == (0, []), told
    assert result["troubles"].keys() == set(troubles)
    assert result["slowest_succession_s"] > 0
    assert not list(folder.iterdir())
    assert not processes(folder)


@pytest.mark.timeout(180)
def test_a_gateway_that_somebody_else_ends_is_told(folder: Path) -> None:
    with begin(folder, "--rounds", "3", "--json", troubles=("cut",)) as chaos:
        assert chaos.stderr is not None
        while "round 1/3" not in chaos.stderr.readline():
            assert chaos.poll() is None
        os.kill(gateway(folder), signal.SIGKILL)
        out, told = chaos.communicate()
    assert chaos.returncode == 1, told
    wrong = json.loads(out)["wrong"]
    assert len(wrong) == 1
    assert "ended by itself: gateway-0 ended with -9" in wrong[0]


@pytest.mark.timeout(180)
def test_ctrl_c_leaves_nothing_behind(folder: Path) -> None:
    with begin(folder, "--rounds", "100") as chaos:
        assert chaos.stderr is not None
        while "round 1/100" not in chaos.stderr.readline():
            assert chaos.poll() is None
        assert processes(folder)
        chaos.send_signal(signal.SIGINT)
        out, told = chaos.communicate()
    assert (chaos.returncode, out) == (130, "")
    assert told.splitlines()[-1] == "stopped"
    assert "Traceback" not in told
    assert not list(folder.iterdir())
    assert not processes(folder)

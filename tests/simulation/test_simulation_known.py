"""Seeds that once failed hold, and the command says what people need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import campaign
import pytest
import sim_ci

FAILED = campaign.failed_seeds()


@pytest.mark.timeout(600)
def test_seeds_that_once_failed_hold() -> None:
    summary = sim_ci.campaign("--failed")
    assert summary["seeds"] == len(FAILED)
    assert not summary["broken"], sim_ci.told(summary)


def test_each_of_them_says_what_it_found() -> None:
    assert all(len(found) > 10 for found in FAILED.values())


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, sim_ci.CAMPAIGN, *words], capture_output=True, text=True, check=False, timeout=120
    )


def test_a_broken_seed_is_told_with_its_replay() -> None:
    bug = "nobody is brought home"
    done = run("--mutation", bug, "--seeds", "3", "--jobs", "2")
    assert done.returncode == 1
    assert f"replay: script/simulate --seed 1 --mutation {bug!r}" in done.stdout
    story = run("--mutation", bug, "--seed", "1")
    assert story.returncode == 1
    assert "BROKEN  every held post has a way home" in story.stdout


def test_a_report_fits_a_terminal() -> None:
    done = run("--seeds", "2", "--jobs", "1")
    assert done.returncode == 0, done.stdout
    assert "2 seeds from 1 on: 0 broken." in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


@pytest.mark.parametrize("words", [["--seeds", "x"], ["--mutation", "no such bug"], ["--sede", "1"]])
def test_what_makes_no_sense_is_refused_in_a_few_lines(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_ctrl_c_stops_it_cleanly() -> None:
    done = subprocess.Popen(
        [sys.executable, sim_ci.CAMPAIGN, "--seeds", "5000", "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert done.stderr is not None
    done.stderr.readline()  # the first progress: it is at work
    os.killpg(done.pid, 2)
    _, errors = done.communicate(timeout=60)
    assert done.returncode == 130
    assert "Traceback" not in errors
    assert "stopped after" in errors


def test_the_script_is_there() -> None:
    assert "tests/simulation/campaign.py" in Path(sim_ci.CAMPAIGN.parents[2] / "script/simulate").read_text()

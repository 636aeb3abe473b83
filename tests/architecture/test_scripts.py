"""The scripts on machines that lack something, and their style."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import house_rules as house
import pytest

TOOLS = ("bash", "env", "cat", "cksum", "dirname", "awk", "rm", "grep")
SCRIPTS = [
    path
    for path in house.tracked("script/*") + house.tracked(".ci/*")
    if house.source(path).startswith("#!/usr/bin/env bash")
]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout on a machine that has a few tools and no Python."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "script").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or pytest.skip(f"there is no {tool} here"))
    for name in ("script/setup", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(house.ROOT / name, tmp_path / name)
    return tmp_path


def setup(machine: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine / "script" / "setup"],
        cwd="/",
        env={"PATH": str(machine / "bin"), **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def install_python(machine: Path, *, version: bool, venv: bool) -> None:
    """A python3 that only answers the two questions of script/setup."""
    python = machine / "bin" / "python3"
    answers = {"version_info": version, "ensurepip": venv}
    cases = "".join(f"  *{word}*) exit {0 if good else 1};;\n" for word, good in answers.items())
    python.write_text(f'#!/usr/bin/env bash\ncase "$2" in\n{cases}esac\necho "unexpected: $*" >&2\nexit 9\n')
    python.chmod(0o755)


def test_without_python_one_line_says_what_is_needed(machine: Path) -> None:
    done = setup(machine)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Python 3.11" in done.stderr


def test_with_an_old_python_one_line_says_so(machine: Path) -> None:
    install_python(machine, version=False, venv=True)
    done = setup(machine)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Python 3.11" in done.stderr


def test_without_venv_one_line_says_how_to_get_it(machine: Path) -> None:
    install_python(machine, version=True, venv=False)
    done = setup(machine)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "apt install python3-venv" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_scripts_stop_at_the_first_failure(script: Path) -> None:
    assert "\nset -euo pipefail\n" in house.source(script)
    assert subprocess.run(["bash", "-n", script], cwd=house.ROOT, check=False).returncode == 0
    assert (house.ROOT / script).stat().st_mode & 0o111


def test_ci_runs_what_people_run() -> None:
    assert "script/test" in house.source(Path(".ci/run"))

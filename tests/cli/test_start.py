"""What every command has in common: a quick start, a version, one line for a wrong word."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pytest
from cli_rig import SCRIPT

HEAVY = ("aiohttp", "sqlalchemy", "rich", "httpx", "requests", "tweepy", "discord", "telegram", "atproto", "mastodon",
         "msgspec", "structlog", "alembic", "apscheduler", "asyncio")  # fmt: skip
COMMANDS = ("run", "sandbox", "demo", "announce", "status", "deliveries", "accounts", "link", "unlink", "doctor",
            "migrate")  # fmt: skip


def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_the_command_line_loads_nothing_heavy_before_it_is_needed() -> None:
    look = "import json, sys, gateway.cli; print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=30, check=True)
    assert not set(HEAVY) & set(json.loads(done.stdout))


def test_help_names_every_command() -> None:
    done = shell("--help")
    assert done.returncode == 0
    assert all(f"  {command} " in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", [*COMMANDS, "accounts resume"])
def test_every_command_explains_itself(command: str) -> None:
    done = shell(*command.split(), "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: multihome")


def test_the_version_is_the_packages() -> None:
    assert shell("--version").stdout == f"multihome {version('multihome')}\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ["frobnicate"],
        ["status", "--frobnicate"],
        ["announce"],
        ["deliveries", "--limit", "0"],
        ["deliveries", "--limit", "many"],
        ["sandbox", "--port", "70000"],
        ["run", "--log-level", "loud"],
    ],
)
def test_a_wrong_word_is_a_usage_error(wrong: list[str]) -> None:
    done = shell(*wrong)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")

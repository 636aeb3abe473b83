"""The README's two commands from nothing to a bot that answers: a sandbox with a configuration, and a gateway."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 40.0


@contextmanager
def multihome(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own; ended as a person would."""
    program = [sys.executable, "-c", "from gateway.cli import main; main()", *arguments]
    places = {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    with (folder / f"{arguments[0]}.log").open("w") as log:
        process = subprocess.Popen(
            program, cwd=folder, env={**os.environ, **places}, stdout=subprocess.PIPE, stderr=log, text=True
        )
        with process:
            try:
                yield process
            finally:
                process.terminate()
                process.wait(PATIENCE_S)


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=PATIENCE_S) as answer:  # noqa: S310 - loopback
        return json.load(answer)


def until_answered(control: str, network: str) -> str:
    """People who get no answer yet write again: nobody hears who spoke before the bot came."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        ask(f"{control}/{network}/say", {"person": "ana", "kind": "direct", "text": "What are the rules?"})
        time.sleep(0.3)
        if held := ask(f"{control}/{network}/messages?by=agent"):
            return str(held[0]["text"])
    pytest.fail("no answer")


def test_two_commands_lead_to_a_bot_that_answers(tmp_path: Path) -> None:
    (tmp_path / "community_bot.py").write_text((ROOT / "examples" / "community_bot.py").read_text())
    wanted = ("sandbox", "--config", "trial.toml", "--agent", "community_bot:reply")
    with multihome(tmp_path, *wanted) as sandbox:
        assert sandbox.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            line = sandbox.stdout.readline()
            assert line, (tmp_path / "sandbox.log").read_text()
            said += line
        (control,) = re.findall(r"Control: (\S+)", said)
        (command,) = re.findall(r"multihome (run .+)", said)
        with multihome(tmp_path, *command.split()):
            assert until_answered(control, "telegram") == "Be kind, stay on topic, no advertising."

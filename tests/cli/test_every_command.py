"""Every command: with ``--json`` one JSON value and nothing else; what it can't do, in one line with the cure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from cli_rig import House, Sandbox
from typer.main import get_command
from typer.testing import CliRunner

from gateway.cli import app

Open = Callable[..., House]
ASKING = (
    "announce -", "preview -", "edit NAME -", "delete NAME", "status", "accounts", "accounts resume mastodon/main",
    "deliveries", "deliveries --uncertain", "deliveries settle NAME --drop", "unanswered",
    "unanswered retry --all", "unanswered drop --all", "link", "link mastodon:@a mastodon:@b",
    "unlink mastodon:@a mastodon:@b", "doctor", "backup copy.db",
)  # fmt: skip
"""Those that ask the gateway, as somebody would write them."""
ALONE = ("migrate",)
UNASKED = ("run", "sandbox", "demo")


def _commands(group: Any = None, before: str = "") -> Iterator[str]:
    for name, command in (group or get_command(app)).commands.items():
        yield f"{before}{name}"
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")


def test_none_is_left_out_here() -> None:
    tried = {" ".join(words[:length]) for one in (*ASKING, *ALONE) for words in [one.split()] for length in (1, 2)}
    assert set(_commands()) - tried == set(UNASKED)


@pytest.fixture(scope="module", params=["without a gateway", "with a gateway"])
def said(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox
) -> Iterator[tuple[House, str]]:
    """A house, and the name of what it has said."""
    h = House(tmp_path_factory.mktemp("said"), sandbox, ("mastodon",))
    with h.gateway() if request.param == "with a gateway" else nullcontext():
        yield h, h.told("announce", "-", stdin=b"Hello")["deliveries"][0]["id"]


@pytest.mark.parametrize("command", [*ASKING, *ALONE])
def test_as_json_each_says_one_value_and_nothing_else(said: tuple[House, str], command: str) -> None:
    h, name = said
    done = h.multihome(*command.replace("NAME", name).split(), "--json", stdin=b"Hello again")
    if "settle" in command:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"multihome: {name} is ")
    else:
        json.loads(done.stdout)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(command: str) -> str:
    """The one line with which it ends."""
    done = CliRunner().invoke(app, command.split(), input="Hello")
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("command", [*ASKING, *ALONE, "run"])
@pytest.mark.usefixtures("folder")
def test_without_a_configuration_each_says_where_one_is_to_be_had(command: str) -> None:
    cure = "copy config.example.toml there, or name another file with --config"
    for more in ("", " --json" if command != "run" else ""):
        assert refusal(command + more) == f"multihome.toml: there is no such file; {cure}\n"


@pytest.mark.parametrize("command", [*ASKING, "run"])
def test_without_an_account_each_says_to_add_one(folder: Path, command: str) -> None:
    (folder / "multihome.toml").write_text("[gateway]\n")
    where = "multihome.toml: [[accounts]]: there is none"
    assert refusal(command) == f"{where}; add one for each account, see config.example.toml\n"
    assert not (folder / "multihome.db").exists()


def test_where_no_gateway_runs_each_that_needs_one_says_so(house: Open) -> None:
    """The others do their work on the database, and so do these: what is asked for is done when one is started."""
    h = house("mastodon")
    name = h.told("announce", "-", stdin=b"Hello")["deliveries"][0]["id"]
    told = "(multihome run)."
    assert told in h.multihome("announce", "-", stdin=b"Hello").stdout
    assert told in h.multihome("edit", name, "-", stdin=b"Hello again").stdout
    assert told in h.multihome("delete", name).stdout
    assert told in h.multihome("accounts", "resume", "mastodon/main").stdout

"""What the pages say is held against the code: commands, files, tables, snippets, examples."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from adapters.sandbox import control
from adapters.sandbox.faults import Trouble
from gateway import agent, config, wiring
from gateway.books import Turn
from gateway.cli import app
from gateway.model.capabilities import Feature, Profile, Support
from gateway.model.content import Document, Text
from gateway.model.delivery import FINAL, State
from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef, PersonId
from gateway.model.standing import MEANING, Standing

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PLATFORMS = ("x", "discord", "telegram", "bluesky", "mastodon")
ROOMS = ("gateway", "adapters", "policies", "tests", "docs", "examples", "script", "bench")
WORDS = {Support.FULL: "yes", Support.PARTIAL: "partly", Support.REJECTED: "no", Support.DROPPED: "no"}
EXAMPLES = ("community_bot", "streaming_agent")

page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def table(path: Path, first_column: str) -> dict[str, list[str]]:
    """The rows of the table whose head starts with this, by their first cell."""
    lines = iter(path.read_text().splitlines())
    for line in lines:
        if line.startswith(f"| {first_column} |"):
            break
    next(lines)
    rows: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith("|"):
            break
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        assert first not in rows
        rows[first] = others
    return rows


# Commands.


def commands(path: Path) -> Iterator[tuple[list[str], bool]]:
    """Every ``multihome`` command of a page, and whether it is whole: in prose its arguments may be left out."""
    prose = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    whole = [line for block in blocks(path, "sh") for line in block.splitlines()]
    for lines, is_whole in ((whole, True), (re.findall(r"`(multihome [^`]+)`", prose), False)):
        for piece in (piece for line in lines for piece in line.split("|")):
            words = shlex.split(piece, comments=True)
            if words[:1] == ["multihome"]:
                yield words[1:], is_whole


def parse(arguments: list[str]) -> None:
    """Let the command line read them, without doing anything."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("multihome", list(arguments))
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@page
def test_every_command_exists_with_its_options(page: Path) -> None:
    for arguments, is_whole in commands(page):
        try:
            parse(arguments)
        except Exception as error:  # noqa: BLE001 - whichever click is inside
            if is_whole or type(error).__name__ != "MissingParameter":
                pytest.fail(f"multihome {shlex.join(arguments)}: {error!r}")


def test_a_command_that_does_not_exist_would_be_seen() -> None:
    for wrong in (["announce", "-", "--loud"], ["accounts", "revive", "x/main"], ["dance"], ["link", "a", "b", "c"]):
        with pytest.raises(Exception, match=r".+"):
            parse(wrong)


def test_the_readme_names_every_command() -> None:
    command: Any = typer.main.get_command(app)
    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "operations.md").read_text()
    assert not [name for name in command.commands if f"multihome {name}" not in text and f"script/{name}" not in text]


# Files.


@page
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", page.read_text())  # what is shown as code leads nowhere
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", prose):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@page
def test_every_file_that_is_named_exists(page: Path) -> None:
    for name in re.findall(rf"(?:`|^)((?:{'|'.join(ROOMS)})/[\w./<>*-]*)", page.read_text(), re.MULTILINE):
        pattern = name.rstrip("/").replace("<platform>", "*")
        assert list(ROOT.glob(pattern)), name


def test_every_room_of_the_gateway_has_its_row() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = [name for row in re.findall(r"^\| (`gateway/.+?) \|", text, re.MULTILINE) for name in row.split(", ")]
    modules = [f"`gateway/{path.name}`" for path in (ROOT / "gateway").glob("*.py") if path.name != "__init__.py"]
    folders = [f"`gateway/{path.parent.name}/`" for path in (ROOT / "gateway").glob("*/__init__.py")]
    assert sorted(named) == sorted(modules + folders)


# Snippets.


@page
def test_every_toml_snippet_can_be_read(page: Path) -> None:
    for block in blocks(page, "toml"):
        assert tomllib.loads(block)


def test_the_short_configuration_loads(tmp_path: Path) -> None:
    (block,) = blocks(ROOT / "README.md", "toml")
    (tmp_path / "multihome.toml").write_text(block)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "bluesky-app-password").write_text("hush\n")
    loaded = config.load(tmp_path / "multihome.toml", wiring.platforms(), {"X_ACCESS_TOKEN": "hush"})
    assert [account.id for account in loaded.accounts] == ["x/main", "bluesky/main"]
    assert loaded.routes[0].divert_to == ("bluesky/main",)


@page
def test_every_python_snippet_compiles(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(f"async def _():\n{''.join(f' {line}' for line in block.splitlines(keepends=True))}", page.name, "exec")


def test_the_bot_in_the_readme_is_the_example() -> None:
    (block,) = blocks(ROOT / "README.md", "python")
    assert block == (ROOT / "examples" / "community_bot.py").read_text()


# Examples.


class NoStore:
    """The one operation of the store that agents see."""

    async def history(self, _account: AccountId, _conversation: ConversationId, limit: int) -> tuple[Turn, ...]:
        return (Turn(None, "before", datetime(2026, 1, 1, tzinfo=UTC)),) * min(2, limit)


def message(text: str, *, addressed: bool = True) -> MessageReceived:
    return MessageReceived(
        AccountId("bluesky/main"), "1", MessageRef("1"), ConversationId("c"), Kind.MENTION,
        Identity("bluesky", "did:plc:ana", "ana.example", "Ana"), Document(((Text(text),),)),
        datetime(2026, 1, 1, tzinfo=UTC), addressed=addressed,
    )  # fmt: skip


async def ask(example: str, said: MessageReceived) -> str | None:
    handler = agent.load(f"{example}:reply")
    return await agent.answer(handler, said, agent.Conversation(said, PersonId("p"), NoStore()))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))


async def test_the_community_bot_answers() -> None:
    assert await ask("community_bot", message("What are the RULES?")) == "Be kind, stay on topic, no advertising."
    assert await ask("community_bot", message("hi")) == "Hello Ana! Ask me about: hours, rules."


async def test_the_streaming_agent_answers_in_one_piece() -> None:
    said = await ask("streaming_agent", message("one two three"))
    assert said == "You wrote 3 words in the open on bluesky. I remember 1 messages before it."


@pytest.mark.parametrize("example", EXAMPLES)
async def test_nobody_is_answered_who_did_not_ask(example: str) -> None:
    assert await ask(example, message("rules", addressed=False)) is None


def test_every_example_is_tried_here() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


def test_a_release_announced_twice_is_announced_once(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("Release 1.0 is out.\n")
    (tmp_path / "token").write_text("1:hush-hush\n")
    written = '[[accounts]]\nid = "telegram/main"\nserver = "http://127.0.0.1:9"\ntoken = { file = "token" }\n'
    (tmp_path / "multihome.toml").write_text(written)
    command = f"{sys.executable} -c 'from gateway.cli import main; main()'"
    (tmp_path / "multihome").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    (tmp_path / "multihome").chmod(0o755)
    script = ROOT / "examples" / "announce_release.sh"
    answers = [
        json.loads(
            subprocess.run(
                [script, "v1.0", "notes.md"],
                cwd=tmp_path,
                env={**os.environ, "MULTIHOME": "./multihome", "PYTHONPATH": str(ROOT)},
                capture_output=True,
                check=True,
            ).stdout
        )
        for _ in range(2)
    ]
    assert [one["announcement"] for one in answers] == ["release-v1.0"] * 2
    assert answers[0]["deliveries"][0]["id"] == answers[1]["deliveries"][0]["id"]


@pytest.mark.parametrize("tag", ["v1;touch${IFS}here", "$(touch here)", "`touch here`", "v 1", "v1|sh", "1\n2", ""])
def test_an_odd_tag_runs_nothing(tmp_path: Path, tag: str) -> None:
    """A shell on another machine reads the command once more."""
    (tmp_path / "notes.md").write_text("Release 1.0 is out.\n")
    (tmp_path / "ssh").write_text('#!/bin/sh\nexec sh -c "$*"\n')
    (tmp_path / "ssh").chmod(0o755)
    done = subprocess.run(
        [ROOT / "examples" / "announce_release.sh", tag, "notes.md"],
        cwd=tmp_path,
        env={**os.environ, "MULTIHOME": "./ssh true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "here").exists()


# Tables.


def profiles() -> list[Profile]:
    return [importlib.import_module(f"adapters.{name}.profile").PROFILE for name in PLATFORMS]


def key_lifetime(profile: Profile) -> str:
    return "–" if profile.key_lifetime_s is None else f"{profile.key_lifetime_s / 60:.0f} min"  # noqa: RUF001 - a dash


def test_the_failover_table_says_what_the_profiles_say() -> None:
    page = ROOT / "docs" / "failover.md"
    heads = re.findall(r"^\| ([^|]+) \| X \|", page.read_text(), re.MULTILINE)
    rows = {name: cells for head in heads for name, cells in table(page, head).items() if name.endswith("†")}
    derived = {
        "Calls a person in public †": Feature.MENTION_ANYONE,
        "Writes a DM to somebody who never wrote †": Feature.DIRECT_ANYONE,
        "Thread †": Feature.THREAD,
        "Image †": Feature.IMAGE,
        "Edit †": Feature.EDIT,
        "Delete †": Feature.DELETE,
        "React †": Feature.REACT,
        "Show typing †": Feature.TYPING,
    }
    said = {name: rows.pop(name) for name in derived}
    known = profiles()
    assert said == {name: [WORDS[one.features[feature]] for one in known] for name, feature in derived.items()}
    assert rows.pop("Kind †") == [one.idempotency.replace("_", " ") for one in known]
    assert rows.pop("A key protects for †") == [key_lifetime(one) for one in known]
    assert rows.pop("The probe sees a lock †") == ["yes" if one.probe_sees_lock else "no" for one in known]
    longest = rows.pop("Longest post †")
    assert [int(cell.split()[0].rstrip(",")) for cell in longest] == [one.limits.text_max for one in known]
    assert not rows


def test_who_lifts_a_lock_follows_from_the_probe() -> None:
    short = table(ROOT / "README.md", "When the account is lost")["A lock is lifted"]
    full = table(ROOT / "docs" / "failover.md", "The return is noticed by")["Locked"]
    sees = [one.probe_sees_lock for one in profiles()]
    assert ["probe" in cell for cell in short] == ["probe" in cell for cell in full] == sees


def test_the_standings_are_those_of_the_model() -> None:
    rows = table(ROOT / "docs" / "operations.md", "Standing")
    words = {True: "yes", False: "no"}
    assert rows == {
        f"`{standing}`": [words[meaning.can_send], words[meaning.can_receive], meaning.cure]
        for standing, meaning in MEANING.items()
    }
    assert len(rows) == len(Standing)


def test_the_states_are_those_of_a_delivery() -> None:
    rows = table(ROOT / "docs" / "operations.md", "State")
    assert {name: final for name, (final, _, _) in rows.items()} == {
        f"`{state}`": "yes" if state in FINAL else "no" for state in State
    }
    assert all(cell for cells in rows.values() for cell in cells)


LOGS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def log_lines(path: Path) -> Iterator[str]:
    """The text of every log call in a module; of one that stands under a name, all that this name is given there."""
    tree = ast.parse(path.read_text())
    given: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                given.setdefault(ast.unparse(target), []).append(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOGS:
            if ast.unparse(node.func.value) != "log":
                continue
            words = node.args[1 if node.func.attr == "log" else 0]
            for one in [words, *given.get(ast.unparse(words), [])]:
                yield from texts(one, given)


def texts(words: ast.expr, given: dict[str, list[ast.expr]]) -> Iterator[str]:
    for node in ast.walk(words):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name):
            yield from (str(one.value) for one in given.get(node.id, []) if isinstance(one, ast.Constant))


def unlogged(cells: Iterable[str]) -> list[str]:
    """Which of these no log line has. A change of standing is one line for all of them."""
    files = [path for room in ("gateway", "adapters") for path in (ROOT / room).rglob("*.py")]
    said = "\n".join(line for path in files if "sandbox" not in path.parts for line in log_lines(path))
    standing = "-> %s" in said
    known = {f"-> {one}" for one in Standing} if standing else set()
    words = [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]
    return [word for word in words if word not in known and word not in said]


def test_the_lines_worth_an_alarm_are_logged() -> None:
    assert not unlogged(table(ROOT / "docs" / "operations.md", "Line contains"))


def test_a_line_that_is_never_logged_would_be_seen() -> None:
    assert unlogged(["`is lost`, `the moon is lost`", "`-> gone`"]) == ["the moon is lost", "-> gone"]


def test_each_dependency_has_one_row() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0] for one in declared]
    assert list(table(ROOT / "docs" / "dependencies.md", "Package")) == names


# The sandbox's page.


def test_the_troubles_are_those_of_the_sandbox() -> None:
    cells = table(ROOT / "docs" / "sandbox.md", "`kind`")
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(Trouble)


@pytest.mark.parametrize(
    ("title", "module", "more"),
    [
        ("X", "x_bodies", {"html_403"}),
        (
            "Discord",
            "discord_bodies",
            {"too_long", "reference", "nonce", "50035", "rate_limit", "global", "stream", "4014"},
        ),
        ("Telegram", "telegram_errors", set()),
        ("Bluesky", "bluesky_bodies", set()),
        ("Mastodon", "mastodon_bodies", {"lock", "pending", "unconfirmed", "two_factor"}),
    ],
)
def test_the_refusal_codes_are_those_of_the_faces(title: str, module: str, more: set[str]) -> None:
    text = (ROOT / "docs" / "sandbox.md").read_text()
    paragraph = text.partition(f"**{title}:**")[2].partition("\n\n")[0]
    refusals = importlib.import_module(f"adapters.sandbox.{module}").REFUSALS
    assert set(re.findall(r"`(\w+)`", paragraph)) == set(refusals) | more


def test_the_control_is_as_it_is_written() -> None:
    rows = table(ROOT / "docs" / "sandbox.md", "Request")
    said = set()
    for row in rows:
        method, path = re.findall(r"`(\w+) (/[^`]*)`", row)[0]
        said |= {(method, path)} | {(method, path.replace("/down", other)) for other in re.findall(r"`(/\w+)`", row)}
    routes = control.build([])._control().router.routes()
    real = {(one.method, one.resource.canonical) for one in routes if one.method != "HEAD" and one.resource}
    assert said == real


def test_platforms_are_the_faces() -> None:
    assert set(PLATFORMS) == set(control.FACES) == set(wiring.platforms())

"""The rules of the house as functions from source to offences, so that each can be shown to bite."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("gateway", "adapters", "policies")
FOLDERS = {".ci", "adapters", "bench", "docs", "examples", "gateway", "policies", "script", "tests"}
FOUR_FILES = {"adapter.py", "translate.py", "profile.py", "quality.toml"}
NO_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
LIBRARIES = {  # each platform's client library; a test holds the names against the entry points
    "x": {"tweepy"},
    "discord": {"discord"},
    "telegram": {"telegram"},
    "bluesky": {"atproto", "atproto_client", "atproto_core", "atproto_identity", "atproto_server"},
    "mastodon": {"mastodon"},
}
PLATFORMS = tuple(LIBRARIES)
TIMELESS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "asyncio": {"sleep"},
}

_PLATFORM_NAMES = {"twitter", *PLATFORMS, *set().union(*LIBRARIES.values())} - {"x"}  # a letter that means other things
_PLATFORM_WORD = re.compile(rf"\b({'|'.join(sorted(_PLATFORM_NAMES))})\b", re.IGNORECASE)
_UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
_NOTES = re.compile(r"facts/\w+\.md|\bfacts? page\b|(?:# ?|\")facts\b(?: \d|[,:;]|$)")
_MEASURED = re.compile(r"\b(?:process_time|thread_time|perf_counter)(?:_ns)?\(")
_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|farm|root|opt/(?:wheels|pyp[i])|(?:home|Users)/(?!ana\b)\w+)(?:/|\b)")
_REGISTRY = re.compile(
    r"pyp[i]\.org|pythonhos[t]ed|registry\.(?:n[p]mjs|yar[n]pkg)|(?:index|proxy)\.(?:crat[e]s|gol[a]ng)", re.IGNORECASE
)
_INDEX_OPTION = re.compile(r"^\s*(?:-i|-f|--index-url|--extra-index-url|--find-links|--trusted-host)\b", re.MULTILINE)


def tracked(pattern: str = "*") -> list[Path]:
    """Files of the repository, and those about to be added to it; relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def product() -> list[Path]:
    return [path for path in tracked("*.py") if path.parts[0] in PRODUCT]


def source(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Each function's name and its length in lines."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
            yield node.name, node.end_lineno - node.lineno + 1


def imported(text: str) -> set[str]:
    """Top-level packages a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def rooms(text: str) -> set[str]:
    """The rooms of this house that a module imports from, such as ``gateway.model`` and ``adapters.border``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{name.name}" for name in node.names}
    return {".".join(name.split(".")[:2]) for name in names if name.partition(".")[0] in PRODUCT}


def within(room: str) -> list[Path]:
    """The modules of a room, which is a folder or a module of its own."""
    folder = room.replace(".", "/")
    return tracked(f"{folder}/*.py") + tracked(f"{folder}.py")


def strangers(paths: Iterable[Path], allowed: set[str]) -> list[str]:
    """What these modules import besides what they may see."""
    return [f"{path}: {room}" for path in paths for room in sorted(rooms(source(path)) - allowed)]


def _lines(text: str, pattern: re.Pattern[str]) -> list[str]:
    return [f"{i}: {line.strip()[:90]}" for i, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


def names_a_platform(text: str) -> list[str]:
    return _lines(text, _PLATFORM_WORD)


def left_out(contracts: list[dict[str, Any]], platforms: Iterable[str]) -> list[str]:
    """Which platforms an import contract forgets that names others of them."""
    wanted = {f"adapters.{name}" for name in platforms}
    lists = [
        (contract["name"], set(contract[key]))
        for contract in contracts
        for key in ("modules", "source_modules", "forbidden_modules")
        if key in contract
    ]
    return [f"{name}: {gone}" for name, named in lists if named & wanted for gone in sorted(wanted - named)]


def cites_notes(text: str) -> list[str]:
    """Notes of our own that aren't in the repository, where a source should stand."""
    return _lines(text, _NOTES)


def is_unfinished(text: str) -> list[str]:
    return _lines(text, _UNFINISHED)


def measures_seconds(text: str) -> list[str]:
    """Waiting with a limit is another matter: it looks at ``monotonic``."""
    return _lines(text, _MEASURED)


def names_this_machine(text: str) -> list[str]:
    return _lines(text, _MACHINE_PATH) + _lines(text, _REGISTRY)


def names_an_index(text: str) -> list[str]:
    return _INDEX_OPTION.findall(text) + _lines(text, re.compile(r"://(?!\S*#egg)")) if text else []


def reads_time(text: str) -> list[str]:
    """Calls to a clock or to sleep, by attribute or by imported name."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr in TIMELESS.get(_owner(node.value), ()):
            found.append(f"{node.lineno}: {_owner(node.value)}.{node.attr}")
        if isinstance(node, ast.ImportFrom):
            taken = {name.name for name in node.names} & TIMELESS.get(node.module or "", set())
            found += [f"{node.lineno}: from {node.module} import {name}" for name in sorted(taken)]
    return found


def _owner(node: ast.expr) -> str:
    """The last name before the dot: ``datetime`` of both ``datetime.now`` and ``datetime.datetime.now``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def foreign_libraries(platform: str, text: str) -> set[str]:
    """Client libraries of other platforms that an adapter's module imports; the sandbox has none of its own."""
    return imported(text) & (set().union(*LIBRARIES.values()) - LIBRARIES.get(platform, set()))

"""docs/adapters.md and CONTRIBUTING.md, followed to the letter by who writes an adapter."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model.secret import Secret
from gateway.ports import Adapter, Introduces, Platform

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def imports(text: str) -> list[tuple[str, str]]:
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom))
    return [(node.module or "", name.name) for node in nodes for name in node.names]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_what_is_imported_is_there(snippet: str) -> None:
    wrapped = "async def _():\n" + "".join(f" {line}\n" for line in snippet.splitlines())
    for module, name in imports(wrapped):
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def test_the_kit_is_where_the_page_says() -> None:
    named = re.search(r"`gateway\.testing` ships [^.]*", PAGE)
    assert named
    kit = importlib.import_module("gateway.testing")
    for name in re.findall(r"`([A-Z]\w+)`", named[0]):
        assert hasattr(kit, name), name


def test_the_profile_that_is_shown_can_be_used() -> None:
    shown: dict[str, Any] = {}
    exec(compile(SNIPPETS[0], "adapters.md", "exec", dont_inherit=True), shown)  # noqa: S102 - it is ours
    platform = shown["PLATFORM"]
    assert isinstance(platform, Platform)
    settings = msgspec.convert({"token": Secret("t")}, platform.settings, dec_hook=lambda _, value: value)
    assert settings.server
    assert platform.profile.lanes


def test_every_protocol_that_is_named_is_there() -> None:
    ports = importlib.import_module("gateway.ports")
    for name in re.findall(r"\(`([A-Z]\w+)`\)", PAGE):
        assert hasattr(ports, name), name
    assert Introduces.__name__ in PAGE
    members = [name for name in vars(Adapter) if not name.startswith("_")]
    assert len(members) == 6
    assert "six members" in PAGE


def test_every_folder_of_tests_is_named() -> None:
    (row,) = re.findall(r"^\| `tests/` \| (.*) \|$", CONTRIBUTING, re.MULTILINE)
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.rglob("test_*.py"))}
    assert set(re.findall(r"`(\w+)`", row)) == folders


def test_every_place_that_is_kept_by_hand_is_there() -> None:
    kept = re.findall(r"`(\w+)` in `([\w/.]+\.py)`", CONTRIBUTING)
    assert kept
    for name, path in kept:
        assert re.search(rf"^{name}\b.* = ", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), (name, path)

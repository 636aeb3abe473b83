"""Who may import whom: the contracts in pyproject.toml, and for adapters and policies all that they may see."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import house_rules as house
import pytest

from gateway import wiring

ADAPTERS_SEE = {"gateway.model", "gateway.ports", "gateway.text", "gateway.fetch"}
BEHIND = {"gateway.addresses", "gateway.duration"}
"""What those need themselves."""
LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache", *options], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_contracts_are_kept() -> None:
    done = lint(house.ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("platform", house.PLATFORMS)
def test_an_adapter_sees_the_model_the_ports_the_text_and_the_border(platform: str) -> None:
    own = f"adapters.{platform}"
    assert house.strangers(house.within(own), ADAPTERS_SEE | {own, "adapters.border"}) == []


def test_the_border_sees_no_more_than_adapters() -> None:
    assert house.strangers(house.within("adapters.border"), ADAPTERS_SEE) == []


def test_what_adapters_see_leads_no_further() -> None:
    seen = [path for room in sorted(ADAPTERS_SEE | BEHIND) for path in house.within(room)]
    assert house.strangers(seen, ADAPTERS_SEE | BEHIND) == []


def test_policies_know_the_model_alone() -> None:
    paths = house.tracked("policies/*.py")
    assert house.strangers(paths, {"gateway.model", *(f"policies.{path.stem}" for path in paths)}) == []


@pytest.mark.parametrize(
    ("line", "room"),
    [
        ("from gateway.vault import FileVault", "gateway.vault"),
        ("def f():\n    from gateway import seat", "gateway.seat"),
        ("import gateway.media.pictures", "gateway.media"),
        ("import gateway", "gateway"),
    ],
)
def test_a_strange_room_is_seen(line: str, room: str) -> None:
    assert house.rooms(line) - ADAPTERS_SEE == {room}


def test_the_contracts_forget_no_platform() -> None:
    contracts = tomllib.loads(house.source(Path("pyproject.toml")))["tool"]["importlinter"]["contracts"]
    assert house.left_out(contracts, wiring.platforms()) == []


def test_a_forgotten_platform_is_seen() -> None:
    contracts = [
        {"name": "apart", "modules": ["adapters.x", "adapters.discord"]},
        {"name": "below", "source_modules": ["adapters.x"], "forbidden_modules": ["gateway"]},
    ]
    assert house.left_out(contracts, ["x", "discord"]) == ["below: adapters.discord"]


def test_a_broken_contract_is_seen(tmp_path: Path) -> None:
    for package, text in (("lower", "import upper\n"), ("upper", "")):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(text)
    (tmp_path / "setup.cfg").write_text(
        "[importlinter]\nroot_packages =\n    lower\n    upper\n"
        "[importlinter:contract:1]\nname = one way\ntype = forbidden\n"
        "source_modules =\n    lower\nforbidden_modules =\n    upper\n"
    )
    done = lint(tmp_path, "--config", "setup.cfg")
    assert done.returncode != 0
    assert "one way" in done.stdout

"""Who may import whom: the contracts in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import house_rules as house

LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache", *options], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_contracts_are_kept() -> None:
    done = lint(house.ROOT)
    assert done.returncode == 0, done.stdout


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

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from core_rig import World

from gateway.model.ids import AccountId


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., World]:
    """Makes a world with these accounts."""

    def made(*accounts: AccountId) -> World:
        return World(tmp_path, *accounts)

    return made

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from core_rig import World

from gateway.model.ids import AccountId


class Worlds:
    """Makes a world with these accounts; each has a disk of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def __call__(self, *accounts: AccountId) -> World:
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        return World(folder, *accounts)


@pytest.fixture
def world(tmp_path: Path) -> Worlds:
    return Worlds(tmp_path)

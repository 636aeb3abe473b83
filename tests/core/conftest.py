from __future__ import annotations

from pathlib import Path

import pytest
from core_rig import Worlds


@pytest.fixture
def world(tmp_path: Path) -> Worlds:
    return Worlds(tmp_path)

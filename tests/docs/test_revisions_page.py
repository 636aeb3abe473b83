"""docs/revisions.md: its tables say what the profiles and the configuration do."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.model.capabilities import Feature, Support
from gateway.model.manner import Correction
from gateway.wiring import platforms

PAGE = (Path(__file__).parents[2] / "docs" / "revisions.md").read_text(encoding="utf-8")
WORDS = {Support.FULL: "yes", Support.PARTIAL: "in part"}
CHANGES = (Feature.EDIT, Feature.DELETE, Feature.REACT, Feature.REPOST)


def test_the_table_says_what_the_profiles_say() -> None:
    told = {name: [WORDS.get(one.profile.support(what), "no") for what in CHANGES] for name, one in platforms().items()}
    rows = re.findall(r"^\| (\w+) \| ([\w ]+) \| ([\w ]+) \| ([\w ]+) \| ([\w ]+) \|$", PAGE, re.MULTILINE)
    assert {name: cells for name, *cells in rows if name != "Platform"} == told


def test_each_manner_of_correction_has_its_row() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)[1:] == list(Correction)

"""Each adapter's quality file answers every rule; nothing is put off in a release."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import house_rules as house
import pytest

RULES = {
    "receives_mention",
    "receives_reply",
    "receives_group",
    "receives_direct",
    "sends_post",
    "sends_reply",
    "sends_thread",
    "sends_direct",
    "sends_image",
    "deletes",
    "edits",
    "reacts",
    "shows_typing",
    "checks_read_only",
    "reconciles",
    "backfills",
    "faults_tabled",
    "survives_malformed_event",
    "secrets_hidden",
}


def complaints(text: str) -> list[str]:
    """What is wrong with a quality file."""
    rules: dict[str, Any] = tomllib.loads(text).get("rules", {})
    wrong = [f"{name}: missing" for name in sorted(RULES - rules.keys())]
    wrong += [f"{name}: no such rule" for name in sorted(rules.keys() - RULES)]
    return wrong + [f"{name}: {why}" for name, answer in rules.items() if (why := _why_not(answer))]


def _why_not(answer: Any) -> str:
    if answer == "done":
        return ""
    if not isinstance(answer, dict) or set(answer) != {"status", "reason"}:
        return "wants done, or a status and a reason"
    if answer["status"] != "exempt":
        return f"{answer['status']}: not in a release"
    return "" if str(answer["reason"]).strip() else "a reason is wanted"


@pytest.mark.parametrize("platform", house.PLATFORMS)
def test_every_rule_is_answered(platform: str) -> None:
    assert complaints(house.source(Path("adapters", platform, "quality.toml"))) == []


GOOD = "[rules]\n" + "".join(f'{name} = "done"\n' for name in sorted(RULES))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD.replace('edits = "done"\n', ""), "edits: missing"),
        (GOOD + 'flies = "done"\n', "flies: no such rule"),
        (GOOD.replace('edits = "done"', 'edits = "nearly"'), "edits: wants"),
        (GOOD.replace('edits = "done"', 'edits = { status = "exempt" }'), "edits: wants"),
        (GOOD.replace('edits = "done"', 'edits = { status = "exempt", reason = " " }'), "edits: a reason"),
        (GOOD.replace('edits = "done"', 'edits = { status = "todo", reason = "soon" }'), "edits: todo"),
    ],
)
def test_a_bad_file_is_seen(text: str, complaint: str) -> None:
    assert complaints(GOOD) == []
    (found,) = complaints(text)
    assert found.startswith(complaint)

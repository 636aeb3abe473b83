"""`multihome demo`: sets the stage in a temporary folder, plays, counts, and judges."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.commands.serve import RunError
from gateway.commands.trial import toml
from gateway.demo.stage import Stage, StageError
from gateway.demo.story import FAULTS, Story, Wishes
from gateway.demo.view import View

READY_TIMEOUT_S = 30.0
ZERO = ("lost", "doubled", "out_of_order", "sent_while_suspended")
"""What must be nought for the demonstration to have succeeded."""


def demonstrate(wishes: dict[str, Any], *, as_json: bool) -> int:
    """Play it; returns the exit code: 0 when nothing was lost, doubled, out of order or sent while suspended."""
    if wishes["fault"] not in FAULTS:
        raise RunError(f"there is no fault {wishes['fault']!r}; there are: {', '.join(FAULTS)}")
    view = View(Console(stderr=as_json), quiet=as_json)
    try:
        result = asyncio.run(_play(wishes, view))
    except StageError as error:
        raise RunError(str(error)) from error
    if as_json:
        print(json.dumps(result), flush=True)  # noqa: T201 - it is the output
    else:
        view.result(result)
    return 0 if succeeded(result) else 1


def succeeded(result: dict[str, Any]) -> bool:
    return not any(result[key] for key in ZERO) and result["replies_seen"] == result["replies_expected"]


async def _play(asked: dict[str, Any], view: View) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="multihome-demo-") as folder:
        async with Stage(Path(folder)) as stage:
            await stage.open_sandbox()
            asked["suspend"] = asked["suspend"] or next(iter(stage.networks))
            if asked["suspend"] not in stage.networks:
                raise StageError(f"there is no network {asked['suspend']!r}; there are: {', '.join(stage.networks)}")
            wishes = Wishes(**asked)
            _write_config(stage, wishes)
            view.tell(f"five networks are up: {', '.join(stage.networks)}")
            await stage.open_gateway()
            if not await stage.until_healthy([f"{name}/main" for name in stage.networks], READY_TIMEOUT_S):
                sys.stderr.write((Path(folder) / "gateway.log").read_text()[-2000:])
                raise StageError("not every account became healthy in time; the gateway's last words are above")
            view.tell("the gateway is connected to all of them, the agent listens")
            story = Story(stage, wishes, view.tell)
            async with view.live(stage):
                await story.play()
            return await story.result()


def _write_config(stage: Stage, wishes: Wishes) -> None:
    """What an operator would write, with short pauses: a demonstration has no half-hours to wait."""
    others = [f"{name}/main" for name in stage.networks if name != wishes.suspend]
    tables: list[tuple[str, dict[str, Any]]] = [
        (
            "[gateway]",
            {
                "database": "sqlite:///multihome.db",
                "probe_first_s": 0.3,
                "probe_longest_s": 2.0,
                "ramp_s": 0.05,
                "health_check_s": 30.0,
            },
        ),
        *(("[[accounts]]", {"rate_factor": 1000.0, **one["settings"]}) for one in stage.networks.values()),
        (
            "[[routes]]",
            {
                "from": f"{wishes.suspend}/main",
                "when": ["suspended", "locked", "signed_out"],
                "divert_to": others,
                "conversations": "person",
                "announce": True,
                "hold_at_most": "7d",
            },
        ),
        ("[media]", {"cards": False}),
        ("[agent]", {"handler": "gateway.demo.hello:reply"}),
    ]
    (stage.folder / "multihome.toml").write_text(toml(tables))

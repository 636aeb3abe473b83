"""Measures the gateway beside the bare libraries and ready-made queues, in one run. See docs/performance.md.

script/bench [--json] [--quick] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform as system
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import measures
import volume
from cores import count
from house import PLATFORMS
from measures import Effort
from report import as_data, table
from stage import RIVALS, Stage

QUICK = Effort(
    rounds=3,
    seconds=0.4,
    queue_s=1.0,
    echoes=50,
    starts=2,
    failovers=2,
    history=50_000,
    backlog=10_000,
    accounts=1_000,
    idle_s=3.0,
)
MEASURES: dict[str, Callable[[Stage, Effort], Awaitable[dict[str, Any]]]] = {
    "rendering": volume.rendering,
    "accepted": volume.accepted,
    "dbos": volume.dbos,
    "procrastinate": volume.procrastinate,
    "processes": volume.processes,
    "history": volume.history,
    "backlog": volume.backlog,
    "idle": volume.idle,
    "failover": measures.failover,
    "starts": measures.starts,
}
NAMES = (*PLATFORMS, "replies", *MEASURES)


async def run(effort: Effort, names: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"platforms": {}, "replies": {}}
    weather = [(os.getloadavg()[0], measures.flush_ms())]
    async with Stage() as stage:
        for name in (name for name in names if name in PLATFORMS):
            say(f"{name}: sends, bare and through the gateway")
            found["platforms"][name] = await measures.sends(stage, name, effort)
            say(f"  {found['platforms'][name]}")
        for name in ("telegram", "discord") if "replies" in names else ():
            say(f"{name}: replies, native bot and gateway")
            found["replies"][name] = await measures.replies(stage, name, effort)
            say(f"  {found['replies'][name]}")
        for name in (name for name in names if name in MEASURES):
            say(name)
            figures = await MEASURES[name](stage, effort)
            say(f"  {figures}")
            found |= figures
    weather.append((os.getloadavg()[0], measures.flush_ms()))
    found["load"], found["flush_ms"] = ([round(one, 2) for one in kind] for kind in zip(*weather, strict=True))
    return found | {"machine": machine(), "marks": as_data(found)}


def machine() -> dict[str, Any]:
    """What it was measured on, without names."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    cpu = models[0].partition(":")[2].strip() if models else system.processor()
    return {"system": system.system(), "cpu": cpu, "cores": count(), "python": system.python_version()}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, last line")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a look, not a measurement")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), help="sends of these, and these")
    options = parser.parse_args()
    if {"dbos", "procrastinate"} & {*options.only} and not RIVALS.exists():
        parser.error("the queues to compare with are not installed: start script/bench, which does it")
    found = asyncio.run(run(QUICK if options.quick else Effort(), tuple(options.only)))
    print(json.dumps(found) if options.json else table(found))


if __name__ == "__main__":
    main()

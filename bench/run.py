"""Measures the gateway beside the bare libraries, in one run. See docs/performance.md.

script/bench [--json] [--quick] [--only PLATFORM ...]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform as system
import sys
from pathlib import Path
from typing import Any

import measures
from house import PLATFORMS
from measures import Effort
from report import as_data, table
from stage import Stage

QUICK = Effort(rounds=3, seconds=0.4, echoes=50, starts=2, failovers=2)


async def run(effort: Effort, platforms: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"platforms": {}, "reply_added_ms": {}}
    weather = [(os.getloadavg()[0], measures.flush_ms())]
    async with Stage() as stage:
        for name in platforms:
            say(f"{name}: sends, bare and through the gateway")
            found["platforms"][name] = await measures.sends(stage, name, effort)
            say(f"  {found['platforms'][name]}")
        for name in ("telegram", "discord"):
            say(f"{name}: replies, native bot and gateway")
            found["reply_added_ms"][name] = await measures.replies(stage, name, effort)
            say(f"  {found['reply_added_ms'][name]}")
        say("drafts accepted")
        accepted = await measures.accepted(stage, effort)
        found["accepted_drafts_per_s"] = round(accepted["per_s"])
        found["accepted_cpu_ms"] = round(accepted["cpu_ms"], 4)
        say("failover")
        found["failover_seconds"] = await measures.failover(stage, effort)
        say("starts")
        found |= await measures.starts(stage, effort)
    weather.append((os.getloadavg()[0], measures.flush_ms()))
    found["load"], found["flush_ms"] = ([round(one, 2) for one in kind] for kind in zip(*weather, strict=True))
    return found | {"machine": machine(), "marks": as_data(found)}


def machine() -> dict[str, Any]:
    """What it was measured on, without names."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    cpu = models[0].partition(":")[2].strip() if models else system.processor()
    return {"system": system.system(), "cpu": cpu, "cores": cores, "python": system.python_version()}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, last line")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a look, not a measurement")
    parser.add_argument("--only", nargs="+", choices=PLATFORMS, default=list(PLATFORMS), help="sends of these only")
    options = parser.parse_args()
    found = asyncio.run(run(QUICK if options.quick else Effort(), tuple(options.only)))
    print(json.dumps(found) if options.json else table(found))


if __name__ == "__main__":
    main()

"""The demonstration, as a person runs it: processes of their own, counted from the networks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import pytest

KEYS = {
    "seed", "suspended", "fault", "kills", "accepted", "delivered", "diverted", "held", "expired", "lost", "doubled",
    "out_of_order", "sent_while_suspended", "replies_expected", "replies_seen", "failover_seconds", "returned",
    "per_platform",
}  # fmt: skip


async def demo(*options: str) -> tuple[int, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from gateway.cli import main; main()", "demo", "--json", "--messages", "6", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=dict(os.environ),
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    assert out, err.decode()
    return process.returncode, json.loads(out.splitlines()[-1])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("suspended", ["x", "telegram"])
async def test_nothing_is_lost_or_doubled_though_the_gateway_is_killed_twice(suspended: str) -> None:
    code, result = await demo("--kill", "--suspend", suspended)
    assert set(result) >= KEYS
    assert (code, result["lost"], result["doubled"], result["out_of_order"]) == (0, 0, 0, 0)
    assert result["kills"] == 2
    assert result["returned"]
    assert result["diverted"] > 0


@pytest.mark.timeout(180)
async def test_an_outage_diverts_nothing_and_all_comes_home() -> None:
    code, result = await demo("--suspend", "mastodon", "--fault", "outage")
    assert (code, result["lost"], result["diverted"], result["failover_seconds"]) == (0, 0, 0, None)
    assert result["held"] > 0


@pytest.mark.timeout(180)
async def test_a_suspension_fails_over_within_a_second() -> None:
    code, result = await demo("--suspend", "bluesky", "--fault", "locked")
    assert code == 0
    assert result["failover_seconds"] < 1.0

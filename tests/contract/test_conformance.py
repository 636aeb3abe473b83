"""Every adapter that is installed passes the conformance suite on its platform's sandbox face."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from importlib.metadata import entry_points

import pytest
from conformance_rig import FAULTS, SandboxRig, platform_named

from adapters.sandbox.control import serve
from gateway.testing.conformance import Conformance

NAMES = sorted(point.name for point in entry_points(group="multihome.adapters"))


@pytest.fixture(params=NAMES)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[SandboxRig]:
    platform = platform_named(request.param)
    gc.freeze()  # what was there before need not be looked through
    made = SandboxRig(platform, await serve(names=[platform.name]))
    yield made
    await made.close()
    gc.collect()  # what was left open complains here, in the test that left it
    gc.unfreeze()


class TestConformance(Conformance):
    """The shipped suite as it is."""


def test_every_platform_is_here() -> None:
    assert set(NAMES) >= set(FAULTS)

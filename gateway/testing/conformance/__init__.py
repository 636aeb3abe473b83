"""The suite every adapter passes. For authors of adapters; needs pytest and pytest-asyncio.

Write a fixture ``rig`` (see :class:`Rig`) that puts your adapter on a network you can trouble, and subclass::

    from gateway.testing.conformance import Conformance


    class TestMyAdapter(Conformance):
        pass

The classes are split by what they look at; ``Conformance`` is all of them.
"""

from __future__ import annotations

import pytest

_PARTS = ("rig", "planning", "sending", "failing", "standing", "receiving", "acting", "showing", "hygiene")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from gateway.testing.conformance.acting import Acting  # noqa: E402  # after the rewrite is registered
from gateway.testing.conformance.failing import Failing  # noqa: E402
from gateway.testing.conformance.hygiene import Hygiene  # noqa: E402
from gateway.testing.conformance.planning import Planning  # noqa: E402
from gateway.testing.conformance.receiving import Receiving  # noqa: E402
from gateway.testing.conformance.rig import Held, Rig  # noqa: E402
from gateway.testing.conformance.sending import Sending  # noqa: E402
from gateway.testing.conformance.showing import Showing  # noqa: E402
from gateway.testing.conformance.standing import Standing  # noqa: E402


@pytest.mark.asyncio
class Conformance(Planning, Sending, Failing, Standing, Receiving, Acting, Showing, Hygiene):
    """Everything."""


__all__ = [
    "Acting",
    "Conformance",
    "Failing",
    "Held",
    "Hygiene",
    "Planning",
    "Receiving",
    "Rig",
    "Sending",
    "Showing",
    "Standing",
]

"""The suite every engine of the store passes. Needs pytest and pytest-asyncio.

Write a fixture ``store`` that gives an open, empty store of the default workspace, and subclass. Where the engine lets
others use the database too, the fixture has tended :data:`gateway.testing.store_drafts.ACCOUNTS` first::

    from gateway.testing.store_conformance import StoreConformance


    class TestMyEngine(StoreConformance):
        pass
"""

from __future__ import annotations

import sys

import pytest

_PARTS = ("drafts", "outbox", "diversions", "revisions", "inbox", "people", "fellows", "gateways")
_modules = [f"gateway.testing.store_{part}" for part in _PARTS]
pytest.register_assert_rewrite(*(name for name in _modules if name not in sys.modules))

from gateway.testing.store_diversions import DiversionConformance  # noqa: E402  # after the rewrite is registered
from gateway.testing.store_fellows import FellowConformance  # noqa: E402
from gateway.testing.store_inbox import InboxConformance  # noqa: E402
from gateway.testing.store_outbox import OutboxConformance  # noqa: E402
from gateway.testing.store_people import PeopleConformance  # noqa: E402
from gateway.testing.store_revisions import RevisionConformance  # noqa: E402


@pytest.mark.asyncio
class StoreConformance(
    OutboxConformance,
    DiversionConformance,
    RevisionConformance,
    InboxConformance,
    PeopleConformance,
    FellowConformance,
):
    """Everything."""

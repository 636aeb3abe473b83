"""From a neutral draft to the native parts of one account."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from gateway.model.delivery import Draft, FaultError, FaultKind, Part
from gateway.model.ids import AccountId
from gateway.ports import Adapter, Clock

log = logging.getLogger("multihome.outbox")


class Planner:
    """Asks the adapter. No two plans have the same hour."""

    def __init__(self, account: AccountId, adapter: Adapter, clock: Clock) -> None:
        self._account = account
        self._adapter = adapter
        self._clock = clock
        self._last_at = datetime.min.replace(tzinfo=UTC)

    def parts(self, draft: Draft) -> tuple[Part, ...] | str:
        """The parts, or why the account can't carry the draft."""
        self._last_at = max(self._clock.now(), self._last_at + timedelta(microseconds=1))
        try:
            parts = self._adapter.plan(draft, self._last_at)
        except FaultError as error:
            return f"{error.fault.kind}: {error.fault.evidence}"
        except Exception as error:
            log.exception("%s: planning %s failed", self._account, draft.id)
            return f"{FaultKind.UNKNOWN}: planning failed with {type(error).__name__}"
        return parts or f"{FaultKind.INVALID}: nothing of it can be said here"

"""Whether a gateway runs, as far as a command finds out, and how people are told."""

from __future__ import annotations

from enum import StrEnum


class Runs(StrEnum):
    HERE = "The gateway is running"
    ELSEWHERE = "No gateway runs here"
    """But others share the database, and hear of what is asked for."""
    NOWHERE = "No gateway runs"

    @property
    def here(self) -> bool:
        return self is Runs.HERE

    @property
    def whose(self) -> str:
        """Whose knowledge is shown."""
        return f"{self}." if self.here else f"{self}: this is what the database knows."

    def promise(self, started: str, elsewhere: str) -> str:
        """What becomes of what was asked for: when a gateway is ``started``, or by one that runs ``elsewhere``."""
        when = elsewhere if self is Runs.ELSEWHERE else f"{started} when one is started (multihome run)"
        return f"{self}: {when}."

"""What PostgreSQL says when it can't, in one line with the cure. Knows its errors by their codes alone."""

from __future__ import annotations

LOST = "the connection to the database broke: it is made anew, ask again"
CURES = {
    "08": LOST,
    "25006": "the database only reads: it is a copy, or was told to; name the primary one in `database`",
    "25P03": LOST,
    "40": "others were in the way again and again: ask again",
    "42501": "the database can't be written: give this user the right to, and let them own the tables",
    "42P01": "the database lost a table of ours: restore a backup",
    "53100": "the disk is full: nothing of this was written; free some space and it goes on",
    "53": "the database has no memory or connections left: look at its settings",
    "55P03": "others were in the way for too long: ask again",
    "57014": "the database took too long to answer: look at its load, and ask again",
    "57": "the database is stopping or starting: it goes on once it is back",
    "58": "the disk failed under the database: look at its log before anything else",
    "XX": "the database is damaged: stop, look at its log, and restore a backup",
}
CONNECTION = ("OperationalError", "InterfaceError")
"""Without a code it is these that tell of a lost connection."""


def is_postgres(error: BaseException) -> bool:
    return hasattr(error, "sqlstate")


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, or about to be."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        return type(error).__name__ in CONNECTION
    return state.startswith(("08", "57P")) or state == "25P03"


def cure(error: BaseException) -> str | None:
    """None for what is the operation's own fault."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        return LOST if type(error).__name__ in CONNECTION else None
    return CURES.get(state) or CURES.get(state[:2])

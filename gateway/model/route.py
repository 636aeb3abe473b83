"""A route: what the operator wants done when an account can't be used."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from msgspec import Struct

from gateway.model.ids import AccountId
from gateway.model.standing import Standing


class Route(Struct, frozen=True):
    """From one account to others, for the standings in ``when``.

    Public posts take the first account of ``divert_to`` that can send. ``conversations`` says whether a
    conversation goes on with the same person elsewhere (where a link and a way to them exist) or is held.
    ``notice`` is the operator's words for the announcement; ``None`` leaves them to the gateway.
    Whatever is held longer than ``hold_at_most`` expires.
    """

    source: AccountId
    when: frozenset[Standing]
    divert_to: tuple[AccountId, ...] = ()
    conversations: Literal["person", "hold"] = "hold"
    announce: bool = False
    notice: str | None = None
    hold_at_most: timedelta = timedelta(days=7)

"""What policies are told. Everything a decision needs, gathered beforehand, so that deciding is pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from gateway.model.capabilities import Lane
from gateway.model.delivery import Draft, InConversation
from gateway.model.events import MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, MessageRef
from gateway.model.route import Route
from gateway.model.standing import Record


class InboundFacts(Struct, frozen=True):
    """A message came in. ``own`` are the identities of all our accounts, as (platform, id)."""

    message: MessageReceived
    own: frozenset[tuple[str, str]] = frozenset()


class Road(Struct, frozen=True):
    """Another account that a route names, and what it could do for this draft.

    ``identity`` is who the draft's person is there, by a proven link; ``open`` is a conversation with them of the right
    privacy, ``answering`` the message of theirs in it.
    """

    account: AccountId
    can_send: bool
    has_own_copy: bool = False
    """The same announcement goes out there on its own: a diverted copy would say it twice."""
    identity: Identity | None = None
    open: InConversation | None = None
    answering: MessageRef | None = None
    mentions_anyone: bool = False
    writes_anyone: bool = False


class OutboundFacts(Struct, frozen=True):
    """A draft wants to leave. ``record`` is the standing of its account, None when there is no such account."""

    draft: Draft
    record: Record | None
    route: Route | None = None
    roads: tuple[Road, ...] = ()


class NoticeFacts(Struct, frozen=True):
    """An account was lost: should the others say so?"""

    record: Record
    route: Route | None
    others: tuple[Record, ...]


class LinkFacts(Struct, frozen=True):
    """Two identities are claimed to be one person."""

    first: Identity
    second: Identity
    evidence: str
    at: datetime


class WindowFacts(Struct, frozen=True):
    """One rate window: when its recent parts left (oldest first), and what the platform last said of it."""

    lane: Lane
    taken_unix_s: Sequence[float]
    remaining: int | None = None
    reset_at_unix_s: float = 0.0

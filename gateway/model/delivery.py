"""What leaves: the neutral draft, its native parts, and what became of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from gateway.model.capabilities import LaneState
from gateway.model.content import Document
from gateway.model.identity import Identity
from gateway.model.ids import (
    AccountId,
    AnnouncementId,
    ConversationId,
    DeliveryId,
    DraftId,
    MessageRef,
    WorkspaceId,
)


class Timeline(Struct, frozen=True, tag="timeline"):
    """The account's own public place: its profile, or the channel its settings name."""


class InConversation(Struct, frozen=True, tag="conversation", omit_defaults=True):
    """An existing conversation of the account."""

    conversation: ConversationId
    private: bool = False


class ToPerson(Struct, frozen=True, tag="person", omit_defaults=True):
    """A person the account has no conversation with yet: a public mention, or a DM where ``private``."""

    identity: Identity
    private: bool = False


Target = Timeline | InConversation | ToPerson


class Visibility(StrEnum):
    """Who can see a post on the account's own timeline."""

    USUAL = ""
    """As the account's settings say."""
    PUBLIC = "public"
    UNLISTED = "unlisted"
    """For everybody, but not in public lists."""
    FOLLOWERS = "followers"


class Repliers(StrEnum):
    """Who may reply to a post."""

    EVERYONE = ""
    FOLLOWED = "followed"
    """Those whom the account follows, and those the post mentions."""
    MENTIONED = "mentioned"
    NOBODY = "nobody"


class Detour(Struct, frozen=True, omit_defaults=True):
    """What a diverted draft was at home, and what was put before its words: so that it can go back."""

    target: Target
    in_reply_to: MessageRef | None = None
    preface: str = ""


class Change(StrEnum):
    """What is done to a message that is there. Also the kinds of the parts that do it: each may be repeated."""

    EDIT = "edit"
    DELETE = "delete"
    REACT = "react"
    REPOST = "repost"


CHANGES: frozenset[str] = frozenset(Change)


class Revises(Struct, frozen=True, omit_defaults=True):
    """What a draft changes, by the account that said it: all messages of a ``delivery`` that are there, or reacts to
    one ``message``, anybody's. It takes no other road.
    """

    change: Change
    delivery: DeliveryId = DeliveryId("")
    number: int = 0
    """How many changes of that delivery on that account came before."""
    message: MessageRef | None = None
    reaction: str = ""
    anew: bool = False
    """The platform turned an edit down: on as where nothing can be edited."""


class Draft(Struct, frozen=True, omit_defaults=True):
    """Something to say, on no platform's terms.

    ``key`` is unique in the workspace: a second draft with the same key is the first one.
    ``with_person`` is who a conversation is with, so that it can go on elsewhere. ``copies`` are the accounts that get
    the same announcement in their own right. ``account`` stays the home while a ``detour`` leads elsewhere, and
    ``refused_by`` are the accounts that would not carry it, and ``been_on`` those whose road it left again.
    """

    id: DraftId
    workspace: WorkspaceId
    account: AccountId
    target: Target
    document: Document
    created_at: datetime
    key: str
    in_reply_to: MessageRef | None = None
    with_person: Identity | None = None
    announcement: AnnouncementId | None = None
    copies: tuple[AccountId, ...] = ()
    closed: bool = False
    """Said among the members of a group or between two: whatever road it takes, it never goes out in public."""
    detour: Detour | None = None
    refused_by: tuple[AccountId, ...] = ()
    been_on: tuple[AccountId, ...] = ()
    expires_at: datetime | None = None
    visibility: Visibility = Visibility.USUAL
    repliers: Repliers = Repliers.EVERYONE
    numbered: bool = False
    """The parts of a thread say which they are: "2/4"."""
    canonical_url: str = ""
    """Where the whole of it can be read, for accounts that show only its beginning."""
    revises: Revises | None = None
    """It says nothing new but changes what is there; an edit's ``document`` is the new text."""


class Part(Struct, frozen=True, omit_defaults=True):
    """One request to the platform, frozen before it is made.

    ``body`` is JSON the adapter alone understands; ``key`` makes a repeat harmless where the platform has one.
    ``rest`` is this part's slice of the draft, kept so that unsent slices can take another road; ``number`` is what
    readers see below it of a numbered thread, such as "2/4".
    ``previous`` and ``first`` are filled in by the outbox just before the send: the messages this part follows.
    """

    index: int
    kind: str
    key: str
    body: dict[str, Any]
    conversation: str = ""
    rest: Document | None = None
    number: str = ""
    previous: MessageRef | None = None
    first: MessageRef | None = None
    notes: tuple[str, ...] = ()
    """On the first part: what of the draft is carried otherwise than it was meant, for people to read."""


class Shown(Struct, frozen=True, omit_defaults=True):
    """How a part will look, for people: what :class:`gateway.ports.Previews` tells."""

    text: str
    """As a reader sees it, or in the platform's markup where it has one."""
    length: int
    """By the platform's own measure, ``unit``; ``limit`` is what it allows."""
    limit: int
    unit: str
    media: tuple[str, ...] = ()
    """A line for each: kind, type, size, alt text."""
    extras: tuple[str, ...] = ()
    """A line for each of poll, content warning, quote, reply control, card and the like."""
    cost_usd: float | None = None
    """What the platform charges for it by its price list."""


class Receipt(Struct, frozen=True, omit_defaults=True):
    """The platform has it. ``lanes`` is what its answer said of the rate windows."""

    ref: MessageRef
    at: datetime
    url: str | None = None
    lanes: tuple[LaneState, ...] = ()


class FaultKind(StrEnum):
    """Why something did not work, in words the outbox, the monitor and people act on."""

    NETWORK = "network"
    """Not reached, or the connection broke."""
    SERVER = "server"
    """The platform answered with an error of its own (5xx, maintenance)."""
    RATE_LIMITED = "rate_limited"
    """Too fast; ``retry_at`` says when to come back where the platform told."""
    QUOTA = "quota"
    """Credits, spend or monthly cap are used up: a human pays or waits."""
    SIGNED_OUT = "signed_out"
    """The credential is refused: revoked, expired beyond refresh, wrong."""
    SUSPENDED = "suspended"
    LOCKED = "locked"
    """The platform wants a human to unlock, verify or reactivate the account."""
    FORBIDDEN = "forbidden"
    """Refused without saying whether it is the account or the action: only a probe may judge."""
    TARGET_REFUSED = "target_refused"
    """This recipient, channel or thread doesn't take it; the account is well."""
    TARGET_GONE = "target_gone"
    MOVED = "moved"
    """The conversation has another id now: ``moved_to``."""
    DUPLICATE = "duplicate"
    """The platform says it has this text already: maybe from us."""
    TOO_LONG = "too_long"
    INVALID = "invalid"
    """The content is refused and would be again."""
    MEDIA = "media"
    MEDIA_PENDING = "media_pending"
    CONFIG = "config"
    """Missing scope, intent or permission: the operator must change something."""
    CONFLICT = "conflict"
    """Somebody else holds this account's connection."""
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """No rule knew it. Never certain."""


class Fault(Struct, frozen=True, omit_defaults=True):
    """Something did not work. ``certain`` means: provably nothing was sent."""

    kind: FaultKind
    certain: bool
    evidence: str
    """One line for people: status, code and the platform's words, without secrets."""
    retry_at: datetime | None = None
    moved_to: ConversationId | None = None
    lanes: tuple[LaneState, ...] = ()


class FaultError(Exception):
    """How a :class:`Fault` travels up from an adapter."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.kind}: {fault.evidence}")
        self.fault = fault


def refused(kind: FaultKind, why: str) -> FaultError:
    """A fault of our own finding, before anything was sent."""
    return FaultError(Fault(kind, True, why))


class State(StrEnum):
    """Where a delivery stands. See :data:`TRANSITIONS`."""

    WAITING = "waiting"
    """Behind an earlier one of the same conversation or thread."""
    QUEUED = "queued"
    """Goes out as soon as it is due and the rate windows allow."""
    SENDING = "sending"
    """Claimed: a request may be under way."""
    UNCERTAIN = "uncertain"
    """Maybe sent. Asked about when due; without a due time it waits for the operator."""
    HELD = "held"
    """The account can't be used and no other road is allowed: goes out on return."""
    DELIVERED = "delivered"
    REFUSED = "refused"
    EXPIRED = "expired"


FINAL = frozenset({State.DELIVERED, State.REFUSED, State.EXPIRED})

TRANSITIONS: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.QUEUED, State.HELD, State.EXPIRED, State.REFUSED}),
    State.QUEUED: frozenset({State.SENDING, State.WAITING, State.HELD, State.EXPIRED, State.REFUSED}),
    State.SENDING: frozenset(
        {State.SENDING, State.QUEUED, State.DELIVERED, State.UNCERTAIN, State.REFUSED, State.HELD, State.EXPIRED}
    ),
    State.UNCERTAIN: frozenset({State.UNCERTAIN, State.QUEUED, State.DELIVERED, State.REFUSED, State.SENDING}),
    State.HELD: frozenset({State.QUEUED, State.WAITING, State.EXPIRED, State.REFUSED}),
    State.DELIVERED: frozenset(),
    State.REFUSED: frozenset(),
    State.EXPIRED: frozenset(),
}


RESENT = "resent although maybe sent"
"""What a delivery that may be there twice says of itself, to its end."""


def marked(before: str, now: str) -> str:
    """A delivery's new reason. That it may be there twice is never forgotten, whatever happens to it later."""
    if not before.startswith(RESENT) or now.startswith(RESENT):
        return now
    return f"{RESENT}: {now}" if now else RESENT


class Delivery(Struct, frozen=True, omit_defaults=True):
    """One draft on its way to one account. ``home`` is where it was meant for, ``account`` where it goes now."""

    seq: int
    id: DeliveryId
    workspace: WorkspaceId
    account: AccountId
    home: AccountId
    order_key: str
    state: State
    due_at: datetime | None
    draft: Draft
    created_at: datetime
    parts: tuple[Part, ...] | None = None
    """The frozen plan; ``None`` until the first claim."""
    sent: tuple[Receipt, ...] = ()
    """Receipts of the current plan's first parts, in order."""
    attempts: int = 0
    reason: str = ""
    expires_at: datetime | None = None

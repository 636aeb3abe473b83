"""The seam to the database: what is written down of both roads, and the operations on it.

What it promises is held by :mod:`gateway.testing.store_conformance`, for any engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from gateway.amends import Amends
from gateway.model.delivery import Delivery, Draft, Part, Receipt, State
from gateway.model.events import PlatformEvent
from gateway.model.identity import Identity, Link, Person
from gateway.model.ids import AccountId, AnnouncementId, ConversationId, DeliveryId, MessageRef
from gateway.model.standing import Record
from gateway.unanswered import StoredEvent, Unanswered


class NewDelivery(Struct, frozen=True):
    """A delivery about to enter the outbox. ``state`` is QUEUED, HELD or REFUSED; the store makes a QUEUED one WAITING
    when an earlier one of the same ``order_key`` is still open.

    ``parts`` are the plan of one that can leave as soon as it is stored: a QUEUED one with nobody before it, of an
    account whose lease is held, is taken in as claimed for the first time (see ``begin``). Else they are dropped.
    """

    id: DeliveryId
    draft: Draft
    account: AccountId
    order_key: str
    state: State
    due_at: datetime
    reason: str = ""
    expires_at: datetime | None = None
    parts: tuple[Part, ...] | None = None


class Settlement(Struct, frozen=True):
    """What became of one attempt: the delivery's next state, and the receipt where a part arrived.

    ``due_at`` None on UNCERTAIN means: waits for the operator (and no longer blocks its order).
    SENDING means: this part arrived, the next one is being sent.
    """

    state: State
    due_at: datetime | None
    reason: str = ""
    receipt: Receipt | None = None
    part_kind: str = ""
    part_conversation: str = ""


class Move(Struct, frozen=True):
    """What a failover verdict does to one unsent delivery. Without a ``draft`` it stays where it is (held or refused);
    with one it goes, planned anew, to ``account``. A move of a delivery that is no longer WAITING, QUEUED or HELD is
    ignored; so is leaving an order in which an earlier one is being sent or has its move ignored: it may take the
    same road after that. ``expires_at`` counts while it is held; what goes on has its draft's own.
    """

    delivery: DeliveryId
    account: AccountId
    order_key: str
    state: State
    due_at: datetime
    reason: str
    draft: Draft | None = None
    expires_at: datetime | None = None
    attempts: int | None = None
    """Where given: it is ignored for one that was tried or amended since."""


class Reach(Struct, frozen=True):
    """An open conversation with somebody: where, and the last message of theirs to answer."""

    account: AccountId
    conversation: ConversationId
    ref: MessageRef
    private: bool
    at: datetime


class Turn(Struct, frozen=True):
    """One message of a conversation's history. ``author`` None: the account itself, and ``name`` is what the agent
    edits and deletes it by.
    """

    author: Identity | None
    text: str
    at: datetime
    name: str = ""


class Doubt(Struct, frozen=True):
    """A delivery that is UNCERTAIN for good, and since when: only the operator can settle it."""

    delivery: Delivery
    since: datetime


class SentPart(Struct, frozen=True):
    """A part that a platform has. ``draft_account`` is the home of its delivery."""

    delivery: DeliveryId
    account: AccountId
    index: int
    kind: str
    conversation: str
    ref: MessageRef
    at: datetime
    url: str | None = None


class Topic(StrEnum):
    """What gateways on one database tell each other."""

    DELIVERIES = "deliveries"
    """An account has rows that a gateway without its lease added, moved, released or ended."""
    STANDING = "standing"
    """An account's record was saved."""
    RESUME = "resume"
    """An operator says that an account is well again."""
    AGAIN = "again"
    """An operator says that the agent is to try an account's parked messages again."""
    PEOPLE = "people"
    """Links changed: who is who must be asked anew."""
    LEASES = "leases"
    """Somebody joined, or gave leases up."""
    MISSED = "missed"
    """The connection that hears all this broke and is back: anything may have been told meanwhile."""


class Tended(Struct, frozen=True):
    """What a gateway holds after it tended its leases."""

    held: dict[str, int]
    """Names, each with its epoch: it grows whenever the lease goes to somebody else."""
    excess: tuple[str, ...]
    """Those of ``held`` that others should have: to be finished and given up."""
    members: int
    """How many gateways are alive, this one included."""


class StoreError(Exception):
    """The database can't be opened, read or written: one line with the cure. Nothing was changed.

    One case is left in which that isn't sure: a server that breaks the connection during a commit and stays away. The
    line says so then, and asking again does nothing twice: deliveries have keys, events their mark, claims and ends
    their ``attempts``, parts their number. A claim that nobody knows of is found by :meth:`Store.rescue`: a gateway
    without its database loses its leases meanwhile, and opens its accounts anew.
    """


class InUse(StoreError):  # noqa: N818 - what is the case, not what is wrong
    """Another process has the database, and no two may."""


class Superseded(Exception):  # noqa: N818 - what happened, not what is wrong
    """Somebody else has this delivery now: what the caller knows of it is old, and it must leave it alone."""


class LeaseLost(Exception):  # noqa: N818 - what happened, not what is wrong
    """The account belongs to another gateway now: nothing was written, and the caller must let go of it."""


class Store(Amends, Unanswered, Protocol):
    """Named operations on the database. Each write is one transaction, durable when it returns; concurrent callers
    share commits. Every operation is bound to the store's workspace, and raises StoreError while the database is gone.
    """

    @property
    def alone(self) -> bool:
        """Whether no other gateway can use this database: then every lease is held, and nobody is heard."""
        ...

    # The road in.

    async def record(
        self, account: AccountId, events: Sequence[PlatformEvent], cursor: str, now: datetime
    ) -> tuple[StoredEvent, ...]:
        """Events, their authors' identities and persons, their conversations and the cursor, together. Returns what is
        new: an event whose (account, id) is known already is left out. Raises LeaseLost without the account's lease.
        """
        ...

    async def cursor(self, account: AccountId) -> str | None: ...

    async def pending_events(
        self, now: datetime, *, account: AccountId | None = None, after: int = 0, limit: int = 500
    ) -> tuple[StoredEvent, ...]:
        """Events, of one account where given, not handled yet and due (not postponed beyond ``now``, not parked),
        oldest first.
        """
        ...

    async def handled(self, seq: int, answers: Sequence[NewDelivery], now: datetime) -> tuple[Delivery, ...]:
        """The event's mark and the deliveries it caused, together. An event marked before adds nothing and returns
        ().
        """
        ...

    async def postpone(self, seq: int, error: str, retry_at: datetime | None) -> None:
        """The agent failed: count the attempt; without ``retry_at`` the event is parked for the operator."""
        ...

    # The road out.

    async def add(self, new: Sequence[NewDelivery], now: datetime) -> tuple[Delivery, ...]:
        """Into the outbox, in order, atomically. A draft whose key is known already gives the delivery that is
        there.
        """
        ...

    async def ready(self, account: AccountId, now: datetime, limit: int) -> tuple[Delivery, ...]:
        """QUEUED ones, and UNCERTAIN ones with a due time, that are due; earliest due first, then by seq."""
        ...

    async def next_due(self, account: AccountId, *, after: datetime) -> datetime | None:
        """When the earliest of what :meth:`ready` looks at becomes due, later than ``after``."""
        ...

    async def begin(self, delivery: Delivery, parts: Sequence[Part], now: datetime) -> bool:
        """Claim: QUEUED or UNCERTAIN of this account becomes SENDING, its attempt is counted and the plan is frozen (a
        frozen plan is kept). False when the row is no longer as the caller knows it: somebody else was faster (its
        ``attempts`` have grown), it was moved to another account, or held; and without the account's lease.
        """
        ...

    async def settle(self, delivery: Delivery, settlement: Settlement, now: datetime) -> Delivery | None:
        """The next state of a delivery that is SENDING (or UNCERTAIN) with these ``attempts``; a receipt is stored with
        it. Returns the delivery that was waiting behind it and is QUEUED now, where its order went on.

        Raises Superseded when the delivery was settled, or claimed again, by somebody else; or came to be in doubt, and
        then the receipt is kept.
        """
        ...

    async def rescue(self, accounts: Sequence[AccountId], due_at: datetime) -> int:
        """Before an account is opened: what its last gateway left SENDING becomes UNCERTAIN, to be asked about at
        ``due_at``. Passes over accounts whose lease isn't held. Returns how many.
        """
        ...

    async def doubts(self, limit: int) -> tuple[Doubt, ...]:
        """What is UNCERTAIN and has no due time, the oldest first."""
        ...

    async def decide(self, delivery: Delivery, settlement: Settlement, now: datetime) -> Sequence[Delivery]:
        """The operator's word on a delivery that is UNCERTAIN with these ``attempts``. Its order goes on, the delivery
        itself at its place in it where it is to be sent again. Returns it as it is now, and whoever may go because of
        it.

        Raises Superseded when it isn't uncertain any more, or was tried again meanwhile.
        """
        ...

    async def is_known(self, account: AccountId, ref: MessageRef, since: datetime) -> bool:
        """Whether a part that this account sent at or after ``since`` has this ref."""
        ...

    async def unsent(
        self, account: AccountId, *, after: int = 0, limit: int = 500, states: frozenset[State] = frozenset()
    ) -> tuple[Delivery, ...]:
        """Deliveries of an account that are WAITING, QUEUED or HELD (or in ``states``), by seq."""
        ...

    async def move(self, moves: Sequence[Move], now: datetime) -> tuple[Delivery, ...]:
        """Carry out failover verdicts in one transaction; returns the moved rows as they are now."""
        ...

    async def release(self, account: AccountId, now: datetime, ramp_s: float) -> int:
        """The account is back: what it holds becomes due in order, ``ramp_s`` apart; the expired expire. Returns how
        many go home. Many are released in several transactions, the oldest first.
        """
        ...

    async def expire(self, now: datetime) -> int:
        """WAITING, QUEUED and HELD ones past their ``expires_at`` end EXPIRED; their orders go on."""
        ...

    async def delivery(self, delivery: DeliveryId) -> Delivery | None: ...

    async def deliveries(
        self, *, account: AccountId | None = None, states: frozenset[State] = frozenset(), limit: int = 100
    ) -> tuple[Delivery, ...]:
        """The newest first; by current account and state where given."""
        ...

    async def sent_parts(self, delivery: DeliveryId) -> tuple[SentPart, ...]: ...

    async def sent_since(self, account: AccountId, since: datetime) -> tuple[SentPart, ...]:
        """For the pacer: what the rate windows have to remember after a restart."""
        ...

    async def counts(self) -> dict[AccountId, dict[State, int]]: ...

    async def announced_on(self, announcement: AnnouncementId) -> frozenset[AccountId]:
        """Accounts that say this announcement, or will: wherever its deliveries are now, their own or diverted ones;
        refused and expired ones don't count.
        """
        ...

    # Accounts and people.

    async def records(self) -> tuple[Record, ...]: ...

    async def save_record(self, record: Record) -> None:
        """The account's standing, and a line in its history when the standing changed."""
        ...

    async def person(self, identity: Identity) -> Person | None:
        """Who this is: the person and all identities linked to them. By platform and id, else by platform and
        handle; or by the person's own id (:data:`~gateway.model.identity.PERSON`).
        """
        ...

    async def link(self, link: Link) -> Person:
        """Two identities are one person from now on. Identities not seen before are made."""
        ...

    async def unlink(self, first: Identity, second: Identity) -> bool:
        """Undo one link; persons are what the remaining links say. False when there was none."""
        ...

    async def links(self) -> tuple[Link, ...]: ...

    async def reach(self, account: AccountId, identity: Identity, *, private: bool) -> Reach | None:
        """The newest conversation of that privacy in which this identity wrote to this account."""
        ...

    async def history(self, account: AccountId, conversation: ConversationId, limit: int) -> tuple[Turn, ...]:
        """The last messages of a conversation, both sides, oldest first."""
        ...

    async def once(self, key: str, now: datetime) -> bool:
        """True the first time a key is asked, false ever after: for what is said only once."""
        ...

    # Among gateways. Where the store is ``alone``, all is held and nothing is ever heard.

    async def tend(self, member: str, wanted: Sequence[str], ttl_s: float) -> Tended:
        """A gateway, ``member``, is alive for another ``ttl_s``. It keeps its leases on ``wanted``, takes what is
        free or was a dead one's up to its fair share, and learns what it should give up. ``begin`` and ``record`` need
        the lease named like the account, as it was told here last.
        """
        ...

    async def holders(self) -> dict[str, str]:
        """Who of those that are alive holds which lease; nothing where the store is alone."""
        ...

    async def give_up(self, member: str, names: Sequence[str] | None) -> None:
        """Free these leases, or (None) all and be no member any more. The others hear it at once."""
        ...

    def listen(self, listener: Callable[[Topic, str], None]) -> None:
        """Have ``listener(topic, name)`` called, in the event loop, for what other gateways tell."""
        ...

    async def tell(self, topic: Topic, name: str) -> None:
        """Tell the others. What the operations here change they are told by themselves."""
        ...

    async def sealed(self, account: AccountId, name: str) -> bytes | None:
        """A secret of this account as it was sealed."""
        ...

    async def seal(self, account: AccountId, name: str, data: bytes) -> None:
        """Keep a secret. ``data`` is sealed already, with a key that isn't in the database."""
        ...

    # Media and housekeeping.

    async def put_media(self, data: bytes, mime: str) -> str:
        """Keep bytes; returns their sha256 in hex."""
        ...

    async def media(self, sha256: str) -> bytes: ...

    async def prune(self, before: datetime, limit: int) -> int:
        """Forget up to ``limit`` final deliveries, handled events and unused media from before; returns how many."""
        ...

    async def backup(self, target: Path) -> int:
        """Copy everything, as it is at one moment, to a new file while the gateway goes on; returns its size in bytes.
        Raises StoreError where the engine has tools of its own for that.
        """
        ...

    async def aclose(self) -> None: ...

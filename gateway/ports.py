"""The seams of the house: what an adapter, a vault, a clock and a policy set look like from inside.

An adapter has six members; everything else it can do is an optional protocol of one method, claimed in
its profile. See ``docs/adapters.md`` for how to write one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from gateway.model.capabilities import Profile
from gateway.model.content import Document
from gateway.model.delivery import Draft, Part, Receipt, Shown
from gateway.model.events import PlatformEvent
from gateway.model.facts import InboundFacts, LinkFacts, NoticeFacts, OutboundFacts, WindowFacts
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef
from gateway.model.media import Attachment
from gateway.model.secret import Secret
from gateway.model.standing import Signal
from gateway.model.verdict import Allow, Refuse, Verdict


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, delay_s: float) -> None: ...


class Vault(Protocol):
    """Where one account keeps secrets that change while it runs: refreshed tokens, sessions.

    ``put`` returns when the secret is on disk: a rotated token is used only after that, or where it can't be kept.
    """

    async def get(self, name: str) -> Secret | None: ...

    async def put(self, name: str, secret: Secret) -> None: ...


class Context(Struct, frozen=True):
    """What an adapter gets from the house. It needs nothing else of ours."""

    account: AccountId
    clock: Clock
    vault: Vault
    media: Callable[[str], Awaitable[bytes]]
    """Bytes of a :class:`~gateway.model.content.Media` by its sha256. Raises a certain FaultError."""
    report: Callable[[Signal], None]
    """For what no caller is waiting to hear, such as a connection the platform closed for good."""


Arrival = tuple[Sequence[PlatformEvent], str]
"""Events that came together, and the cursor from which to go on once they are stored."""


class Adapter(Protocol):
    """One account on one platform. Every method but ``plan`` may raise :class:`~gateway.model.delivery.FaultError`,
    and no other exception but ``CancelledError``.
    """

    @property
    def profile(self) -> Profile:
        """Facts; limits that the server stated at run time override the platform's own."""
        ...

    def events(self, cursor: str | None) -> AsyncIterator[Arrival]:
        """Everything after ``cursor``, first what was missed, then live. Without one: from now on.

        The consumer stores each arrival before it asks for the next; the adapter must not tell the platform
        that it has something before it is asked for the next. Own messages are left out. A malformed event is
        skipped and reported, never fatal. When the iterator raises, it is started again from the last cursor.
        """
        ...

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:
        """The native parts of a draft, with their keys. Pure: the same draft and time give the same parts. The draft
        asks for nothing that the profile claims less than PARTIAL, except media: those that don't fit are the adapter's
        to refuse.

        ``at`` is unique per plan within the gateway. Raises FaultError with TOO_LONG, MEDIA, INVALID or
        TARGET_REFUSED when the draft can't be carried.
        """
        ...

    async def send(self, part: Part) -> Receipt:
        """Make one request (plus uploads it needs). Sending a part again with its key has no second effect
        where the platform has keys. A cancelled or timed-out call is an uncertain fault.
        """
        ...

    async def check(self) -> Signal:
        """A read-only probe of the account; never raises for a fault, returns it in the signal."""
        ...

    async def aclose(self) -> None:
        """Give every connection back. Safe to call twice."""
        ...


class Unsure(Enum):
    """Answers of :meth:`Reconciles.reconcile` that are not a receipt."""

    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


Taken = Callable[[MessageRef], Awaitable[bool]]
"""Whether a message of the account is known to be another delivery's. Asked last, when nothing else speaks against it:
who hears False has it, and every other one who asks hears True.
"""


async def nobodys(_: MessageRef) -> bool:
    """For who knows of no other deliveries."""
    return False


@runtime_checkable
class Reconciles(Protocol):
    async def reconcile(self, part: Part, since: datetime, taken: Taken = nobodys) -> Receipt | Unsure:
        """Was this part sent at or after ``since``? NOT_SENT only when the platform's own records prove it.

        Where it is recognized by its words alone, one that is ``taken`` is not it: the same words may be meant twice.
        """
        ...


@runtime_checkable
class Edits(Protocol):
    async def edit(self, ref: MessageRef, document: Document, *, words_only: bool = False) -> Receipt:
        """The message says this now, its media included. Editing to what is there already is a success. ``words_only``
        promises that all else is there already.
        """
        ...


@runtime_checkable
class LimitsEdits(Protocol):
    def stays(self, before: Document, after: Document) -> str:
        """Why a message that says the one can't be edited to say the other; empty where it can. Pure. Asked of a whole
        thread before any of it is changed.
        """
        ...


@runtime_checkable
class Deletes(Protocol):
    async def delete(self, ref: MessageRef) -> None:
        """Deleting what is already gone is a success."""
        ...


@runtime_checkable
class Reacts(Protocol):
    async def react(self, ref: MessageRef, reaction: str) -> None:
        """``reaction`` is an emoji; the adapter takes the nearest that the platform has. Twice is once."""
        ...


@runtime_checkable
class Reposts(Protocol):
    async def repost(self, ref: MessageRef) -> None:
        """Show somebody's post to the account's own readers, as it is. Twice is once."""
        ...


@runtime_checkable
class Fetches(Protocol):
    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes of what somebody attached, in pieces, with the account's own credentials; never from an address
        inside the operator's network. The caller limits the size.
        """
        ...


@runtime_checkable
class Previews(Protocol):
    def preview(self, part: Part) -> Shown:
        """How a planned part will look. Pure."""
        ...


@runtime_checkable
class ShowsTyping(Protocol):
    async def show_typing(self, conversation: ConversationId) -> None: ...


@runtime_checkable
class Introduces(Protocol):
    def identity(self) -> Identity | None:
        """Who the account itself is, once known: so that two of our accounts don't answer each other for ever."""
        ...


Factory = Callable[[Any, Context], Awaitable[Adapter]]
"""``async def open_account(settings, context) -> Adapter``. It may talk to the platform, but need not: an account
whose platform is down must still open, and learn of it from ``check()``."""


class Platform(Struct, frozen=True):
    """What an entry point of the group ``multihome.adapters`` names.

    ``settings`` is a msgspec Struct (``forbid_unknown_fields``) of the account's keys besides ``id``; loading it must
    not import the client library. ``factory`` is ``module:function``, imported when an account of the platform is
    configured.
    """

    name: str
    settings: type[Any]
    profile: Profile
    factory: str
    import_ms: int = 200
    """What importing the factory costs, roughly: the light ones are started first."""


class Policies(Protocol):
    """Every decision, as pure functions of facts. What an entry point of the group ``multihome.policies`` names."""

    def inbound(self, facts: InboundFacts) -> Allow | Refuse: ...

    def outbound(self, facts: OutboundFacts, now: datetime) -> Verdict: ...

    def linking(self, facts: LinkFacts) -> Allow | Refuse: ...

    def notice(self, facts: NoticeFacts) -> tuple[str, tuple[AccountId, ...]]:
        """The words and the accounts that say them when an account is lost."""
        ...

    def pace(self, facts: WindowFacts, now_unix_s: float) -> float:
        """Seconds until a rate window has room for one more part."""
        ...

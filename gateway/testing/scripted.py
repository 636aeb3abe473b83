"""A platform, an adapter and an agent that do as they are told: for tests of what stands between them.

:class:`ScriptedPlatform` is the world: it outlives any process and knows what was really said. Troubles are scripted
per send, in order; what is not scripted goes well.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime, timedelta

from msgspec import Struct, structs

from gateway.agent import Conversation
from gateway.model.capabilities import Feature, Idempotency, Lane, LaneState, Limits, Profile, Support
from gateway.model.content import Document, plain
from gateway.model.delivery import (
    Draft,
    Fault,
    FaultError,
    FaultKind,
    InConversation,
    Part,
    Receipt,
    Timeline,
)
from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef, platform_of
from gateway.model.standing import Signal, Source
from gateway.ports import Arrival, Clock, Taken, Unsure, nobodys

TEXT_MAX = 500
FEATURES = (Feature.THREAD, Feature.DIRECT, Feature.MENTION_ANYONE)


class Post(Struct, frozen=True):
    """Something the platform holds."""

    account: AccountId
    place: str
    text: str
    key: str
    at: datetime
    private: bool = False
    gone: bool = False
    """Deleted since."""
    after: MessageRef | None = None
    """What it replies to."""


class Trouble(Struct, frozen=True):
    """What one send meets. ``accepted`` posts it before the trouble comes; ``hangs`` until it is cancelled.

    Without ``fault`` and ``hangs`` the adapter itself fails, with ``error``.
    """

    fault: Fault | None = None
    accepted: bool = False
    hangs: bool = False
    error: BaseException | None = None


def refused(kind: FaultKind, evidence: str = "refused", **fields: object) -> Trouble:
    """Provably not sent."""
    return Trouble(structs.replace(Fault(kind, True, evidence), **fields))


def unclear(kind: FaultKind = FaultKind.NETWORK, *, accepted: bool) -> Trouble:
    """The answer was lost; only the platform knows whether the post was ``accepted``."""
    return Trouble(Fault(kind, False, "the connection broke"), accepted)


class ScriptedPlatform:
    """What is true, whoever asks."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.posts: list[Post] = []
        self.troubles: deque[Trouble] = deque()
        self.lost: Fault | None = None
        """While set, every request is refused with it, and the probe sees it."""
        self.probe: Fault | None = None
        """While set, what only the probe meets."""
        self.reads: Fault | None = None
        """While set, what reading back meets."""
        self.refused_while_lost = 0
        self.probes: list[datetime] = []
        self.asked: list[Part] = []
        self.lanes: tuple[LaneState, ...] = ()
        """What the next answers say of the rate windows."""
        self.key_lifetime_s: float | None = None
        self.changes: list[tuple[str, MessageRef]] = []
        """What was asked to be done to messages, in order."""
        self.reactions: set[tuple[MessageRef, str]] = set()
        self.before_send: Callable[[AccountId, Part], None] = lambda _account, _part: None

    def texts(self, place: str | None = None, account: str | None = None) -> list[str]:
        """What was said there, in order."""
        return [
            post.text
            for post in self.posts
            if place in (None, post.place) and account in (None, str(post.account)) and not post.gone
        ]

    def accept(self, account: AccountId, part: Part, *, keyed: bool) -> Post:
        """Post it, or give what is there under its key where keys count."""
        known = self.find(account, part) if keyed else None
        if known is not None and self._protects(known):
            return known
        body = part.body
        post = Post(
            account, body["place"], body["text"], part.key, self.clock.now(), body["private"], after=part.previous
        )
        self.posts.append(post)
        return post

    def find(self, account: AccountId, part: Part) -> Post | None:
        return next((post for post in self.posts if (post.account, post.key) == (account, part.key)), None)

    def _protects(self, post: Post) -> bool:
        if self.key_lifetime_s is None:
            return True
        return self.clock.now() - post.at < timedelta(seconds=self.key_lifetime_s)


def scripted_profile(
    idempotency: Idempotency = Idempotency.READ_BACK,
    *,
    lanes: Iterable[Lane] = (),
    features: Iterable[Feature] = FEATURES,
    text_max: int = TEXT_MAX,
) -> Profile:
    """What a scripted platform can do."""
    limits = Limits(text_max, "characters", text_max, 0, 0, (), 0)
    return Profile(dict.fromkeys(features, Support.FULL), limits, tuple(lanes), idempotency)


class ScriptedAdapter:
    """One account. Every paragraph is a part; a paragraph that is too long can't be carried."""

    def __init__(self, account: AccountId, platform: ScriptedPlatform, profile: Profile) -> None:
        self.account = account
        self.platform = platform
        self._profile = profile
        self.arrivals: asyncio.Queue[Arrival | BaseException | None] = asyncio.Queue()
        """What ``events`` gives, raises, or (None) ends with."""
        self.cursors: list[str | None] = []
        self.closed = 0

    @property
    def profile(self) -> Profile:
        return self._profile

    async def events(self, cursor: str | None) -> AsyncIterator[Arrival]:
        self.cursors.append(cursor)
        while (arrival := await self.arrivals.get()) is not None:
            if isinstance(arrival, BaseException):
                raise arrival
            yield arrival

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:
        pieces = [Document((paragraph,)) for paragraph in draft.document.paragraphs]
        longest = max((len(plain(piece)) for piece in pieces), default=0)
        if longest > self._profile.limits.text_max:
            raise FaultError(Fault(FaultKind.TOO_LONG, True, f"{longest} characters"))
        place, private = _place(draft)
        kind = "direct" if private else "post"
        stamp = int(at.timestamp() * 1_000_000)
        return tuple(
            Part(n, kind, f"{draft.id}.{stamp}.{n}", _body(place, plain(piece), private=private), place, piece)
            for n, piece in enumerate(pieces)
        )

    async def send(self, part: Part) -> Receipt:
        platform = self.platform
        platform.before_send(self.account, part)
        await asyncio.sleep(0)
        if platform.lost is not None:
            platform.refused_while_lost += 1
            raise FaultError(platform.lost)
        trouble = platform.troubles.popleft() if platform.troubles else None
        if trouble is None:
            return self._receipt(self._accepted(part))
        if trouble.accepted:
            self._accepted(part)
        if trouble.hangs:
            await asyncio.get_running_loop().create_future()
        if trouble.fault is not None:
            raise FaultError(trouble.fault)
        raise trouble.error or RuntimeError("the adapter has a bug")

    def _accepted(self, part: Part) -> Post:
        keyed = self._profile.idempotency is Idempotency.KEYED
        return self.platform.accept(self.account, part, keyed=keyed)

    def _receipt(self, post: Post) -> Receipt:
        number = max(n for n, one in enumerate(self.platform.posts) if one is post)
        return Receipt(MessageRef(f"{post.place}:{number}"), post.at, lanes=self.platform.lanes)

    async def reconcile(self, part: Part, since: datetime, taken: Taken = nobodys) -> Receipt | Unsure:
        del since, taken
        platform = self.platform
        platform.asked.append(part)
        fault = platform.lost or platform.reads
        if fault is not None:
            raise FaultError(fault)
        post = platform.find(self.account, part)
        return self._receipt(post) if post is not None else Unsure.NOT_SENT

    async def check(self) -> Signal:
        self.platform.probes.append(self.platform.clock.now())
        fault = self.platform.lost or self.platform.probe
        return Signal(Source.PROBE, self.platform.clock.now(), "" if fault else "it answers", fault)

    async def aclose(self) -> None:
        self.closed += 1


def _body(place: str, text: str, *, private: bool) -> dict[str, object]:
    return {"place": place, "text": text, "private": private}


def _place(draft: Draft) -> tuple[str, bool]:
    match draft.target:
        case Timeline():
            return "timeline", False
        case InConversation(conversation, private):
            return conversation, private
        case person:
            return f"@{person.identity.id}", person.private


class ScriptedAgent:
    """Answers as scripted: words, None, or an exception to raise; without a script it repeats what it heard."""

    def __init__(self) -> None:
        self.script: deque[str | BaseException | None] = deque()
        self.heard: list[str] = []
        self.running = 0
        self.at_once = 0
        """The most that ran side by side."""
        self.gate: asyncio.Event | None = None
        """While set and not open, answers wait for it."""

    async def __call__(self, message: MessageReceived, conversation: Conversation) -> str | None:
        del conversation
        self.heard.append(message.text)
        self.running += 1
        self.at_once = max(self.at_once, self.running)
        try:
            if self.gate is not None:
                await self.gate.wait()
            answer = self.script.popleft() if self.script else f"you said {message.text}"
        finally:
            self.running -= 1
        if isinstance(answer, BaseException):
            raise answer
        return answer


def message(account: AccountId, name: str, document: Document, at: datetime, *, place: str = "c1") -> MessageReceived:
    """Somebody (``ana``) says something to the account in public."""
    author = Identity(platform_of(account), f"ana@{platform_of(account)}", "ana")
    return MessageReceived(
        account, name, MessageRef(f"in:{name}"), ConversationId(place), Kind.MENTION, author, document, at
    )


class RevisingAdapter(ScriptedAdapter):
    """One that can change what it said, and react; its profile has to claim EDIT, DELETE, REACT and REPOST."""

    async def edit(self, ref: MessageRef, document: Document, *, words_only: bool = False) -> Receipt:
        del words_only
        self._found(ref)
        await self._asked("edit", ref, lambda post: structs.replace(post, text=plain(document)))
        return Receipt(ref, self.platform.clock.now())

    async def delete(self, ref: MessageRef) -> None:
        await self._asked("delete", ref, lambda post: structs.replace(post, gone=True))

    async def react(self, ref: MessageRef, reaction: str) -> None:
        await self._asked("react", ref, lambda post: post)
        self.platform.reactions.add((ref, reaction))

    async def repost(self, ref: MessageRef) -> None:
        await self._asked("repost", ref, lambda post: post)
        self.platform.reactions.add((ref, "repost"))

    def _found(self, ref: MessageRef) -> Post:
        post = self.platform.posts[_number(ref)]
        if post.gone:
            raise FaultError(Fault(FaultKind.TARGET_GONE, True, "it was deleted"))
        return post

    async def _asked(self, doing: str, ref: MessageRef, change: Callable[[Post], Post]) -> None:
        """Troubles come to changes as to sends."""
        platform = self.platform
        platform.before_send(self.account, Part(0, doing, f"{doing}.{ref}", {}))
        await asyncio.sleep(0)
        platform.changes.append((doing, ref))
        if platform.lost is not None:
            platform.refused_while_lost += 1
            raise FaultError(platform.lost)
        trouble = platform.troubles.popleft() if platform.troubles else None
        if (trouble is None or trouble.accepted) and ref.rpartition(":")[2].isdigit() and not ref.startswith("in:"):
            platform.posts[_number(ref)] = change(platform.posts[_number(ref)])
        if trouble is None:
            return
        if trouble.hangs:
            await asyncio.get_running_loop().create_future()
        if trouble.fault is not None:
            raise FaultError(trouble.fault)
        raise trouble.error or RuntimeError("the adapter has a bug")


def _number(ref: MessageRef) -> int:
    return int(ref.rpartition(":")[2])

"""Five kinds of platform, and an adapter for them. Each differs in what the gateway has to know of a platform."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from msgspec import Struct
from sim_dealer import Dealer

from gateway.model.capabilities import Feature, Idempotency, Lane, Limits, Profile, Scope, Support
from gateway.model.content import Document, plain
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, InConversation, Part, Receipt, Timeline
from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, platform_of
from gateway.model.standing import Signal
from gateway.ports import Context, Platform, Taken, Unsure, nobodys

FEATURES = (Feature.THREAD, Feature.DIRECT, Feature.MENTION_ANYONE)
TYPES = (*FEATURES, Feature.TYPING)
BOTH = ("post", "direct")


class Nothing(Struct, frozen=True):
    """Settings of a scripted account."""


def _profile(idempotency: Idempotency, lanes: tuple[Lane, ...], text_max: int = 500, **more: Any) -> Profile:
    features = dict.fromkeys(more.pop("features", FEATURES), Support.FULL)
    limits = Limits(text_max, "characters", text_max, 0, 0, (), 0)
    return Profile(features, limits, lanes, idempotency, **more)


PROFILES = {
    # Posts are read back; every paragraph is a post of its own; reads stay open to the locked.
    "red": _profile(
        Idempotency.READ_BACK,
        (Lane("posts", 30, 900, ("post",)), Lane("dms", 15, 900, ("direct",))),
        280,
        probe_sees_lock=False,
    ),
    # Keys for ever.
    "blue": _profile(Idempotency.KEYED, (Lane("writes", 500, 3600, BOTH, cost=3),), 300),
    # Keys for an hour, few at once.
    "green": _profile(Idempotency.KEYED, (Lane("posts", 60, 1800, BOTH),), key_lifetime_s=3540.0, concurrency=4),
    # Keys for minutes, members only, a window for each conversation.
    "gold": _profile(
        Idempotency.KEYED,
        (Lane("channel", 5, 5, BOTH, Scope.CONVERSATION),),
        2000,
        key_lifetime_s=120.0,
        open_conversations=False,
        probe_sees_lock=False,
        features=TYPES,
    ),
    # Neither keys nor reading back.
    "grey": _profile(
        Idempotency.NONE,
        (Lane("all", 30, 1, BOTH), Lane("chat", 1, 1, BOTH, Scope.CONVERSATION)),
        4096,
        open_conversations=False,
        probe_sees_lock=False,
        features=(Feature.THREAD, Feature.DIRECT),
    ),
}


def profile_of(account: str) -> Profile:
    return PROFILES[platform_of(AccountId(account))]


def is_closed(event: MessageReceived) -> bool:
    """Whether an answer to it must never be seen in public."""
    return event.private or event.kind is Kind.GROUP or not profile_of(event.account).open_conversations


BY_WORDS = frozenset({"red"})
"""Where an unknown send is looked for by its words; elsewhere by its key."""
PER_PART = {"red": 1, "blue": 2, "green": 3, "gold": 100, "grey": 100}
"""Paragraphs that go into one post."""
KEY_LIVES_S = {"green": 3600.0, "gold": 180.0}
"""What the network itself makes of it, a little longer than it promises."""

PLATFORMS = {
    name: Platform(
        name,
        Nothing,
        profile,
        f"sim_platforms:{'open_mute' if name == 'grey' else 'open_typing' if name == 'gold' else 'open_account'}",
        1,
    )
    for name, profile in PROFILES.items()
}


class MuteAdapter:
    """An account that can't be asked what it said."""

    def __init__(self, dealer: Dealer) -> None:
        self.dealer = dealer
        self.platform = platform_of(AccountId(dealer.name))

    @property
    def profile(self) -> Profile:
        return PROFILES[self.platform]

    def events(self, cursor: str | None) -> Stream:
        return Stream(self.dealer, cursor)

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:
        longest = max((len(plain(Document((each,)))) for each in draft.document.paragraphs), default=0)
        if longest > self.profile.limits.text_max:
            raise FaultError(self.dealer.fault(FaultKind.TOO_LONG, certain=True, words=f"{longest} characters"))
        place, private = _place(draft)
        size = PER_PART[self.platform]
        paragraphs = draft.document.paragraphs
        slices = [Document(paragraphs[n : n + size]) for n in range(0, len(paragraphs), size)]
        stamp = int(at.timestamp() * 1_000_000)
        kind = "direct" if private else "post"
        return tuple(
            Part(n, kind, f"{draft.id}.{stamp}.{n}", _body(draft, piece, place, private=private), place, piece)
            for n, piece in enumerate(slices)
        )

    async def send(self, part: Part) -> Receipt:
        return await self.dealer.send(part)

    async def check(self) -> Signal:
        return await self.dealer.check()

    async def aclose(self) -> None:
        await asyncio.sleep(0)

    def identity(self) -> Identity | None:
        return Identity(self.platform, f"self:{self.dealer.name}", "us")


class AskedAdapter(MuteAdapter):
    async def reconcile(self, part: Part, since: datetime, taken: Taken = nobodys) -> Receipt | Unsure:
        return await self.dealer.reconcile(part, since, taken)


class TypingAdapter(AskedAdapter):
    async def show_typing(self, conversation: ConversationId) -> None:
        del conversation
        await self.dealer.show_typing()


class Stream:
    """What an account sees, from a cursor on. No generator: a dead process must leave nothing to be closed."""

    def __init__(self, dealer: Dealer, cursor: str | None) -> None:
        self._dealer = dealer
        self._cursor = cursor
        self._at: int | None = None if cursor is None else int(cursor)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Sequence[Any], str]:
        if self._at is None:
            self._at = await self._dealer.position()
            return (), str(self._at)
        events, self._at = await self._dealer.arrival(self._at)
        return events, str(self._at)

    async def aclose(self) -> None: ...


def _place(draft: Draft) -> tuple[str, bool]:
    match draft.target:
        case Timeline():
            return "timeline", False
        case InConversation(conversation, private):
            return conversation, private
        case person:
            return f"@{person.identity.id or person.identity.handle}", person.private


def _body(draft: Draft, piece: Document, place: str, *, private: bool) -> dict[str, Any]:
    words = [plain(Document((paragraph,))) for paragraph in piece.paragraphs]
    return {"place": place, "private": private, "draft": draft.key, "words": words}


async def _opened(kind: type[MuteAdapter], context: Context) -> MuteAdapter:
    dealer = Dealer.of(context.account)
    await dealer.opening()
    return kind(dealer)


async def open_account(settings: Any, context: Context) -> MuteAdapter:
    return await _opened(AskedAdapter, context)


async def open_mute(settings: Any, context: Context) -> MuteAdapter:
    return await _opened(MuteAdapter, context)


async def open_typing(settings: Any, context: Context) -> MuteAdapter:
    return await _opened(TypingAdapter, context)


__all__ = ["PLATFORMS", "PROFILES", "Fault"]

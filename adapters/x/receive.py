"""What comes in: mentions and direct messages, polled side by side. Apart from the adapter: it is a loop of its own.

X's pages come newest first. Everything since the cursor is collected before any of it is handed on, oldest first; of
direct messages no more than their window allows: then the older ones come after the newer.

X shows late what was written: something younger may be there first. So what came in the last ``shown_within_s`` is read
again; X bills a post once a day: docs.x.com/x-api/fundamentals/post-cap.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct, structs

from adapters.x import translate
from adapters.x.profile import Settings
from gateway.model.delivery import FaultError, FaultKind
from gateway.model.events import RAW_MAX, PlatformEvent
from gateway.model.ids import AccountId
from gateway.model.standing import Signal, Source
from gateway.ports import Arrival, Context

log = logging.getLogger("multihome.x")

PAGE = 100
MENTION_PAGES_MAX = 8
"""The newest 800 mentions can be reached: posts/timelines/introduction.mdx."""
DIRECT_PAGES_MAX = 5
"""Read in one go, of the 15 that X answers in 15 minutes; the next go begins where this one ended."""
DIRECT_REST_S = 900.0
"""How long direct messages are left alone when X refuses only them: its window."""
BEGINNING = datetime.fromtimestamp(1288834974.657, UTC)
SEQUENCE_BITS = 22
"""An X id is the milliseconds since X's beginning and so many bits more: github.com/twitter-archive/snowflake."""
HEARD_MAX = 2 * PAGE - 1
"""So many ids are known again: among more than that in ``shown_within_s``, who comes late isn't looked for. With the
one that ends the search they are two pages: each is a request of direct messages' tight window.
"""
EDITED_MAX = 50
"""So many posts are remembered by the version that was heard first; X lets a post be edited for an hour."""
Item = TypeVar("Item", translate.Post, translate.DirectEvent)


class Late(Struct, frozen=True):
    """Where something late may show: above the id ``sure``, besides what was ``heard`` there."""

    sure: translate.Id
    heard: tuple[translate.Id, ...] = ()


class Cursor(Struct, frozen=True):
    """The newest ids that were handled; None: not looked yet, so begin with what comes from now on.

    ``mentions`` and ``directs`` are None in cursors of before they were. ``older`` is the page of direct messages that
    is read next where not all were, down to the id ``floor``. ``edited`` are the posts that were first heard when they
    had been edited already.
    """

    mention: translate.Id | None = None
    direct: translate.Id | None = None
    mentions: Late | None = None
    directs: Late | None = None
    older: str | None = None
    floor: translate.Id = "0"
    edited: tuple[translate.Id, ...] = ()


class Page(Struct, frozen=True):
    """One answered page: its list and what X said of the window it counts in."""

    told: translate.Page
    remaining: int | None
    reset_at: datetime | None


class Account(Protocol):
    """What the poller asks of the adapter. Every call may raise FaultError."""

    context: Context

    async def whoami(self) -> translate.User: ...

    async def mentions(self, since_id: str | None, size: int, token: str | None) -> Page: ...

    async def directs(self, size: int, token: str | None) -> Page: ...


class Poller:
    """One account's ear."""

    def __init__(self, account: Account, settings: Settings) -> None:
        self._account = account
        self._clock = account.context.clock
        self._id: AccountId = account.context.account
        self._settings = settings
        self._direct_due = self._clock.now()

    async def arrivals(self, cursor: str | None) -> AsyncIterator[Arrival]:
        """Everything after the cursor; without one, from now on."""
        place = _placed(cursor)
        me = await self._account.whoami()
        if place.mention is None:
            # Both looks come before the first word: whoever hears it may be spoken to either way.
            _, place = await self._mentions(place, me)
            _, place = await self._directs(place, me)
            yield (), _told(place)
        while True:
            events, after = await self._mentions(place, me)
            if events or after != place:
                place = after
                yield events, _told(place)
            if self._clock.now() >= self._direct_due:
                events, after = await self._directs(place, me)
                if events or after != place:
                    place = after
                    yield events, _told(place)
            await self._clock.sleep(self._settings.poll_s)

    async def _mentions(self, place: Cursor, me: translate.User) -> tuple[Sequence[PlatformEvent], Cursor]:
        if place.mention is None:
            start = await self._newest(self._account.mentions(None, 5, None))
            return (), structs.replace(place, mention=start, mentions=Late(start))
        late, sure = place.mentions or Late(place.mention), self._sure()
        fetch = partial(self._account.mentions, late.sure if int(late.sure) else None, PAGE)
        found, read, more = await self._collect(fetch, translate.Post, late, MENTION_PAGES_MAX)
        if more:
            told = "%s: more has come in than X gives back: what is older than %d pages is lost"
            log.warning(told, self._id, MENTION_PAGES_MAX)
        fresh = [(post, around, _first_heard(post, late, place)) for post, around in found if post.author_id != me.id]
        events = [translate.mention(post, around, me.id, self._id, first) for post, around, first in fresh]
        edited = (post.id for post, _, first in fresh if not first and len(post.edit_history_tweet_ids) > 1)
        after = structs.replace(
            place,
            mention=str(max(int(place.mention), *read)),
            mentions=_later(late, read, sure),
            edited=(*place.edited, *edited)[-EDITED_MAX:],
        )
        return _oldest_first(events), after

    async def _directs(self, place: Cursor, me: translate.User) -> tuple[Sequence[PlatformEvent], Cursor]:
        """Direct messages have a tight window and a scope of their own: their trouble doesn't silence the mentions."""
        try:
            return await self._direct_pages(place, me)
        except FaultError as error:
            if place.older is not None and error.fault.kind is FaultKind.INVALID:
                log.warning("%s: X has forgotten a page: older direct messages are lost", self._id)
                return (), structs.replace(place, older=None)
            if error.fault.kind not in (FaultKind.RATE_LIMITED, FaultKind.CONFIG, FaultKind.FORBIDDEN):
                raise
            now = self._clock.now()
            rest = now + timedelta(seconds=DIRECT_REST_S)
            self._direct_due = min(error.fault.retry_at or rest, rest)
            log.warning("%s: direct messages rest until %s: %s", self._id, self._direct_due, error.fault.evidence)
            self._account.context.report(Signal(Source.RECEIVE, now, error.fault.evidence, error.fault))
            return (), place

    async def _direct_pages(self, place: Cursor, me: translate.User) -> tuple[Sequence[PlatformEvent], Cursor]:
        self._direct_due = self._clock.now() + timedelta(seconds=self._settings.poll_direct_s)
        if place.direct is None:
            start = await self._newest(self._account.directs(1, None))
            return (), structs.replace(place, direct=start, directs=Late(start))
        late, sure = place.directs or Late(place.direct), self._sure()
        until = structs.replace(late, sure=place.floor) if place.older else late
        found, read, older = await self._collect(
            self._sparing, translate.DirectEvent, until, DIRECT_PAGES_MAX, place.older
        )
        fresh = [(event, around) for event, around in found if event.sender_id != me.id]
        events = [translate.direct(event, around, self._id, me.username) for event, around in fresh]
        after = structs.replace(
            place,
            direct=str(max(int(place.direct), *read)),
            directs=_later(late, read, 0 if place.older else sure),  # an older page doesn't show what is late
            older=older,
            floor=until.sure if older else "0",
        )
        return _oldest_first(events), after

    def _sure(self) -> int:
        """The id up to which X shows by now all that there is."""
        told = self._clock.now() - timedelta(seconds=self._settings.shown_within_s) - BEGINNING
        return told // timedelta(milliseconds=1) << SEQUENCE_BITS

    async def _newest(self, fetched: Awaitable[Page]) -> str:
        """The id to begin after: the newest there is."""
        page = (await fetched).told
        return str(max((_id_of(raw, translate.attempt(raw, _Named)) for raw in page.data), default=0))

    async def _collect(
        self,
        fetch: Callable[[str | None], Awaitable[Page]],
        kind: type[Item],
        late: Late,
        most: int,
        token: str | None = None,
    ) -> tuple[list[tuple[Item, translate.Around]], set[int], str | None]:
        """Every item that wasn't heard yet with what is told around it, the ids that were read, and the page that was
        one too many. Something late may be behind all that was heard.
        """
        since, heard = int(late.sure), {*map(int, late.heard)}
        found: list[tuple[Item, translate.Around]] = []
        read: set[int] = {0}
        for _ in range(most):
            answer = await fetch(token)
            page = answer.told
            items = [_kept(raw, translate.attempt(raw, kind)) for raw in page.data]
            ids: list[int] = [_id_of(raw, item) for raw, item in zip(page.data, items, strict=True)]
            fresh = {one for one in ids if one > since} - heard - read
            found += [(item, page.around) for item in items if item is not None and int(item.id) in fresh]
            read.update(ids)
            token = page.meta.next_token
            if not token or any(0 < one <= since for one in ids):
                return found, read, None
        return found, read, token

    async def _sparing(self, token: str | None) -> Page:
        """A page of direct messages. The last requests of their tight window are left to reading back what was sent."""
        answer = await self._account.directs(PAGE, token)
        if answer.remaining is not None and answer.remaining <= 1 and answer.reset_at is not None:
            self._direct_due = max(self._direct_due, answer.reset_at)
        return answer


class _Named(Struct):
    id: translate.Id


def _id_of(raw: Raw, item: translate.Post | translate.DirectEvent | _Named | None) -> int:
    """The item's id, also where nothing else of it can be read, so that it isn't asked for again; 0 without one."""
    if item is not None:
        return int(item.id)
    named = translate.attempt(raw, _Named)
    log.warning("a malformed event of %d bytes was skipped", len(bytes(raw)))
    return int(named.id) if named else 0


def _kept(raw: Raw, item: Item | None) -> Item | None:
    """The item with its own payload, for the operator."""
    if item is not None:
        payload = bytes(raw).decode("utf-8", "replace")
        item.raw = payload if len(payload) <= RAW_MAX else ""
    return item


def _later(late: Late, read: set[int], sure: int) -> Late:
    """Where something late may show after ``read`` was, of which everything up to ``sure`` was there."""
    ids = sorted({*map(int, late.heard), *read}, reverse=True)
    since = max(int(late.sure), min(ids[0], sure), *ids[HEARD_MAX:])
    return Late(str(since), tuple(str(one) for one in ids if one > since))


def _first_heard(post: translate.Post, late: Late, place: Cursor) -> int:
    """The earlier version of a post that came as a message; 0 where none did, as far as is known."""
    earlier = [one for one in map(int, post.edit_history_tweet_ids) if one < int(post.id)]
    known = [one for one in earlier if one <= int(late.sure) or str(one) in late.heard]
    return next((one for one in known if str(one) in place.edited), min(known, default=0))


def _oldest_first(events: Sequence[PlatformEvent]) -> Sequence[PlatformEvent]:
    return sorted(events, key=lambda event: int(event.id))


def _placed(cursor: str | None) -> Cursor:
    if cursor is None:
        return Cursor()
    try:
        return msgspec.json.decode(cursor, type=Cursor)
    except msgspec.DecodeError:
        log.exception("the stored cursor can't be read: beginning with what comes from now on")
        return Cursor()


def _told(place: Cursor) -> str:
    return msgspec.json.encode(place).decode()

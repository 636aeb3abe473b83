"""What people say to the account: notifications and direct messages, asked for again and again.

A file of its own because adapter.py would be too long with it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Raw, Struct, convert, json, structs

from adapters.bluesky.directs import Convo, Entry, heard, kind_of, unshown
from adapters.bluesky.events import MARKED, SAID, Here, Notification, View, kept, marked, received, wanted
from adapters.bluesky.pages import TooLargeError, decoded, named
from adapters.bluesky.profile import DEFAULT_PUBLIC_SERVER, Settings
from adapters.bluesky.session import Session
from adapters.bluesky.translate import CHAT
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.events import PlatformEvent
from gateway.ports import Arrival, Context

log = logging.getLogger("multihome.bluesky")

FIRST_PAGE, PAGE, PAGES_MAX = 10, 100, 50
"""A poll that finds nothing new costs ten items; one after a long absence reads up to five thousand."""
LOOK_BACK_S = 300.0
"""So often a poll costs a hundred items, for what comes late among many."""
ARRIVAL_MAX = 50
OVERLAP = timedelta(seconds=60)
"""The index isn't strictly in order: this far back everything is asked for again."""
LATE_MAX = timedelta(days=1)
SEEN_MAX = 500
CONVOS_MAX = 1000
LOG_ROUNDS_MAX = 50
URI_MAX = 2600
VIEWS_MAX = 25
"""Posts that the index tells at once: lexicon app/bsky/feed/getPosts.json."""
CHAT_REST_S = 300.0

_LOST = frozenset({FaultKind.SIGNED_OUT, FaultKind.SUSPENDED, FaultKind.LOCKED})
_UNSHOWN = frozenset({FaultKind.TARGET_GONE, FaultKind.TARGET_REFUSED, FaultKind.INVALID})
"""Refusals that stay, of the conversation alone. Anything else may pass."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Place(Struct, frozen=True, omit_defaults=True):
    """How far a list of notifications was read: the newest one's time, and what is known around it.

    The list is in the order of what authors say of the time: its ``indexedAt`` is the earlier of that and the index's
    own (``sortAt`` in data-plane/server of @atproto/bsky 0.0.280: routes/notifs, indexing/plugins/post and like). What
    a slow clock or a late relay stamps comes in behind what was read. So time says where to stop asking, not what is
    new: new is what isn't in ``known``, which has everything after ``floor``.

    Nothing is late by more than ``LATE_MAX``: what turns up so far behind the newest is old and was hidden, by a mute
    or a block that is lifted now (listNotifications.js there leaves it out of every page). After a long absence the
    newest is old itself.
    """

    at: datetime = _NEVER
    floor: datetime = _NEVER
    known: dict[str, datetime] = {}
    seen: tuple[str, ...] = ()
    """In cursors kept before there was ``known``."""

    def is_new(self, uri: str, at: datetime) -> bool:
        return at > max(self.floor, self.at - LATE_MAX) and uri not in self.known

    def past(self, uri: str, at: datetime) -> Place:
        """What is forgotten raises the floor, so that it never is new again."""
        known, floor = {**self.known, uri: at}, self.floor
        if len(known) > SEEN_MAX:
            oldest = min(known, key=known.__getitem__)
            floor = max(floor, known.pop(oldest))
        return Place(max(self.at, at), floor, known)


class Position(Place, frozen=True, omit_defaults=True):
    """What was read of everything: of what people say, of likes and reposts, and the chat's own cursor.

    Likes are a list of their own: however many there are, they never push out what somebody said.
    """

    chat: str | None = None
    marks: Place | None = None

    @property
    def cursor(self) -> str:
        return json.encode(self).decode()

    def reading(self, place: Place) -> Position:
        """Up to here of what people say."""
        return structs.replace(self, at=place.at, floor=place.floor, known=place.known, seen=())


class Receiver:
    """One run of ``events()``."""

    def __init__(self, session: Session, settings: Settings, context: Context) -> None:
        self._session = session
        self._settings = settings
        self._context = context
        self._clock = context.clock
        self._convos: dict[str, Convo] = {}
        self._look_back_at_s: dict[Sequence[str], float] = {}
        self._chat_rests_until_s = 0.0
        self._logged: set[int] = set()
        self._public = settings.public_server == DEFAULT_PUBLIC_SERVER

    async def arrivals(self, cursor: str | None) -> AsyncIterator[Arrival]:
        position = _position(cursor)
        if position is None:
            position = await self._from_now()
            yield (), position.cursor
        elif position.marks is None:  # kept before likes were told: those to come are
            position = structs.replace(position, marks=await self._now(MARKED))
        direct_due_s = self._clock.monotonic()
        while True:
            async for events, place in self._walk(SAID, position):
                position = position.reading(place)
                yield events, position.cursor
            async for events, place in self._walk(MARKED, position.marks or Place()):
                position = structs.replace(position, marks=place)
                yield events, position.cursor
            if self._settings.poll_direct_s > 0 and self._clock.monotonic() >= direct_due_s:
                direct_due_s = self._clock.monotonic() + self._settings.poll_direct_s
                for _ in range(LOG_ROUNDS_MAX):
                    before = position
                    messages, position = await self._directs(position)
                    if position == before:
                        break
                    yield messages, position.cursor
            await self._clock.sleep(self._pause_s(direct_due_s))

    def _pause_s(self, direct_due_s: float) -> float:
        if self._settings.poll_direct_s <= 0:
            return self._settings.poll_s
        return min(self._settings.poll_s, max(0.01, direct_due_s - self._clock.monotonic()))

    async def _from_now(self) -> Position:
        said, marks = await self._now(SAID), await self._now(MARKED)
        position = Position(marks=marks).reading(said)
        return (await self._directs(position))[1] if self._settings.poll_direct_s > 0 else position

    async def _now(self, reasons: Sequence[str]) -> Place:
        """What is there is known; what is further back is past."""
        place = Place(floor=self._clock.now() - LATE_MAX)
        page, further = await self._page(reasons, PAGE, None)
        there = [where for raw in reversed(page) if (where := self._where(raw)) is not None]
        for where in there:
            place = place.past(*where)
        if further is None:
            return place
        floor = there[0][1] if there else self._clock.now() - OVERLAP  # a page may be empty and not the last
        return structs.replace(place, at=max(place.at, floor), floor=max(place.floor, floor))

    # Notifications: newest first, the platform's cursor walks backwards.

    async def _walk(self, reasons: Sequence[str], place: Place) -> AsyncIterator[tuple[list[PlatformEvent], Place]]:
        """What came after the place, oldest first, and where that is."""
        unread = await self._unread(reasons, place)
        for start in range(0, len(unread), ARRIVAL_MAX):
            before = place
            events, place = await self._heard(unread[start : start + ARRIVAL_MAX], place)
            if place != before:
                yield events, place

    async def _unread(self, reasons: Sequence[str], place: Place) -> list[Any]:
        until = max(place.at - OVERLAP, place.floor)
        limit = self._first_page(reasons)
        found: list[Any] = []
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page, cursor = await self._page(reasons, limit, cursor)
            places = [(self._where(raw), raw) for raw in page]
            found += [raw for where, raw in places if where is None or place.is_new(*where)]
            if not cursor or (not page and limit == FIRST_PAGE):  # an empty page may be followed by one that isn't
                break
            if _is_past(cursor, until) or any(where is not None and where[1] < until for where, _ in places):
                break
            limit = PAGE
        else:
            log.warning("%s: more was missed than is read back; the oldest is left out", self._context.account)
        found.reverse()
        return found

    def _first_page(self, reasons: Sequence[str]) -> int:
        now_s = self._clock.monotonic()
        if now_s < self._look_back_at_s.get(reasons, now_s):
            return FIRST_PAGE
        self._look_back_at_s[reasons] = now_s + LOOK_BACK_S
        return PAGE

    async def _page(self, reasons: Sequence[str], limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        """Where that is too large to be read, less of it. An index may answer more than it is asked for: its cursor is
        behind all of it.
        """
        params: dict[str, Any] = {"reasons": list(reasons), "limit": limit}
        try:
            page = await self._session.page(
                "app.bsky.notification.listNotifications", {**params, "cursor": cursor} if cursor else params
            )
        except FaultError as error:
            if limit == 1 or not isinstance(error.__cause__, TooLargeError):
                raise
            return await self._page(reasons, max(1, limit // 10), cursor)
        return list(self._readable(page.notifications[: 2 * PAGE])), page.cursor

    def _readable(self, items: Sequence[Raw]) -> Iterator[Any]:
        for raw in items:
            try:
                yield decoded(raw, Any)
            except ValueError as error:
                self._skip(bytes(raw), error)

    def _where(self, raw: Any) -> tuple[str, datetime] | None:
        """A notification's record and time; a time to come is now, so that it hides nothing after it."""
        match raw:
            case {"uri": str(uri), "indexedAt": str(text)} if len(uri) <= URI_MAX:
                at = _time(text)
                return (uri, min(at, self._clock.now())) if at else None
        return None

    async def _heard(self, page: Sequence[Any], place: Place) -> tuple[list[PlatformEvent], Place]:
        here = await self._here()
        views = await self._views(page)
        events: list[PlatformEvent] = []
        for raw in page:
            try:
                event = _event(raw, here, views)
                events += [event] if event else []
            except (ValueError, RecursionError) as error:
                self._skip(raw, error)
            if (where := self._where(raw)) is not None:
                place = place.past(*where)
        return events, place

    async def _here(self) -> Here:
        return Here(self._context.account, await self._session.did(), self._public)

    async def _views(self, page: Sequence[Any]) -> dict[str, View]:
        """The posts that these notifications quote or are about, as far as the index tells: nothing waits for it."""
        uris = sorted({uri for raw in page if (uri := wanted(raw))})
        views: dict[str, View] = {}
        for start in range(0, len(uris), VIEWS_MAX):
            try:
                told = await self._session.page("app.bsky.feed.getPosts", {"uris": uris[start : start + VIEWS_MAX]})
            except FaultError as error:
                if error.fault.kind in _LOST:
                    raise
                log.warning("%s: what is quoted isn't known: %s", self._context.account, error.fault.evidence)
                continue
            views |= _views(list(self._readable(told.posts[:VIEWS_MAX])))
        return views

    # Direct messages: a log, oldest first, with a cursor that goes on.

    async def _directs(self, position: Position) -> tuple[list[PlatformEvent], Position]:
        """The log after the position; without one, where it stands now. The same position when there is nothing."""
        if self._clock.monotonic() < self._chat_rests_until_s:
            return [], position
        try:
            params = {"cursor": position.chat} if position.chat else {}
            page = await self._session.page("chat.bsky.convo.getLog", params, CHAT)
            logs = page.logs if position.chat else []
            events = [await self._direct(raw) for raw in self._readable(logs)]
        except FaultError as error:
            self._rest_chat(error.fault)
            return [], position
        finally:
            self._convos = {name: convo for name, convo in self._convos.items() if convo.is_shown}
        if page.cursor is not None and page.cursor != position.chat:
            position = structs.replace(position, chat=page.cursor)
        return [event for event in events if event], position

    def _rest_chat(self, fault: Fault) -> None:
        """Public life goes on without the chat service, unless the account itself is lost."""
        if fault.kind in _LOST:
            raise FaultError(fault)
        pause_s = CHAT_REST_S if fault.kind is FaultKind.CONFIG else self._settings.poll_direct_s * 3
        self._chat_rests_until_s = self._clock.monotonic() + pause_s
        log.warning("%s: no direct messages for %.0f s: %s", self._context.account, pause_s, fault.evidence)

    async def _direct(self, raw: Any) -> PlatformEvent | None:
        if not kind_of(raw):
            return None
        try:
            convo = await self._convo(convert(raw, Entry).convo_id)
            return heard(raw, convo, await self._here())
        except (ValueError, RecursionError) as error:
            self._skip(raw, error)
            return None

    async def _convo(self, convo_id: str) -> Convo:
        """Who talks there: messages name their sender by DID alone."""
        if convo_id not in self._convos:
            if len(self._convos) >= CONVOS_MAX:
                self._convos.clear()
            self._convos[convo_id] = await self._asked(convo_id)
        return self._convos[convo_id]

    async def _asked(self, convo_id: str) -> Convo:
        """One that we left or were put out of since isn't shown, but what was said there before is in the log."""
        try:
            answer = await self._session.query("chat.bsky.convo.getConvo", {"convoId": convo_id}, CHAT)
        except FaultError as error:
            if error.fault.kind not in _UNSHOWN:
                raise
            log.warning("%s: a conversation isn't shown: %s", self._context.account, error.fault.evidence)
            return unshown(convo_id)
        return convert(answer.get("convo"), Convo)

    def _skip(self, raw: Any, why: object) -> None:
        mark = hash(named(raw))
        if mark not in self._logged and len(self._logged) < SEEN_MAX:
            self._logged.add(mark)
            log.warning("%s: an event that can't be read was left out: %s", self._context.account, why)


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _is_past(cursor: str, until: datetime) -> bool:
    """Where a cursor is a time (IsoSortAtKey in data-plane/server of @atproto/bsky 0.0.280) and no number, which might
    be read as one.
    """
    at = _time(cursor) if cursor[4:5] == "-" else None
    return at is not None and at < until


def _event(raw: Any, here: Here, views: Mapping[str, View]) -> PlatformEvent | None:
    """Own deeds are none."""
    notification, text = convert(raw, Notification), kept(raw)
    if notification.author.did == here.did:
        return None
    if notification.reason in MARKED:
        return marked(notification, here, views)
    return received(notification, here, views, text)


def _views(posts: Sequence[Any]) -> dict[str, View]:
    views = {}
    for raw in posts:
        try:
            view, _ = convert(raw, View), kept(raw)
        except (ValueError, RecursionError):  # somebody else's record
            continue
        views[view.uri] = view
    return views


def _position(cursor: str | None) -> Position | None:
    try:
        position = json.decode(cursor, type=Position) if cursor else None
    except ValueError:
        log.warning("a cursor that can't be read: starting from now")
        return None
    if position is None:
        return None
    marks = _timed(position.marks) if position.marks else None
    return structs.replace(position.reading(_timed(position)), marks=marks)


def _timed(place: Place) -> Place:
    """Of a cursor without times: all that can be said of what was seen is that it wasn't later."""
    if not place.seen:
        return place
    return Place(place.at, place.at - OVERLAP, dict.fromkeys(place.seen, place.at))

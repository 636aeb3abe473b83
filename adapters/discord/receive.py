"""Receiving: what was missed, from each channel's history; then live, from the gateway.

A file beside ``adapter.py`` because it is the longer half of talking: the order of backfill and live events, the
position, and the guard of the logins all belong to one run of :meth:`Run.arrivals`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import msgspec

from adapters.border import crossing
from adapters.discord import position as positions
from adapters.discord import translate
from adapters.discord.errors import GatewayEndedError, describe
from adapters.discord.memory import Bounded, Memory
from adapters.discord.profile import FAULTS, HISTORY_PAGE, Settings
from adapters.discord.wire import LOGIN, Feed, Item, Rest, Session
from gateway.model.delivery import FaultError, Receipt
from gateway.model.events import PlatformEvent
from gateway.ports import Arrival, Context

Step = TypeVar("Step")

log = logging.getLogger("multihome.discord")

READABLE = frozenset({0, 1, 2, 5, 10, 11, 12, 13})
"""Channel types that hold messages: text, DM, voice, announcements, threads, stage."""
DIRECT_TYPES = frozenset({1, 3})
_MALFORMED = (ValueError, OverflowError)
"""What reading an event throws: of the wrong shape, characters that can't be stored, times out of range."""
BATCH_MAX = 100
BREAKS_MAX = 10
BREAKS_WINDOW_S = 60.0
LOGIN_WAIT_MAX_S = 45.0
"""discord.py gives a connection 60 s from its opening to its login."""


class Run:
    """One run of receiving, from a cursor until the connection fails or the consumer leaves."""

    def __init__(
        self,
        rest: Rest,
        settings: Settings,
        context: Context,
        memory: Memory,
        cursor: str | None,
        who: Callable[[], Awaitable[Any]],
    ) -> None:
        self._rest = rest
        self._settings = settings
        self._context = context
        self._memory = memory
        self._who = who
        """Asks the platform who we are, signing in where that is still to do."""
        self._position = positions.load(cursor, context.clock.now())
        self._before = self._position.copy()
        """The position at the last login: what live events add must not hide what was missed."""
        self._feed: Feed
        self._caught_up: set[str] = set()
        self._read_up_to: dict[str, int] = {}
        self._guilds_at_login: set[str] = set()
        self._guilds_to_come: set[str] = set()
        self._lobbies: Bounded[str, str] = Bounded(1024)
        self._recent: Bounded[str, None] = Bounded(4096)
        self._breaks: deque[float] = deque(maxlen=BREAKS_MAX)
        self._logins = 0
        self._new_session: Session | None = None
        """Not to be resumed before everything up to its beginning was fetched."""
        self._told = cursor is not None
        """Whether the consumer has a position of ours. The first one it gets is that of a live connection."""
        self._of_connection: dict[str, Callable[[Any], list[list[PlatformEvent] | str]]] = {
            LOGIN: self._on_login,
            "READY": self._on_ready,
            "GUILD_CREATE": self._on_guild,
        }
        self._of_people: dict[str, Callable[[Any], list[PlatformEvent]]] = {
            "MESSAGE_CREATE": self._on_create,
            "MESSAGE_UPDATE": self._on_update,
            "MESSAGE_DELETE": self._on_delete,
            "MESSAGE_DELETE_BULK": self._on_bulk_delete,
            "MESSAGE_REACTION_ADD": self._on_reaction,
            "GUILD_MEMBER_ADD": self._on_join,
            "GUILD_MEMBER_REMOVE": self._on_leave,
        }

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """See :meth:`gateway.ports.Adapter.events`."""
        try:
            async with crossing(partial(describe, self._context.clock.now, ""), FAULTS, doing="receive"):
                await self._prepare()
                async with self._feed as feed:
                    while True:
                        for step in self._steps(await feed.batch()):
                            if not isinstance(step, str):
                                yield self._arrival(step)
                                continue
                            while (missed := await self._missed(step)) is not None:
                                if missed:
                                    yield self._arrival(missed)
        except FaultError:
            if not self._told:
                yield self._arrival([])
            raise

    async def _prepare(self) -> None:
        """A token that is refused must cost no login; nor may a crash loop use them up."""
        await self._who()
        if self._rest.elsewhere:
            await self._rest.find_gateway()
        session = self._position.session
        if session is None:
            now, step_s = self._context.clock.now(), self._settings.identify_pause_s
            await self._context.clock.sleep(self._position.pause_s(now, step_s))
        resumed = Session(*session) if session else None
        self._feed = Feed(self._rest, self, resumed, member_joins=self._settings.member_joins)

    def _arrival(self, events: list[PlatformEvent]) -> Arrival:
        self._told = True
        return events, self._position.dump()

    def _steps(self, items: Iterable[Item]) -> Iterator[list[PlatformEvent] | str]:
        """In order: events to hand on together, and channels whose history comes first."""
        live: list[PlatformEvent] = []
        for event, data, sequence in items:
            connection = event in self._of_connection
            if live and (connection or len(live) >= BATCH_MAX):
                yield live
                live = []
            if connection:
                yield from self._parsed(self._of_connection, event, data)
            else:
                live.extend(self._parsed(self._of_people, event, data))
            began = self._session_began()
            self._position.heard(sequence)
            if began:
                yield []
        if live:
            yield live

    # The connection.

    async def before_login(self) -> None:
        """The first login of a run has rested already, unless a session was to be resumed."""
        clock, step_s = self._context.clock, self._settings.identify_pause_s
        pause_s = max(step_s if self._logins else 0.0, self._position.pause_s(clock.now(), step_s))
        if pause_s > LOGIN_WAIT_MAX_S:
            raise GatewayEndedError(f"too many logins: the next one in {pause_s:.0f} s")
        await clock.sleep(pause_s)
        self._logins += 1
        self._position.logged_in(clock.now(), step_s)
        self._feed.put((LOGIN, None, 0))

    def broke(self) -> None:
        """The connection is made anew at once and for ever: one that keeps breaking is a failed one."""
        now = self._context.clock.monotonic()
        if len(self._breaks) == BREAKS_MAX and now - self._breaks[0] < BREAKS_WINDOW_S:
            raise GatewayEndedError(f"the connection broke {BREAKS_MAX} times in {BREAKS_WINDOW_S:.0f} s")
        self._breaks.append(now)

    def _on_login(self, _: Any) -> list[list[PlatformEvent] | str]:
        """An arrival without events: the guard outlives a crash only where it is stored."""
        return [[]] if self._told else []

    def _on_ready(self, data: Any) -> list[list[PlatformEvent] | str]:
        """A new session begins: whatever happened since the position has to be fetched."""
        self._position.session = None
        ready = msgspec.convert(data, translate.RawReady)
        self._new_session = Session(ready.session_id, ready.resume_gateway_url, 0)
        self._before = self._position.copy()
        self._read_up_to.clear()
        self._caught_up.clear()
        self._guilds_at_login = {guild.id for guild in ready.guilds}
        self._guilds_to_come = set(self._guilds_at_login)
        return [*dict.fromkeys((*self._before.directs, *self._before.channels, *self._settings.watch))]

    def _session_began(self) -> bool:
        """Whether what was before the new session is all here, so that resuming it loses nothing."""
        if self._new_session is None or self._guilds_to_come:
            return False
        self._position.session, self._new_session = self._new_session, None
        return True

    def _on_guild(self, data: Any) -> list[list[PlatformEvent] | str]:
        """Channels of a server that were written to since we looked. A server we have just entered has none for us."""
        guild = msgspec.convert(data, translate.RawGuild)
        if guild.system_channel_id:
            self._lobbies[guild.id] = guild.system_channel_id
        channels = [channel for channel in guild.channels + guild.threads if channel.type in READABLE]
        for channel in channels:
            if channel.id in (self._settings.announce_to, *self._settings.watch):
                self._memory.guilds[channel.id] = guild.id
        self._guilds_to_come.discard(guild.id)
        if guild.id not in self._guilds_at_login:
            return []
        news = [c.id for c in channels if int(c.last_message_id or 0) > self._before.since(c.id)]
        for channel_id in news:
            self._position.saw(channel_id, self._before.since(channel_id), private=False)
        return [*news]

    # What was missed.

    async def _missed(self, channel: str) -> list[PlatformEvent] | None:
        """A channel's next messages since the last login, oldest first. None: all of them were given."""
        if channel in self._caught_up:
            return None
        after = self._read_up_to.get(channel) or self._before.since(channel)
        try:
            await self._learn(channel)
            page = await self._rest.logs_from(int(channel), HISTORY_PAGE, after=after)
        except Exception as error:  # noqa: BLE001 - goes on up unless it is a refusal
            self._give_up(channel, error)
            return None
        events, newest = self._page(channel, page)
        self._read_up_to[channel] = newest
        if len(page) < HISTORY_PAGE or newest <= after:
            self._caught_up.add(channel)
        return events

    async def _learn(self, channel: str) -> None:
        """A watched channel nothing is known of may be a DM: what is private must stay so."""
        if channel not in self._position.channels and channel not in self._position.directs:
            found = await self._rest.get_channel(int(channel))
            private = found["type"] in DIRECT_TYPES
            self._position.saw(channel, self._before.since(channel), private=private)

    def _give_up(self, channel: str, error: Exception) -> None:
        """A channel that is closed to us is no reason to stop; anything else goes on up."""
        told = describe(self._context.clock.now, "", error)
        if told is None or told.status not in (400, 403, 404):
            raise error
        log.warning("the history of channel %s is closed to us: %s", channel, told.text)
        self._caught_up.add(channel)
        if told.status == 404:
            self._position.forget(channel)

    def _page(self, channel: str, page: list[Any]) -> tuple[list[PlatformEvent], int]:
        """A history page's events, oldest first, and its newest id."""
        messages = []
        for raw in page:
            try:
                messages.append((msgspec.convert(raw, translate.RawMessage), translate.kept(raw)))
            except _MALFORMED as error:
                self._skip("history", error)
        messages.sort(key=lambda read: int(read[0].id))
        private = channel in self._position.directs
        events: list[PlatformEvent] = []
        for message, raw in messages:
            events.extend(
                self._parsed({"history": partial(self._message, private=private, raw=raw)}, "history", message)
            )
        return events, max((int(message.id) for message, _ in messages), default=0)

    # Live.

    def _parsed(self, parsers: dict[str, Callable[[Any], list[Step]]], event: str, data: Any) -> list[Step]:
        try:
            return parsers[event](data)
        except _MALFORMED as error:
            self._skip(event, error)
            return []

    def _skip(self, event: str, error: Exception) -> None:
        log.warning("skipped a malformed %s: %s", event, str(error)[:200])

    def _on_create(self, data: Any) -> list[PlatformEvent]:
        message = msgspec.convert(data, translate.RawMessage)
        if message.guild_id:
            self._memory.guilds[message.channel_id] = message.guild_id
        return self._message(message, private=message.guild_id is None, raw=translate.kept(data))

    def _message(self, message: translate.RawMessage, *, private: bool, raw: str = "") -> list[PlatformEvent]:
        self._position.saw(message.channel_id, int(message.id), private=private)
        if message.id in self._recent:
            return []
        self._recent[message.id] = None
        if message.author.id == self._memory.me:
            self._confirm(message)
        event = translate.received(message, self._context.account, self._memory.me, private=private, raw=raw)
        return [event] if event else []

    def _confirm(self, message: translate.RawMessage) -> None:
        """Our own message came by: whoever waits for its answer in vain can be told."""
        nonce = "" if message.nonce is None else str(message.nonce)
        self._memory.nonces[message.id] = nonce
        if nonce:
            ref = translate.reference(message.channel_id, message.id)
            self._memory.confirmed[nonce] = Receipt(ref, positions.moment(int(message.id)))

    def _on_update(self, data: Any) -> list[PlatformEvent]:
        if isinstance(data, dict) and "author" not in data:
            return []  # only a preview was added
        message = msgspec.convert(data, translate.RawMessage)
        private = message.guild_id is None
        raw = translate.kept(data)
        event = translate.edited(message, self._context.account, self._memory.me, private=private, raw=raw)
        return [event] if event else []

    def _on_delete(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawDeleted)
        if raw.id in self._memory.nonces:
            return []
        return [translate.deleted(raw, self._context.account, self._context.clock.now())]

    def _on_bulk_delete(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawBulkDeleted)
        return [
            event
            for message_id in raw.ids
            for event in self._on_delete({"id": message_id, "channel_id": raw.channel_id})
        ]

    def _on_reaction(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawReaction)
        event = translate.reacted(raw, self._context.account, self._memory.me, self._context.clock.now())
        return [event] if event else []

    def _on_join(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawJoin)
        if raw.user.id == self._memory.me:
            return []
        lobby = self._lobbies.get(raw.guild_id, raw.guild_id)
        return [translate.member_joined(raw, self._context.account, lobby, self._context.clock.now())]

    def _on_leave(self, data: Any) -> list[PlatformEvent]:
        raw = msgspec.convert(data, translate.RawLeave)
        if raw.user.id == self._memory.me:
            return []
        lobby = self._lobbies.get(raw.guild_id, raw.guild_id)
        return [translate.member_left(raw, self._context.account, lobby, self._context.clock.now())]

"""Receiving: what was missed, from each channel's history; then live, from the gateway.

A file beside ``adapter.py`` because it is the longer half of talking: the order of backfill and live events, the
position, and the guard of the logins all belong to one run of :meth:`Run.arrivals`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

from adapters.border import crossing
from adapters.discord import position as positions
from adapters.discord import translate
from adapters.discord.errors import GatewayEndedError, describe
from adapters.discord.hearing import Hearing, unless_malformed
from adapters.discord.memory import Memory, Place
from adapters.discord.profile import FAULTS, HISTORY_PAGE, Settings
from adapters.discord.wire import LOGIN, Feed, Item, Rest, Session
from gateway.model.delivery import FaultError
from gateway.model.events import PlatformEvent
from gateway.ports import Arrival, Context

log = logging.getLogger("multihome.discord")

READABLE = frozenset({0, 1, 2, 5, 10, 11, 12, 13})
"""Channel types that hold messages: text, DM, voice, announcements, threads, stage."""
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
        self._hearing = Hearing(context.account, context.clock, memory, self._position)
        self._before = self._position.copy()
        """The position at the last login: what live events add must not hide what was missed."""
        self._feed: Feed
        self._caught_up: set[str] = set()
        self._read_up_to: dict[str, int] = {}
        self._guilds_at_login: set[str] = set()
        self._guilds_to_come: set[str] = set()
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

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """See :meth:`gateway.ports.Adapter.events`."""
        try:
            async with crossing(partial(describe, self._context.clock.now, None), FAULTS, doing="receive"):
                await self._prepare()
                async with self._feed as feed:
                    while True:
                        items = await feed.batch()
                        await self._look_up(items)
                        for step in self._steps(items):
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
                yield from unless_malformed(event, self._of_connection[event], data)
            else:
                live.extend(self._hearing.live(event, data))
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
            self._memory.lobbies[guild.id] = guild.system_channel_id
        types = {channel.id: channel.type for channel in guild.channels}
        channels = [channel for channel in guild.channels + guild.threads if channel.type in READABLE]
        for channel in channels:
            self._memory.places[channel.id] = translate.place(channel, guild.id, types.get(channel.parent_id or ""))
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
            page = await self._rest.logs_from(int(channel), HISTORY_PAGE, after=after)
            place = await self._place(channel) if page else Place()
        except Exception as error:  # noqa: BLE001 - goes on up unless it is a refusal
            self._give_up(channel, error)
            return None
        events, newest = self._hearing.page(page, place)
        self._read_up_to[channel] = newest
        if len(page) < HISTORY_PAGE or newest <= after:
            self._caught_up.add(channel)
        return events

    async def _place(self, channel: str) -> Place:
        """History names neither server nor thread, nor says that a channel is a DM: what is private must stay so."""
        if channel in self._position.directs:
            return Place(private=True)
        if channel not in self._memory.places:
            await self._learn(channel)
        return self._memory.places[channel]

    async def _learn(self, channel: str) -> None:
        found = await self._channel(channel)
        above = await self._channel(found.parent_id) if found.parent_id and found.is_public_thread else None
        self._memory.places[channel] = translate.place(found, found.guild_id, above.type if above else None)

    async def _channel(self, channel: str) -> translate.RawChannel:
        return msgspec.convert(await self._rest.get_channel(int(channel)), translate.RawChannel)

    async def _look_up(self, items: Iterable[Item]) -> None:
        """The threads that messages are in and nobody told of: a session that is taken up again tells none anew."""
        for event, data, _ in items:
            thread = translate.thread(data) if event == "MESSAGE_CREATE" else None
            if thread is None or thread in self._memory.places:
                continue
            try:
                await self._learn(thread)
            except Exception as error:  # noqa: BLE001 - goes on up unless it is a refusal
                self._give_up(thread, error)

    def _give_up(self, channel: str, error: Exception) -> None:
        """A channel that is closed to us is no reason to stop; anything else goes on up."""
        told = describe(self._context.clock.now, None, error)
        if told is None or told.status not in (400, 403, 404):
            raise error
        log.warning("channel %s is closed to us: %s", channel, told.text)
        self._caught_up.add(channel)
        if told.status == 404:
            self._position.forget(channel)

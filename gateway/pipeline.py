"""THE SPINE: record event -> who is it -> inbound policies -> agent -> draft -> outbound policies -> outbox.

Events are stored with their cursor before anything looks at them. Conversations are handled side by side, each in
its own order. An event's mark and the answer it caused are stored together.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from msgspec import Struct, structs

from gateway import agent
from gateway.answers import Answers, answer_name
from gateway.books import NewDelivery, StoreError
from gateway.model.capabilities import Profile
from gateway.model.content import Document
from gateway.model.delivery import Delivery, Draft, FaultError, InConversation
from gateway.model.events import Kind, MessageReceived, PlatformEvent
from gateway.model.facts import InboundFacts
from gateway.model.ids import AccountId, ConversationId, DraftId
from gateway.model.verdict import Refuse
from gateway.outbox.intake import Intake
from gateway.outbox.outbox import Outbox
from gateway.ports import Adapter, ShowsTyping
from gateway.revisions import Revisions
from gateway.services import Services
from gateway.text.markdown import from_markdown
from gateway.threads import an_agents
from gateway.unanswered import StoredEvent
from gateway.waiting import Line, Room

log = logging.getLogger("multihome.pipeline")

RETRY_FIRST_S = 2.0
RETRY_LONGEST_S = 300.0
TYPING_AFTER_S = 0.5
"""An agent that answers faster needs no typing sign."""
TYPING_EVERY_S = 8.0
STORE_PAUSE_S = 1.0
AGAIN_PAUSE_S = 1.0
FOR_EVER = datetime.max.replace(tzinfo=UTC)
END_PATIENCE_S = 0.5
"""How long a cancelled answer may take to end when the gateway stops."""

PARKED = "%s: the agent failed on %s (try %d of %d): it gets no answer; see `multihome unanswered`"

T = TypeVar("T")
_Place = tuple[AccountId, ConversationId]


class Limits(Struct, frozen=True):
    """How the agent is used: so many conversations at once, so long per answer, so many tries per message."""

    concurrency: int = 64
    timeout_s: float = 120.0
    max_attempts: int = 5
    read: Callable[[str], Document] = from_markdown
    """What an answer's text means."""
    told: agent.Listener | None = None
    """Who hears of what is no message."""


class Pipeline:
    """From the platforms to the agent and back to the outbox."""

    def __init__(
        self,
        services: Services,
        intake: Intake,
        outbox: Outbox,
        adapters: Mapping[AccountId, Adapter],
        profiles: Mapping[AccountId, Profile],
        handler: agent.Handler | None,
        limits: Limits,
        own_voices: Callable[[], frozenset[tuple[str, str]]],
    ) -> None:
        self._workspace = services.workspace
        self._store = services.store
        self._clock = services.clock
        self._policies = services.policies
        self._new_id = services.new_id
        self._intake = intake
        self._outbox = outbox
        self._adapters = adapters
        self._profiles = profiles
        self._handler = handler
        self._limits = limits
        self._own_voices = own_voices
        self._answers = Answers(services.store, Revisions(services, intake, outbox), limits.read)
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._lines: dict[_Place, Line] = {}
        self._serving: dict[_Place, asyncio.Task[None]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._rooms: defaultdict[AccountId, Room] = defaultdict(Room)
        self._recovered: defaultdict[AccountId, asyncio.Event] = defaultdict(asyncio.Event)
        self._again: dict[AccountId, asyncio.Task[None]] = {}
        self._wanted: set[AccountId] = set()

    async def receive(self, account: AccountId, events: Sequence[PlatformEvent], cursor: str) -> None:
        """Store an arrival; when this returns the platform may forget it. What the last process left comes first.

        Raises LeaseLost when the account is another process's now.
        """
        await self._recovered[account].wait()
        await self._rooms[account].free.wait()
        self._take(await self._store.record(account, events, cursor, self._clock.now()))

    async def recover(self, account: AccountId) -> int:
        """Before an account is listened to: hand out again what its last process did not finish. Returns how many
        events.
        """
        try:
            return await self._hand_out(account)
        finally:
            self._recovered[account].set()

    def again(self, account: AccountId) -> None:
        """An operator wants parked messages to be tried again. Only who answers for the account hands them out."""
        if account not in self._recovered:
            return
        self._wanted.add(account)
        if account not in self._again:
            task = self._again[account] = asyncio.create_task(self._hand_out_again(account))
            task.add_done_callback(partial(self._handed_out, account))

    async def _hand_out_again(self, account: AccountId) -> None:
        """Each when nothing else of its conversation is under way: they are older than what is."""
        await self._recovered[account].wait()
        while account in self._wanted:
            self._wanted.remove(account)
            while left := await self._insist(lambda: self._store.again(account)):
                self._take([one for one in left if (account, one.event.conversation) not in self._lines])
                await self._clock.sleep(AGAIN_PAUSE_S)

    def _handed_out(self, account: AccountId, task: asyncio.Task[None]) -> None:
        if self._again.get(account) is task:
            del self._again[account]

    async def forget(self, account: AccountId, patience_s: float) -> None:
        """Another process answers for this account from now on. An answer under way may finish for a while."""
        self._recovered.pop(account, None)
        if account in self._again:
            self._again.pop(account).cancel()
        mine = {place: task for place, task in self._serving.items() if place[0] == account}
        for place, task in mine.items():
            if task in self._answering:
                self._rooms[account].count(-self._lines[place].leave(1))
            else:
                task.cancel()
        await _end(mine.values(), patience_s)
        for place, task in mine.items():
            self._close(place, task)  # what doesn't end is let go: the account may be had again while it goes on

    async def _hand_out(self, account: AccountId) -> int:
        after = found = 0
        while True:
            page = await self._pending(account, after)
            if not page:
                return found
            self._take(page)
            after = page[-1].seq
            found += len(page)
            await self._rooms[account].free.wait()

    async def stop(self, patience_s: float) -> None:
        """Let answers under way finish for a while; the others are handed out again at the next start."""
        self._stopping = True
        for again in self._again.values():
            again.cancel()
        for task in self._serving.values():
            if task not in self._answering:
                task.cancel()
        await _end(self._serving.values(), patience_s)

    def _take(self, events: Iterable[StoredEvent]) -> None:
        for stored in events:
            place = (stored.event.account, stored.event.conversation)
            line = self._lines.get(place)
            if line is None:
                line = self._lines[place] = Line()
                task = self._serving[place] = asyncio.create_task(self._serve(place, line))
                task.add_done_callback(partial(self._close, place))  # one that is cancelled before it begins, too
            self._rooms[place[0]].count(line.add(stored))

    async def _serve(self, place: _Place, line: Line) -> None:
        """One conversation: its events in order, until none is left. A message that the agent fails on is tried again
        before the next one is handed to it.
        """
        queue, room = line.events, self._rooms[place[0]]
        try:
            while queue or line.unread:
                if not queue:
                    room.count(await self._read_on(place, line))
                    continue
                async with self._slots:
                    retry_at = await self._attend(queue[0])
                if not queue:
                    return
                if retry_at is not None:
                    queue[0] = structs.replace(queue[0], attempts=queue[0].attempts + 1)
                    await self._clock.sleep((retry_at - self._clock.now()).total_seconds())
                    continue
                queue.popleft()
                room.count(-1)
        finally:
            self._close(place, asyncio.current_task())

    async def _read_on(self, place: _Place, line: Line) -> int:
        """Take in what of a conversation stayed in the inbox; how many came."""
        account, conversation = place
        unread = line.unread  # what comes meanwhile may be on this page, and is told of all the same
        page = await self._pending(account, unread[0] - 1)
        own = [stored for stored in page if stored.event.conversation == conversation and stored.seq in unread]
        return line.read_on(own, min(page[-1].seq, unread[-1]) if page else unread[-1])

    async def _pending(self, account: AccountId, after: int) -> tuple[StoredEvent, ...]:
        """The postponed ones, too, whatever their hour: the clock may have been set back since."""
        return await self._insist(partial(self._store.pending_events, FOR_EVER, account=account, after=after))

    def _close(self, place: _Place, task: asyncio.Task[None] | None) -> None:
        if self._serving.get(place) is task:
            self._rooms[place[0]].count(-self._lines.pop(place).leave(0))
            del self._serving[place]

    async def _attend(self, stored: StoredEvent) -> datetime | None:
        """Handle one event, unless the gateway stops; when it failed, the hour of the next try."""
        task = asyncio.current_task()
        if self._stopping or task is None:
            raise asyncio.CancelledError
        self._answering.add(task)
        try:
            return await self._handle(stored)
        finally:
            self._answering.discard(task)

    async def _handle(self, stored: StoredEvent) -> datetime | None:
        """Ask the agent once, then insist on storing what it said, or that it failed."""
        try:
            said = await self._said(stored)
            await self._insist(lambda: self._answer(stored, said))
        except Exception as error:  # noqa: BLE001 - it is the operator's code: whatever it raises is told and retried
            failed = error
        else:
            return None
        return await self._insist(lambda: self._postpone(stored, failed))

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """A database that can't take it is waited for."""
        while True:
            try:
                return await work()
            except StoreError as error:
                log.error("the database fails, trying again: %s", error)  # noqa: TRY400 - it says it all
                await self._clock.sleep(STORE_PAUSE_S)

    async def _said(self, stored: StoredEvent) -> agent.Said:
        event = stored.event
        if not isinstance(event, MessageReceived):
            if self._limits.told is not None:
                await self._within(self._limits.told(event))
            return agent.Said()
        if self._handler is None or self._refused(event):
            return agent.Said()
        return await self._ask(self._handler, stored, event)

    async def _answer(self, stored: StoredEvent, said: agent.Said) -> None:
        """The event's mark, the answer and what is done besides, together."""
        new = [await self._intake.prepare(draft) for draft in self._drafts(stored, said)]
        await self._outbox.enter(new, partial(self._handled, stored.seq))

    def _handled(self, seq: int, new: Sequence[NewDelivery]) -> Awaitable[tuple[Delivery, ...]]:
        return self._store.handled(seq, new, self._clock.now())

    def _refused(self, message: MessageReceived) -> bool:
        verdict = self._policies.inbound(InboundFacts(message, self._own_voices()))
        if isinstance(verdict, Refuse):
            log.info("%s: not for the agent: %s", message.account, verdict.reason)
        return isinstance(verdict, Refuse)

    async def _ask(self, handler: agent.Handler, stored: StoredEvent, message: MessageReceived) -> agent.Said:
        adapter = self._adapters.get(message.account)
        name = answer_name(message.account, stored.seq)
        conversation = agent.Conversation(message, stored.person, self._store, adapter, self._answers, name)
        sign = None
        if adapter is not None and isinstance(adapter, ShowsTyping):
            sign = asyncio.create_task(self._show_typing(adapter, message))
        try:
            answer = await self._within(agent.answer(handler, message, conversation))
            return agent.Said(answer, tuple(conversation.gestures))
        finally:
            if sign is not None:
                sign.cancel()

    async def _within(self, work: Awaitable[T]) -> T:
        """The operator's code, for as long as it may take: it can't end more than its own task's turn."""
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                with an_agents():
                    return await work
        except (asyncio.CancelledError, SystemExit) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            raise RuntimeError(f"the agent gave up with {type(error).__name__}") from error

    async def _show_typing(self, adapter: ShowsTyping, message: MessageReceived) -> None:
        await self._clock.sleep(TYPING_AFTER_S)
        try:
            while True:
                await adapter.show_typing(message.conversation)
                await self._clock.sleep(TYPING_EVERY_S)
        except FaultError as error:
            log.info("%s: typing could not be shown: %s", message.account, error.fault.evidence)
        except Exception:
            log.exception("%s: typing could not be shown", message.account)

    def _drafts(self, stored: StoredEvent, said: agent.Said) -> list[Draft]:
        """The answer first: nobody waits for it because of a reaction."""
        message = stored.event
        if not isinstance(message, MessageReceived):
            return []
        drafts = []
        if said.answer is not None:
            words = said.answer if isinstance(said.answer, Document) else self._limits.read(said.answer)
            reply = self._draft(message, answer_name(message.account, stored.seq), words)
            drafts.append(structs.replace(reply, in_reply_to=message.ref, with_person=message.author))
        for number, gesture in enumerate(said.gestures):
            gestured = self._draft(message, f"gesture:{message.account}:{stored.seq}:{number}", Document())
            drafts.append(structs.replace(gestured, revises=gesture))
        return drafts

    def _draft(self, message: MessageReceived, key: str, document: Document) -> Draft:
        """A group is as closed as a DM: what is said there never goes out in public."""
        among_members = not message.private and not self._profiles[message.account].open_conversations
        return Draft(
            DraftId(self._new_id()),
            self._workspace,
            message.account,
            InConversation(message.conversation, message.private),
            document,
            self._clock.now(),
            key,
            closed=message.private or message.kind is Kind.GROUP or among_members,
        )

    async def _postpone(self, stored: StoredEvent, error: Exception) -> datetime | None:
        """The agent failed on this message: later again, or parked for the operator after the last try."""
        attempts = stored.attempts + 1
        what = "a message" if isinstance(stored.event, MessageReceived) else "an event"
        most = self._limits.max_attempts
        told = "%s: the agent failed on %s (try %d of %d)" if attempts < most else PARKED
        log.error(told, stored.event.account, what, attempts, most, exc_info=error)
        retry_at: datetime | None = None
        if attempts < most:
            rest_s = min(RETRY_LONGEST_S, RETRY_FIRST_S * 2 ** (attempts - 1))
            retry_at = self._clock.now() + timedelta(seconds=rest_s)
        await self._store.postpone(stored.seq, f"{type(error).__name__}: {error}"[:500], retry_at)
        return retry_at


async def _end(tasks: Iterable[asyncio.Task[None]], patience_s: float) -> None:
    """Let tasks finish for a while, then end them, as far as they let themselves be ended."""
    left = set(tasks)
    if left:
        _, left = await asyncio.wait(left, timeout=patience_s)
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=END_PATIENCE_S)

"""Watches a world: every commit, request, post, standing and log line is held against the invariants."""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import invariants
import invariants_at_rest
from invariants import Broken
from sim_books import Change, on_disk
from sim_dealer import ScriptedBug
from sim_network import Post
from sim_pace import Pace
from sim_people import Said
from sim_time import Crash

from gateway.books import StoreError
from gateway.model.delivery import RESENT, Part, State
from gateway.model.events import DeliveryChanged, GatewayEvent, MessageReceived, StandingChanged
from gateway.model.ids import AccountId
from gateway.model.standing import EXPLICIT

if TYPE_CHECKING:
    from sim_process import Process
    from sim_world import World

CHECK_EVERY_S = 600.0
QUICK_S = 0.002
"""What a commit takes on a disk that is well."""
AFTER_EACH_COMMIT = (
    invariants.nothing_accepted_is_lost,
    invariants.states_follow_the_table,
    invariants.a_plan_is_frozen,
    invariants.one_at_a_time,
    invariants.a_held_post_has_a_way_home,
    invariants.a_repeat_stays_marked,
    invariants.delivered_means_there,
    invariants.nothing_is_answered_twice,
)
FOR_EACH_POST = (
    invariants.nothing_has_two_effects,
    invariants.what_was_changed_is_not_said,
    invariants.order_is_kept,
    invariants.private_stays_private,
)
PLANNED = (ScriptedBug, StoreError, TimeoutError)
"""What may fail: the rest of what the log tells with a traceback is a bug."""


class Watch:
    """Ends the story when something broke, and keeps what the invariants remember."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._story = world.story
        self.broken: Broken | None = None
        self.checked_until: dict[str, int] = {}
        """By account: how far what was read is known to be stored."""
        self.answers: dict[tuple[str, str], str] = {}
        """Which delivery answers which message of which account."""
        self.doubled: dict[str, set[str]] = {}
        """By draft: the lines that are there twice."""
        self.tracks: defaultdict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
        """By account, place and order: what came there, as (seq, paragraph)."""
        self.asked: dict[tuple[str, str], int] = {}
        """By account and conversation: the last event that the agent was handed for the first time."""
        self.resumed: set[str] = set()
        self.pace = Pace()
        self.able_since = dict.fromkeys(world.networks.accounts, 0.0)
        """By account: since when nothing is known to keep it from sending."""
        self.changed_at_s = dict.fromkeys(world.networks.accounts, 0.0)
        self.slow_s = 0.0
        """When the disk was slow for the last time."""
        """By account: when its standing changed last, or when somebody could act on that again."""

    # How a story ends.

    def breaks(self, broken: Broken) -> None:
        if self.broken is None:
            self.broken = broken
            self._story.tell(f"BROKEN  {broken}")
        raise Crash

    def judge(self, invariant: Callable[..., None], *args: Any) -> None:
        try:
            invariant(*args)
        except Broken as broken:
            self.breaks(broken)

    def raise_broken(self) -> None:
        if self.broken is not None:
            raise self.broken

    # What is seen.

    def process_begins(self, process: Process) -> None:
        """Everything that this process says is heard."""
        process.on_event = self.heard
        process.loop.set_exception_handler(lambda _, said: self._unhandled(said))

    def committed(self, changes: list[Change]) -> None:
        world = self._world
        for change in changes:
            self._story.note(str(change.row))
            self._count(change)
        for invariant in AFTER_EACH_COMMIT:
            self.judge(invariant, world, changes)
        self.judge(invariants.what_arrived_is_stored, world)
        new, world.books.standings = world.books.standings, []
        for account, standing, evidence in new:
            self.judge(invariants.a_change_has_evidence, world, account, standing, evidence)

    def _count(self, change: Change) -> None:
        """How often deliveries went which way."""
        before, after = change
        if after is None:
            self._story.happened["delivery: forgotten"] += 1
            return
        if before is None or before.state is not after.state:
            self._story.happened[f"delivery: {after.state}"] += 1
        if before is not None and before.account != after.account:
            home = after.account == after.home
            self._story.happened["delivery: went home" if home else "delivery: took another road"] += 1
        if after.reason.startswith(RESENT) and not (before is not None and before.reason.startswith(RESENT)):
            self._story.happened["delivery: repeated by the operator's choice"] += 1

    def leaves(self, account: str, part: Part) -> None:
        """A request is made."""
        words = f"{part.body['words'][0][:40]!r} of {part.body['draft']}"
        self.judge(invariants.nothing_leaves_a_lost_account, self._world, account, words)
        self._paced(account, part)
        books = self._world.books
        mine = books.accepted[part.body["draft"]]
        for row in books.open.values():
            theirs = books.accepted[row.key]
            away = row.account not in (account, row.home)
            in_doubt = row.is_open_question or (row.state is State.UNCERTAIN and row.account != account)
            if theirs.order == mine.order and (in_doubt or row.state is State.HELD or away):
                theirs.overtaken_by.add(mine.seq)

    def _paced(self, account: str, part: Part) -> None:
        world = self._world
        if world.disk_latency_s > QUICK_S or world.obstruction.in_the_way:
            self.counts_may_differ()
        self.judge(self.pace.leaves, account, part, world.universe.now)

    def counts_may_differ(self) -> None:
        for name in self.able_since:
            self.pace.is_unsure(name, self._world.universe.now)

    def posted(self, post: Post) -> None:
        """A network has taken something."""
        self._story.tell(f"{post.account} holds {post.words[-1][:40]!r} in {post.place} ({post.draft})")
        for invariant in FOR_EACH_POST:
            self.judge(invariant, self._world, post)

    def agent_asked(self, said: Said) -> None:
        self.judge(invariants.questions_keep_their_order, self._world, said)

    def own_voice_heard(self, message: MessageReceived) -> None:
        self.judge(invariants.own_voices_are_not_answered, self._world, message)
        self._story.happened["own voice before its account was open"] += 1

    def heard(self, event: GatewayEvent) -> None:
        """The gateway's own bus."""
        match event:
            case StandingChanged():
                self._story.tell(f"{event.account}: {event.before} -> {event.after} ({event.evidence})")
                self._story.happened[f"standing: {event.after}"] += 1
                self.able_since[event.account] = self.changed_at_s[event.account] = self._world.universe.now
                self.judge(invariants.a_change_has_evidence, self._world, event.account, event.after, event.evidence)
                self.judge(invariants.a_lock_is_lifted_by_who_sees_it, self._world, event.account, event)
                self._world.operator.hears_of(event.account)
            case DeliveryChanged(state=state):
                if state != "delivered":
                    self._story.tell(f"{event.account}: {event.delivery} is {state}: {event.reason}")

    def checkpoint(self) -> None:
        world = self._world
        if world.finished:
            return
        process = world.running()
        if process is None or process.gateway is None or world.obstruction.in_the_way:
            self.nobody_is_able()
        else:
            for name in self.able_since:
                if not process.gateway.monitor.can_send(AccountId(name)):
                    self.able_since[name] = world.universe.now
            if world.disk_latency_s > QUICK_S:
                self.slow_s = world.universe.now  # each of many looks takes as long
            records = process.gateway.monitor.records()
            self.judge(invariants_at_rest.held_ones_are_judged_anew, world, records)
            self.judge(invariants_at_rest.queued_ones_are_judged, world, records)
        self.judge(invariants_at_rest.no_lane_starves, world)
        self.judge(invariants_at_rest.held_ones_come_home, world)
        world.universe.after(CHECK_EVERY_S, self.checkpoint)

    def only_what_is_stored_is_known(self) -> None:
        """To a process that begins: what its predecessor was told and didn't store is forgotten."""
        for name, there in self._world.networks.accounts.items():
            if there.told is not None and EXPLICIT[there.told[0]] != self._world.books.stands.get(name):
                there.told = None

    def nobody_is_able(self) -> None:
        """No process, or no database: what waits waits for that, and may leave together when it is over."""
        self.counts_may_differ()
        for name in self.able_since:
            self.able_since[name] = self.changed_at_s[name] = self._world.universe.now

    def compare_with_the_disk(self) -> None:
        """After a process has ended, however it did."""
        if self._world.path.exists():
            with closing(sqlite3.connect(self._world.path)) as raw:
                invariants_at_rest.the_mirror_is_true(self._world, on_disk(raw))

    def logged(self, record: logging.LogRecord) -> None:
        """Nothing fails that nobody planned to fail."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not self._world.is_dead and not isinstance(error, PLANNED):
            told = f"{record.getMessage()}: {type(error).__name__}: {error}"
            self.breaks(Broken("nothing fails unplanned", told))

    def _unhandled(self, said: dict[str, Any]) -> None:
        """What asyncio has to say of an exception that nobody took."""
        error = said.get("exception")
        if not self._world.is_dead and not isinstance(error, (*PLANNED, Crash)):
            told = f"{said['message']}: {type(error).__name__}: {error}"
            self.breaks(Broken("nothing fails unplanned", told))

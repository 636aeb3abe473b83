"""Bugs to plant, one in each invariant's path: a campaign that doesn't find them proves nothing.

Each changes the real code in one place, as a hurried hand might, and names the invariants that may notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

from msgspec import structs
from sqlalchemy import bindparam, update

from gateway import monitor, rerouter
from gateway.agent import Said
from gateway.books import Settlement
from gateway.model.delivery import Fault, FaultKind, State, Timeline
from gateway.model.standing import Record, Signal, Standing, step
from gateway.outbox import detour, outbox, pacer, settle
from gateway.outbox.requests import Requests
from gateway.pipeline import Pipeline
from gateway.ports import Unsure
from gateway.store import diversions, orders, revisions
from gateway.store.schema import deliveries
from policies import failover

Patch = tuple[Any, str, Any]


class Bug(NamedTuple):
    """What is replaced, and by which invariants that may be noticed."""

    patch: Callable[[], Patch]
    noticed_by: tuple[str, ...]


LOST = "nothing accepted is lost"
TWICE = "nothing has two effects"
ORDER = "order is kept"
SENDS = "nothing is sent from an account that can't send"
STARVES = "no lane starves"
EVIDENCE = "every standing change has evidence"
HOME = "every held post has a way home"
BOOKS = "the books agree with the networks"
PRIVATE = "what was private stays private"
ANSWERED = "every message is answered"
RESTS = "everything comes to rest"
PACED = "rate windows are kept"
CHANGED = "a change is what was asked for"


def _uncertain_counts_as_failed() -> Patch:
    real = settle.after_fault

    def after_fault(delivery: Any, fault: Fault, *more: Any, **named: Any) -> Settlement:
        return real(delivery, structs.replace(fault, certain=True), *more, **named)

    return settle, "after_fault", after_fault


def _a_dead_workers_sends_are_trusted() -> Patch:
    """What the last process was sending is taken for unsent."""
    real = settle.may_repeat

    def may_repeat(delivery: Any, *more: Any) -> bool:
        return real(delivery, *more) or not delivery.reason

    return settle, "may_repeat", may_repeat


def _the_rescue_forgets() -> Patch:
    async def rescue(self: Any, account: Any, rules: Any) -> int:
        return 0

    return outbox.Outbox, "rescue", rescue


def _nobody_hears_who_is_stranded() -> Patch:
    """What is stored for a lost account stays where it is until a standing changes."""

    def stranded(self: Any, account: Any) -> None:
        pass

    return outbox.Outbox, "stranded", stranded


def _the_newest_goes_first() -> Patch:
    real = orders._head

    def head(on_its_way: bool, begun: Any, *firsts: Any) -> int:
        there = [seq for seq in firsts if seq is not None]
        return max(there) if there and not on_its_way and begun is None else real(on_its_way, begun, *firsts)

    return orders, "_head", head


def _two_at_once() -> Patch:
    """The order's head doesn't look whether one is under way."""
    real = orders._head

    def head(on_its_way: bool, *more: Any) -> int:
        return real(False, *more)

    return orders, "_head", head


def _nobody_is_brought_home() -> Patch:
    async def bring_home(self: Any, account: Any) -> None:
        self._outbox.wake(account)

    return rerouter.Rerouter, "_bring_home", bring_home


def _a_release_drops_the_late_ones() -> Patch:
    """What expired while it was held is deleted instead of shown."""
    real = diversions._end

    def end(tx: Any, seqs: Any, reason: str, now: Any) -> None:
        real(tx, seqs, reason, now)
        if "held" in reason:
            tx.raw.executemany("DELETE FROM deliveries WHERE seq = ?", [(seq,) for seq in seqs])

    return diversions, "_end", end


def _a_bare_refusal_suspends() -> Patch:
    def hasty(record: Record, signal: Signal, **named: Any) -> Record:
        if signal.fault is not None and signal.fault.kind is FaultKind.FORBIDDEN:
            return structs.replace(record, standing=Standing.SUSPENDED, evidence=f"{signal.source}: {signal.evidence}")
        return step(record, signal, **named)

    return monitor, "step", hasty


def _events_are_not_told_apart() -> Patch:
    """The platform's id doesn't count: what is told twice happened twice."""
    real = Pipeline.receive

    async def receive(self: Any, account: Any, events: Any, cursor: str) -> None:
        seen = self.__dict__.setdefault("_seen", set())
        fresh = [one if one.id not in seen else structs.replace(one, id=f"{one.id}~{len(seen)}") for one in events]
        seen.update(one.id for one in fresh)
        await real(self, account, fresh, cursor)

    return Pipeline, "receive", receive


def _a_window_never_opens() -> Patch:
    real = pacer.Pacer._window_wait_s

    def wait_s(self: Any, lane: Any, conversation: str, now_unix_s: float) -> float:
        return 900.0 if "dora" in conversation else real(self, lane, conversation, now_unix_s)

    return pacer.Pacer, "_window_wait_s", wait_s


def _suspended_accounts_send() -> Patch:
    def can_send(self: Any, account: Any) -> bool:
        return True

    return outbox.Outbox, "can_send", can_send


def _a_resend_is_not_marked() -> Patch:
    real = settle.unasked

    def unasked(rules: Any, reason: str, now: Any) -> Settlement:
        settlement = real(rules, reason, now)
        queued = settlement.state is State.QUEUED
        return structs.replace(settlement, reason="sent once more") if queued else settlement

    return settle, "unasked", unasked


def _the_mark_comes_before_the_answer() -> Patch:
    """An event's mark and its answer in two transactions."""

    async def answer(self: Any, stored: Any, said: Any) -> None:
        await self._store.handled(stored.seq, (), self._clock.now())
        await self._intake.submit(self._drafts(stored, said))

    return Pipeline, "_answer", answer


def _an_arrival_loses_its_last() -> Patch:
    real = Pipeline.receive

    async def receive(self: Any, account: Any, events: Any, cursor: str) -> None:
        await real(self, account, events[:-1] if len(events) > 2 else events, cursor)

    return Pipeline, "receive", receive


def _a_direct_message_goes_public() -> Patch:
    real = failover._to_person

    def to_person(road: Any, *, private: bool) -> Any:
        return real(road, private=False)

    return failover, "_to_person", to_person


def _the_way_home_is_forgotten() -> Patch:
    real = detour.away
    return detour, "away", lambda *given: structs.replace(real(*given), detour=None)


def _the_last_part_is_skipped() -> Patch:
    real = settle.after_receipt

    def after_receipt(delivery: Any, part: Any, *more: Any) -> Settlement:
        settlement = real(delivery, part, *more)
        almost = len(delivery.parts or ()) > 2 and part.index == len(delivery.parts) - 2
        return structs.replace(settlement, state=State.DELIVERED) if almost else settlement

    return settle, "after_receipt", after_receipt


def _found_words_are_ours() -> Patch:
    """Whoever reads back takes the first message with these words, whose ever it is."""
    real = Requests.read_back

    async def read_back(self: Any, adapter: Any, part: Any, since: Any, taken: Any) -> Any:
        async def nobodys(_: Any) -> bool:
            return False

        return await real(self, adapter, part, since, nobodys)

    return Requests, "read_back", read_back


def _what_is_held_is_judged_once() -> Patch:
    """While its account is lost, whatever else the loss turns out to be."""
    real = rerouter.Rerouter.look_at

    def look_at(self: Any, account: Any, **_: Any) -> None:
        real(self, account)

    return rerouter.Rerouter, "look_at", look_at


def _a_change_keeps_the_plan() -> Patch:
    """What was planned before it was changed is what leaves."""
    kept = {"draft": bindparam("amended"), "attempts": deliveries.c.attempts + 1, "changed_at": bindparam("at")}
    return revisions, "AMEND", update(deliveries).where(*revisions.AMEND._where_criteria).values(**kept)


def _nothing_is_paced() -> Patch:
    def wait_s(*_: Any) -> float:
        return 0.0

    return pacer.Pacer, "_window_wait_s", wait_s


def _the_monitor_says_yes() -> Patch:
    def can_send(self: Any, account: Any) -> bool:
        return True

    return monitor.Monitor, "can_send", can_send


def _a_message_is_passed_over() -> Patch:
    """Every fourth counts as one that the agent has no answer to."""
    real = Pipeline._said

    async def said(self: Any, stored: Any) -> Any:
        return Said() if stored.seq % 4 == 0 else await real(self, stored)

    return Pipeline, "_said", said


def _an_answer_goes_public() -> Patch:
    real = Pipeline._draft

    def draft(self: Any, message: Any, *more: Any) -> Any:
        made = real(self, message, *more)
        return structs.replace(made, target=Timeline()) if message.private else made

    return Pipeline, "_draft", draft


def _what_passes_is_final() -> Patch:
    """A post is given up for a rate limit or a bad line."""
    real = settle._after_fault

    def after_fault(delivery: Any, fault: Fault, *more: Any, **named: Any) -> Settlement:
        if fault.certain and fault.kind in settle.RETRIED:
            return Settlement(State.REFUSED, None, settle._reason(fault))
        return real(delivery, fault, *more, **named)

    return settle, "_after_fault", after_fault


def _nobody_is_asked() -> Patch:
    """What may have been sent is left to the operator at once."""

    def uncertain(attempts: int, fault: Fault, rules: Any, now: Any) -> Settlement:
        return Settlement(State.UNCERTAIN, None, settle._reason(fault))

    return settle, "_uncertain", uncertain


def _what_is_asked_was_never_sent() -> Patch:
    async def read_back(self: Any, *given: Any) -> Any:
        return Unsure.NOT_SENT

    return Requests, "read_back", read_back


def _a_blind_probe_unlocks() -> Patch:
    def seeing(record: Record, signal: Signal, **_: Any) -> Record:
        return step(record, signal, probe_sees_lock=True)

    return monitor, "step", seeing


PLANTED: dict[str, Bug] = {
    "uncertain counts as failed": Bug(_uncertain_counts_as_failed, (TWICE,)),
    "a dead worker's sends are trusted": Bug(_a_dead_workers_sends_are_trusted, (TWICE,)),
    "the rescue forgets": Bug(_the_rescue_forgets, (RESTS,)),
    "nobody hears who is stranded": Bug(_nobody_hears_who_is_stranded, (HOME,)),
    "the newest goes first": Bug(_the_newest_goes_first, (ORDER, STARVES)),
    "two at once": Bug(_two_at_once, (ORDER,)),
    "nobody is brought home": Bug(_nobody_is_brought_home, (HOME, RESTS)),
    "a release drops the late ones": Bug(_a_release_drops_the_late_ones, (LOST,)),
    "a bare refusal suspends": Bug(_a_bare_refusal_suspends, (EVIDENCE,)),
    "events are not told apart": Bug(_events_are_not_told_apart, (TWICE,)),
    "a window never opens": Bug(_a_window_never_opens, (STARVES, RESTS)),
    "suspended accounts send": Bug(_suspended_accounts_send, (SENDS,)),
    "a resend is not marked": Bug(_a_resend_is_not_marked, (TWICE,)),
    "the mark comes before the answer": Bug(_the_mark_comes_before_the_answer, (ANSWERED,)),
    "an arrival loses its last": Bug(_an_arrival_loses_its_last, (LOST,)),
    "a direct message goes public": Bug(_a_direct_message_goes_public, (PRIVATE,)),
    "the way home is forgotten": Bug(_the_way_home_is_forgotten, (HOME,)),
    "the last part is skipped": Bug(_the_last_part_is_skipped, (BOOKS,)),
    "what is held is judged once": Bug(_what_is_held_is_judged_once, (HOME, ORDER)),
    "a change keeps the plan": Bug(_a_change_keeps_the_plan, (CHANGED, BOOKS)),
    "nothing is paced": Bug(_nothing_is_paced, (PACED,)),
    "the monitor says yes": Bug(_the_monitor_says_yes, (SENDS,)),
    "a message is passed over": Bug(_a_message_is_passed_over, (ANSWERED,)),
    "an answer goes public": Bug(_an_answer_goes_public, (PRIVATE,)),
    "what passes is final": Bug(_what_passes_is_final, (LOST,)),
    "nobody is asked": Bug(_nobody_is_asked, (RESTS,)),
    "what is asked was never sent": Bug(_what_is_asked_was_never_sent, (TWICE,)),
    "a blind probe unlocks": Bug(_a_blind_probe_unlocks, (EVIDENCE,)),
    "found words are ours": Bug(_found_words_are_ours, (BOOKS, TWICE)),
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """With this bug in the gateway; without a name, none."""
    if not name:
        yield
        return
    target, attribute, wrong = PLANTED[name].patch()
    with mock.patch.object(target, attribute, wrong):
        yield

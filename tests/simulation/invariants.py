"""What must hold, whatever happens: each invariant is one function that returns nothing, or raises what broke.

The promises are those of the README ("What is guaranteed") and of docs/failover.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim_books import Change, Row
from sim_network import Post
from sim_platforms import is_closed

from gateway.model.delivery import RESENT, TRANSITIONS, FaultKind, State, marked
from gateway.model.standing import EXPLICIT, SUSPICIOUS, WEATHER, Standing
from gateway.revisions import WITHDRAWN
from gateway.store.codec import micros, moment

if TYPE_CHECKING:
    from sim_people import Said
    from sim_world import World

    from gateway.model.events import MessageReceived, StandingChanged

HEARD_S = 0.001
"""What is told is heard within the same moment."""
GIVES_UP_NEVER = {*WEATHER, *EXPLICIT, FaultKind.RATE_LIMITED, FaultKind.CANCELLED, FaultKind.MEDIA_PENDING}
"""Nothing is refused for what passes."""
KEYS_MARGIN_S = 50.0
"""A clock set back by more makes a key look younger than it is: the networks keep theirs a minute longer."""


class Broken(Exception):  # noqa: N818 - what happened
    """An invariant doesn't hold."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


# After every commit.


def nothing_accepted_is_lost(world: World, changes: Sequence[Change]) -> None:
    """Every draft is delivered, on its way, held, expired by rule, or refused with a reason: never just gone."""
    name = "nothing accepted is lost"
    for before, after in changes:
        if after is None:
            if before is None or not before.ended or world.clock.now() < moment(before.changed_at) + world.keeps:
                raise Broken(name, f"{before} was forgotten")
            continue
        if after.state in (State.REFUSED, State.EXPIRED, State.HELD) and not after.reason:
            raise Broken(name, f"{after} has no reason")
        if before is None or before.state is after.state:
            continue
        if before.ended:
            raise Broken(name, f"{before} had ended, and is {after} now")
        if after.state is State.EXPIRED:
            _expires_by_rule(world, before, after)
        if after.state is State.REFUSED:
            _refused_for_cause(world, before, after)


def _expires_by_rule(world: World, before: Row, after: Row) -> None:
    if before.state not in (State.WAITING, State.QUEUED, State.HELD):
        raise Broken("nothing accepted is lost", f"{before} expired, which may have been sent")
    if after.expires_at is None or after.expires_at > micros(world.clock.now()):
        raise Broken("nothing accepted is lost", f"{after} expired before its time")


def _refused_for_cause(world: World, before: Row, after: Row) -> None:
    """The network said so, and that it is for good; or the operator did. No network here knows edits or deletions."""
    name = "nothing accepted is lost"
    kind, _, evidence = after.reason.removeprefix(f"{RESENT}: ").partition(": ")
    if kind == WITHDRAWN or after.draft.revises is not None:
        return
    if kind in GIVES_UP_NEVER or kind not in {*FaultKind}:
        raise Broken(name, f"{before} was given up: {after}")
    said = {**world.networks.accounts[before.account].said, **world.networks.accounts[after.account].said}
    if said.get(evidence) != kind:
        raise Broken(name, f"{before} was refused by nobody: {after}")


def states_follow_the_table(world: World, changes: Sequence[Change]) -> None:
    """A delivery goes from state to state as the table says; several of its steps may share a commit."""
    for before, after in changes:
        if before is None or after is None or before.state is after.state:
            continue
        one = TRANSITIONS[before.state]
        if after.state not in one | {end for step in one for end in TRANSITIONS[step]}:
            raise Broken("states follow the table", f"{before} became {after}")


def a_plan_is_frozen(world: World, changes: Sequence[Change]) -> None:
    """Once planned, a delivery keeps its parts and their keys for as long as it stays on its road."""
    for before, after in changes:
        if before is None or after is None or before.raw_parts in (None, after.raw_parts):
            continue
        if before.draft.id == after.draft.id and before.account == after.account:
            raise Broken("the books agree with the networks", f"{after} was planned twice on one road")


def what_arrived_is_stored(world: World) -> None:
    """A place to go on from is never stored without everything that came before it."""
    for account, cursor in world.books.cursors.items():
        there = world.networks.accounts[account]
        first = world.watch.checked_until.get(account, there.expected_from)
        if first is None:
            continue
        for event in there.log[first:cursor]:
            if (account, event.id) not in world.books.events:
                raise Broken("nothing accepted is lost", f"{account} has read until {cursor}, but not stored {event}")
        world.watch.checked_until[account] = max(cursor, first)


def nothing_is_answered_twice(world: World, changes: Sequence[Change]) -> None:
    """One message, one answer, however often it was told of."""
    for before, after in changes:
        if before is not None or after is None or after.draft.in_reply_to is None or after.draft.revises is not None:
            continue
        asked = (after.home, after.draft.in_reply_to)
        known = world.watch.answers.setdefault(asked, after.key)
        if known != after.key:
            raise Broken(
                "nothing has two effects", f"{asked[1]} of {after.home} is answered by {known} and {after.key}"
            )


def questions_keep_their_order(world: World, said: Said) -> None:
    """The agent is first handed a conversation's messages in the order in which they were stored."""
    if said.asked > 1:
        return
    place = (str(said.event.account), str(said.event.conversation))
    seq = world.books.events[place[0], said.event.id].seq
    if seq < world.watch.asked.get(place, 0):
        raise Broken("order is kept", f"the agent was handed e{said.number} of {place[1]} too late")
    world.watch.asked[place] = seq


def own_voices_are_not_answered(world: World, message: MessageReceived) -> None:
    """What an account of ours said is not for the agent. Who an account is, is known once it was opened: until then
    one answer too many is possible, and nothing promises otherwise.
    """
    assert world.process is not None
    assert world.process.gateway is not None
    if message.account in world.process.gateway.adapters:
        raise Broken("own voices are not answered", f"the agent was handed {message.id}, said by {message.author}")


def one_at_a_time(world: World, changes: Sequence[Change]) -> None:
    """Of each order at most one is on its way; who waits has somebody to wait for."""
    for order in {row.order_key: None for change in changes for row in change if row is not None}:
        rows = list(world.books.in_order(order))
        going = [row for row in rows if row.on_its_way]
        if len(going) > 1:
            raise Broken("order is kept", f"{going[0]} and {going[1]} are on their way at once")
        waiting = [row for row in rows if row.state is State.WAITING]
        held = [row for row in rows if row.state is State.HELD]
        if waiting and not going and not (held and held[0].seq < waiting[0].seq):
            raise Broken("no lane starves", f"{waiting[0]} waits for nobody")


def a_held_post_has_a_way_home(world: World, changes: Sequence[Change]) -> None:
    """Held means: at home, until an hour that its route knows. Elsewhere means: knowing the way back."""
    name = "every held post has a way home"
    for _, after in changes:
        if after is None or after.ended:
            continue
        if after.state is State.HELD and (after.account != after.home or after.draft.detour is not None):
            raise Broken(name, f"{after} is held away from home")
        if after.state is State.HELD and after.expires_at is None:
            raise Broken(name, f"{after} is held for ever")
        if after.account != after.home and after.draft.detour is None:
            raise Broken(name, f"{after} forgot where it was meant for")


def a_repeat_stays_marked(world: World, changes: Sequence[Change]) -> None:
    """That something may be there twice is told to its end; only what the operator let be repeated may say it."""
    for before, after in changes:
        if after is None:
            continue
        lost = before is not None and before.reason.startswith(RESENT) and not after.reason.startswith(RESENT)
        if lost or (len(world.watch.doubled.get(after.key, ())) and not after.reason.startswith(RESENT)):
            raise Broken("nothing has two effects", f"{after} may be there twice, and doesn't say so any more")


def delivered_means_there(world: World, changes: Sequence[Change]) -> None:
    """What the books call sent is what the network holds: the same post, said by the right account."""
    name = "the books agree with the networks"
    for before, after in changes:
        if after is None or (before is not None and before.raw_sent == after.raw_sent and before.state is after.state):
            continue
        for index, receipt in enumerate(after.sent):
            post = world.networks.by_ref.get(receipt.ref)
            if post is None or post.account != after.account:
                raise Broken(name, f"{after} has {receipt.ref}, which {after.account} never posted")
            if after.parts is not None and post.words != tuple(after.parts[index].body["words"]):
                raise Broken(name, f"{after} takes {receipt.ref} for its part {index}; it says {post.words}")
            claimed = world.books.refs.get(receipt.ref)
            if claimed is not None and claimed[0] != after.id:
                raise Broken(name, f"{receipt.ref} is taken for a part of {claimed[0]} and of {after.id}")
        if after.state is State.DELIVERED:
            _all_of_it(world, after)


def _all_of_it(world: World, row: Row) -> None:
    theirs = {line for receipt in row.sent for line in world.networks.by_ref[receipt.ref].words}
    for line in world.books.accepted[row.key].lines:
        if not world.networks.by_unit.get((row.key, line)) and line not in theirs:
            raise Broken("the books agree with the networks", f"{row} is not there: no network has {line[:40]!r}")


# When a request leaves, and when a network takes a post.


def nothing_leaves_a_lost_account(world: World, account: str, words: str) -> None:
    """The gateway sends nothing from an account of whose loss it was told, nor from one that it believes can't send."""
    there = world.networks.accounts[account]
    if there.told is not None and there.lost is not None and there.lost.kind is there.told[0]:
        kind, at_s = there.told
        if at_s < world.universe.now - HEARD_S:
            raise Broken("nothing is sent from an account that can't send", f"{words} left {account}, told of {kind}")
    assert world.process is not None
    assert world.process.gateway is not None
    monitor = world.process.gateway.monitor
    if not monitor.can_send(account):  # type: ignore[arg-type]
        record = monitor.record(account)  # type: ignore[arg-type]
        raise Broken("nothing is sent from an account that can't send", f"{words} left {account}, which is {record}")


def nothing_has_two_effects(world: World, post: Post) -> None:
    """Each paragraph is said once, unless the operator chose to have unknown sends repeated; then it is marked."""
    for unit in post.units:
        there = world.networks.by_unit[unit]
        if len(there) < 2:
            continue
        row = world.books.by_key.get(post.draft)
        if row is None:
            raise Broken("nothing has two effects", f"{unit} was posted twice, and nobody knows of it")
        if _same_words_wanted(world, post, unit[1]) or key_outlived(world, post):
            continue
        world.watch.doubled.setdefault(post.draft, set()).add(unit[1])
        chosen = any(world.may_resend(one.account) for one in there[:-1])  # again by whichever road is open by then
        if not row.reason.startswith(RESENT) or not chosen:
            raise Broken("nothing has two effects", f"{unit[1][:40]!r} of {row} stands at {[one.ref for one in there]}")


def _same_words_wanted(world: World, post: Post, line: str) -> bool:
    """Where only words tell posts apart, those of two drafts may be taken for each other: their number counts."""
    if not world.by_words(post.account):
        return False
    there = len(world.networks.by_words[post.account, post.place, post.words])
    here = [one for one in world.books.accepted.values() if (post.account, post.place) in one.been]
    return there <= sum(line in {*one.lines, *one.dropped} for one in here)


def key_outlived(world: World, post: Post) -> bool:
    """A clock that was set back makes a key look younger than it is, where keys end."""
    return world.keys_end(post.account) and world.set_back_s(post.draft) > KEYS_MARGIN_S


def what_was_changed_is_not_said(world: World, post: Post) -> None:
    """Once the operator was told that it says something else, or nothing, the first words don't appear."""
    accepted, row = world.books.accepted[post.draft], world.books.by_key[post.draft]
    for line in post.words:
        if line in accepted.dropped:
            raise Broken("a change is what was asked for", f"{line[:40]!r} of {row} was changed before it left")
    if row.state is State.REFUSED and row.reason == marked(row.reason, WITHDRAWN):
        raise Broken("a change is what was asked for", f"{post.words[-1][:40]!r} of {row} was withdrawn")


def order_is_kept(world: World, post: Post) -> None:
    """In one place, paragraphs of one order appear as they were accepted."""
    accepted = world.books.accepted[post.draft]
    track = world.watch.tracks[post.account, post.place, accepted.order]
    for line in post.words:
        if (post.draft, line) not in {unit for unit in post.units if len(world.networks.by_unit[unit]) == 1}:
            continue
        at = (accepted.seq, accepted.lines.index(line))
        mine = accepted.seq if accepted.dropped else None  # its first words may be there, said by an unknown send
        late = [other for other in track if other > at and other[0] not in {*accepted.overtaken_by, mine}]
        if late:
            raise Broken("order is kept", f"{line[:40]!r} of {post.draft} came to {post.account} after {late[0]}")
        track.append(at)


def private_stays_private(world: World, post: Post) -> None:
    """What was said among members or between two is never seen in public, nor by anybody else."""
    name = "what was private stays private"
    said = world.people.by_id.get(world.books.asked_by.get(post.draft, ("", "")))
    if said is None or post.place.startswith("moved"):
        return
    if post.account == world.books.accepted[post.draft].home:
        if post.place != said.event.conversation:
            raise Broken(name, f"{post.words[-1][:40]!r} answers {said.event.conversation}, and went to {post.place}")
        return
    between_two = post.place == f"dm-{said.who}" or (post.private and post.place.startswith(f"@{said.who}."))
    if is_closed(said.event) and not between_two:
        raise Broken(name, f"{post.words[-1][:40]!r} for {said.who} went to {post.place}")


# When a standing changes.


def a_lock_is_lifted_by_who_sees_it(world: World, account: str, change: StandingChanged) -> None:
    """Where the probe answers although the account is locked, its word is none."""
    blind = world.networks.accounts[account].locks_unseen and not change.evidence.startswith("operator: ")
    if change.before is Standing.LOCKED and change.after is Standing.HEALTHY and blind:
        raise Broken("every standing change has evidence", f"{account} was unlocked by {change.evidence!r}")


def a_change_has_evidence(world: World, account: str, standing: str, evidence: str) -> None:
    """The network said so: of this account, in these words, and they mean that."""
    name = "every standing change has evidence"
    there = world.networks.accounts[account]
    source, _, words = evidence.partition(": ")
    words = words.removeprefix("can't be opened: ")
    now = Standing(standing)
    if evidence == "the gateway started" and now is Standing.CONNECTING:
        return
    if source == "operator" and now is Standing.HEALTHY and account in world.watch.resumed:
        return
    unsaid = (words == "the probe timed out" and there.hung_probes) or (
        words == "the probe failed with ScriptedBug" and there.broken_probes
    )
    if unsaid and now in (Standing.DEGRADED, Standing.OFFLINE):
        return
    if words not in there.said:
        raise Broken(name, f"{account} became {now} by {evidence!r}, which nobody said")
    if not _means(there.said[words], now):
        raise Broken(name, f"{account} became {now} by {evidence!r}, which means {there.said[words]}")


def _means(kind: FaultKind | None, standing: Standing) -> bool:
    match standing:
        case Standing.HEALTHY:
            return kind is None
        case Standing.DEGRADED:
            return kind in SUSPICIOUS
        case Standing.OFFLINE:
            return kind in WEATHER
        case _:
            return kind is not None and EXPLICIT.get(kind) is standing

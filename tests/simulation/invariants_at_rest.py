"""What must hold at the checkpoints of a story, and at its end, when all troubles are lifted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invariants import Broken, key_outlived
from sim_network import Post

from gateway.model.delivery import RESENT, State
from gateway.outbox.settle import ASK_TRIES
from gateway.store.codec import micros

if TYPE_CHECKING:
    from sim_books import Row
    from sim_world import World

    from gateway.model.standing import Record

STARVES_S = 3 * 3600.0
"""Longer than any rate window, any pause a network asks for, and a backlog of a whole story on the slowest lane."""
COMES_HOME_S = 60.0
"""How long what is held may stay so once its account can send and the database can be written."""

# At checkpoints.


def no_lane_starves(world: World) -> None:
    """What is due and could go does go."""
    now, wall = world.universe.now, micros(world.clock.now())
    for row in world.books.open.values():
        if row.state is not State.QUEUED:
            continue
        overdue_s = min(now - max(world.watch.able_since[row.account], row.at_s), (wall - (row.due_at or 0)) / 1e6)
        if overdue_s > STARVES_S:
            raise Broken("no lane starves", f"{row} could go for {overdue_s / 3600:.1f} h")


def held_ones_come_home(world: World) -> None:
    """Nothing stays held once its account is back."""
    now = world.universe.now
    for row in world.books.open.values():
        if row.state is State.HELD and now - max(world.watch.able_since[row.account], row.at_s) > COMES_HOME_S:
            raise Broken("every held post has a way home", f"{row} is held, and {row.account} can send")


def held_ones_are_judged_anew(world: World, records: Sequence[Record]) -> None:
    """What is held says for which standing: where that is another one by now, there may be a road."""
    lost = {record.account: record for record in records if not record.can_send}
    for row in world.books.open.values():
        record = lost.get(row.account)
        judged_for = row.reason.removeprefix(f"{RESENT}: ").partition(":")[0]
        if row.state is not State.HELD or record is None or judged_for == record.standing:
            continue
        if _could_be_judged(world, row):
            raise Broken("every held post has a way home", f"{row} is held, and {row.account} is {record.standing}")


def queued_ones_are_judged(world: World, records: Sequence[Record]) -> None:
    """What its account can't send for long is held or takes another road, unless one before it is being sent."""
    lost = {record.account: record for record in records if record.is_lost}
    sending = {world.books.accepted[row.key].order for row in world.books.open.values() if row.state is State.SENDING}
    for row in world.books.open.values():
        record = lost.get(row.account)
        if row.state is not State.QUEUED or record is None or world.books.accepted[row.key].order in sending:
            continue
        if _could_be_judged(world, row):
            raise Broken("every held post has a way home", f"{row} waits, and {row.account} is {record.standing}")


def _could_be_judged(world: World, row: Row) -> bool:
    """It and its account have been as they are for long enough, on a disk that is well."""
    latest = max(world.watch.changed_at_s[row.account], row.at_s, world.watch.slow_s)
    return world.universe.now - latest > COMES_HOME_S


def the_mirror_is_true(world: World, disk: dict[int, tuple[object, ...]]) -> None:
    """What was committed is what is on the disk."""
    mirror = {seq: row.values for seq, row in world.books.rows.items()}
    if disk != mirror:
        wrong = [seq for seq in sorted({*disk, *mirror}) if disk.get(seq) != mirror.get(seq)]
        raise Broken("nothing accepted is lost", f"the disk and what was committed differ in {wrong[:5]}")


# At the end, when all troubles are lifted.


def everything_came_to_rest(world: World) -> None:
    """Nothing is on its way for ever; what is left is for the operator, and says so."""
    left = [str(row) for row in world.books.open.values() if not row.is_open_question]
    if left:
        raise Broken("everything comes to rest", f"{len(left)} are still under way: {'; '.join(left[:3])}")
    pending = [name for name, event in world.books.events.items() if event.state == "pending"]
    if pending:
        raise Broken("everything comes to rest", f"{pending[:3]} were never handled")


def only_what_nobody_can_say_is_left(world: World) -> None:
    """An unknown send is left to the operator where the network can't be asked, or couldn't say, often as it was."""
    for row in world.books.open.values():
        asked = world.networks.accounts[row.account].asked_in_vain[row.key, len(row.sent)]
        if row.is_open_question and world.can_be_asked(row.account) and asked < ASK_TRIES:
            raise Broken("everything comes to rest", f"{row} was asked about {asked} times only")


def every_post_is_in_the_books(world: World) -> None:
    """Each post that a network holds is known, or its delivery says that it may be there."""
    for post in world.networks.posts:
        row = world.books.by_key.get(post.draft)
        if row is None:
            raise Broken("the books agree with the networks", f"{post.ref} is of no delivery")
        known = post.ref in world.books.refs or row.seq not in world.books.rows
        if known or key_outlived(world, post):
            continue
        if not (row.is_open_question or row.reason.startswith(RESENT) or _is_somebodys_question(world, post)):
            raise Broken("the books agree with the networks", f"{post.ref} is there, but {row} doesn't know it")


def _is_somebodys_question(world: World, post: Post) -> bool:
    """Where only words tell posts apart, it may be what another draft with these words asks for."""
    if not world.by_words(post.account):
        return False
    unknown = [
        one for one in world.networks.by_words[post.account, post.place, post.words] if one.ref not in world.books.refs
    ]
    asking = [row for row in world.books.open.values() if row.is_open_question and set(post.words) & set(row.lines)]
    return len(unknown) <= len(asking)


def every_message_is_answered(world: World) -> None:
    """What people wrote while the gateway was responsible was handed to the agent, and its answer accepted."""
    for account, there in world.networks.accounts.items():
        for event in there.log[there.expected_from :] if there.expected_from is not None else ():
            known = world.books.events.get((account, event.id))
            if known is None:
                raise Broken("nothing accepted is lost", f"{account} never stored {event.id}")
            said = world.people.by_id.get((account, event.id))
            if said is not None:
                world.people.judge(said, known, world.books.accepted.get(f"reply:{account}:{known.seq}"))

"""The gateways on one database: each says again and again that it is alive, and they share the leases out by that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, Insert, Update, bindparam, cast, delete, func, null, select, update

from gateway.books import Tended, Topic
from gateway.model.ids import WorkspaceId
from gateway.store.ears import Ears
from gateway.store.fellows import FIRST_EPOCH, Fellows
from gateway.store.hot import Batched, given, records, upsert
from gateway.store.postgres_transaction import PostgresTransaction
from gateway.store.schema import leases, members
from gateway.store.shares import share
from gateway.store.transaction import ALL, Transaction
from gateway.store.writer import single

_m = members.c
_l = leases.c
_now = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)
"""The database's clock: the only one that all of them see."""
NOW = select(_now)
MEMBERS = select(_m.id, _m.until).where(_m.workspace == bindparam("of"))
LEASES = select(_l.name, _l.owner, _l.epoch).where(_l.workspace == bindparam("of"))
_alive = upsert(members)
STAY = _alive.on_conflict_do_update(index_elements=["workspace", "id"], set_={"until": _alive.excluded.until})
HOLDERS = select(_l.name, _l.owner).where(
    _l.workspace == bindparam("of"),
    _m.workspace == _l.workspace,
    _m.id == _l.owner,
    _m.until >= _now,
)
BURY = delete(members).where(_m.workspace == bindparam("of"), _m.until < bindparam("now"))
LEAVE = delete(members).where(_m.workspace == bindparam("of"), _m.id == bindparam("who"))


def _take(n: int) -> Insert:
    new = upsert(leases).values(records(leases, "workspace name owner epoch", n))
    changed = {"owner": new.excluded.owner, "epoch": new.excluded.epoch}
    return new.on_conflict_do_update(index_elements=["workspace", "name"], set_=changed)


def _free(n: int) -> Update:
    rows = given("name owner", n)
    theirs = (_l.workspace == bindparam("of"), _l.name == rows.c.name, _l.owner == rows.c.owner)
    return update(leases).where(*theirs).values(owner=null())


TAKE = Batched(_take)
FREE = Batched(_free)


class Tending(NamedTuple):
    member: str
    wanted: Sequence[str]
    ttl_s: float


class Leaving(NamedTuple):
    member: str
    names: Sequence[str] | None


def _tend(tx: Transaction, asked: Tending) -> Tended:
    assert isinstance(tx, PostgresTransaction)  # noqa: S101 - nothing else has members
    alive = _live_members(tx, asked)
    owned = {name: (owner, epoch) for name, owner, epoch in tx.connection.execute(LEASES, {"of": tx.workspace})}
    wanted = dict.fromkeys(asked.wanted)
    mine = [name for name in wanted if name in owned and owned[name][0] == asked.member]
    free = [name for name in wanted if name not in owned or owned[name][0] not in alive]
    counted = Counter(owner for owner, _ in owned.values() if owner in alive)
    holdings = {one: counted[one] for one in alive} | {asked.member: len(mine)}
    fair = share(asked.member, holdings, sum(holdings.values()) + len(free))
    taken = {name: owned.get(name, (None, FIRST_EPOCH - 1))[1] + 1 for name in free[: max(0, fair - len(mine))]}
    TAKE.change(tx, [(tx.workspace, name, asked.member, epoch) for name, epoch in taken.items()])
    _let_go(tx, asked.member, {name for name, (owner, _) in owned.items() if owner == asked.member} - set(wanted))
    tx.member, tx.held = asked.member, {name: owned[name][1] for name in mine} | taken
    return Tended(dict(tx.held), tuple(mine[fair:]), len(alive))


def _live_members(tx: Transaction, asked: Tending) -> set[str]:
    """All of them, the one who asks included. The others hear of a new one."""
    now = tx.connection.execute(NOW).scalar_one()
    tx.connection.execute(BURY, {"of": tx.workspace, "now": now})
    until = now + int(asked.ttl_s * 1_000_000)
    alive = {name for name, _ in tx.connection.execute(MEMBERS, {"of": tx.workspace})}
    tx.connection.execute(STAY, {"workspace": tx.workspace, "id": asked.member, "until": until})
    if asked.member not in alive:
        tx.tell(Topic.LEASES, "")
    return alive | {asked.member}


def _let_go(tx: Transaction, member: str, names: Iterable[str]) -> None:
    FREE.change(tx, [(name, member) for name in names])


def _leave(tx: Transaction, asked: Leaving) -> None:
    assert isinstance(tx, PostgresTransaction)  # noqa: S101 - nothing else has members
    names = asked.names
    if names is None:
        tx.connection.execute(LEAVE, {"of": tx.workspace, "who": asked.member})
        every = tx.connection.execute(LEASES, {"of": tx.workspace})
        names = [name for name, owner, _ in every if owner == asked.member]
    _let_go(tx, asked.member, names)
    tx.held = {name: epoch for name, epoch in tx.held.items() if name not in names}
    tx.tell(Topic.LEASES, "")


def _proclaim(tx: Transaction, news: tuple[Topic, str]) -> None:
    assert isinstance(tx, PostgresTransaction)  # noqa: S101 - nothing else has members
    tx.proclaim(*news)


def _holders(connection: Connection, workspace: WorkspaceId) -> dict[str, str]:
    return {str(name): str(owner) for name, owner in connection.execute(HOLDERS, {"of": workspace})}


TEND = single(_tend, lambda _tx, _asked: [ALL])
LEAVE_IT = single(_leave, lambda _tx, _asked: [ALL])
TELL = single(_proclaim)


class Members(Fellows):
    """Operations of :class:`gateway.books.Store` among gateways."""

    _ears: Ears

    async def tend(self, member: str, wanted: Sequence[str], ttl_s: float) -> Tended:
        return await self._write(TEND, Tending(member, wanted, ttl_s))

    async def holders(self) -> dict[str, str]:
        return await self._read(_holders, self._workspace)

    async def give_up(self, member: str, names: Sequence[str] | None) -> None:
        await self._write(LEAVE_IT, Leaving(member, names))

    def listen(self, listener: Callable[[Topic, str], None]) -> None:
        self._ears.listen(listener)

    async def tell(self, topic: Topic, name: str) -> None:
        await self._write(TELL, (topic, name))

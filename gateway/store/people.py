"""Who is who: identities, the links between them, and the persons these make.

Every identity is a person of its own from its first event; links join persons, and a person is what the links connect.
A joined person keeps the id of its oldest identity's own, so an id is never lost and comes back with an unlink.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, delete, insert, or_, select, update

from gateway.books import Reach, Topic
from gateway.model.identity import PERSON, Identity, Link, Person
from gateway.model.ids import AccountId, ConversationId, MessageRef, PersonId, WorkspaceId
from gateway.store.codec import micros, moment, scrub
from gateway.store.room import Room
from gateway.store.schema import SEQ, conversations, identities, links
from gateway.store.transaction import PEOPLE, Transaction
from gateway.store.writer import single

_i = identities.c
_mine = _i.workspace == bindparam("of")
FACE = (_i.seq, _i.platform, _i.id, _i.handle, _i.name, _i.person)
BY_ID = select(*FACE).where(_mine, _i.platform == bindparam("on"), _i.id == bindparam("name"))
BY_HANDLE = (
    select(*FACE)
    .where(_mine, _i.platform == bindparam("on"), _i.handle_folded == bindparam("folded"))
    .order_by(_i.changed_at.desc(), _i.seq.desc())
    .limit(1)
)
MEMBERS = select(*FACE).where(_mine, _i.person == bindparam("who")).order_by(_i.seq)
CHANGE = update(identities).where(_mine, _i.seq == bindparam("number"))
MAKE = insert(identities).returning(_i.seq)

_l = links.c
_ours = _l.workspace == bindparam("of")
_pair = or_(
    and_(_l.first == bindparam("a"), _l.second == bindparam("b")),
    and_(_l.first == bindparam("b"), _l.second == bindparam("a")),
)
UNTIE = delete(links).where(_ours, _pair)
TIED = select(_l.seq, _l.first, _l.second).where(_ours, or_(_l.first == bindparam("a"), _l.second == bindparam("a")))
_moved = {
    end: case((_l[end] == bindparam("a"), bindparam("b", type_=SEQ)), else_=_l[end]) for end in ("first", "second")
}
RETIE = update(links).where(_ours, _l.seq == bindparam("number")).values(_moved)
DROP = delete(identities).where(_mine, _i.seq == bindparam("number"))
TIES = select(_l.first, _l.second).where(_ours, _l.first.in_(bindparam("seqs", expanding=True)))
_first = identities.alias("one")
_second = identities.alias("other")
LINKS = (
    select(
        *(_first.c[name] for name in ("platform", "id", "handle", "name")),
        *(_second.c[name] for name in ("platform", "id", "handle", "name")),
        _l.evidence,
        _l.at,
    )
    .join_from(links, _first, _first.c.seq == _l.first)
    .join(_second, _second.c.seq == _l.second)
    .where(_ours)
    .order_by(_l.seq)
)

_c = conversations.c
REACH = select(_c.conversation, _c.ref, _c.at).where(
    _c.workspace == bindparam("of"),
    _c.account == bindparam("account"),
    _c.platform == bindparam("on"),
    _c.author == bindparam("name"),
    _c.private == bindparam("private"),
)

UNSEEN = "@"
"""Starts the id of somebody known by handle alone, until their first event tells the real one."""


class Face(NamedTuple):
    """A row of identities."""

    seq: int
    platform: str
    id: str
    handle: str
    name: str
    person: PersonId

    @property
    def identity(self) -> Identity:
        return _identity(self.platform, self.id, self.handle, self.name)


def _identity(platform: str, name: str, handle: str, shown: str) -> Identity:
    return Identity(platform, "" if name.startswith(UNSEEN) else name, handle, shown)


def _own(platform: str, name: str) -> PersonId:
    """The person that an identity is without links: always the same."""
    return PersonId("p" + blake2b(f"{platform}\0{name}".encode(), digest_size=10).hexdigest())


def _folded(handle: str) -> str:
    return scrub(handle).strip().removeprefix("@").casefold()


def is_known(tx: Transaction, identity: Identity) -> bool:
    """Whether :func:`known_person` answers without looking."""
    known = tx.known(identity.platform, identity.id)
    return known is not None and known[:2] == (identity.handle, identity.name)


def known_person(tx: Transaction, identity: Identity, now: datetime) -> PersonId:
    """The person of an event's author; the identity is made or brought up to date where it isn't known like this."""
    known = tx.known(identity.platform, identity.id)
    if known is None or known[:2] != (identity.handle, identity.name):
        person = _seen(tx, identity, now)
        known = (identity.handle, identity.name, person)
        tx.remember(identity.platform, identity.id, known)
    return known[2]


def _seen(tx: Transaction, identity: Identity, now: datetime) -> PersonId:
    tx.need([PEOPLE])
    known = _by_id(tx.connection, tx.workspace, identity.platform, scrub(identity.id))
    has_renamed = known is None or _folded(known.handle) != _folded(identity.handle)
    awaited = _awaited(tx, identity) if has_renamed else None
    face = known or awaited
    if face is None:
        return _make(tx, identity, scrub(identity.id), now).person
    _bring_up_to_date(tx, face, identity, now)
    return face.person if awaited is None else _met(tx, awaited, face)


def _met(tx: Transaction, awaited: Face, face: Face) -> PersonId:
    """Who was awaited has written; ``face`` is who they are, another one where their id was known before."""
    tx.forget()
    tx.tell(Topic.PEOPLE, "")
    if face.seq != awaited.seq:
        _hand_over(tx, awaited, face)
    people = dict.fromkeys((face.person, awaited.person))
    return _join(tx, [each for person in people for each in _members(tx.connection, tx.workspace, person)]).id


def _bring_up_to_date(tx: Transaction, face: Face, identity: Identity, now: datetime) -> None:
    changes = {"id": scrub(identity.id), "changed_at": micros(now), "name": scrub(identity.name or face.name)}
    if identity.handle:
        changes |= {"handle": scrub(identity.handle), "handle_folded": _folded(identity.handle)}
    tx.connection.execute(CHANGE.values(**changes), {"of": tx.workspace, "number": face.seq})


def _awaited(tx: Transaction, identity: Identity) -> Face | None:
    """Whom an operator linked by handle before they ever wrote."""
    if not identity.handle:
        return None
    return _by_id(tx.connection, tx.workspace, identity.platform, UNSEEN + _folded(identity.handle))


def _hand_over(tx: Transaction, awaited: Face, face: Face) -> None:
    """Who was awaited by handle is somebody whose id was known: the links are theirs, and nobody is awaited now."""
    has = {face.seq, *_tied(tx, face).values()}
    for link, other in _tied(tx, awaited).items():
        if other in has:
            tx.connection.execute(UNTIE, {"of": tx.workspace, "a": awaited.seq, "b": other})
        else:
            tx.connection.execute(RETIE, {"of": tx.workspace, "number": link, "a": awaited.seq, "b": face.seq})
    tx.connection.execute(DROP, {"of": tx.workspace, "number": awaited.seq})


def _tied(tx: Transaction, face: Face) -> dict[int, int]:
    """Who it is linked with, by link."""
    rows = tx.connection.execute(TIED, {"of": tx.workspace, "a": face.seq}).all()
    return {link: second if first == face.seq else first for link, first, second in rows}


def _by_id(connection: Connection, workspace: WorkspaceId, platform: str, name: str) -> Face | None:
    row = connection.execute(BY_ID, {"of": workspace, "on": platform, "name": name}).first()
    return Face(*row) if row else None


def _make(tx: Transaction, identity: Identity, name: str, now: datetime) -> Face:
    handle, shown, person = scrub(identity.handle), scrub(identity.name), _own(identity.platform, name)
    made = {
        "workspace": tx.workspace,
        "platform": identity.platform,
        "id": name,
        "handle": handle,
        "handle_folded": _folded(handle),
        "name": shown,
        "person": person,
        "changed_at": micros(now),
    }
    seq = tx.connection.execute(MAKE, made).scalar_one()
    return Face(seq, identity.platform, name, handle, shown, person)


def _find(connection: Connection, workspace: WorkspaceId, identity: Identity) -> Face | None:
    """By platform and id, else by platform and handle: whoever was seen with it last."""
    face = _by_id(connection, workspace, identity.platform, scrub(identity.id)) if identity.id else None
    if face or not identity.handle:
        return face
    names = {"of": workspace, "on": identity.platform, "folded": _folded(identity.handle)}
    row = connection.execute(BY_HANDLE, names).first()
    return Face(*row) if row else None


def _found_or_made(tx: Transaction, identity: Identity, now: datetime) -> Face:
    face = _find(tx.connection, tx.workspace, identity)
    if face:
        return face
    if not identity.id and not _folded(identity.handle):
        raise ValueError("an identity needs an id or a handle")
    by_handle = _folded(identity.id) in ("", _folded(identity.handle))
    return _make(tx, identity, UNSEEN + _folded(identity.handle) if by_handle else scrub(identity.id), now)


def _members(connection: Connection, workspace: WorkspaceId, person: PersonId) -> list[Face]:
    return [Face(*row) for row in connection.execute(MEMBERS, {"of": workspace, "who": person})]


def _join(tx: Transaction, faces: Iterable[Face]) -> Person:
    """Make these one person."""
    members = sorted(faces, key=lambda face: face.seq)
    person = _own(members[0].platform, members[0].id)
    for face in members:
        if face.person != person:
            tx.connection.execute(CHANGE.values(person=person), {"of": tx.workspace, "number": face.seq})
    return Person(person, tuple(face.identity for face in members))


def _link(tx: Transaction, link: Link) -> Person:
    tx.forget()
    tx.tell(Topic.PEOPLE, "")
    first, second = (_found_or_made(tx, identity, link.at) for identity in (link.first, link.second))
    if first.seq == second.seq:
        raise ValueError(f"{link.first} and {link.second} are the same identity")
    tx.connection.execute(UNTIE, {"of": tx.workspace, "a": first.seq, "b": second.seq})
    tie = {"first": first.seq, "second": second.seq, "evidence": scrub(link.evidence), "at": micros(link.at)}
    tx.connection.execute(insert(links), {"workspace": tx.workspace, **tie})
    people = dict.fromkeys((first.person, second.person))
    return _join(tx, [face for person in people for face in _members(tx.connection, tx.workspace, person)])


def _unlink(tx: Transaction, request: tuple[Identity, Identity]) -> bool:
    tx.forget()
    first, second = (_find(tx.connection, tx.workspace, identity) for identity in request)
    if first is None or second is None:
        return False
    if not tx.connection.execute(UNTIE, {"of": tx.workspace, "a": first.seq, "b": second.seq}).rowcount:
        return False
    members = {face.seq: face for face in _members(tx.connection, tx.workspace, first.person)}
    ties = tx.connection.execute(TIES, {"of": tx.workspace, "seqs": list(members)}).all()
    tx.tell(Topic.PEOPLE, "")
    for group in _connected(members, [(a, b) for a, b in ties]):
        _join(tx, [members[seq] for seq in group])
    return True


def _connected(seqs: Iterable[int], ties: Sequence[tuple[int, int]]) -> list[set[int]]:
    groups = {seq: {seq} for seq in seqs}
    for first, second in ties:
        joined = groups[first] | groups[second]
        groups.update(dict.fromkeys(joined, joined))
    return list({id(group): group for group in groups.values()}.values())


LINK = single(_link, lambda _tx, _request: [PEOPLE])
UNLINK = single(_unlink, lambda _tx, _request: [PEOPLE])


def _person(connection: Connection, workspace: WorkspaceId, identity: Identity) -> Person | None:
    who = PersonId(identity.id) if identity.platform == PERSON else None
    if who is None and (face := _find(connection, workspace, identity)) is not None:
        who = face.person
    known = _members(connection, workspace, who) if who is not None else []
    return Person(who, tuple(each.identity for each in known)) if who is not None and known else None


def _links(connection: Connection, workspace: WorkspaceId) -> tuple[Link, ...]:
    rows = connection.execute(LINKS, {"of": workspace}).all()
    return tuple(Link(_identity(*row[:4]), _identity(*row[4:8]), row[8], moment(row[9])) for row in rows)


def _reach(connection: Connection, workspace: WorkspaceId, names: dict[str, Any], whom: Identity) -> Reach | None:
    face = _find(connection, workspace, whom)
    if face is None:
        return None
    row = connection.execute(REACH, {"of": workspace, "on": face.platform, "name": face.id, **names}).first()
    if row is None:
        return None
    where, ref, at = row
    account, private = AccountId(names["account"]), bool(names["private"])
    return Reach(account, ConversationId(where), MessageRef(ref), private, moment(at))


class People(Room):
    """Operations of :class:`gateway.books.Store` on identities and persons."""

    async def person(self, identity: Identity) -> Person | None:
        return await self._read(_person, self._workspace, identity)

    async def link(self, link: Link) -> Person:
        return await self._write(LINK, link)

    async def unlink(self, first: Identity, second: Identity) -> bool:
        return await self._write(UNLINK, (first, second))

    async def links(self) -> tuple[Link, ...]:
        return await self._read(_links, self._workspace)

    async def reach(self, account: AccountId, identity: Identity, *, private: bool) -> Reach | None:
        return await self._read(_reach, self._workspace, {"account": account, "private": int(private)}, identity)

"""Accounts' standings and secrets, what is said only once, pictures, and forgetting."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256 as digest
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, exists, insert, select, text

from gateway.books import Topic
from gateway.model.ids import AccountId, WorkspaceId
from gateway.model.standing import Record
from gateway.store.codec import decode_record, encode, micros, scrub
from gateway.store.hot import upsert
from gateway.store.room import Room
from gateway.store.schema import accounts, deliveries, events, media, media_uses, onces, secrets, standings
from gateway.store.transaction import Transaction
from gateway.store.writer import single

_a = accounts.c
RECORDS = select(_a.record).where(_a.workspace == bindparam("of")).order_by(_a.account)
STANDING = select(_a.standing).where(_a.workspace == bindparam("of"), _a.account == bindparam("who")).with_for_update()
_saved = upsert(accounts)
SAVE = _saved.on_conflict_do_update(
    index_elements=["workspace", "account"],
    set_={"standing": _saved.excluded.standing, "record": _saved.excluded.record},
)
ONCE = upsert(onces).on_conflict_do_nothing().returning(onces.c.key)
_put = upsert(media)
PUT = _put.on_conflict_do_update(index_elements=["workspace", "sha256"], set_={"put_at": _put.excluded.put_at})
MEDIA = select(media.c.data).where(media.c.workspace == bindparam("of"), media.c.sha256 == bindparam("sha256"))
_sealed = upsert(secrets)
SEAL = _sealed.on_conflict_do_update(
    index_elements=["workspace", "account", "name"], set_={"sealed": _sealed.excluded.sealed}
)
SEALED = select(secrets.c.sealed).where(
    secrets.c.workspace == bindparam("of"),
    secrets.c.account == bindparam("account"),
    secrets.c.name == bindparam("name"),
)

_before: BindParameter[int] = bindparam("before")
_limit: BindParameter[int] = bindparam("limit")
OLD_DELIVERIES = (
    select(deliveries.c.seq)
    .where(
        deliveries.c.workspace == bindparam("of"),
        deliveries.c.changed_at < _before,
        text("deliveries.state IN ('delivered', 'refused', 'expired')"),
    )
    .limit(_limit)
)
OLD_EVENTS = (
    select(events.c.seq)
    .where(events.c.workspace == bindparam("of"), events.c.handled_at < _before, events.c.handled_at.is_not(None))
    .limit(_limit)
)
_it: BindParameter[Any] = bindparam("it")
_use = exists().where(media_uses.c.workspace == media.c.workspace, media_uses.c.sha256 == media.c.sha256)
OLD_MEDIA = (
    select(media.c.sha256).where(media.c.workspace == bindparam("of"), media.c.put_at < _before, ~_use).limit(_limit)
)
FORGET = (
    (OLD_DELIVERIES, delete(deliveries).where(deliveries.c.workspace == bindparam("of"), deliveries.c.seq == _it)),
    (OLD_EVENTS, delete(events).where(events.c.workspace == bindparam("of"), events.c.seq == _it)),
    (
        OLD_MEDIA,  # asked again, because somebody may put it anew at this moment
        delete(media).where(media.c.workspace == bindparam("of"), media.c.sha256 == _it, media.c.put_at < _before),
    ),
)


def _save(tx: Transaction, record: Record) -> None:
    before = tx.connection.execute(STANDING, {"of": tx.workspace, "who": record.account}).scalar()
    tx.tell(Topic.STANDING, record.account)
    standing = record.standing.value
    row = {"workspace": tx.workspace, "account": record.account, "standing": standing}
    tx.connection.execute(SAVE, {**row, "record": encode(record)})
    if before != standing:
        line = {**row, "since": micros(record.since), "evidence": scrub(record.evidence)}
        tx.connection.execute(insert(standings), line)


def _once(tx: Transaction, request: tuple[str, datetime]) -> bool:
    key, now = request
    return tx.connection.execute(ONCE, {"workspace": tx.workspace, "key": key, "at": micros(now)}).first() is not None


def _put_media(tx: Transaction, row: dict[str, Any]) -> None:
    tx.connection.execute(PUT, {"workspace": tx.workspace, **row})


def _seal(tx: Transaction, row: dict[str, Any]) -> None:
    tx.connection.execute(SEAL, {"workspace": tx.workspace, **row})


def _prune(tx: Transaction, request: tuple[datetime, int]) -> int:
    before, limit = request
    pruned = 0
    for old, forget in FORGET:
        names = {"of": tx.workspace, "before": micros(before), "limit": limit - pruned}
        found = tx.connection.execute(old, names).scalars().all()
        if found:
            tx.connection.execute(forget, [{**names, "it": each} for each in found])
        pruned += len(found)
    return pruned


SAVE_RECORD = single(_save)
ASK_ONCE = single(_once)
PUT_MEDIA = single(_put_media)
SEAL_IT = single(_seal)
PRUNE = single(_prune)


def _records(connection: Connection, workspace: WorkspaceId) -> tuple[Record, ...]:
    return tuple(decode_record(row) for row in connection.execute(RECORDS, {"of": workspace}).scalars())


def _media(connection: Connection, workspace: WorkspaceId, sha256: str) -> bytes | None:
    data: bytes | None = connection.execute(MEDIA, {"of": workspace, "sha256": sha256}).scalar()
    return data


def _sealed_bytes(connection: Connection, names: dict[str, Any]) -> bytes | None:
    data: bytes | None = connection.execute(SEALED, names).scalar()
    return data


class Housekeeping(Room):
    """Operations of :class:`gateway.books.Store` beside the two roads."""

    async def records(self) -> tuple[Record, ...]:
        return await self._read(_records, self._workspace)

    async def save_record(self, record: Record) -> None:
        await self._write(SAVE_RECORD, record)

    async def once(self, key: str, now: datetime) -> bool:
        return await self._write(ASK_ONCE, (key, now))

    async def put_media(self, data: bytes, mime: str) -> str:
        sha256 = digest(data).hexdigest()
        row = {"sha256": sha256, "mime": mime, "put_at": micros(self._clock.now()), "data": data}
        await self._write(PUT_MEDIA, row)
        return sha256

    async def media(self, sha256: str) -> bytes:
        """Raises KeyError for bytes that aren't kept (any more)."""
        data = await self._read(_media, self._workspace, sha256)
        if data is None:
            raise KeyError(sha256)
        return data

    async def sealed(self, account: AccountId, name: str) -> bytes | None:
        return await self._read(_sealed_bytes, {"of": self._workspace, "account": account, "name": name})

    async def seal(self, account: AccountId, name: str, data: bytes) -> None:
        await self._write(SEAL_IT, {"account": account, "name": name, "sealed": data})

    async def prune(self, before: datetime, limit: int) -> int:
        return await self._write(PRUNE, (before, limit))

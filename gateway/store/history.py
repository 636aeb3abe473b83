"""A conversation as it was: what came in, as edited since and without what was deleted, and what we said."""

from __future__ import annotations

from typing import Any

from msgspec import structs
from sqlalchemy import Connection, bindparam, func, select, text

from gateway.books import Turn
from gateway.model.content import plain
from gateway.model.delivery import Change
from gateway.model.events import MessageDeleted, MessageEdited, MessageReceived
from gateway.model.ids import AccountId, ConversationId, DeliveryId
from gateway.store.codec import DELIVERY, decode_event, delivery, moment
from gateway.store.room import Room
from gateway.store.schema import deliveries, events, sent_parts

_e = events.c
_d = deliveries.c
_there = (
    _e.workspace == bindparam("workspace"),
    _e.account == bindparam("account"),
    _e.conversation == bindparam("conversation"),
)
HEARD = select(_e.event).where(*_there, _e.kind == "message_received").order_by(_e.seq.desc()).limit(bindparam("limit"))
CHANGED = (
    select(_e.event)
    .where(
        *_there,
        _e.kind.in_(["message_edited", "message_deleted"]),
        _e.ref.in_(bindparam("refs", expanding=True)),
    )
    .order_by(_e.seq)
)
_at = (
    select(func.min(sent_parts.c.at))
    .where(sent_parts.c.workspace == _d.workspace, sent_parts.c.delivery == _d.id)
    .scalar_subquery()
)
SAID = (
    select(_at, *DELIVERY)
    .where(
        _d.workspace == bindparam("workspace"),
        _d.account == bindparam("account"),
        text("deliveries.conversation IS NOT NULL"),
        _d.conversation == bindparam("conversation"),
        text("deliveries.state = 'delivered'"),
    )
    .order_by(_d.seq.desc())
    .limit(bindparam("limit"))
)


def _history(connection: Connection, names: dict[str, Any]) -> tuple[Turn, ...]:
    turns = _heard(connection, names) + _said(connection, names)
    return tuple(sorted(turns, key=lambda turn: turn.at)[-names["limit"] :])


def _heard(connection: Connection, names: dict[str, Any]) -> list[Turn]:
    heard = {
        event.ref: Turn(event.author, event.text, event.at)
        for event in map(decode_event, reversed(connection.execute(HEARD, names).scalars().all()))
        if isinstance(event, MessageReceived)
    }
    for event in map(decode_event, connection.execute(CHANGED, {**names, "refs": list(heard)}).scalars()):
        match event:
            case MessageEdited(ref=ref, document=document) if ref in heard:
                heard[ref] = Turn(heard[ref].author, plain(document), heard[ref].at)
            case MessageDeleted(ref=ref):
                heard.pop(ref, None)
    return list(heard.values())


def _said(connection: Connection, names: dict[str, Any]) -> list[Turn]:
    said: dict[DeliveryId, Turn] = {}
    for at, *row in reversed(connection.execute(SAID, names).all()):
        one = delivery(names["workspace"], row)
        words, revises = plain(one.draft.document), one.draft.revises
        if revises is None:
            said[one.id] = Turn(None, words, one.created_at if at is None else moment(at), one.draft.key)
        elif revises.change is Change.DELETE:
            said.pop(revises.delivery, None)
        elif revises.delivery in said:
            said[revises.delivery] = structs.replace(said[revises.delivery], text=words)
    return list(said.values())


class History(Room):
    """One operation of :class:`gateway.books.Store`, between the two roads."""

    async def history(self, account: AccountId, conversation: ConversationId, limit: int) -> tuple[Turn, ...]:
        names = {"workspace": self._workspace, "account": account, "conversation": conversation, "limit": limit}
        return await self._read(_history, names) if limit > 0 else ()

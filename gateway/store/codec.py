"""Between rows and structs: times as microseconds, structs as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from gateway.model.delivery import Delivery, Draft, Part, Receipt, State
from gateway.model.events import PlatformEvent
from gateway.model.ids import AccountId, DeliveryId, WorkspaceId
from gateway.model.standing import Record
from gateway.store.schema import deliveries

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

T = TypeVar("T")


class _Hour(msgspec.Struct):
    """What :func:`own_hour` reads of a draft."""

    expires_at: datetime | None = None


_encode = msgspec.json.Encoder().encode
_draft = msgspec.json.Decoder(Draft).decode
_hour = msgspec.json.Decoder(_Hour).decode
_parts = msgspec.json.Decoder(tuple[Part, ...]).decode
_receipts = msgspec.json.Decoder(tuple[Receipt, ...]).decode
decode_event = msgspec.json.Decoder(PlatformEvent).decode
decode_record = msgspec.json.Decoder(Record).decode


def micros(at: datetime) -> int:
    """Whole microseconds since 1970, exact."""
    return (at - EPOCH) // MICROSECOND


def micros_or_none(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // MICROSECOND


def moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def moment_or_none(at: int | None) -> datetime | None:
    return None if at is None else EPOCH + timedelta(microseconds=at)


def encode(value: object) -> bytes:
    """JSON of a struct. Half a surrogate pair, which some JSON readers let through, becomes ``?``."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_scrubbed(msgspec.to_builtins(value)))


def scrub(text: str) -> str:
    """Text that every database takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _scrubbed(value: Any) -> Any:
    match value:
        case str():
            return scrub(value)
        case dict():
            return {scrub(key): _scrubbed(item) for key, item in value.items()}
        case list() | tuple():
            return [_scrubbed(item) for item in value]
        case _:
            return value


def own_hour(draft: bytes) -> int | None:
    """After which a draft is not wanted any more, whatever becomes of its account."""
    return micros_or_none(_hour(draft).expires_at)


DELIVERY = tuple(
    deliveries.c[name]
    for name in (
        *("seq", "id", "account", "home", "order_key", "state", "due_at", "draft", "created_at"),
        *("parts", "sent", "attempts", "reason", "expires_at"),
    )
)
"""The columns that :func:`delivery` reads, in its order."""


def delivery(workspace: WorkspaceId, row: Sequence[Any]) -> Delivery:
    """A delivery from a row of :data:`DELIVERY`."""
    seq, name, account, home, order_key, state, due_at, draft, created_at, parts, sent, attempts, reason, expires = row
    return Delivery(
        seq,
        DeliveryId(name),
        workspace,
        AccountId(account),
        AccountId(home),
        order_key,
        State(state),
        moment_or_none(due_at),
        _draft(draft),
        moment(created_at),
        None if parts is None else _parts(parts),
        () if sent is None else _receipts(sent),
        attempts,
        reason,
        moment_or_none(expires),
    )

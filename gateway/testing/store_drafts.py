"""Deliveries for the store's suite, in few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from gateway.books import Move, NewDelivery, Settlement, Store
from gateway.model.content import Document, Media, Text
from gateway.model.delivery import Delivery, Draft, Part, Receipt, State, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DeliveryId, DraftId, MessageRef

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOME = AccountId("red/main")
AWAY = AccountId("blue/main")
OTHER = AccountId("red/other")
ACCOUNTS = (HOME, AWAY, OTHER)
"""Every account that the suite receives or sends with."""
DAY = timedelta(days=1)


def said(text: str, *media: Media) -> Document:
    return Document(((Text(text),),), media)


def new(
    name: str,
    *,
    order: str = "",
    account: AccountId = HOME,
    state: State = State.QUEUED,
    due_at: datetime = NOW,
    expires_at: datetime | None = None,
    **draft_fields: Any,
) -> NewDelivery:
    """A delivery named ``name``, of a draft with a key of its own; what else is named goes into the draft."""
    draft = Draft(DraftId(name), DEFAULT_WORKSPACE, account, Timeline(), said(f"text of {name}"), NOW, f"key:{name}")
    draft = structs.replace(draft, expires_at=expires_at, **draft_fields)
    return NewDelivery(DeliveryId(name), draft, account, order or name, state, due_at, expires_at=expires_at)


def planned(name: str, *, order: str = "") -> NewDelivery:
    """One that may begin as soon as it is stored."""
    return structs.replace(new(name, order=order), parts=(part(0), part(1)))


def part(index: int = 0) -> Part:
    return Part(index, "post", f"k.{index}", {"text": "hello", "deep": [{"a": None}]}, "c1")


def receipt(ref: str, at: datetime = NOW) -> Receipt:
    return Receipt(MessageRef(ref), at, f"https://red.example/{ref}")


async def row(store: Store, name: str) -> Delivery:
    """The delivery of that name as it is now."""
    found = await store.delivery(DeliveryId(name))
    assert found is not None
    return found


async def begun(store: Store, *names: str, account: AccountId = HOME) -> None:
    for name in names:
        assert await store.begin(structs.replace(await row(store, name), account=account), [part()], NOW)


async def settled(store: Store, name: str, state: State, due_at: datetime | None = None) -> Delivery | None:
    got = receipt(f"ref-{name}") if state is State.DELIVERED else None
    return await store.settle(await row(store, name), Settlement(state, due_at, "why", got, "post", "c1"), NOW)


async def states(store: Store, *names: str) -> list[State]:
    found = [await store.delivery(DeliveryId(name)) for name in names]
    return [one.state for one in found if one is not None]


def diverted(name: str, order: str, *, account: AccountId = AWAY, state: State = State.QUEUED) -> Move:
    draft = structs.replace(new(name, account=account).draft, document=said("the rest"))
    return Move(DeliveryId(name), account, order, state, NOW + DAY, "diverted", draft)


def held(name: str, order: str, expires_at: datetime | None = None) -> Move:
    return Move(DeliveryId(name), HOME, order, State.HELD, NOW, "held", expires_at=expires_at)

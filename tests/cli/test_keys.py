"""The gateway's own keys reach their place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cli_rig import House

from gateway import wiring
from gateway.books import NewDelivery
from gateway.config import load
from gateway.model.content import Document, Text
from gateway.model.delivery import Draft, State, Timeline
from gateway.model.ids import AccountId, DeliveryId, DraftId, WorkspaceId
from gateway.testing.kit import ManualClock


@pytest.mark.parametrize(("keep_days", "left"), [(1, 0), (1.5, 0), (2.5, 1), (3, 1)])
async def test_history_is_kept_so_many_days(house: Callable[..., House], keep_days: float, left: int) -> None:
    h = house("mastodon")
    h.gateway_keys |= {"keep_days": keep_days, "workspace": "elsewhere"}
    h.write()
    clock = ManualClock()
    gateway = await wiring.build(load(h.folder / "multihome.toml", wiring.platforms(), h.secrets), clock=clock)
    try:
        account, said = AccountId("mastodon/main"), Document(((Text("Hello"),),))
        draft = Draft(DraftId("d"), WorkspaceId("elsewhere"), account, Timeline(), said, clock.now(), "k")
        new = NewDelivery(DeliveryId("d"), draft, account, "k", State.REFUSED, clock.now())
        await gateway.services.store.add([new], clock.now())
        await clock.advance(timedelta(days=2).total_seconds())
        await gateway.scheduler._prune()
        assert len(await gateway.services.store.deliveries()) == left
    finally:
        await gateway.services.store.aclose()

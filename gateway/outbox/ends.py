"""What became of an attempt: stored, whatever the database's trouble is, and told."""

from __future__ import annotations

import logging
from datetime import datetime

from gateway.books import Settlement, StoreError, Superseded
from gateway.model.delivery import Delivery, State
from gateway.model.events import DeliveryChanged
from gateway.model.ids import AccountId
from gateway.outbox.entrance import STORE_PAUSE_S
from gateway.outbox.house import House

log = logging.getLogger("multihome.outbox")


class Ends:
    """Those of one account's attempts."""

    def __init__(self, account: AccountId, house: House) -> None:
        self._account = account
        self._house = house

    async def store(self, delivery: Delivery, settlement: Settlement, now: datetime) -> Delivery | None:
        """Insist until the database has it: what a platform accepted must not be forgotten. Returns who follows.

        Raises Superseded, and what no database will ever take, once that is a question for the operator.
        """
        while True:
            try:
                return await self._house.store.settle(delivery, settlement, now)
            except StoreError as error:
                log.error("%s: storing what became of %s failed, trying again: %s", self._account, delivery.id, error)  # noqa: TRY400 - it says it all
                await self._house.clock.sleep(STORE_PAUSE_S)
            except Superseded:
                raise
            except Exception as error:
                await self._unstorable(delivery, settlement, error, now)
                raise

    async def _unstorable(self, delivery: Delivery, settlement: Settlement, error: Exception, now: datetime) -> None:
        """So that its conversation goes on."""
        became = settlement.receipt.ref if settlement.receipt is not None else settlement.reason
        doubt = Settlement(State.UNCERTAIN, None, f"{became}: could not be stored ({type(error).__name__})")
        promoted = await self._house.store.settle(delivery, doubt, now)
        self.tell(delivery, doubt, now)
        if promoted is not None:
            self._house.offer((promoted,))

    def tell(self, delivery: Delivery, became: Settlement, now: datetime) -> None:
        ref = became.receipt.ref if became.receipt is not None else None
        if became.state is not State.SENDING:
            self._house.bus.publish(DeliveryChanged(delivery.id, self._account, became.state, now, became.reason, ref))

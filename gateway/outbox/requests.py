"""One request to a platform, and what is known when it ended."""

from __future__ import annotations

import asyncio
import logging

from gateway.model.content import Document
from gateway.model.delivery import CHANGES, Change, Fault, FaultError, FaultKind, Part, Receipt
from gateway.model.ids import AccountId, MessageRef
from gateway.outbox.house import House
from gateway.outbox.revision import WORDS_ONLY
from gateway.ports import Adapter, Deletes, Edits, Reacts, Reposts

log = logging.getLogger("multihome.outbox")

SEND_TIMEOUT_S = 180.0
"""Longer than any adapter's own: one that hangs must not keep a slot, and its conversation, for ever."""


class Requests:
    """Those of one account."""

    def __init__(self, account: AccountId, adapter: Adapter, house: House) -> None:
        self._account = account
        self._adapter = adapter
        self._house = house
        self._given_up: set[asyncio.Task[None]] = set()

    async def post(self, part: Part) -> Receipt | Fault:
        """One request. Whatever the adapter does, this ends: with a receipt, or with what is known of the failure."""
        if not (self._house.holds(self._account) and self._house.can_send(self._account)):
            return Fault(FaultKind.CANCELLED, True, "the account was lost just before", self._house.clock.now())
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        # asyncio.timeout() would cost a twentieth of a send.
        patience = asyncio.get_running_loop().call_later(SEND_TIMEOUT_S, self._give_up, task)
        try:
            return await (self._change(part) if part.kind in CHANGES else self._adapter.send(part))
        except FaultError as error:
            return error.fault
        except asyncio.CancelledError:
            late = task in self._given_up
            if task.uncancel() if late else task.cancelling():
                raise
            if late:
                return Fault(FaultKind.NETWORK, False, f"no answer within {SEND_TIMEOUT_S:.0f} s")
            return Fault(FaultKind.CANCELLED, False, "the request was given up")
        except Exception as error:
            log.exception("%s: the adapter failed while sending", self._account)
            return Fault(FaultKind.UNKNOWN, False, f"the adapter failed with {type(error).__name__}")
        finally:
            patience.cancel()
            self._given_up.discard(task)

    async def _change(self, part: Part) -> Receipt:
        adapter, ref = self._adapter, MessageRef(part.body["ref"])
        match part.kind:
            case Change.EDIT if isinstance(adapter, Edits):
                return await adapter.edit(ref, part.rest or Document(), words_only=bool(part.body.get(WORDS_ONLY)))
            case Change.DELETE if isinstance(adapter, Deletes):
                await adapter.delete(ref)
            case Change.REACT if isinstance(adapter, Reacts):
                await adapter.react(ref, part.body["reaction"])
            case Change.REPOST if isinstance(adapter, Reposts):
                await adapter.repost(ref)
            case _:
                raise FaultError(Fault(FaultKind.INVALID, True, f"the adapter has no {part.kind}"))
        return Receipt(ref, self._house.clock.now())

    def _give_up(self, task: asyncio.Task[None]) -> None:
        self._given_up.add(task)
        task.cancel()

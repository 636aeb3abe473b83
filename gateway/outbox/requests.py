"""One request to a platform, and what is known when it ended."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import datetime

from msgspec import json

from gateway.model.content import Document
from gateway.model.delivery import CHANGES, Change, Fault, FaultError, FaultKind, Part, Receipt
from gateway.model.ids import AccountId, MessageRef
from gateway.model.standing import Signal, Source
from gateway.outbox.house import House
from gateway.outbox.revision import WORDS_ONLY
from gateway.ports import Adapter, Deletes, Edits, Reacts, Reconciles, Reposts, Taken, Unsure

log = logging.getLogger("multihome.outbox")

SEND_TIMEOUT_S = 180.0
"""Longer than any adapter's own for words: one that hangs must not keep a slot, and its conversation, for ever."""
MEDIA_TIMEOUT_S = 3600.0
"""For a part that carries media: adapters give large ones time by their size. An upload that is cut off here would be
an unknown send, or begin anew for ever, so this is only for one that hangs.
"""
DIGEST = re.compile(rb'"[0-9a-f]{64}"')


class Requests:
    """Those of one account."""

    def __init__(self, account: AccountId, adapter: Adapter, house: House) -> None:
        self._account = account
        self._adapter = adapter
        self._house = house
        self._patience: dict[asyncio.Task[None], asyncio.TimerHandle] = {}
        self._given_up: set[asyncio.Task[None]] = set()

    async def post(self, part: Part) -> Receipt | Fault:
        """One request. Whatever the adapter does, this ends: with a receipt, or with what is known of the failure."""
        if not (self._house.holds(self._account) and self._house.can_send(self._account)):
            return Fault(FaultKind.CANCELLED, True, "the account was lost just before", self._house.clock.now())
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        # asyncio.timeout() would cost a twentieth of a send.
        self._patience[task] = asyncio.get_running_loop().call_later(SEND_TIMEOUT_S, self._late, task, part)
        try:
            return await (self._change(part) if part.kind in CHANGES else self._adapter.send(part))
        except FaultError as error:
            return error.fault
        except asyncio.CancelledError:
            late = task in self._given_up
            if task.uncancel() if late else task.cancelling():
                raise
            if late:
                return Fault(FaultKind.NETWORK, False, f"no answer within {_patience_s(part):.0f} s")
            return Fault(FaultKind.CANCELLED, False, "the request was given up")
        except Exception as error:
            log.exception("%s: the adapter failed while sending", self._account)
            return Fault(FaultKind.UNKNOWN, False, f"the adapter failed with {type(error).__name__}")
        finally:
            self._patience.pop(task).cancel()
            self._given_up.discard(task)

    async def read_back(self, adapter: Reconciles, part: Part, since: datetime, taken: Taken) -> Receipt | Unsure:
        """Was it sent? Whatever the adapter does, the answer is one."""
        try:
            return await adapter.reconcile(part, since, taken)
        except FaultError as error:
            signal = Signal(Source.SEND, self._house.clock.now(), error.fault.evidence, error.fault)
            self._house.observe(self._account, signal)
            return Unsure.UNKNOWN
        except Exception:
            log.exception("%s: the adapter failed while reading back", self._account)
            return Unsure.UNKNOWN

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

    def _late(self, task: asyncio.Task[None], part: Part) -> None:
        """Few get here, and only they are looked at: that costs more than all else before a send."""
        more_s = _patience_s(part) - SEND_TIMEOUT_S
        if more_s > 0:
            self._patience[task] = asyncio.get_running_loop().call_later(more_s, self._give_up, task)
        else:
            self._give_up(task)

    def _give_up(self, task: asyncio.Task[None]) -> None:
        self._given_up.add(task)
        task.cancel()


def _patience_s(part: Part) -> float:
    """What shows media has their digests in it: adapters ask for the bytes by them."""
    return MEDIA_TIMEOUT_S if DIGEST.search(json.encode((part.body, part.rest))) else SEND_TIMEOUT_S

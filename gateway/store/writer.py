"""The one writer: a thread that commits together what concurrent callers ask for.

What waits in the queue when the thread comes back from a commit is the next transaction, so one flush to the disk
serves everybody who came meanwhile. Operations of one kind run as one batch; kinds run in the order in which the
first of each came, so a caller who needs an order between two kinds awaits the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

from gateway.books import StoreError
from gateway.store.faults import concerns_all, told
from gateway.store.transaction import Transaction

P = TypeVar("P")
R = TypeVar("R")

BATCH_MAX = 256
"""Operations per transaction: bounds how long the first of them waits."""


class Regroup(Exception):  # noqa: N818 - a signal to the writer, not an error
    """A batch met something that only one-by-one handles right, such as two claims of one delivery."""


class Kind(Generic[P, R]):
    """A named operation: what it does to a batch of requests within one transaction.

    ``touches`` names what nobody else may work on meanwhile (see :meth:`Transaction.lock`). All that a transaction
    needs is locked at its start, in one go and in one order, so that two of them never wait for each other.
    """

    __slots__ = ("run", "touches")

    def __init__(
        self,
        run: Callable[[Transaction, Sequence[P]], Sequence[R]],
        touches: Callable[[Transaction, Sequence[P]], Iterable[str]] = lambda _tx, _requests: (),
    ) -> None:
        self.run = run
        self.touches = touches


def single(
    one: Callable[[Transaction, P], R], touches: Callable[[Transaction, P], Iterable[str]] = lambda _tx, _request: ()
) -> Kind[P, R]:
    """An operation that gains nothing from being batched."""
    return Kind(
        lambda tx, requests: [one(tx, request) for request in requests],
        lambda tx, requests: chain.from_iterable(touches(tx, request) for request in requests),
    )


class Op(NamedTuple):
    kind: Kind[Any, Any]
    request: Any
    future: asyncio.Future[Any]


class Writer:
    """Owns the writing connection. Every method is for the event loop's thread but those that say otherwise."""

    def __init__(self, transaction: Transaction) -> None:
        self._tx = transaction
        self._waiting: deque[Op] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._asleep = False
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, kind: Kind[P, R], request: P) -> asyncio.Future[R]:
        """Queue an operation; the future has its result once it is on disk. Cancelling it changes nothing."""
        if self._closed:
            raise StoreError("the store is closed")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(Op(kind, request, future))
        if self._asleep:
            self._ring()
        return future

    def _ring(self) -> None:
        """Wake the thread, once: each ring is a system call and gives the GIL away."""
        self._asleep = False
        self._bell.put(None)

    async def aclose(self) -> None:
        """Write what is queued, then close the connection."""
        if not self._closed:
            self._closed = True
            self._ring()
        await apart(self._thread.join)

    def _work(self) -> None:
        """The thread: until closed, take what waits and commit it."""
        while batch := self._take():
            _hand_back(batch, self._outcomes(batch))
            del batch
        self._tx.close()

    def _take(self) -> list[Op]:
        """What waits, at least one operation; nothing when closed. A ring too many only makes it look once more."""
        while not self._waiting:
            if self._closed:
                return []
            self._asleep = True
            if not self._waiting and not self._closed:  # looked at again: who came before saw it awake
                self._bell.get()
            self._asleep = False
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]

    def _outcomes(self, batch: Sequence[Op]) -> list[Any]:
        """A result or an exception for each operation."""
        for grouped in (True, False):
            try:
                return self._commit(batch, grouped=grouped)
            except Regroup:
                continue
            except Exception as error:  # noqa: BLE001 - it goes to the callers
                if len(batch) == 1 or concerns_all(error):
                    return [told(error) for _ in batch]
                break
        return [self._alone(op) for op in batch]

    def _alone(self, op: Op) -> Any:
        try:
            return self._commit([op], grouped=False)[0]
        except Exception as error:  # noqa: BLE001 - it goes to the caller
            return told(error)

    def _commit(self, batch: Sequence[Op], *, grouped: bool = True) -> list[Any]:
        for tries_left in reversed(range(self._tx.tries)):
            try:
                return self._try(batch, grouped)
            except Exception as error:
                if not tries_left or not self._tx.may_try_again(error):
                    raise
        raise AssertionError("nobody tries less than once")

    def _try(self, batch: Sequence[Op], grouped: bool) -> list[Any]:
        groups: dict[Kind[Any, Any], list[int]] = {}
        for at, op in enumerate(batch):
            groups.setdefault(op.kind, []).append(at)
        with self._tx:
            if not self._tx.alone:
                _lock(self._tx, batch, groups)
            if grouped:
                return _run_grouped(self._tx, batch, groups)
            return [op.kind.run(self._tx, (op.request,))[0] for op in batch]


async def apart(work: Callable[[], None]) -> None:
    """In a thread of its own: those of the loop's pool may all be an agent's, for as long as it likes."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def run() -> None:
        outcome = None
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it goes to the caller
            outcome = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            done.get_loop().call_soon_threadsafe(_settle, [done], [outcome])

    threading.Thread(target=run, name="store-end", daemon=True).start()
    await done


def _lock(tx: Transaction, batch: Sequence[Op], groups: dict[Kind[Any, Any], list[int]]) -> None:
    tx.lock([name for kind, at in groups.items() for name in kind.touches(tx, [batch[n].request for n in at])])


def _run_grouped(tx: Transaction, batch: Sequence[Op], groups: dict[Kind[Any, Any], list[int]]) -> list[Any]:
    outcomes: list[Any] = [None] * len(batch)
    for kind, places in groups.items():
        results = kind.run(tx, [batch[at].request for at in places])
        for at, result in zip(places, results, strict=True):
            outcomes[at] = result
    return outcomes


def _hand_back(batch: Sequence[Op], outcomes: Sequence[Any]) -> None:
    """Wake the callers, all with one call into their loop."""
    loop = batch[0].future.get_loop()
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, [op.future for op in batch], outcomes)


def _settle(futures: Sequence[asyncio.Future[Any]], outcomes: Sequence[Any]) -> None:
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

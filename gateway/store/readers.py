"""Threads that read: each with a read-only connection of its own, beside the writer."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from gateway.books import StoreError
from gateway.store.faults import is_lost, told
from gateway.store.writer import apart

R = TypeVar("R")

THREADS = 2

Job = tuple[Callable[..., Any], tuple[Any, ...], asyncio.Future[Any]]


class Readers:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=[engine.connect()], name="store-reader", daemon=True)
            for _ in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, read: Callable[..., R], *args: Any) -> asyncio.Future[R]:
        """``read(connection, *args)`` on one of the threads: sees everything that was acknowledged before."""
        if self._closed:
            raise StoreError("the store is closed")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.put((read, args, future))
        return future

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads:
            await apart(thread.join)
        self._engine.dispose()

    def _work(self, connection: Connection) -> None:
        with connection:
            while (job := self._queue.get()) is not None:
                self._answer(connection, job)
                del job

    @staticmethod
    def _answer(connection: Connection, job: Job) -> None:
        read, args, future = job
        outcome: Any
        try:
            outcome = _read(connection, read, args)
        except Exception as error:  # noqa: BLE001 - it goes to the caller
            outcome = told(error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            future.get_loop().call_soon_threadsafe(_settle, future, outcome)


def _read(connection: Connection, read: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Once more where the connection turns out to be broken: then there is another one."""
    for last in (False, True):
        if connection.invalidated:
            connection.rollback()
        try:
            return read(connection, *args)
        except DBAPIError as error:
            if not is_lost(error):
                raise
            connection.invalidate()
            if last:
                raise
    raise AssertionError("the last try returns or raises")


def _settle(future: asyncio.Future[Any], outcome: Any) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)

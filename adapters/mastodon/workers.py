"""Threads that each own one Mastodon.py client: its attributes are not safe to share, and its calls block."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from adapters.mastodon.session import Session
from gateway.model.delivery import Fault, FaultError, FaultKind

CLOSING_S = 5.0
"""How long a thread may take to notice that its connection is cut."""


class Outcome(Struct):
    """What a call gave or raised, and what its last answer said besides: headers, and the words of a refusal."""

    value: Any
    error: Exception | None
    headers: dict[str, str]
    refusal: str | None

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


_Job = tuple["asyncio.Future[Outcome]", Any, Callable[[Any], Any]]


class Workers:
    """A few threads at one queue. They start with the first call."""

    def __init__(self, name: str, sessions: list[Session], client: Callable[[Session], Any]) -> None:
        self._name = name
        self._sessions = sessions
        self._client = client
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._ended: list[asyncio.Future[None]] = []
        self._closed = False

    async def call(self, shape: Any, call: Callable[[Any], Any]) -> Outcome:
        """Run ``call(client)`` with its answer decoded as ``shape``. Cancelled: an answer under way is thrown away."""
        if self._closed:
            raise FaultError(Fault(FaultKind.CANCELLED, True, "the account is closed"))
        if not self._threads:
            self._start()
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, shape, call))
        return await future

    async def aclose(self) -> None:
        """Cut what is under way and see the threads out."""
        self._closed = True
        for session in self._sessions:
            session.abort()
        for _ in self._threads:
            self._jobs.put(None)
        if self._ended:
            await asyncio.wait(self._ended, timeout=CLOSING_S)
        for thread, ended in zip(self._threads, self._ended, strict=True):
            if ended.done():
                thread.join()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        for number, session in enumerate(self._sessions):
            ended = loop.create_future()
            arguments = (session, loop, ended)
            thread = threading.Thread(target=self._work, args=arguments, name=f"{self._name}-{number}", daemon=True)
            self._ended.append(ended)
            self._threads.append(thread)
            thread.start()

    def _work(self, session: Session, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
        client = self._client(session)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            while (job := self._jobs.get()) is not None:
                future, shape, call = job
                if not future.cancelled():
                    loop.call_soon_threadsafe(_settle, future, _outcome(session, client, shape, call))
        session.close()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set_result, None)


def _outcome(session: Session, client: Any, shape: Any, call: Callable[[Any], Any]) -> Outcome:
    session.shape = shape
    session.forget()
    try:
        return Outcome(call(client), None, session.headers_told, None)
    except Exception as error:  # noqa: BLE001 -- it is raised where the call was made
        return Outcome(None, error, session.headers_told, session.refusal_told)


def _settle(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.cancelled():
        future.set_result(outcome)

"""Threads for what can only be waited for in one: the lookup of names for every platform, files, imports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_AN_AGENTS: ContextVar[bool] = ContextVar("what is done is an agent's", default=False)


@contextmanager
def an_agents() -> Iterator[None]:
    """What is begun in here is an agent's work."""
    token = _AN_AGENTS.set(True)
    try:
        yield
    finally:
        _AN_AGENTS.reset(token)


class Threads(ThreadPoolExecutor):
    """An event loop's default executor. What agents do in threads has ``agents_most`` of its own: an agent's calls that
    never end (a client without a time limit) fill those alone, and no platform becomes unreachable for want of a thread
    that looks up its name.
    """

    def __init__(self, agents_most: int) -> None:
        super().__init__(thread_name_prefix="loop")
        self._agents = ThreadPoolExecutor(agents_most, thread_name_prefix="agent")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if _AN_AGENTS.get():
            return self._agents.submit(fn, *args, **kwargs)
        return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._agents.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)

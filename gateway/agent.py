"""The operator's agent: ``module:function``, called with a message and its conversation."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from gateway.books import Store, Turn
from gateway.model.events import MessageReceived
from gateway.model.ids import AccountId, ConversationId, PersonId


class AgentError(Exception):
    """One line for people: why the agent can't be used, and the cure."""


class Conversation:
    """Where a message was said: what an agent gets beside the message."""

    def __init__(self, message: MessageReceived, person: PersonId | None, store: Store) -> None:
        self.account: AccountId = message.account
        self.id: ConversationId = message.conversation
        self.private = message.private
        self.person = person
        """The human behind the author, the same on every platform that is linked; ``None`` for nobody known."""
        self._store = store

    async def history(self, limit: int = 20) -> tuple[Turn, ...]:
        """The last messages here, both sides, oldest first. The message being answered is the last."""
        return await self._store.history(self.account, self.id, limit)


Handler = Callable[[MessageReceived, Conversation], Any]
"""An async function that returns the answer or ``None``, or an async generator of its pieces."""


def load(spelled: str) -> Handler:
    """Import ``module:function``; the caller has seen to it that the module can be found."""
    module_name, _, name = spelled.partition(":")
    if not module_name or not name:
        raise AgentError(f"[agent] handler = {spelled!r}: write it as module:function")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise AgentError(f"[agent] handler: there is no module {error.name!r} beside the configuration") from error
    handler = getattr(module, name, None)
    if not (inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler)):
        raise AgentError(f"[agent] handler: {spelled} must be an `async def` that takes (message, conversation)")
    return handler  # type: ignore[no-any-return]  # checked in the line above


async def answer(handler: Handler, message: MessageReceived, conversation: Conversation) -> str | None:
    """Ask the agent; pieces of a generator are joined into one answer."""
    result = handler(message, conversation)
    if inspect.isasyncgen(result):
        return "".join([str(piece) async for piece in result]) or None
    said = await result
    if said is not None and not isinstance(said, str):
        raise TypeError(f"the agent returned {type(said).__name__}, not a text or None")
    return said or None

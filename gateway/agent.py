"""The operator's agent: ``module:function``, called with a message and its conversation."""

from __future__ import annotations

import importlib
import inspect
import operator
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.books import Store, Turn
from gateway.media.pictures import kept
from gateway.model.content import Document, Media, typed
from gateway.model.delivery import Change, Revises
from gateway.model.events import MessageReceived, PlatformEvent
from gateway.model.ids import AccountId, ConversationId, MessageRef, PersonId
from gateway.model.media import Attachment
from gateway.ports import Adapter, Fetches

if TYPE_CHECKING:
    from gateway.answers import Answers
    from gateway.revisions import Outcome

FETCH_MAX_BYTES = 20_000_000
GESTURES_MAX = 20
NO_NAME = "{} is no answer's name: write turn.name, or keep conversation.answer_name"
LIKE = "❤️"
VARIATION = "\ufe0f"
"""Asks for the coloured form of a character: some write it, some don't."""


class AgentError(Exception):
    """One line for people: why the agent can't be used, and the cure."""


class FetchError(Exception):
    """One line: why what was attached can't be had. What the platform says about it comes as a FaultError."""


class Conversation:
    """Where a message was said: what an agent gets beside the message."""

    def __init__(
        self,
        message: MessageReceived,
        person: PersonId | None,
        store: Store,
        adapter: Adapter | None = None,
        answers: Answers | None = None,
        name: str = "",
    ) -> None:
        self.account: AccountId = message.account
        self.id: ConversationId = message.conversation
        self.private = message.private
        self.person = person
        """The human behind the author, the same on every platform that is linked; ``None`` for nobody known."""
        self.answer_name = name
        """What the answer to this message will be called: kept, it can be edited and deleted later."""
        self.gestures: list[Revises] = []
        """What is done besides answering, and stored with the answer."""
        self._message = message.ref
        self._store = store
        self._adapter = adapter
        self._answers = answers

    async def react(self, emoji: str, message: MessageRef | None = None) -> None:
        """React to a message, by its ref: the one being answered where none is given. It is done with the answer, once,
        and not at all where the handler fails; platforms with fewer reactions show the nearest they have.
        """
        reaction = _text(emoji, "{} is no reaction: write an emoji")
        liked = reaction.rstrip(VARIATION) == "❤"
        self._gesture(Revises(Change.REACT, message=self._meant(message), reaction=LIKE if liked else reaction))

    async def repost(self, message: MessageRef | None = None) -> None:
        """Show a message to the account's own readers. As :meth:`react`; what was said in private can't be."""
        if self.private:
            raise ValueError("what was said in private is not shown to others")
        self._gesture(Revises(Change.REPOST, message=self._meant(message)))

    def _meant(self, message: MessageRef | None) -> MessageRef:
        if message is None:
            return self._message
        return MessageRef(_text(message, "{} is no message's ref: write message.ref")) or self._message

    def _gesture(self, gesture: Revises) -> None:
        if len(self.gestures) >= GESTURES_MAX:
            raise ValueError(f"more than {GESTURES_MAX} reactions to one message")
        if gesture not in self.gestures:
            self.gestures.append(gesture)

    async def edit(self, name: str, said: Answer) -> tuple[Outcome, ...]:
        """An answer of before says this from now on, wherever it stands: a text keeps its media, a Document says all of
        it. ``name`` is from :meth:`history`, or was the ``answer_name``.

        It is done at once, whatever becomes of the handler, and again is once. One outcome for each copy: ``word`` is
        done, changed (before it had left), refused with a ``reason``, or that it is still on its way. Raises
        RevisionError.
        """
        words = said if isinstance(said, Document) else _text(said, "{} is neither a text nor a Document")
        return await self._given().edit(_text(name, NO_NAME), words)

    async def delete(self, name: str) -> tuple[Outcome, ...]:
        """Nothing of an answer of before is to be seen from now on. As :meth:`edit`; where it had not left, ``word`` is
        unsent.
        """
        return await self._given().delete(_text(name, NO_NAME))

    def _given(self) -> Answers:
        if self._answers is None:
            raise RuntimeError("there are no answers of before: this conversation is no running gateway's")
        return self._answers

    async def fetch(self, attachment: Attachment, size_max_bytes: int = FETCH_MAX_BYTES) -> bytes:
        """The bytes of one of the message's attachments. Raises FetchError, and FaultError when the platform fails."""
        adapter = self._adapter
        if adapter is None or not isinstance(adapter, Fetches):
            raise FetchError(f"{self.account} can't fetch what is attached")
        pieces: list[bytes] = []
        size = 0
        async for piece in adapter.fetch(attachment):
            size += len(piece)
            if size > size_max_bytes:
                raise FetchError(f"{attachment.name or attachment.kind} has more than {size_max_bytes} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def keep(self, data: bytes, name: str = "") -> Media:
        """A picture, film, sound or file for the ``media`` of a Document that is the answer; its ``alt`` is the agent's
        to set. Raises MediaError where it is of no known kind, or broken.
        """
        return await kept(self._store, data, name)

    async def history(self, limit: int = 20) -> tuple[Turn, ...]:
        """The last messages here, both sides, oldest first. The message being answered is the last."""
        return await self._store.history(self.account, self.id, limit)


Handler = Callable[[MessageReceived, Conversation], Any]
"""An async function that returns the answer, as a text or a Document, or ``None``; or an async generator of a text's
pieces.
"""

Answer = str | Document

Listener = Callable[[PlatformEvent], Awaitable[None]]
"""An async function that is told of what is no message: reactions, reposts, edits, deletions, members."""


def load(spelled: str) -> Handler:
    """Import ``module:function``; the caller has seen to it that the module can be found. Raises AgentError."""
    return _loaded("handler", spelled, "message", "conversation")  # type: ignore[no-any-return]  # it looked


def load_listener(spelled: str) -> Listener:
    """As :func:`load`. Raises AgentError."""
    found: Listener = _loaded("events", spelled, "event")
    if inspect.isasyncgenfunction(found):
        raise AgentError(f"[agent] events: {spelled} must not `yield`: nothing is said there")
    return found


def _loaded(key: str, spelled: str, *takes: str) -> Any:
    try:
        found = _found(spelled)
        _check(found, spelled, takes)
    except AgentError as error:
        raise AgentError(f"[agent] {key}: {error}") from error.__cause__
    return found


def _found(spelled: str) -> Any:
    module_name, _, name = spelled.partition(":")
    if not module_name or not name:
        raise AgentError(f"{spelled!r}: write it as module:function")
    module = _module(module_name)
    try:
        return operator.attrgetter(name)(module)
    except AttributeError:
        there = ", ".join(key for key, value in vars(module).items() if _is_async(value)) or "no async function"
        raise AgentError(f"there is no {name!r} in {module.__file__}; there is: {there}") from None


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name.partition(".")[0] or error.name == name:
            raise AgentError(f"there is no module {name!r} beside the configuration") from error
        raise _broken(name, error) from error
    except (Exception, SystemExit) as error:
        # It is the operator's code: whatever it raises at import is theirs to read.
        raise _broken(name, error) from error


def _broken(name: str, error: BaseException) -> AgentError:
    """Where the operator's file fails, in one line."""
    if isinstance(error, SyntaxError) and error.filename:
        place, why = f"{error.filename}:{error.lineno}", error.msg
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
        own = [frame for frame in frames if frame.filename != __file__]
        place, why = (f"{own[-1].filename}:{own[-1].lineno}" if own else f"module {name}"), str(error)
    told = " ".join(f"{type(error).__name__}: {why}".split())[:300]
    return AgentError(f"{place}: {told}")


def _check(found: Any, spelled: str, takes: tuple[str, ...]) -> None:
    names = ", ".join(takes)
    if not _is_async(found):
        raise AgentError(f"{spelled} must be an `async def` that takes ({names})")
    try:
        inspect.signature(found).bind(*takes)
    except TypeError:
        many = "two arguments" if len(takes) == 2 else "one argument"
        raise AgentError(f"{spelled} must take {many}: ({names})") from None


def _is_async(value: object) -> bool:
    return inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value)


class Said(NamedTuple):
    """What an agent made of a message."""

    answer: Answer | None = None
    gestures: tuple[Revises, ...] = ()


async def answer(handler: Handler, message: MessageReceived, conversation: Conversation) -> Answer | None:
    """Ask the agent; pieces of a generator are joined into one answer. Raises TypeError where it says anything else."""
    result = handler(message, conversation)
    if inspect.isasyncgen(result):
        return await _joined(result) or None
    said = await result
    if isinstance(said, Document):
        document = typed(said)
        return None if document.is_empty else document
    return None if said is None else _text(said, "the agent returned {}, not a text, a Document or None") or None


async def _joined(pieces: AsyncGenerator[object, Any]) -> str:
    """The last chunk that a language model streams is often None."""
    problem = "the agent yielded {}, not a text or None: a Document is returned"
    async with aclosing(pieces):
        return "".join([_text(piece, problem) async for piece in pieces if piece is not None])


def _text(value: object, problem: str) -> str:
    """What the operator's code hands in as a text. Raises TypeError: what was stored as something else can't be read
    again. Another library's kind of text is none that can be stored, but holds one.
    """
    if not isinstance(value, str):
        raise TypeError(problem.format(type(value).__name__))
    return str.__str__(value)

"""How the operator's agent is loaded and asked."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import agent
from gateway.books import Turn
from gateway.model.content import Document, Text
from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef
from gateway.model.media import Attachment

MESSAGE = MessageReceived(
    AccountId("x/main"), "1", MessageRef("r1"), ConversationId("c1"), Kind.MENTION, Identity("x", "7", "ana"),
    Document(((Text("hello"),),)), datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


class NoStore:
    """Nobody looks at the history here."""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A module of this text beside the configuration; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"agent_of_{tmp_path.name}".replace("-", "_").replace("[", "_").replace("]", "_")

    def put(text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        sys.modules.pop(name, None)
        return name

    return put


async def asked(handler: agent.Handler) -> agent.Answer | None:
    conversation = agent.Conversation(MESSAGE, None, NoStore())  # type: ignore[arg-type]
    return await agent.answer(handler, MESSAGE, conversation)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("async def reply(m, c): return m.text.upper()", "HELLO"),
        ("async def reply(m, c): return None", None),
        ("async def reply(m, c): return ''", None),
        ("async def reply(m, c, *more): return 'x'", "x"),
        ("async def reply(m, c):\n    yield 'a'\n    yield 'b'", "ab"),
        ("async def reply(m, c):\n    if False: yield 'a'", None),
        ("async def reply(m, c):\n    yield 'a'\n    yield None", "a"),
        ("async def reply(m, c): yield None", None),
        ("class Said(str): ...\nasync def reply(m, c): return Said('a')", "a"),
        ("class Said(str): ...\nasync def reply(m, c): yield Said('a')", "a"),
        ("class Bot:\n    async def reply(self, m, c): return 'bot'\nbot = Bot()\nreply = bot.reply", "bot"),
    ],
)
async def test_an_answer_is_a_text_or_nothing(write: Any, body: str, said: str | None) -> None:
    answer = await asked(agent.load(f"{write(body)}:reply"))
    assert answer == said
    assert type(answer) is type(said)


async def test_a_method_is_named_by_its_path(write: Any) -> None:
    name = write("class Bot:\n    async def reply(self, m, c): return 'bot'\nbot = Bot()")
    assert await asked(agent.load(f"{name}:bot.reply")) == "bot"


DOCUMENTS = "from gateway.model.content import Document, Text\nasync def reply(m, c): return "


async def test_an_answer_may_be_a_document(write: Any) -> None:
    said = await asked(agent.load(f"{write(DOCUMENTS + 'Document(((Text(m.text),),), language=chr(101))')}:reply"))
    assert said == Document(((Text("hello"),),), language="e")
    assert await asked(agent.load(f"{write(DOCUMENTS + 'Document()')}:reply")) is None


async def test_a_document_may_have_lists_but_nothing_of_other_types(write: Any) -> None:
    said = await asked(agent.load(f"{write(DOCUMENTS + 'Document([[Text(m.text)]])')}:reply"))
    assert said == Document(((Text("hello"),),))
    with pytest.raises(TypeError, match=r"no Document: Expected `str`, got `int` - at `\$\.paragraphs\[0\]"):
        await asked(agent.load(f"{write(DOCUMENTS + 'Document([[Text(5)]])')}:reply"))
    with pytest.raises(TypeError, match="no Document: Encoding objects of type object is unsupported"):
        await asked(agent.load(f"{write(DOCUMENTS + 'Document([[object()]])')}:reply"))


class Album:
    """An adapter, as far as it fetches."""

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        for _ in range(4):
            yield attachment.handle.encode()


def in_conversation(adapter: Any) -> agent.Conversation:
    return agent.Conversation(MESSAGE, None, NoStore(), adapter)  # type: ignore[arg-type]


async def test_what_is_attached_can_be_fetched_up_to_a_limit() -> None:
    conversation, attached = in_conversation(Album()), Attachment("abc", name="a.png")
    assert await conversation.fetch(attached) == b"abc" * 4
    assert await conversation.fetch(attached, 12) == b"abc" * 4
    with pytest.raises(agent.FetchError, match=r"a\.png has more than 11 bytes"):
        await conversation.fetch(attached, 11)


@pytest.mark.parametrize("adapter", [None, object()])
async def test_what_is_attached_cannot_be_fetched_everywhere(adapter: object) -> None:
    with pytest.raises(agent.FetchError, match="x/main can't fetch what is attached"):
        await in_conversation(adapter).fetch(Attachment("abc"))


async def test_an_answer_of_another_kind_is_an_error(write: Any) -> None:
    with pytest.raises(TypeError, match="returned int, not a text"):
        await asked(agent.load(f"{write('async def reply(m, c): return 5')}:reply"))


@pytest.mark.parametrize("piece", ["b'a'", "5", "[]", "m"])
async def test_a_piece_of_another_kind_is_an_error_and_ends_the_generator(write: Any, piece: str) -> None:
    name = write(
        f"ended = []\nasync def reply(m, c):\n    try:\n        yield 'a'\n        yield {piece}\n"
        "    finally:\n        ended.append(c)"
    )
    with pytest.raises(TypeError, match=r"yielded (bytes|int|list|MessageReceived), not a text or None"):
        await asked(agent.load(f"{name}:reply"))
    assert len(sys.modules[name].ended) == 1


async def test_a_generator_can_not_yield_a_document(write: Any) -> None:
    name = write(DOCUMENTS.replace("return", "yield") + "Document()")
    with pytest.raises(TypeError, match="yielded Document, not a text or None: a Document is returned"):
        await asked(agent.load(f"{name}:reply"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("reply = 5", "must be an `async def`"),
        ("def reply(m, c): return 'x'", "must be an `async def`"),
        ("async def reply(): return 'x'", "must take two arguments"),
        ("async def other(m, c): return 'x'", "there is: other"),
        ("", "there is: no async function"),
        ("import json, nothing_of_this_name", ":1: ModuleNotFoundError"),
        ("from json import nothing", ":1: ImportError"),
        ("\nreply = (", ":2: SyntaxError"),
        ("raise ValueError('a\\nb' + 'c' * 1000)", ":1: ValueError: a b"),
        ("raise SystemExit(3)", ":1: SystemExit: 3"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(write: Any, body: str, words: str) -> None:
    with pytest.raises(agent.AgentError) as told:
        agent.load(f"{write(body)}:reply")
    assert words in str(told.value)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 500


def test_who_is_told_of_events_takes_one_argument(write: Any) -> None:
    name = write("async def happened(event): ...\nasync def reply(m, c): ...")
    assert agent.load_listener(f"{name}:happened").__name__ == "happened"
    with pytest.raises(agent.AgentError, match=r"\[agent\] events: .* must take one argument: \(event\)"):
        agent.load_listener(f"{name}:reply")


def test_who_is_told_of_events_can_not_yield(write: Any) -> None:
    name = write("async def happened(event): yield 'x'")
    with pytest.raises(agent.AgentError, match=r"^\[agent\] events: .*:happened must not `yield`"):
        agent.load_listener(f"{name}:happened")


def in_the_open() -> Any:
    """A conversation, for mistakes that types would find."""
    return agent.Conversation(MESSAGE, None, NoStore(), answers=NoAnswers())  # type: ignore[arg-type]


class NoAnswers:
    """Nothing gets as far as this."""

    async def edit(self, name: str, said: object) -> None:
        raise AssertionError

    async def delete(self, name: str) -> None:
        raise AssertionError


@pytest.mark.parametrize("wrong", [MESSAGE, Turn(None, "x", MESSAGE.at), 0, 5, b"r1", ["r1"], Document()])
async def test_gestures_take_a_messages_ref_alone(wrong: object) -> None:
    conversation = in_the_open()
    told = rf"{type(wrong).__name__} is no message's ref: write message\.ref"
    with pytest.raises(TypeError, match=told):
        await conversation.react("👍", wrong)
    with pytest.raises(TypeError, match=told):
        await conversation.repost(wrong)
    assert conversation.gestures == []


@pytest.mark.parametrize("wrong", [MESSAGE, None, 5, b"x"])
async def test_a_reaction_is_a_text(wrong: object) -> None:
    conversation = in_the_open()
    with pytest.raises(TypeError, match=rf"{type(wrong).__name__} is no reaction: write an emoji"):
        await conversation.react(wrong)
    assert conversation.gestures == []


async def test_texts_of_other_libraries_are_texts() -> None:
    class Theirs(str):
        __slots__ = ()

    conversation = in_the_open()
    await conversation.react(Theirs("👍"), Theirs("r2"))
    (gesture,) = conversation.gestures
    assert (type(gesture.reaction), type(gesture.message)) == (str, str)


@pytest.mark.parametrize("wrong", [MESSAGE, Turn(None, "x", MESSAGE.at, "reply:x/main:1"), None, 5])
async def test_an_answer_is_named_by_its_name(wrong: object) -> None:
    told = rf"{type(wrong).__name__} is no answer's name: write turn\.name"
    with pytest.raises(TypeError, match=told):
        await in_the_open().edit(wrong, "x")
    with pytest.raises(TypeError, match=told):
        await in_the_open().delete(wrong)


@pytest.mark.parametrize("wrong", [MESSAGE, None, 5, b"x"])
async def test_an_edit_says_a_text_or_a_document(wrong: object) -> None:
    with pytest.raises(TypeError, match=rf"{type(wrong).__name__} is neither a text nor a Document"):
        await in_the_open().edit("reply:x/main:1", wrong)


@pytest.mark.parametrize("spelled", ["", "reply", ":reply", "module:", "no_module_of_this_name:reply"])
def test_a_name_that_leads_nowhere_is_told(spelled: str) -> None:
    with pytest.raises(agent.AgentError, match=r"\[agent\] handler"):
        agent.load(spelled)

"""An agent takes back what it said: wherever it is, durably, and as if done once however often it is asked."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import BLUE, RED, Crash, House, road, words
from revising_rig import ALL, STIFF, Worlds, revising

from gateway.agent import Conversation
from gateway.model.capabilities import Feature
from gateway.model.content import Document, Media
from gateway.model.events import MessageReceived
from gateway.model.manner import Correction
from gateway.revisions import RevisionError
from gateway.testing.scripted import ScriptedAgent, message


class Editor(ScriptedAgent):
    """Says what it is told to, and changes the last thing it said."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []
        self.fails = 0
        self.name = ""

    async def __call__(self, message: MessageReceived, conversation: Conversation) -> str | None:
        doing, _, what = message.text.partition(" ")
        if doing == "say":
            self.name = conversation.answer_name
            return what
        turns = [turn for turn in await conversation.history() if turn.author is None]
        name = turns[-1].name if turns else self.name
        outcomes = await (conversation.delete(name) if doing == "delete" else conversation.edit(name, what))
        self.told += [(one.account, one.word, one.reason) for one in outcomes]
        if self.fails:
            self.fails -= 1
            raise RuntimeError("unwell")
        return f"{doing} done"


async def tell(house: House, name: str, text: str) -> None:
    house.scripted[RED].arrivals.put_nowait(((message(RED, name, words(text), house.clock.now()),), name))
    await house.pass_time(3)


async def test_an_agent_edits_and_deletes_what_it_said(world: Worlds) -> None:
    w, agent = world(), Editor()
    async with revising(w, agent=agent) as house:
        await tell(house, "m1", "say hello")
        await tell(house, "m2", "edit good day")
        assert w.texts(RED) == ["good day", "edit done"]
        agent.script.clear()
        await tell(house, "m3", "delete")
        assert w.texts(RED) == ["good day", "delete done"]
        assert agent.told == [(RED, "done", "")] * 2


async def test_the_answers_name_is_known_before_it_is_given(world: Worlds) -> None:
    w, agent = world(), Editor()
    async with revising(w, agent=agent) as house:
        await tell(house, "m1", "say hello")
        answers = house.pipeline._answers
        (outcome,) = await answers.edit(agent.name, "good day")
        assert (outcome.word, w.texts(RED)) == ("done", ["good day"])
        (outcome,) = await answers.delete(agent.name)
        assert (outcome.word, w.texts(RED)) == ("done", [])


async def test_a_handler_that_fails_afterwards_changes_it_once(world: Worlds) -> None:
    for correction in Correction:
        w, agent = world(), Editor()
        async with revising(w, *STIFF, correction=correction, agent=agent) as house:
            await tell(house, "m1", "say hello")
            agent.fails = 2
            await tell(house, "m2", "edit good day")
            await house.pass_time(20)
            shown = {Correction.LEAVE: ["hello"], Correction.REPLY: ["hello", "good day"]}.get(correction, ["good day"])
            assert w.texts(RED) == [*shown, "edit done"]
            assert {word for _, word, _ in agent.told} == {"refused" if correction is Correction.LEAVE else "done"}


async def test_what_was_diverted_or_waits_is_changed_where_it_is(world: Worlds) -> None:
    w, agent = world(RED, BLUE), Editor()
    async with revising(w, routes=(road(RED, BLUE),), agent=agent) as house:
        await house.lose()
        await tell(house, "m1", "say hello")
        answers = house.pipeline._answers
        (outcome,) = await answers.edit(agent.name, "good day")
        assert outcome.word == "changed"
        await house.regain()
        await house.pass_time(10)
        assert w.texts(RED) == ["good day"]
        await house.lose()
        (outcome,) = await answers.delete(agent.name)
        assert outcome.word in ("queued", "held")
        await house.regain()
        await house.pass_time(10)
        assert w.texts(RED) == []


async def test_what_the_agent_did_not_say_is_not_its_to_change(world: Worlds) -> None:
    w, agent = world(), Editor()
    async with revising(w, agent=agent) as house:
        announcement, (delivery,) = await house.announcer.announce(words("news"), key="k")
        await house.pass_time(5)
        answers = house.pipeline._answers
        for name in (announcement, delivery.id, delivery.draft.key, f"reply:{RED}:99", ""):
            with pytest.raises(RevisionError, match="there is no answer"):
                await answers.delete(name)
        await tell(house, "m1", "say hello")
        for nothing in ("", " ", Document()):
            with pytest.raises(ValueError, match="delete"):
                await answers.edit(agent.name, nothing)
        assert w.texts(RED) == ["news", "hello"]


async def test_a_text_keeps_its_media_and_a_document_says_all_of_it(world: Worlds) -> None:
    w, agent = world(), Editor()
    picture = Media("0" * 64, "image/png", 3, alt="a dot")
    async with revising(w, agent=agent) as house:
        for seq, (said, kept) in enumerate((("good day", (picture,)), (words("good night"), ()))):
            agent.name = f"reply:{RED}:{seq}"
            await house.lose()
            document = Document(words("hello").paragraphs, media=(picture,))
            await house.intake.submit([house.draft("", place="c1", key=agent.name, document=document)])
            (outcome,) = await house.pipeline._answers.edit(agent.name, said)
            assert outcome.delivery.draft.document.media == kept
            await house.regain()
            await house.pass_time(5)


@pytest.mark.parametrize(
    ("features", "correction", "doing", "shown"),
    [
        (ALL, Correction.LEAVE, "edit good day", ["good day"]),
        (STIFF, Correction.REPLY, "edit good day", ["hello", "good day"]),
        (STIFF, Correction.REPOST, "edit good day", ["good day"]),
        (ALL, Correction.LEAVE, "delete", []),
    ],
)
@pytest.mark.parametrize("after", [True, False])
async def test_it_survives_a_crash_anywhere(
    world: Worlds, features: tuple[Feature, ...], correction: Correction, doing: str, shown: list[str], *, after: bool
) -> None:
    answer = f"{doing.partition(' ')[0]} done"
    for at in range(80):
        w, agent = world(), Editor()
        house = revising(w, *features, correction=correction, agent=agent)
        await house.start()
        await tell(house, "m1", "say hello")
        crash = Crash(house, at, after=after)
        await tell(house, "m2", doing)
        await house.die()
        async with revising(w, *features, correction=correction, agent=agent) as again:
            if w.texts(RED)[-1:] != [answer]:
                await tell(again, "m2", doing)  # whoever has no receipt for it says it again
            await again.pass_time(20, 4.0)
            assert await again.open() == [], at
            assert w.texts(RED) == [*shown, answer], at
        if not crash.struck:
            return
    raise AssertionError("it never got through")

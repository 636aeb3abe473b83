"""What can't be changed or reacted to keeps nothing else from it: no other copy, no message that comes after."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import BLUE, GREEN, RED, SUSPENDED, House, World, ended, road, words
from revising_rig import Worlds, changing, revising, said

from gateway.agent import Conversation
from gateway.announcement import Terms
from gateway.desk.corrections import Corrections
from gateway.model.delivery import Delivery, State
from gateway.model.events import MessageReceived
from gateway.model.ids import AccountId, AnnouncementId
from gateway.outbox.outbox import Outbox
from gateway.revisions import RevisionError, Revisions
from gateway.testing.scripted import ScriptedAgent, message

SPARE = AccountId("spare/main")


class Pointing(ScriptedAgent):
    """Reacts to the first message by the message itself, not by its ref."""

    async def __call__(self, message: MessageReceived, conversation: Conversation) -> str | None:
        if message.id == "m1":
            pointed: Any = message
            await conversation.react("👍", pointed)
        return await super().__call__(message, conversation)


async def test_a_reaction_to_what_is_no_ref_is_the_agents_failure_and_blocks_nobody(
    world: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    w = world()
    async with revising(w, agent=Pointing()) as house:
        for name in ("m1", "m2"):
            heard = message(RED, name, words(f"{name}!"), house.clock.now())
            house.scripted[RED].arrivals.put_nowait(((heard,), name))
        await house.pass_time(60)
        assert [one.state for one in await house.real_store.deliveries()] == [State.DELIVERED]
        assert w.texts(RED) == ["you said m2!"]
    assert "MessageReceived is no message's ref: write message.ref" in caplog.text


async def announced(house: House, w: World, *accounts: AccountId) -> tuple[AnnouncementId, tuple[Delivery, ...]]:
    """A thread on each; BLUE is lost after its first post, and the rest stands on SPARE."""
    w[BLUE].before_send = lambda _account, _part: setattr(w[BLUE], "lost", SUSPENDED if w[BLUE].posts else None)
    name, copies = await house.announcer.announce(words("one\n\ntwo"), accounts=accounts)
    await ended(house, *copies)
    assert (w.texts(BLUE), w.texts(SPARE)) == (["one"], ["two"])
    return name, copies


def without_a_gateway(house: House) -> Corrections:
    """As the command line makes it: no account is open."""
    revisions = Revisions(house.services, house.intake, Outbox(house.services, house.monitor))
    return Corrections(house.store, revisions)


async def test_a_copy_that_can_not_be_changed_is_a_row_and_the_others_are_changed(world: Worlds) -> None:
    w = world(RED, BLUE, GREEN, SPARE)
    async with revising(w, routes=(road(BLUE, SPARE),)) as house:
        name, copies = await announced(house, w, RED, BLUE, GREEN)
        rows = await without_a_gateway(house).edit(name, words("uno\n\ndos"), (), Terms())
        assert [row["account"] for row in rows] == [RED, SPARE, GREEN]
        (refused,) = [row for row in rows if row["outcome"] == "refused"]
        assert refused["account"] == SPARE
        assert refused["reason"] == f"its beginning is on {BLUE}, which must be open here to divide the new text"
        assert refused["delivery"] == copies[1].id
        house.outbox.wake_all()
        await house.pass_time(5)
        shown = {account: w.texts(account) for account in w.platforms}
        assert shown == {RED: ["uno", "dos"], BLUE: ["one"], GREEN: ["uno", "dos"], SPARE: ["two"]}


async def test_a_copy_that_never_rests_keeps_no_other_from_being_deleted(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with revising(w) as house:
        _, copies = await house.announcer.announce(words("hello"), key="k")
        await ended(house, *copies)
        corrections = Corrections(house.store, Restless(house, copies[0]))
        rows = await corrections.delete("k")
        assert [(row["account"], row["outcome"], row["reason"], row["said"]) for row in rows] == [
            (RED, "refused", "it doesn't come to rest", "hello"),
            (BLUE, "done", "", "hello"),
        ]
        assert (w.texts(RED), w.texts(BLUE)) == (["hello"], [])


class Restless(Revisions):
    """One delivery changes whenever somebody looks at it."""

    def __init__(self, house: House, restless: Delivery) -> None:
        super().__init__(house.services, house.intake, house.outbox)
        self._restless = restless.id

    async def delete(self, delivery: Any) -> Any:
        if delivery == self._restless:
            raise RevisionError("it doesn't come to rest")
        return await super().delete(delivery)


async def test_a_change_is_no_name_for_the_desk(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        delivery = await said(house, "one")
        (outcome,) = await changing(house).edit(delivery.id, words("two"))
        corrections = Corrections(house.store, changing(house))
        with pytest.raises(RevisionError, match=rf"changes {delivery.id}: name that one"):
            await corrections.delete(outcome.delivery.id)
        with pytest.raises(RevisionError, match=rf"changes {delivery.id}: name that one"):
            await corrections.edit(outcome.delivery.id, words("three"), (), Terms())


async def test_an_edit_whose_head_names_accounts_changes_those_copies_alone(world: Worlds) -> None:
    w = world(RED, BLUE, GREEN)
    async with revising(w) as house:
        _, copies = await house.announcer.announce(words("hello"), key="k", accounts=(RED, BLUE))
        await ended(house, *copies)
        corrections = Corrections(house.store, changing(house))
        rows = await corrections.edit("k", words("good day"), (), Terms(), [BLUE])
        assert [(row["account"], row["outcome"]) for row in rows] == [(BLUE, "done")]
        assert (w.texts(RED), w.texts(BLUE)) == (["hello"], ["good day"])
        with pytest.raises(RevisionError, match=rf"^there is no copy of it on {GREEN}: take it out of the head's"):
            await corrections.edit("k", words("good night"), (), Terms(), [RED, GREEN])
        assert (w.texts(RED), w.texts(BLUE)) == (["hello"], ["good day"])


async def test_a_copy_that_was_diverted_is_named_by_the_account_it_was_meant_for(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with revising(w, routes=(road(RED, BLUE),)) as house:
        await house.lose()
        _, copies = await house.announcer.announce(words("hello"), key="k", accounts=(RED,))
        await ended(house, *copies)
        corrections = Corrections(house.store, changing(house))
        rows = await corrections.edit("k", words("good day"), (), Terms(), [RED])
        assert [(row["account"], row["outcome"]) for row in rows] == [(BLUE, "done")]
        assert w.texts(BLUE) == ["good day"]

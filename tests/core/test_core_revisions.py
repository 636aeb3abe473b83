"""What was said is changed, or goes away, wherever it is: once, in order, and whatever happens meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from core_rig import BLUE, RED, SUSPENDED, Crash, House, World, ended, road, words
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from revising_rig import ALL, DONE, STIFF, Worlds, changing, finished, revising, said

from gateway.agent import Conversation
from gateway.announcement import Terms
from gateway.desk.corrections import Corrections
from gateway.model.capabilities import Feature, Idempotency, Lane, Scope
from gateway.model.content import Poll
from gateway.model.delivery import Delivery, FaultKind, State, Visibility
from gateway.model.events import MessageReceived
from gateway.model.ids import DeliveryId, MessageRef
from gateway.model.manner import Correction
from gateway.revisions import EXTRAS, RevisionError
from gateway.testing.scripted import FEATURES, ScriptedAgent, message, refused, unclear

MANY = "one\n\ntwo\n\nthree"


async def test_an_edit_changes_what_differs_alone(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        delivery = await said(house, MANY)
        outcomes = await changing(house).edit(delivery.id, words("one\n\nzwei\n\nthree"))
        assert await finished(house, outcomes) == DONE
        assert w.texts(RED) == ["one", "zwei", "three"]
        assert w[RED].changes == [("edit", "timeline:1")]


async def test_a_longer_one_goes_on_below_and_a_shorter_one_loses_its_end(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        delivery = await said(house, "one\n\ntwo")
        change = changing(house)
        assert await finished(house, await change.edit(delivery.id, words("uno\n\ntwo\n\nthree\n\nfour"))) == DONE
        assert w.texts(RED) == ["uno", "two", "three", "four"]
        assert [post.after for post in w[RED].posts] == [None, "timeline:0", "timeline:1", "timeline:2"]
        assert await finished(house, await change.edit(delivery.id, words("uno"))) == DONE
        assert w.texts(RED) == ["uno"]
        assert w[RED].changes[-3:] == [("delete", "timeline:3"), ("delete", "timeline:2"), ("delete", "timeline:1")]
        assert await finished(house, await change.delete(delivery.id)) == DONE
        assert w.texts(RED) == []
        assert await finished(house, await change.delete(delivery.id)) == [(State.REFUSED, "nothing of it is there")]


async def test_the_same_text_again_changes_nothing(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        delivery = await said(house, MANY)
        assert await finished(house, await changing(house).edit(delivery.id, words(MANY))) == [
            (State.REFUSED, "it says so already")
        ]
        assert w[RED].changes == []


async def test_an_edit_of_what_expired_says_that_nobody_will_read_it(world: Worlds) -> None:
    w = world()
    async with revising(w, routes=(road(RED, hold_at_most=timedelta(minutes=10)),)) as house:
        await house.lose()
        old = await house.say("old")
        await house.pass_time(700, 100.0)
        await house.regain()
        await house.quiet()
        (outcome,) = await changing(house).edit(old.id, words("new"))
        assert outcome.word == "unsent"
        assert outcome.reason == "nothing of it is there: expired while it was held"
    assert w.texts(RED) == []


async def test_what_has_not_left_is_changed_before_it_does(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        await house.lose()
        first, second, third = [await house.say(text) for text in ("first", "second", "third")]
        await house.quiet()
        (outcome,) = await changing(house).edit(second.id, words("zweitens"))
        assert outcome.delivery.id == second.id
        (outcome,) = await changing(house).delete(third.id)
        assert (outcome.delivery.state, outcome.reason) == (State.REFUSED, "withdrawn")
        await house.regain()
        await ended(house, first, second)
        assert w.texts(RED) == ["first", "zweitens"]
        assert w[RED].changes == []


async def test_a_change_waits_for_its_account_and_takes_no_other_road(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with revising(w, routes=(road(RED, BLUE),)) as house:
        delivery = await said(house, "one")
        await house.lose()
        outcomes = await changing(house).edit(delivery.id, words("eins"))
        await house.pass_time(30)
        assert [(await house.now(one.delivery)).state for one in outcomes] == [State.HELD]
        assert w.texts(BLUE) == []
        await house.regain()
        assert await finished(house, outcomes) == DONE
        assert w.texts(RED) == ["eins"]


async def test_what_was_diverted_is_changed_where_it_is(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with revising(w, routes=(road(RED, BLUE),)) as house:
        await house.lose()
        delivery = await said(house, "one")
        assert w.texts(BLUE) == ["one"]
        outcomes = await changing(house).edit(delivery.id, words("eins\n\nzwei"))
        assert [one.account for one in outcomes] == [BLUE]
        assert await finished(house, outcomes) == DONE
        assert (w.texts(RED), w.texts(BLUE)) == ([], ["eins", "zwei"])


async def begun_at_home(house: House, w: World) -> Delivery:
    """Part 1 on RED, the rest on BLUE."""

    def lost_after_the_first(_account: object, _part: object) -> None:
        if w[RED].posts:
            w[RED].lost = SUSPENDED

    w[RED].before_send = lost_after_the_first
    delivery = await said(house, MANY)
    assert (w.texts(RED), w.texts(BLUE)) == (["one"], ["two", "three"])
    return delivery


async def test_one_on_two_accounts_is_changed_on_both(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with revising(w, routes=(road(RED, BLUE),)) as house:
        delivery = await begun_at_home(house, w)
        outcomes = await changing(house).edit(delivery.id, words("a\n\nb\n\nc\n\nd"))
        w[RED].before_send = lambda _account, _part: None
        await house.regain()
        assert [one.account for one in outcomes] == [RED, BLUE]
        assert await finished(house, outcomes) == DONE * 2
        assert (w.texts(RED), w.texts(BLUE)) == (["a"], ["b", "c", "d"])
        assert await finished(house, await changing(house).delete(delivery.id)) == DONE * 2
        assert (w.texts(RED), w.texts(BLUE)) == ([], [])


async def test_of_one_that_was_begun_no_more_leaves_after_it_is_deleted(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        w[RED].before_send = lambda _account, _part: setattr(w[RED], "lost", SUSPENDED if w[RED].posts else None)
        delivery = await house.say(MANY)
        await house.until(lambda: w[RED].lost is not None)
        await house.pass_time(5)
        w[RED].before_send = lambda _account, _part: None
        outcomes = await changing(house).delete(delivery.id)
        await house.regain()
        assert await finished(house, outcomes) == DONE
        assert w.texts(RED) == []
        assert len(w[RED].posts) == 1


@pytest.mark.parametrize("how", ["delete", "edit"])
async def test_what_is_changed_while_it_is_sent_takes_no_other_road_in_its_old_words(world: Worlds, how: str) -> None:
    w = world(RED, BLUE)
    async with revising(w, routes=(road(RED, BLUE),)) as house:
        w[RED].troubles.append(unclear(accepted=False))
        one = await house.say("one")
        await house.quiet()
        change = changing(house)
        await (change.delete(one.id) if how == "delete" else change.edit(one.id, words("better")))
        w[RED].before_send = lambda *_: setattr(w[RED], "lost", SUSPENDED)
        await house.pass_time(60)
        w[RED].before_send = lambda *_: None
        await house.regain()
        await house.pass_time(60)
    assert (w.texts(RED), w.texts(BLUE)) == ([], [] if how == "delete" else ["better"])


async def test_a_copy_that_is_deleted_while_it_is_sent_does_not_go_home(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with revising(w, routes=(road(RED, BLUE),)) as house:
        await house.lose(RED)
        w[BLUE].troubles.append(unclear(accepted=False))
        one = await house.say("one")
        await house.quiet()
        assert (await house.now(one)).account == BLUE
        await changing(house).delete(one.id)
        w[BLUE].troubles.append(refused(FaultKind.TARGET_REFUSED))
        await house.regain()
        await house.pass_time(60)
        assert (await house.now(one)).state is State.REFUSED
    assert (w.texts(RED), w.texts(BLUE)) == ([], [])


async def test_a_change_waits_behind_what_is_uncertain(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        w[RED].troubles.append(unclear(accepted=True))
        delivery = await house.say("one")
        await house.quiet()
        assert await house.state(delivery) is State.UNCERTAIN
        outcomes = await changing(house).edit(delivery.id, words("eins"))
        assert outcomes[0].delivery.state is State.WAITING
        assert await finished(house, outcomes) == DONE
        assert w.texts(RED) == ["eins"]


async def test_nobody_changes_what_only_the_operator_can_settle(world: Worlds) -> None:
    w = world()
    async with revising(w, idempotency=Idempotency.NONE) as house:
        w[RED].troubles.append(unclear(accepted=True))
        delivery = await house.say("one")
        await house.quiet()
        ((state, reason),) = await finished(house, await changing(house).delete(delivery.id))
        assert state is State.REFUSED
        assert "settle that first" in reason


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("idempotency", list(Idempotency))
async def test_a_change_of_unknown_outcome_is_repeated(
    world: Worlds, idempotency: Idempotency, *, accepted: bool
) -> None:
    w = world()
    async with revising(w, idempotency=idempotency) as house:
        delivery = await said(house, "one")
        w[RED].troubles.extend([unclear(accepted=accepted), refused(FaultKind.SERVER), unclear(accepted=accepted)])
        assert await finished(house, await changing(house).edit(delivery.id, words("eins"))) == DONE
        assert w.texts(RED) == ["eins"]
        assert len(w[RED].changes) == 4
        assert w[RED].asked == []


@pytest.mark.parametrize(
    ("correction", "texts"),
    [
        (Correction.LEAVE, ["one", "two"]),
        (Correction.REPLY, ["one", "two", "eins"]),
        (Correction.REPOST, ["eins"]),
    ],
)
@pytest.mark.parametrize("why", ["stiff", "late", "turned down"])
async def test_where_nothing_can_be_edited_the_operators_manner_says_what_happens(
    world: Worlds, correction: Correction, texts: list[str], why: str
) -> None:
    w = world()
    features = STIFF if why == "stiff" else ALL
    window_s = 60.0 if why == "late" else None
    async with revising(w, *features, correction=correction, edit_window_s=window_s) as house:
        delivery = await said(house, "one\n\ntwo")
        await house.pass_time(90)
        if why == "turned down":
            w[RED].troubles.append(refused(FaultKind.TARGET_REFUSED, "too old"))
        ((state, reason),) = await finished(house, await changing(house).edit(delivery.id, words("eins")))
        assert w.texts(RED) == texts
        if correction is Correction.LEAVE:
            assert state is State.REFUSED
            assert reason == "target_refused: too old" if why == "turned down" else "can't be edited" in reason
        else:
            assert state is State.DELIVERED
        if correction is Correction.REPLY:
            last = [post for post in w[RED].posts if not post.gone][-1]
            assert last.text == "eins"
        assert await finished(house, await changing(house).delete(delivery.id)) == DONE
        assert w.texts(RED) == []


async def test_what_cannot_be_deleted_says_so(world: Worlds) -> None:
    w = world()
    async with revising(w, *FEATURES, correction=Correction.REPOST) as house:
        delivery = await said(house, "one")
        assert await finished(house, await changing(house).delete(delivery.id)) == [
            (State.REFUSED, "it stays: nothing can be deleted here")
        ]
        ((state, _),) = await finished(house, await changing(house).edit(delivery.id, words("eins")))
        assert state is State.REFUSED
        assert w.texts(RED) == ["one"]


async def test_every_copy_of_an_announcement_is_changed_and_each_is_told_of(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with revising(w) as house:
        _, deliveries = await house.announcer.announce(words("hello"), key="k")
        await ended(house, *deliveries)
        corrections = Corrections(house.store, changing(house))
        rows = await corrections.edit("k", words("good day"), (), Terms())
        assert [(row["account"], row["outcome"]) for row in rows] == [(RED, "done"), (BLUE, "done")]
        assert (w.texts(RED), w.texts(BLUE)) == (["good day"], ["good day"])
        assert [(row["outcome"], row["said"]) for row in await corrections.delete("k")] == [("done", "good day")] * 2
        assert (w.texts(RED), w.texts(BLUE)) == ([], [])
        assert [row["outcome"] for row in await corrections.delete("k")] == ["done", "done"]
        assert [row["outcome"] for row in await corrections.edit("k", words("late"), (), Terms())] == ["refused"] * 2


async def test_who_sees_it_is_not_changed_by_an_edit(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        terms = Terms(numbered=True)
        _, (delivery,) = await house.announcer.announce(words("hello"), key="k", terms=terms)
        await ended(house, delivery)
        corrections = Corrections(house.store, changing(house))
        with pytest.raises(RevisionError, match="visibility can't be changed in what is out: delete it"):
            await corrections.edit("k", words("good day"), (), Terms(Visibility.UNLISTED))
        for same in (terms, Terms()):
            assert [row["outcome"] for row in await corrections.edit("k", words("good day"), (), same)] == ["done"]


async def test_what_an_edit_does_not_say_stays_as_the_last_one_left_it(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        await house.lose()
        poll = Poll(("a", "b"))
        delivery = await house.say("", document=structs.replace(words("hello"), warning="cw", poll=poll))
        for keep, warning in ((EXTRAS, "cw"), ((), ""), (EXTRAS, "")):
            (outcome,) = await changing(house).edit(delivery.id, words("good day"), keep)
            document = outcome.delivery.draft.document
            assert (document.warning, document.poll) == (warning, poll if warning else None)


async def test_each_conversation_has_its_own_window_for_changes_too(world: Worlds) -> None:
    w = world()
    lanes = [Lane("changes", 1, 600.0, ("edit", "delete"), Scope.CONVERSATION)]
    async with revising(w, lanes=lanes) as house:
        places = [await said(house, f"in {place}", place=place) for place in ("c1", "c2", "c3")]
        outcomes = [one for delivery in places for one in await changing(house).delete(delivery.id)]
        await house.pass_time(5)
        assert [(await house.now(one.delivery)).state for one in outcomes] == [State.DELIVERED] * 3


async def test_changes_asked_for_at_once_come_one_after_the_other(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        delivery = await said(house, "one")
        change = changing(house)
        outcomes = [*await change.edit(delivery.id, words("a\n\nb")), *await change.edit(delivery.id, words("c"))]
        assert await finished(house, tuple(outcomes)) == DONE * 2
        assert w.texts(RED) == ["c"]


async def test_a_change_is_no_delivery_to_be_changed(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        delivery = await said(house, "one")
        (outcome,) = await changing(house).edit(delivery.id, words("two"))
        with pytest.raises(RevisionError, match=delivery.id):
            await changing(house).delete(outcome.delivery.id)
        with pytest.raises(RevisionError, match="no delivery"):
            await changing(house).delete(DeliveryId("nobody"))


async def test_what_the_operator_reads_is_what_is_there(world: Worlds) -> None:
    w = world()
    async with revising(w) as house:
        first, second = [await said(house, text, place="c1") for text in ("first", "second")]
        await finished(house, await changing(house).edit(first.id, words("erstens")))
        await finished(house, await changing(house).delete(second.id))
        conversation = (await house.now(first)).draft.target.conversation  # type: ignore[union-attr]  # said so above
        assert [turn.text for turn in await house.store.history(RED, conversation, 10)] == ["erstens"]


paragraphs = st.lists(st.text("ab c", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions=st.lists(paragraphs, min_size=2, max_size=4), stiff=st.booleans())
async def test_any_document_becomes_any_other(world: Worlds, versions: list[list[str]], *, stiff: bool) -> None:
    w = world()
    features = STIFF if stiff else ALL
    async with revising(w, *features, correction=Correction.REPOST) as house:
        delivery = await said(house, "\n\n".join(versions[0]))
        for version in versions[1:]:
            await finished(house, await changing(house).edit(delivery.id, words("\n\n".join(version))))
            assert w.texts(RED) == version


LONGER = ["uno", "due", "tre", "quattro"]


@pytest.mark.parametrize(("features", "version"), [(ALL, LONGER), (STIFF, LONGER), (ALL, ["uno"]), (ALL, [])])
@pytest.mark.parametrize("after", [True, False])
async def test_a_change_survives_a_crash_anywhere(
    world: Worlds, features: tuple[Feature, ...], version: list[str], *, after: bool
) -> None:
    for at in range(40):
        w = world()
        house = revising(w, *features, correction=Correction.REPOST)
        await house.start()
        delivery = await said(house, "one\n\ntwo\n\nthree")
        crash = Crash(house, at, after=after)
        try:
            change = changing(house)
            edit = change.edit(delivery.id, words("\n\n".join(version))) if version else change.delete(delivery.id)
            outcomes = await edit
        except BaseException:
            if not crash.struck:
                raise
            outcomes = ()
        await house.quiet()
        if not crash.struck:
            await house.pass_time(5)
        await house.die()
        async with revising(w, *features, correction=Correction.REPOST) as again:
            await again.pass_time(30)
            assert await again.open() == [], at
            if not outcomes and w.texts(RED) == ["one", "two", "three"]:
                continue
            assert w.texts(RED) == version, at
        if not crash.struck:
            return
    raise AssertionError("it never got through")


class Liking(ScriptedAgent):
    """Likes what it hears, twice, and answers as scripted."""

    async def __call__(self, message: MessageReceived, conversation: Conversation) -> str | None:
        await conversation.react("❤")
        await conversation.react("❤️")
        await conversation.repost()
        return await super().__call__(message, conversation)


async def test_an_agents_reactions_are_stored_with_its_answer_and_done_once(world: Worlds) -> None:
    w = world()
    agent = Liking()
    agent.script.extend([RuntimeError("unwell"), "hello", None])
    async with revising(w, agent=agent) as house:
        for name in ("m1", "m2"):
            heard = message(RED, name, words("hi"), house.clock.now())
            house.scripted[RED].arrivals.put_nowait(((heard,), name))
        await house.pass_time(20)
        assert await house.open() == []
        assert w.texts(RED) == ["hello"]
        assert w[RED].reactions == {(MessageRef(f"in:{m}"), what) for m in ("m1", "m2") for what in ("❤️", "repost")}
        assert len(w[RED].changes) == 4


async def test_where_there_are_no_reactions_the_answer_goes_out_all_the_same(world: Worlds) -> None:
    w = world()
    async with revising(w, *FEATURES, agent=Liking()) as house:
        house.scripted[RED].arrivals.put_nowait(((message(RED, "m1", words("hi"), house.clock.now()),), "1"))
        await house.pass_time(5)
        assert w.texts(RED) == ["you said hi"]
        found = await house.real_store.deliveries(states=frozenset({State.REFUSED}))
        assert {one.reason for one in found} == {"there is no react here", "there is no repost here"}

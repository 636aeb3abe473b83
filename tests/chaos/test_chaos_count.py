"""The count finds planted harm: worlds made by hand, each with one thing wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from chaos_count import RESENT, Count, Entry, Expected, Found, Loss, World, broken, count, found_in, unanswered
from chaos_story import Story

POSTS = (Expected("p1", "x", "program", delivery="d1"), Expected("p2", "x", "program", delivery="d2"))
ANSWER = Expected("r3", "telegram", "agent", place="c")
COPIES = (Expected("a4", "x", "program", delivery="d4"), Expected("a4", "bluesky", "program", delivery="d5"))


def held(*marks: str) -> list[Found]:
    """Marks as ``p1@x``, each in a message of its own; ``p1@x=m`` names the message, ``r3@x/c`` the conversation."""
    found = []
    for number, spelled in enumerate(marks):
        rest, _, conversation = spelled.partition("/")
        mark, _, place = rest.partition("@")
        network, _, message = place.partition("=")
        found.append(Found(mark, network, message or f"{network}{number}", conversation))
    return found


def world(expected: Any, found: list[Found], attempts: Any = None, **more: Any) -> World:
    return World(expected, found, attempts or {}, **more)


def counted(of: World, rows: Any = (), books: Any = None) -> Count:
    """With books and networks that agree, unless told otherwise."""
    agreeing = [Entry(one.network, one.message, "d") for one in of.found]
    ids: dict[str, list[str]] = {"x": [], "bluesky": [], "telegram": []}
    for one in of.found:
        ids[one.network].append(one.message)
    return count(of, rows, agreeing if books is None else books, ids)


def row(state: str, *, delivery: str = "d1", home: str = "x", due: str | None = None, announcement: str = "") -> Any:
    account = f"{home}/main"
    return {
        "id": delivery, "account": account, "home": account, "state": state, "due_at": due, "reason": "",
        "announcement": announcement,
    }  # fmt: skip


def test_a_world_in_order_is_in_order() -> None:
    of = world((*POSTS, ANSWER, *COPIES), held("p1@x", "p2@bluesky", "r3@telegram/c", "a4@bluesky", "a4@x"))
    result = counted(of)
    assert not result.wrong
    assert not broken(of)
    assert (result.accepted, result.found, result.elsewhere) == (5, 5, 1)


def test_a_lost_post_is_found() -> None:
    assert counted(world(POSTS, held("p2@x"))).wrong == ["lost: p1 for x (d1)"]
    assert counted(world((ANSWER,), [])).wrong == ["lost: r3 for telegram (c)"]


def test_a_lost_copy_is_found_although_another_network_has_it() -> None:
    assert counted(world(COPIES, held("a4@x"))).wrong == ["lost: a4 for bluesky (d5)"]


def test_a_part_that_is_lost_is_found() -> None:
    parts = tuple(Expected(f"p1s{number}", "x", "program", delivery="d1") for number in range(3))
    assert counted(world(parts, held("p1s0@x", "p1s2@x"))).wrong == ["lost: p1s1 for x (d1)"]


def test_what_nobody_can_tell_is_not_lost_where_it_is_shown() -> None:
    shown = [row("uncertain", delivery="d9", home="telegram")]
    result = counted(world((ANSWER,), []), shown)
    assert (result.wrong, result.uncertain, result.absent) == ([], 1, 1)
    post = Expected("p9", "telegram", "program", delivery="d9")
    assert not counted(world((post,), []), shown).wrong
    assert len(counted(world((post, ANSWER), []), shown).wrong) == 1


def test_what_nobody_can_tell_about_and_is_there_excuses_no_lost_answer() -> None:
    post = Expected("p9", "telegram", "program", delivery="d9")
    shown = [row("uncertain", delivery="d9", home="telegram")]
    of = world((post, ANSWER), held("p9@telegram"))
    assert counted(of, shown, books=[]).wrong == ["lost: r3 for telegram (c)"]
    assert [one.mark for one in unanswered(of, shown, [])] == ["r3"]


def test_an_answer_that_nobody_can_tell_about_and_is_there_excuses_no_other() -> None:
    of = world((ANSWER, replace(ANSWER, mark="r4")), held("r3@telegram/c"))
    shown = [row("uncertain", delivery="d9", home="telegram")]
    assert counted(of, shown, books=[]).wrong == ["lost: r4 for telegram (c)"]
    assert [one.mark for one in unanswered(of, shown, [])] == ["r4"]
    written = [Entry("telegram", one.message, "d8") for one in of.found]
    assert not counted(of, shown, books=written).wrong
    assert not unanswered(of, shown, written)


def test_a_notice_that_nobody_can_tell_about_excuses_no_answer() -> None:
    shown = [row("uncertain", delivery="d9", home="telegram", announcement="notice:x/main@now")]
    assert counted(world((ANSWER,), []), shown).wrong == ["lost: r3 for telegram (c)"]


def test_each_answer_that_the_books_miss_wants_a_doubt_of_its_own() -> None:
    of = world((ANSWER, replace(ANSWER, mark="r4")), held("r3@telegram=1/c", "r4@telegram=2/c"))
    post = row("uncertain", delivery="d9", home="telegram")
    assert counted(of, [post], books=[]).wrong == ["not in the books: r4 on telegram (2)"]
    named = world((*of.expected, Expected("p9", "telegram", "program", delivery="d9")), of.found)
    assert len(counted(named, [post], books=[]).wrong) == 2


def private(mark: str, home: str = "x", person: str = "ana", place: str = "") -> Expected:
    return Expected(mark, home, "agent", place or f"{home}-{person}", person=person, private=True)


def test_an_answer_in_another_place_is_found() -> None:
    expected = (private("r1"), private("r2", person="ben"))
    there = [Found("r1", "x", "1", "x-ben", private=True), Found("r2", "x", "2", "x-ben", private=True)]
    of = world(expected, there)
    assert counted(of).wrong == broken(of) == ["misplaced: r1 for x stands on x in x-ben, not in x-ana"]


def test_what_was_asked_in_private_and_answered_in_public_is_found() -> None:
    for network, place in (("x", "x-ana"), ("bluesky", "thread")):
        of = world((private("r1"),), [Found("r1", network, "1", place)])
        assert broken(of) == [f"misplaced: r1 for x stands on {network} in {place}, in public"]
    assert not broken(world((private("r1"),), [Found("r1", "bluesky", "1", "new", private=True)]))


def test_what_was_asked_among_few_goes_on_in_private() -> None:
    asked = Expected("r1", "discord", "agent", "channel", person="ana")
    assert broken(world((asked,), [Found("r1", "x", "1", "thread")])) == [
        "misplaced: r1 for discord stands on x in thread, in public"
    ]
    assert not broken(world((asked,), [Found("r1", "discord", "1", "channel")]))
    assert not broken(world((replace(asked, home="bluesky"),), [Found("r1", "x", "1", "thread")]))


def test_an_answer_that_went_on_with_somebody_else_is_found() -> None:
    expected = (private("r1"), private("r2", "telegram", "ben"))
    there = Found("r1", "telegram", "1", "telegram-ben", private=True)
    assert broken(world(expected, [there])) == ["misplaced: r1 for x stands on telegram in telegram-ben, with ben"]


def test_a_private_post_that_calls_nobody_is_found_where_that_is_the_address() -> None:
    there = Found("r1", "mastodon", "1", "new", private=True)
    assert broken(world((private("r1"),), [there])) == [
        "misplaced: r1 for x stands on mastodon in new, without calling ana"
    ]
    assert not broken(world((private("r1"),), [replace(there, calls=frozenset({"ana"}))]))


def test_a_doubled_post_is_found_wherever_its_copies_are() -> None:
    for found in (held("p1@x", "p1@x", "p2@x"), held("p1@x", "p1@bluesky", "p2@x")):
        of = world(POSTS, found)
        assert counted(of).wrong == broken(of) == ["doubled: p1 for x stands 2 times (d1)"]


def test_an_announcement_may_stand_on_each_network_but_once() -> None:
    of = world(COPIES, held("a4@x", "a4@bluesky", "a4@bluesky"))
    assert counted(of).wrong == broken(of) == ["doubled: a4 for bluesky stands 2 times (d5)"]


def test_a_double_by_choice_must_be_marked() -> None:
    post = (Expected("p1", "telegram", "program", delivery="d1"),)
    of = world(post, held("p1@telegram=1", "p1@telegram=2"), resend=frozenset({"telegram"}))
    marked, unmarked = (Entry("telegram", "2", "d1", reason) for reason in (f"{RESENT}: network", ""))
    assert not broken(of)
    result = counted(of, books=[marked])
    assert (result.wrong, result.doubled) == ([], 1)
    assert any(line.startswith("doubled: p1") for line in counted(of, books=[unmarked]).wrong)
    unchosen = world(post, of.found)
    assert any(line.startswith("doubled: p1") for line in counted(unchosen, books=[marked]).wrong)


def test_a_swapped_order_is_found() -> None:
    of = world(POSTS, held("p2@x", "p1@x"))
    assert counted(of).wrong == ["out of order: p1 for x stands on x behind p2"]


def test_swapped_copies_are_found_at_any_moment() -> None:
    copies = (Expected("a4", "x", "program", delivery="d4"), Expected("a5", "x", "program", delivery="d5"))
    of = world(copies, held("a5@x", "a4@x"))
    assert counted(of).wrong == broken(of) == ["out of order: a4 for x stands on x behind a5"]


def test_of_what_stands_twice_the_first_counts() -> None:
    post = tuple(Expected(f"p1s{n}", "telegram", "program", delivery="d1") for n in range(2))
    twice = held("p1s0@telegram=1", "p1s1@telegram=1", "p1s0@telegram=2", "p1s1@telegram=2")
    assert not broken(world(post, twice, resend=frozenset({"telegram"})))


@pytest.mark.parametrize("network", ["x", "bluesky"])
def test_what_left_another_road_may_be_overtaken(network: str) -> None:
    of = world(POSTS, held(f"p2@{network}", f"p1@{network}"))
    first, second = (Entry(one.network, one.message, "d") for one in of.found)
    assert not counted(of, books=[first, replace(second, rerouted=True)]).wrong
    assert not counted(of, books=[replace(first, rerouted=True), second]).wrong
    assert len(counted(of, books=[first, second]).wrong) == 1


def test_different_speakers_and_places_have_no_order() -> None:
    expected = (
        POSTS[0],
        Expected("p2", "x", "operator"),
        Expected("r1", "x", "agent", "a"),
        Expected("r2", "x", "agent", "b"),
    )
    assert not broken(world(expected, held("p2@x", "p1@x", "r2@x/b", "r1@x/a")))


def attempt(at: float, outcome: str = "refused", detail: str = "suspend") -> Any:
    return {"at_unix_s": at, "outcome": outcome, "detail": detail}


def test_a_send_from_an_account_that_is_known_to_be_lost_is_found() -> None:
    tried = {"x": [attempt(101), attempt(102), attempt(109), attempt(120)]}
    loss = (Loss("x", "suspend", 100, 110),)
    assert broken(world((), [], attempts=tried, losses=loss)) == [
        "sent while it can't: x suspend, 8.0 s after the refusal"
    ]
    assert not broken(world((), [], attempts=tried, losses=loss, shaken_unix_s=[105]))


def test_what_is_left_over_is_found() -> None:
    of = world(POSTS, held("p1@x", "p2@x"))
    for state in ("waiting", "queued", "sending", "held", "refused", "expired", "uncertain"):
        assert len(counted(of, [row(state)]).wrong) == 1, state
    assert not counted(of, [row("refused", announcement="notice:x/main@now")]).wrong
    assert len(counted(of, [row("uncertain", home="telegram", due="now")]).wrong) == 1


def test_books_that_say_more_than_the_network_holds_are_found() -> None:
    of = world(POSTS, held("p1@x=1", "p2@x=2"))
    books = [Entry("x", ref, f"d{ref}") for ref in ("1", "2", "3")]
    assert counted(of, books=books).wrong == ["in the books alone: d3 on x (3)"]


def test_books_that_say_less_than_the_network_holds_are_found() -> None:
    of = world(POSTS, held("p1@x=1", "p2@x=2"))
    assert counted(of, books=[Entry("x", "1", "d1")]).wrong == ["not in the books: p2 on x (2)"]
    doubted = world((Expected("p1", "telegram", "program", delivery="d1"),), held("p1@telegram=1"))
    assert not counted(doubted, [row("uncertain", home="telegram")], books=[]).wrong


def test_a_copy_that_nobody_can_tell_about_is_looked_up_by_its_own_network() -> None:
    copies = tuple(Expected("a4", home, "program", delivery=f"d-{home}") for home in ("telegram", "x"))
    of = world(copies, held("a4@telegram=1", "a4@x=2"))
    shown = [row("uncertain", delivery="d-telegram", home="telegram")]
    assert not counted(of, shown, books=[Entry("x", "2", "d-x")]).wrong
    assert counted(of, shown, books=[Entry("telegram", "1", "d-telegram")]).wrong == ["not in the books: a4 on x (2)"]


def test_marks_are_read_in_the_order_of_the_messages() -> None:
    where = {"conversation": "c", "private": True}
    messages = [
        {"id": "1", "text": "One #p1s0. Two #p1s1.", **where},
        {"id": "2", "text": "We go on here.", **where},
        {"id": "3", "text": "@ana, hello @ben.b! #r3", **where},
    ]
    first, second, third = found_in("x", messages)
    assert (first, second) == tuple(Found(f"p1s{n}", "x", "1", "c", private=True) for n in range(2))
    assert third == Found("r3", "x", "3", "c", private=True, calls=frozenset({"ana", "ben.b"}))


def test_harm_is_laid_at_the_door_of_its_rounds() -> None:
    story = Story()
    for number, troubles in ((1, ["kill -9"]), (2, ["freeze"]), (3, [])):
        story.begin(number, number - 1, troubles)
    line = "lost: p2 for x (d2)"
    assert story.blame([line], POSTS) == [f"round 3: {line} [said in round 2; since then 2: freeze; 3: quiet]"]
    assert story.blame([line], POSTS) == []

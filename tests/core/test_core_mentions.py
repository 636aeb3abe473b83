"""People who are mentioned are called by the name they have where it is said; strangers are never called."""

from __future__ import annotations

from typing import Any

from core_rig import House, Worlds, road
from hypothesis import given
from hypothesis import strategies as st

from gateway.fitting import called
from gateway.model.content import Block, BlockKind, Document, Link, Mark, Mention, Text, spans
from gateway.model.delivery import State
from gateway.model.identity import PERSON, Identity, Person
from gateway.model.identity import Link as Tie
from gateway.model.ids import AccountId, PersonId

RED, BLUE = AccountId("red/main"), AccountId("blue/main")
ANA_RED, ANA_BLUE = Identity("red", "1", "ana", "Ana"), Identity("blue", "did:1", "ana.example")
HELLO = Document(((Text("hello "), Mention("red", "1", "ana")),))


async def proven(house: House) -> None:
    await house.real_store.link(Tie(ANA_RED, ANA_BLUE, "operator", house.clock.now()))


async def test_a_mention_is_somebodys_handle_on_each_platform(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house() as house:
        await proven(house)
        _, deliveries = await house.announcer.announce(HELLO)
        await house.quiet()
        assert [(await house.state(one)) for one in deliveries] == [State.DELIVERED] * 2
    assert (w.texts(RED), w.texts(BLUE)) == (["hello @ana"], ["hello @ana.example"])


async def test_it_goes_with_a_diverted_post(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house(routes=(road(RED, BLUE),)) as house:
        await proven(house)
        await house.lose(BLUE)
        await house.lose()
        _, (delivery,) = await house.announcer.announce(HELLO, accounts=(RED,))
        await house.pass_time(5)
        assert await house.state(delivery) is State.HELD
        await house.regain(BLUE)
        await house.pass_time(5)
    assert (w.texts(RED), w.texts(BLUE)) == ([], ["hello @ana.example"])


async def test_nobody_known_stays_a_name(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house() as house:
        await house.announcer.announce(HELLO, accounts=(BLUE,))
        await house.quiet()
        (stored,) = await house.real_store.deliveries()
    (_, mention) = spans(stored.draft.document)
    assert mention == Mention("red", "1", "ana")


class Book:
    """A store that knows one person."""

    def __init__(self, *identities: Identity) -> None:
        self._person = Person(PersonId("p1"), identities)

    async def person(self, identity: Identity) -> Person | None:
        by_id = (identity.platform, identity.id) == (PERSON, "p1")
        known = any((one.platform, one.id) == (identity.platform, identity.id) for one in self._person.identities)
        return self._person if by_id or known else None


names = st.sampled_from(["", "ana", "ben"])
platforms, ids = st.sampled_from(["red", "blue", "green", PERSON]), st.sampled_from(["", "1", "2", "p1"])
looks = st.sampled_from([(), (Mark.SPOILER,)])
mentions = st.builds(Mention, platforms, ids, names, names, looks)
others = st.sampled_from([Text("hi "), Link("https://a.example/")])
paragraphs = st.lists(mentions | others, max_size=4).map(tuple)
blocks = paragraphs | st.builds(lambda s: Block(s, BlockKind.ITEM, marker="•"), paragraphs)


@given(st.lists(blocks, max_size=4).map(tuple))
async def test_no_mention_of_a_platform_but_of_who_was_meant(given_paragraphs: Any) -> None:
    before = Document(given_paragraphs)
    book: Any = Book(Identity("red", "1", "ana"), Identity("blue", "2", "ana.example"))
    after = await called(before, "blue", book)
    for was, now in zip(spans(before), spans(after), strict=True):
        hers = isinstance(was, Mention) and (was.platform, was.id) in (("red", "1"), (PERSON, "p1"))
        assert now == (Mention("blue", "2", "ana.example", marks=was.marks) if hers else was)

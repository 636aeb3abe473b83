"""The part of the store's suite on people and housekeeping: see :mod:`gateway.testing.store_conformance`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from gateway.books import NewDelivery, Settlement, Store
from gateway.model.content import Card, Document, Media, Text
from gateway.model.delivery import Draft, Receipt, State, Timeline
from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import PERSON, Identity, Link
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DeliveryId, DraftId, MessageRef, PersonId
from gateway.model.standing import Loss, Record, Standing
from gateway.testing.store_drafts import row

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOME = AccountId("red/main")
ANA = Identity("red", "1", "ana", "Ana")
BLUE = Identity("blue", "did:1", "ana.example", "Ana")
GREEN = Identity("green", "77", "ana@green.example", "A.")
EMPTY = Document(((Text("x"),),))


@dataclass
class Crowd:
    """People who write."""

    store: Store
    count: int = 0

    async def write(self, identity: Identity) -> PersonId:
        self.count += 1
        message = MessageReceived(
            HOME,
            f"e{self.count}",
            MessageRef(f"m{self.count}"),
            ConversationId("c"),
            Kind.GROUP,
            identity,
            EMPTY,
            NOW + timedelta(seconds=self.count),
        )
        (stored,) = await self.store.record(HOME, [message], str(self.count), message.at)
        assert stored.person is not None
        return stored.person


def tie(first: Identity, second: Identity, evidence: str = "operator") -> Link:
    return Link(first, second, evidence, NOW)


class PeopleConformance:
    """Identities, persons, links; and what else there is to keep."""

    @pytest.fixture
    def crowd(self, store: Store) -> Crowd:
        return Crowd(store)

    async def test_everybody_is_a_person_from_the_first_event(self, store: Store, crowd: Crowd) -> None:
        ana, blue = await crowd.write(ANA), await crowd.write(BLUE)
        assert ana != blue
        assert await crowd.write(ANA) == ana
        person = await store.person(ANA)
        assert person is not None
        assert (person.id, person.identities) == (ana, (ANA,))
        assert await store.person(Identity("red", "999")) is None

    async def test_names_are_kept_up_to_date(self, store: Store, crowd: Crowd) -> None:
        before = await crowd.write(ANA)
        renamed = structs.replace(ANA, handle="ana2", name="Ana the second")
        assert await crowd.write(renamed) == before
        person = await store.person(Identity("red", "", "ANA2"))
        assert person is not None
        assert person.identities == (renamed,)
        assert await store.person(Identity("red", "", "ana")) is None

    async def test_a_handle_means_whoever_was_seen_with_it_last(self, store: Store, crowd: Crowd) -> None:
        await crowd.write(ANA)
        heir = await crowd.write(structs.replace(ANA, id="2"))
        person = await store.person(Identity("red", "", "@ana"))
        assert person is not None
        assert person.id == heir

    async def test_links_make_one_person_and_unlinks_what_they_were(self, store: Store, crowd: Crowd) -> None:
        ana, blue, green = [await crowd.write(identity) for identity in (ANA, BLUE, GREEN)]
        await store.link(tie(BLUE, ANA))
        person = await store.link(tie(GREEN, BLUE, "proven"))
        assert (person.id, person.identities) == (ana, (ANA, BLUE, GREEN))
        assert {await crowd.write(identity) for identity in (ANA, BLUE, GREEN)} == {ana}
        assert await store.links() == (tie(BLUE, ANA), tie(GREEN, BLUE, "proven"))
        assert await store.unlink(ANA, BLUE)
        assert [await crowd.write(identity) for identity in (ANA, BLUE, GREEN)] == [ana, blue, blue]
        assert await store.unlink(BLUE, GREEN)
        assert [await crowd.write(identity) for identity in (ANA, BLUE, GREEN)] == [ana, blue, green]
        assert not await store.unlink(BLUE, GREEN)
        assert not await store.unlink(BLUE, Identity("red", "999"))
        assert await store.links() == ()

    async def test_a_person_is_found_by_their_own_id(self, store: Store, crowd: Crowd) -> None:
        ana = await crowd.write(ANA)
        await crowd.write(BLUE)
        await store.link(tie(ANA, BLUE))
        found = await store.person(Identity(PERSON, ana))
        assert found is not None
        assert (found.id, found.identities) == (ana, (ANA, BLUE))
        assert await store.person(Identity(PERSON, "p0")) is None

    async def test_a_ring_of_links_holds_when_one_breaks(self, store: Store, crowd: Crowd) -> None:
        ana, *_ = [await crowd.write(identity) for identity in (ANA, BLUE, GREEN)]
        for first, second in ((ANA, BLUE), (BLUE, GREEN), (GREEN, ANA), (BLUE, ANA)):
            await store.link(tie(first, second))
        assert len(await store.links()) == 3
        assert await store.unlink(ANA, BLUE)
        assert {await crowd.write(identity) for identity in (ANA, BLUE, GREEN)} == {ana}

    async def test_pending_events_know_the_person_of_today(self, store: Store, crowd: Crowd) -> None:
        ana, _ = await crowd.write(ANA), await crowd.write(BLUE)
        await store.link(tie(ANA, BLUE))
        assert [one.person for one in await store.pending_events(NOW + timedelta(days=1))] == [ana, ana]

    async def test_somebody_linked_by_a_handle_that_nobody_knew_was_theirs(self, store: Store, crowd: Crowd) -> None:
        blue, ana = await crowd.write(structs.replace(BLUE, handle="")), await crowd.write(ANA)
        await store.link(tie(ANA, Identity("blue", "", "@Ana.Example"), "the operator"))
        assert await crowd.write(BLUE) == blue
        assert await crowd.write(ANA) == blue
        assert await store.links() == (tie(ANA, BLUE, "the operator"),)
        person = await store.person(Identity("blue", "", "ana.example"))
        assert person is not None
        assert (person.id, person.identities) == (blue, (BLUE, ANA))
        assert await store.unlink(BLUE, ANA)
        assert [await crowd.write(identity) for identity in (ANA, BLUE)] == [ana, blue]

    async def test_links_by_a_handle_join_those_its_owner_has(self, store: Store, crowd: Crowd) -> None:
        old, awaited = structs.replace(BLUE, handle="old.example"), Identity("blue", "", "ana.example")
        ana, *_ = [await crowd.write(identity) for identity in (ANA, old, GREEN)]
        for first, second in ((ANA, old), (awaited, ANA), (awaited, old), (GREEN, awaited)):
            await store.link(tie(first, second))
        assert await store.unlink(awaited, ANA)
        await store.link(tie(awaited, ANA, "later"))
        assert await crowd.write(BLUE) == ana
        assert set(await store.links()) == {tie(ANA, BLUE), tie(GREEN, BLUE)}
        person = await store.person(BLUE)
        assert person is not None
        assert person.identities == (ANA, BLUE, GREEN)

    async def test_who_has_another_handle_now_takes_over_nobody(self, store: Store, crowd: Crowd) -> None:
        ana, blue = await crowd.write(ANA), await crowd.write(BLUE)
        await store.link(tie(ANA, Identity("blue", "", "somebody.example")))
        for handle in ("another.example", "", "Another.Example"):
            assert await crowd.write(structs.replace(BLUE, handle=handle)) == blue
        assert await crowd.write(ANA) == ana
        assert len(await store.links()) == 1

    async def test_somebody_linked_by_handle_before_they_ever_wrote(self, store: Store, crowd: Crowd) -> None:
        ana = await crowd.write(ANA)
        person = await store.link(tie(ANA, Identity("blue", "", "@Ana.Example")))
        assert person.identities[1].id == ""
        assert await crowd.write(BLUE) == ana
        found = await store.person(BLUE)
        assert found is not None
        assert found.identities == (ANA, BLUE)
        assert await store.unlink(BLUE, ANA)
        assert await crowd.write(BLUE) != ana

    async def test_links_that_mean_nothing(self, store: Store, crowd: Crowd) -> None:
        await crowd.write(ANA)
        with pytest.raises(ValueError, match="same"):
            await store.link(tie(ANA, Identity("red", "", "ana")))
        with pytest.raises(ValueError, match="handle"):
            await store.link(tie(ANA, Identity("blue", "")))
        assert await store.links() == ()

    async def test_standings_are_kept(self, store: Store) -> None:
        assert await store.records() == ()
        healthy = Record(HOME, Standing.HEALTHY, NOW, "probe: ok")
        locked = Record(AccountId("blue/main"), Standing.LOCKED, NOW, "send: 403", 2, NOW, loss=Loss(NOW, NOW))
        for record in (healthy, locked, structs.replace(healthy, failures=1)):
            await store.save_record(record)
        assert await store.records() == (locked, structs.replace(healthy, failures=1))

    async def test_once_is_once(self, store: Store) -> None:
        first = await asyncio.gather(*(store.once("moved", NOW) for _ in range(9)))
        assert sorted(first) == [False] * 8 + [True]
        assert await store.once("other", NOW)

    async def test_pictures(self, store: Store) -> None:
        name = await store.put_media(b"\x00picture", "image/png")
        assert await store.put_media(b"\x00picture", "image/png") == name
        assert await store.media(name) == b"\x00picture"
        with pytest.raises(KeyError):
            await store.media("0" * 64)

    async def test_forgetting(self, store: Store, crowd: Crowd) -> None:
        used, unused = await store.put_media(b"used", "image/png"), await store.put_media(b"unused", "image/png")
        await crowd.write(ANA)
        (pending,) = await store.pending_events(NOW + timedelta(days=1))
        await store.add([_with_picture("open", used)], NOW)
        await store.add([_with_picture("done", used)], NOW)
        await store.begin(await row(store, "done"), [], NOW)
        got = Receipt(MessageRef("r"), NOW)
        await store.settle(await row(store, "done"), Settlement(State.DELIVERED, None, receipt=got), NOW)
        for_ever = datetime(2200, 1, 1, tzinfo=UTC)
        assert await store.prune(NOW, 100) == 0
        assert await store.prune(for_ever, 1) == 1
        assert await store.prune(for_ever, 100) == 1
        assert [one.id for one in await store.deliveries()] == ["open"]
        assert await store.sent_parts(DeliveryId("done")) == ()
        assert await store.media(used) == b"used"
        with pytest.raises(KeyError):
            await store.media(unused)
        await store.handled(pending.seq, (), NOW)
        assert await store.prune(for_ever, 100) == 1

    async def test_what_a_version_was_made_from_is_kept_with_it(self, store: Store) -> None:
        """So is the picture of a card: the delivery may go on to another account."""
        names = [await store.put_media(data, "image/png") for data in (b"first", b"fitting", b"card")]
        media = (Media(names[1], "image/png", 7, original=names[0]),)
        card = Card("https://e.org", "A page", picture=Media(names[2], "image/png", 4))
        await store.add([_saying("open", Document(((Text("a"),),), media, card=card))], NOW)
        assert await store.prune(datetime(2200, 1, 1, tzinfo=UTC), 100) == 0
        assert [await store.media(name) for name in names] == [b"first", b"fitting", b"card"]


def _with_picture(name: str, sha256: str) -> NewDelivery:
    return _saying(name, Document(((Text(name),),), (Media(sha256, "image/png", 4),)))


def _saying(name: str, document: Document) -> NewDelivery:
    draft = Draft(DraftId(name), DEFAULT_WORKSPACE, HOME, Timeline(), document, NOW, name)
    return NewDelivery(DeliveryId(name), draft, HOME, name, State.QUEUED, NOW)

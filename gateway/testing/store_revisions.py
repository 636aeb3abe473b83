"""The part of the store's suite on changes of what was said: see :mod:`gateway.testing.store_conformance`."""

from __future__ import annotations

from msgspec import structs

from gateway.books import Move, Settlement, Store
from gateway.model.content import Media
from gateway.model.delivery import Change, InConversation, Revises, State
from gateway.model.ids import AnnouncementId, ConversationId, DeliveryId
from gateway.testing.store_drafts import (
    AWAY,
    DAY,
    HOME,
    NOW,
    begun,
    held,
    new,
    part,
    receipt,
    row,
    said,
    settled,
    states,
)


class RevisionConformance:
    """Edits and deletions."""

    async def test_an_amended_one_keeps_its_place_and_is_planned_anew(self, store: Store) -> None:
        await store.add([new("a", order="o"), new("b", order="o"), new("c", order="o")], NOW)
        for name in ("a", "b"):
            before = await row(store, name)
            draft = structs.replace(before.draft, document=said("other words"))
            amended = await store.amend(before, draft, NOW)
            assert amended == await row(store, name)
            assert amended == structs.replace(before, draft=draft, attempts=before.attempts + 1)
        assert await states(store, "a", "b", "c") == [State.QUEUED, State.WAITING, State.WAITING]

    async def test_what_was_known_before_it_was_amended_is_worth_nothing(self, store: Store) -> None:
        (before,) = await store.add([new("a")], NOW)
        assert await store.amend(before, before.draft, NOW) is not None
        assert await store.amend(before, before.draft, NOW) is None
        assert await store.withdraw(before, "withdrawn", NOW) is None
        assert not await store.begin(before, [part()], NOW)
        there = Move(before.id, AWAY, "there", State.QUEUED, NOW, "", before.draft, attempts=before.attempts)
        assert await store.move([there], NOW) == ()
        assert await store.begin(await row(store, "a"), [part()], NOW)

    async def test_what_is_on_its_way_is_not_amended(self, store: Store) -> None:
        await store.add([new("a"), new("b")], NOW)
        await begun(store, "a")
        sending = await row(store, "a")
        assert await store.amend(sending, sending.draft, NOW) is None
        assert await store.withdraw(sending, "withdrawn", NOW) is None
        await settled(store, "a", State.DELIVERED)
        over = await row(store, "a")
        assert await store.amend(over, over.draft, NOW) is None
        assert await store.withdraw(over, "withdrawn", NOW) is None
        other = await row(store, "b")
        assert await store.amend(structs.replace(other, id=DeliveryId("nobody")), other.draft, NOW) is None

    async def test_of_one_that_was_begun_the_rest_is_withdrawn(self, store: Store) -> None:
        await store.add([new("a", order="o"), new("b", order="o")], NOW)
        await begun(store, "a")
        await store.settle(await row(store, "a"), Settlement(State.QUEUED, NOW, "", receipt("r0"), "post"), NOW)
        waiting = await row(store, "a")
        assert await store.amend(waiting, waiting.draft, NOW) is None
        withdrawn = await store.withdraw(waiting, "withdrawn", NOW)
        assert withdrawn is not None
        assert (withdrawn.state, withdrawn.reason) == (State.REFUSED, "withdrawn")
        assert [one.ref for one in await store.sent_parts(withdrawn.id)] == ["r0"]
        assert await states(store, "b") == [State.QUEUED]

    async def test_what_is_held_is_amended_and_withdrawn(self, store: Store) -> None:
        await store.add([new("a", order="o"), new("b", order="o")], NOW)
        await store.move([held("a", "o", NOW + DAY)], NOW)
        before = await row(store, "a")
        amended = await store.amend(before, structs.replace(before.draft, document=said("new")), NOW)
        assert amended is not None
        assert (amended.state, amended.expires_at) == (State.HELD, NOW + DAY)
        assert await store.withdraw(amended, "withdrawn", NOW) is not None
        assert await states(store, "a", "b") == [State.REFUSED, State.QUEUED]

    async def test_an_amended_ones_pictures_are_kept(self, store: Store) -> None:
        (before,) = await store.add([new("a")], NOW)
        picture = Media(await store.put_media(b"picture", "image/png"), "image/png", 7)
        draft = structs.replace(before.draft, document=said("new", picture))
        assert await store.amend(before, draft, NOW) is not None
        await store.prune(NOW + 2 * DAY, 100)
        assert await store.media(picture.sha256) == b"picture"

    async def test_drafts_are_found_by_their_keys_and_copies_by_their_announcement(self, store: Store) -> None:
        announcement = AnnouncementId("n")
        await store.add([new("a", announcement=announcement), new("b", account=AWAY, announcement=announcement)], NOW)
        await store.add([new("c")], NOW)
        assert await store.by_key("key:c") == await row(store, "c")
        assert await store.by_key("key:d") is None
        assert [(one.id, one.account) for one in await store.copies(announcement)] == [("a", HOME), ("b", AWAY)]
        assert await store.copies(AnnouncementId("other")) == ()

    async def test_history_tells_what_is_there(self, store: Store) -> None:
        place = InConversation(ConversationId("c1"))
        changes = {"x": Revises(Change.EDIT, DeliveryId("a")), "y": Revises(Change.DELETE, DeliveryId("b"))}
        await store.add([new(name, target=place) for name in "ab"], NOW)
        await store.add([new(name, target=place, revises=revises) for name, revises in changes.items()], NOW)
        for name in "abxy":
            await begun(store, name)
            await settled(store, name, State.DELIVERED)
        assert [turn.text for turn in await store.history(HOME, ConversationId("c1"), 10)] == ["text of x"]

"""The part of the store's suite on leases and secrets: see :mod:`gateway.testing.store_conformance`."""

from __future__ import annotations

from gateway.books import Store, Topic
from gateway.testing.store_drafts import ACCOUNTS, AWAY, HOME, NOW

SEALED = bytes(range(256)) * 3


class FellowConformance:
    """A gateway that has the database for itself, whether others could use it or not."""

    async def test_who_is_alone_holds_all_it_wants(self, store: Store) -> None:
        names = (*ACCOUNTS, "house")
        told = await store.tend("me", names, 60.0)
        assert set(told.held) == set(names)
        assert (told.excess, told.members) == ((), 1)
        assert await store.tend("me", names, 60.0) == told
        assert set((await store.tend("me", names[:2], 60.0)).held) == set(names[:2])

    async def test_what_was_given_up_can_be_had_again(self, store: Store) -> None:
        await store.tend("me", ACCOUNTS, 60.0)
        await store.give_up("me", [HOME])
        assert set((await store.tend("me", ACCOUNTS, 60.0)).held) == set(ACCOUNTS)
        await store.give_up("me", None)
        await store.give_up("me", None)
        again = await store.tend("me too", ACCOUNTS, 60.0)
        assert (set(again.held), again.members) == (set(ACCOUNTS), 1)

    async def test_nobody_hears_themselves(self, store: Store) -> None:
        heard: list[tuple[Topic, str]] = []
        store.listen(lambda topic, name: heard.append((topic, name)))
        await store.tell(Topic.RESUME, HOME)
        await store.once("and something later", NOW)
        assert heard == []

    async def test_secrets_are_kept_as_they_were_sealed(self, store: Store) -> None:
        assert await store.sealed(HOME, "token") is None
        await store.seal(HOME, "token", b"old")
        await store.seal(HOME, "token", SEALED)
        await store.seal(AWAY, "token", b"theirs")
        await store.seal(HOME, "session", b"")
        assert await store.sealed(HOME, "token") == SEALED
        assert await store.sealed(AWAY, "token") == b"theirs"
        assert await store.sealed(HOME, "session") == b""
        assert await store.sealed(AWAY, "session") is None

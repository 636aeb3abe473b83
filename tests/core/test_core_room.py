"""Posts with media are sent in turns, so that few of their bytes are in memory at once."""

from __future__ import annotations

import asyncio
from datetime import datetime

from core_rig import BLUE, GREEN, RED, Worlds
from msgspec import structs
from revising_rig import changing

from gateway.media.room import ROOM_BYTES
from gateway.model.capabilities import Idempotency, MediaLimits
from gateway.model.content import Document, Media, Text
from gateway.model.delivery import Draft, Part, Receipt, State
from gateway.model.media import MediaKind
from gateway.ports import Taken, Unsure, nobodys
from gateway.testing.scripted import ScriptedAdapter, scripted_profile, unclear

FILM = Media("00", "video/mp4", 40_000_000)
_LIMITS = structs.replace(scripted_profile().limits, others={MediaKind.VIDEO: MediaLimits(50_000_000)})
FILMS = structs.replace(scripted_profile(), limits=_LIMITS)


def showing(text: str) -> Document:
    return Document(((Text(text),),), (FILM,))


class Showing(ScriptedAdapter):
    """Sends a document's media with its first part; counts what is in memory at once while the ``gate`` is closed."""

    held = peak = 0
    gate = asyncio.Event()

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:
        first, *rest = super().plan(draft, at)
        shown = [one.size_bytes for one in draft.document.media]
        return structs.replace(first, body={**first.body, "shown": shown}), *rest

    async def send(self, part: Part) -> Receipt:
        size = sum(part.body.get("shown", ()))
        Showing.held += size
        Showing.peak = max(Showing.peak, Showing.held)
        try:
            await Showing.gate.wait()
            return await super().send(part)
        finally:
            Showing.held -= size


async def test_many_posts_with_media_are_sent_in_turns(world: Worlds) -> None:
    """Each account alone could send 16 at once."""
    Showing.gate = asyncio.Event()
    w = world(RED, BLUE, GREEN)
    async with w.house(kind=Showing, profiles=dict.fromkeys((RED, BLUE, GREEN), FILMS)) as house:
        waiting = [
            await house.say(f"film {n}", account, place=f"c{n}", document=showing(f"film {n}"))
            for n in range(8)
            for account in (RED, BLUE, GREEN)
        ]
        most = ROOM_BYTES // FILM.size_bytes * FILM.size_bytes
        await house.until(lambda: Showing.held == most)
        Showing.gate.set()
        await house.until(lambda: sum(len(w.texts(account)) for account in (RED, BLUE, GREEN)) == len(waiting))
        assert (Showing.peak, Showing.held) == (most, 0)


async def test_what_waits_for_room_has_not_begun(world: Worlds) -> None:
    """So a crash meanwhile leaves no question behind, and words are not kept waiting."""
    Showing.gate.set()
    w = world(RED)
    async with w.house(kind=Showing, profiles={RED: FILMS}) as house:
        async with house.outbox.room.of(Document((), (FILM,) * 6)):
            shown = await house.say("a film", document=showing("a film"))
            await house.say("words", place="elsewhere")
            await house.quiet()
            assert await house.state(shown) is State.QUEUED
            assert w.texts(RED) == ["words"]
        await house.quiet()
        assert await house.state(shown) is State.DELIVERED


class ReadingBack(Showing):
    """Asks whose the post is that it found, as real adapters do."""

    async def reconcile(self, part: Part, since: datetime, taken: Taken = nobodys) -> Receipt | Unsure:
        found = await super().reconcile(part, since)
        return Unsure.UNKNOWN if isinstance(found, Receipt) and await taken(found.ref) else found


async def test_a_question_takes_no_room(world: Worlds) -> None:
    """It waits for what the account is sending; that would wait for the room, and all media for the two of them."""
    Showing.gate.set()
    w = world(RED)
    profile = structs.replace(FILMS, idempotency=Idempotency.READ_BACK)
    async with w.house(kind=ReadingBack, profiles={RED: profile}) as house:
        w[RED].troubles.extend([unclear(accepted=True)] * 8)
        shown = [await house.say(f"film {n}", place=f"c{n}", document=showing(f"film {n}")) for n in range(8)]
        while {await house.state(one) for one in shown} != {State.UNCERTAIN}:
            await house.pass_time(0.1, 0.1)
        await house.pass_time(120, 60.0)  # all are due at once
        assert {await house.state(one) for one in shown} == {State.DELIVERED}
        assert len(w.texts(RED)) == len(w[RED].asked) == len(shown)


async def test_a_question_waits_for_nobody_who_waits_for_room(world: Worlds) -> None:
    Showing.gate.set()
    w = world(RED)
    profile = structs.replace(FILMS, idempotency=Idempotency.READ_BACK)
    async with w.house(kind=ReadingBack, profiles={RED: profile}) as house:
        w[RED].troubles.append(unclear(accepted=True))
        asked = await house.say("words")
        async with house.outbox.room.of(Document((), (FILM,) * 6)):
            shown = await house.say("a film", place="elsewhere", document=showing("a film"))
            await house.pass_time(60)
            assert await house.state(asked) is State.DELIVERED
            assert await house.state(shown) is State.QUEUED
        await house.quiet()
        assert w.texts(RED) == ["words", "a film"]


async def test_a_key_that_grows_old_while_its_post_waits_for_room_is_not_used_again(world: Worlds) -> None:
    Showing.gate.set()
    w = world(RED)
    w[RED].key_lifetime_s = 120.0
    profile = structs.replace(FILMS, idempotency=Idempotency.KEYED, key_lifetime_s=100.0)
    async with w.house(kind=ReadingBack, profiles={RED: profile}) as house:
        w[RED].troubles.append(unclear(accepted=True))
        shown = await house.say("a film", document=showing("a film"))
        await house.quiet()
        async with house.outbox.room.of(Document((), (FILM,) * 6)):
            await house.pass_time(300)
            assert await house.state(shown) is State.UNCERTAIN
        await house.pass_time(60)
        assert await house.state(shown) is State.DELIVERED
        assert w.texts(RED) == ["a film"]


async def test_what_is_changed_while_it_waits_for_room_is_judged_as_it_is_then(world: Worlds) -> None:
    Showing.gate.set()
    w = world(RED)
    async with w.house(kind=Showing, profiles={RED: FILMS}) as house:
        async with house.outbox.room.of(Document((), (FILM,) * 6)):
            shown = await house.say("too long", document=showing("x" * (FILMS.limits.text_max + 1)))
            await house.quiet()
            outcomes = await changing(house).edit(shown.id, showing("short"))
            assert [one.word for one in outcomes] == ["changed"]
        await house.quiet()
        assert await house.state(shown) is State.DELIVERED
        assert w.texts(RED) == ["short"]

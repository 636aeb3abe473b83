"""Sending: what was said is what the network holds, once."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import json

from gateway.model.capabilities import Feature, Idempotency
from gateway.model.delivery import Part, Receipt, ToPerson
from gateway.model.events import Kind
from gateway.ports import Adapter
from gateway.testing.conformance.rig import (
    Rig,
    answer_to,
    approach,
    draft,
    following,
    hear,
    listen,
    needs,
    needs_kind,
    now,
    picture,
    publish,
    send_all,
    too_long_for_one,
    unique,
)

_REPLYABLE = (Kind.MENTION, Kind.REPLY, Kind.GROUP, Kind.DIRECT)


class Sending:
    async def test_a_post_arrives_with_its_exact_words_and_links(self, rig: Rig) -> None:
        adapter = await rig.open()
        text = unique("Zoë says: 日本語 👩‍👩‍👧 & <b>no markup</b>, see https://example.org/a_b?c=1&d=2 now")
        (receipt,) = await send_all(adapter, adapter.plan(draft(rig, text), now()))
        (held,) = rig.held()
        assert _says(adapter, held.text, text, "https://example.org/a_b?c=1&d=2")
        assert len(held.text) <= len(text)
        assert not held.private
        assert receipt.ref

    async def test_paragraphs_arrive_as_paragraphs(self, rig: Rig) -> None:
        adapter = await rig.open()
        text = unique("First.\nSame paragraph.\n\nSecond")
        await publish(rig, adapter, text)
        assert rig.held()[-1].text == text

    async def test_a_long_text_becomes_a_thread_in_order(self, rig: Rig) -> None:
        adapter = await rig.open()
        text = too_long_for_one(adapter)
        parts = adapter.plan(draft(rig, text), now())
        assert len(parts) > 1
        await send_all(adapter, parts)
        held = rig.held()
        assert len(held) == len(parts)
        assert " ".join(message.text for message in held).split() == text.split()

    async def test_a_thread_is_chained(self, rig: Rig) -> None:
        needs(rig, Feature.THREAD)
        adapter = await rig.open()
        parts = adapter.plan(draft(rig, too_long_for_one(adapter)), now())
        assert len(parts) > 1
        await send_all(adapter, parts)
        held = rig.held()
        assert [message.in_reply_to for message in held] == [None, *(message.id for message in held[:-1])]

    async def test_a_thread_goes_on_after_a_restart(self, rig: Rig) -> None:
        """What is left of its beginning is what the outbox stored: the parts, and where the sent ones are."""
        needs(rig, Feature.THREAD)
        adapter = await rig.open()
        parts = adapter.plan(draft(rig, too_long_for_one(adapter)), now())
        stored = json.encode((parts, await send_all(adapter, parts[:1])))
        await adapter.aclose()
        again, (left, receipts) = await rig.open(), json.decode(stored, type=tuple[tuple[Part, ...], list[Receipt]])
        for part in left[1:]:
            receipts.append(await again.send(following(part, receipts)))
        held = rig.held()
        assert len(held) == len(parts) > 1
        assert [message.in_reply_to for message in held] == [None, *(message.id for message in held[:-1])]

    @pytest.mark.parametrize("kind", _REPLYABLE)
    async def test_a_reply_reaches_where_it_was_asked(self, rig: Rig, kind: Kind) -> None:
        needs_kind(rig, kind)
        adapter = await rig.open()
        event = await hear(rig, adapter, "ana", kind, unique("A question"))
        text = unique("An answer, with https://example.org/docs")
        (receipt,) = await send_all(adapter, adapter.plan(answer_to(rig, event, text), now()))
        held = rig.held()[-1]
        assert _says(adapter, held.text, text, "https://example.org/docs")
        assert held.private == event.private
        assert receipt.ref != event.ref

    @pytest.mark.parametrize("kind", [Kind.MENTION, Kind.REPLY])
    async def test_a_public_reply_names_what_it_answers(self, rig: Rig, kind: Kind) -> None:
        needs_kind(rig, kind)
        adapter = await rig.open()
        async with listen(rig, adapter) as listener:
            await listener.started()
            question = unique("A question")
            asked = await approach(rig, adapter, "ana", kind, question)
            event = await listener.message(question)
        await send_all(adapter, adapter.plan(answer_to(rig, event, unique("An answer")), now()))
        assert rig.held()[-1].in_reply_to == asked

    @pytest.mark.parametrize("kind", [Kind.MENTION, Kind.DIRECT])
    async def test_a_long_reply_stays_in_its_conversation(self, rig: Rig, kind: Kind) -> None:
        needs_kind(rig, kind)
        adapter = await rig.open()
        event = await hear(rig, adapter, "ana", kind, unique("Tell me everything"))
        before = len(rig.held())
        text = too_long_for_one(adapter, private=event.private)
        parts = adapter.plan(answer_to(rig, event, text), now())
        await send_all(adapter, parts)
        held = rig.held()[before:]
        assert len(held) == len(parts) > 1
        assert all(message.private == event.private for message in held)
        said = " ".join(message.text for message in held).split()
        assert [word for word in said if not word.startswith("@")] == text.split()

    async def test_a_person_is_reached_in_public(self, rig: Rig) -> None:
        needs(rig, Feature.MENTION_ANYONE)
        needs_kind(rig, Kind.MENTION)
        adapter = await rig.open()
        event = await hear(rig, adapter, "ana", Kind.MENTION, unique("Hello there"))
        text = unique("News for you")
        await send_all(adapter, adapter.plan(draft(rig, text, ToPerson(event.author)), now()))
        held = rig.held()[-1]
        assert text in held.text
        assert event.author.handle in held.text or event.author.id in held.text
        assert not held.private

    async def test_a_person_is_reached_in_private(self, rig: Rig) -> None:
        needs(rig, Feature.DIRECT)
        needs_kind(rig, Kind.DIRECT)
        adapter = await rig.open()
        event = await hear(rig, adapter, "ana", Kind.DIRECT, unique("Hello there"))
        text = unique("News for you alone")
        await send_all(adapter, adapter.plan(draft(rig, text, ToPerson(event.author, private=True)), now()))
        assert text in rig.held()[-1].text
        assert rig.held()[-1].private

    async def test_a_picture_arrives_with_its_alt_text(self, rig: Rig) -> None:
        needs(rig, Feature.IMAGE)
        adapter = await rig.open()
        text, media = unique("A picture"), picture(rig, "A blue square, for those who can't see it")
        await send_all(adapter, adapter.plan(draft(rig, text, media=(media,)), now()))
        (held,) = rig.held()
        assert held.text == text
        (shown,) = held.media
        assert (shown["mime"], shown["size_bytes"]) == (media.mime, media.size_bytes)
        if adapter.profile.limits.alt_max:
            assert shown["alt"] == media.alt

    async def test_a_picture_goes_with_the_first_part(self, rig: Rig) -> None:
        needs(rig, Feature.IMAGE)
        adapter = await rig.open()
        long = draft(rig, too_long_for_one(adapter), media=(picture(rig, "A blue square"),))
        await send_all(adapter, adapter.plan(long, now()))
        assert [len(message.media) for message in rig.held()] == [1] + [0] * (len(rig.held()) - 1)

    async def test_a_picture_may_go_to_somebody_in_private(self, rig: Rig) -> None:
        needs(rig, Feature.IMAGE)
        needs_kind(rig, Kind.DIRECT)
        adapter = await rig.open()
        event = await hear(rig, adapter, "ana", Kind.DIRECT, unique("Show me"))
        text = unique("Here it is")
        pictured = answer_to(rig, event, text, media=(picture(rig, "A blue square"),))
        await send_all(adapter, adapter.plan(pictured, now()))
        assert rig.held()[-1].private
        assert text in rig.held()[-1].text

    async def test_the_same_part_twice_is_one_message(self, rig: Rig) -> None:
        adapter = await rig.open()
        if adapter.profile.idempotency is not Idempotency.KEYED:
            pytest.skip(f"{rig.platform.name} has no keys")
        (part,) = adapter.plan(draft(rig, unique("Once")), now())
        first = await adapter.send(part)
        assert (await adapter.send(part)).ref == first.ref
        assert len(rig.held()) == 1

    async def test_the_same_part_after_a_restart_is_one_message(self, rig: Rig) -> None:
        adapter = await rig.open()
        if adapter.profile.idempotency is not Idempotency.KEYED:
            pytest.skip(f"{rig.platform.name} has no keys")
        (part,) = adapter.plan(draft(rig, unique("Once")), now())
        first = await adapter.send(part)
        await adapter.aclose()
        assert (await (await rig.open()).send(part)).ref == first.ref
        assert len(rig.held()) == 1

    async def test_many_sends_at_once_are_each_accepted_once(self, rig: Rig) -> None:
        adapter = await rig.open()
        texts = [unique("One of many") for _ in range(24)]
        plans = [adapter.plan(draft(rig, text), now()) for text in texts]
        receipts = await asyncio.gather(*(send_all(adapter, parts) for parts in plans))
        assert sorted(message.text for message in rig.held()) == sorted(texts)
        assert len({receipt.ref for (receipt,) in receipts}) == len(texts)

    async def test_two_accounts_stay_apart(self, rig: Rig) -> None:
        """Several accounts of one platform live in one process."""
        first, second = await rig.open(), await rig.open("second")
        mine, theirs = unique("From the first"), unique("From the second")
        await asyncio.gather(
            send_all(first, first.plan(draft(rig, mine), now())),
            send_all(second, second.plan(draft(rig, theirs), now())),
        )
        assert [message.text for message in rig.held()] == [mine]
        assert [message.text for message in rig.held("second")] == [theirs]


def _says(adapter: Adapter, held: str, text: str, url: str) -> bool:
    """Whether these words arrived. Where a link may have words of its own, its address may be shown short."""
    before, _, after = text.partition(url)
    shortened = adapter.profile.supports(Feature.LINK_TEXT) and before + "example.org/" in held and held.endswith(after)
    return text in held or shortened

"""What a platform can do besides sending: edit, delete, react, show typing. Asked for where it is claimed."""

from __future__ import annotations

import pytest
from msgspec import structs

from gateway.model.capabilities import Feature
from gateway.model.delivery import FaultKind
from gateway.model.events import Kind
from gateway.ports import Deletes, Edits, Reacts, ShowsTyping
from gateway.testing.conformance.rig import (
    Rig,
    answer_to,
    draft,
    hear,
    needs,
    now,
    picture,
    publish,
    refused,
    send_all,
    unique,
)
from gateway.text.plain import from_text


class Acting:
    async def test_an_edit_changes_the_words(self, rig: Rig) -> None:
        adapter = await rig.open()
        needs(rig, Feature.EDIT)
        assert isinstance(adapter, Edits)
        ref, message = await publish(rig, adapter, unique("Frist"))
        text = unique("First, see https://example.org/")
        receipt = await adapter.edit(ref, from_text(text))
        assert rig.message(message).text == text
        again = unique("Second")
        await adapter.edit(receipt.ref, from_text(again))
        assert rig.held()[-1].text == again
        assert len(rig.held()) == 1

    async def test_the_same_edit_twice_is_a_success(self, rig: Rig) -> None:
        adapter = await rig.open()
        needs(rig, Feature.EDIT)
        assert isinstance(adapter, Edits)
        ref, message = await publish(rig, adapter, unique("Frist"))
        text = unique("First")
        await adapter.edit(ref, from_text(text))
        await adapter.edit(ref, from_text(text))
        assert rig.message(message).text == text

    async def test_an_edit_of_words_alone_sends_no_file_again(self, rig: Rig) -> None:
        adapter = await rig.open()
        needs(rig, Feature.EDIT)
        assert isinstance(adapter, Edits)
        needs(rig, Feature.IMAGE)
        asked = draft(rig, unique("Frist"))
        seen = structs.replace(asked.document, media=(picture(rig, "a square"),))
        (receipt,) = await send_all(adapter, adapter.plan(structs.replace(asked, document=seen), now()))
        before = rig.held()[-1].media[0]["size_bytes"]
        rig.bench.pictures.clear()
        text = unique("First")
        said = structs.replace(from_text(text), media=seen.media)
        for _ in range(2):
            await adapter.edit(receipt.ref, said, words_only=True)
        (held,) = rig.held()
        assert (held.text, [one["size_bytes"] for one in held.media]) == (text, [before])

    async def test_an_edit_of_what_is_gone_says_so(self, rig: Rig) -> None:
        adapter = await rig.open()
        needs(rig, Feature.EDIT)
        assert isinstance(adapter, Edits)
        needs(rig, Feature.DELETE)
        assert isinstance(adapter, Deletes)
        ref, _ = await publish(rig, adapter, unique("Gone soon"))
        await adapter.delete(ref)
        async with refused() as faults:
            await adapter.edit(ref, from_text(unique("Too late")))
        assert faults[0].kind is FaultKind.TARGET_GONE

    async def test_a_delete_takes_it_away(self, rig: Rig) -> None:
        adapter = await rig.open()
        needs(rig, Feature.DELETE)
        assert isinstance(adapter, Deletes)
        ref, message = await publish(rig, adapter, unique("Gone soon"))
        kept, _ = await publish(rig, adapter, unique("Stays"))
        await adapter.delete(ref)
        assert rig.message(message).deleted
        assert len(rig.held()) == 1
        assert kept != ref

    async def test_a_delete_of_what_is_gone_is_a_success(self, rig: Rig) -> None:
        adapter = await rig.open()
        needs(rig, Feature.DELETE)
        assert isinstance(adapter, Deletes)
        ref, _ = await publish(rig, adapter, unique("Gone soon"))
        await adapter.delete(ref)
        await adapter.delete(ref)

    async def test_an_answer_can_be_taken_back(self, rig: Rig) -> None:
        adapter = await rig.open()
        needs(rig, Feature.DELETE)
        assert isinstance(adapter, Deletes)
        event = await hear(rig, adapter, "ana", _public(rig), unique("A question"))
        (receipt,) = await send_all(adapter, adapter.plan(answer_to(rig, event, unique("Wrong")), now()))
        await adapter.delete(receipt.ref)
        assert rig.held() == []

    async def test_a_reaction_is_on_the_message(self, rig: Rig) -> None:
        adapter = await rig.open()
        needs(rig, Feature.REACT)
        assert isinstance(adapter, Reacts)
        text = unique("Good news")
        event = await hear(rig, adapter, "ana", _public(rig), text)
        await adapter.react(event.ref, rig.reaction)
        await adapter.react(event.ref, rig.reaction)
        (said,) = [message for message in rig.everything() if message.text.endswith(text)]
        assert len(said.reactions) == 1

    async def test_typing_shows_and_sends_nothing(self, rig: Rig) -> None:
        adapter = await rig.open()
        needs(rig, Feature.TYPING)
        assert isinstance(adapter, ShowsTyping)
        event = await hear(rig, adapter, "ana", min(rig.kinds), unique("Are you there?"))
        await adapter.show_typing(event.conversation)
        assert rig.held() == []

    @pytest.mark.parametrize("trouble", ["suspend", "outage"])
    async def test_trouble_is_a_fault_here_too(self, rig: Rig, trouble: str) -> None:
        adapter = await rig.open()
        needs(rig, Feature.DELETE)
        assert isinstance(adapter, Deletes)
        ref, message = await publish(rig, adapter, unique("Stays"))
        rig.strike(trouble)
        async with refused():
            await adapter.delete(ref)
        assert not rig.message(message).deleted


def _public(rig: Rig) -> Kind:
    return next((kind for kind in (Kind.GROUP, Kind.MENTION) if kind in rig.kinds), Kind.DIRECT)

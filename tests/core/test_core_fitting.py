"""Media that can't be had: the draft is refused with the reason, and nobody is told an error."""

from __future__ import annotations

from core_rig import Worlds

from gateway.model.content import Document, Media, Text
from gateway.model.delivery import State
from gateway.model.ids import AccountId
from gateway.model.manner import Manner, Misfit

RED, BLUE = AccountId("red/main"), AccountId("blue/main")
INSIDE = Media("", "image/*", 0, "a cat", source="http://127.0.0.1:9/cat.png")
"""An address inside the operator's network."""


async def test_what_cannot_be_fetched_refuses_the_draft(world: Worlds) -> None:
    w = world(RED, BLUE)
    async with w.house() as house:
        _, refused = await house.announcer.announce(Document(((Text("look"),),), (INSIDE,)), key="cat")
        _, sent = await house.announcer.announce(Document(((Text("no picture"),),)))
        await house.quiet()
        assert [(await house.state(one)) for one in refused] == [State.REFUSED] * 2
        assert [(await house.state(one)) for one in sent] == [State.DELIVERED] * 2
        known = [await house.real_store.delivery(one.id) for one in refused]
        assert {one.reason for one in known if one} == {"media: image 'a cat': its address is not public"}
    assert (w.texts(RED), w.texts(BLUE)) == (["no picture"], ["no picture"])


async def test_or_it_is_a_link_and_the_delivery_says_so(world: Worlds) -> None:
    w = world(RED)
    async with w.house(manner=Manner(misfit=Misfit.LINK)) as house:
        _, (one,) = await house.announcer.announce(Document(((Text("look"),),), (INSIDE,)))
        await house.quiet()
        known = await house.real_store.delivery(one.id)
        assert known
        assert known.parts
        assert known.parts[0].notes == ("image 'a cat' is a link: its address is not public",)
    assert w.texts(RED) == ["look", "a cat (http://127.0.0.1:9/cat.png)"]

"""Any document there may be, planned by the real adapters: each network, which counts by itself, takes all of it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
from conformance_rig import SandboxRig, platform_named
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import structs
from some_documents import documents

from adapters.sandbox.control import serve
from gateway.model.content import Block, Paragraph, Text
from gateway.model.delivery import FaultError, FaultKind
from gateway.model.manner import Manner
from gateway.outbox.planner import planned
from gateway.testing.conformance.rig import draft, now, send_all

NAMES = ("bluesky", "discord", "mastodon", "telegram", "x")


@pytest.fixture(params=NAMES)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[SandboxRig]:
    platform = platform_named(request.param)
    made = SandboxRig(platform, await serve(names=[platform.name]))
    yield made
    await made.close()


_numbers = itertools.count(1)


def unlike(paragraph: Paragraph | Block) -> Paragraph | Block:
    """With words that no other one has: some networks refuse what they have read before."""
    if isinstance(paragraph, Block):
        return structs.replace(paragraph, spans=unlike(paragraph.spans))
    return (Text(f"n{next(_numbers)} "), *paragraph)


# One network lives through all examples: it only ever gets more to hold.
@settings(max_examples=20, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data(), numbered=st.booleans(), longer=st.sampled_from([1, 1, 1, 9]))
async def test_every_network_takes_what_is_planned(
    rig: SandboxRig, data: st.DataObject, numbered: bool, longer: int
) -> None:
    document = data.draw(documents(rig.platform.name))
    document = structs.replace(document, paragraphs=tuple(map(unlike, document.paragraphs * longer)))
    adapter = await rig.open()
    said = structs.replace(draft(rig, "x"), document=document, numbered=numbered)
    before = len(rig.held())
    try:
        parts = planned(adapter, said, now(), Manner(parts_max=1_000))
    except FaultError as error:
        why = error.fault.kind
        assume(why is not FaultKind.TOO_LONG)  # a word that is longer than a post
        raise
    receipts = await send_all(adapter, parts)
    assert len(receipts) == len(parts)
    assert len(rig.held()) - before == len(parts)

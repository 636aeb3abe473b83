"""A post that quotes another, read back: X shows the quoted post's address behind the words."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.sandbox.faults import Trouble
from adapters.x import recognize, translate
from adapters.x.adapter import XAdapter
from gateway.clock import SystemClock
from gateway.model.content import Document, Quote, Text
from gateway.model.delivery import Draft, FaultKind, Part, Receipt
from gateway.model.ids import MessageRef
from gateway.ports import Unsure
from tests.contract.x_rig import AT, XRig, drafted, fault_of

SHORT = "https://t.co/qqqqqqqqqq"


def quoting(ref: str, words: str) -> Draft:
    return drafted(Document(((Text(words),),), quote=Quote("x", MessageRef(ref))))


@pytest.fixture
async def adapter(rig: XRig) -> XAdapter:
    rig.face.enterprise = True
    return await rig.open(enterprise=True)


@pytest.mark.parametrize("words", ["so it is", "see https://example.org/a?b=1 & <more>"])
async def test_a_quote_whose_answer_was_lost_is_found(rig: XRig, adapter: XAdapter, words: str) -> None:
    said = rig.face.say("ana", "mention", "news")
    (part,) = adapter.plan(quoting(said.id, words), AT)
    since = SystemClock().now()
    rig.strike(Trouble.DROP_AFTER, on="write", count=1)
    assert (await fault_of(adapter.send(part))).kind is FaultKind.NETWORK
    found = await adapter.reconcile(part, since)
    assert isinstance(found, Receipt)
    assert found.ref == rig.held()[0].id


async def test_the_same_words_about_another_post_are_not_this_part(rig: XRig, adapter: XAdapter) -> None:
    ours, other = (rig.face.say("ana", "mention", words) for words in ("news", "other news"))
    since = SystemClock().now()
    (part,) = adapter.plan(quoting(ours.id, "so it is"), AT)
    (twin,) = adapter.plan(quoting(other.id, "so it is"), AT)
    (plain,) = adapter.plan(drafted(Document(((Text("so it is"),),))), AT)
    await adapter.send(twin)
    assert await adapter.reconcile(part, since) is Unsure.NOT_SENT
    assert await adapter.reconcile(plain, since) is Unsure.NOT_SENT
    assert isinstance(await adapter.reconcile(twin, since), Receipt)


async def test_the_same_words_about_nothing_are_no_quote(rig: XRig, adapter: XAdapter) -> None:
    said = rig.face.say("ana", "mention", "news")
    since = SystemClock().now()
    (plain,) = adapter.plan(drafted(Document(((Text("so it is"),),))), AT)
    (part,) = adapter.plan(quoting(said.id, "so it is"), AT)
    await adapter.send(plain)
    assert await adapter.reconcile(part, since) is Unsure.NOT_SENT


def shown(text: str, leads_to: str, quoted: str | None) -> translate.Post:
    """A post of ours as X tells it."""
    entities = translate.Entities([translate.Address(SHORT, leads_to)])
    references = [translate.Reference("quoted", quoted)] if quoted else []
    return translate.Post("17", text, "2", AT, referenced_tweets=references, entities=entities)


def part(text: str, **more: Any) -> Part:
    return Part(0, "post", "d1.0", {"text": text} | more)


@pytest.mark.parametrize("text", ["so it is", f"so it is {SHORT}"])
def test_the_address_of_our_quoted_post_is_not_asked_for(text: str) -> None:
    post = shown(text, "https://twitter.com/ben/status/9", "9")
    assert recognize.is_part(post, part("so it is", quote="9"), "2")
    assert not recognize.is_part(post, part("so it is", quote="8"), "2")
    assert not recognize.is_part(post, part("so it is"), "2")
    assert not recognize.is_part(post, part("so it was", quote="9"), "2")


def test_another_address_at_the_end_is_asked_for() -> None:
    post = shown(f"so it is {SHORT}", "https://twitter.com/ben/status/8", "9")
    assert not recognize.is_part(post, part("so it is", quote="9"), "2")
    assert recognize.is_part(post, part("so it is https://twitter.com/ben/status/8", quote="9"), "2")


@pytest.mark.parametrize("typed", ["https://x.com/ben/status/9", "x.com/ben/status/9?s=20"])
@pytest.mark.parametrize("quoted", ["9", None])
def test_a_typed_address_of_a_post_may_be_shown_as_a_quote(typed: str, quoted: str | None) -> None:
    """Without an Enterprise plan that is all a quote can be: profile.py."""
    post = shown(f"so it is {SHORT}", "https://" + typed.removeprefix("https://"), quoted)
    assert recognize.is_part(post, part(f"so it is {typed}"), "2")

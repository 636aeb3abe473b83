"""Any document that stands on the five networks becomes any other, again and again, and goes away: what people see then
is what they would see had the last one been announced at once, or what the account's manner says instead; and each
copy's outcome is told as it is.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import structs
from some_documents import documents
from some_media import moving, mp4, noise, wav, written
from town_rig import NETWORKS, Town

from adapters.sandbox.world import Message
from gateway.announcement import Terms
from gateway.model.content import Block, Document, Paragraph, Poll, Quote, Text
from gateway.model.delivery import State
from gateway.model.ids import AccountId, DeliveryId, MessageRef
from gateway.model.manner import Correction
from gateway.revisions import Outcome, Revisions

FILES = (written(noise(64, 48), "PNG"), written(noise(48, 64), "PNG"), moving(), mp4(), wav(), b"%PDF-1.7 and so on")
PATIENCE_S = 60.0
Look = tuple[Any, ...]
_numbers = itertools.count(1)


class Home:
    """A town in which each network has two accounts of ours: one whose posts are edited, one whose posts are fresh."""

    def __init__(self, town: Town, correction: Correction) -> None:
        self.correction = correction
        self._town = town
        self._old: set[str] = set()
        gateway = town.gateway
        self._announcer, self._desk = gateway.announcer, gateway.desk
        self._revisions = Revisions(gateway.services, gateway.intake, gateway.outbox)

    def begin(self) -> None:
        """What is there now is not looked at any more."""
        self._old = {name for face in self._town.sandbox.faces.values() for name in face.network.messages}

    async def kept(self, data: bytes, at: int | None) -> Any:
        source = f"https://a.example/{sha256(data).hexdigest()[:9]}"
        return structs.replace(await self._desk.keep(data, "file"), alt="seen from above", at=at, source=source)

    async def announced(self, document: Document, account: str, terms: Terms) -> dict[str, DeliveryId]:
        accounts = [AccountId(f"{name}/{account}") for name in NETWORKS]
        key = f"announcement {next(_numbers)}"
        _, deliveries = await self._announcer.announce(document, accounts=accounts, key=key, terms=terms)
        await self._town.until_settled()
        found = await self._town.gateway.services.store.copies(deliveries[0].draft.announcement)
        assume(all(one.state is State.DELIVERED for one in found))  # a word may be longer than a post
        return {one.account.partition("/")[0]: one.id for one in deliveries}

    async def changed(self, delivery: DeliveryId, document: Document | None) -> Outcome:
        revisions = self._revisions
        outcomes = await (revisions.edit(delivery, document) if document else revisions.delete(delivery))
        (outcome,) = await revisions.ended(outcomes, PATIENCE_S)
        return outcome

    def shown(self, name: str, handle: str = "agent") -> list[Look]:
        """What people see, without the names and hours that the network gave."""
        held = self._town.sandbox.faces[name].network.held_by(handle)
        held = [message for message in held if message.id not in self._old]
        places = {message.id: place for place, message in enumerate(held)}
        return [(places.get(message.in_reply_to or ""), *_look(message)) for message in held]


def _look(message: Message) -> Look:
    extra, media = message.extra, message.media
    files = [(one["mime"], one["alt"], one["size_bytes"], one.get("spoiler"), one.get("sensitive")) for one in media]
    poll, record = extra.get("poll") or {}, extra.get("record", {})
    answers = [str(one) for one in poll.get("answers") or poll.get("options") or ()]
    veils = [extra.get("spoiler_text"), extra.get("sensitive"), record.get("labels")]
    veils += [one["filename"] for one in extra.get("attachments", ())]
    entities = [record.get("facets"), extra.get("json", {}).get("entities")]
    return (message.text, files, answers, veils, entities)


def as_replies(shown: Sequence[Look], after: int, answered: int) -> list[Look]:
    """How a thread looks below what was there."""
    return [(answered if place is None else place + after, *rest) for place, *rest in shown]


@pytest.fixture(params=list(Correction))
async def home(request: pytest.FixtureRequest, town: Callable[..., Any]) -> AsyncIterator[Home]:
    posting = {"posting": {"correction": str(request.param), "misfit": "link"}}
    async with town(handles=("agent", "fresh"), **dict.fromkeys(NETWORKS, posting)) as t:
        yield Home(t, request.param)


# What is said.

media = st.lists(st.tuples(st.sampled_from(FILES), st.none() | st.integers(0, 4)), max_size=4)
answers = st.lists(st.integers(0, 99).map("answer {}".format), min_size=2, max_size=4, unique=True).map(tuple)
more = st.fixed_dictionaries(
    {
        "poll": st.none() | st.builds(Poll, answers, st.just(7200.0), st.booleans()),
        "quote": st.none() | st.just(Quote("elsewhere", MessageRef("7"), "https://elsewhere.example/7")),
        "warning": st.sampled_from(["", "", "the end of it"]),
        "sensitive": st.booleans(),
    }
)
said = st.tuples(documents("nowhere"), st.sampled_from([1, 1, 4]), media, more)


def unlike(paragraph: Paragraph | Block) -> Paragraph | Block:
    """With words that no other one has: some networks refuse what they have read before."""
    if isinstance(paragraph, Block):
        return structs.replace(paragraph, spans=unlike(paragraph.spans))
    return (Text(f"n{next(_numbers)} "), *paragraph)


async def made(home: Home, version: Any) -> Document:
    document, longer, shown, others = version
    files = tuple([await home.kept(*one) for one in shown])
    paragraphs = tuple(map(unlike, document.paragraphs * longer))
    return structs.replace(document, paragraphs=paragraphs, media=files, **others)


@pytest.mark.timeout(300)
@settings(max_examples=4, deadline=None, suppress_health_check=[*HealthCheck])
@given(versions=st.lists(said, min_size=2, max_size=3), numbered=st.booleans())
async def test_any_document_becomes_any_other(home: Home, versions: list[Any], *, numbered: bool) -> None:
    home.begin()
    first, *others = [await made(home, version) for version in versions]
    terms = Terms(numbered=numbered)
    deliveries = await home.announced(first, "main", terms)
    for version in others:
        fresh = await home.announced(version, "fresh", terms)
        for name, delivery in deliveries.items():
            await _edited(home, name, delivery, version)
            assert (await home.changed(fresh[name], None)).word == "done"
            assert home.shown(name, "fresh") == []
    for name, delivery in deliveries.items():
        assert (await home.changed(delivery, None)).word == "done", name
        assert home.shown(name) == [], name


async def _edited(home: Home, name: str, delivery: DeliveryId, version: Document) -> None:
    before, wanted = home.shown(name), home.shown(name, "fresh")
    outcome = await home.changed(delivery, version)
    now, told = home.shown(name), (name, outcome.word, outcome.reason)
    if outcome.word == "done" and home.correction is Correction.REPLY and now != wanted:
        after = len(before)
        assert now[:after] == before, told
        assert now[after][0] in range(after), told
        assert now[after:] == as_replies(wanted, after, now[after][0]), told
    elif outcome.word == "done":
        assert now == wanted, told
    else:
        assert (outcome.word, home.correction) == ("refused", Correction.LEAVE), told
        assert outcome.reason.startswith("the old text stays: "), told
        assert now == before, told

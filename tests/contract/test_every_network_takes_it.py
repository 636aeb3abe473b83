"""Any document there may be, planned by the real adapters: each network, which counts by itself, takes all of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from hashlib import sha256
from unicodedata import normalize
from urllib.parse import unquote

import pytest
from conformance_rig import SandboxRig, platform_named
from heard import heard
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import structs
from some_documents import documents, glued
from some_media import moving, mp4, noise, wav, written

from adapters.sandbox.control import serve
from gateway.media.probe import probed
from gateway.model.capabilities import Feature
from gateway.model.content import Block, Document, Link, Media, Paragraph, Poll, Quote, Text, plain, spans
from gateway.model.delivery import Draft, FaultError, FaultKind, Part
from gateway.model.ids import AccountId, MessageRef
from gateway.model.manner import Manner, Misfit
from gateway.outbox.planner import planned
from gateway.ports import Adapter, Previews
from gateway.testing.conformance.rig import Held, draft, now, send_all
from gateway.wiring import platforms

NAMES = tuple(platforms())
FILES = (written(noise(64, 48), "PNG"), moving(), mp4(), wav(), b"%PDF-1.7 and so on")
MANNER = Manner(parts_max=1_000, misfit=Misfit.LINK)


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


# What a post may carry besides words.

media = st.lists(st.tuples(st.sampled_from(FILES), st.none() | st.integers(0, 9)), max_size=6)
polls = st.none() | st.builds(
    Poll,
    st.lists(st.integers(0, 99).map("answer {}".format), min_size=1, max_size=13, unique=True).map(tuple),
    st.sampled_from([1.0, 7200.0, 1e9]),
    st.booleans(),
)
quotes = st.none() | st.just(Quote("elsewhere", MessageRef("7"), "https://elsewhere.example/7"))
more = st.fixed_dictionaries(
    {"poll": polls, "quote": quotes, "warning": st.sampled_from(["", "", "the end of it"]), "sensitive": st.booleans()}
)


def kept(rig: SandboxRig, data: bytes, at: int | None) -> Media:
    """Known by what it is, and where the adapter looks for it."""
    found = probed(data)
    measures, digest = found.measures, sha256(found.data).hexdigest()
    rig.bench.pictures[digest] = found.data
    return Media(
        digest, found.mime, len(found.data), "seen from above", measures.width_px, measures.height_px,
        measures.duration_s, measures.animated, at=at, source=f"https://a.example/{digest[:9]}",
    )  # fmt: skip


# What became of it.


def tokens(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", normalize("NFC", text))


def letters(text: str) -> str:
    """Without what is no word: white space and signs, which each network sets by itself."""
    return "".join(tokens(unquote(text)))


def linked(document: Document, address: str = "") -> list[str]:
    """Where its links lead, as far as the network takes such an address for one."""
    urls = [span.url for span in spans(document) if isinstance(span, Link)]
    return [unquote(url) for url in urls if not address or re.fullmatch(address, url)]


def lost(words: Sequence[str], held: Sequence[str]) -> str | None:
    """The first of the words that doesn't come after those before it."""
    rest = iter(held)
    return next((word for word in words if word not in rest), None)


def unnumbered(come: Sequence[Document], *, numbered: bool) -> Iterator[str]:
    """The letters of what was heard, without the number that each part of a thread ends with."""
    for each in come:
        sign = re.search(r"\n\n\d+/\d+\s*$", plain(each)) if numbered and len(come) > 1 else None
        yield letters(plain(each)[: sign.start()] if sign else plain(each))


def within_limits(adapter: Adapter, parts: Sequence[Part]) -> bool:
    assert isinstance(adapter, Previews)
    return all(shown.length <= shown.limit for shown in map(adapter.preview, parts))


# One network lives through all examples: it only ever gets more to hold.
@pytest.mark.timeout(600)  # only where it fails and looks for the shortest way there, or the machine is busy
@settings(max_examples=60, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data(), numbered=st.booleans(), longer=st.sampled_from([1, 1, 1, 9]), alone=st.booleans())
async def test_every_network_takes_what_is_planned(
    rig: SandboxRig, data: st.DataObject, numbered: bool, longer: int, alone: bool
) -> None:
    document = data.draw(documents(rig.platform.name) | glued(rig.platform.name))
    shown = tuple(kept(rig, *one) for one in data.draw(media))
    paragraphs = tuple(map(unlike, document.paragraphs * longer))
    document = structs.replace(document, paragraphs=paragraphs, media=shown, **data.draw(more))
    asked = structs.replace(draft(rig, "x"), document=document, numbered=numbered)
    asked = asked if alone else structs.replace(asked, copies=(asked.account, AccountId("elsewhere/main")))
    adapter = await rig.open()
    parts, held = await posted(rig, adapter, asked)
    assert within_limits(adapter, parts)
    assert len(held) == len(parts) or (len(held) > len(parts) and shown)  # an album is several messages
    assert all(tokens(one.text) or one.media for one in held)
    texts = tokens(" ".join(one.text for one in held))
    come = [heard(rig.face, one) for one in held]
    assert letters(plain(document)) in "".join(unnumbered(come, numbered=numbered))
    # A poll's question is plain text wherever it is one's own.
    assert document.poll or not lost(
        linked(document, rig.platform.profile.address), [url for one in come for url in linked(one)]
    )
    links = sum("' is a link: " in note for note in parts[0].notes)
    assert sum(len(one.media) for one in held) + links == len(shown)
    told = " ".join(texts)
    if document.warning and not rig.platform.profile.supports(Feature.WARNING):
        assert "CW the end of it" in told
    if document.poll and any("written as a list" in note for note in parts[0].notes):
        assert not lost(tokens(" ".join(document.poll.options)), texts)


async def posted(rig: SandboxRig, adapter: Adapter, asked: Draft) -> tuple[tuple[Part, ...], Sequence[Held]]:
    before = len(rig.held())
    try:
        parts = planned(adapter, asked, asked.account, now(), MANNER)
    except FaultError as error:
        why = error.fault.kind
        assume(why is not FaultKind.TOO_LONG)  # a word that is longer than a post
        raise
    assert len(await send_all(adapter, parts)) == len(parts)
    return parts, rig.held()[before:]

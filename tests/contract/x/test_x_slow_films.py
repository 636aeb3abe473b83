"""Films that X works through for longer than one attempt: handed in once, and asked about until they are ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
from msgspec import structs

from adapters.sandbox.faults import Trouble
from adapters.x import pictures
from adapters.x.adapter import XAdapter
from gateway.model.content import Document, Media
from gateway.model.delivery import FaultError, FaultKind, Part
from gateway.model.ids import AccountId
from gateway.model.manner import Manner
from gateway.testing.kit import ManualClock, settle
from gateway.text.carried import carried
from tests.contract.x_rig import AT, XRig, draft, drafted, fault_of

T = TypeVar("T")
FILM = Media("vv", "video/mp4", 1_200_000, "a cat jumps", duration_s=10.0)
LONGER_THAN_ONE_ATTEMPT = pictures.STATUS_ASKS_MAX + 5


@pytest.fixture
async def adapter(rig: XRig) -> XAdapter:
    rig.bench.pictures["vv"] = bytes(1_200_000)
    return await rig.open(clock=ManualClock())


def film(adapter: XAdapter, words: str = "look") -> Part:
    (part,) = adapter.plan(draft(words, media=(FILM,)), AT)
    return part


async def through(rig: XRig, work: Awaitable[T]) -> T:
    """What comes of it; time passes whenever somebody waits for it to."""
    clock, task = clock_of(rig), asyncio.ensure_future(work)
    async with asyncio.timeout(30):
        while not task.done():
            await (clock.advance(10.0) if clock.sleepers else asyncio.sleep(0.001))
    return await task


def clock_of(rig: XRig) -> ManualClock:
    assert isinstance(rig.bench.context.clock, ManualClock)
    return rig.bench.context.clock


async def pending(rig: XRig, adapter: XAdapter, part: Part) -> None:
    """A first attempt, which X outlasts."""
    rig.face.uploads.slow_polls = LONGER_THAN_ONE_ATTEMPT
    fault = await through(rig, fault_of(adapter.send(part)))
    assert (fault.kind, fault.certain) == (FaultKind.MEDIA_PENDING, True)


async def test_a_film_that_takes_longer_than_one_attempt_is_handed_in_once(rig: XRig, adapter: XAdapter) -> None:
    part = film(adapter)
    await pending(rig, adapter, part)
    await through(rig, adapter.send(part))
    assert [(m.text, m.media[0]["alt"]) for m in rig.held()] == [("look", "a cat jumps")]
    assert rig.face.uploads.begun == 1


async def test_an_attempt_that_was_cut_off_is_gone_on_with(rig: XRig, adapter: XAdapter) -> None:
    part = film(adapter)
    rig.face.uploads.slow_polls = 3
    task = asyncio.create_task(adapter.send(part))
    async with asyncio.timeout(30):
        while not clock_of(rig).sleepers:
            await asyncio.sleep(0.001)
    task.cancel()
    await settle()
    await through(rig, adapter.send(part))
    assert (len(rig.held()), rig.face.uploads.begun) == (1, 1)


@pytest.mark.parametrize("trouble", [Trouble.RATE_LIMIT, Trouble.FAIL_BEFORE])
async def test_a_question_that_fails_is_asked_again(rig: XRig, adapter: XAdapter, trouble: Trouble) -> None:
    part = film(adapter)
    rig.face.uploads.slow_polls = 3
    rig.strike(trouble, on="read", action="media", count=1)
    fault = await through(rig, fault_of(adapter.send(part)))
    assert fault.certain
    assert (fault.kind is FaultKind.RATE_LIMITED) == (trouble is Trouble.RATE_LIMIT)
    await through(rig, adapter.send(part))
    assert (len(rig.held()), rig.face.uploads.begun) == (1, 1)


@pytest.mark.parametrize("trouble", [Trouble.RATE_LIMIT, Trouble.DROP_BEFORE])
async def test_a_post_that_fails_keeps_its_film(rig: XRig, adapter: XAdapter, trouble: Trouble) -> None:
    part = film(adapter)
    rig.strike(trouble, on="write", action="post", count=1)
    await through(rig, fault_of(adapter.send(part)))
    paid = rig.strike(Trouble.FAIL_BEFORE, on="write", action="media", count=1)
    await through(rig, adapter.send(part))
    assert paid in rig.face.faults.rules()
    assert (len(rig.held()), rig.face.uploads.begun) == (1, 1)


@pytest.mark.parametrize("ready", [False, True])
async def test_a_film_that_x_no_longer_knows_is_handed_in_anew(rig: XRig, adapter: XAdapter, ready: bool) -> None:
    part = film(adapter)
    if ready:
        rig.strike(Trouble.RATE_LIMIT, on="write", action="post", count=1)
        await through(rig, fault_of(adapter.send(part)))
    else:
        await pending(rig, adapter, part)
    rig.face.uploads.forget()
    rig.face.uploads.slow_polls = 0
    assert (await through(rig, fault_of(adapter.send(part)))).kind is FaultKind.MEDIA_PENDING
    await through(rig, adapter.send(part))
    assert (len(rig.held()), rig.face.uploads.begun) == (1, 2)


async def test_a_film_that_fails_in_the_end_is_not_handed_in_anew(rig: XRig, adapter: XAdapter) -> None:
    part = film(adapter)
    await pending(rig, adapter, part)
    rig.face.uploads.spoil()
    assert (await through(rig, fault_of(adapter.send(part)))).kind is FaultKind.MEDIA
    assert rig.face.uploads.begun == 1


async def test_after_a_day_a_film_is_handed_in_anew(rig: XRig, adapter: XAdapter) -> None:
    part = film(adapter)
    await pending(rig, adapter, part)
    rig.face.uploads.forget()
    rig.face.uploads.slow_polls = 0
    await clock_of(rig).advance(pictures.KEPT_S)
    await through(rig, adapter.send(part))
    assert (len(rig.held()), rig.face.uploads.begun) == (1, 2)


async def test_a_film_that_is_described_otherwise_since_is_handed_in_anew(rig: XRig, adapter: XAdapter) -> None:
    await pending(rig, adapter, film(adapter))
    rig.face.uploads.slow_polls = 0
    (part,) = adapter.plan(draft("look", media=(structs.replace(FILM, alt="a dog jumps"),)), AT)
    await through(rig, adapter.send(part))
    assert (rig.held()[0].media[0]["alt"], rig.face.uploads.begun) == ("a dog jumps", 2)


async def test_what_is_out_is_forgotten_and_so_is_what_is_too_much(
    rig: XRig, adapter: XAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "KEPT_MAX", 1)
    one, two = film(adapter, "one"), structs.replace(film(adapter, "two"), key="d2.0")
    for part in (one, two):
        await pending(rig, adapter, part)
    await through(rig, adapter.send(two))
    assert rig.face.uploads.begun == 2
    rig.face.uploads.slow_polls = 0
    await through(rig, adapter.send(one))
    assert rig.face.uploads.begun == 3
    await through(rig, adapter.send(structs.replace(one, body=one.body | {"text": "once more"})))
    assert rig.face.uploads.begun == 4


@pytest.mark.parametrize(
    ("settings", "longest_s"),
    [({}, 140.0), ({"video_max_s": 1200.0}, 1200.0), ({"video_max_s": 7500.0, "enterprise": True}, 7500.0)],
)
async def test_a_film_is_as_long_as_its_account_may_have_it(
    rig: XRig, settings: dict[str, Any], longest_s: float
) -> None:
    adapter = await rig.open(**settings)
    said = drafted(Document(media=(structs.replace(FILM, duration_s=longest_s),)))
    assert carried(said, AccountId("x/main"), adapter.profile, Manner())[1] == ()
    longer = drafted(Document(media=(structs.replace(FILM, duration_s=longest_s + 1),)))
    with pytest.raises(FaultError, match="are the most"):
        carried(longer, AccountId("x/main"), adapter.profile, Manner())


async def test_a_film_that_is_refused_whatever_its_age_is_handed_in_anew_once(rig: XRig, adapter: XAdapter) -> None:
    """What X refuses an account (here its length) it refuses in the same words as what it forgot."""
    part = film(adapter)
    rig.strike(Trouble.REFUSE, on="write", action="post", code="video_too_long")
    for kind in (FaultKind.MEDIA_PENDING, FaultKind.MEDIA):
        await pending(rig, adapter, part)
        assert (await through(rig, fault_of(adapter.send(part)))).kind is kind
    assert (rig.held(), rig.face.uploads.begun) == ([], 2)


async def test_what_was_handed_in_anew_and_is_out_may_be_once_more(rig: XRig, adapter: XAdapter) -> None:
    for part in (film(adapter, "one"), film(adapter, "two")):
        await pending(rig, adapter, part)
        rig.face.uploads.forget()
        rig.face.uploads.slow_polls = 0
        assert (await through(rig, fault_of(adapter.send(part)))).kind is FaultKind.MEDIA_PENDING
        await through(rig, adapter.send(part))
    assert (len(rig.held()), rig.face.uploads.begun) == (2, 4)

"""Albums that come in with python-telegram-bot itself: their pictures are updates of their own, on any page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from conformance_rig import SandboxRig
from telegram_rig import adapter_at, face_of, telegram_rig

from adapters.telegram.adapter import ALBUM_PAUSE_S, ALBUM_PAUSES, PAGE, TelegramAdapter
from gateway.clock import SystemClock
from gateway.model.events import MessageReceived, PlatformEvent
from gateway.testing.conformance.rig import stream

__all__ = ["telegram_rig"]  # the fixture "rig"


class Pauses(SystemClock):
    """Every pause is over at once, after what happens meanwhile."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.meanwhile: Callable[[], object] | None = None

    async def sleep(self, delay_s: float) -> None:
        self.taken.append(delay_s)
        if self.meanwhile is not None:
            self.meanwhile()
        await asyncio.sleep(0)


@asynccontextmanager
async def listening(rig: SandboxRig, clock: Pauses) -> AsyncIterator[TelegramAdapter]:
    (token,) = rig.secrets
    async with adapter_at(face_of(rig).url, clock=clock, token=token) as adapter:
        yield adapter


async def begun(adapter: TelegramAdapter) -> str:
    arrivals = stream(adapter, None)
    _, cursor = await anext(arrivals)
    await arrivals.aclose()
    return cursor


async def heard(adapter: TelegramAdapter, cursor: str) -> tuple[Sequence[PlatformEvent], str]:
    """The first arrival after a cursor, as somebody hears it who is started anew."""
    arrivals = stream(adapter, cursor)
    found = await anext(arrivals)
    await arrivals.aclose()
    return found


def told(events: Sequence[PlatformEvent]) -> list[tuple[str, int]]:
    return [(event.text, len(event.attachments)) for event in events if isinstance(event, MessageReceived)]


def show(rig: SandboxRig, text: str = "", album: str = "7") -> None:
    face_of(rig).say("ana", "group", text, image=True, fields={"media_group_id": album})


async def test_what_comes_while_it_is_waited_for_belongs_to_the_album(rig: SandboxRig) -> None:
    clock = Pauses()
    async with listening(rig, clock) as adapter:
        cursor = await begun(adapter)
        show(rig, "All of them")
        rest = iter([show, show])
        clock.meanwhile = lambda: next(rest, lambda _: None)(rig)
        events, _ = await heard(adapter, cursor)
    assert told(events) == [("All of them", 3)]
    assert clock.taken == [ALBUM_PAUSE_S] * 3, "the last pause brought nothing more"


async def test_a_crash_while_an_album_is_waited_for_loses_nothing(rig: SandboxRig) -> None:
    clock = Pauses()
    async with listening(rig, clock) as adapter:
        cursor = await begun(adapter)
        face_of(rig).say("ana", "group", "Before")
        show(rig, "Two")
        arrivals = stream(adapter, cursor)

        def crash() -> None:
            raise RuntimeError("the machine stops")

        clock.meanwhile = crash
        with pytest.raises(RuntimeError):
            await anext(arrivals)
        clock.meanwhile = None
        show(rig)
    async with listening(rig, clock) as adapter:
        events, _ = await heard(adapter, cursor)
    assert told(events) == [("Before", 0), ("Two", 2)]


async def test_an_album_that_a_page_cuts_is_one_message_of_the_next(rig: SandboxRig) -> None:
    clock = Pauses()
    async with listening(rig, clock) as adapter:
        cursor = await begun(adapter)
        for number in range(PAGE - 1):
            face_of(rig).say("ana", "group", f"Word {number}")
        for text in ("Cut in two", "", ""):
            show(rig, text)
        first, behind = await heard(adapter, cursor)
        second, _ = await heard(adapter, behind)
    assert (len(first), told(second)) == (PAGE - 1, [("Cut in two", 3)])


async def test_words_of_others_between_the_pictures_part_nothing(rig: SandboxRig) -> None:
    clock = Pauses()
    async with listening(rig, clock) as adapter:
        cursor = await begun(adapter)
        show(rig, "Mine")
        face_of(rig).say("ben", "group", "Nice")
        show(rig)
        show(rig, "Another", album="8")
        events, _ = await heard(adapter, cursor)
    assert told(events) == [("Mine", 2), ("Nice", 0), ("Another", 1)]


async def test_albums_without_end_are_not_waited_for(rig: SandboxRig) -> None:
    clock = Pauses()
    async with listening(rig, clock) as adapter:
        cursor = await begun(adapter)
        show(rig, "Endless")
        clock.meanwhile = lambda: show(rig)
        events, behind = await heard(adapter, cursor)
        clock.meanwhile = None
        show(rig, "More of it")
        later, _ = await heard(adapter, behind)
    assert told(events) == [("Endless", 1 + ALBUM_PAUSES)]
    assert told(later) == [("More of it", 1)]

"""More direct messages than are read in one go: X gives them newest first, and the older ones come after."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from gateway.testing.conformance.rig import Listener
from tests.contract.x_rig import XRig

MANY = 1_150
"""Of 500 that are read in one go."""


async def beginning(adapter: Any) -> str:
    async with Listener(adapter) as listener:
        await listener.started()
    assert listener.cursor is not None
    return listener.cursor


def numbers(listener: Listener) -> list[int]:
    return [int(event.text.split()[-1]) for event in listener.messages("number")]


async def test_what_is_read_later_is_not_lost(rig: XRig) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    for number in range(MANY):
        rig.face.say("ana", "direct", f"number {number}")
    async with Listener(adapter, cursor) as listener:
        await listener.until(lambda: len(numbers(listener)) >= MANY)
        rig.face.say("ana", "direct", f"number {MANY}")
        await listener.until(lambda: MANY in numbers(listener))
    assert sorted(numbers(listener)) == list(range(MANY + 1))


async def test_a_restart_goes_on_where_reading_stood(rig: XRig) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    for number in range(MANY):
        rig.face.say("ana", "direct", f"number {number}")
    async with Listener(adapter, cursor) as first:
        await first.until(lambda: bool(numbers(first)))
    read = numbers(first)
    assert len(read) == 500
    assert read == sorted(read)
    for number in range(MANY, MANY + 20):
        rig.face.say("ana", "direct", f"number {number}")
    async with Listener(await rig.open(), first.cursor) as again:
        await again.until(lambda: {*read, *numbers(again)} == {*range(MANY + 20)})


async def test_a_page_that_is_not_there_any_more_silences_nobody(rig: XRig, caplog: pytest.LogCaptureFixture) -> None:
    adapter = await rig.open()
    cursor = msgspec.json.decode(await beginning(adapter))
    forgotten = msgspec.json.encode(cursor | {"older": "long-ago", "floor": "1"}).decode()
    async with Listener(adapter, forgotten) as listener:
        await listener.until(lambda: listener.cursor != forgotten)
        rig.face.say("ana", "direct", "number 1")
        await listener.until(lambda: numbers(listener) == [1])
    assert [one.levelno for one in caplog.records if "lost" in one.message] == [logging.WARNING]


@pytest.mark.parametrize("cursor", ['{"mention": "a"}', '{"mention": "1", "direct": "b"}'])
async def test_a_cursor_that_is_no_place_begins_anew(rig: XRig, cursor: str) -> None:
    async with Listener(await rig.open(), cursor) as listener:
        await listener.until(lambda: listener.cursor != cursor)

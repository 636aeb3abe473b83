"""However many posts with media there are, few of their bytes are in memory at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from media_rig import house, profile
from msgspec import structs
from some_media import noise, written

from gateway.media.room import Room
from gateway.model.content import Document, Media


def showing(*sizes: int) -> Document:
    return Document((), tuple(Media("00", "video/mp4", size) for size in sizes))


class Load:
    """Posts that hold their media for some turns of the loop, and the most that they held together."""

    def __init__(self, most_bytes: int) -> None:
        self.room = Room(most_bytes)
        self.now = self.peak = 0
        self.done: list[int] = []

    async def post(self, *sizes: int) -> None:
        async with self.room.of(showing(*sizes)):
            self.now += sum(sizes)
            self.peak = max(self.peak, self.now)
            for _ in range(3):
                await asyncio.sleep(0)
            self.now -= sum(sizes)
            self.done.append(sum(sizes))


async def test_many_at_once_take_turns() -> None:
    load = Load(1000)
    await asyncio.gather(*(load.post(n % 7 * 50, 100) for n in range(200)))
    assert load.peak <= 1000
    assert len(load.done) == 200


async def test_who_is_larger_than_the_room_is_alone_and_passed_by_nobody() -> None:
    load = Load(100)
    await asyncio.gather(load.post(60), load.post(500), load.post(40), load.post(60))
    assert load.peak == 500
    assert load.done == [60, 500, 40, 60]


async def test_words_wait_for_nobody() -> None:
    room = Room(1)
    async with room.of(showing(5)), room.of(showing()):
        pass


async def test_who_gives_up_leaves_no_gap() -> None:
    room = Room(10)

    async def forever(size: int) -> None:
        async with room.of(showing(size)):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(forever(size)) for size in (10, 8, 6, 4)]
    for count in range(4):
        await asyncio.sleep(0)
        tasks[count].cancel()
        if count + 1 < 4:
            tasks[count + 1].cancel()  # granted or still waiting, in the same turn
    await asyncio.gather(*tasks, return_exceptions=True)
    async with room.of(showing(10)):
        pass


class Counted:
    """A store that counts the bytes which were read and not yet written as what was made of them."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.held = self.peak = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def media(self, sha256: str) -> bytes:
        data: bytes = await self._store.media(sha256)
        self.held += 1
        self.peak = max(self.peak, self.held)
        return data

    async def put_media(self, data: bytes, mime: str) -> str:
        sha256: str = await self._store.put_media(data, mime)
        self.held -= 1
        return sha256


async def test_many_pictures_are_made_anew_in_turns(tmp_path: Path) -> None:
    async with house(tmp_path) as (pictures, _):
        kept = await pictures.keep(written(noise(60, 60), "PNG"))
        counted = Counted(pictures._store)
        pictures._store = counted  # type: ignore[assignment]  # as good as one
        posts = [Document((), (structs.replace(kept, alt=str(n)),) * 4) for n in range(10)]
        found = await asyncio.gather(*(pictures.fit(post, profile(4_000)) for post in posts))
        assert all(one.size_bytes <= 4_000 and not one.misfit for post in found for one in post.media)
        assert (counted.peak, counted.held) == (2, 0)

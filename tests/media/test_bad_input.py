"""All that is wrong with media in one list: each is refused in words that say why, before anything is sent, and in
little memory.
"""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from media_rig import Handler, Town, a_town, house, profile
from some_media import noise, written

from gateway.media.probe import PICTURE_MAX_BYTES
from gateway.media.web import REDIRECTS_MAX
from gateway.model.delivery import Draft, FaultError, FaultKind, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DraftId
from gateway.model.manner import USUAL
from gateway.text.carried import carried
from gateway.text.markdown import from_markdown

PNG = written(noise(200, 100), "PNG")
TOO_LARGE = f"it has more than {PICTURE_MAX_BYTES} bytes"
NOTHING = "it is no picture, film, sound or file of a known kind"
MEMORY_MAX_BYTES = 4 * PICTURE_MAX_BYTES
"""Of what is read, what it is put together of, and what a picture's bytes become."""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(side_px: int) -> bytes:
    """A PNG of a few kilobytes that unfolds to gigabytes."""
    head = struct.pack(">2I5B", side_px, side_px, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(4_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def streaming(beginning: bytes, size_bytes: int | None) -> Handler:
    """So many bytes, or bytes without end."""

    async def answer(request: web.Request) -> web.StreamResponse:
        length = {} if size_bytes is None else {"Content-Length": str(size_bytes)}
        answer = web.StreamResponse(headers={"Content-Type": "image/gif", **length})
        await answer.prepare(request)
        await answer.write(beginning)
        left = (size_bytes or 1 << 40) - len(beginning)
        while left > 0:
            await answer.write(bytes(min(left, 1 << 16)))
            left -= 1 << 16
        return answer

    return answer


def leading_inside(town: Town) -> str:
    return town.moved("/inside.png", town.base.replace("127.0.0.1", "localhost") + "/secret.png")


BAD: dict[str, tuple[Callable[[Town], str], str]] = {
    "broken": (lambda town: town.serves("/a.png", PNG[: len(PNG) // 2]), "it is broken: it can't be decoded"),
    "a bomb": (lambda town: town.serves("/a.png", bomb(50_000)), "it has 50000 x 50000 pixels"),
    "a GIF of 100 MB": (lambda town: town.does("/a.gif", streaming(b"GIF89a", 100_000_000)), TOO_LARGE),
    "an endless picture": (lambda town: town.does("/a.png", streaming(b"\xff\xd8\xff\xe0", None)), TOO_LARGE),
    "endless words": (lambda town: town.does("/a.png", streaming(b"words" * 200, None)), NOTHING),
    "a page": (lambda town: town.serves("/a.png", b"<!DOCTYPE html><html>" + b"<p>" * 999, "image/png"), NOTHING),
    "moving on": (lambda town: town.moved("/a.png", "/a.png"), f"it was moved more than {REDIRECTS_MAX} times"),
    "leading inside": (leading_inside, "its address is not public"),
}


@pytest.mark.parametrize(("serve", "why"), BAD.values(), ids=BAD)
async def test_it_is_refused_and_says_why(serve: Callable[[Town], str], why: str, tmp_path: Path) -> None:
    account = AccountId("alpha/main")
    async with a_town() as town, house(tmp_path) as (pictures, _):
        said = from_markdown(f"Look:\n\n![a cat]({serve(town)})\n\nThat is all.")
        tracemalloc.start()
        try:
            fitted = await pictures.fit(said, profile())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert "/secret.png" not in town.paths
    assert fitted.paragraphs == said.paragraphs
    at = datetime(2026, 11, 26, tzinfo=UTC)
    with pytest.raises(FaultError, match=why) as refused:
        carried(Draft(DraftId("d"), DEFAULT_WORKSPACE, account, Timeline(), fitted, at, "k"), account, profile(), USUAL)
    assert (refused.value.fault.kind, refused.value.fault.certain) == (FaultKind.MEDIA, True)
    assert peak < MEMORY_MAX_BYTES

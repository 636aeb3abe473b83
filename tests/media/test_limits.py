"""What a network would refuse of media is refused here, before anything is sent, by what their bytes say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from media_rig import house
from PIL import Image
from some_media import mp4, written
from x_films import gif

from gateway.model.content import Document, Text
from gateway.model.delivery import Draft, FaultError, FaultKind, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DraftId
from gateway.model.manner import USUAL
from gateway.text.carried import carried
from gateway.wiring import platforms

WIDE_GIF = written(Image.new("P", (961, 960)), "GIF", save_all=True, append_images=[Image.new("P", (961, 960), 1)])
CASES = [
    ("x", gif(frames=351), "351 frames, 350 are the most"),
    ("x", WIDE_GIF, None),
    ("x", mp4(seconds=5.0, frames=300), None),
    ("x", mp4(seconds=5.0, frames=305), "61 frames a second, 60 are the most"),
    ("x", mp4(seconds=140.0), None),
    ("x", mp4(seconds=141.0), "2 min 20 s are the most"),
    ("mastodon", gif(frames=351), None),
    ("mastodon", WIDE_GIF, "961 x 960 pixels"),
    ("mastodon", mp4(seconds=5.0, frames=600), None),
    ("mastodon", mp4(seconds=5.0, frames=605), "121 frames a second, 120 are the most"),
    ("mastodon", mp4(3840, 2161), "3840 x 2161 pixels"),
    ("bluesky", mp4(seconds=180.0), None),
    ("bluesky", mp4(seconds=181.0), "3 min are the most"),
    ("discord", mp4() + bytes(10_485_760), "10485760 are the most"),
    ("telegram", mp4() + bytes(50_000_000), "50000000 are the most"),
]


@pytest.mark.parametrize(("platform", "data", "why"), CASES, ids=range(len(CASES)))
async def test_a_limit_is_met_before_anything_is_sent(
    platform: str, data: bytes, why: str | None, tmp_path: Path
) -> None:
    profile, account = platforms()[platform].profile, AccountId(f"{platform}/main")
    async with house(tmp_path) as (pictures, _):
        said = await pictures.fit(Document(((Text("Look"),),), (await pictures.keep(data, "it"),)), profile)
        draft = Draft(
            DraftId("d"), DEFAULT_WORKSPACE, account, Timeline(), said, datetime(2026, 11, 26, tzinfo=UTC), "k"
        )
        if why is None:
            assert carried(draft, account, profile, USUAL)[0].document.media == said.media
            return
        with pytest.raises(FaultError, match=why) as refused:
            carried(draft, account, profile, USUAL)
    assert (refused.value.fault.kind, refused.value.fault.certain) == (FaultKind.MEDIA, True)

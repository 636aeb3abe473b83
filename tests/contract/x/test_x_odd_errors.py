"""Error bodies of odd shapes, through the real tweepy: what is wrong is known by the status all the same."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.model.content import Media
from gateway.model.delivery import FaultKind
from tests.contract.x_rig import XRig, draft, fault_of, sent

KINDS = {
    401: (FaultKind.SIGNED_OUT, True),
    403: (FaultKind.FORBIDDEN, True),
    429: (FaultKind.RATE_LIMITED, True),
    503: (FaultKind.SERVER, False),
}
SHAPES = [
    '{"error": "Rate limit exceeded"}',
    '{"error": "no", "errors": [{"message": "words"}]}',
    '{"error": "no", "errors": "x"}',
    '{"error": "no", "errors": [1, null, "x"]}',
    '{"error": {"code": 1}, "errors": null}',
    '{"error": null}',
    '{"errors": {"code": 88}}',
]
PICTURE = Media("aa", "image/png", 3)


@pytest.mark.parametrize("status", KINDS)
@pytest.mark.parametrize("body", SHAPES)
async def test_an_error_in_an_odd_shape_is_known_by_its_status(
    rig: XRig, stub: tuple[str, dict[str, Any]], status: int, body: str
) -> None:
    url, answers = stub
    answers.update(status=status, text=body, content_type="application/json")
    adapter = await rig.open(server=url, without=("refresh_token",))
    fault = await fault_of(sent(adapter, draft("hello")))
    assert (fault.kind, fault.certain) == KINDS[status]


@pytest.mark.parametrize("body", SHAPES)
async def test_media_that_come_too_fast_are_no_refusal(rig: XRig, stub: tuple[str, dict[str, Any]], body: str) -> None:
    rig.bench.pictures["aa"] = b"png"
    url, answers = stub
    answers.update(status=429, text=body, content_type="application/json")
    adapter = await rig.open(server=url)
    fault = await fault_of(sent(adapter, draft("look", media=(PICTURE,))))
    assert (fault.kind, fault.certain) == (FaultKind.RATE_LIMITED, True)

"""Error bodies of odd shapes, through the real tweepy: what is wrong is known by the status all the same."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.x.translate import User
from gateway.model.content import Media
from gateway.model.delivery import FaultKind
from gateway.ports import Unsure
from gateway.testing.conformance.rig import Listener
from tests.contract.x_rig import AT, XRig, draft, fault_of, sent

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


NO_TEXT = [
    (b'{"data":{"id":"1\xff"}}', 201, FaultKind.UNKNOWN, False),
    (b'{"detail":"\xff"}', 403, FaultKind.FORBIDDEN, True),
    (b'{"detail":"\xff"}', 503, FaultKind.SERVER, False),
]


@pytest.mark.parametrize(("body", "status", "kind", "certain"), NO_TEXT)
async def test_an_answer_that_is_no_text_is_a_fault(
    rig: XRig, stub: tuple[str, dict[str, Any]], body: bytes, status: int, kind: FaultKind, certain: bool
) -> None:
    url, answers = stub
    answers.update(status=status, body=body, content_type="application/json")
    adapter = await rig.open(server=url, without=("refresh_token",))
    fault = await fault_of(sent(adapter, draft("hello")))
    assert (fault.kind, fault.certain) == (kind, certain)
    assert "UnicodeDecodeError" not in fault.evidence


async def test_an_item_that_is_no_text_is_skipped_and_proves_nothing(
    rig: XRig, stub: tuple[str, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    url, answers = stub
    first = b'{"id":"5","text":"\xff","author_id":"7","created_at":"2026-11-22T12:00:00Z"}'
    whole = b'{"id":"6","text":"hi","author_id":"7","created_at":"2026-11-22T12:00:00Z"}'
    answers.update(body=b'{"data":[%b,%b]}' % (whole, first), content_type="application/json")
    adapter = await rig.open(server=url)
    adapter._me = User("100", "agent")
    async with Listener(adapter, '{"mention":"1","direct":"9"}') as listener:
        await listener.message("hi")
    (part,) = adapter.plan(draft("hello"), AT)
    assert await adapter.reconcile(part, AT) is Unsure.UNKNOWN
    assert len(listener.events) == 1
    assert "malformed event" in caplog.text

"""gateway/outbox/planner.py: how many posts an account may use, and what becomes of a longer text."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from gateway.model.content import Media, Poll, plain
from gateway.model.delivery import Draft, FaultError, FaultKind, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DraftId
from gateway.model.manner import USUAL, Manner, TooLong
from gateway.outbox.planner import Planner, planned
from gateway.testing.kit import ManualClock
from gateway.testing.scripted import ScriptedAdapter, ScriptedPlatform, scripted_profile
from gateway.text.plain import from_text

NOW = datetime(2026, 11, 26, tzinfo=UTC)
RED = AccountId("red/main")
WHOLE = "https://a.example/whole"


@pytest.fixture
def adapter():
    """Each paragraph is a post; a post has room for 40 characters."""
    return ScriptedAdapter(RED, ScriptedPlatform(ManualClock()), scripted_profile(text_max=40))


def draft(text, **changes):
    return Draft(DraftId("d"), DEFAULT_WORKSPACE, RED, Timeline(), from_text(text), NOW, "k", **changes)


FIVE = "\n\n".join(f"Paragraph {n}." for n in range(5))


def texts(parts):
    return [part.body["text"] for part in parts]


def test_what_an_account_may_use_is_used(adapter):
    parts = planned(adapter, draft(FIVE), NOW, Manner(parts_max=5))
    assert texts(parts) == FIVE.split("\n\n")
    assert not any(part.notes for part in parts)


def test_more_is_refused_with_the_reason(adapter):
    for manner, url in ((Manner(parts_max=4), WHOLE), (Manner(parts_max=4, too_long=TooLong.LEAD), "")):
        with pytest.raises(FaultError) as info:
            planned(adapter, draft(FIVE, canonical_url=url), NOW, manner)
        assert info.value.fault.kind is FaultKind.TOO_LONG
        assert info.value.fault.certain
        assert info.value.fault.evidence == "it takes 5 posts, and this account posts 4 at most"


def test_or_is_a_lead_with_a_link_to_the_whole(adapter):
    manner = Manner(parts_max=3, too_long=TooLong.LEAD)
    parts = planned(adapter, draft(FIVE, canonical_url=WHOLE), NOW, manner)
    assert texts(parts) == ["Paragraph 0.", "Paragraph 1.", f"… {WHOLE}"]
    assert parts[0].notes == (
        "only its beginning, with a link to the rest: it takes 5 posts, and this account posts 3 at most",
    )


def test_a_lead_that_has_no_room_is_refused(adapter):
    with pytest.raises(FaultError, match="it takes 5 posts"):
        planned(adapter, draft(FIVE, canonical_url=WHOLE + "x" * 40), NOW, Manner(parts_max=1, too_long=TooLong.LEAD))


def test_what_is_not_as_it_was_meant_is_noted_on_the_first_part(adapter):
    said = draft("One.\n\nTwo.")
    said = structs.replace(said, document=structs.replace(said.document, poll=Poll(("yes", "no"))))
    first, *others = planned(adapter, said, NOW, USUAL)
    assert len(first.notes) == 1
    assert not any(part.notes for part in others)
    assert texts([first, *others])[-2:] == ["• yes", "• no"]


def test_the_account_has_the_last_word_on_numbers(adapter):
    asked = []

    def plan(said, _):
        asked.append(said.numbered)
        return ()

    adapter.plan = plan
    planned(adapter, draft("x"), NOW, USUAL)
    planned(adapter, draft("x", numbered=True), NOW, USUAL)
    planned(adapter, draft("x"), NOW, Manner(numbered=True))
    assert asked == [False, True, True]


def test_a_planner_tells_why_in_a_line(adapter):
    planner = Planner(RED, adapter, ManualClock())
    assert planner.parts(draft("x" * 41)) == "too_long: 41 characters"
    said = draft("x")
    said = structs.replace(said, document=structs.replace(said.document, media=(Media("0", "image/png", 1, "a cat"),)))
    assert planner.parts(said) == "media: image 'a cat': the platform takes none"
    adapter.plan = lambda *_: ()
    assert planner.parts(draft("x")) == "invalid: nothing of it can be said here"
    adapter.plan = lambda *_: 1 // 0
    assert planner.parts(draft("x")) == "unknown: planning failed with ZeroDivisionError"


def test_no_two_plans_have_the_same_hour(adapter):
    planner = Planner(RED, adapter, ManualClock())
    keys = {part.key for _ in range(3) for part in planner.parts(draft("x"))}
    assert len(keys) == 3
    assert all(plain(part.rest) == "x" for part in planner.parts(draft("x")))

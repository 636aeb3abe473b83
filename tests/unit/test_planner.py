"""gateway/outbox/planner.py: how many posts an account may use, and what becomes of a longer text."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from gateway.model.content import Media, Poll, plain
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DraftId
from gateway.model.manner import USUAL, Manner, Misfit, TooLong
from gateway.outbox.planner import Planner, planned
from gateway.testing.kit import ManualClock
from gateway.testing.scripted import ScriptedAdapter, ScriptedPlatform, scripted_profile
from gateway.text.carried import NO_CALL
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
    parts = planned(adapter, draft(FIVE), RED, NOW, Manner(parts_max=5))
    assert texts(parts) == FIVE.split("\n\n")
    assert not any(part.notes for part in parts)


def test_more_is_refused_with_the_reason(adapter):
    for manner, url in ((Manner(parts_max=4), WHOLE), (Manner(parts_max=4, too_long=TooLong.LEAD), "")):
        with pytest.raises(FaultError) as info:
            planned(adapter, draft(FIVE, canonical_url=url), RED, NOW, manner)
        assert info.value.fault.kind is FaultKind.TOO_LONG
        assert info.value.fault.certain
        assert info.value.fault.evidence == "it takes 5 posts, and this account posts 4 at most"


def test_or_is_a_lead_with_a_link_to_the_whole(adapter):
    manner = Manner(parts_max=3, too_long=TooLong.LEAD)
    parts = planned(adapter, draft(FIVE, canonical_url=WHOLE), RED, NOW, manner)
    assert texts(parts) == ["Paragraph 0.", "Paragraph 1.", f"… {WHOLE}"]
    assert parts[0].notes == (
        "only its beginning, with a link to the rest: it takes 5 posts, and this account posts 3 at most",
    )


def test_a_lead_that_has_no_room_is_refused(adapter):
    with pytest.raises(FaultError, match="it takes 5 posts"):
        planned(
            adapter, draft(FIVE, canonical_url=WHOLE + "x" * 40), RED, NOW, Manner(parts_max=1, too_long=TooLong.LEAD)
        )


def test_what_is_not_as_it_was_meant_is_noted_on_the_first_part(adapter):
    said = draft("One.\n\nTwo.")
    said = structs.replace(said, document=structs.replace(said.document, poll=Poll(("yes", "no"))))
    first, *others = planned(adapter, said, RED, NOW, USUAL)
    assert len(first.notes) == 1
    assert not any(part.notes for part in others)
    assert texts([first, *others])[-2:] == ["• yes", "• no"]


PICTURES = tuple(Media("00", "image/png", 1, f"cat {n}", source=f"https://a.example/{n}.png") for n in range(5))


def illustrated(*media):
    said = draft("x")
    return structs.replace(said, document=structs.replace(said.document, media=media))


@pytest.fixture
def showing():
    """A post has room for two pictures, and the first post has those of the first two paragraphs."""
    profile = scripted_profile(text_max=40)
    limits = structs.replace(profile.limits, images_max=2, image_size_bytes=9, image_mimes=("image/png",))
    profile = structs.replace(profile, limits=limits)
    adapter = ScriptedAdapter(RED, ScriptedPlatform(ManualClock()), profile)
    plan = adapter.plan

    def planned_pictures(said, at):
        here = [one for one in said.document.media if (one.at or 0) < 2]
        if len(here) > 2:
            raise FaultError(Fault(FaultKind.MEDIA, True, f"{len(here)} pictures in one post: 2 are the most"))
        return plan(said, at)

    adapter.plan = planned_pictures
    return adapter


def test_more_than_a_post_shows_together_is_refused_or_linked(showing):
    said = illustrated(*PICTURES[:3], *(structs.replace(one, at=2) for one in PICTURES[3:]))
    with pytest.raises(FaultError, match="3 pictures in one post: 2 are the most"):
        planned(showing, said, RED, NOW, USUAL)
    (first, last) = planned(showing, said, RED, NOW, Manner(misfit=Misfit.LINK))
    assert last.body["text"] == "cat 2 (https://a.example/2.png)"
    assert first.notes == ("image 'cat 2' is a link: 3 pictures in one post: 2 are the most",)


def test_the_words_of_a_link_that_is_added_call_nobody(showing):
    """They are read after all others: only the plan tells what doesn't fit together."""
    said = illustrated(*PICTURES[:2], structs.replace(PICTURES[2], alt="photo by @ana"))
    said = structs.replace(said, copies=(RED, AccountId("blue/main")))
    first, last = planned(showing, said, RED, NOW, Manner(misfit=Misfit.LINK))
    assert last.body["text"] == f"photo by @{NO_CALL}ana (https://a.example/2.png)"
    assert first.notes == (
        "image 'photo by @ana' is a link: 3 pictures in one post: 2 are the most",
        "a plain @name calls nobody: it was not written for this network alone",
    )
    told = structs.replace(said, document=structs.replace(said.document, paragraphs=from_text("@ben").paragraphs))
    notes = planned(showing, told, RED, NOW, Manner(misfit=Misfit.LINK))[0].notes
    assert len(notes) == len(set(notes)) == 2
    own = planned(showing, structs.replace(said, copies=()), RED, NOW, Manner(misfit=Misfit.LINK))
    assert own[-1].body["text"] == "photo by @ana (https://a.example/2.png)"


def test_what_can_be_linked_nowhere_is_refused(showing):
    said = illustrated(*(structs.replace(one, source="") for one in PICTURES))
    with pytest.raises(FaultError, match="image 'cat 2': 3 pictures"):
        planned(showing, said, RED, NOW, Manner(misfit=Misfit.LINK))


def test_the_account_has_the_last_word_on_numbers(adapter):
    asked = []

    def plan(said, _):
        asked.append(said.numbered)
        return ()

    adapter.plan = plan
    planned(adapter, draft("x"), RED, NOW, USUAL)
    planned(adapter, draft("x", numbered=True), RED, NOW, USUAL)
    planned(adapter, draft("x"), RED, NOW, Manner(numbered=True))
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

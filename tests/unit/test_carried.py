"""gateway/text/carried.py: what a platform lacks is said in words, left out with a note, or refused."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from gateway.model.capabilities import Feature, Idempotency, Limits, MediaLimits, Profile, Support
from gateway.model.content import Block, BlockKind, Document, Link, Mark, Media, Poll, Quote, Text, marked, plain
from gateway.model.delivery import Draft, FaultError, FaultKind, InConversation, Repliers, Timeline, Visibility
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, MessageRef
from gateway.model.manner import USUAL, Manner, Misfit
from gateway.model.media import MediaKind
from gateway.text.carried import carried

NOW = datetime(2026, 11, 26, tzinfo=UTC)
LIMITS = Limits(
    500, "characters", 500, 4, 1_000, ("image/png", "image/jpeg"), 100,
    others={MediaKind.VIDEO: MediaLimits(5_000, ("video/mp4",), duration_max_s=60.0)},
    poll_options_max=4, poll_option_length=25,
)  # fmt: skip
WORDS = ((Text("hello "), Link("https://a.example/")),)
PICTURE = Media("00", "image/png", 10, alt="a cat", source="https://a.example/cat.png")
POLL = Poll(("yes", "no"))


def profile(limits=LIMITS, **support):
    return Profile({Feature(name): level for name, level in support.items()}, limits, (), Idempotency.NONE)


def draft(target=None, visibility=Visibility.USUAL, repliers=Repliers.EVERYONE, **content):
    return Draft(
        DraftId("d"), DEFAULT_WORKSPACE, AccountId("red/main"), target or Timeline(), Document(WORDS, **content), NOW,
        "k", visibility=visibility, repliers=repliers,
    )  # fmt: skip


EVERYTHING = {
    "media": (PICTURE,), "poll": POLL, "warning": "cats", "sensitive": True,
    "quote": Quote("red", MessageRef("7"), "https://red.example/7"),
}  # fmt: skip


def test_what_is_claimed_is_left_alone():
    full = dict.fromkeys(
        ("poll", "warning", "sensitive", "quote", "repliers", "followers", "unlisted"), Support.PARTIAL
    )
    said = draft(visibility=Visibility.UNLISTED, repliers=Repliers.NOBODY, **EVERYTHING)
    assert carried(said, profile(**full), USUAL) == (said, ())
    assert carried(draft(), profile(), USUAL) == (draft(), ())


def test_what_is_rejected_refuses_the_draft():
    for name, content in (("poll", {"poll": POLL}), ("warning", {"warning": "x"})):
        with pytest.raises(FaultError) as info:
            carried(draft(**content), profile(**{name: Support.REJECTED}), USUAL)
        assert info.value.fault.kind is FaultKind.INVALID
        assert info.value.fault.certain
        assert "is not possible here" in info.value.fault.evidence


def test_what_is_dropped_is_noted():
    for name, content in (("poll", {"poll": POLL}), ("warning", {"warning": "x"})):
        said, notes = carried(draft(**content), profile(**{name: Support.DROPPED}), USUAL)
        assert said == draft()
        assert len(notes) == 1
        assert "is left out" in notes[0]


# In words.


def test_a_poll_is_a_list():
    said, notes = carried(draft(poll=POLL), profile(), USUAL)
    assert plain(said.document) == "hello https://a.example/\n\n• yes\n• no"
    assert notes == ("the poll is written as a list: the platform has none",)


@pytest.mark.parametrize(
    ("poll", "why"),
    [
        (Poll(("a", "b", "c", "d", "e")), "5 answers, 4 are the most"),
        (Poll(("yes", "n" * 26)), "an answer of 26 characters, 25 are the most"),
    ],
)
def test_a_poll_that_the_platform_would_refuse_is_a_list_too(poll, why):
    said, notes = carried(draft(poll=poll), profile(poll=Support.FULL), USUAL)
    assert said.document.poll is None
    assert plain(said.document).endswith(poll.options[-1])
    assert notes == (f"the poll is written as a list: {why}",)


@pytest.mark.parametrize(("asked_s", "open_for_s"), [(60.0, 300.0), (3600.0, 3600.0), (1e9, 86_400.0)])
def test_a_poll_is_open_for_as_long_as_the_platform_lets_it_be(asked_s, open_for_s):
    limits = structs.replace(LIMITS, poll_shortest_s=300.0, poll_longest_s=86_400.0)
    asked = draft(poll=structs.replace(POLL, open_for_s=asked_s))
    said, notes = carried(asked, profile(limits, poll=Support.FULL), USUAL)
    assert said.document.poll.open_for_s == open_for_s
    assert len(notes) == (asked_s != open_for_s)


def test_a_quote_is_a_link_but_on_its_own_platform():
    elsewhere = Quote("blue", MessageRef("7"), "https://blue.example/7")
    for quote in (elsewhere, Quote("red", None, "https://blue.example/7")):
        said, notes = carried(draft(quote=quote), profile(quote=Support.FULL), USUAL)
        assert said.document.paragraphs == (*WORDS, (Link("https://blue.example/7"),))
        assert notes == ("the quoted post is a link",)
    said, notes = carried(draft(quote=Quote("blue", MessageRef("7"))), profile(), USUAL)
    assert said.document.quote is None
    assert said.document.paragraphs == WORDS
    assert "left out" in notes[0]


def test_a_warning_stands_before_the_words_and_hides_them_where_that_is_possible():
    said, notes = carried(draft(warning="cats", media=(PICTURE,)), profile(sensitive=Support.FULL), USUAL)
    assert plain(said.document).startswith("CW: cats\n\nhello")
    assert (said.document.warning, said.document.sensitive) == ("", True)
    assert notes == ("the content warning stands before the words",)
    item = Block((Text("an item"),), BlockKind.ITEM)
    hidden = structs.replace(draft(warning="cats"), document=Document((*WORDS, item), warning="cats"))
    said, notes = carried(hidden, profile(spoiler=Support.FULL), USUAL)
    opening, first, second = said.document.paragraphs
    assert opening == (Text("CW: cats"),)
    assert first == (marked("hello ", Mark.SPOILER), Link("https://a.example/"))
    assert second == structs.replace(item, spans=(marked("an item", Mark.SPOILER),))
    assert notes == ("the content warning stands before the words, which are hidden",)


def test_hidden_media_are_shown_with_a_note_where_nothing_hides_them():
    said, notes = carried(draft(sensitive=True, media=(PICTURE,)), profile(), USUAL)
    assert said.document.media == (PICTURE,)
    assert not said.document.sensitive
    assert notes == ("hiding of media is left out: the platform has none",)
    assert carried(draft(sensitive=True), profile(), USUAL) == (draft(), ())


# Who sees it.


def test_what_is_for_followers_is_never_shown_to_all():
    said = draft(visibility=Visibility.FOLLOWERS)
    with pytest.raises(FaultError):
        carried(said, profile(), USUAL)
    assert carried(said, profile(followers=Support.FULL), USUAL) == (said, ())
    there = draft(InConversation(ConversationId("c")), Visibility.FOLLOWERS)
    assert carried(there, profile(), USUAL)[0] == there


def test_unlisted_and_repliers_are_dropped_with_a_note():
    said, notes = carried(draft(visibility=Visibility.UNLISTED, repliers=Repliers.NOBODY), profile(), USUAL)
    assert (said.visibility, said.repliers) == (Visibility.USUAL, Repliers.EVERYONE)
    assert len(notes) == 2


# Media.

FILM = Media("11", "video/mp4", 10, "a film", duration_s=30.0, source="https://a.example/film.mp4")
SOUND = Media("22", "audio/ogg", 10, "a song", name="song.ogg", source="https://a.example/song.ogg")
MISFITS = [
    (structs.replace(PICTURE, mime="image/webp"), "image/webp is not taken"),
    (structs.replace(PICTURE, size_bytes=1_001), "1001 bytes, 1000 are the most"),
    (structs.replace(FILM, duration_s=61.0), "61 s, 60 s are the most"),
    (SOUND, "the platform takes none"),
]


def test_media_that_fit_are_left_alone():
    assert carried(draft(media=(PICTURE, FILM)), profile(), USUAL) == (draft(media=(PICTURE, FILM)), ())


@pytest.mark.parametrize(("misfit", "why"), MISFITS)
def test_media_that_do_not_fit_are_refused_or_linked(misfit, why):
    with pytest.raises(FaultError) as info:
        carried(draft(media=(PICTURE, misfit)), profile(), USUAL)
    assert info.value.fault.kind is FaultKind.MEDIA
    assert why in info.value.fault.evidence
    said, notes = carried(draft(media=(PICTURE, misfit)), profile(), Manner(misfit=Misfit.LINK))
    assert said.document.media == (PICTURE,)
    assert said.document.paragraphs == (*WORDS, (Link(misfit.source, misfit.alt),))
    assert why in notes[0]
    with pytest.raises(FaultError):
        carried(draft(media=(structs.replace(misfit, source=""),)), profile(), Manner(misfit=Misfit.LINK))


def test_too_many_are_refused_or_linked():
    five = (PICTURE,) * 5
    with pytest.raises(FaultError, match="a post takes 4 of them"):
        carried(draft(media=five), profile(), USUAL)
    said, notes = carried(draft(media=five), profile(), Manner(misfit=Misfit.LINK))
    assert len(said.document.media) == 4
    assert len(notes) == 1


def test_media_of_a_thread_are_counted_by_its_posts():
    anchored = tuple(structs.replace(PICTURE, at=n) for n in range(5))
    assert carried(draft(media=anchored), profile(), USUAL)[0].document.media == anchored


def test_descriptions_are_required_where_the_account_wants_them():
    silent = structs.replace(PICTURE, alt=" ")
    with pytest.raises(FaultError, match="image 2 has no alt text"):
        carried(draft(media=(PICTURE, silent)), profile(), Manner(alt_required=True))
    assert carried(draft(media=(PICTURE,)), profile(), Manner(alt_required=True))[1] == ()
    sound = structs.replace(SOUND, alt="")
    limits = structs.replace(LIMITS, others={MediaKind.AUDIO: MediaLimits(100)})
    assert carried(draft(media=(sound,)), profile(limits), Manner(alt_required=True))[1] == ()


def test_a_spoiler_that_is_open_is_noted():
    said = draft()
    said = structs.replace(said, document=Document(((marked("it was her", Mark.SPOILER),),)))
    assert carried(said, profile(), USUAL) == (said, ("a spoiler is open: the platform hides no words",))
    assert carried(said, profile(spoiler=Support.FULL), USUAL) == (said, ())

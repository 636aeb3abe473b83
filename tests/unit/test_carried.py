"""gateway/text/carried.py: what a platform lacks is said in words, left out with a note, or refused."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.model.capabilities import Feature, Idempotency, Limits, MediaLimits, Profile, Support
from gateway.model.content import (
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Media,
    Mention,
    Poll,
    Quote,
    Text,
    marked,
    plain,
)
from gateway.model.delivery import Draft, FaultError, FaultKind, InConversation, Repliers, Timeline, Visibility
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, MessageRef
from gateway.model.manner import USUAL, Manner, Misfit
from gateway.model.media import MediaKind
from gateway.text.carried import NO_CALL, carried

NOW = datetime(2026, 11, 26, tzinfo=UTC)
LIMITS = Limits(
    500, "characters", 500, 4, 1_000, ("image/png", "image/jpeg"), 100,
    others={
        MediaKind.VIDEO: MediaLimits(5_000, ("video/mp4",), duration_max_s=60.0, frames_per_s_max=60),
        MediaKind.GIF: MediaLimits(5_000, ("image/gif",), frames_max=350, frames_pixels_max=30_000),
    },
    poll_options_min=2, poll_options_max=4, poll_option_length=25,
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


def said_by(draft, profile, manner):
    return carried(draft, AccountId("red/main"), profile, manner)


def test_what_is_claimed_is_left_alone():
    full = dict.fromkeys(
        ("poll", "warning", "sensitive", "quote", "repliers", "followers", "unlisted"), Support.PARTIAL
    )
    said = draft(visibility=Visibility.UNLISTED, repliers=Repliers.NOBODY, **EVERYTHING)
    assert said_by(said, profile(**full), USUAL) == (said, ())
    assert said_by(draft(), profile(), USUAL) == (draft(), ())


def test_what_is_rejected_refuses_the_draft():
    for name, content in (("poll", {"poll": POLL}), ("warning", {"warning": "x"})):
        with pytest.raises(FaultError) as info:
            said_by(draft(**content), profile(**{name: Support.REJECTED}), USUAL)
        assert info.value.fault.kind is FaultKind.INVALID
        assert info.value.fault.certain
        assert "is not possible here" in info.value.fault.evidence


def test_what_is_dropped_is_noted():
    for name, content in (("poll", {"poll": POLL}), ("warning", {"warning": "x"})):
        said, notes = said_by(draft(**content), profile(**{name: Support.DROPPED}), USUAL)
        assert said == draft()
        assert len(notes) == 1
        assert "is left out" in notes[0]


# In words.


def test_a_poll_is_a_list():
    said, notes = said_by(draft(poll=POLL), profile(), USUAL)
    assert plain(said.document) == "hello https://a.example/\n\n• yes\n• no"
    assert notes == ("the poll is written as a list: the platform has none",)


@pytest.mark.parametrize(
    ("poll", "why"),
    [
        (Poll(("a", "b", "c", "d", "e")), "5 answers, 4 are the most"),
        (Poll(("yes", "n" * 26)), "an answer of 26 characters, 25 are the most"),
        (Poll(("yes",)), "1 answers, 2 are the least"),
    ],
)
def test_a_poll_that_the_platform_would_refuse_is_a_list_too(poll, why):
    said, notes = said_by(draft(poll=poll), profile(poll=Support.FULL), USUAL)
    assert said.document.poll is None
    assert plain(said.document).endswith(poll.options[-1])
    assert notes == (f"the poll is written as a list: {why}",)


@pytest.mark.parametrize("support", [Support.FULL, Support.FALLBACK, Support.DROPPED])
@pytest.mark.parametrize("options", [(), ("",), ("yes", ""), ("yes", " \n")])
def test_a_poll_has_answers_wherever_it_is_asked(options, support):
    with pytest.raises(FaultError, match="a poll needs answers") as refused:
        said_by(draft(poll=Poll(options)), profile(poll=support), USUAL)
    assert (refused.value.fault.kind, refused.value.fault.certain) == (FaultKind.INVALID, True)


@pytest.mark.parametrize(("asked_s", "open_for_s"), [(60.0, 300.0), (3600.0, 3600.0), (1e9, 86_400.0)])
def test_a_poll_is_open_for_as_long_as_the_platform_lets_it_be(asked_s, open_for_s):
    limits = structs.replace(LIMITS, poll_shortest_s=300.0, poll_longest_s=86_400.0)
    asked = draft(poll=structs.replace(POLL, open_for_s=asked_s))
    said, notes = said_by(asked, profile(limits, poll=Support.FULL), USUAL)
    assert said.document.poll.open_for_s == open_for_s
    assert len(notes) == (asked_s != open_for_s)


def test_a_poll_without_company_or_a_choice_of_many():
    limits = structs.replace(LIMITS, poll_multiple=False, poll_alone=True)
    full = profile(limits, poll=Support.FULL)
    said, notes = said_by(draft(poll=structs.replace(POLL, multiple=True)), full, USUAL)
    assert said == draft(poll=POLL)
    assert notes == ("the poll takes one answer from each: the platform has no other",)
    said, notes = said_by(draft(poll=POLL, media=(PICTURE,)), full, USUAL)
    assert (said.document.poll, said.document.media) == (None, (PICTURE,))
    assert notes == ("the poll is written as a list: a post with a poll has no media",)


def test_a_quote_is_a_link_but_on_its_own_platform():
    elsewhere = Quote("blue", MessageRef("7"), "https://blue.example/7")
    for quote in (elsewhere, Quote("red", None, "https://blue.example/7")):
        said, notes = said_by(draft(quote=quote), profile(quote=Support.FULL), USUAL)
        assert said.document.paragraphs == (*WORDS, (Link("https://blue.example/7"),))
        assert notes == ("the quoted post is a link",)
    diverted, _ = carried(draft(quote=EVERYTHING["quote"]), AccountId("blue/main"), profile(quote=Support.FULL), USUAL)
    assert diverted.document.quote is None
    said, notes = said_by(draft(quote=Quote("blue", MessageRef("7"))), profile(), USUAL)
    assert said.document.quote is None
    assert said.document.paragraphs == WORDS
    assert "left out" in notes[0]


def test_a_warning_stands_before_the_words_and_hides_them_where_that_is_possible():
    said, notes = said_by(draft(warning="cats", media=(PICTURE,)), profile(sensitive=Support.FULL), USUAL)
    assert plain(said.document).startswith("CW: cats\n\nhello")
    assert (said.document.warning, said.document.sensitive) == ("", True)
    assert notes == ("the content warning stands before the words",)
    item = Block((Text("an item"),), BlockKind.ITEM)
    hidden = structs.replace(draft(warning="cats"), document=Document((*WORDS, item), warning="cats"))
    said, notes = said_by(hidden, profile(spoiler=Support.FULL), USUAL)
    opening, first, second = said.document.paragraphs
    assert opening == (Text("CW: cats"),)
    assert first == (marked("hello ", Mark.SPOILER), Link("https://a.example/", marks=(Mark.SPOILER,)))
    assert second == structs.replace(item, spans=(marked("an item", Mark.SPOILER),))
    assert notes == ("the content warning stands before the words, which are hidden",)


def test_code_under_a_warning_is_hidden_like_any_words():
    """Not everywhere does a spoiler cover what is set as code."""
    inline = (Text("call "), marked("this()", Mark.CODE))
    code = Block((Text("a = 1\n\n\n  b = 2\n"),), BlockKind.CODE, quote=1, language="py")
    hidden = structs.replace(draft(warning="cats"), document=Document((inline, code), warning="cats"))
    said, _ = said_by(hidden, profile(spoiler=Support.FULL, format=Support.FULL), USUAL)
    assert said.document.paragraphs[1:] == (
        (marked("call ", Mark.SPOILER), marked("this()", Mark.SPOILER)),
        Block((marked("a = 1\n  b = 2", Mark.SPOILER),), quote=1),
    )
    shown, _ = said_by(structs.replace(hidden, document=Document((inline, code))), profile(spoiler=Support.FULL), USUAL)
    assert shown.document.paragraphs == (inline, code)


def test_media_stay_with_their_paragraph_behind_a_warning():
    pictures = (PICTURE, structs.replace(PICTURE, at=1))
    document = Document((*WORDS, (Text("the cat"),)), pictures, warning="cats")
    said, _ = said_by(structs.replace(draft(), document=document), profile(sensitive=Support.FULL), USUAL)
    assert [one.at for one in said.document.media] == [None, 2]
    assert said.document.paragraphs[2] == (Text("the cat"),)


def test_hidden_media_are_shown_with_a_note_where_nothing_hides_them():
    said, notes = said_by(draft(sensitive=True, media=(PICTURE,)), profile(), USUAL)
    assert said.document.media == (PICTURE,)
    assert not said.document.sensitive
    assert notes == ("hiding of media is left out: the platform has none",)
    assert said_by(draft(sensitive=True), profile(), USUAL) == (draft(), ())


# Who sees it.


def test_what_is_for_followers_is_never_shown_to_all():
    said = draft(visibility=Visibility.FOLLOWERS)
    with pytest.raises(FaultError):
        said_by(said, profile(), USUAL)
    assert said_by(said, profile(followers=Support.FULL), USUAL) == (said, ())
    there = draft(InConversation(ConversationId("c")), Visibility.FOLLOWERS)
    assert said_by(there, profile(), USUAL)[0] == there


def test_unlisted_and_repliers_are_dropped_with_a_note():
    said, notes = said_by(draft(visibility=Visibility.UNLISTED, repliers=Repliers.NOBODY), profile(), USUAL)
    assert (said.visibility, said.repliers) == (Visibility.USUAL, Repliers.EVERYONE)
    assert len(notes) == 2


# Media.

FILM = Media("11", "video/mp4", 10, "a film", duration_s=30.0, source="https://a.example/film.mp4")
MOVING = structs.replace(FILM, mime="image/gif", animated=True, duration_s=9.0, frames=300, width_px=20, height_px=5)
SOUND = Media("22", "audio/ogg", 10, "a song", name="song.ogg", source="https://a.example/song.ogg")
MISFITS = [
    (structs.replace(PICTURE, mime="image/webp"), "image/webp is not taken"),
    (structs.replace(PICTURE, size_bytes=1_001), "1001 bytes, 1000 are the most"),
    (structs.replace(FILM, duration_s=61.0), "1 min 1 s, 1 min are the most"),
    (SOUND, "the platform takes none"),
    (structs.replace(FILM, duration_s=2.0, frames=122), "61 frames a second, 60 are the most"),
    (structs.replace(MOVING, frames=351), "351 frames, 350 are the most"),
    (structs.replace(MOVING, frames=301), "301 frames of 100 pixels, 30000 in all are the most"),
    (structs.replace(PICTURE, sha256="", misfit="its address is not public"), "its address is not public"),
]


def test_media_that_fit_are_left_alone():
    film = structs.replace(FILM, duration_s=2.0, frames=121)
    for fitting in (FILM, film, MOVING):
        assert said_by(draft(media=(PICTURE, fitting)), profile(), USUAL) == (draft(media=(PICTURE, fitting)), ())


@pytest.mark.parametrize(("misfit", "why"), MISFITS)
def test_media_that_do_not_fit_are_refused_or_linked(misfit, why):
    with pytest.raises(FaultError) as info:
        said_by(draft(media=(PICTURE, misfit)), profile(), USUAL)
    assert info.value.fault.kind is FaultKind.MEDIA
    assert why in info.value.fault.evidence
    said, notes = said_by(draft(media=(PICTURE, misfit)), profile(), Manner(misfit=Misfit.LINK))
    assert said.document.media == (PICTURE,)
    assert said.document.paragraphs == (*WORDS, (Link(misfit.source, misfit.alt),))
    assert why in notes[0]
    with pytest.raises(FaultError):
        said_by(draft(media=(structs.replace(misfit, source=""),)), profile(), Manner(misfit=Misfit.LINK))


def test_the_same_twice_is_two_links():
    said, notes = said_by(draft(media=(SOUND, PICTURE, SOUND)), profile(), Manner(misfit=Misfit.LINK))
    assert said.document.media == (PICTURE,)
    assert len(said.document.paragraphs) == len(WORDS) + 2
    assert len(notes) == 2


def test_descriptions_are_required_where_the_account_wants_them():
    silent = structs.replace(PICTURE, alt=" ")
    with pytest.raises(FaultError, match="image 2 has no alt text"):
        said_by(draft(media=(PICTURE, silent)), profile(), Manner(alt_required=True))
    assert said_by(draft(media=(PICTURE,)), profile(), Manner(alt_required=True))[1] == ()
    sound = structs.replace(SOUND, alt="")
    limits = structs.replace(LIMITS, others={MediaKind.AUDIO: MediaLimits(100)})
    assert said_by(draft(media=(sound,)), profile(limits), Manner(alt_required=True))[1] == ()


def test_a_spoiler_that_is_open_is_noted():
    said = draft()
    said = structs.replace(said, document=Document(((marked("it was her", Mark.SPOILER),),)))
    assert said_by(said, profile(), USUAL) == (said, ("a spoiler is open: the platform hides no words",))
    assert said_by(said, profile(spoiler=Support.FULL), USUAL) == (said, ())


# Strangers.

NOTE = "a plain @name calls nobody: it was not written for this network alone"
COPIES = (AccountId("red/main"), AccountId("blue/main"))


def calling(*paragraphs, copies=COPIES):
    return structs.replace(draft(), document=Document(paragraphs), copies=copies)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thanks @ana", "thanks @|ana"),
        (".@ana and (@ben), é@cy @@dan \uff20eve", ".@|ana and (@|ben), é@|cy @@|dan \uff20|eve"),
        ("@ana@a.example", "@|ana@a.example"),
        ("ana@a.example", "ana@a.example"),
        ("a.example/@ana and b.a.example/x?y=@ana", "a.example/@ana and b.a.example/x?y=@ana"),
        ("1/@ana and 1.5/@ana", "1/@|ana and 1.5/@|ana"),
        ("5 @ 3", "5 @ 3"),
    ],
)
def test_a_plain_name_that_was_written_for_several_networks_calls_nobody(text, expected):
    said, notes = said_by(calling((Text(text),)), profile(), USUAL)
    told = plain(said.document)
    assert told.replace(NO_CALL, "|") == expected
    assert notes == ((NOTE,) if told != text else ())


def test_nor_does_one_in_parts_or_in_the_words_of_a_link():
    parts = (Text("@"), marked("ana", Mark.BOLD), Text(" "), Link("https://a.example/", "@ben"))
    said, _ = said_by(calling(parts), profile(), USUAL)
    assert plain(said.document).replace(NO_CALL, "|") == "@|ana @|ben (https://a.example/)"


def test_what_was_written_for_one_network_stays_as_it_is():
    names = (Text("@ana"),)
    for copies in ((), ("red/main",), ("red/main", "red/other")):
        assert said_by(calling(names, copies=copies), profile(), USUAL) == (calling(names, copies=copies), ())
    quiet = structs.replace(profile(), calls_by_text=False)
    assert said_by(calling(names), quiet, USUAL) == (calling(names), ())
    called = (Mention("red", "1", "ana"),)
    assert said_by(calling(called), profile(), USUAL) == (calling(called), ())
    diverted, _ = carried(calling(names, copies=()), AccountId("blue/main"), profile(), USUAL)
    assert plain(diverted.document) == f"@{NO_CALL}ana"


def test_code_that_is_shown_as_such_can_be_copied():
    code = ((marked("@once", Mark.CODE),), Block((Text("@once\ndef f(): ..."),), BlockKind.CODE))
    assert said_by(calling(*code), profile(format=Support.FULL), USUAL)[0] == calling(*code)
    told = plain(said_by(calling(*code), profile(), USUAL)[0].document)
    assert told == f"@{NO_CALL}once\n\n@{NO_CALL}once\ndef f(): ..."


def test_words_that_are_put_in_call_nobody():
    said, _ = said_by(
        structs.replace(draft(poll=Poll(("@ana", "no")), warning="@ben"), copies=COPIES), profile(), USUAL
    )
    assert plain(said.document).replace(NO_CALL, "|") == "CW: @|ben\n\nhello https://a.example/\n\n• @|ana\n• no"


NAMES = re.compile(r"(?:^|[^a-zA-Z0-9_!#$%&*@\uff20])[@\uff20][a-zA-Z0-9_]|(?<![=/\w])@[a-z0-9_]|(?<!\w)@\w", re.ASCII)
"""What X, Mastodon and Telegram take for a name."""


@given(st.lists(st.text("@\uff20aé_ .(", max_size=9).map(Text), max_size=4).map(tuple))
def test_no_text_calls_anybody_and_none_is_broken_twice(words):
    said = said_by(calling(words), profile(), USUAL)[0]
    told = plain(said.document)
    assert told.replace(NO_CALL, "") == plain(Document((words,)))
    assert not NAMES.search(told)
    assert said_by(said, profile(), USUAL) == (said, ())

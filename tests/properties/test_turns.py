"""gateway/text/split.py on text that is written from right to left, or turns within a line."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.model.content import Document, Link, Mention, Text, plain
from gateway.text.plain import from_text
from gateway.text.split import split
from gateway.text.turns import Turns

WORDS = ["שלום", "עולם.", "مرحبا", "بالعالم؟", "Latin", "v2.4", "12:30", "50%", "(", ")", "word.", "\u200e", "\u200f"]
TURNS = ["\u2066", "\u2067", "\u2068", "\u2069", "\u202a", "\u202b", "\u202c", "\u202e"]
MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
LIMITS = st.integers(24, 80)

spans = st.lists(st.sampled_from([*WORDS, *TURNS, *WORDS, " ", " ", "\n"]), min_size=1, max_size=40).map(
    lambda found: Text(f" {' '.join(found)} ")
)
others = st.sampled_from([Link("https://a.example/b"), Link("https://a.example/ש"), Mention("net", "1", "ana")])
paragraphs = st.lists(st.tuples(spans, others), min_size=1, max_size=4).map(lambda found: sum(found, ()))
documents = st.lists(paragraphs, min_size=1, max_size=3).map(tuple).map(Document)


def cut(document, limit):
    try:
        return split(document, lambda part: len(plain(part)) <= limit)
    except ValueError:  # an address that is longer than a part, with what turns it
        assume(False)


def open_lines(text):
    """How many lines leave something open."""
    return sum(bool(Turns(line).opening(len(line))) for line in text.split("\n"))


def direction_of_each(text):
    """Every word with what it stands in."""
    turns = Turns(text)
    return [(found[0], turns.opening(found.start())) for found in re.finditer(r"\w+", text)]


@given(documents, LIMITS)
def test_every_word_stands_in_the_direction_it_was_written_in(document, limit):
    parts = cut(document, limit)
    assert [word for part in parts for word in direction_of_each(plain(part))] == direction_of_each(plain(document))
    assert all(len(plain(part)) <= limit for part in parts)


def test_less_may_be_longer_by_the_turns_it_closes():
    link = Link("https://a.example/b")
    turned = Text(" \u2066 \u2066 \u2066 \u2066 \u2066 עולם. 50% ( ( ( ")
    document = Document(((turned, Mention("net", "1", "ana"), Text(" ( "), link, Text(" עולם. עולם. \n ( "), link),))
    assert all(len(plain(part)) <= 57 for part in cut(document, 57))


@given(documents, LIMITS)
def test_only_marks_are_added(document, limit):
    words = MARKS.sub("", " ".join(plain(part) for part in cut(document, limit))).split()
    assert words == MARKS.sub("", plain(document)).split()


@given(documents, LIMITS)
def test_nothing_is_left_open_that_the_writer_closed(document, limit):
    assert sum(open_lines(plain(part)) for part in cut(document, limit)) <= open_lines(plain(document))


def test_an_isolate_is_closed_and_opened_again():
    said = from_text("גרסה \u2066two point four is here. And so is \u2067מה\u2069 more\u2069 סוף.")
    first, second = split(said, lambda part: len(plain(part)) <= 36)
    assert plain(first) == "גרסה \u2066two point four is here.\u2069"
    assert plain(second) == "\u2066And so is \u2067מה\u2069 more\u2069 סוף."


def test_a_full_stop_ends_a_sentence_behind_an_invisible_mark():
    first, second = split(from_text("שלום לכולם.\u200f and a word more"), lambda part: len(plain(part)) <= 26)
    assert (plain(first), plain(second)) == ("שלום לכולם.\u200f", "and a word more")


def test_an_address_in_an_isolate_ends_with_it():
    (first,) = from_text("ראו \u2066https://a.example/b\u2069.").paragraphs
    assert first[1:] == (Link("https://a.example/b"), Text("\u2069."))

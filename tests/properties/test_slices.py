"""gateway/text/split.py: threads that say which part is which, and where their media, polls and quotes go."""

from hypothesis import assume, given
from hypothesis import strategies as st
from some_documents import documents

from gateway.model.content import Document, Media, Poll, Quote, Text, plain
from gateway.text.plain import from_text
from gateway.text.split import lead, slices, split

LIMITS = st.integers(30, 120)


def within(limit):
    return lambda part: len(plain(part)) <= limit


def cut(document, limit, *, numbered=True):
    try:
        return slices(document, within(limit), numbered=numbered)
    except ValueError:  # an address that is longer than a part
        assume(False)


@given(documents("network"), LIMITS)
def test_numbers_fit_and_are_no_part_of_what_is_said(document, limit):
    parts = cut(document, limit)
    assert all(within(limit)(part.shown) for part in parts)
    said = [word for part in parts for word in plain(part.said).split()]
    assert said == plain(document).split() or len(parts) > 1
    if len(parts) == 1:
        assert parts[0].said is parts[0].shown is document
        return
    for number, part in enumerate(parts, 1):
        assert plain(part.shown) == f"{plain(part.said)}\n\n{number}/{len(parts)}"


@given(documents("network"), LIMITS)
def test_without_numbers_it_is_just_split(document, limit):
    parts = cut(document, limit, numbered=False)
    assert tuple(part.said for part in parts) == split(document, within(limit))
    assert all(part.said is part.shown for part in parts)


WORDS = st.integers(1, 12).map(lambda n: " ".join(["word"] * n))


@given(st.lists(WORDS, min_size=1, max_size=12), st.data(), LIMITS)
def test_media_are_on_the_part_in_which_the_paragraph_ends_that_mentions_them(texts, data, limit):
    marked = [f"{text} end{n}." for n, text in enumerate(texts)]
    places = data.draw(st.lists(st.none() | st.integers(0, len(texts) - 1), max_size=6))
    media = tuple(Media(str(n), "image/png", 1, at=at) for n, at in enumerate(places))
    document = Document(tuple((Text(text),) for text in marked), media)
    parts = split(document, within(limit))
    found = {one.sha256: number for number, part in enumerate(parts) for one in part.media}
    assert sorted(found) == [one.sha256 for one in media]
    if len(parts) == 1:
        return
    for one in media:
        ends = 0 if one.at is None else next(n for n, p in enumerate(parts) if f"end{one.at}." in plain(p))
        assert found[one.sha256] == ends


def test_poll_and_quote_are_on_the_first_part_and_the_warning_on_each():
    poll, quote = Poll(("yes", "no")), Quote("network", url="https://a.example/1")
    document = Document(
        from_text("One two three.\n\nFour five six.").paragraphs,
        language="en",
        warning="numbers",
        sensitive=True,
        poll=poll,
        quote=quote,
    )
    first, second = split(document, within(15))
    assert (first.poll, first.quote, second.poll, second.quote) == (poll, quote, None, None)
    assert all((part.warning, part.sensitive, part.language) == ("numbers", True, "en") for part in (first, second))


@given(documents("network"), LIMITS)
def test_a_lead_is_the_beginning_and_fits(document, limit):
    try:
        beginning = lead(document, within(limit))
    except ValueError:
        assume(False)
    assert within(limit)(beginning)
    words = plain(beginning).split()
    assert words
    assert plain(document).split()[: len(words) - 1] == words[:-1]

"""gateway/text/split.py: parts fit, lose nothing, and are cut where a reader would pause."""

from itertools import accumulate, groupby

import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from gateway.model.content import (
    Block,
    BlockKind,
    Document,
    Link,
    Media,
    Mention,
    Text,
    block,
    layout,
    plain,
    spans,
    spelled,
)
from gateway.text.measure import graphemes
from gateway.text.plain import from_text
from gateway.text.split import split

PIECES = [
    "a", "word", "Sentence.", "what?", "“Quoted!”", "(e.g.", "x" * 12, "-",
    " ", "  ", "\n", "\t", "\u00a0", "\u2009", "\x1c", "\r\n",
    "é", "e\u0301", " \u0301", "\u200d", "👩‍👩‍👧", "🇩🇪🇫🇷", "👍🏽", "नि", "각", "\u0600",
    "字", "文字。", "はい、", "。」", "z\u0307\u0323\u0301",
]  # fmt: skip
MEASURES = {"characters": len, "graphemes": graphemes, "bytes": lambda text: len(text.encode())}

texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
text_spans = texts.filter(bool).map(Text)
other_spans = st.sampled_from(
    [Link("https://a.example/b"), Link("https://a.example/b", "a name"), Mention("net", "1", "ana"), Link("u:x")]
)
paragraphs = st.lists(text_spans | other_spans, max_size=5).map(tuple)
blocks = st.builds(
    Block,
    paragraphs,
    st.sampled_from(sorted(BlockKind)),
    st.integers(1, 6),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(["•", "3.", ""]),
)
documents = st.builds(
    Document,
    st.lists(paragraphs | blocks, max_size=5).map(tuple),
    st.just((Media("00", "image/png", 1, "alt"),)) | st.just(()),
    st.sampled_from([None, "de"]),
)
limits = st.integers(1, 60)
measures = st.sampled_from(sorted(MEASURES))


def escaped(span):
    """A spelling that is longer than the neutral one, as platforms with markup have it."""
    return f"<@{span.id}>" if isinstance(span, Mention) else spelled(span).replace(".", "\\.")


def rendering(document, spell=spelled):
    return "".join(spell(piece.span) if piece.span else piece.text for piece in layout(document))


def visible(document):
    """Everything but white space, in order."""
    seen = []
    for span in spans(document):
        seen += "".join(span.text.split()) if isinstance(span, Text) else [span]
    return seen


def measured(name, limit, spell=spelled):
    return lambda part: MEASURES[name](rendering(part, spell)) <= limit


def split_or_skip(document, fits):
    try:
        return split(document, fits)
    except ValueError:
        assume(False)


@given(documents, limits, measures, st.sampled_from([spelled, escaped]))
def test_parts_fit_lose_nothing_and_are_never_empty(document, limit, measure, spell):
    fits = measured(measure, limit, spell)
    parts = split_or_skip(document, fits)
    assert all(map(fits, parts))
    assert [item for part in parts for item in visible(part)] == visible(document)
    assert len(parts) == 1 or all(visible(part) and plain(part).strip() for part in parts)
    assert all(part.language == document.language for part in parts)
    assert [part.media for part in parts] == [document.media] + [()] * (len(parts) - 1)
    assert not any(isinstance(span, Text) and not span.text for part in parts for span in spans(part))


@given(documents, limits, measures)
def test_what_fits_is_left_alone_and_the_cut_is_stable(document, limit, measure):
    fits = measured(measure, limit)
    parts = split_or_skip(document, fits)
    assert parts == split(document, fits)
    assert all(split(part, fits) == (part,) for part in parts)
    if fits(document):
        assert parts[0] is document


@given(documents, limits, measures)
def test_it_gives_up_only_on_what_cannot_be_cut(document, limit, measure):
    fits = measured(measure, limit)
    atoms = [Document((atom,)) for paragraph in document.paragraphs for atom in unbreakable(block(paragraph))]
    try:
        split(document, fits)
    except ValueError:
        assert not all(map(fits, atoms))
    else:
        assert fits(document) or all(map(fits, atoms))


def unbreakable(whole):
    """Each character, link and mention of a block by itself, as it would stand at the head of a part."""
    atoms = [
        atom for span, text in runs(whole.spans) for atom in ([span] if span else [Text(cut) for cut in clusters(text)])
    ]
    return [structs.replace(whole, spans=(atom,), marker="" if n else whole.marker) for n, atom in enumerate(atoms)]


def runs(spans):
    """Text that stands together, for a character may lie across two spans; other spans by themselves."""
    for is_text, group in groupby(spans, lambda span: isinstance(span, Text)):
        if is_text:
            yield None, "".join(span.text for span in group)
        else:
            yield from ((span, "") for span in group)


def clusters(text):
    return [cut for cut in (cluster.rstrip() for cluster in regex.findall(r"\X", text)) if cut]


@given(texts, limits)
def test_no_character_that_a_reader_sees_is_torn(text, limit):
    document = Document(((Text(text),),))
    parts = split_or_skip(document, measured("characters", limit))
    assert [cluster for part in parts for cluster in clusters(rendering(part))] == clusters(text)


words = st.text("abc.!", min_size=1, max_size=9)


@given(st.lists(words, min_size=1, max_size=80), st.lists(st.sampled_from([" ", "\n", "\n\n"]), min_size=80), limits)
def test_words_that_fit_are_never_torn(sequence, gaps, limit):
    assume(all(len(word) <= limit for word in sequence))
    text = "".join(word + gap for word, gap in zip(sequence, gaps, strict=False))
    parts = split(from_text(text), measured("characters", limit))
    assert [word for part in parts for word in plain(part).split()] == text.split()


@given(st.lists(words, min_size=1, max_size=200), st.integers(40, 100))
def test_parts_are_filled_reasonably(sequence, limit):
    text = " ".join(sequence)
    parts = split(from_text(text), measured("characters", limit))
    assert all(len(plain(part)) >= (limit - 10) / 3 for part in parts[:-1])


# Where it cuts.


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("One two. Three.\n\nFour five six.", 25, ["One two. Three.", "Four five six."]),
        ("One two three. Four five six", 20, ["One two three.", "Four five six"]),
        ("He said “stop!” Then he left us", 22, ["He said “stop!”", "Then he left us"]),
        ("one two three four five", 13, ["one two three", "four five"]),
        ("line one is here\nline two", 22, ["line one is here", "line two"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("ab cdefghijkl mn", 5, ["ab", "cdefg", "hijkl", "mn"]),
        ("ab\u00a0\u00a0cd", 2, ["ab", "cd"]),
        ("今日は晴れ。明日は雨。", 8, ["今日は晴れ。", "明日は雨。"]),
        ("wait 10\u00a0km now", 9, ["wait", "10\u00a0km now"]),
        ("Some words. Well then:\nfoo bar is", 26, ["Some words.", "Well then:\nfoo bar is"]),
        # A cut that leaves a crumb is no bargain: the next best is taken.
        ("Hi.\n\nThis is a long sentence", 24, ["Hi.\n\nThis is a long", "sentence"]),
    ],
)
def test_where_it_cuts(text, limit, parts):
    assert [plain(part) for part in split(from_text(text), measured("characters", limit))] == parts


@given(st.lists(st.sampled_from(["One.", "Three", "Namely:", "x" * 30]), min_size=2, max_size=9), limits)
def test_what_leads_in_is_with_what_follows_where_both_fit(texts, limit):
    assume(max(map(len, texts)) <= limit)
    parts = split(Document(tuple((Text(text),) for text in texts)), measured("characters", limit))
    ends = list(accumulate(len(part.paragraphs) for part in parts))[:-1]
    for end in ends:
        before, last, after = texts[end - 2] if end > 1 else "", texts[end - 1], texts[end]
        if last.endswith(":") and not before.endswith(":"):
            assert len(f"{last}\n\n{after}") > limit


@pytest.mark.parametrize(
    "follows",
    [
        Block((Text("one"),), BlockKind.ITEM, marker="•"),
        Block((Text("x = 1"),), BlockKind.CODE),
        Block((Text("So?"),), quote=1),
    ],
)
def test_a_list_code_or_a_quotation_stays_with_its_lead_in(follows):
    document = Document(((Text("Something else."),), (Text("For example:"),), follows))
    parts = split(document, measured("characters", 30))
    assert [part.paragraphs for part in parts] == [document.paragraphs[:1], document.paragraphs[1:]]


def test_code_is_cut_whatever_white_space_is_in_it():
    code = Document((Block((Text("ab\x1c cd\x1c \n" * 20 + " " * 9 + "e"),), BlockKind.CODE),))
    parts = split(code, measured("characters", 2))
    assert visible(Document(sum((part.paragraphs for part in parts), ()))) == visible(code)


def test_links_and_mentions_stay_whole():
    mention, link = Mention("net", "1", "ana"), Link("https://a.example/long/path")
    document = Document(((Text("("), mention, Text("): see "), link, Text(".")),))
    parts = split(document, measured("characters", 28))
    assert [part.paragraphs for part in parts] == [((Text("("), mention, Text("): see")),), ((link, Text(".")),)]


def test_an_unbreakable_span_that_is_too_long_is_an_error():
    with pytest.raises(ValueError, match="does not fit"):
        split(from_text("see https://a.example/much/too/long"), measured("characters", 20))


def test_white_space_alone_becomes_nothing_but_keeps_the_media():
    media = (Media("00", "image/png", 1),)
    assert split(Document(((Text(" " * 50),),), media), measured("characters", 20)) == (Document((), media),)


# How long it takes, without a clock: the work is what was measured.


@pytest.mark.parametrize(
    "text",
    [
        "lorem ipsum dolor. " * 10_000,
        "x" * 200_000,
        ("y" * 5000 + " a b c ") * 40,
        "para graph\n\n" * 16_000,
        "http://a.example/x " * 10_000,
        " " * 200_000 + "x" * 400,
    ],
)
def test_the_work_grows_with_the_text_not_with_its_square(text):
    work = 0

    def fits(part):
        nonlocal work
        rendered = len(plain(part))
        work += rendered
        return rendered <= 300

    parts = split(from_text(text), fits)
    assert len(parts) <= len(text) / 90 + 2
    assert work <= 12 * len(text)


class _Copied(str):  # noqa: SLOT000 - it counts for all of them
    """Text that counts how much of it is taken out."""

    characters = 0

    def __getitem__(self, key):
        part = super().__getitem__(key)
        type(self).characters += len(part)
        return part


def test_so_does_what_is_copied():
    text = _Copied(f"{'word ' * 9}end. " * 2_000)
    _Copied.characters = 0
    parts = split(Document(((Text(text),),)), lambda piece: len(plain(piece)) <= 300, about=300)
    assert len(parts) > 300
    assert _Copied.characters < 10 * len(text)


WIDE = 23
plain_texts = st.lists(st.sampled_from(["a", "word", "Sentence.", "what?", " ", "x" * 12]), max_size=25).map("".join)
plain_documents = st.lists(
    st.lists(plain_texts.filter(bool).map(Text) | st.just(Link("https://a.example/b")), max_size=5).map(tuple),
    max_size=5,
).map(lambda paragraphs: Document(tuple(paragraphs)))


def weighed(part):
    return len(plain(part)) + sum(WIDE - len(span.url) for span in spans(part) if isinstance(span, Link))


@given(plain_documents, st.integers(WIDE, 60))
def test_it_cuts_alike_and_asks_less_where_widths_are_told(document, limit):
    asked = []

    def fits(part):
        asked.append(part)
        return weighed(part) <= limit

    alike = split(document, fits, about=limit)
    without = len(asked)
    assert split(document, fits, about=limit, width=lambda _: WIDE, most=limit) == alike
    assert len(asked) - without <= without


def test_plain_words_are_asked_about_once_for_each_part():
    asked = []

    def fits(part):
        asked.append(part)
        return weighed(part) <= 100

    parts = split(
        Document(((Text("word " * 200), Link("https://a.example/b")),)), fits, about=100, width=lambda _: WIDE, most=100
    )
    assert len(parts) > 9
    assert len(asked) == 1 + len(parts)


def test_a_mark_after_a_tab_or_a_line_end_makes_no_part_of_it():
    """Nothing joins a control character: it is a gap, whatever follows."""
    document = Document(((Text("\t\n\u200dx"),),))
    assert [plain(part) for part in split(document, measured("characters", 1))] == ["\u200d", "x"]

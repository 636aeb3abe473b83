"""gateway/text/plain.py: plain words as a document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.content import Document, Link, Text, plain
from gateway.text.plain import from_text


def spans_of(text):
    (paragraph,) = from_text(text).paragraphs
    return paragraph


def links_in(text):
    return [span.url for span in spans_of(text) if isinstance(span, Link)]


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("", []),
        (" \n\t\n ", []),
        ("one", ["one"]),
        ("one\ntwo", ["one\ntwo"]),
        ("one\n\ntwo", ["one", "two"]),
        ("one\r\n\r\ntwo\rthree", ["one", "two\nthree"]),
        ("one\n \t\n\n\n  two  \n", ["one", "  two"]),
    ],
)
def test_paragraphs_are_a_blank_line_apart(text, paragraphs):
    assert from_text(text).paragraphs == tuple((Text(paragraph),) for paragraph in paragraphs)


def test_an_address_becomes_a_link_between_texts():
    assert spans_of("see https://a.example/b for more") == (
        Text("see "),
        Link("https://a.example/b"),
        Text(" for more"),
    )
    assert from_text("https://a.example") == Document(((Link("https://a.example"),),))


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("Read http://a.example/b.", ["http://a.example/b"]),
        ("Really (https://a.example/b)?", ["https://a.example/b"]),
        ("https://a.example/Foo_(bar)", ["https://a.example/Foo_(bar)"]),
        ("(https://a.example/Foo_(bar))", ["https://a.example/Foo_(bar)"]),
        ("[https://a.example/?a=1&b=2#c]", ["https://a.example/?a=1&b=2#c"]),
        ("<https://a.example/b>", ["https://a.example/b"]),
        ("“https://a.example/b”", ["https://a.example/b"]),
        ("HTTPS://A.example/B", ["HTTPS://A.example/B"]),
        ("https://a.example, http://b.example!", ["https://a.example", "http://b.example"]),
        ("https://bücher.example/ü", ["https://bücher.example/ü"]),
        ("http://[::1]:8080/x", ["http://[::1]:8080/x"]),
        ("見てhttps://a.example/b、次", ["https://a.example/b"]),
        ("http://", []),
        ("http:// a", []),
        ("http://...", []),
        ("xhttp://a.example", []),
        ("ftp://a.example javascript:alert(1) a.example", []),
    ],
)
def test_where_an_address_begins_and_ends(text, links):
    assert links_in(text) == links


@given(st.text("ab .\n\t()https:/[]é。", max_size=200))
def test_no_word_is_lost(text):
    assert plain(from_text(text)).split() == text.split()


@given(st.text(max_size=200))
def test_no_paragraph_is_blank_and_none_holds_a_blank_line(text):
    for paragraph in from_text(text).paragraphs:
        assert plain(Document((paragraph,))).strip()
        assert not any(isinstance(span, Text) and "\n\n" in span.text for span in paragraph)


@given(st.text("a \n.", max_size=80))
def test_reading_again_what_was_read_gives_the_same(text):
    document = from_text(text)
    assert from_text(plain(document)) == document

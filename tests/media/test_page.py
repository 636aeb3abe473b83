"""What is read in the head of a page, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.page import DESCRIPTION_MAX, TITLE_MAX, Page, page

URL = "https://e.org/blog/post"


def said(html: str | bytes, content_type: str = "text/html; charset=utf-8") -> Page:
    return page(html.encode() if isinstance(html, str) else html, URL, content_type)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<title>News</title>", ("News", "", "")),
        ("<TITLE lang=en>\n New\n &amp; good </TITLE>", ("New & good", "", "")),
        ('<meta property="og:title" content="A"><title>B</title>', ("A", "", "")),
        ("<title>B</title><meta content='A &quot;b&quot; > c' property='og:title'/>", ('A "b" > c', "", "")),
        ("<meta name=description content=short><title>T", ("", "short", "")),
        ('<meta name="site:title" content="S"><title>T</title>', ("S", "", "")),
        ('<meta property=og:image content="/i.png"><title>T</title>', ("T", "", "https://e.org/i.png")),
        ('<meta property="og:image:url" content="i.png"><title>T</title>', ("T", "", "https://e.org/blog/i.png")),
        ('<meta name="site:image:src" content="//cdn.e.org/i"><title>T</title>', ("T", "", "https://cdn.e.org/i")),
        ('<meta property="og:image" content="javascript:alert(1)"><title>T</title>', ("T", "", "")),
        ('<meta property="og:image" content="file:///etc/passwd"><title>T</title>', ("T", "", "")),
        ('<meta property="og:image" content="http://[::1"><title>T</title>', ("T", "", "")),
        ('<!-- <meta property="og:title" content="no"> --><title>T</title>', ("T", "", "")),
        ('<script>"<title>no</title>"</script><title>T</title>', ("T", "", "")),
        ("<style>/*<title>no</title>*/</style><svg><title>no</title></svg><title>T</title>", ("T", "", "")),
        ("<title>T</title></head><meta property=og:title content=no>", ("T", "", "")),
        ("<title>T</title><body><meta property=og:title content=no>", ("T", "", "")),
        ('<meta property="og:title" content=""><title>T</title>', ("T", "", "")),
        ('<meta property="og:title" content="1"><meta property="og:title" content="2">', ("1", "", "")),
        ("<title>a\x1b[31m\u202eb\x00c</title>", ("a [31m b c", "", "")),
        ("", ("", "", "")),
    ],
)
def test_a_head_is_read(html: str, expected: tuple[str, str, str]) -> None:
    assert said(html) == expected


def test_words_have_an_end() -> None:
    found = said(f"<title>{'a' * 5000}</title><meta name=description content={'b' * 3900}>")
    assert (len(found.title), len(found.description)) == (TITLE_MAX, DESCRIPTION_MAX)
    assert found.title.endswith("a…")


@pytest.mark.parametrize(
    ("charset", "declared"),
    [("utf-8", True), ("iso-8859-1", True), ("windows-1252", False), ("shift_jis", True), ("utf-16", True)],
)
def test_letters_are_those_of_the_page(charset: str, declared: bool) -> None:
    word = "カフェ" if charset == "shift_jis" else "café"
    html = f"<meta charset='{charset}'><title>{word}</title>".encode(charset)
    assert said(html, f"text/html; charset={charset}" if declared else "text/html").title == word


@pytest.mark.parametrize("charset", ["zlib", "punycode", "idna", "rot13", "utf-7", "nonsense", "unicode_escape", ""])
def test_a_codec_that_is_no_charset_is_not_used(charset: str) -> None:
    assert said("<title>café</title>", f"text/html; charset={charset}").title == "café"


@pytest.mark.parametrize(
    "piece",
    ["<!--", "<a ", "<div>", "<", "<meta ", '<meta a="', "<meta a='b' ", "<title>", "<script>", "<meta name=",
     "a=b ", "<style", '<meta content="a"', "&amp;", "<title" + " " * 99, "<!-- -->",
     "<meta property=og:title content=&#9;>"],
)  # fmt: skip
def test_half_a_megabyte_of_anything_is_read_at_once(piece: str) -> None:
    """Would be minutes where it was read again for each piece."""
    said(piece * (512 * 1024 // len(piece)))
    said("<meta " + piece * (512 * 1024 // len(piece)))


@given(st.text(), st.text())
def test_any_page_is_words_or_nothing(before: str, inside: str) -> None:
    for one in said(f"{before}<title>{inside}</title><meta property=og:title content='{inside}'>"):
        assert all(char.isprintable() for char in one)

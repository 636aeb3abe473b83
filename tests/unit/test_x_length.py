"""adapters/x/length.py: what its words weigh is what the text weighs."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.x import length

WORDS = [
    "word", "a.b", "https://a.example/b", "https://example.com/x?y=1", "example.com", "(example.com)", "@ana", "#tag",
    "👍🏽", "👩‍👩‍👧", "🇩🇪", "1️⃣", "ⓜ", "©", "字字", "é", "e\u0301", "\u0301", "\u200d", "x@example.com", "例え.jp",
    "https://例え.jp/パス", "…", "a..b", "t.co/abc", "http://t.co/abc", "“q”", "-example.com-", "$TSLA.com",
    "foo.bar.baz", "example.com,example.org", "https://example.com/a_(b)", "http://user:pass@example.com",
]  # fmt: skip
SPACES = [" ", "\n", "  ", "\t", "\u00a0", "\u1680", "\u2003", "\u2028", "\u202f", "\u205f", "\u3000"]
# What the parser makes of an address after a control character depends on what is before that: nobody posts those.
others = st.text(st.characters(exclude_categories=["C"]), max_size=3)
pieces = st.lists(st.sampled_from(WORDS) | st.sampled_from(SPACES) | others, max_size=14)


@settings(max_examples=400, deadline=None)
@given(pieces.map("".join))
def test_a_text_weighs_what_its_words_do(text):
    whole = int(length._parse()(unicodedata.normalize("NFC", text)).weightedLength)
    assert length.weighted_length(text) == whole


HOSTS = ["a", "example", "x-y", "0", "www", "t.co", "com", "1-2--3", "A1", "sub_d", "xn--wgv71a119e"]
TOPS = ["com", "org", "ORG", "dev", "co.uk", "co", "uk", "company", "museum", "onion", "zzz"]
TAILS = ["", "", ".", ")", ").", "?!", ":", '"', "',", "..."]
paths = st.lists(
    st.sampled_from(["a", "B", "/", "-", "_", "0", ".", ".html", "..", "com", "?", "=", "&", "~"]), max_size=8
)
addresses = st.builds(
    "{}{}{}.{}{}{}".format,
    st.sampled_from(["", "", "(", '"', "x"]),
    st.sampled_from(["https://", "http://", "HTTPS://"]),
    st.lists(st.sampled_from(HOSTS), min_size=1, max_size=3).map(".".join),
    st.sampled_from(TOPS),
    st.just("") | paths.map(lambda path: "/" + "".join(path)),
    st.sampled_from(TAILS),
)


@settings(max_examples=400, deadline=None)
@given(addresses)
def test_what_needs_no_parser_weighs_what_the_parser_says(word):
    parse = length._parse()
    url = length._certain(word)
    if url:
        weight = len(word) - len(url) + 23
        assert (parse(word).weightedLength, parse(f" {word}").weightedLength - 1) == (weight, weight)
        assert length._addresses(word) == [url]


@pytest.mark.parametrize(
    ("word", "weight"),
    [
        ("https://a.example/z", 23),
        ("https://a.example/*z*", 24),
        ("https://a.example/{b}", 26),
        ("https://a.example/{bcdefghij}", 34),
        ("https://a.example:80/b", 23),
        ("https://e.co/*z*", 24),
    ],
)
def test_room_is_left_for_an_address_in_a_domain_that_only_x_knows(word, weight):
    words = "x" * (279 - weight)
    assert length.fits_post(f"{words} {word}")
    assert not length.fits_post(f"{words}x {word}")


def test_most_addresses_need_no_parser():
    for word in ["https://example.org/a/b-c.html", "(http://example.com).", "https://docs.example.dev/x?y=1&z=2,"]:
        assert length._certain(word)
    for word in ["https://example.zzz/", "https://t.co/a/b", "https://example.org/(a)", "https://a.org/" + "a" * 5_000]:
        assert not length._certain(word)


def test_a_text_that_is_surely_too_long_asks_the_parser_for_no_domain():
    letters = "abcdefghij"
    asked = length._is_domain.cache_info().misses
    assert not length.fits_post(" ".join(f"https://a.{a}{b}zzqq" for a in letters * 3 for b in letters))
    assert length._is_domain.cache_info().misses == asked

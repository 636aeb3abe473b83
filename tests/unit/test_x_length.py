"""adapters/x/length.py: what its words weigh is what the text weighs."""

import unicodedata

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

"""gateway/text/measure.py: characters as a reader counts them."""

import pytest

from gateway.text.measure import graphemes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("é", 1),
        ("e\u0301", 1),
        ("\r\n", 1),
        ("a\r\nb\rc\n\r", 7),
        ("👩‍👩‍👧‍👦", 1),
        ("👍🏽", 1),
        ("🇩🇪🇫🇷", 2),
        ("1️⃣", 1),
        ("🏴󠁧󠁢󠁳󠁣󠁴󠁿", 1),
        ("नमस्ते", 3),
        ("क्षि", 1),
        ("각", 1),
        ("\u1100\u1161\u11a8", 1),
        ("z̷̡̢", 1),
    ],
)
def test_what_a_reader_counts(text, count):
    assert graphemes(text) == count

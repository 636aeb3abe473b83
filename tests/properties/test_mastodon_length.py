"""adapters/mastodon/counting.py: whatever a text has in it, an instance never counts more than we do."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.mastodon.counting import measure
from adapters.sandbox.mastodon_entities import length

PIECES = (
    "https://例え.テスト/", "https://bücher.example/gr",
    "https://e.org", "http://a.bc", "https://x", "https://пример.рф", "://", "/", ".", "?", "=", "&", ":80", "%20", "~",
    "$", "-", "_", "@", "@bo", "#t", "(", ")", ",", "!", "'", '"', "…", "и", "é", "日本", "a", "x", "1", " ", "\n",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("https://e.orghttps://e.orgи")
@example("http://a.bc/@bo=)https://e.org")
@example("https://e.org/,?:80")
@settings(max_examples=500, deadline=None)
def test_no_instance_counts_more(text):
    assert measure(text, 23) >= length(text)

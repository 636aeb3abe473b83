"""Documents of all kinds, for the tests of every platform."""

from hypothesis import strategies as st

from gateway.model.content import BULLET, CELL, RULE, Block, BlockKind, Document, Link, Mark, Mention, Text, marked

WORDS = [
    "word", "Sentence.", "what?", "“Quoted!”", "(e.g.", "snake_case", "2 * 3", "a*b*c", "__init__", "~~", "||",
    "`", "``x``", "```", "#a7", "# no", "- no", "> no", "1. no", "1986. A", "[x](y)", "<b>", "<@9>", "<:e:1>", "\\",
    "\\*", "C:\\dir", "&amp;", "@ana", "#tag", "***", "_", "|", "a|b", "|| a", "---", "===", "-#", "+", "!", "]",
    "![", "(", ")", "{", "^", "$", "é", "e\u0301", "👩‍👩‍👧", "🇩🇪🇫🇷", "👍🏽", "नि", "각", "שלום", "مرحبا", "字",
    "文字。", "はい、", "z\u0307\u0323\u0301",
]  # fmt: skip
"""What is read as markup somewhere, and what is hard to count."""

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
lines = st.lists(texts, min_size=1, max_size=2).map("\n".join)
marks = st.sets(st.sampled_from(sorted(Mark)), max_size=3)
plain_texts = lines.map(Text)
marked_texts = st.builds(lambda text, marks: marked(text, *marks), lines, marks)
links = st.sampled_from(
    [
        Link("https://a.example/b"),
        Link("https://a.example/_x_/(y)?a=1&b=2#c", "a name"),
        Link("https://例え.jp/パス", "https://b.example"),
        Link("https://a.example/*z*"),
        Link("https://a.example/", "docs [1]"),
    ]
)


def mentions(platform):
    return st.sampled_from([Mention("elsewhere", "1", "ana", "Ana"), Mention(platform, "42", "ben")])


def sentences(platform):
    """Spans a space apart: what stands without one beside an address would be taken for a part of it."""
    spans = st.lists(marked_texts | links | mentions(platform), min_size=1, max_size=5)
    return spans.map(
        lambda found: tuple(s for n, span in enumerate(found) for s in ((Text(" "), span) if n else (span,)))
    )


def blocks(platform):
    spans, quotes = sentences(platform), st.integers(0, 2)
    code = st.lists(texts | st.just("    indented"), min_size=1, max_size=4).map(
        lambda found: (Text("\n".join(found)),)
    )
    cells = st.lists(texts, min_size=2, max_size=3).map(lambda found: (Text(CELL.join(found)),))
    return st.one_of(
        spans,
        st.builds(lambda s, q: Block(s, quote=q), spans, quotes),
        st.builds(lambda s, n, q: Block(s, BlockKind.HEADING, level=n, quote=q), spans, st.integers(1, 6), quotes),
        st.builds(lambda s, q, n: Block(s, BlockKind.ITEM, quote=q, indent=n, marker=BULLET), spans, quotes, quotes),
        st.builds(lambda s, q: Block(s, BlockKind.CODE, quote=q, language="py"), code, quotes),
        st.builds(lambda s, q: Block(s, BlockKind.ROW, quote=q), cells, quotes),
        st.just(Block((Text(RULE),), BlockKind.RULE)),
    )


BESIDE = [
    "s", "и", "é", "字", "から", "\uff09", "。", "”", "…", ".", ", ", "!", ")", " ", "\n", "(", "“", "\u2069", "-",
    "א", "و",
]  # fmt: skip
"""What may stand beside an address or a name without a space, and be taken for more of it."""


def glued(platform):
    """Paragraphs in which addresses and names touch what is around them."""
    addresses = st.sampled_from(["https://e.org", "https://e.org/a", "https://e.org/a?b=1", "https://e.org/(a)"])
    touching = addresses.map(Link) | st.sampled_from(BESIDE).map(Text) | st.just(Mention(platform, "42", "ben"))
    return st.lists(st.lists(touching, min_size=1, max_size=6).map(tuple), min_size=1, max_size=3).map(
        lambda found: Document(tuple(found))
    )


def documents(platform):
    return st.lists(blocks(platform), min_size=1, max_size=5).map(lambda found: Document(tuple(found)))

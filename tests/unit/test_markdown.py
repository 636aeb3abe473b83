"""gateway/text/markdown.py: each construct of docs/text.md, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.content import (
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Media,
    Mention,
    Span,
    Text,
    marked,
    plain,
    spans,
)
from gateway.text.markdown import from_markdown, local_pictures

A = "https://a.example"
HIDDEN, STRUCK = (Mark.SPOILER,), (Mark.STRIKE,)


def line(text: str) -> tuple[Span, ...]:
    (paragraph,) = from_markdown(text).paragraphs
    assert isinstance(paragraph, tuple)
    return paragraph


def kinds(text: str) -> list[tuple[BlockKind, int, int, str, str]]:
    found = [each if isinstance(each, Block) else Block(each) for each in from_markdown(text).paragraphs]
    return [(b.kind, b.quote, b.indent, b.marker, plain(Document((b.spans,)))) for b in found]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("**bold** and *it*", (marked("bold", Mark.BOLD), Text(" and "), marked("it", Mark.ITALIC))),
        ("***both***", (marked("both", Mark.BOLD, Mark.ITALIC),)),
        ("~~gone~~ ||hidden||", (marked("gone", Mark.STRIKE), Text(" "), marked("hidden", Mark.SPOILER))),
        ("**a ||b|| c**", (marked("a ", Mark.BOLD), marked("b", Mark.BOLD, Mark.SPOILER), marked(" c", Mark.BOLD))),
        ("`a * b`", (marked("a * b", Mark.CODE),)),
        ("**`x`**", (marked("x", Mark.BOLD, Mark.CODE),)),
        ("two\nlines and  \na break", (Text("two\nlines and\na break"),)),
        (r"\*not\* \[this\]", (Text("*not* [this]"),)),
        ("snake_case_name and 2 * 3 * 4", (Text("snake_case_name and 2 * 3 * 4"),)),
        ("2*3*4 = 24 and 2**10", (Text("2*3*4 = 24 and 2**10"),)),
        ("if (a || b || c) { a|b; ||| }", (Text("if (a || b || c) { a|b; ||| }"),)),
        ("**open and ||open", (Text("**open and ||open"),)),
        ("#a7 no heading, #tag", (Text("#a7 no heading, #tag"),)),
        ("<b>no</b> markup & &lt;none&gt;", (Text("<b>no</b> markup & <none>"),)),
        ("<ana@b.example> <tel:123>", (Text("<ana@b.example> <tel:123>"),)),
        # Links.
        (f"[docs]({A}/x)", (Link(f"{A}/x", "docs"),)),
        (f"**see [the *docs*]({A}) now**", (marked("see ", Mark.BOLD), Link(A, "the docs"), marked(" now", Mark.BOLD))),
        (f"[{A}]({A})", (Link(A),)),
        (f"[]({A})", (Link(A),)),
        (f"[x](<{A}/a b>)", (Link(f"{A}/a%20b", "x"),)),
        ("[page](page.html) [js](javascript:x) []()", (Text("page (page.html) js (javascript:x) "),)),
        ("![A cat](cat.png)", (Text("A cat (cat.png)"),)),
        (f"[![A cat]({A}/c.png)]({A})", (Link(A, "A cat"),)),
        (f"<{A}>", (Link(A),)),
        (f"||it was [Bob]({A})||", (marked("it was ", *HIDDEN), Link(A, "Bob", HIDDEN))),
        (f"[it was ||Bob||]({A}) ~~[now]({A})~~", (Link(A, "it was Bob", HIDDEN), Text(" "), Link(A, "now", STRUCK))),
        (f"||**<{A}>** ![a cat](cat.png)||", (Link(A, None, HIDDEN), marked(" a cat (cat.png)", *HIDDEN))),
        # Bare addresses.
        (f"see {A}/a_b_c, ok", (Text("see "), Link(f"{A}/a_b_c"), Text(", ok"))),
        (f"{A}/_x_/*y*/~~z", (Link(f"{A}/_x_/*y*/"), Text("~~z"))),
        (f"({A}/w_(x)).", (Text("("), Link(f"{A}/w_(x)"), Text(")."))),
        (f"**{A}** ||{A}||", (Link(A), Text(" "), Link(A, marks=HIDDEN))),
        (f"*see {A}*, ok", (marked("see ", Mark.ITALIC), Link(A), Text(", ok"))),
        (f"[{A}/x](https://b.example)", (Link("https://b.example", f"{A}/x"),)),
        ("https://例え.jp/パス。次", (Link("https://例え.jp/パス"), Text("。次"))),
        ("xhttps://a.example http:// https:", (Text("xhttps://a.example http:// https:"),)),
        ("HTTPS://A.EXAMPLE!", (Link("HTTPS://A.EXAMPLE"), Text("!"))),
        (f"`{A}`", (marked(A, Mark.CODE),)),
        # People.
        ("[Ana](mention:x:@ana)", (Mention("x", "", "ana", "Ana"),)),
        ("[@ana](mention:x:ana)", (Mention("x", "", "ana"),)),
        ("[Ana](mention:discord:id=42)", (Mention("discord", "42", "", "Ana"),)),
        ("[Ana](mention:nobody)", (Text("Ana (mention:nobody)"),)),
        ("||[Ana](mention:x:@ana)||", (Mention("x", "", "ana", "Ana", HIDDEN),)),
        ("~~||[Ana](mention:x:id=1)||~~", (Mention("x", "1", "", "Ana", (*HIDDEN, *STRUCK)),)),
        # Scripts.
        ("**שלום** עולם", (marked("שלום", Mark.BOLD), Text(" עולם"))),
        ("**日本**語 👩‍👩‍👧 z\u0307\u0323", (marked("日本", Mark.BOLD), Text("語 👩‍👩‍👧 z\u0307\u0323"))),
        ("*👍🏽* e\u0301", (marked("👍🏽", Mark.ITALIC), Text(" e\u0301"))),
    ],
)
def test_what_a_line_means(text: str, spans: tuple[Span, ...]) -> None:
    assert line(text) == spans


PARAGRAPH, HEADING, ITEM = BlockKind.PARAGRAPH, BlockKind.HEADING, BlockKind.ITEM


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("# One\n### 3\ntext", [(HEADING, 0, 0, "", "One"), (HEADING, 0, 0, "", "3"), (PARAGRAPH, 0, 0, "", "text")]),
        ("Under\nlined\n===", [(HEADING, 0, 0, "", "Under lined")]),
        ("- a\n- b", [(ITEM, 0, 0, "•", "a"), (ITEM, 0, 0, "•", "b")]),
        ("3. a\n4. b", [(ITEM, 0, 0, "3.", "a"), (ITEM, 0, 0, "4.", "b")]),
        ("1) a\n1) b", [(ITEM, 0, 0, "1)", "a"), (ITEM, 0, 0, "2)", "b")]),
        (
            "- a\n  - b\n    1. c\n\n  more of a",
            [(ITEM, 0, 0, "•", "a"), (ITEM, 0, 1, "•", "b"), (ITEM, 0, 2, "1.", "c"), (ITEM, 0, 0, "", "more of a")],
        ),
        ("- # title", [(ITEM, 0, 0, "•", "title")]),
        ("- a\n-\n- b", [(ITEM, 0, 0, "•", "a"), (ITEM, 0, 0, "•", ""), (ITEM, 0, 0, "•", "b")]),
        ("- ```\n  x\n  ```", [(ITEM, 0, 0, "•", ""), (BlockKind.CODE, 0, 0, "", "x")]),
        ("> a\n> b\n>\n> > c", [(PARAGRAPH, 1, 0, "", "a\nb"), (PARAGRAPH, 2, 0, "", "c")]),
        ("> - a", [(ITEM, 1, 0, "•", "a")]),
        ("a\n\n---\nb", [(PARAGRAPH, 0, 0, "", "a"), (BlockKind.RULE, 0, 0, "", "———"), (PARAGRAPH, 0, 0, "", "b")]),
        ("|a|b|\n|-|-:|\n|1 \\| 2|", [(BlockKind.ROW, 0, 0, "", "a | b"), (BlockKind.ROW, 0, 0, "", "1 | 2 | ")]),
        ("```\na\n\n  b\n```", [(BlockKind.CODE, 0, 0, "", "a\n\n  b")]),
        ("```not one word\na", [(BlockKind.CODE, 0, 0, "", "not one word\na")]),
        ("~~~\n```\n~~~", [(BlockKind.CODE, 0, 0, "", "```")]),
        ("    x = 1\n    y", [(BlockKind.CODE, 0, 0, "", "x = 1\ny")]),
    ],
)  # fmt: skip
def test_what_blocks_there_are(text: str, blocks: list[tuple[BlockKind, int, int, str, str]]) -> None:
    assert kinds(text) == blocks


def test_code_has_a_language_and_a_heading_a_level() -> None:
    code, heading = from_markdown("```c++\nx\n```\n## T").paragraphs
    assert isinstance(code, Block)
    assert isinstance(heading, Block)
    assert (code.language, heading.level) == ("c++", 2)


def test_the_head_of_a_table_is_bold_and_its_cells_have_links() -> None:
    head, row = from_markdown(f"| a |\n|---|\n| {A}/x_y_z |").paragraphs
    assert head == Block((marked("a", Mark.BOLD),), BlockKind.ROW)
    assert row == Block((Link(f"{A}/x_y_z"),), BlockKind.ROW)


def test_references_are_resolved_and_those_nobody_asks_for_are_shown() -> None:
    said = from_markdown(f"See [one].\n\n[one]: {A}\n[two]: {A}/2")
    assert plain(said) == f"See one ({A}).\n\n[two]: {A}/2"


@pytest.mark.parametrize("text", ["1.", "-", "+", "#", ">", "```", "|", "[a]: b", "> > >", "&#32;", "[](<>)"])
def test_what_would_be_nothing_is_plain_text(text: str) -> None:
    assert plain(from_markdown(text)) == text


def test_no_text_is_no_paragraphs() -> None:
    assert from_markdown(" \n\n").paragraphs == ()


@pytest.mark.parametrize(
    "text",
    [
        ">" * 100 + " deep", "- " * 100 + "deep", "[" * 20_000 + "deep", "*a " * 5_000, "`" * 9_999 + " a ``",
        "**a " * 5_000, "[a](" * 5_000, "<" * 20_000, "||a " * 5_000, "~~a" * 5_000, "!" + "[" * 5_000 + "a",
        "_" * 20_000,
        "https://" * 5_000, "https://a.example/" + ")" * 20_000, "&" * 20_000, "\\" * 20_000, "> " * 30 + "a\n" * 2_000,
        "|a" * 3_000 + "\n" + "|-" * 3_000, "a\x00b\x07\u2028\ud7ff", "1" * 30 + ". a",
    ],
)  # fmt: skip
@pytest.mark.timeout(20)
def test_hostile_texts_are_read_in_time_and_keep_their_letters(text: str) -> None:
    found = plain(from_markdown(text))
    letters = [character for character in text if character.isalpha()]
    assert [character for character in found if character.isalpha()] == letters


C, D = f"![A cat]({A}/c.png)", f"![A *small* dog]({A}/d.png)"


@pytest.mark.parametrize(
    ("written", "words", "places"),
    [
        (C, "", [0]),
        (f"{C}\n\nHello", "Hello", [0]),
        (f"Hello\n\nthere\n\n{C}\n\n{D}\n\nyou", "Hello\n\nthere\n\nyou", [1, 1]),
        (f"Look: {C} nice, {D}.", "Look: nice, .", [0, 0]),
        (f"one\n{C}\ntwo\n\nx{D}y", "one\ntwo\n\nxy", [0, 1]),
        (f"Look {C}  {D}", "Look", [0, 0]),
        (f"# {C} News\n\n- a\n- {C}\n- b {D}", "News\n\n• a\n• b", [0, 1, 2]),
        (f"| a | {C} |\n|---|---|\n| {D} | b |", "a | \n | b", [0, 1]),
        (f"> {C}\n> said", "> said", [0]),
        (f"- one\n\n  {C}\n\n  two", "• one\n  two", [0]),
    ],
)
def test_pictures_leave_the_text_for_the_paragraph_they_stand_in(written: str, words: str, places: list[int]) -> None:
    said = from_markdown(written)
    assert plain(said) == words
    assert [one.at for one in said.media] == places
    known = {f"{A}/c.png": "A cat", f"{A}/d.png": "A small dog"}
    assert all(one.alt == known[one.source] and not one.sha256 and one.kind == "image" for one in said.media)


def test_files_are_pictures_only_where_they_are_handed_in() -> None:
    file = Media("ab", "image/png", 3, name="my cat.png")
    text = f"One ![A cat](<my cat.png>), ![two](b.png), [![three](c.png)]({A}), ![four]({A}/d.png) ![](data:x)"
    assert local_pictures(text) == ("my cat.png", "b.png")
    said = from_markdown(text, files={"my cat.png": file})
    assert [(one.sha256, one.alt, one.at) for one in said.media] == [("ab", "A cat", 0), ("", "four", 0)]
    assert "two (b.png)" in plain(said)
    assert not [one for one in from_markdown(text).media if one.sha256]


def test_a_chat_knows_less_of_it() -> None:
    text = "a &amp; b\n---\n| x | y |\n|---|---|\n    z\n[r]: https://r.example\n![p](https://p.example)"
    said = from_markdown(text, chat=True)
    assert plain(said) == ("a &amp; b\n---\n| x | y |\n|---|---|\nz\n[r]: https://r.example\n!p (https://p.example)")
    assert next(iter(spans(from_markdown("**“Yes”**she said", chat=True)))) == marked("“Yes”", Mark.BOLD)


@given(st.text("aZü1 .,-+#()!\"'@/=;?$%^{}\t é漢🙂\u00a0\u2028:&*_", max_size=25), st.booleans())
def test_words_alone_are_read_as_the_parser_would_read_them(text: str, chat: bool) -> None:
    alone, before_code = from_markdown(f"a{text}", chat=chat), from_markdown(f"a{text}\n\n`code`", chat=chat)
    assert alone.paragraphs == before_code.paragraphs[:-1]

"""Discord's Markdown, read as its client reads it (:mod:`adapters.sandbox.discord_markdown`), which shares no code with
what wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_documents import documents, glued

from adapters.discord import markup
from adapters.discord.markup import render
from adapters.discord.planning import words
from adapters.sandbox.discord_markdown import shown
from adapters.sandbox.discord_people import CALLED
from gateway.model.content import Block, BlockKind, Document, Link, Mark, Mention, Text, marked, plain, spans
from gateway.text.markdown import from_markdown
from gateway.text.split import split

NAMES = {"42": "@ben"}


def without_signs(text: str) -> list[str]:
    """The words, but for the signs of quotations: Discord has none within another."""
    return [word for word in text.split() if word != ">"]


def read(document: Document) -> list[str]:
    return without_signs(shown(render(document), NAMES).replace("\u2060", ""))


def cut(document: Document, length: int) -> Iterable[Document]:
    try:
        return split(document, lambda piece: len(render(piece)) <= length)
    except ValueError:  # a link is longer
        return ()


@given(documents("discord"))
def test_any_document_is_shown_with_all_its_words_and_no_others(document: Document) -> None:
    assert read(document) == without_signs(plain(document))


@given(documents("discord"), st.integers(30, 200))
def test_so_is_every_part_wherever_it_is_cut(document: Document, length: int) -> None:
    for piece in cut(document, length):
        assert read(piece) == without_signs(plain(piece))


@given(documents("discord"))
def test_nobody_is_called_but_who_is_meant(document: Document) -> None:
    payload = words(document)
    allowed = payload["allowed_mentions"]
    assert (allowed["parse"], allowed["replied_user"]) == ([], False)
    assert set(allowed["users"]) <= {"42"}
    assert set(allowed["users"]) == set(CALLED["users"].findall(shown(payload["content"], {"42": "<@42>"}))) & {"42"}


@pytest.mark.parametrize("code", ["```py\n<@9> **x**\n```\n# y", "`````", "x ```", "``````\n```"])
@pytest.mark.parametrize("margin", ["", "> "])
def test_code_with_a_fence_of_its_own_stays_code(code: str, margin: str) -> None:
    said = from_markdown("".join(f"{margin}{line}\n" for line in f"``````````md\n{code}\n``````````".split("\n")))
    assert render(said).startswith(f"{margin}```md\n")
    assert render(said).count("```") == 2
    assert read(said) == without_signs(plain(said)) == code.split()
    heard = markup.document(render(said), {})
    assert heard == said


def test_code_with_a_fence_in_several_spans_stays_code() -> None:
    said = Document((Block((Text("a``"), marked("`b", Mark.BOLD)), BlockKind.CODE),))
    assert render(said) == "```\na``\u2060`b\n```"


@pytest.mark.parametrize("code", ["` `` ```", "a`b``c```d", "````", "` ```", "`` ```"])
@pytest.mark.parametrize("around", ["", "a", "`"])
def test_code_with_backticks_in_a_line_is_no_block(code: str, around: str) -> None:
    said = Document(((Text(around), marked(code, Mark.CODE), Text(around)),))
    assert "".join(read(said)) == "".join(plain(said).split())
    assert plain(markup.document(render(said), {})).split() == plain(said).split()


LONG = " ".join(["word"] * 40)


@pytest.mark.parametrize(
    ("said", "begins", "ends"),
    [
        ("```py\n" + "x = 1\n" * 60 + "```", "```py\n", "\n```"),
        (f"||{LONG}||", "||", "||"),
        (f"**{LONG}**", "**", "**"),
        (f"> {LONG}", "> ", "word"),
        (f"> > {LONG}", "> > ", "word"),
    ],
)
def test_what_is_cut_is_closed_and_opened_again(said: str, begins: str, ends: str) -> None:
    pieces = [render(piece) for piece in cut(from_markdown(said), 100)]
    assert len(pieces) > 1
    for piece in pieces:
        assert piece.startswith(begins)
        assert piece.endswith(ends)
        assert piece.count("```") % 2 == 0


def test_a_list_that_is_cut_goes_on_without_a_mark() -> None:
    first, second, *_ = [render(piece) for piece in cut(from_markdown(f"- {LONG}\n- last"), 100)]
    assert first.startswith("- word")
    assert second.startswith("word")


@pytest.mark.parametrize(
    ("document", "content"),
    [
        (Document(((marked("|| a", Mark.CODE, Mark.SPOILER),),)), r"||\|\| a||"),
        (Document(((marked("a|", Mark.SPOILER),),)), r"||a\| ||"),
        (Document(((marked("a*b", Mark.ITALIC),),)), r"_a\*b_"),
        (Document(((Text("snake_case "), marked("w", Mark.BOLD, Mark.ITALIC)),)), r"snake\_case **_w_**"),
        (Document(((Link("https://e.org/a", "one [two"),),)), r"one \[two (https://e.org/a)"),
        (Document(((Link("https://e.org/a_(b)", "[two]"),),)), r"[\[two\]](https://e.org/a_(b))"),
        (Document(((Mention("x", "9", "ana"), Text(" @everyone")),)), "@ana @everyone"),
        (from_markdown("> > - item\n> >\n> > ```\n> > x\n> > ```"), "> - item\n\n> ```\n> x\n> ```"),
    ],
)
def test_signs_that_would_run_into_each_other_are_kept_apart(document: Document, content: str) -> None:
    assert render(document) == content
    assert read(document) == without_signs(plain(document))


@pytest.mark.parametrize(
    ("link", "written"),
    [
        (Link("https://e.org/a||b|", None, (Mark.SPOILER,)), "||https://e.org/a%7C%7Cb%7C||"),
        (Link("https://e.org/a||b", "w", (Mark.SPOILER,)), "||[w](https://e.org/a%7C%7Cb)||"),
        (Link("https://e.org/a||b", "w"), "[w](https://e.org/a||b)"),
    ],
)
def test_an_address_doesnt_end_its_spoiler(link: Link, written: str) -> None:
    assert render(Document(((link,),))) == written


@pytest.mark.parametrize(
    ("behind", "written"),
    [
        (("、次",), "<https://e.org/a>、次"),
        (("字",), "<https://e.org/a>字"),
        ((".", "then"), "<https://e.org/a>.then"),
        ((". then",), "https://e.org/a. then"),
        ((").", " then"), "https://e.org/a). then"),
        ((), "https://e.org/a"),
    ],
)
def test_an_address_ends_before_what_the_client_would_take_for_more_of_it(
    behind: tuple[str, ...], written: str
) -> None:
    touching = tuple(marked(words, *([Mark.BOLD] if n else [])) for n, words in enumerate(behind))
    said = Document(((Link("https://e.org/a"), *touching),))
    assert render(said).replace("**", "") == written
    assert read(said) == plain(said).split()


@given(glued("discord"))
def test_what_touches_an_address_stays_outside_of_it(document: Document) -> None:
    meant = [span for span in spans(document) if isinstance(span, Link)]
    heard = markup.document(render(document), {"42": markup.Person("ben")})
    assert [span for span in spans(heard) if isinstance(span, Link)] == meant
    assert "".join(plain(heard).split()) == "".join(plain(document).split())

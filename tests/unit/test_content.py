"""The document: what is stored of it, and how it is written without markup."""

import msgspec
import pytest
from msgspec import structs

from gateway.model.content import (
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Media,
    Mention,
    Style,
    Text,
    blocks,
    marked,
    opened,
    plain,
    spelled,
    unopened,
    written,
)

BOLD = (Mark.BOLD,)
OLD_ROW = (
    b'{"paragraphs":[[{"type":"text","text":"Hello "},{"type":"mention","platform":"x","id":"1","handle":"ana",'
    b'"name":""}],[{"type":"link","url":"https://a.example","text":null}]]}'
)


def item(text: str, marker: str = "•", indent: int = 0, quote: int = 0) -> Block:
    return Block((Text(text),), BlockKind.ITEM, indent=indent, marker=marker, quote=quote)


def test_rows_that_were_stored_before_there_were_blocks_are_readable() -> None:
    found = msgspec.json.decode(OLD_ROW, type=Document)
    assert found.paragraphs == ((Text("Hello "), Mention("x", "1", "ana")), (Link("https://a.example"),))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Document) == found
    assert [each.kind for each in blocks(found)] == [BlockKind.PARAGRAPH] * 2


def test_blocks_and_paragraphs_stand_side_by_side_in_a_row() -> None:
    said = Document(((Text("a"),), Block((Text("b", BOLD),), BlockKind.HEADING, level=2), item("c")))
    assert msgspec.json.decode(msgspec.json.encode(said), type=Document) == said


def test_marks_are_sorted_and_none_is_there_twice() -> None:
    assert marked("a", Mark.STRIKE, Mark.BOLD, Mark.STRIKE).marks == (Mark.BOLD, Mark.STRIKE)


@pytest.mark.parametrize(
    ("paragraphs", "text"),
    [
        ([(Text("a"),), (Text("b"),)], "a\n\nb"),
        ([Block((Text("Title"),), BlockKind.HEADING, level=1), (Text("b"),)], "Title\n\nb"),
        ([item("a"), item("b"), item("c", indent=1), item("d")], "• a\n• b\n  • c\n• d"),
        ([item("a", "1."), item("more", ""), item("b", "2.")], "1. a\n  more\n2. b"),
        ([item("goes on", "")], "goes on"),
        ([item("a", indent=2), item("b", indent=2), item("c", indent=1)], "• a\n• b\n• c"),
        ([item("two\nlines")], "• two\n  lines"),
        ([Block((Text("a\nb", BOLD),), quote=1), Block((Text("c"),), quote=2)], "> a\n> b\n\n> > c"),
        ([item("a", quote=1), item("b", quote=1)], "> • a\n> • b"),
        ([Block((Text("if a:\n\n    b"),), BlockKind.CODE, language="py")], "if a:\n\n    b"),
        ([Block((Text("a | b"),), BlockKind.ROW), Block((Text("1 | 2"),), BlockKind.ROW)], "a | b\n1 | 2"),
        ([(Text("a"),), item("b"), (Text("c"),)], "a\n\n• b\n\nc"),
    ],
)
def test_plain_text_is_legible(paragraphs: list, text: str) -> None:
    assert plain(Document(tuple(paragraphs))) == text


def test_a_platform_may_have_signs_of_its_own() -> None:
    style = Style(bullet="-", quotes=1, headings=("#", "##"), fence="```")
    code = Block((Text("a ``` b"),), BlockKind.CODE, quote=2, language="py")
    head = Block((Text("Deep"),), BlockKind.HEADING, level=6)
    said = Document((head, item("a"), code, Block((Text("q"),), quote=1)))
    wanted = "## Deep\n\n- a\n\n> ````py\n> a ``` b\n> ````\n\nq"
    assert written(said, lambda span: span.text or "", style) == wanted  # type: ignore[union-attr]  # texts alone


CALL = (Mention("x", "1", "ana"), Text(" "))


@pytest.mark.parametrize(
    ("paragraphs", "text"),
    [
        ([], "@ana "),
        ([(Text("hello"),)], "@ana hello"),
        ([(Text("hello"),), (Text("more"),)], "@ana hello\n\nmore"),
        ([item("a")], "@ana \n\n• a"),
    ],
)
def test_words_are_put_before_a_document_and_taken_away(paragraphs: list, text: str) -> None:
    said = Document(tuple(paragraphs))
    assert plain(opened(said, *CALL)) == text
    assert unopened(opened(said, *CALL), *CALL) == said
    assert unopened(said, *CALL) == said


def test_a_picture_stays_with_its_paragraph_behind_words_of_their_own() -> None:
    said = Document(((Text("here"),), item("there")), (Media("ab", "image/png", 1, at=0), Media("cd", "image/png", 1)))
    behind = opened(structs.replace(said, paragraphs=(item("here"), item("there"))), *CALL)
    assert [one.at for one in behind.media] == [1, None]
    assert [one.at for one in opened(said, *CALL).media] == [0, None]
    assert [one.at for one in unopened(behind, *CALL).media] == [0, None]


@pytest.mark.parametrize("words", ["example.org/a", "https://example.org/a", "example.org/a/", ""])
def test_an_address_is_not_written_twice(words: str) -> None:
    assert spelled(Link("https://example.org/a", words)) == "https://example.org/a"


@pytest.mark.parametrize("words", ["example.org", "example.com/a", "the page", "//example.org/a"])
def test_other_words_stand_before_the_address(words: str) -> None:
    assert spelled(Link("https://example.org/a", words)) == f"{words} (https://example.org/a)"

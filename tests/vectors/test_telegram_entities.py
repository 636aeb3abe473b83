"""What Telegram's own server makes of marked-up texts (tdlib, Boost-1.0), held to what we read and write.

The cases lie beside the checkout (``../shared/vectors``) and are not ours to copy. They test the server's parser for
``parse_mode``. We have none, on purpose: a text that is sent with its entities can't fail to parse. So what they say
applies in three ways: no text of theirs, broken ones above all, is anything but words to us; what they mean, as a text
with entities, is read into a document and written again with each character set as it was; and a text is never sent
with a parse mode.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.telegram.entities import Entity, covered, document, render
from gateway.text.plain import from_text

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "telegram_parse_modes.json"

pytestmark = pytest.mark.skipif(not VECTORS.is_file(), reason="the shared vectors are not here")

NAMES = {
    "Bold": "bold",
    "Italic": "italic",
    "Strikethrough": "strikethrough",
    "Spoiler": "spoiler",
    "Code": "code",
    "Pre": "pre",
    "PreCode": "pre",
    "BlockQuote": "blockquote",
    "ExpandableBlockQuote": "blockquote",
    "TextUrl": "text_link",
    "Underline": "underline",
    "CustomEmoji": "custom_emoji",
}
UNKNOWN = {"underline", "custom_emoji"}
"""A document has no such thing: the words stay, plain."""
ALONE = ("pre", "code", "text_link")
"""Telegram sets these in no other way as well (td, MessageEntity.cpp), or a document doesn't: the first one counts."""
DATES = "a date that each reader sees in their own time is words to us: its entity is newer than the library"
BLANK = "a link under nothing that can be seen is written out, so that a reader sees where it leads"
ITSELF = "an address that shows itself needs no entity: the server finds it"


def vectors() -> list[dict[str, Any]]:
    if not VECTORS.is_file():
        return []
    data = json.loads(VECTORS.read_text(encoding="utf-8"))
    return [case for name in ("parse_html", "parse_markdown_v2") for case in data[name]]


CASES = vectors()
EXCEPTIONS = {
    **{case["text"]: DATES for case in CASES if case.get("entities_cpp")},
    "<a href=telegram.org>\t</a>": BLANK,
    "<a href=telegram.org>\r</a>": BLANK,
    "<a href=telegram.org>\n</a>": BLANK,
    "<a href=telegram.org> </a>": BLANK,
    '<a href  ="telegram.org"   > </a>': BLANK,
    "<a   href=  'telegram.org'   > </a>": BLANK,
    "<a   href=  'telegram.org?&lt;'   > </a>": BLANK,
    "[ ](telegram.org)": BLANK,
    "<a>https://telegram.org/asdsa?asdasdwe#12e3we</a>": ITSELF,
}
"""Which of the server's texts don't come out as they went in, and why that is right."""
MEANT = [case for case in CASES if case.get("result") is not None and case["text"] not in EXCEPTIONS]


def entity(case: dict[str, Any], each: dict[str, Any]) -> dict[str, Any]:
    """As the Bot API sends it."""
    what = {"type": NAMES[each["type"]], "offset": each["offset"], "length": each["length"]}
    if each["type"] == "TextUrl":
        return what | {"url": each["argument"]}
    return what | {"language": each["argument"]} if each["type"] == "PreCode" else what


def setting(text: str, entities: list[dict[str, Any]]) -> list[tuple[str, frozenset[str]]]:
    """Each character that is no space, and how it is set."""
    found = []
    unit = 0
    for character in text:
        over = {name for each in entities for name in _named(each) if _covers(each, unit)}
        unit += len(character.encode("utf-16-le")) // 2
        if not character.isspace():
            found.append((character, _effective(over - UNKNOWN)))
    return found


def _covers(each: dict[str, Any], unit: int) -> bool:
    begin: int = each["offset"]
    return begin <= unit < begin + int(each["length"])


def _named(each: dict[str, Any]) -> Iterator[str]:
    yield f"{each['type']} {each['url']}" if each.get("url") else str(each["type"])


def _effective(over: set[str]) -> frozenset[str]:
    for alone in ALONE:
        if first := {name for name in over if name.partition(" ")[0] == alone}:
            return frozenset(first | (over & {"blockquote"}))
    return frozenset(over)


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_markup_of_the_servers_is_words_to_us(case: dict[str, Any]) -> None:
    """What the server refuses to parse is what people write: it arrives as they wrote it."""
    words = render(from_text(case["text"]))
    assert words.text.split() == case["text"].split()
    for each in words.entities:  # nothing but addresses as they stand there
        assert each == {**each, "type": "text_link", "url": covered(words.text, msgspec.convert(each, Entity))}


@pytest.mark.parametrize("case", MEANT, ids=range(len(MEANT)))
def test_what_the_server_means_is_read_and_written_as_it_was(case: dict[str, Any]) -> None:
    given = [entity(case, each) for each in case["entities"]]
    said = document(case["result"], msgspec.convert(given, list[Entity]))
    words = render(said)
    assert setting(words.text, words.entities) == setting(case["result"], given)


def test_every_exception_is_a_case_and_needed() -> None:
    """So that none stays in the list once it passes."""
    texts = {case["text"]: case for case in CASES}
    assert len(CASES) == 212
    for text, why in EXCEPTIONS.items():
        case = texts[text]
        given = [entity(case, each) for each in case["entities"] or []]
        words = render(document(case["result"], msgspec.convert(given, list[Entity])))
        same = setting(words.text, words.entities) == setting(case["result"], given)
        assert same == (why == DATES)

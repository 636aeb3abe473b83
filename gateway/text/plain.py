"""Plain words as a Document: what agents, the command line and platforms without markup give us."""

# ruff: noqa: RUF001 - full-width punctuation is meant: it ends an address in Chinese and Japanese

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import regex

from gateway.model.content import Document, Link, Paragraph, Span, Text

_BLANK_LINES = regex.compile(r"\n(?:[^\S\n]*+\n)++")
_URL = regex.compile(
    r"""(?<![A-Za-z0-9])https?://[\p{L}\p{N}\[][^\s<>"“”„«»、。，！？；：「」『』（）【】《》〈〉〔〕\p{Bidi_Control}\u2060]*+""",
    regex.IGNORECASE,
)
_MARKUP = regex.compile(r"\]\(|\]\[|\|\||\*\*|~~|`")
_NOT_LAST = ".,;:!?'*_~…"
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def from_text(text: str) -> Document:
    """Paragraphs at blank lines; http(s) addresses become links. Never fails; blank text gives no paragraphs."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    blocks = (block.strip("\n").rstrip() for block in _BLANK_LINES.split(lines))
    return Document(tuple(_paragraph(block) for block in blocks if block))


def address_at(text: str, begin: int, end: int) -> str:
    """The web address that Markdown text has at this place, or nothing."""
    found = _URL.match(text, begin, end)
    return _without_tail(_MARKUP.split(found.group(), maxsplit=1)[0]) if found else ""


def _paragraph(text: str) -> Paragraph:
    return tuple(_spans(text))


def _spans(text: str) -> Iterator[Span]:
    position = 0
    for match in _URL.finditer(text):
        url = _without_tail(match.group())
        if match.start() > position:
            yield Text(text[position : match.start()])
        yield Link(url)
        position = match.start() + len(url)
    if position < len(text):
        yield Text(text[position:])


def _without_tail(url: str) -> str:
    """An address as its writer meant it: without the sentence's full stop or a bracket it didn't open."""
    count = Counter(url)
    end = len(url)
    while url[end - 1] in _NOT_LAST or count[url[end - 1]] > count[_BRACKETS.get(url[end - 1], url[end - 1])]:
        end -= 1
        count[url[end]] -= 1
    return url[:end]

"""The HTML of a status as the blocks of a document. Apart from content.py because it is all there is about HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser

import nh3
from msgspec import Struct

from gateway.model.content import BULLET, Block, BlockKind, Link, Mark, Mention, Paragraph, Span, Text, marked

HTML_MAX = 65_536
"""Characters of a status that are looked at: over a hundred times what Mastodon itself lets people write."""
SPANS_MAX = 1_000
TAGS_MAX = 4 * SPANS_MAX
"""The parser's work goes with the square of what is open at once."""
DEPTH_MAX = 8
"""Of lists and quotations in each other; what is deeper is shown at this depth."""

_MARKS = {
    "b": Mark.BOLD,
    "strong": Mark.BOLD,
    "i": Mark.ITALIC,
    "em": Mark.ITALIC,
    "s": Mark.STRIKE,
    "del": Mark.STRIKE,
    "code": Mark.CODE,
}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = frozenset({"ul", "ol"})
_BLOCKS = frozenset({"p", "div", "li", "blockquote", "pre", *_LISTS, *_HEADINGS})
_TAGS = {*_BLOCKS, *_MARKS, "a", "br", "span", "u", "ruby", "rt", "rp"}
_ATTRIBUTES = {"a": {"href", "class"}, "span": {"class"}, "p": {"class"}, "ol": {"start"}}
_SHORTENING = frozenset({"invisible", "ellipsis"})
_FALLBACK = "quote-inline"
"""The class of a paragraph that is for readers without quoted posts: masto quote_inline in text_formatter.rb."""

Paragraphs = tuple[Paragraph | Block, ...]


def blocks(html: str, mentioned: Callable[[str], Mention | None], *, quoting: bool = False) -> Paragraphs:
    """What a reader sees. ``mentioned`` knows whom a profile's address names; ``quoting`` says whether the quoted post
    is known, so that the line which stands for it isn't shown.

    Bounded: more than :data:`HTML_MAX` characters, :data:`TAGS_MAX` tags or :data:`SPANS_MAX` spans are cut off. Never
    fails.
    """
    bounded = "<".join(html[:HTML_MAX].split("<", TAGS_MAX + 1)[: TAGS_MAX + 1])
    clean = nh3.clean(bounded, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes={"http", "https"}, link_rel=None)
    walker = _Walker(mentioned, quoting=quoting)
    walker.feed(clean)
    walker.close()
    return tuple(walker.finished())


class _Anchor(Struct):
    url: str
    classes: frozenset[str]
    text: str = ""
    shortened: bool = False


class _List(Struct):
    """An open list: the number of its next item, or None where it has bullets."""

    number: int | None

    def marker(self) -> str:
        if self.number is None:
            return BULLET
        self.number += 1
        return f"{self.number - 1}."


class _Walker(HTMLParser):
    """Flat: it keeps one open block, one open link, and counts of what is open around, whatever the depth."""

    def __init__(self, mentioned: Callable[[str], Mention | None], *, quoting: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._mentioned = mentioned
        self._quoting = quoting
        self._done: list[Paragraph | Block] = []
        self._spans: list[Span] = []
        self._anchor: _Anchor | None = None
        self._count = 0
        self._open: Counter[str] = Counter()
        self._lists: list[_List] = []
        self._heading = 0
        self._marker = ""
        self._skipping = False

    def finished(self) -> list[Paragraph | Block]:
        self._end_block()
        return self._done

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = frozenset(given.get("class", "").split())
        if tag in _BLOCKS:
            self._begin_block(tag, given, classes)
        elif tag == "br":
            self._break()
        elif tag == "a":
            self._end_anchor()
            self._anchor = _Anchor(given.get("href", ""), classes)
        elif self._anchor is not None and classes & _SHORTENING:
            self._anchor.shortened = True
        self._open[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._end_anchor()
        elif tag in _BLOCKS:
            self._end_block()
            self._skipping = False
            if tag in _LISTS and self._lists and self._open[tag] <= DEPTH_MAX:
                self._lists.pop()
            elif tag in _HEADINGS:
                self._heading = 0
            elif tag == "li":
                self._marker = ""
        self._open[tag] = max(0, self._open[tag] - 1)

    def handle_data(self, data: str) -> None:
        text = data if self._open["pre"] else data.replace("\n", " ")
        if self._skipping:
            return
        if self._anchor is not None:
            self._anchor.text += text
        else:
            self._say(text)

    def _begin_block(self, tag: str, given: dict[str, str], classes: frozenset[str]) -> None:
        self._end_block()
        self._skipping = self._quoting and _FALLBACK in classes
        if tag in _LISTS and self._open[tag] < DEPTH_MAX:
            start = given.get("start", "1")
            number = int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1
            self._lists.append(_List(number if tag == "ol" else None))
        elif tag == "li":
            self._marker = self._lists[-1].marker() if self._lists else BULLET
        elif tag in _HEADINGS:
            self._heading = _HEADINGS[tag]

    def _say(self, text: str) -> None:
        if not self._spans:
            text = text.lstrip("\n") if self._open["pre"] else text.lstrip()
        if not text:
            return
        marks = () if self._open["pre"] else tuple({mark for tag, mark in _MARKS.items() if self._open[tag]})
        said, last = marked(text, *marks), self._spans[-1] if self._spans else None
        if isinstance(last, Text) and last.marks == said.marks:
            self._spans[-1] = Text(last.text + text, last.marks)
        else:
            self._add(said)

    def _add(self, span: Span) -> None:
        self._count += 1
        if self._count <= SPANS_MAX:
            self._spans.append(span)

    def _break(self) -> None:
        """A line break; the second in a row ends the paragraph, for a text never holds a blank line."""
        self._end_anchor()
        last = self._spans[-1] if self._spans else None
        if self._open["pre"]:
            self._say("\n")
        elif isinstance(last, Text) and last.text.rstrip(" ").endswith("\n"):
            self._end_block()
        elif last is not None:
            self._say("\n")

    def _end_anchor(self) -> None:
        anchor, self._anchor = self._anchor, None
        if anchor is None or self._skipping:
            return
        span = self._span(anchor)
        if isinstance(span, Text):
            self._say(span.text)
        else:
            self._add(span)

    def _span(self, anchor: _Anchor) -> Span:
        if not anchor.url or "hashtag" in anchor.classes:
            return Text(anchor.text)
        if "mention" in anchor.classes and (person := self._mentioned(anchor.url)) is not None:
            return person
        hidden = anchor.shortened or not anchor.text.strip() or anchor.text == anchor.url
        return Link(anchor.url, None if hidden else anchor.text)

    def _end_block(self) -> None:
        self._end_anchor()
        spans, self._spans = self._spans, []
        last = spans[-1] if spans else None
        if isinstance(last, Text):
            trimmed = Text(last.text.rstrip(), last.marks)
            spans[-1:] = [trimmed] if trimmed.text else []
        if spans:
            self._done.append(self._block(tuple(spans)))

    def _block(self, spans: Paragraph) -> Paragraph | Block:
        quote = min(self._open["blockquote"], DEPTH_MAX)
        if self._open["pre"]:
            return Block((Text("".join(map(_words, spans))),), BlockKind.CODE, quote=quote)
        if self._heading:
            return Block(spans, BlockKind.HEADING, level=self._heading, quote=quote)
        if self._open["li"]:
            marker, self._marker = self._marker, ""
            indent = max(0, min(len(self._lists), DEPTH_MAX) - 1)
            return Block(spans, BlockKind.ITEM, quote=quote, indent=indent, marker=marker)
        return Block(spans, quote=quote) if quote else spans


def _words(span: Span) -> str:
    match span:
        case Text(text):
            return text
        case Link(url, text):
            return text or url
        case Mention(_, _, handle, _):
            return f"@{handle}"

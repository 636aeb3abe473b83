"""The HTML of a status as paragraphs of spans. Apart from translate.py because it is all there is about HTML."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import nh3

from gateway.model.content import Link, Mention, Paragraph, Span, Text

HTML_MAX = 65_536
"""Characters of a status that are looked at: over a hundred times what Mastodon itself lets people write."""
SPANS_MAX = 1_000

_BLOCKS = frozenset({"p", "div", "blockquote", "ul", "ol", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_TAGS = {*_BLOCKS, "a", "br", "li", "span"}
_ATTRIBUTES = {"a": {"href", "class"}, "span": {"class"}}
_SHORTENING = frozenset({"invisible", "ellipsis"})


def paragraphs(html: str, mentioned: Callable[[str], Mention | None]) -> tuple[Paragraph, ...]:
    """What a reader sees, as plain spans. ``mentioned`` knows whom a profile's address names.

    Bounded: more than :data:`HTML_MAX` characters or :data:`SPANS_MAX` spans are cut off.
    """
    clean = nh3.clean(html[:HTML_MAX], tags=_TAGS, attributes=_ATTRIBUTES, url_schemes={"http", "https"}, link_rel=None)
    walker = _Walker(mentioned)
    walker.feed(clean)
    walker.close()
    return tuple(walker.finished())


class _Anchor:
    def __init__(self, url: str, classes: frozenset[str]) -> None:
        self.url = url
        self.classes = classes
        self.text = ""
        self.shortened = False


class _Walker(HTMLParser):
    """Flat: it keeps one open paragraph and one open link, whatever the depth of the tags."""

    def __init__(self, mentioned: Callable[[str], Mention | None]) -> None:
        super().__init__(convert_charrefs=True)
        self._mentioned = mentioned
        self._done: list[Paragraph] = []
        self._spans: list[Span] = []
        self._anchor: _Anchor | None = None
        self._count = 0

    def finished(self) -> list[Paragraph]:
        self._end_anchor()
        self._end_paragraph()
        return self._done

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = frozenset(given.get("class", "").split())
        if tag in _BLOCKS:
            self._end_paragraph()
        elif tag == "br":
            self._break()
        elif tag == "li":
            self._break()
            self._say("- ")
        elif tag == "a":
            self._end_anchor()
            self._anchor = _Anchor(given.get("href", ""), classes)
        elif self._anchor is not None and classes & _SHORTENING:
            self._anchor.shortened = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._end_anchor()
        elif tag in _BLOCKS:
            self._end_paragraph()

    def handle_data(self, data: str) -> None:
        text = data.replace("\n", " ")
        if self._anchor is not None:
            self._anchor.text += text
        else:
            self._say(text)

    def _say(self, text: str) -> None:
        if not self._spans:
            text = text.lstrip()
        last = self._spans[-1] if self._spans else None
        if isinstance(last, Text):
            self._spans[-1] = Text(last.text + text)
        elif text:
            self._add(Text(text))

    def _add(self, span: Span) -> None:
        self._count += 1
        if self._count <= SPANS_MAX:
            self._spans.append(span)

    def _break(self) -> None:
        """A line break; the second in a row ends the paragraph, for a text never holds a blank line."""
        self._end_anchor()
        last = self._spans[-1] if self._spans else None
        if isinstance(last, Text) and last.text.rstrip(" ").endswith("\n"):
            self._end_paragraph()
        elif last is not None:
            self._say("\n")

    def _end_anchor(self) -> None:
        anchor, self._anchor = self._anchor, None
        if anchor is None:
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

    def _end_paragraph(self) -> None:
        self._end_anchor()
        spans, self._spans = self._spans, []
        last = spans[-1] if spans else None
        if isinstance(last, Text):
            trimmed = Text(last.text.rstrip())
            spans[-1:] = [trimmed] if trimmed.text else []
        if spans:
            self._done.append(tuple(spans))

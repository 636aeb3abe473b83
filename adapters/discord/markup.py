"""Discord's Markdown: documents as a message's content, and back. Apart from translate.py because it is all there is
about text.

What the writer didn't mean as markup is escaped, as Discord's client (simple-markdown) reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import zip_longest
from typing import NamedTuple

from msgspec import structs

from gateway.model.content import (
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Mention,
    Paragraph,
    Piece,
    Span,
    Style,
    Text,
    is_address,
    layout,
    spelled,
)
from gateway.text.markdown import from_markdown, joined

PLATFORM = "discord"
ID = re.compile(r"\d{1,20}")
JOINER = "\u2060"
"""Nobody sees it, and no fence goes across it."""
_STYLE = Style(bullet="-", headings=("#", "##", "###"), fence="```")
_SIGNS = {Mark.SPOILER: "||", Mark.STRIKE: "~~", Mark.BOLD: "**", Mark.ITALIC: "*"}
"""From the outermost to the innermost."""
_ESCAPED = re.compile(
    r"[*_`\[]"  # an underscore within a word, too: emphasis begins there where any later one, in code even, ends it
    r"|(?:(?<=~)|\A)~|~(?=~|\Z)|(?:(?<=\|)|\A)\||\|(?=\||\Z)"  # these are signs in pairs
    r"|<(?=[@#:]|/[^<>\n]*:\d|a:|t:|id:|\w+://)"
    r"|\\(?=[^\w\s]|_|\n|\Z)"
)
_SIGN = re.compile(r"[*_`\[~|<\\]")
"""Begins all of them; most texts have none, and it is found much faster."""
_AT_LINE = re.compile(r"^(\s*)(?:(#{1,6}|-#?|\+)(?=\s|$)|(>)|(\d{1,9})([.)])(?=\s|$))", re.MULTILINE)
_EDGES = re.compile(r"(\s*)(.*?)(\s*)\Z", re.DOTALL)
_ENDS_ADDRESS = re.compile(r"""[.,:;"'\])]*+(?:[\s<]|\Z)""")
_NOT_LAST = """.,:;!?"'*_~]"""
_BARE = re.compile(r"https?://[^\s<>]+", re.IGNORECASE)
_LOOKS_LIKE_ADDRESS = re.compile(r"://|\w\.\w", re.ASCII)
_TOKEN = re.compile(
    r"(?<!\\)(?P<escapes>(?:\\\\)*)"
    r"(?:<@!?(?P<user>\d{1,20})>|<(?P<emoji>a?:\w{1,40}:\d{1,20}|t:\d{1,11}(?::[dDfFrRsStT])?)>)"
)
"""A time is a sign like an emoji: both mean nothing until they are shown."""
_AS_MARKDOWN = re.compile(rf"<mention:(?:{PLATFORM}:id=(?P<user>\d{{1,20}})|emoji:id=(?P<emoji>[\w:]{{1,80}}))>")
_EMOJI = re.compile(r"a?(:\w{1,40}:)\d{1,20}")
_TIME = re.compile(r"t:(\d{1,11})(?::([a-zA-Z]))?")
_BALANCED = re.compile(r"[^()]*(?:\([^()]*\)[^()]*)*")
_PAIRED = re.compile(r"[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*")
_FENCE = re.compile("``(?=`)")
_PARTED = re.compile(f"`{JOINER}(?=`)")
_REST_QUOTED = re.compile(r"^>>> ([\s\S]*)", re.MULTILINE)


# Out.


def render(document: Document) -> str:
    """A message's content."""
    pen = _Pen()
    paragraphs = tuple(_unfenced(_unnested(paragraph)) for paragraph in document.paragraphs)
    document = structs.replace(document, paragraphs=paragraphs)
    pieces = _joined(layout(document, _STYLE))
    for piece, *following in zip_longest(pieces, pieces[1:], pieces[2:]):
        if piece.span is None:
            pen.decorate(piece.text)
        elif piece.block.kind is BlockKind.CODE:
            pen.decorate(spelled(piece.span))
        else:
            pen.say(piece.span, "".join(map(_told, following)))
    return pen.finished()


def _told(piece: Piece | None) -> str:
    if piece is None:
        return ""
    return spelled(piece.span) if piece.span else piece.text


def _unnested(paragraph: Paragraph | Block) -> Paragraph | Block:
    """Discord knows no quotation in another. The signs of an inner one are words there: what would no longer be read as
    code, an item or a heading behind them has none.
    """
    if isinstance(paragraph, Block) and paragraph.quote > 1 and paragraph.kind is not BlockKind.PARAGRAPH:
        return structs.replace(paragraph, quote=1)
    return paragraph


def _unfenced(paragraph: Paragraph | Block) -> Paragraph | Block:
    """Discord ends code at the first three backticks, however many it began with."""
    if not isinstance(paragraph, Block) or paragraph.kind is not BlockKind.CODE:
        return paragraph
    code = "".join(map(spelled, paragraph.spans))
    parted = _FENCE.sub(f"``{JOINER}", code)
    return paragraph if parted == code else structs.replace(paragraph, spans=(Text(parted),))


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Texts that are set the same way and stand together are one: their signs would run into each other."""
    found: list[Piece] = []
    for piece in pieces:
        last, span = found[-1].span if found else None, piece.span
        if isinstance(last, Text) and isinstance(span, Text) and last.marks == span.marks:
            found[-1] = Piece("", Text(last.text + span.text, last.marks), piece.block)
        else:
            found.append(piece)
    return found


def spell(mention: Mention) -> str:
    """Only people of this platform become pings."""
    if mention.platform == PLATFORM and ID.fullmatch(mention.id):
        return f"<@{mention.id}>"
    return escaped(spelled(mention))


def escaped(text: str, *, at_line: bool = False) -> str:
    """A text that is read as just these characters; ``at_line`` where a line begins with it."""
    safe = _ESCAPED.sub(r"\\\g<0>", text) if _SIGN.search(text) else text
    if at_line or "\n" in safe:
        head = 0 if at_line else safe.find("\n")
        safe = safe[:head] + _AT_LINE.sub(_unlined, safe[head:])
    return safe


def _unlined(found: re.Match[str]) -> str:
    space, sign, quote, number, stop = found.groups()
    return f"{space}{number}\\{stop}" if number else f"{space}\\{sign or quote}"


class _Pen:
    """Writes, and keeps track of the marks that are open."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._open: list[tuple[Mark, str]] = []
        self._at_line = True

    def finished(self) -> str:
        self._set(())
        return "".join(self._done)

    def decorate(self, text: str) -> None:
        self._set(())
        self._write(text)
        self._at_line = True

    def say(self, span: Span, following: str) -> None:
        """``following`` is what comes next, unwritten: what a sign may be depends on it."""
        if isinstance(span, Text):
            self._text(span, following)
            return
        self._set(span.marks, following)
        self._write(spell(span) if isinstance(span, Mention) else _link(_hideable(span), self._ended, following))
        self._at_line = False

    def _text(self, span: Text, following: str) -> None:
        """Signs touch the words: blanks at the edges stay outside of them."""
        found = _EDGES.match(span.text) if span.marks else None
        before, words, after = found.groups() if found else ("", span.text, "")
        if before:
            self._set(())
            self._write(before)
        if words:
            self._set(span.marks, after or following, words)
            code = Mark.CODE in span.marks and not any(sign in words for _, sign in self._open)
            self._write(_code(words) if code else escaped(words, at_line=self._at_line))
            self._at_line = words.endswith("\n")
        if after:
            self._set(())
            self._write(after)

    def _set(self, marks: tuple[Mark, ...], following: str = "", words: str = "") -> None:
        """Close and open marks until these are open around the words."""
        if not (marks or self._open):
            return
        wanted = [mark for mark in _SIGNS if mark in marks]
        kept = 0
        while kept < min(len(self._open), len(wanted)) and self._fits(kept, wanted[kept], words):
            kept += 1
        for _, sign in reversed(self._open[kept:]):
            self._close(sign)
        del self._open[kept:]
        for mark in wanted[kept:]:
            sign = self._sign(mark, following, words)
            if sign:
                self._open.append((mark, sign))
                self._write(sign)

    def _fits(self, index: int, mark: Mark, words: str) -> bool:
        """Whether what is open there is this mark, and goes on around the words: a star ends at the first other one,
        escaped or not.
        """
        opened, sign = self._open[index]
        return opened is mark and not (sign == "*" and "*" in words)

    def _close(self, sign: str) -> None:
        """Some signs end at the first two of their characters, though one be escaped: it stands apart."""
        if sign in ("||", "~~") and self._ended[-1:] == sign[0]:
            self._write(" ")
        self._write(sign)

    @property
    def _ended(self) -> str:
        return self._done[-1] if self._done else ""

    def _sign(self, mark: Mark, following: str, words: str) -> str:
        """Signs that touch, or touch their like in the words, would be read as one: italic has another, the rest is
        left out.
        """
        apart = not self._ended.endswith(_SIGNS[mark][0])
        if mark is Mark.STRIKE and words.endswith("~"):
            return ""
        if mark is not Mark.ITALIC:
            return _SIGNS[mark] if apart else ""
        if apart and "*" not in words:
            return "*"
        closes = not (following and following[0].isalnum())
        return "_" if closes and self._ended[-1:] not in ("_", "~") else ""

    def _write(self, text: str) -> None:
        if text:
            self._done.append(text)


def _code(words: str) -> str:
    """Three backticks would begin a block: where neither one nor two will do, those in the words are parted."""
    runs = {len(run) for run in re.findall("`+", words)}
    if runs >= {1, 2}:
        words = re.sub("`(?=`)", f"`{JOINER}", words)
    fence = "``" if 1 in runs else "`"
    words = " ".join(words.split("\n"))
    return f"{fence} {words} {fence}" if words.startswith("`") or words.endswith("`") else f"{fence}{words}{fence}"


def _hideable(link: Link) -> Link:
    """A spoiler ends at the first two bars, in an address too."""
    return structs.replace(link, url=link.url.replace("|", "%7C")) if Mark.SPOILER in link.marks else link


def _link(link: Link, before: str, following: str) -> str:
    """Behind its words, unless those look like an address themselves: Discord shows such a link as it stands."""
    words = " ".join((link.text or "").split())
    if not words or is_address(words, link.url):
        return _bounded(link.url, before, following)
    if not link.url.startswith(("http://", "https://")):
        return f"{escaped(words)} ({link.url})"
    if _LOOKS_LIKE_ADDRESS.search(words) or not _PAIRED.fullmatch(words):
        return f"{escaped(words)} ({_bounded(link.url, '(', ')' + following)})"
    url = link.url.replace("\\", "%5C")
    if not _BALANCED.fullmatch(url):
        url = url.replace("(", "%28").replace(")", "%29")
    return "[" + escaped(words).replace("]", r"\]") + f"]({url})"


def _bounded(url: str, before: str, following: str) -> str:
    """Discord finds no address behind a letter, and takes all up to white space or ``<`` for more of it, but for some
    signs at its end; in angle brackets it is what they hold, and has no preview.
    """
    alone = not before[-1:].isalnum() and _ENDS_ADDRESS.match(following) and url[-1:] not in _NOT_LAST
    return url if alone or not _BARE.fullmatch(url) else f"<{url}>"


# In.


class Person(NamedTuple):
    """Whom a message names."""

    username: str
    name: str = ""


def document(content: str, people: Mapping[str, Person]) -> Document:
    """The words of a message, with its links and mentions."""
    told = _TOKEN.sub(_untokened, _REST_QUOTED.sub(_quoted, content))
    said = from_markdown(told, chat=True)
    return Document(tuple(_named(paragraph, people) for paragraph in said.paragraphs))


def _untokened(found: re.Match[str]) -> str:
    """Discord's own spelling of people, emoji and times, as Markdown has them."""
    called = f"emoji:id={found['emoji']}" if found["emoji"] else f"{PLATFORM}:id={found['user']}"
    return f"{found['escapes']}<mention:{called}>"


def _retokened(found: re.Match[str]) -> str:
    return f"<{found['emoji']}>" if found["emoji"] else f"<@{found['user']}>"


def _quoted(found: re.Match[str]) -> str:
    return "\n".join(f"> {line}" for line in found[1].split("\n"))


def _named(paragraph: Paragraph | Block, people: Mapping[str, Person]) -> Paragraph | Block:
    if not isinstance(paragraph, Block):
        return tuple(joined(_person(span, people) for span in paragraph))
    return structs.replace(paragraph, spans=tuple(joined(_person(span, people) for span in paragraph.spans)))


def _person(span: Span, people: Mapping[str, Person]) -> Span:
    """Whom a mention names. People of other platforms can't be called from here, whatever somebody writes."""
    if isinstance(span, Text):
        return Text(_PARTED.sub("`", _AS_MARKDOWN.sub(_retokened, span.text)), span.marks)
    if not isinstance(span, Mention):
        return span
    if emoji := _EMOJI.fullmatch(span.id):
        return Text(emoji[1], span.marks)
    if time := _TIME.fullmatch(span.id):
        return Text(_moment(int(time[1]), time[2]), span.marks)
    if span.platform != PLATFORM or not ID.fullmatch(span.id):
        return Text(span.name or f"@{span.handle or span.id}", span.marks)
    user = people.get(span.id) or Person(span.id)
    return Mention(PLATFORM, span.id, user.username, user.name, span.marks)


def _moment(unix_s: int, style: str | None) -> str:
    """A time as readers elsewhere understand it; Discord shows each reader their own zone."""
    told = "%Y-%m-%d" if style in ("d", "D") else "%Y-%m-%d %H:%M UTC"
    return datetime.fromtimestamp(unix_s, UTC).strftime(told)

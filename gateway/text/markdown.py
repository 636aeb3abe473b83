"""CommonMark as a Document: what agents write, and what a platform with Markdown tells.

Beyond CommonMark: tables and ``~~strikes~~`` as on GitHub, ``||spoilers||``, bare addresses as links, and
``[Ana](mention:x:@ana)`` for a person. HTML is text. Pictures leave the text and become media. docs/text.md has the
rule for each construct.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import structs

from gateway.model.content import (
    BULLET,
    CELL,
    RULE,
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Media,
    Mention,
    Paragraph,
    Span,
    Text,
    marked,
)
from gateway.model.identity import SPELLED
from gateway.text import syntax
from gateway.text.plain import from_text

MARKDOWN_MAX = 1_000_000
"""Characters; a longer text is read as plain words."""
ANY_PICTURE = "image/*"
"""What a picture is before it is fetched."""
NESTING_MAX = 20
"""Lists and quotations in each other; a text with more is read as plain words."""

_MARKS = {"strong": Mark.BOLD, "em": Mark.ITALIC, "s": Mark.STRIKE, "spoiler": Mark.SPOILER}
_MEANT = frozenset({Mark.SPOILER, Mark.STRIKE})
"""Without these marks a link would say something else. Its look is left to the platform."""
_WEB = re.compile(r"https?://[^\W_][^\s<>\"]*|https?://\[[^\s<>\"]*", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
_LANGUAGE = re.compile(r"[\w+#.-]{1,40}")
_WORDS_ALONE = re.compile(r"[^\W\d_][^\x00-\x1f\\`*_\[\]<>|~&:]*(?<!\s)")
"""One line in which nothing is markup: most of what is said in chats, and the parser takes ten times as long for it."""
_NOT_IN_CHATS = ["table", "code", "hr", "reference", "lheading", "entity", "image"]
log = logging.getLogger(__name__)


def from_markdown(text: str, *, chat: bool = False, files: Mapping[str, Media] | None = None) -> Document:
    """What the text means. Never fails, and loses no word: what can't be read as Markdown is read as plain text.

    A picture on the web becomes media that are yet to be fetched, at the paragraph it stands in or after. One that is
    named otherwise stays text, unless it is one of ``files``.

    With ``chat``: the lesser Markdown of chats, without tables, rules, images, entities, indented code and references,
    and where a mark may end before a letter.
    """
    if _WORDS_ALONE.fullmatch(text):
        return Document(((Text(text),),))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MARKDOWN_MAX:
        return from_text(text)
    known = _References()
    try:
        tokens = _parser(chat=chat).parse(text, {"references": known})
    except Exception:  # a text must not stop its delivery, whatever the parser makes of it
        log.exception("a text of %d characters could not be read as Markdown", len(text))
        return from_text(text)
    if any(token.level >= NESTING_MAX - 1 for token in tokens if token.type in ("blockquote_open", "list_item_open")):
        return from_text(text)
    reader = _Reader(files or {})
    reader.read(tokens)
    said = Document((*reader.found, *_unused(known, text)), tuple(reader.media))
    return from_text(text) if said.is_empty else said


def local_pictures(text: str) -> tuple[str, ...]:
    """The names of pictures that are not on the web, as the text has them."""
    try:
        tokens = _parser(chat=False).parse(text)
    except Exception:  # it will be taken for plain words
        log.exception("a text of %d characters could not be read as Markdown", len(text))
        return ()
    found = (str(image.attrs.get("src", "")) for token in tokens for image in _images(token.children or ()))
    return tuple(dict.fromkeys(name for name in found if name and not _SCHEME.match(name)))


def _images(children: Sequence[Token]) -> Iterator[Token]:
    """Those that are shown: in a link there is only their description."""
    depth = 0
    for token in children:
        depth += token.nesting if token.type in ("link_open", "link_close") else 0
        if token.type == "image" and not depth:
            yield token


@functools.cache
def _parser(*, chat: bool) -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "maxNesting": NESTING_MAX})
    parser.enable(["table", "strikethrough"])
    syntax.extend(parser, lenient=chat)
    return parser.disable(_NOT_IN_CHATS) if chat else parser


class _Parser(MarkdownIt):
    """Takes addresses as they are written: what becomes a link is decided here, and each platform encodes by itself."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the library's name
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802 - the library's name
        return link

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - the library's name and argument
        return True


class _References(dict[str, Any]):
    """Definitions of addresses, that know which of them were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[str] = set()

    def get(self, label: str, default: Any = None) -> Any:
        self.used.add(label)
        return super().get(label, default)


def _unused(known: _References, text: str) -> Iterable[Paragraph | Block]:
    """Definitions that nothing refers to: a reader would never see them."""
    lines = text.split("\n")
    for label, (first, beyond) in sorted(((k, v["map"]) for k, v in known.items()), key=lambda item: item[1]):
        if label not in known.used:
            yield from from_text("\n".join(lines[first:beyond])).paragraphs


class _List:
    def __init__(self, token: Token) -> None:
        self._number = int(token.attrs.get("start", 1)) if token.type == "ordered_list_open" else None
        self._sign = token.markup

    def marker(self) -> str:
        if self._number is None:
            return BULLET
        self._number += 1
        return f"{self._number - 1}{self._sign}"


class _Reader:
    """Goes through the tokens of blocks and notes down ours."""

    def __init__(self, files: Mapping[str, Media]) -> None:
        self.found: list[Paragraph | Block] = []
        self.media: list[Media] = []
        self._files = files
        self._placed = 0
        """So many of the media have their place."""
        self._quote = 0
        self._lists: list[_List] = []
        self._marker: str | None = None
        """That of an item of which nothing was noted yet."""
        self._level = 0
        self._cells: list[Paragraph] | None = None
        self._marks: tuple[Mark, ...] = ()

    def read(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            match token.type:
                case "inline":
                    self._words(token.children or ())
                case "fence" | "code_block":
                    self._code(token)
                case "hr":
                    self._begin_item()
                    self._note(Block((Text(RULE),), BlockKind.RULE, quote=self._quote))
                case "blockquote_open" | "blockquote_close":
                    self._quote += token.nesting
                case "bullet_list_open" | "ordered_list_open":
                    self._begin_item()
                    self._lists.append(_List(token))
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                case "list_item_open":
                    self._marker = self._lists[-1].marker()
                case "list_item_close":
                    self._begin_item()
                case _:
                    self._line(token)

    def _line(self, token: Token) -> None:
        """What is one line: a heading, or a row of a table."""
        match token.type:
            case "heading_open" | "heading_close":
                self._level = int(token.tag[1:]) if token.nesting > 0 else 0
            case "th_open" | "th_close":
                self._marks = (Mark.BOLD,) if token.nesting > 0 else ()
            case "tr_open":
                self._cells = []
            case "tr_close":
                cells, self._cells = self._cells or [], None
                row = [span for cell in cells for span in (Text(CELL), *cell)][1:]
                self._begin_item()
                self._note(Block(tuple(joined(row)), BlockKind.ROW, quote=self._quote))

    def _words(self, children: Sequence[Token]) -> None:
        in_item = bool(self._lists)
        marks = (Mark.BOLD,) if self._level and in_item else self._marks
        line = _spans(children, marks, " " if self._level or self._cells is not None else "\n", self._files)
        spans = tuple(_closed_up(line))
        shown = [one for one in line if isinstance(one, Media)]
        self.media += shown
        if shown and not spans and self._cells is None:
            self._marker = None
            self._place(max(len(self.found) - 1, 0))
        elif self._cells is not None:
            self._cells.append(spans)
        elif in_item:
            self._item(spans)
        elif self._level:
            self._note(Block(spans, BlockKind.HEADING, level=self._level, quote=self._quote))
        elif spans:
            self._note(Block(spans, quote=self._quote) if self._quote else spans)

    def _item(self, spans: Paragraph) -> None:
        marker, self._marker = self._marker or "", None
        kind = BlockKind.ITEM
        self._note(Block(spans, kind, quote=self._quote, indent=len(self._lists) - 1, marker=marker))

    def _begin_item(self) -> None:
        """An item that begins with something else than words, or has none, shows its marker by itself."""
        if self._marker is not None:
            self._item(())

    def _code(self, token: Token) -> None:
        language = token.info.strip()
        lines = token.content.removesuffix("\n")
        if not _LANGUAGE.fullmatch(language):
            language, lines = "", f"{language}\n{lines}" if language else lines
        self._begin_item()
        if lines.strip():
            self._note(Block((Text(lines),), BlockKind.CODE, quote=self._quote, language=language))

    def _note(self, block: Paragraph | Block) -> None:
        self._place(len(self.found))
        self.found.append(block)

    def _place(self, at: int) -> None:
        """The media that were met since stand at this paragraph."""
        self.media[self._placed :] = [structs.replace(one, at=at) for one in self.media[self._placed :]]
        self._placed = len(self.media)


def _spans(
    children: Sequence[Token], marks: tuple[Mark, ...], line_break: str, files: Mapping[str, Media]
) -> list[Span | Media]:  # fmt: skip
    """The spans of a line of tokens, and the pictures between them. Within a link there is only its text."""
    found: list[Span | Media] = []
    opened = list(marks)
    outer: tuple[Token, list[Span | Media]] | None = None
    for token in children:
        name = token.type.removesuffix("_open").removesuffix("_close")
        if mark := _MARKS.get(name):
            opened.append(mark) if token.nesting > 0 else opened.remove(mark)
        elif token.type == "link_open":
            outer, found = (token, found), []
        elif token.type == "link_close" and outer is not None:
            (opener, before), words = outer, "".join(_text_of(span) for span in found)
            around = [*opened, Mark.SPOILER] if any(map(_is_hidden, found)) else opened
            found, outer = [*before, *_linked(opener, " ".join(words.split()), around)], None
        elif token.type == "image":
            found += _pictured(token, opened, files, plainly=outer is not None)
        elif token.type in ("softbreak", "hardbreak"):
            found.append(marked(line_break, *opened))
        elif token.content:
            found.append(marked(token.content, *opened, *((Mark.CODE,) if token.type == "code_inline" else ())))
    return found


def _closed_up(line: Sequence[Span | Media]) -> list[Span]:
    """The spans where pictures were taken out, and of the white space around each no more than one."""
    spans: list[Span] = []
    gap: str | None = None
    for one in line:
        if isinstance(one, Media):
            gap = (gap or "") + _ended(spans)
            continue
        rest: Span = one
        if gap is not None and isinstance(one, Text):
            words = one.text.lstrip()
            gap += one.text[: len(one.text) - len(words)]
            if not words:
                continue
            rest = Text(words, one.marks)
        if gap and spans:
            spans.append(Text("\n" if "\n" in gap else " "))
        gap = None
        spans.append(rest)
    return joined(spans)


def _ended(spans: list[Span]) -> str:
    """White space at their end, which is taken off."""
    taken = ""
    while spans and isinstance(last := spans[-1], Text):
        words = last.text.rstrip()
        taken = last.text[len(words) :] + taken
        spans.pop()
        if words:
            spans.append(Text(words, last.marks))
            break
    return taken


def _text_of(span: Span | Media) -> str:
    return span.text or "" if isinstance(span, Text | Link) else ""


def _is_hidden(span: Span | Media) -> bool:
    return not isinstance(span, Media) and Mark.SPOILER in span.marks


def joined(found: Iterable[Span]) -> list[Span]:
    """Neighbours that are set the same way are one."""
    spans: list[Span] = []
    for span in found:
        last = spans[-1] if spans else None
        if isinstance(span, Text) and isinstance(last, Text) and span.marks == last.marks:
            spans[-1] = Text(last.text + span.text, last.marks)
        else:
            spans.append(span)
    return spans


def _pictured(
    token: Token, marks: Sequence[Mark], files: Mapping[str, Media], *, plainly: bool
) -> Sequence[Span | Media]:
    """A picture, or its description where it is none or can't be shown."""
    alt = " ".join("".join(_text_of(span) for span in _spans(token.children or (), (), " ", {})).split())
    url = str(token.attrs.get("src", "")).replace(" ", "%20")
    if plainly:
        return [Text(alt)] if alt else []
    if file := files.get(str(token.attrs.get("src", ""))):
        return [structs.replace(file, alt=alt)]
    if _WEB.fullmatch(url):
        return [Media("", ANY_PICTURE, 0, alt, source=url)]
    return _target(url, alt, marks)


def _linked(token: Token, words: str, marks: Sequence[Mark]) -> list[Span]:
    url = str(token.attrs.get("href", ""))
    auto = token.markup == "autolink"
    if auto and not (_WEB.fullmatch(url) or url.startswith("mention:")):
        return [marked(f"<{words}>", *marks)]
    return _target(url, "" if auto else words, marks)


def _target(url: str, words: str, marks: Sequence[Mark]) -> list[Span]:
    """Who or what a link leads to. What is no web address is spelled out."""
    url, meant = url.replace(" ", "%20"), tuple(sorted(_MEANT.intersection(marks)))
    if url.startswith("mention:") and (person := SPELLED.match(url.removeprefix("mention:"))):
        handle = person["handle"] or person["bare"] or ""
        name = "" if words.removeprefix("@") == handle else words
        return [Mention(person["platform"], person["id"] or "", handle, name, meant)]
    if _WEB.fullmatch(url):
        return [Link(url, words if words and words != url else None, meant)]
    told = " ".join(filter(None, (words, f"({url})" if url and url != words else "")))
    return [marked(told, *marks)] if told else []

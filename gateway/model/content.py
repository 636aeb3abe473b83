"""Document: the one neutral text. Blocks of spans, media with alt text, and what else a post may carry; and how it is
written without markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec import Struct, structs

from gateway.model.identity import Identity
from gateway.model.ids import MessageRef
from gateway.model.media import MediaKind, kind_of


class Mark(StrEnum):
    """How a stretch of text is set."""

    BOLD = "bold"
    CODE = "code"
    ITALIC = "italic"
    SPOILER = "spoiler"
    STRIKE = "strike"


class Text(Struct, frozen=True, tag="text", omit_defaults=True):
    """Plain characters, without markup. May hold line breaks; a blank line only in code.

    ``marks`` are sorted, none of them twice (:func:`marked` sees to it).
    """

    text: str
    marks: tuple[Mark, ...] = ()


class Link(Struct, frozen=True, tag="link", omit_defaults=True):
    """A web address; ``text`` is what a reader sees where the platform can hide the address."""

    url: str
    text: str | None = None
    marks: tuple[Mark, ...] = ()


class Mention(Struct, frozen=True, tag="mention", omit_defaults=True):
    """Somebody's account on the platform the document came from or goes to.

    ``platform`` says where ``id`` and ``handle`` mean something: anywhere else the name is written
    without a ping, so that a stranger with the same handle is never called.
    """

    platform: str
    id: str
    handle: str
    name: str = ""
    marks: tuple[Mark, ...] = ()


Span = Text | Link | Mention
Paragraph = tuple[Span, ...]


class BlockKind(StrEnum):
    PARAGRAPH = "paragraph"
    HEADING = "heading"
    """On one line; ``level`` 1 to 6."""
    ITEM = "item"
    """Of a list, ``indent`` deep, after its ``marker``: a bullet, a number with its full stop, or nothing for what
    goes on in the same item.
    """
    CODE = "code"
    """Lines as they are, in ``language``."""
    ROW = "row"
    """Of a table, its cells divided by :data:`CELL`."""
    RULE = "rule"
    """A line across, spelled in its only span."""


BULLET = "•"
CELL = " | "
RULE = "———"


class Block(Struct, frozen=True, omit_defaults=True):
    """What stands by itself. Blocks hold no blocks, so that a document can be cut anywhere: a list's depth is the
    ``indent`` of its items, and ``quote`` counts the quotations around.
    """

    spans: Paragraph = ()
    kind: BlockKind = BlockKind.PARAGRAPH
    level: int = 0
    quote: int = 0
    indent: int = 0
    marker: str = ""
    language: str = ""


class Media(Struct, frozen=True, omit_defaults=True):
    """One picture, film, sound or file. Its bytes are kept by the store under ``sha256`` (hex)."""

    sha256: str
    """Empty while it is only known by its ``source``."""
    mime: str
    size_bytes: int
    alt: str = ""
    width_px: int | None = None
    height_px: int | None = None
    duration_s: float | None = None
    animated: bool = False
    name: str = ""
    """The file's name, without a folder."""
    at: int | None = None
    """The index of the paragraph that mentions it: a thread shows it on the part in which that paragraph ends."""
    source: str = ""
    """The web address it came from: what is written instead where it can't be shown."""
    misfit: str = ""
    """Why its account can't have it, as far as that is known before the post is planned."""
    original: str = ""
    """Where this is a version made to fit one account: the sha256 of what it was made from."""
    frames: int | None = None
    """Of what moves: so many pictures follow one another, as far as its container tells."""

    @property
    def kind(self) -> MediaKind:
        return kind_of(self.mime, animated=self.animated)


class Poll(Struct, frozen=True, omit_defaults=True):
    """A question with answers to choose from; the question is the document's text."""

    options: tuple[str, ...]
    open_for_s: float = 86400.0
    multiple: bool = False


class Quote(Struct, frozen=True, omit_defaults=True):
    """Another post that is shown below. ``ref`` means something on ``platform`` alone; anywhere else ``url`` is
    written. ``author`` and ``text`` are known of what came in, where the payload has them.
    """

    platform: str
    ref: MessageRef | None = None
    url: str = ""
    author: Identity | None = None
    text: str = ""


class Card(Struct, frozen=True, omit_defaults=True):
    """What a linked page says of itself, for platforms that show only what the author sends. ``picture`` is JPEG or
    PNG.
    """

    url: str
    title: str
    description: str = ""
    picture: Media | None = None


class Document(Struct, frozen=True, omit_defaults=True):
    """What is said, on no platform in particular. A bare tuple of spans is a plain paragraph."""

    paragraphs: tuple[Paragraph | Block, ...] = ()
    media: tuple[Media, ...] = ()
    language: str | None = None
    """As in BCP 47: ``en``, ``pt-BR``."""
    warning: str = ""
    """A content warning: what a reader is told before deciding to read on."""
    sensitive: bool = False
    """Media are hidden until a reader asks for them."""
    poll: Poll | None = None
    quote: Quote | None = None
    card: Card | None = None
    """Of one of its links. Found by the gateway where the account's platform claims LINK_CARD."""

    @property
    def is_empty(self) -> bool:
        if self.media or self.poll:
            return False
        return not any(map(_says, spans(self)))


def typed(document: Document) -> Document:
    """What somebody's program made, with tuples where it has lists. Raises TypeError where a type is none of ours."""
    try:
        return msgspec.convert(msgspec.to_builtins(document), Document)
    except (TypeError, msgspec.ValidationError) as error:
        raise TypeError(f"this is no Document: {error}") from None


def _says(span: Span) -> bool:
    return bool(spelled(span).strip())


def marked(text: str, *marks: Mark) -> Text:
    return Text(text, tuple(sorted(set(marks))))


def block(paragraph: Paragraph | Block) -> Block:
    return paragraph if isinstance(paragraph, Block) else Block(paragraph)


def blocks(document: Document) -> Iterator[Block]:
    return map(block, document.paragraphs)


def spans(document: Document) -> Iterator[Span]:
    for paragraph in document.paragraphs:
        yield from paragraph.spans if isinstance(paragraph, Block) else paragraph


def respanned(document: Document, change: Callable[[Span], Span], *, code: bool = True) -> Document:
    """The document with each span changed; without ``code``, those of blocks of code stay as they are."""

    def changed(paragraph: Paragraph | Block) -> Paragraph | Block:
        if not isinstance(paragraph, Block):
            return tuple(map(change, paragraph))
        kept = paragraph.kind is BlockKind.CODE and not code
        return paragraph if kept else structs.replace(paragraph, spans=tuple(map(change, paragraph.spans)))

    return structs.replace(document, paragraphs=tuple(map(changed, document.paragraphs)))


def opened(document: Document, *words: Span) -> Document:
    """The document with words before its own: in its first paragraph, or by themselves before a list or the like."""
    first, *others = document.paragraphs or ((),)
    if isinstance(first, Block):
        return preceded(document, words)
    return structs.replace(document, paragraphs=((*words, *first), *others))


def preceded(document: Document, paragraph: Paragraph) -> Document:
    """The document with a paragraph before its own; media stay with theirs."""
    media = _shifted(document.media, 1)
    return structs.replace(document, paragraphs=(paragraph, *document.paragraphs), media=media)


def _shifted(media: tuple[Media, ...], by: int) -> tuple[Media, ...]:
    return tuple(one if one.at is None else structs.replace(one, at=max(0, one.at + by)) for one in media)


def unopened(document: Document, *words: Span) -> Document:
    """The document without the words that :func:`opened` put there."""
    first, *others = document.paragraphs or ((),)
    if isinstance(first, Block) or first[: len(words)] != words:
        return document
    if rest := first[len(words) :]:
        return structs.replace(document, paragraphs=(rest, *others))
    return structs.replace(document, paragraphs=tuple(others), media=_shifted(document.media, -1))


# How it is written.


def spelled(span: Span) -> str:
    """A span as unformatted text: the neutral spelling, used for measures and logs."""
    if isinstance(span, Text):
        return span.text
    if isinstance(span, Link):
        return f"{span.text} ({span.url})" if span.text and not is_address(span.text, span.url) else span.url
    return span.name or f"@{span.handle}"


@lru_cache(64)  # a document is spelled many times while it is cut
def is_address(text: str, url: str) -> bool:
    """Whether a link's words are its address, perhaps as people say it: without its beginning or its last slash."""
    return text.rstrip("/") in (url.rstrip("/"), url.partition("://")[2].rstrip("/"))


def plain(document: Document) -> str:
    """The whole document as unformatted text, legible all the same."""
    return written(document, spelled)


class Style(Struct, frozen=True):
    """What a platform has of its own for blocks. The defaults are for one that shows plain text alone."""

    bullet: str = BULLET
    quotes: int = 0
    """So many quotations around each other need no sign at their lines."""
    headings: tuple[str, ...] = ()
    """What stands before a heading of each level, the last before those of deeper ones, too."""
    fence: str = ""
    """Stands around code, longer where the code holds one."""


PLAIN = Style()


class Piece(NamedTuple):
    """A stretch of a document that is written: a span of it, or else ``text`` that holds it together."""

    text: str
    span: Span | None
    block: Block
    between: bool = False
    """Whether it parts this block from the one before."""


def written(document: Document, spell: Callable[[Span], str], style: Style = PLAIN) -> str:
    """The document as a text whose spans are spelled so."""
    words = ["".join(map(spell, one)) for one in document.paragraphs if not isinstance(one, Block)]
    if len(words) == len(document.paragraphs):
        return "\n\n".join(words)
    return "".join([spell(piece.span) if piece.span else piece.text for piece in layout(document, style)])


def layout(document: Document, style: Style = PLAIN) -> Iterator[Piece]:
    """The document from its first character to its last: blocks a blank line apart, but the items of a list and the
    rows of a table on successive lines; ``> `` before each line of a quotation; items indented by their depth, as far
    as what they hang on is there.
    """
    before: Block | None = None
    left = 0
    for each in blocks(document):
        if each.kind is BlockKind.PARAGRAPH and each.quote <= style.quotes:  # most are, and nothing is about them
            if before is not None:
                yield Piece("\n\n", None, each, between=True)
            for span in each.spans:
                yield Piece("", span, each)
            before, left = each, each.indent
            continue
        joined = before is not None and follows(before, each)
        if before is not None:
            yield Piece("\n" if joined else "\n\n", None, each, between=True)
        left = min(left, each.indent) if joined else each.indent
        margin = "> " * (each.quote - style.quotes)
        indent = "  " * (each.indent - left)
        if lead := margin + _lead(each, indent, style, joined=joined):
            yield Piece(lead, None, each)
        if each.kind is BlockKind.CODE and style.fence:
            yield from _fenced(each, margin, style.fence)
        else:
            yield from _lines(each, f"{margin}{indent}  " if each.kind is BlockKind.ITEM else margin)
        before = each


def follows(before: Block, after: Block) -> bool:
    """Whether two blocks belong to one list or table."""
    return (
        before.kind is after.kind
        and after.kind in (BlockKind.ITEM, BlockKind.ROW)
        and before.quote == after.quote
    )  # fmt: skip


def _lead(each: Block, indent: str, style: Style, *, joined: bool) -> str:
    if each.kind is BlockKind.HEADING and style.headings:
        return style.headings[min(max(each.level, 1), len(style.headings)) - 1] + " "
    if each.kind is not BlockKind.ITEM:
        return ""
    if each.marker:
        return indent + (style.bullet if each.marker == BULLET else each.marker) + " "
    return indent + "  " if joined else ""


def _lines(each: Block, margin: str) -> Iterator[Piece]:
    one_line = each.kind in (BlockKind.HEADING, BlockKind.ROW)
    for span in each.spans:
        if one_line and isinstance(span, Text) and "\n" in span.text:
            yield Piece("", Text(span.text.replace("\n", " "), span.marks), each)
            continue
        if not margin or not isinstance(span, Text) or "\n" not in span.text:
            yield Piece("", span, each)
            continue
        for number, line in enumerate(span.text.split("\n")):
            if number:
                yield Piece("\n" + margin, None, each)
            if line:
                yield Piece("", Text(line, span.marks), each)


def _fenced(each: Block, margin: str, fence: str) -> Iterator[Piece]:
    runs = re.findall(re.escape(fence[0]) + "+", "".join(map(spelled, each.spans)))
    fence = fence[0] * max(len(fence), *(len(run) + 1 for run in runs), 0)
    yield Piece(f"{fence}{each.language}\n{margin}", None, each)
    yield from _lines(each, margin)
    yield Piece(f"\n{margin}{fence}", None, each)

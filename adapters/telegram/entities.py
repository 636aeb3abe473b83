"""Text with entities, whose offsets count UTF-16 code units: to a Document and back. Apart from translate.py, whose
messages have it, because it is all there is about text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct, structs

from adapters.telegram.profile import ENTITIES_MAX
from gateway.model.content import (
    PLAIN,
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Mention,
    Paragraph,
    Span,
    Style,
    Text,
    blocks,
    layout,
    marked,
    spans,
    spelled,
    written,
)

PLATFORM = "telegram"
_READ_MAX = 300
"""Entities of a message that are looked at; what people write has a hundred at most."""
_QUOTED = Style(quotes=1)
_MARKS = {
    Mark.BOLD: "bold",
    Mark.ITALIC: "italic",
    Mark.STRIKE: "strikethrough",
    Mark.SPOILER: "spoiler",
    Mark.CODE: "code",
}
_MEANING = {name: mark for mark, name in _MARKS.items()}
_QUOTES = ("blockquote", "expandable_blockquote")
_KNOWN = {*_MEANING, *_QUOTES, "pre", "url", "text_link", "mention", "text_mention"}
_NOBODY: Mapping[str, int] = {}
_LONE = re.compile("[\ud800-\udfff]")
_ADDRESS = re.compile(
    r"https?://[\w!$&'()*+,;=~-]+(?:\.[\w!$&'()*+,;=~-]+)+\.?(?::(?P<port>[1-9]\d{0,4}))?(?:[/?#].*)?",
    re.DOTALL | re.IGNORECASE,
)
PORT_MAX = 65_535
_FOUND = re.compile(r"[@#$/h](?<![\w/@#$].)(?:(?<!h)\w|(?<=h)ttps?://)", re.DOTALL)
_BEGINS_ADDRESS = re.compile(r"""(?:.?\s|\s?[(\["'])?""", re.DOTALL)
_ENDS_ADDRESS = re.compile(r"""[^.,:;!?'"`)][.,:;!?'"`)]*+(?:[\s<>]|\Z)""")
"""The last character of an address that is found just so: td MessageEntity.cpp, find_urls."""
_BLANK = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")


class User(Struct):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""


class Entity(Struct):
    type: str
    offset: Annotated[int, Meta(ge=0)]
    length: Annotated[int, Meta(ge=0)]
    url: str = ""
    user: User | None = None
    language: str = ""


def clean(text: str) -> str:
    """Without halves of surrogate pairs, which nothing after us could store."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)


def covered(text: str, entity: Entity) -> str:
    raw = text.encode("utf-16-le", "surrogatepass")[2 * entity.offset : 2 * (entity.offset + entity.length)]
    return raw.decode("utf-16-le", "replace")


# In.


class _Range(NamedTuple):
    begin: int
    end: int
    entity: Entity


class _Stretch(NamedTuple):
    """Text that is set one way throughout, or a link or mention; the ``code`` and the quotation it belongs to."""

    span: Span
    words: str
    code: _Range | None
    quote: int


def document(text: str, marks: Iterable[Entity], known: Mapping[str, int] = _NOBODY) -> Document:
    """A message's words. Entities that overlap in vain, lie outside or cut a character are left out. ``known`` has
    people's ids by their handles in lower case.
    """
    text = clean(text)
    found: list[Paragraph | Block] = []
    for (code, quote), group in groupby(
        _stretches(text, _ranges(text, marks), known), lambda each: (each.code, each.quote)
    ):
        stretches = list(group)
        if code is not None:
            words = "".join(each.words for each in stretches)
            found.append(Block((Text(words),), BlockKind.CODE, quote=quote, language=code.entity.language))
            continue
        paragraphs = _paragraphs([each.span for each in stretches])
        found += [Block(paragraph, quote=quote) for paragraph in paragraphs] if quote else paragraphs
    return Document(tuple(found))


def _ranges(text: str, marks: Iterable[Entity]) -> list[_Range]:
    """Where entities lie in the characters of the text, in their order."""
    starts = accumulate((2 if character > "\uffff" else 1 for character in text), initial=0)
    place = {unit: number for number, unit in enumerate(starts)}
    found = []
    for mark in list(marks)[:_READ_MAX]:
        begin, end = place.get(mark.offset), place.get(mark.offset + mark.length)
        if mark.type in _KNOWN and begin is not None and end is not None and begin < end:
            found.append(_Range(begin, end, mark))
    return sorted(found, key=lambda each: each.begin)


def _stretches(text: str, ranges: list[_Range], known: Mapping[str, int]) -> Iterator[_Stretch]:
    objects: dict[int, tuple[int, Span]] = {}
    done = 0
    for each in ranges:
        span = _span(each.entity, text[each.begin : each.end], known)
        if span is not None and each.begin >= done:
            objects[each.begin] = (done := each.end, span)
    edges = sorted({0, len(text), *(edge for each in ranges for edge in (each.begin, each.end))})
    done = 0
    for begin, edge in pairwise(edges):
        if begin < done:
            continue
        over = [each for each in ranges if each.begin <= begin < each.end]
        code = next((each for each in over if each.entity.type == "pre"), None)
        done, span = objects.get(begin, (edge, None))
        words = text[begin:done]
        said = marked(words, *(_MEANING[each.entity.type] for each in over if each.entity.type in _MEANING))
        quote = int(any(each.entity.type in _QUOTES for each in over))
        yield _Stretch(structs.replace(span, marks=said.marks) if span else said, words, code, quote)


def _span(mark: Entity, words: str, known: Mapping[str, int]) -> Span | None:
    match mark.type:
        case "url":
            return Link(words) if "://" in words else Link(f"http://{words}", words)
        case "text_link" if mark.url:
            return Link(clean(mark.url), " ".join(words.split()))
        case "mention":
            handle = words.removeprefix("@")
            number = known.get(handle.casefold())
            return Mention(PLATFORM, "" if number is None else str(number), handle)
        case "text_mention" if mark.user is not None:
            return Mention(PLATFORM, str(mark.user.id), mark.user.username, words)
        case _:
            return None


def _paragraphs(flat: list[Span]) -> list[Paragraph]:
    """Parted at blank lines; line breaks at the edges are only the distance to what comes before and after."""
    found: list[list[Span]] = [[]]
    for number, span in enumerate(flat):
        if not isinstance(span, Text):
            found[-1].append(span)
            continue
        text = span.text if number else span.text.lstrip("\n")
        text = text if number < len(flat) - 1 else text.rstrip("\n")
        first, *others = _BLANK.split(text)
        found[-1] += [Text(first, span.marks)] if first else []
        found += [[Text(other, span.marks)] if other else [] for other in others]
    return [tuple(paragraph) for paragraph in found if any(spelled(span).strip() for span in paragraph)]


# Out.


class Words(NamedTuple):
    """A text as the Bot API takes it."""

    text: str
    entities: list[dict[str, Any]]


class _Setting(NamedTuple):
    """An entity that is still counted in characters. Of too many the ones of high ``rank`` are left out."""

    rank: int
    begin: int
    end: int
    what: dict[str, Any]


def render(content: Document) -> Words:
    """The text, and entities for what plain text can't say. Where a message has no room for them, links are spelled
    out and quotations have their sign at each line.
    """
    roomy, room = _room(content.paragraphs)
    settings: list[_Setting] = []
    pieces: list[str] = []
    begun: list[tuple[Block, int]] = []
    ended: list[int] = []
    links: list[tuple[int, int, str]] = []
    at = 0
    for words, span, block, between in layout(content, _QUOTED if roomy else PLAIN):
        if span is not None:
            words = _visible(span) if roomy else _open(span)  # noqa: PLW2901 - what is seen of the piece
        begin, at = at, at + len(words)
        pieces.append(words)
        if between:
            ended.append(begin)
        if between or not begun:
            begun.append((block, at if between else begin))
        if isinstance(span, Link):
            links.append((begin, at, span.url))
        if span is not None and not _is_plain(span, block):
            settings += [_Setting(rank, begin, at, what) for rank, what in _set(span, words, block)]
    text = "".join(pieces)
    extents = [(block, since, end) for (block, since), end in zip(begun, (*ended, at), strict=False)]
    bounds = _bounds(text, links) if roomy else []
    settings = [*bounds, *settings, *_blocks(extents, quoted=roomy)]
    return Words(text, _entities(text, settings, max(0, room) + len(bounds)))


def _bounds(text: str, links: list[tuple[int, int, str]]) -> list[_Setting]:
    """For the addresses of which the server, that finds them by itself, might make others."""
    return [
        _Setting(0, begin, end, {"type": "text_link", "url": clean(url)})
        for begin, end, url in links
        if text[begin:end] == clean(url)
        and _is_taken(url)
        and not (_BEGINS_ADDRESS.fullmatch(text[max(begin - 2, 0) : begin]) and _ENDS_ADDRESS.match(text, end - 1))
    ]


def without_calls(asked: Any) -> Any:
    """A request in which people's names stand and nobody is called by an id."""
    if isinstance(asked, dict):
        return {key: without_calls(value) for key, value in asked.items()}
    if isinstance(asked, list):
        return [without_calls(each) for each in asked if not _is_call(each)]
    return asked


def _is_call(each: Any) -> bool:
    return isinstance(each, dict) and each.get("type") == "text_mention"


def bare(content: Document) -> str:
    """The text where no entities are taken: everything is spelled out."""
    return written(content, _open)


def keeps_all(content: Document) -> bool:
    """Whether every address and every name leads where it should: a message has no more entities than that."""
    roomy, room = _room(content.paragraphs)
    return roomy or _calls(content) <= room


@lru_cache(8)  # asked while a text is cut, and when it is said
def _room(paragraphs: tuple[Paragraph | Block, ...]) -> tuple[bool, int]:
    """Whether all that the words leave unsaid has its entity, so that nothing has to be spelled out; and how many
    entities there are for it beside those that the server makes by itself.
    """
    content = Document(paragraphs)
    hidden = sum(isinstance(span, Link) and _hides(span) for span in spans(content))
    framed = sum(each.quote > 0 or each.kind is BlockKind.CODE for each in blocks(content))
    room = ENTITIES_MAX - _found_anyway(content, _visible)
    if hidden + framed + _calls(content) <= room:
        return True, room
    return False, ENTITIES_MAX - _found_anyway(content, _open)


def _found_anyway(content: Document, words: Callable[[Span], str]) -> int:
    """How many entities the server makes of the words itself: addresses, names, tags and commands. They count too."""
    said = (span for block in blocks(content) if block.kind is not BlockKind.CODE for span in block.spans)
    return sum(_found_in(words(span)) for span in said if Mark.CODE not in span.marks)


def _found_in(words: str) -> int:
    may_be = "/" in words or "@" in words or "#" in words or "$" in words  # much faster than to look for it
    return len(_FOUND.findall(words)) if may_be else 0


def _calls(content: Document) -> int:
    return sum(isinstance(span, Mention) and _pings_by_id(span) for span in spans(content))


def _blocks(extents: list[tuple[Block, int, int]], *, quoted: bool) -> Iterator[_Setting]:
    for block, begin, end in extents:
        if block.kind is BlockKind.CODE:
            language = {"language": block.language} if block.language else {}
            yield _Setting(1, begin, end, {"type": "pre"} | language)
    for is_quote, group in groupby(extents, lambda extent: extent[0].quote > 0):
        run = list(group)
        if quoted and is_quote:
            yield _Setting(1, run[0][1], run[-1][2], {"type": "blockquote"})


def _is_plain(span: Span, block: Block) -> bool:
    return isinstance(span, Text) and not span.marks and block.kind is not BlockKind.HEADING


def _set(span: Span, written: str, block: Block) -> Iterator[tuple[int, dict[str, Any]]]:
    if block.kind is BlockKind.CODE:
        return
    match span:
        case Link(url) if written != url and written == _shown(span):
            yield 0, {"type": "text_link", "url": clean(url)}
        case Mention(_, number) if _pings_by_id(span):
            yield 0, {"type": "text_mention", "user": {"id": int(number), "is_bot": False, "first_name": written}}
    bold = (Mark.BOLD,) if block.kind is BlockKind.HEADING else ()
    if not (span.marks or bold):
        return
    # Code can't be set in any other way as well.
    for mark in (Mark.CODE,) if Mark.CODE in span.marks else sorted({*span.marks, *bold}):
        yield 2, {"type": _MARKS[mark]}


def _entities(text: str, settings: list[_Setting], room: int) -> list[dict[str, Any]]:
    """In UTF-16 code units, without blank ends (which the server would take off), as many as there is room for."""
    found = []
    for rank, start, end, what in settings:
        words = text[start:end]
        begin = start if what["type"] == "pre" else end - len(words.lstrip())
        found += [_Setting(rank, begin, start + len(words.rstrip()), what)] if words.strip() else []
    found = sorted(found, key=lambda each: each[:2])[:room]
    units, before = {}, 0
    unit = 0
    for place in sorted({place for each in found for place in (each.begin, each.end)}):
        unit += _units(text[before:place])
        units[place], before = unit, place
    placed = [
        each.what | {"offset": units[each.begin], "length": units[each.end] - units[each.begin]} for each in found
    ]
    return sorted(placed, key=lambda each: (each["offset"], -each["length"]))


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _visible(span: Span) -> str:
    return _shown(span) if isinstance(span, Link) and _hides(span) else _open(span)


def _open(span: Span) -> str:
    return clean(_called(span) if isinstance(span, Mention) else spelled(span))


def _hides(link: Link) -> bool:
    return bool(link.text and link.text.strip() and link.text != link.url and _is_taken(link.url))


@lru_cache(512)  # a document is spelled many times while it is cut
def _is_taken(url: str) -> bool:
    """Whether an address may lie behind words. The server refuses the whole message for one whose host has no dot or
    whose port is none (td HttpUrl.cpp parse_url, LinkManager.cpp check_link): those are spelled out. So is what names a
    user before the host, which would only mislead.
    """
    found = _ADDRESS.fullmatch(url)
    return found is not None and int(found["port"] or 1) <= PORT_MAX


def _shown(link: Link) -> str:
    return clean(link.text or link.url)


def _pings_by_id(mention: Mention) -> bool:
    return mention.platform == PLATFORM and not mention.handle and mention.id.isdecimal()


def _called(mention: Mention) -> str:
    """``@handle`` calls somebody here, so only people of this platform are written so. The words behind a name may make
    one of an ``@`` at its end.
    """
    if mention.platform == PLATFORM and mention.handle:
        return f"@{mention.handle}"
    return re.sub(r"@+(?=\w|\Z)", "", mention.name or mention.handle) or "somebody"

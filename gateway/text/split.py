"""One document as several that each fit, cut where a reader would pause."""

# ruff: noqa: RUF001 - full-width punctuation is meant: it ends clauses in Chinese and Japanese

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import accumulate, compress, pairwise, zip_longest
from typing import NamedTuple

import regex
from msgspec import structs

from gateway.model.content import Block, BlockKind, Document, Media, Paragraph, Text, block, follows
from gateway.text.turns import Turns

_UNSEEN = r"\u200e\u200f\u202c\u2069"
"""Marks of the direction of writing that may close a sentence."""
_MARK = r"\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}"
# Python strips the four separators of ASCII as well: to a reader they are nothing. A space that carries an accent is
# a character of its own, not a gap.
_SPACE = rf"[\s\x1c-\x1f](?![{_MARK}])"
_NO_BREAK = rf"[\u00a0\u2007\u202f](?![{_MARK}])"
_GAP = rf"(?:{_NO_BREAK})*+{_SPACE}(?:{_SPACE})*+"
# Scripts without spaces pause at these.
_STOPS = "。！？｡、，；"
_GAPS = regex.compile(_GAP)
_ASCII_GAPS = re.compile(r"\s+")
_BLANKS = bytes(chr(code).isspace() for code in range(256))
_GAPS_AND_STOPS = regex.compile(rf"[{_STOPS}]++[」』”’）{_UNSEEN}{_MARK}]*+\K(?:{_SPACE})*+|{_GAP}")
_COLONS = ":："
_STOP = regex.compile(f"[{_STOPS}]")
# A line of code keeps its indentation, and what is cut within a line keeps the space.
_BLANK = r"[^\S\n]|[\x1c-\x1f]"
_CODE_GAPS = regex.compile(rf"(?:(?:{_BLANK})*+\n)++|(?<=[^\s\x1c-\x1f])(?={_BLANK})")
_EDGE = regex.compile(rf"(?:{_SPACE})*+")
_CODE_EDGE = regex.compile(rf"(?:(?:{_BLANK})*+\n)*+")
_CHARACTER = regex.compile(rf"\0|(?!{_SPACE})\X")
_ASCII_SENTENCE_END = re.compile(r"[.!?][\"')\]]*+")
_SENTENCE_END = regex.compile(rf"[.!?…。！？｡؟।][\"'”’»)\]」』）{_UNSEEN}{_MARK}]*+")
_OBJECT = "\0"
"""ASCII, so that it makes no text slower that is."""

_WELL_FILLED = 1 / 3
"""A better break is taken when the part is still this full: three posts for two would be a bad bargain."""


_WIDEST = "9999/9999"
"""The number that there is room for; nobody posts a longer thread."""


_ABOUT = 300
_ADDRESS = 20
"""So much more than one character a link takes on the networks, more or less."""


class _Level(IntEnum):
    BAD = 0
    """After what leads in what follows, or within a line of code: not while there is a line or a block to end with."""
    WORD = 1
    SENTENCE = 2
    LINE = 3
    PARAGRAPH = 4


class Slice(NamedTuple):
    """One part of a thread: what is ``said`` in it, and how that is ``shown``, with its ``number`` where it has one."""

    said: Document
    shown: Document
    number: str = ""


def slices(
    document: Document, fits: Callable[[Document], bool], *, about: int = _ABOUT, numbered: bool = False
) -> tuple[Slice, ...]:
    """As :func:`split`; the parts of a thread that is ``numbered`` end with "2/4", for which there is room."""
    if not numbered or fits(document):
        return tuple(Slice(piece, piece) for piece in split(document, fits, about=about))
    pieces = split(document, lambda piece: fits(with_number(piece, _WIDEST)), about=about, whole=False)
    numbered_pieces = ((piece, f"{n}/{len(pieces)}") for n, piece in enumerate(pieces, 1))
    return tuple(Slice(piece, with_number(piece, number), number) for piece, number in numbered_pieces)


def with_number(piece: Document, number: str) -> Document:
    """How a part of a numbered thread is shown."""
    return structs.replace(piece, paragraphs=(*piece.paragraphs, (Text(number),)))


def split(
    document: Document, fits: Callable[[Document], bool], *, about: int = _ABOUT, whole: bool = True
) -> tuple[Document, ...]:
    """The document in parts that each fit, in order; where ``whole``, the document itself when it fits as it is.

    ``fits`` judges a part as it will be written; its media aside. It is taken to be monotonic: what fits still fits
    with less. Cuts come at a block, a sentence end, a word or, in a word that is too long by itself, between two
    characters; in code at a line before all else; never inside a link or a mention. A heading goes with what follows,
    and so do words that end in a colon. Only white space at a cut is dropped, an item that is cut goes on without a
    marker, and a turn to another direction of writing ends at a cut and begins again. Media are on the part in
    which the paragraph ends that mentions them, else on the first, where poll and quote are too; a warning is on
    each. ``about`` so many characters make a part: the better the guess, the less is asked.
    Raises ValueError when a link, a mention or a single character does not fit alone.
    """
    if whole and fits(document):
        return (document,)
    knife = _Knife(document, fits, about)
    parts = list(knife.parts()) or [structs.replace(document, paragraphs=(), media=())]
    parts[0] = structs.replace(parts[0], poll=document.poll, quote=document.quote, card=document.card)
    return _illustrated(parts, document.media, knife.last_paragraphs)


def lead(document: Document, fits: Callable[[Document], bool]) -> Document:
    """The beginning of a document, as much as fits, without its media. Raises ValueError when nothing does."""
    return next(iter(_Knife(document, fits, _ABOUT).parts()), Document())


def _illustrated(
    parts: Sequence[Document], media: Sequence[Media], last_paragraphs: Sequence[int]
) -> tuple[Document, ...]:  # fmt: skip
    """The parts with their media. ``last_paragraphs`` says with which paragraph each part ends."""
    shown: list[list[Media]] = [[] for _ in parts]
    for one in media:
        place = 0 if one.at is None else min(bisect_left(last_paragraphs, one.at), len(parts) - 1)
        shown[place].append(structs.replace(one, at=None))
    return tuple(structs.replace(part, media=tuple(here)) for part, here in zip(parts, shown, strict=True))


class _Sheet:
    """A block as a string, in which a link or a mention is one character. ``base`` is where it starts among all."""

    def __init__(self, paragraph: Paragraph | Block, number: int, base: int) -> None:
        self._paragraph = paragraph
        self.number = number
        self.block = block(paragraph)
        words = [span.text if isinstance(span, Text) else _OBJECT for span in self.block.spans]
        self.text = "".join(words)
        self.base = base
        self._starts = list(accumulate(map(len, words), initial=0))
        self.is_code = self.block.kind is BlockKind.CODE
        edge = (_CODE_EDGE if self.is_code else _EDGE).match(self.text)
        self.begin = edge.end() if edge else 0
        self.end = len(self.text.rstrip())
        self._turns = None if self.text.isascii() else Turns(self.text) or None

    def objects(self) -> Iterator[int]:
        """Where links and mentions are."""
        return (found.start() for found in re.finditer(_OBJECT, self.text))

    def gaps(self) -> tuple[list[int], list[int]]:
        """Where a part may end inside, and where the next one then starts."""
        if self.is_code:
            return self._found(_CODE_GAPS)
        if not self.text.isascii():
            return self._found(_GAPS_AND_STOPS if _STOP.search(self.text) else _GAPS)
        blank = self.text[self.begin : self.end].encode().translate(_BLANKS)
        if b"\1\1" in blank:
            return self._found(_ASCII_GAPS)
        ends = [*compress(range(self.begin, self.end), blank)]  # one character each, as most text has it
        return ends, [end + 1 for end in ends]

    def _found(self, pattern: regex.Pattern[str] | re.Pattern[str]) -> tuple[list[int], list[int]]:
        found = [each.span() for each in pattern.finditer(self.text, self.begin, self.end)]
        inside = found[:-1] if found and found[-1][0] >= self.end else found
        return [end for end, _ in inside], [start for _, start in inside]

    def levels(self, ends: list[int], starts: list[int]) -> bytes:
        """How good it is to end at each of them."""
        text = self.text
        good, poor = (_Level.LINE, _Level.BAD) if self.is_code else (_Level.SENTENCE, _Level.WORD)
        ended = set() if self.is_code else self._sentence_ends()
        if "\n" in text:
            gaps = zip(ends, starts, strict=True)
            ended.update(end for end, start in gaps if "\n" in text[end:start] and text[end - 1] not in _COLONS)
        if not ended:
            return bytes([poor]) * len(ends)
        yes, no = int(good), int(poor)
        return bytes([yes if end in ended else no for end in ends])

    def _sentence_ends(self) -> set[int]:
        pattern = _ASCII_SENTENCE_END if self.text.isascii() else _SENTENCE_END
        stops = [found.span() for found in pattern.finditer(self.text)]
        return {place for begin, end in stops for place in range(begin + 1, end + 1)}

    def last_break(self, other: _Sheet | None) -> tuple[int, int, _Level]:
        """Where it ends, and another one starts."""
        end = self.base + self.end
        if other is None:
            return (end, end, _Level.BAD)
        level = _Level.LINE if follows(self.block, other.block) else _Level.PARAGRAPH
        if self.block.kind is BlockKind.HEADING or (not self.is_code and self.text[self.end - 1] in _COLONS):
            level = _Level.BAD
        return (end, other.base + other.begin, level)

    def cut(self, begin: int, end: int) -> Paragraph | Block:
        """What lies between two places. An item that was begun before has no marker."""
        if begin <= 0 and end >= len(self.text):
            return self._paragraph
        first = bisect_right(self._starts, begin) - 1 if begin > 0 else 0
        last = (bisect_left(self._starts, end) if end < len(self.text) else len(self.block.spans)) - 1
        spans = list(self.block.spans[first : last + 1])
        if end < len(self.text) and isinstance(tail := spans[-1], Text):
            spans[-1] = Text(tail.text[: end - self._starts[last]], tail.marks)
        if begin > 0 and isinstance(head := spans[0], Text):
            spans[0] = Text(head.text[begin - self._starts[first] :], head.marks)
        if self._turns:
            before, after = self._turns.opening(begin), self._turns.closing(end)
            spans = [*([Text(before)] if before else []), *spans, *([Text(after)] if after else [])]
        if not isinstance(self._paragraph, Block):
            return tuple(spans)
        marker = self.block.marker if begin <= self.begin else ""
        return structs.replace(self.block, spans=tuple(spans), marker=marker)


class _Seams:
    """Where blocks may be cut, whoever cuts them."""

    def __init__(self, paragraphs: Sequence[Paragraph | Block]) -> None:
        self.sheets: list[_Sheet] = []
        base = 0
        for number, paragraph in enumerate(paragraphs):
            sheet = _Sheet(paragraph, number, base)
            if sheet.begin < sheet.end:
                self.sheets.append(sheet)
                base += len(sheet.text) + 2
        self._bases = [sheet.base for sheet in self.sheets]
        self._objects = [sheet.base + place for sheet in self.sheets for place in sheet.objects()]
        self.ends: list[int] = []
        """Where a part may end."""
        self.starts: list[int] = []
        """Where the next one then starts."""
        self.levels = bytearray()
        """How good that is."""
        for sheet, after in zip_longest(self.sheets, self.sheets[1:]):
            self._add(sheet, after)
        self.lengths: list[int] = []
        """About how much is written up to each end."""
        places = [bisect_right(self.ends, place) for place in self._objects]
        for links, (begin, end) in enumerate(pairwise((0, *places, len(self.ends)))):
            self.lengths += [place + links * _ADDRESS for place in self.ends[begin:end]]

    def _add(self, sheet: _Sheet, after: _Sheet | None) -> None:
        (ends, starts), base = sheet.gaps(), sheet.base
        end, start, level = sheet.last_break(after)
        self.ends += [each + base for each in ends]
        self.ends.append(end)
        self.starts += [each + base for each in starts]
        self.starts.append(start)
        self.levels += sheet.levels(ends, starts)
        self.levels.append(level)

    def length(self, place: int) -> int:
        """About how much is written up to this place."""
        return place + _ADDRESS * bisect_left(self._objects, place)

    def sheet(self, place: int) -> _Sheet:
        """The block that ends at this place or goes on there."""
        return self.sheets[bisect_right(self._bases, place) - 1]

    def cut(self, start: int, end: int) -> tuple[Paragraph | Block, ...]:
        """What lies between two places."""
        first = bisect_right(self._bases, start) - 1
        last = bisect_right(self._bases, end, first)
        return tuple([sheet.cut(start - sheet.base, end - sheet.base) for sheet in self.sheets[first:last]])


_seams = lru_cache(8)(_Seams)
"""A post goes to several networks, and each cuts it otherwise."""


class _Knife:
    def __init__(self, document: Document, fits: Callable[[Document], bool], about: int) -> None:
        self._document = document
        self._fits = fits
        self._seams = _seams(document.paragraphs)
        self._reach = about
        """Where to look first: about as far as the last part went."""
        self.last_paragraphs: list[int] = []
        """Of each part the last paragraph that ends in it, or before it."""

    def parts(self) -> Iterator[Document]:
        seams = self._seams
        start, index = seams.sheets[0].begin if seams.sheets else 0, 0
        while index < len(seams.ends):
            beyond = self._furthest(start, seams.ends, seams.lengths, index)
            if beyond == index:
                start = yield from self._through_word(start, seams.ends[index])
                continue
            chosen = self._natural(start, index, beyond)
            yield self._finished(start, seams.ends[chosen])
            start, index = seams.starts[chosen], chosen + 1

    def _through_word(self, start: int, end: int) -> Generator[Document, None, int]:
        """Cut a word that is too long for one part; returns where its last piece, which fits, starts."""
        sheet = self._seams.sheet(end)
        found = [each.span() for each in _CHARACTER.finditer(sheet.text, start - sheet.base, end - sheet.base)]
        begins, ends = ([place + sheet.base for place in places] for places in zip(*found, strict=True))
        ends[-1] = end
        lengths = [*map(self._seams.length, ends)]
        index = 0
        if not self._passes(start, ends[0]):
            start = begins[0]  # a line of code may be indented by more than there is room for
        while (beyond := self._furthest(start, ends, lengths, index)) > index:
            if beyond == len(ends):
                return start
            yield self._finished(start, ends[beyond - 1])
            start, index = begins[beyond], beyond
        raise ValueError("a link, a mention or a single character does not fit by itself")

    def _furthest(self, start: int, ends: list[int], lengths: list[int], index: int) -> int:
        """The index beyond the last end that can be reached. Tried first is what the last part reached, then more or
        less than that by growing steps, so that a long text takes time in proportion to its length.
        """
        begin = self._seams.length(start)

        def within(reach: int) -> int:
            return bisect_right(lengths, begin + reach, lo=index)

        low, step = index, max(1, self._reach // 64)
        high = max(index + 1, within(self._reach))
        if self._passes(start, ends[high - 1]):
            while True:
                low = high
                if low == len(ends):
                    return low
                high = max(low + 1, within(lengths[low - 1] - begin + step))
                step *= 2
                if not self._passes(start, ends[high - 1]):
                    break
        else:
            while (middle := within(lengths[high - 1] - begin - step)) > index:
                step *= 2
                if self._passes(start, ends[middle - 1]):
                    low = middle
                    break
                high = middle
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._passes(start, ends[middle - 1]) else (low, middle)
        if low > index:
            self._reach = lengths[low - 1] - begin
        return low

    def _passes(self, start: int, end: int) -> bool:
        return self._fits(self._part(start, end))

    def _finished(self, start: int, end: int) -> Document:
        sheet = self._seams.sheet(end)
        ended = end >= sheet.base + sheet.end
        self.last_paragraphs.append(sheet.number if ended else sheet.number - 1)
        return self._part(start, end)

    def _part(self, start: int, end: int) -> Document:
        whole = self._document
        return Document(self._seams.cut(start, end), (), whole.language, whole.warning, whole.sensitive)

    def _natural(self, start: int, first: int, beyond: int) -> int:
        """The index of the break to take among those that fit: the last of the best that leave the part well filled."""
        ends, levels = self._seams.ends, self._seams.levels
        last = beyond - 1
        if beyond == len(ends):
            return last
        if levels[last] == _Level.BAD:
            last = max(levels.rfind(better, first, last) for better in (_Level.LINE, _Level.PARAGRAPH))
            if last < first:
                return beyond - 1
        enough = start + (ends[last] - start) * _WELL_FILLED
        low = bisect_left(ends, enough, first, last)
        return levels.rindex(max(levels[low : last + 1]), low, last + 1)

"""Where a document may be cut, and how good that is to read."""

# ruff: noqa: RUF001 - full-width punctuation is meant: it ends clauses in Chinese and Japanese

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import accumulate, chain, compress, pairwise, zip_longest

import regex
from msgspec import structs

from gateway.model.content import Block, BlockKind, Paragraph, Span, Text, block, follows
from gateway.text.turns import Turns

_UNSEEN = r"\u200e\u200f\u202c\u2069"
"""Marks of the direction of writing that may close a sentence."""
_MARK = r"\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}"
# Python strips the four separators of ASCII as well: to a reader they are nothing. A space that carries an accent is
# a character of its own, not a gap; a tab or the end of a line carries none.
_SPACE = rf"(?:[\t-\r\x1c-\x1f\x85\u2028\u2029]|\s(?![{_MARK}]))"
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
_OBJECT = "\0"
"""ASCII, so that it makes no text slower that is."""
_CHARACTER = regex.compile(rf"{_OBJECT}|(?!{_SPACE})\X")
_ASCII_SENTENCE_END = re.compile(r"[.!?][\"')\]]*+(?=\s)")
_SENTENCE_END = regex.compile(rf"[.!?…。！？｡؟।][\"'”’»)\]」』）{_UNSEEN}{_MARK}]*+")


class Level(IntEnum):
    BAD = 0
    """After what leads in what follows, or within a line of code: not while there is a line or a block to end with."""
    WORD = 1
    SENTENCE = 2
    LINE = 3
    PARAGRAPH = 4


class Sheet:
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
        edge = (_CODE_EDGE if self.is_code else _EDGE).match(self.text) if self.text[:1].isspace() else None
        self.begin = edge.end() if edge else 0
        self.end = len(self.text.rstrip())
        self._turns = None if self.text.isascii() else Turns(self.text) or None

    @property
    def is_plain(self) -> bool:
        """Whether every network counts each character of it as one: no address or name that may count less."""
        text = self.text
        return not isinstance(self._paragraph, Block) and text.isascii() and "/" not in text and "@" not in text

    @property
    def is_turned(self) -> bool:
        """Whether it turns to another direction: a part may then fit although less, with more to close, doesn't."""
        return self._turns is not None

    def objects(self) -> Iterator[tuple[int, Span]]:
        """Links and mentions, and where among all they are."""
        places = zip(self._starts, self.block.spans, strict=False)
        return ((self.base + place, span) for place, span in places if not isinstance(span, Text))

    def gaps(self) -> tuple[list[int], dict[int, int]]:
        """Where among all a part may end inside, and where the next one then starts, if not one character behind."""
        if self.is_code:
            return self._found(_CODE_GAPS)
        if not self.text.isascii():
            return self._found(_GAPS_AND_STOPS if _STOP.search(self.text) else _GAPS)
        blank = self.text[self.begin : self.end].encode().translate(_BLANKS)
        if b"\1\1" in blank:
            return self._found(_ASCII_GAPS)
        return [*compress(range(self.base + self.begin, self.base + self.end), blank)], {}

    def _found(self, pattern: regex.Pattern[str] | re.Pattern[str]) -> tuple[list[int], dict[int, int]]:
        found = [each.span() for each in pattern.finditer(self.text, self.begin, self.end)]
        inside = found[:-1] if found and found[-1][0] >= self.end else found
        starts = {end + self.base: start + self.base for end, start in inside if start != end + 1}
        return [end + self.base for end, _ in inside], starts

    def levels(self, ends: list[int], starts: dict[int, int]) -> bytearray:
        """How good it is to end at each of them."""
        good, poor = (Level.LINE, Level.BAD) if self.is_code else (Level.SENTENCE, Level.WORD)
        levels = bytearray([poor]) * len(ends)
        for place in chain(self._line_ends(ends, starts), () if self.is_code else self._sentence_ends()):
            index = bisect_left(ends, place)
            if index < len(ends) and ends[index] == place:
                levels[index] = good
        return levels

    def _line_ends(self, ends: list[int], starts: dict[int, int]) -> Iterator[int]:
        text, base = self.text, self.base
        for end in ends if "\n" in text else ():
            gap = text[end - base : starts.get(end, end + 1) - base]
            if "\n" in gap and text[end - base - 1] not in _COLONS:
                yield end

    def _sentence_ends(self) -> Iterator[int]:
        pattern = _ASCII_SENTENCE_END if self.text.isascii() else _SENTENCE_END
        for found in pattern.finditer(self.text):
            yield from range(self.base + found.start() + 1, self.base + found.end() + 1)

    def last_break(self, other: Sheet | None) -> tuple[int, int, Level]:
        """Where it ends, and another one starts."""
        end = self.base + self.end
        if other is None:
            return (end, end, Level.BAD)
        level = Level.LINE if follows(self.block, other.block) else Level.PARAGRAPH
        if self.block.kind is BlockKind.HEADING or (not self.is_code and self.text[self.end - 1] in _COLONS):
            level = Level.BAD
        return (end, other.base + other.begin, level)

    def characters(self, begin: int, end: int) -> tuple[list[int], list[int]]:
        """Where among all those between two places begin, and where they end."""
        found = [each.span() for each in _CHARACTER.finditer(self.text, begin - self.base, end - self.base)]
        return [begin + self.base for begin, _ in found], [end + self.base for _, end in found]

    def cut(self, begin: int, end: int) -> Paragraph | Block:
        """What lies between two places. An item that was begun before has no marker."""
        if begin <= 0 and end >= len(self.text):
            return self._paragraph
        first = bisect_right(self._starts, begin) - 1 if begin > 0 else 0
        last = (bisect_left(self._starts, end) if end < len(self.text) else len(self.block.spans)) - 1
        spans = list(self.block.spans[first : last + 1])
        since = begin - self._starts[first] if begin > 0 else 0
        if isinstance(tail := spans[-1], Text):  # at both ends at once: the rest of a long one is not copied
            spans[-1] = Text(tail.text[since if first == last else 0 : end - self._starts[last]], tail.marks)
        if since and first < last and isinstance(head := spans[0], Text):
            spans[0] = Text(head.text[since:], head.marks)
        if self._turns:
            before, after = self._turns.opening(begin), self._turns.closing(end)
            spans = [*([Text(before)] if before else []), *spans, *([Text(after)] if after else [])]
        if not isinstance(self._paragraph, Block):
            return tuple(spans)
        marker = self.block.marker if begin <= self.begin else ""
        return structs.replace(self.block, spans=tuple(spans), marker=marker)


class Seams:
    """Where blocks may be cut, whoever cuts them."""

    def __init__(self, paragraphs: Sequence[Paragraph | Block]) -> None:
        self.sheets: list[Sheet] = []
        base = 0
        for number, paragraph in enumerate(paragraphs):
            sheet = Sheet(paragraph, number, base)
            if sheet.begin < sheet.end:
                self.sheets.append(sheet)
                base += len(sheet.text) + 2
        self._bases = [sheet.base for sheet in self.sheets]
        self.ends: list[int] = []
        """Where a part may end."""
        self._starts: dict[int, int] = {}
        self.levels = bytearray()
        """How good that is."""
        for sheet, after in zip_longest(self.sheets, self.sheets[1:]):
            self._add(sheet, after)
        self.is_plain = all(sheet.is_plain for sheet in self.sheets)
        """Whether what is written is as long as it is here."""
        self.is_turned = any(sheet.is_turned for sheet in self.sheets)
        objects = [each for sheet in self.sheets for each in sheet.objects()]
        self.objects = [span for _, span in objects]
        self._places = [place for place, _ in objects]
        self._behind = [bisect_right(self.ends, place) for place in self._places]

    def _add(self, sheet: Sheet, after: Sheet | None) -> None:
        ends, starts = sheet.gaps()
        end, start, level = sheet.last_break(after)
        self.ends += ends
        self.ends.append(end)
        self._starts |= starts
        self._starts[end] = start
        self.levels += sheet.levels(ends, starts)
        self.levels.append(level)

    def start(self, end: int) -> int:
        """Where the next part starts after one that ends there."""
        return self._starts.get(end, end + 1)

    def before(self, place: int) -> int:
        """How many links and mentions are before it."""
        return bisect_left(self._places, place)

    def runs(self) -> Iterator[list[int]]:
        """The ends in order, grouped by how many links and mentions are before them, from none on."""
        return (self.ends[begin:end] for begin, end in pairwise((0, *self._behind, len(self.ends))))

    def sheet(self, place: int) -> Sheet:
        """The block that ends at this place or goes on there."""
        return self.sheets[bisect_right(self._bases, place) - 1]

    def cut(self, start: int, end: int) -> tuple[Paragraph | Block, ...]:
        """What lies between two places."""
        first = bisect_right(self._bases, start) - 1
        last = bisect_right(self._bases, end, first)
        return tuple([sheet.cut(start - sheet.base, end - sheet.base) for sheet in self.sheets[first:last]])


seams_of = lru_cache(8)(Seams)
"""A post goes to several networks, and each cuts it otherwise."""

"""One document as several that each fit, cut where a reader would pause."""

# ruff: noqa: RUF001 - full-width punctuation is meant: it ends clauses in Chinese and Japanese

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import regex
from msgspec import structs

from gateway.model.content import Document, Paragraph, Span, Text, spelled

_MARK = r"\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}"
# Python strips the four separators of ASCII as well: to a reader they are nothing.
_SPACE = r"\s\x1c-\x1f"
# A space that carries an accent is a character of its own, not a gap.
_SPACE_WITH_MARK = rf"[{_SPACE}](?=[{_MARK}])"
# Scripts without spaces pause at these.
_STOP = rf"[。！？｡、，；]++[」』”’）{_MARK}]*+"
_WORD = regex.compile(rf"(?:[^{_SPACE}。！？｡、，；]++|{_SPACE_WITH_MARK})++(?:{_STOP})?+|{_STOP}")
_CHARACTER = regex.compile(rf"(?![{_SPACE}](?![{_MARK}]))\X")
_SENTENCE_END = regex.compile(rf"[.!?…。！？｡؟।][\"'”’»)\]」』）{_MARK}]*$")
_CLAUSE_END = regex.compile(rf"[。！？｡、，；][」』”’）{_MARK}]*$")
_NO_BREAK_SPACES = "\u00a0\u2007\u202f"

_WELL_FILLED = 1 / 3
"""A better break is taken when the part is still this full: three posts for two would be a bad bargain."""


class _Level(IntEnum):
    CHARACTER = 0
    WORD = 1
    SENTENCE = 2
    PARAGRAPH = 3


class _Place(NamedTuple):
    """Before the character ``offset`` of a text span; other spans have the offsets 0 (before) and 1 (after)."""

    paragraph: int
    span: int
    offset: int


class _Token(NamedTuple):
    begin: _Place
    end: _Place
    text: str
    gap: str
    """The white space before it."""


class _Start(NamedTuple):
    place: _Place
    at: int
    """How many characters lie before it."""


class _Break(NamedTuple):
    """A part may end at ``end``; the next one then starts at ``next`` (after the last break: nowhere, ``end``)."""

    end: _Place
    next: _Place
    level: _Level
    at: int
    """How many characters lie before it."""


def split(
    document: Document, fits: Callable[[str], bool], spell: Callable[[Span], str] = spelled
) -> tuple[Document, ...]:
    """The document in parts that each fit, in order; the document itself when it fits whole.

    ``fits`` judges a part's rendering: its spans as ``spell`` writes them, paragraphs a blank line apart. It
    is taken to be monotonic: what fits still fits with less. Cuts come at a paragraph, a sentence end, a word or,
    in a word that is too long by itself, between two characters; never inside a link or a mention. Only white
    space at a cut is dropped. Media stay on the first part. Raises ValueError when a link, a mention or a single
    character does not fit alone.
    """
    if fits(_render(document.paragraphs, spell)):
        return (document,)
    slices = _Knife(document, fits, spell).slices()
    parts = tuple(structs.replace(document, paragraphs=paragraphs, media=()) for paragraphs in slices)
    first = structs.replace(parts[0] if parts else structs.replace(document, paragraphs=()), media=document.media)
    return (first, *parts[1:])


def _render(paragraphs: tuple[Paragraph, ...], spell: Callable[[Span], str]) -> str:
    return "\n\n".join("".join(map(spell, paragraph)) for paragraph in paragraphs)


class _Knife:
    def __init__(self, document: Document, fits: Callable[[str], bool], spell: Callable[[Span], str]) -> None:
        self._document = document
        self._fits = fits
        self._spell = spell
        self._reach = 500
        """Where to look first: about as far as the last part went."""

    def slices(self) -> Iterator[tuple[Paragraph, ...]]:
        tokens = list(_tokens(self._document, _WORD, _Place(0, 0, 0)))
        if not tokens:
            return
        breaks = _breaks(tokens)
        start = _Start(tokens[0].begin, 0)
        index = 0
        while index < len(breaks):
            beyond = self._furthest(start, breaks, index)
            if beyond == index:
                start = yield from self._through_word(start, breaks[index].end)
                continue
            chosen = _natural(breaks, start, index, beyond)
            last = breaks[chosen]
            yield self._slice(start.place, last.end)
            start, index = _Start(last.next, last.at), chosen + 1

    def _through_word(self, start: _Start, end: _Place) -> Generator[tuple[Paragraph, ...], None, _Start]:
        """Cut a word that is too long for one part; returns where its last piece, which fits, starts."""
        breaks = _character_breaks(self._document, start, end)
        index = 0
        while (beyond := self._furthest(start, breaks, index)) > index:
            if beyond == len(breaks):
                return start
            last = breaks[beyond - 1]
            yield self._slice(start.place, last.end)
            start = _Start(last.next, last.at)
            index = beyond
        raise ValueError("a link, a mention or a single character does not fit by itself")

    def _furthest(self, start: _Start, breaks: list[_Break], index: int) -> int:
        """The index beyond the last break that can be reached: grown by doubling, then halved in.

        The whole rest is never measured, so that a long text takes time in proportion to its length.
        """

        def passes(beyond: int) -> bool:
            return self._fits(_render(self._slice(start.place, breaks[beyond - 1].end), self._spell))

        def within(reach: int) -> int:
            return bisect_right(breaks, start.at + reach, lo=index, key=lambda item: item.at)

        low, reach = index, self._reach
        high = max(index + 1, within(reach))
        while passes(high):
            low, reach = high, reach * 2
            if low == len(breaks):
                return low
            high = max(low + 1, within(reach))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if passes(middle) else (low, middle)
        if low > index:
            self._reach = breaks[low - 1].at - start.at
        return low

    def _slice(self, start: _Place, end: _Place) -> tuple[Paragraph, ...]:
        if start[:2] == end[:2]:
            span = self._document.paragraphs[start.paragraph][start.span]
            return ((_cut(span, start.offset, end.offset),),)
        kept: list[Paragraph] = []
        for number in range(start.paragraph, end.paragraph + 1):
            first = start.span if number == start.paragraph else 0
            last = end.span + 1 if number == end.paragraph else None
            spans = list(self._document.paragraphs[number][first:last])
            if number == end.paragraph:
                spans[-1] = _cut(spans[-1], 0, end.offset)
            if number == start.paragraph:
                spans[0] = _cut(spans[0], start.offset, None)
            if spans:
                kept.append(tuple(spans))
        return tuple(kept)


def _cut(span: Span, begin: int, end: int | None) -> Span:
    return Text(span.text[begin:end]) if isinstance(span, Text) else span


def _tokens(document: Document, pattern: regex.Pattern[str], since: _Place) -> Iterator[_Token]:
    """What may not be lost, with the white space between: pieces of text that match, and every other span whole."""
    for number in range(since.paragraph, len(document.paragraphs)):
        gap = ""
        here = number == since.paragraph
        for place, span in enumerate(document.paragraphs[number]):
            if here and place < since.span:
                continue
            if not isinstance(span, Text):
                yield _Token(_Place(number, place, 0), _Place(number, place, 1), spelled(span), gap)
                gap = ""
                continue
            position = since.offset if here and place == since.span else 0
            for match in pattern.finditer(span.text, position):
                begin, end = match.span()
                gap += span.text[position:begin]
                yield _Token(_Place(number, place, begin), _Place(number, place, end), match.group(), gap)
                gap, position = "", end
            gap += span.text[position:]


def _breaks(tokens: list[_Token]) -> list[_Break]:
    found: list[_Break] = []
    at = 0
    for before, after in pairwise(tokens):
        at += len(before.gap) + len(before.text)
        level = _level(before, after)
        if level > _Level.CHARACTER:
            found.append(_Break(before.end, after.begin, level, at))
    last = tokens[-1]
    found.append(_Break(last.end, last.end, _Level.PARAGRAPH, at + len(last.gap) + len(last.text)))
    return found


def _level(before: _Token, after: _Token) -> _Level:
    if before.end.paragraph != after.begin.paragraph:
        return _Level.PARAGRAPH
    if not after.gap.strip(_NO_BREAK_SPACES) and not _CLAUSE_END.search(before.text):
        return _Level.CHARACTER
    if "\n" in after.gap or _SENTENCE_END.search(before.text, max(0, len(before.text) - 8)):
        return _Level.SENTENCE
    return _Level.WORD


def _character_breaks(document: Document, start: _Start, end: _Place) -> list[_Break]:
    found: list[_Break] = []
    at = start.at
    last: _Token | None = None
    for token in _tokens(document, _CHARACTER, start.place):
        if last is not None:
            if last.end >= end:
                break
            at += len(last.gap) + len(last.text)
            found.append(_Break(last.end, token.begin, _Level.CHARACTER, at))
        last = token
    found.append(_Break(end, end, _Level.CHARACTER, at + 1))
    return found


def _natural(breaks: list[_Break], start: _Start, first: int, beyond: int) -> int:
    """The index of the break to take among those that fit."""
    best = beyond - 1
    if beyond == len(breaks):
        return best
    enough = start.at + (breaks[best].at - start.at) * _WELL_FILLED
    for index in range(best, first - 1, -1):
        if breaks[index].at < enough or breaks[best].level is _Level.PARAGRAPH:
            break
        if breaks[index].level > breaks[best].level:
            best = index
    return best

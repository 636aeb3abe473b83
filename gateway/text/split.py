"""One document as several that each fit, cut where a reader would pause."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import accumulate
from math import inf
from typing import NamedTuple

from msgspec import structs

from gateway.model.content import Document, Media, Span, Text
from gateway.text.seams import Level, seams_of

_WELL_FILLED = 1 / 3
"""A better break is taken when the part is still this full: three posts for two would be a bad bargain."""


_WIDEST = "9999/9999"
"""The number that there is room for; nobody posts a longer thread."""


_ABOUT = 300


def _usual(_: Span) -> int:
    """How wide a link or a mention is, more or less."""
    return 21


class Slice(NamedTuple):
    """One part of a thread: what is ``said`` in it, and how that is ``shown``, with its ``number`` where it has one."""

    said: Document
    shown: Document
    number: str = ""


def slices(
    document: Document,
    fits: Callable[[Document], bool],
    *,
    about: int = _ABOUT,
    width: Callable[[Span], int] = _usual,
    most: int | None = None,
    numbered: bool = False,
) -> tuple[Slice, ...]:
    """As :func:`split`; the parts of a thread that is ``numbered`` end with "2/4", for which there is room."""
    if not numbered or fits(document):
        return tuple(Slice(piece, piece) for piece in split(document, fits, about=about, width=width, most=most))
    pieces = split(
        document,
        lambda piece: fits(with_number(piece, _WIDEST)),
        about=about,
        width=width,
        whole=False,
    )
    numbered_pieces = ((piece, f"{n}/{len(pieces)}") for n, piece in enumerate(pieces, 1))
    return tuple(Slice(piece, with_number(piece, number), number) for piece, number in numbered_pieces)


def with_number(piece: Document, number: str) -> Document:
    """How a part of a numbered thread is shown."""
    return structs.replace(piece, paragraphs=(*piece.paragraphs, (Text(number),)))


def split(
    document: Document,
    fits: Callable[[Document], bool],
    *,
    about: int = _ABOUT,
    width: Callable[[Span], int] = _usual,
    most: int | None = None,
    whole: bool = True,
) -> tuple[Document, ...]:
    """The document in parts that each fit, in order; where ``whole``, the document itself when it fits as it is.

    ``fits`` judges a part as it will be written; its media aside. It is taken to be monotonic: what fits still fits
    with less, turns to another direction of writing aside. Cuts come at a block, a sentence end, a word or, in a word
    that is too long by itself, between two characters; in code at a line before all else; never inside a link or a
    mention. A heading goes with what follows, and so do words that end in a colon. Only white space at a cut is
    dropped, an item that is cut goes on without a marker, and a turn to another direction of writing ends at a cut and
    begins again. Media are on the part in which the paragraph ends that mentions them, else on the first, where poll
    and quote are too; a warning is on each. ``about`` so many characters make a part, a link or a mention ``width``:
    the better the guess, the less is asked. Plain words of more than ``most`` characters, links and mentions as wide as
    told, surely don't fit; it is the guess, then.
    Raises ValueError when a link, a mention or a single character does not fit alone.
    """
    if whole and fits(document):
        return (document,)
    knife = _Knife(document, fits, about, width, most)
    parts = list(knife.parts()) or [structs.replace(document, paragraphs=(), media=())]
    parts[0] = structs.replace(parts[0], poll=document.poll, quote=document.quote, card=document.card)
    return _illustrated(parts, document.media, knife.last_paragraphs)


def lead(document: Document, fits: Callable[[Document], bool]) -> Document:
    """The beginning of a document, as much as fits, without its media. Raises ValueError when nothing does."""
    return next(iter(_Knife(document, fits, _ABOUT, _usual).parts()), Document())


def _illustrated(
    parts: Sequence[Document], media: Sequence[Media], last_paragraphs: Sequence[int]
) -> tuple[Document, ...]:  # fmt: skip
    """The parts with their media. ``last_paragraphs`` says with which paragraph each part ends."""
    if not media:
        return tuple(parts)
    shown: list[list[Media]] = [[] for _ in parts]
    for one in media:
        place = 0 if one.at is None else min(bisect_left(last_paragraphs, one.at), len(parts) - 1)
        shown[place].append(structs.replace(one, at=None))
    return tuple(structs.replace(part, media=tuple(here)) for part, here in zip(parts, shown, strict=True))


class _Knife:
    def __init__(
        self,
        document: Document,
        fits: Callable[[Document], bool],
        about: int,
        width: Callable[[Span], int],
        most: int | None = None,
    ) -> None:
        self._document = document
        self._fits = fits
        self._seams = seams_of(document.paragraphs)
        self._widths = list(accumulate((width(span) - 1 for span in self._seams.objects), initial=0))
        """Of all links and mentions up to each, beside the one character that it has."""
        runs = zip(self._widths, self._seams.runs(), strict=True)
        self._lengths = [end + more for more, ends in runs for end in ends]
        """About how much is written up to each end."""
        self._most = most if self._seams.is_plain and most is not None else inf
        """What is longer than that surely doesn't fit."""
        self._reach = about if most is None else most
        """Where to look first: as far as it went before."""
        self._passed: tuple[int, int, Document] = (0, 0, Document())
        """What fitted last, and from where to where that is."""
        self.last_paragraphs: list[int] = []
        """Of each part the last paragraph that ends in it, or before it."""

    def parts(self) -> Iterator[Document]:
        seams = self._seams
        start, index = seams.sheets[0].begin if seams.sheets else 0, 0
        while index < len(seams.ends):
            beyond = self._furthest(start, seams.ends, self._lengths, index)
            if beyond == index:
                start = yield from self._through_word(start, seams.ends[index])
                continue
            chosen = self._natural(start, index, beyond)
            if seams.is_turned and chosen < beyond - 1 and not self._passes(start, seams.ends[chosen]):
                chosen = beyond - 1  # with less to close at its end, more may fit
            end = seams.ends[chosen]
            yield self._finished(start, end)
            start, index = seams.start(end), chosen + 1

    def _through_word(self, start: int, end: int) -> Generator[Document, None, int]:
        """Cut a word that is too long for one part; returns where its last piece, which fits, starts."""
        sheet = self._seams.sheet(end)
        begins, ends = sheet.characters(start, end)
        ends[-1] = end
        lengths = [*map(self._length, ends)]
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
        """The index beyond the last end that can be reached."""
        begin = self._length(start)
        low, high = self._bracket(start, begin, ends, lengths, index)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._passes(start, ends[middle - 1]) else (low, middle)
        if index < low < len(ends):
            self._reach = max(lengths[low - 1] - begin, min(self._reach, lengths[low] - begin - 1))
        return low

    def _bracket(
        self, start: int, begin: int, ends: list[int], lengths: list[int], index: int
    ) -> tuple[int, int]:  # fmt: skip
        """The index beyond one end that can be reached and beyond one that can't. Tried first is what the last part
        reached, then more or less than that by growing steps, so that a long text takes time in proportion to its
        length.
        """

        def within(reach: int) -> int:
            return bisect_right(lengths, begin + reach, lo=index)

        step = max(1, self._reach // 64)
        high = max(index + 1, within(self._reach))
        if not self._passes(start, ends[high - 1]):
            while (middle := within(lengths[high - 1] - begin - step)) > index:
                step *= 2
                if self._passes(start, ends[middle - 1]):
                    return middle, high
                high = middle
            return index, high
        while True:
            low = high
            if low == len(ends) or lengths[low] - begin > self._most:
                return low, low + 1
            high = max(low + 1, within(lengths[low - 1] - begin + step))
            step *= 2
            if not self._passes(start, ends[high - 1]):
                return low, high

    def _length(self, place: int) -> int:
        """About how much is written up to there."""
        return place + self._widths[self._seams.before(place)]

    def _passes(self, start: int, end: int) -> bool:
        part = self._part(start, end)
        if fits := self._fits(part):
            self._passed = (start, end, part)
        return fits

    def _finished(self, start: int, end: int) -> Document:
        sheet = self._seams.sheet(end)
        ended = end >= sheet.base + sheet.end
        self.last_paragraphs.append(sheet.number if ended else sheet.number - 1)
        *passed, part = self._passed
        return part if passed == [start, end] else self._part(start, end)

    def _part(self, start: int, end: int) -> Document:
        whole = self._document
        return Document(self._seams.cut(start, end), (), whole.language, whole.warning, whole.sensitive)

    def _natural(self, start: int, first: int, beyond: int) -> int:
        """The index of the break to take among those that fit: the last of the best that leave the part well filled."""
        ends, levels = self._seams.ends, self._seams.levels
        last = beyond - 1
        if beyond == len(ends):
            return last
        if levels[last] == Level.BAD:
            last = max(levels.rfind(better, first, last) for better in (Level.LINE, Level.PARAGRAPH))
            if last < first:
                return beyond - 1
        enough = start + (ends[last] - start) * _WELL_FILLED
        low = bisect_left(ends, enough, first, last)
        return levels.rindex(max(levels[low : last + 1]), low, last + 1)

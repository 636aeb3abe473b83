"""Addresses and names that a platform finds in a text by itself end where they were meant to: a space parts them from
what would be taken for more of them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, pairwise

from msgspec import structs

from gateway.model.capabilities import Profile
from gateway.model.content import Block, Document, Link, Mention, Paragraph, Span, Text, block, spelled

_REACH = 64
"""So far behind an address is looked for more of it."""
_NO_NAME_BEHIND = re.compile(r"[\w=/!#$%&*@\uff20]")
_NO_ADDRESS_BEHIND = re.compile(r"[A-Za-z0-9@\uff20$#\uff03]")


def apart(document: Document, platform: str, profile: Profile) -> Document:
    """The document as this platform reads it right, without markup. Nothing is changed where nothing is misread."""
    if not (profile.address or profile.calls_by_text) or not _touches(document.paragraphs):
        return document
    reader = _Reader(platform, profile)

    def parted(paragraph: Paragraph | Block) -> Paragraph | Block:
        if isinstance(paragraph, Block):
            return structs.replace(paragraph, spans=tuple(reader.parted(paragraph.spans)))
        return tuple(reader.parted(paragraph))

    return structs.replace(document, paragraphs=tuple(map(parted, document.paragraphs)))


class _Reader:
    def __init__(self, platform: str, profile: Profile) -> None:
        self._platform = platform
        self._calls = profile.calls_by_text
        self._name = re.compile(profile.name_goes_on)
        self._address = re.compile(profile.address) if profile.address else None

    def parted(self, spans: Paragraph) -> Iterator[Span]:
        words = [spelled(span) for span in spans]
        text = "".join(words)
        for span, after, end in zip(spans, (*spans[1:], None), accumulate(map(len, words)), strict=False):
            yield span
            if after is not None and (self._goes_on(span, text, end) or self._is_hidden(after, text, end)):
                yield Text(" ")

    def _goes_on(self, span: Span, text: str, end: int) -> bool:
        """Whether what follows would be taken for more of it."""
        if isinstance(span, Link) and self._address:
            found = self._address.match(text, text.rfind(span.url, 0, end), end + _REACH)
            return found is not None and found.end() > end
        return isinstance(span, Mention) and self._is_called(span) and self._name.match(text, end) is not None

    def _is_hidden(self, span: Span, text: str, begin: int) -> bool:
        """Whether it would not be found, for what is before it."""
        before = text[max(begin - 1, 0) : begin]
        if isinstance(span, Link) and self._address:
            return text.startswith(span.url, begin) and _NO_ADDRESS_BEHIND.match(before) is not None
        return isinstance(span, Mention) and self._is_called(span) and _NO_NAME_BEHIND.match(before) is not None

    def _is_called(self, mention: Mention) -> bool:
        """One that has only a number is called by that, not by what stands in the text."""
        named = bool(mention.handle) or "@" in mention.id
        return self._calls and mention.platform == self._platform and named


@lru_cache(8)  # a post goes to several networks
def _touches(paragraphs: tuple[Paragraph | Block, ...]) -> bool:
    """Whether two spans of one have no space between them."""
    beside = (pair for each in map(block, paragraphs) for pair in pairwise(each.spans))
    return not all(_ends_blank(before) or _begins_blank(after) for before, after in beside)


def _ends_blank(span: Span) -> bool:
    return isinstance(span, Text) and span.text[-1:].isspace()


def _begins_blank(span: Span) -> bool:
    return isinstance(span, Text) and span.text[:1].isspace()

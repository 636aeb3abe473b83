"""Answers as JSON, decoded so that what one item holds harms no other. Pure: somebody else's records are in them.

The client library gives up a whole answer that is nested deeper than 200 (lib request.py: pydantic_core's from_json;
seen), msgspec at about 950 (seen, Python 3.11). How deep the unknown fields of a record may be is nowhere said.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from msgspec import Raw, Struct, json

DEPTH_MAX = 100
"""No lexicon comes near it; what reads, writes or prints an item goes deeper."""

_MARKS = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]')
"""Strings, so that nothing in them counts, and what opens and closes."""

T = TypeVar("T")


class TooLargeError(ValueError):
    """An answer of which less might be read."""


class Page(Struct):
    """An answer that lists something, whichever it is. Its items are decoded one by one."""

    notifications: list[Raw] = []
    posts: list[Raw] = []
    logs: list[Raw] = []
    cursor: str | None = None


def decoded(content: bytes | Raw, kind: type[T]) -> T:
    """ValueError for what isn't that; what lies deeper than a decoder goes is null."""
    try:
        return json.decode(content, type=kind)
    except RecursionError:
        return json.decode(shallow(bytes(content)), type=kind)


def shallow(content: bytes) -> bytes:
    """JSON with null in place of what is nested deeper than ``DEPTH_MAX``."""
    kept, depth, since = bytearray(), 0, 0
    for mark in _MARKS.finditer(content):
        if mark[0] in (b"[", b"{"):
            depth += 1
            if depth == DEPTH_MAX + 1:
                kept += content[since : mark.start()] + b"null"
                since = len(content)
        elif mark[0] in (b"]", b"}"):
            if depth == DEPTH_MAX + 1:
                since = mark.end()
            depth -= 1
    return bytes(kept + content[since:])


def named(item: Any) -> object:
    """What tells an item from the others, however deep it is."""
    if isinstance(item, dict):
        return tuple(value for value in item.values() if isinstance(value, str))
    return item if isinstance(item, bytes) else type(item)

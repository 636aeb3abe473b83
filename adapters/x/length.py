"""How long X says a text is. A file of its own, because the parser is big, slow and wants a stand-in to be imported.

twitter-text-parser (1 ms for a full post) is loaded for texts only that a bound can't decide.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
import unicodedata
from collections.abc import Callable
from importlib.resources import files
from types import ModuleType
from typing import Any

POST_MAX = 280
DIRECT_MAX = 10_000
_URL = 23
_LETTER = re.compile(r"[A-Za-z]")
_FOREIGN = re.compile(r"[^\W\d_a-zA-Z]")


def fits_post(text: str) -> bool:
    """Whether X takes it as one post: 280 by the weights of twitter-text v3."""
    normal = unicodedata.normalize("NFC", text)
    if _at_most(normal) <= POST_MAX:
        return True
    return _at_least(normal) <= POST_MAX and weighted_length(normal) <= POST_MAX


def fits_direct(text: str) -> bool:
    """Whether it fits one direct message: 10,000 characters."""
    return len(text) <= DIRECT_MAX


def weighted_length(text: str) -> int:
    """twitter-text v3, config/v3.json: URLs 23, emoji 2, other characters 1 or 2."""
    return int(_parse()(text).weightedLength)


def _at_most(normal: str) -> int:
    """No character weighs more than 2, ASCII weighs 1, and an address has a dot."""
    return (len(normal) if normal.isascii() else 2 * len(normal)) + _URL * normal.count(".")


def _at_least(normal: str) -> int:
    """Letters that are in no address weigh 1 or more each, whatever else there is.

    Addresses have a dot; without a slash they are (next to) all ASCII. The bound also spares the parser long words
    of dots and foreign letters, for which its time is quadratic: 1,000 characters take more than a second.
    """
    words = normal.split()
    plain = " ".join(word for word in words if "." not in word)
    unlinked = " ".join(word for word in words if "/" not in word)
    return len(_LETTER.findall(plain)) + len(_FOREIGN.findall(unlinked))


@functools.cache
def _parse() -> Callable[[str], Any]:
    """The library. It imports ``pkg_resources``, which nobody ships any more: a stand-in serves meanwhile."""
    stand_in = ModuleType("pkg_resources")
    stand_in.resource_string = _resource  # type: ignore[attr-defined]  # a module made here has no declared names
    before = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = stand_in
    try:
        parse: Callable[[str], Any] = importlib.import_module("twitter_text").parse_tweet
    finally:
        if before is None:
            del sys.modules["pkg_resources"]
        else:
            sys.modules["pkg_resources"] = before
    return parse


def _resource(module: str, name: str) -> bytes:
    return files(module.rpartition(".")[0]).joinpath(name).read_bytes()

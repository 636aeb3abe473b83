"""How long X says a text is. A file of its own, because the parser is big, slow and wants a stand-in to be imported.

twitter-text-parser (1 ms for a full post) is loaded for words only that may be addresses or emoji, and asked once for
each: no address and no emoji goes across white space, so a text weighs what its words do.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from importlib.resources import files
from types import ModuleType
from typing import Any

POST_MAX = 280
DIRECT_MAX = 10_000
URL = 23
"""What an address weighs, whatever its length."""
_ADDRESS = re.compile(r"\.\w")
"""Part of every address, and of little else."""
_TAIL = re.compile(r"\.\w\S*")
"""The same, and the rest of the word."""
_WEB = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}']", re.IGNORECASE)
_ORIGIN = re.compile(r"\w+://[^/?#:]*")
_KNOWN = "https://example.com"
_PLAIN = re.compile(
    r"\(?(?P<url>https?://(?P<host>(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}(?P<top>[a-z]{2,20}))"
    r"(?:/[a-z0-9_/-]*(?:\.[a-z0-9_/-]+)*)?(?:\?[a-z0-9_=&-]+)?)[).,:;!?\"']*",
    re.IGNORECASE | re.ASCII,
)
"""A word that is a web address between signs, without anything that needs looking at twice."""
_PLAIN_MAX = 1_000
_HEAVY = re.compile("[^\\u0000-\\u10ff\\u2000-\\u200d\\u2010-\\u201f\\u2032-\\u2037]|[\\u00a9\\u00ae]")
"""What may weigh 2: everything outside config/v3.json's ranges, and the two emoji inside of them."""
_HEAVY_SPACES = ("\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000")
WORDS_KEPT = 4_096
_LETTER = re.compile(r"[^\W\d_]")


def fits_post(text: str) -> bool:
    """Whether X takes it as one post: 280 by the weights of twitter-text v3."""
    normal = unicodedata.normalize("NFC", text)
    doubtful = _doubtful(normal)
    if not doubtful and normal.isascii():  # most parts of a text are so
        return len(normal) <= POST_MAX
    if normal.isascii() and _at_least(normal, doubtful) <= POST_MAX:
        surplus = [_certain_surplus(word) for word in doubtful]
        if None not in surplus:
            return len(normal) + sum(filter(None, surplus)) <= POST_MAX
    heavy = 0 if normal.isascii() else len(_HEAVY.findall(normal))
    most = len(normal) + heavy + URL * sum(len(_ADDRESS.findall(word)) for word in doubtful)
    if most <= POST_MAX or most == len(normal):
        return most <= POST_MAX
    if _at_least(normal, doubtful) > POST_MAX:
        return False
    return _weighed(normal, doubtful) + sum(map(_newer, doubtful)) <= POST_MAX


@functools.lru_cache(WORDS_KEPT)
def _newer(text: str) -> int:
    """What short addresses may weigh above their characters, in domains that X knows and the library's list doesn't."""
    found = [] if _certain(text) else _WEB.findall(text)
    known = set(_addresses(text)) if found else set()
    unknown = [url for url in map(_taken, found) if url not in known]
    return sum(URL - len(url) for url in unknown if len(url) < URL)


def _taken(url: str) -> str:
    """As much of it as X takes for an address where it knows the domain: as of one that the library knows."""
    before = _ORIGIN.match(url)
    rest = url[before.end() :] if before else ""
    taken = _addresses(_KNOWN + rest)
    return url[: len(url) - len(rest) + len(taken[0]) - len(_KNOWN)] if taken else url


def fits_direct(text: str) -> bool:
    """Whether it fits one direct message: 10,000 characters."""
    return len(text) <= DIRECT_MAX


def weighted_length(text: str) -> int:
    """twitter-text v3, config/v3.json: URLs 23, emoji 2, other characters 1 or 2."""
    normal = unicodedata.normalize("NFC", text)
    return _weighed(normal, _doubtful(normal))


def _doubtful(normal: str) -> list[str]:
    """The words that may weigh something else than their characters."""
    if normal.isascii():
        return list(_dotted(normal)) if "." in normal else []
    return [
        word
        for word in normal.split()
        if ("." in word and _ADDRESS.search(word)) or (not word.isascii() and _HEAVY.search(word))
    ]


def _dotted(text: str) -> Iterator[str]:
    """The words with a part of an address. To look for that is much faster than to look at all words."""
    end = 0
    for found in _TAIL.finditer(text):
        before, end = text[end : found.start()], found.end()
        begun = bool(before) and not before[-1].isspace()
        yield before.rsplit(None, 1)[-1] + found.group() if begun else found.group()


def _weighed(normal: str, doubtful: list[str]) -> int:
    surplus = (_surplus(word, begins=not n and normal.startswith(word)) for n, word in enumerate(doubtful))
    spaces = 0 if normal.isascii() else sum(map(normal.count, _HEAVY_SPACES))
    return len(normal) + spaces + sum(surplus)


@functools.lru_cache(WORDS_KEPT)
def _surplus(word: str, *, begins: bool) -> int:
    """What a word weighs above its characters. ``begins``: nothing is before it. The parser finds some addresses only
    there, and some only after a space.
    """
    if (certain := _certain_surplus(word)) is not None:
        return certain
    weight = _parse()(word).weightedLength if begins else _parse()(f" {word}").weightedLength - 1
    return int(weight) - len(word)


def _certain(word: str) -> str:
    """The address that a word surely is, and no more than it: most are, and the parser takes 0.2 ms for each."""
    found = _PLAIN.fullmatch(word) if len(word) < _PLAIN_MAX else None
    return found["url"] if found and found["host"].lower() != "t.co" and _is_domain(found["top"].lower()) else ""


@functools.lru_cache(WORDS_KEPT)
def _certain_surplus(word: str) -> int | None:
    """What an address weighs above its characters, None where the word may be something else."""
    url = _certain(word)
    return URL - len(url) if url else None


@functools.lru_cache(WORDS_KEPT)
def _is_domain(top: str) -> bool:
    return bool(_addresses(f"https://example.{top}"))


def has_address(text: str) -> bool:
    """Whether X makes a link of something in it, which is what a post is charged for."""
    return bool(_ADDRESS.search(text) and _addresses(text))


def _addresses(text: str) -> list[str]:
    _parse()
    found: list[str] = importlib.import_module("twitter_text.extract_urls").extract_urls(text)
    return found


def _at_least(normal: str, doubtful: list[str]) -> int:
    """What lies outside of addresses counts, whatever they turn out to be.

    The bound also spares the parser long words of dots and foreign letters, for which its time is quadratic (1,000
    characters take more than a second): without a slash an address is (next to) all ASCII.
    """
    if normal.isascii():
        return len(normal) - sum(map(len, doubtful))
    words = normal.split()
    plain = " ".join(word for word in words if not _ADDRESS.search(word))
    foreign = "".join(word for word in words if "/" not in word and not word.isascii() and _ADDRESS.search(word))
    return len(_LETTER.findall(plain)) + sum(not letter.isascii() for letter in _LETTER.findall(foreign))


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

"""The length of a status, as an instance counts it."""

from __future__ import annotations

import re
from functools import lru_cache

import regex

from gateway.text.measure import graphemes

# What Mastodon takes for an address and for a mention (masto status_length_validator.rb, account.rb). Narrow on
# purpose: what looks like an address and isn't surely one counts in full, and as if it were one as far as it surely
# goes, so that a mistake makes a status shorter and never refused. A name has 127 labels at most (RFC 1035).
_SAFE = r"(?:[A-Za-z0-9%/+=_&~#$]|\([A-Za-z0-9%/+=_&~#$]*\))"
_PATH = rf"/{_SAFE}*+(?:[.,:;!@*'-]++{_SAFE}++)*+"
_QUERY = rf"(?<=[A-Za-z0-9/_])\?{_SAFE}*+(?:[.,:;!?@*'-]++{_SAFE}++)*+"
_BEHIND = rf"(?::\d{{1,5}}+)?+(?:{_PATH})?+(?:{_QUERY})?+"
_URL = regex.compile(
    r"https?://(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.){1,127}[a-z]{2,}+"
    rf"{_BEHIND}(?![\p{{L}}\p{{N}}@])",
    regex.IGNORECASE,
)
_HOST = r"https?://[\p{L}\p{N}-]*+(?:\.(?:[a-z0-9]++|\p{L}{2,}+(?=[/:?])))?+"
_BEGUN = regex.compile(_HOST + _BEHIND, regex.IGNORECASE)
_MAYBE_URL = regex.compile(r"https?://\S+", regex.IGNORECASE)
_BEGINS = re.compile(r"https?://", re.IGNORECASE)
_NOT_LAST = "%+=&~#$.,:;!?@*'()-"
"""Some of these may end an address, and some may not."""
_GLUE = regex.compile(r"[\p{L}\p{N}@#$/.]")
_REMOTE = re.compile(r"(?<![=/\w])(@[a-z0-9_]+(?:[a-z0-9_.-]*[a-z0-9_])?)@[\w.-]+\w", re.IGNORECASE)


def measure(text: str, url_length: int) -> int:
    """What the instance counts of a text: graphemes, an address as so many, a mention without its domain."""
    # Most texts have neither, and are looked at dozens of times while a thread is cut.
    short = text
    if "://" in text:
        short = _MAYBE_URL.sub(
            lambda found: _counted(text[found.start() - 1 : found.start()], found.group(), url_length), text
        )
    return graphemes(_REMOTE.sub(r"\1", short) if "@" in short else short)


@lru_cache(512)
def _counted(before: str, run: str, url_length: int) -> str:
    """A stand-in as long as an address, with what follows it up to white space. It is none behind some characters."""
    url = None if _GLUE.match(before) else _URL.match(run)
    if url:
        sure = url.group().rstrip(_NOT_LAST)
        return "x" * url_length + _at_most(run[len(sure) :], url_length)
    return _at_most(run, url_length)


def _at_most(run: str, url_length: int) -> str:
    """The longest it may count as, wherever in it an address may begin and end."""
    more = sum(url_length - _sure(run[one.start() : one.start() + url_length]) for one in _BEGINS.finditer(run))
    return f"{run} {'x' * more}" if more else run  # apart from what may be a mention's domain


def _sure(run: str) -> int:
    """So many characters are of the address that begins here, if one does. From an @ on it may be a mention."""
    begun = _BEGUN.match(run)
    return len(begun.group().partition("@")[0].rstrip(_NOT_LAST)) if begun else 0

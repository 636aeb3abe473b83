"""The length of a status, as an instance counts it."""

from __future__ import annotations

import re
from functools import lru_cache

import regex

from gateway.text.measure import graphemes

# What Mastodon takes for an address and for a mention (masto status_length_validator.rb, account.rb). Narrow on
# purpose: what looks like an address and isn't surely one counts in full, and as one at least, so that a mistake
# makes a status shorter and never refused. A name has 127 labels at most (RFC 1035).
_MARKS = r"(?:[.,:;!?@*()'-]+[A-Za-z0-9%/+=_&~#$]+)*+"
_URL = regex.compile(
    r"https?://(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.){1,127}[a-z]{2,}+(?::\d{1,5}+)?+"
    rf"(?:/[A-Za-z0-9%/+=_&~#$]*+{_MARKS})?+(?:\?[A-Za-z0-9%/+=_&~#$]*+{_MARKS})?+(?![\p{{L}}\p{{N}}@])",
    regex.IGNORECASE,
)
_MAYBE_URL = regex.compile(r"https?://\S+", regex.IGNORECASE)
_GLUE = regex.compile(r"[\p{L}\p{N}@#$/.]")
_NOT_LAST = ".,:;!?'\")]}>»"
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
        return "x" * url_length + run[url.end() :]
    bare = run.rstrip(_NOT_LAST)
    return bare.ljust(url_length, "x") + run[len(bare) :]

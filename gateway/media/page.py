"""What a page says of itself in its head: Open Graph, other sites' tags of that form, its title. Pure, linear in the
length, and reads nothing but ``<meta>`` and ``<title>``: a page is hostile until it is words.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

TITLE_MAX = 300
DESCRIPTION_MAX = 1_000
TAGS_MAX = 500
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{2,30})", re.IGNORECASE)
_CODECS = re.compile(
    r"utf-?8|utf-?16(le|be)?|us-ascii|iso-?8859-\d{1,2}|latin-?1|windows-\d{3,4}|cp\d{3,4}|koi8-[ru]"
    r"|shift[_-]?jis|euc-(jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5|mac-?roman",
    re.IGNORECASE,
)
"""Charsets that pages are in. Python knows codecs that are none, and slow ones."""
_TAG = re.compile(
    r"<(?:(?P<skip>!--|script\b|style\b|noscript\b|template\b|svg\b)|(?P<end>/head\b|body\b)|(?P<title>title\b[^<>]*>)"
    r"|(?P<meta>meta\b(?:[^<>\"']|\"[^\"]{0,4000}\"|'[^']{0,4000}')*+>))",
    re.IGNORECASE,
)
_VALUE = re.compile(r"([a-z:._-]{1,40})\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+))", re.IGNORECASE)
_PICTURES = ("image:secure_url", "image", "image:url", "image:src")


class Page(NamedTuple):
    """Words for a card, and the address of a picture; each empty where the page has none."""

    title: str
    description: str
    picture: str


def page(data: bytes, url: str, content_type: str) -> Page:
    """What an HTML page at this address says of itself."""
    told: dict[str, str] = {}
    for name, words in _told(_decoded(data, content_type)):
        told.setdefault(name, words)  # of two, the first counts
    title, description = _first(told, "title"), _first(told, "description")
    return Page(_cut(title, TITLE_MAX), _cut(description, DESCRIPTION_MAX), _address(url, _first(told, *_PICTURES)))


def _first(told: dict[str, str], *names: str) -> str:
    """Open Graph's word, else another site's, else the page's own."""
    others = {key.partition(":")[2]: words for key, words in reversed(told.items())}
    by_rank = ({name: told.get(f"og:{name}", "") for name in names}, others, told)
    return next((found[name] for found in by_rank for name in names if found.get(name)), "")


def _decoded(data: bytes, content_type: str) -> str:
    head = data[:2048].decode("latin-1")
    for named in (_CHARSET.search(content_type), _CHARSET.search(head)):
        if named and _CODECS.fullmatch(named[1]):
            try:
                return data.decode(named[1], "replace")
            except LookupError:
                continue
    return data.decode("utf-8-sig", "replace")


def _told(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    for _ in range(TAGS_MAX):
        tag = _TAG.search(text, at)
        if tag is None or tag["end"]:
            return
        at = tag.end()
        if tag["skip"]:
            at = _after(text, at, "-->" if tag["skip"] == "!--" else f"</{tag['skip']}")
        elif tag["title"]:
            end = text.find("<", at)
            yield "title", _words(text[at : end if end >= 0 else at])
        else:
            values = {name.lower(): double or single or bare for name, double, single, bare in _VALUE.findall(tag[0])}
            yield (values.get("property") or values.get("name") or "").lower(), _words(values.get("content", ""))


def _after(text: str, at: int, end: str) -> int:
    found = re.compile(re.escape(end), re.IGNORECASE).search(text, at)
    return found.end() if found else len(text)


def _words(raw: str) -> str:
    """As people read it: on one line, and nothing in it that steers anything."""
    return " ".join("".join(char if char.isprintable() else " " for char in html.unescape(raw[:10_000])).split())


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def _address(page_url: str, told: str) -> str:
    try:
        address = urljoin(page_url, told) if told else ""
        return address if urlsplit(address).scheme in ("http", "https") else ""
    except ValueError:
        return ""

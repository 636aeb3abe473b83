"""A message's words as Discord's client shows them. It reads Markdown by the rules of simple-markdown, and some of its
own; brussell98/discord-markdown is made after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Names = Mapping[str, str]


@dataclass(frozen=True)
class At:
    """Where a stretch of the text stands."""

    line: bool = True
    """At the beginning of a line."""
    quoted: bool = False


Shown = Callable[[re.Match[str], At, Names], str]


def _rule(pattern: str) -> re.Pattern[str]:
    """Words are of ASCII alone, as a browser knows them."""
    return re.compile(pattern, re.ASCII)


def _within(found: re.Match[str], at: At, names: Names) -> str:
    """What stands between signs, with whatever is set in it."""
    return _read(next(group for group in found.groups() if group is not None), at, names)


def _quote(found: re.Match[str], _: At, names: Names) -> str:
    words = re.sub(r" *>>> ?", "", found[0]) if found[1] else re.sub(r"(?m)^ *> ?", "", found[0])
    said = _read(words.removesuffix("\n"), At(quoted=True), names)
    return "".join(f"> {line}\n" for line in said.split("\n"))


def _item(found: re.Match[str], _: At, __: Names) -> str:
    return f"{found[1]}{'•' if found[2] in '*-' else found[2]} "


def _link(found: re.Match[str], at: At, names: Names) -> str:
    return f"{_read(found[1], At(line=False, quoted=at.quoted), names)} ({found[2]})"


def _verbatim(found: re.Match[str], _: At, __: Names) -> str:
    return found[1]


def _code(found: re.Match[str], _: At, __: Names) -> str:
    return found[2].strip()


def _person(found: re.Match[str], _: At, names: Names) -> str:
    return names.get(found[1], f"@{found[1]}")


def _nothing(_: re.Match[str], __: At, ___: Names) -> str:
    return ""


_INSIDE = r"(?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*"
_TARGET = r"\s*<?(https?://(?:\([^)]*\)|[^\s\\]|\\.)*?)>?\s*"
_LINES: tuple[tuple[re.Pattern[str], Shown], ...] = (
    (_rule(r" *#{1,3} +(?=\S)"), _nothing),
    (_rule(r" *-# +(?=\S)"), _nothing),
    (_rule(r"( *)([*-]|\d+\.) +(?=\S)"), _item),
)
"""Rules for the beginning of a line."""
_QUOTE = _rule(r"( *>>> [\s\S]*)|(?: *> [^\n]*(?:\n *> [^\n]*)*\n?)")
_RULES: tuple[tuple[re.Pattern[str], Shown], ...] = (
    (_rule(r"```(?:[a-zA-Z0-9_+.#-]+?\n+)?\n*([\s\S]+?)\n*```"), _verbatim),
    (_rule(r"\\([^0-9A-Za-z\s])"), _verbatim),
    (_rule(r"<(https?://[^\s>]+)>"), _verbatim),
    (_rule(r"""(https?://[^\s<]+[^<.,:;"'\]\s])"""), _verbatim),
    (_rule(rf"\[({_INSIDE})\]\({_TARGET}\)"), _link),
    (_rule(r"<@!?(\d+)>"), _person),
    (_rule(r"<(?:#|@&|a?:\w+:|t:|id:|/[^<>\n]+:)\d*[^<>\n]*>"), _nothing),
    (_rule(r"\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)"), _within),
    (_rule(r"__((?:\\[\s\S]|[^\\])+?)__(?!_)"), _within),
    (_rule(r"_((?:__|\\[\s\S]|[^\\_])+?)_\b(?!_)|\*(?=\S)((?:\*\*|\s+(?:[^*\s]|\*\*)|[^\s*])+?)\*(?!\*)"), _within),
    (_rule(r"~~([\s\S]+?)~~(?!_)"), _within),
    (_rule(r"\|\|([\s\S]+?)\|\|"), _within),
    (_rule(r"(`+)([\s\S]*?[^`])\1(?!`)"), _code),
    (_rule(r"(\n)"), _verbatim),
    (_rule(r"([\s\S]+?)(?=[^0-9A-Za-z\s\u00c0-\uffff-]|\n|\w+:\S|\Z)"), _verbatim),
    (_rule(r"([\s\S])"), _verbatim),
)
"""In the order in which they are tried."""


def shown(content: str, names: Names) -> str:
    """What a reader sees: links followed by where they lead, items by their marks, people by their ``names``."""
    return _read(content, At(), names)


def _read(source: str, at: At, names: Names) -> str:
    place, said = 0, []
    while place < len(source):
        found, show = _next(source, place, at)
        said.append(show(found, at, names))
        place = found.end()
        line = source[source.rfind("\n", 0, place) + 1 : place]
        at = At("\n" in source[:place] and not line.strip(" "), at.quoted)
    return "".join(said)


def _next(source: str, place: int, at: At) -> tuple[re.Match[str], Shown]:
    if at.line and not at.quoted and (quote := _QUOTE.match(source, place)):
        return quote, _quote
    for rule, show in (*_LINES, *_RULES) if at.line else _RULES:
        if found := rule.match(source, place):
            return found, show
    raise AssertionError("any character is text")

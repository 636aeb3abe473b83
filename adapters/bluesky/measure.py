"""How long a text is to Bluesky's servers: extended grapheme clusters, as they divide them."""

from __future__ import annotations

import regex

from gateway.text.measure import graphemes

# Letters of India join over a virama since Unicode 15.1, in six scripts; what else the newer tables of ``regex`` join
# (Khmer, Burmese, Balinese ..., and letters after a virama that stands by itself) the servers count apart (seen).
_INDIC = regex.compile(r"[\u0900-\u1CFF\uA800-\uABFF\U00010A00-\U00011FFF\U00016100-\U0001613F]")
_MARK = r"[\p{GCB=Extend}\p{GCB=ZWJ}]"
_VIRAMA = r"[\u094D\u09CD\u0ACD\u0B4D\u0C4D\u0D4D]"
_CONSONANT = (
    r"[\u0915-\u0939\u0958-\u095F\u0978-\u097F\u0995-\u09A8\u09AA-\u09B0\u09B2\u09B6-\u09B9\u09DC\u09DD\u09DF\u09F0"
    r"\u09F1\u0A95-\u0AA8\u0AAA-\u0AB0\u0AB2\u0AB3\u0AB5-\u0AB9\u0AF9\u0B15-\u0B28\u0B2A-\u0B30\u0B32\u0B33"
    r"\u0B35-\u0B39\u0B5C\u0B5D\u0B5F\u0B71\u0C15-\u0C28\u0C2A-\u0C39\u0C58-\u0C5A\u0D15-\u0D3A]"
)
_CONJUNCT = rf"(?<={_CONSONANT}{_MARK}*{_VIRAMA}{_MARK}*)"
_APART = regex.compile(rf"(?<={_MARK})(?:(?!{_CONJUNCT})\p{{L}}|{_CONJUNCT}(?!{_CONSONANT})\p{{L}})")
_CLUSTER = regex.compile(r"\X")


def length(text: str) -> int:
    """Never less than a server counts."""
    if text.isascii() or not _INDIC.search(text):
        return graphemes(text)
    return sum(1 + len(_APART.findall(cluster)) for cluster in _CLUSTER.findall(text))

"""Checks as a Bluesky server makes and tells them (npm @atproto/lex-schema 0.2.7). For bluesky_lexicon.py.

A check takes a value and where it stands, and raises BrokenError for the first thing that is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from adapters.sandbox.bluesky_graphemes import graphemes

Check = Callable[[Any, str], None]

_SAFE_INTEGER = (1 << 53) - 1
_PREVIEW_MAX = 256
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DID = "did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]"
_HANDLE = rf"(?:{_LABEL}\.)+[a-zA-Z](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_NSID = rf"[a-zA-Z](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.{_LABEL})+\.[a-zA-Z][a-zA-Z0-9]{{0,62}}"
_VARIANT = "(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3})"

FORMATS = {
    "at-uri": re.compile(
        rf"at://(?:{_DID}|{_HANDLE})(?:/{_NSID}(?:/(?!\.{{1,2}}$)[\w.~:-]{{1,512}})?)?(?:#/[\w.~:@!$&')(*+,;=%[\]/-]*)?",
        re.ASCII,
    ),
    "CID string": re.compile(r"baf(?:yre|kre|ybe)i[a-z2-7]{52}|Qm[1-9A-HJ-NP-Za-km-z]{44}"),
    "DID": re.compile(_DID),
    "TID string": re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}"),
    "uri": re.compile(r"[a-zA-Z0-9_]+:(?://)?[^\s/]\S*"),
    "datetime": re.compile(  # a 30th of February is one there, too
        r"(?=.{1,64}$)\d{4}-(?:0[1-9]|1[012])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
        r"(?:Z|(?!-00:00)[+-](?:[01]\d|2[0-3]):[0-5]\d)",
        re.ASCII,
    ),
    "language": re.compile(
        rf"(?:[a-z]{{2,3}}(?:-[A-Za-z]{{3}}){{0,3}})(?:-[A-Za-z]{{4}})?(?:-(?:[A-Za-z]{{2}}|\d{{3}}))?(?:-{_VARIANT})*"
        r"(?:-[0-9A-WY-Za-wy-z](?:-[A-Za-z0-9]{2,8})+)*(?:-[xX](?:-[A-Za-z0-9]{1,8})+)?|[xXi](?:-[A-Za-z0-9]{1,8})+",
        re.ASCII,
    ),
}


class BrokenError(Exception):
    """What is wrong, and where."""

    def __init__(self, told: str, path: str) -> None:
        super().__init__(f"{told} at $.{path}")


def got(value: Any) -> str:
    """A value as an error shows it."""
    match value:
        case str():
            units = value.encode("utf-16-le")
            if len(units) // 2 >= _PREVIEW_MAX:
                value = units[: 2 * (_PREVIEW_MAX - 1)].decode("utf-16-le", "replace") + "…"
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{_first(list(map(got, value[:3])))}]"
        case dict():
            return f"{{{_first([f'{json.dumps(key)}: ...' for key in value])}}}"
    return json.dumps(value)


def _first(shown: list[str]) -> str:
    return ", ".join(shown[:2]) + (", ..." if len(shown) > 2 else "")


def no_fractions(value: Any, path: str) -> None:
    """Numbers of the data model are whole: looked at before anything else is."""
    if isinstance(value, float):
        kinds = "null, boolean, integer, string, cid, bytes, array or object"
        raise BrokenError(f"Expected one of {kinds} value type (got {got(value)})", path)
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        no_fractions(child, f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}")


def text(size_bytes: int = 0, characters: int = 0, form: str = "") -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise BrokenError(f"Expected string value type (got {got(value)})", path)
        if size_bytes:
            _fits("string", size_bytes, len(value.encode("utf-8", "surrogatepass")), path)
        if characters and len(value.encode("utf-16-le", "surrogatepass")) // 2 > characters:
            _fits("grapheme", characters, graphemes(value), path)
        if form and not _is(form, value):
            raise BrokenError(f"Invalid {form} (got {got(value)})", path)

    return check


def _is(form: str, value: str) -> bool:
    if not FORMATS[form].fullmatch(value):
        return False
    if form == "language":
        parts = value.casefold().split("-")
        singles = [part for part in parts if len(part) == 1]
        variants = [part for part in parts[1:] if re.fullmatch(_VARIANT, part)]
        return len(set(singles)) == len(singles) and (bool(singles) or len(set(variants)) == len(variants))
    return True


def _fits(kind: str, most: int, found: int, path: str) -> None:
    if found > most:
        raise BrokenError(f"{kind} too big (maximum {most}, got {found})", path)


def whole(least: int) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _SAFE_INTEGER:
            raise BrokenError(f"Expected integer value type (got {got(value)})", path)
        if value < least:
            raise BrokenError(f"integer too small (minimum {least}, got {value})", path)

    return check


def several(each: Check, most: int | None = None) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise BrokenError(f"Expected array value type (got {got(value)})", path)
        if most is not None:
            _fits("array", most, len(value), path)
        for number, one in enumerate(value):
            each(one, f"{path}[{number}]")

    return check


def blob(accept: str, size_bytes: int) -> Check:
    def check(value: Any, path: str) -> None:
        if not is_blob(value):
            raise BrokenError(f"Expected blob value type (got {got(value)})", path)
        mime = value["mimeType"]
        if not (mime.startswith(accept.removesuffix("*")) if accept.endswith("*") else mime == accept):
            raise BrokenError(f"Expected {got(accept)} (got {got(mime)})", f"{path}.mimeType")
        _fits("blob", size_bytes, value["size"], path)

    return check


def is_blob(value: Any) -> bool:
    match value:
        case {"$type": "blob", "mimeType": str(mime), "size": int(size), "ref": {"$link": str(link)} as ref}:
            alone = len(value) == 4 and len(ref) == 1 and not isinstance(size, bool)
            sound = "/" in mime and 0 <= size <= _SAFE_INTEGER
            return alone and sound and bool(re.fullmatch(r"bafkrei[a-z2-7]{52}", link))
    return False


class Maybe(NamedTuple):
    """Of a key that may be missing."""

    check: Check


@dataclass(frozen=True)
class Shape:
    """An object of a lexicon, its keys in the order there. Its name may be left out; another may not stand there."""

    name: str
    keys: dict[str, Check | Maybe]

    def __call__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise BrokenError(f"Expected object value type (got {got(value)})", path)
        if value.get("$type", self.name) != self.name:
            raise BrokenError(f"Expected {got(self.name)} (got {got(value['$type'])})", f"{path}.$type")
        for key, wanted in self.keys.items():
            check = wanted.check if isinstance(wanted, Maybe) else wanted
            if key in value:
                check(value[key], f"{path}.{key}")
            elif check is wanted:
                raise BrokenError(f'Missing required key "{key}"', path)


def one_of(*shapes: Shape) -> Check:
    """An object that says what it is; of what nobody here knows nothing is refused."""
    known = {shape.name: shape for shape in shapes}

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict) or "$type" not in value:
            told = 'Expected an object which includes the "$type" property value type'
            raise BrokenError(f"{told} (got {got(value)})", path)
        name = value["$type"]
        if not isinstance(name, str):
            raise BrokenError(f"Expected string value type (got {got(name)})", f"{path}.$type")
        if name in known:
            known[name](value, path)

    return check

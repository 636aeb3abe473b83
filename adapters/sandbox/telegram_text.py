"""Message entities as the server takes and makes them: offsets and lengths in UTF-16 code units.

Words of the refusals: what api.telegram.org answered to the tests of atahanyorganci/effect-telegram-api
(sendMessage.test.ts), and for cut characters td MessageEntity.cpp.
"""

from __future__ import annotations

import re
from typing import Any

ENTITIES_MAX = 100

_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"]+[^\s<>\".,;:!?)])"
    r"|(?<![\w@/])(?P<mention>@[A-Za-z]\w{2,31})"
    r"|(?<![\w@/])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?)"
)
_LINK = re.compile(r"(?P<protocol>[^:/?#]+)://(?P<host>[^/?#]*)", re.DOTALL)
_HOST = re.compile(r"(?:[\w.!$&'()*+,;=~-]|[^\x00-\x7f]|%[0-9A-Fa-f]{2})+")
_KNOWN = frozenset(
    {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bold", "italic", "underline"}
    | {"strikethrough", "spoiler", "blockquote", "expandable_blockquote", "code", "pre", "text_link", "text_mention"}
    | {"custom_emoji"}
)


def units(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, offset: int, length: int) -> str:
    """What an entity covers."""
    raw = text.encode("utf-16-le", "surrogatepass")
    return raw[2 * offset : 2 * (offset + length)].decode("utf-16-le", "replace")


def trimmed(text: str, entities: list[Any]) -> tuple[str, list[dict[str, Any]]]:
    """The text without blank ends, with the entities that hold there and those the server finds itself; what is blank
    where the first entity begins stays (td MessageEntity.cpp fix_formatted_text). ValueError says what is wrong.
    """
    for entity in entities:
        _check(text, entity)
    given = [entity for entity in entities if cut(text, entity["offset"], entity["length"]).strip()]
    start = min([units(text) - units(text.lstrip()), *(entity["offset"] for entity in given)])
    text = cut(text.rstrip(), start, units(text))
    kept = [_within(entity, start, units(text)) for entity in given]
    covered = [(e["offset"], e["offset"] + e["length"]) for e in kept if e["type"] in ("text_link", "text_mention")]
    found = [e for e in _detected(text) if not any(a <= e["offset"] < b for a, b in covered)]
    known = {(e["type"], e["offset"]) for e in kept}
    merged = kept + [e for e in found if (e["type"], e["offset"]) not in known]
    return text, sorted(merged, key=lambda e: (e["offset"], -e["length"]))[:ENTITIES_MAX]


def _check(text: str, entity: Any) -> None:
    if not isinstance(entity, dict) or entity.get("type") not in _KNOWN:
        raise ValueError("can't parse MessageEntity: Unsupported type specified")
    for key, kind in (("url", "text_link"), ("user", "text_mention")):
        if entity["type"] == kind and key not in entity:
            raise ValueError(f"can't parse MessageEntity: Can't find field \"{key}\"")
    for key in ("offset", "length"):
        if not isinstance(entity.get(key), int) or entity[key] < 0:
            raise ValueError(f"receive an entity with incorrect {key} {entity.get(key)}")
    if entity["type"] == "text_link":
        _check_link(str(entity["url"]))
    _check_place(text, entity["offset"], entity["offset"] + entity["length"])


def _check_place(text: str, begin: int, end: int) -> None:
    """An entity lies in the text, and neither begins nor ends within a pair of surrogates."""
    raw, size = text.encode("utf-16-le", "surrogatepass"), units(text)
    ends = f"entity beginning at UTF-16 offset {begin} ends"
    if begin > size:
        raise ValueError(f"entity begins after the end of the text at UTF-16 offset {begin}")
    if end > size:
        raise ValueError(f"{ends} after the end of the text at UTF-16 offset {end}")
    for place, how in ((begin, "entity begins"), (end, ends)):
        if 0xDC00 <= int.from_bytes(raw[2 * place : 2 * place + 2], "little") <= 0xDFFF:
            behind = len(raw[: 2 * place + 2].decode("utf-16-le", "replace").encode())
            raise ValueError(f"{how} in a middle of a UTF-16 symbol at byte offset {behind}")


def _check_link(url: str) -> None:
    """What lies behind words (td HttpUrl.cpp parse_url, LinkManager.cpp check_link)."""
    if why := _wrong(url):
        raise ValueError(f"entity URL '{url}' is invalid: {why}")


def _wrong(url: str) -> str:
    found = _LINK.match(url)
    protocol, place = (found["protocol"].lower(), found["host"]) if found else ("http", re.split("[/?#]", url)[0])
    host, colon, port = place.rpartition("@")[2].partition(":")
    if protocol not in ("http", "https"):
        return "Unsupported URL protocol"
    if colon and not (port.isdecimal() and 0 < int(port) <= 65_535):
        return "Wrong port number specified in the URL"
    if not host:
        return "URL host is empty"
    if not _HOST.fullmatch(host):
        return "Disallowed character in URL host"
    return "" if "." in host else "Wrong HTTP URL"


def _within(entity: dict[str, Any], start: int, size: int) -> dict[str, Any]:
    offset = entity["offset"] - start
    return {**entity, "offset": offset, "length": min(entity["length"], size - offset)}


def _detected(text: str) -> list[dict[str, Any]]:
    return [
        {"type": match.lastgroup, "offset": units(text[: match.start()]), "length": units(match.group())}
        for match in _FOUND.finditer(text)
    ]

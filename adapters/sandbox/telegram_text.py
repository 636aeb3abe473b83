"""Message entities as the server makes them: offsets and lengths in UTF-16 code units."""

from __future__ import annotations

import re
from typing import Any

ENTITIES_MAX = 100

_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"]+[^\s<>\".,;:!?)])"
    r"|(?<![\w@/])(?P<mention>@[A-Za-z]\w{2,31})"
    r"|(?<![\w@/])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?)"
)
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
    """The text without blank ends, with the entities that hold there and those the server finds itself."""
    _on_characters(text, entities)
    start = units(text[: len(text) - len(text.lstrip())])
    text = text.strip()
    given = [_moved(entity, start) for entity in entities]
    kept = [entity for entity in given if entity["length"] > 0 and entity["offset"] + entity["length"] <= units(text)]
    covered = [(e["offset"], e["offset"] + e["length"]) for e in kept if e["type"] in ("text_link", "text_mention")]
    found = [e for e in _detected(text) if not any(a <= e["offset"] < b for a, b in covered)]
    known = {(e["type"], e["offset"]) for e in kept}
    merged = kept + [e for e in found if (e["type"], e["offset"]) not in known]
    return text, sorted(merged, key=lambda e: (e["offset"], -e["length"]))[:ENTITIES_MAX]


def _on_characters(text: str, entities: list[Any]) -> None:
    """No entity may begin or end within a pair of surrogates (td MessageEntity.cpp)."""
    raw = text.encode("utf-16-le", "surrogatepass")
    for entity in entities:
        if not isinstance(entity, dict) or not isinstance(entity.get("offset"), int):
            continue
        begin = entity["offset"]
        length = entity.get("length")
        end = begin + length if isinstance(length, int) else begin
        for place, how in ((begin, "begins"), (end, "ends")):
            if place >= 0 and 0xDC00 <= int.from_bytes(raw[2 * place : 2 * place + 2], "little") <= 0xDFFF:
                before = raw[: 2 * place].decode("utf-16-le", "ignore").encode()
                raise ValueError(f"entity {how} in a middle of a UTF-16 symbol at byte offset {len(before)}")


def _moved(entity: Any, start: int) -> dict[str, Any]:
    """One entity, checked for its shape; ValueError says what is wrong."""
    if not isinstance(entity, dict) or entity.get("type") not in _KNOWN:
        raise ValueError("can't parse MessageEntity: unknown type")
    if not all(isinstance(entity.get(key), int) and entity[key] >= 0 for key in ("offset", "length")):
        raise ValueError("can't parse MessageEntity: offset and length are wanted")
    return {**entity, "offset": max(0, entity["offset"] - start)}


def _detected(text: str) -> list[dict[str, Any]]:
    return [
        {"type": match.lastgroup, "offset": units(text[: match.start()]), "length": units(match.group())}
        for match in _FOUND.finditer(text)
    ]

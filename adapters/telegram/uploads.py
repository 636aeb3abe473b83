"""Media to the Bot API's methods: which method carries what, what goes together, and how it is asked for. Pure.

A file of a part's body is ``{"sha256", "type", "mime", "size_bytes", ...}``: the adapter fetches its bytes when it
sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adapters.telegram.profile import ALBUM_MAX, PHOTO_BYTES, PHOTO_MIMES, PHOTO_RATIO_MAX, PHOTO_SIDES_MAX_PX
from gateway.model.content import Media
from gateway.model.media import MediaKind

METHODS = {
    "photo": "sendPhoto",
    "video": "sendVideo",
    "animation": "sendAnimation",
    "audio": "sendAudio",
    "document": "sendDocument",
}
HIDDEN = frozenset({"photo", "video", "animation"})
"""What can wait under a veil until a reader asks for it."""
_SONGS = frozenset({"audio/mpeg", "audio/mp3", "audio/mp4", "audio/m4a", "audio/x-m4a"})


def type_of(media: Media) -> str:
    """How it is shown. What Telegram shows in no way of its own is a file to download, as a person would send it."""
    match media.kind:
        case MediaKind.IMAGE if _is_photo(media):
            return "photo"
        case MediaKind.GIF if media.mime == "image/gif":
            return "animation"
        case MediaKind.VIDEO if media.mime == "video/mp4":
            return "animation" if media.animated else "video"
        case MediaKind.AUDIO if media.mime in _SONGS:
            return "audio"
    return "document"


def _is_photo(media: Media) -> bool:
    width, height = media.width_px or 1, media.height_px or 1
    return (
        media.mime in PHOTO_MIMES
        and media.size_bytes <= PHOTO_BYTES
        and width + height <= PHOTO_SIDES_MAX_PX
        and (media.width_px is None or max(width, height) <= PHOTO_RATIO_MAX * min(width, height))
    )


def albums(media: Sequence[Media]) -> Iterator[tuple[Media, ...]]:
    """What one request carries each. Photos and videos go together, songs with songs and files with files; what moves
    without sound goes alone.
    """
    found: dict[str, list[Media]] = {}
    for number, one in enumerate(media):
        found.setdefault(_together(one, number), []).append(one)
    for fellows in found.values():
        yield from (tuple(fellows[at : at + ALBUM_MAX]) for at in range(0, len(fellows), ALBUM_MAX))


def _together(media: Media, number: int) -> str:
    what = type_of(media)
    return {"photo": "seen", "video": "seen", "animation": f"alone {number}"}.get(what, what)


def may_become(shown: Sequence[Media], wanted: Sequence[Media]) -> bool:
    """Whether edits make the one of the other. An album keeps its number, and each of it what it goes together with; a
    message by itself takes any one for its own or below its words, and gives none away (Bot API, editMessageMedia).
    """
    if len(shown) < 2:
        return len(shown) <= len(wanted) < 2
    kinds, others = [[_together(one, 0) for one in media] for media in (shown, wanted)]
    return kinds == others


def body(media: Sequence[Media], *, sensitive: bool) -> dict[str, Any]:
    """The part of a request that says what is shown; its words are added."""
    files = [_file(one) for one in media]
    method = METHODS[files[0]["type"]] if len(files) == 1 else "sendMediaGroup"
    veiled = sensitive and any(one["type"] in HIDDEN for one in files)
    return {"method": method, "files": files, **({"has_spoiler": True} if veiled else {})}


def _file(media: Media) -> dict[str, Any]:
    found: dict[str, Any] = {
        "sha256": media.sha256,
        "type": type_of(media),
        "mime": media.mime,
        "size_bytes": media.size_bytes,
        "name": media.name,
        "alt": media.alt,  # for previews: the Bot API has no field for it
    }
    if found["type"] in ("video", "animation"):
        found |= {"width": media.width_px, "height": media.height_px}
    if found["type"] in ("video", "animation", "audio") and media.duration_s is not None:
        found["duration"] = round(media.duration_s)
    return {key: value for key, value in found.items() if value not in (None, "")}


def names(files: Sequence[dict[str, Any]], *, attached: bool = False) -> list[str]:
    """The parameters that hold the files' bytes: by the type's own name, or attached to what describes them."""
    if len(files) == 1 and not attached:
        return [files[0]["type"]]
    return [f"file{number}" for number in range(len(files))]


def parameters(body: dict[str, Any]) -> dict[str, Any]:
    """A send's parameters besides the files' bytes, for which :func:`names` has the names."""
    rest = {key: value for key, value in body.items() if key not in ("method", "files", "has_spoiler")}
    files, veiled = body["files"], bool(body.get("has_spoiler"))
    if len(files) == 1:
        return rest | _described(files[0], veiled=veiled)
    words = {key: rest.pop(key) for key in ("caption", "caption_entities") if key in rest}
    items = [item(each, name, veiled=veiled) for each, name in zip(files, names(files), strict=True)]
    return rest | {"media": [items[0] | words, *items[1:]]}


def item(file: dict[str, Any], name: str, *, veiled: bool) -> dict[str, Any]:
    """What the Bot API calls an InputMedia."""
    return {"type": file["type"], "media": f"attach://{name}", **_described(file, veiled=veiled)}


def _described(file: dict[str, Any], *, veiled: bool) -> dict[str, Any]:
    found: dict[str, Any] = {key: file[key] for key in ("width", "height", "duration") if key in file}
    if file["type"] == "video":
        found["supports_streaming"] = True
    if veiled and file["type"] in HIDDEN:
        found["has_spoiler"] = True
    return found

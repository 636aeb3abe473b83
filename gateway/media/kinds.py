"""What bytes are, by their beginning alone: neither a name nor a server's word is believed. Pure."""

from __future__ import annotations

HEAD_BYTES = 512
"""So many tell the type."""

_BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
}
"""Of ISO base media files; any other brand is a film."""
_EBML = b"\x1aE\xdf\xa3"
_ENDINGS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/heic": ".heic",
    "image/heif": ".heif",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "audio/mpeg": ".mp3",
    "audio/aac": ".aac",
    "audio/ogg": ".ogg",
    "audio/mp4": ".m4a",
    "audio/wav": ".wav",
    "audio/flac": ".flac",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
}
KNOWN = ", ".join(ending.removeprefix(".").upper() for ending in _ENDINGS.values())
"""For people."""
NAME_MAX = 100


def sniffed(data: bytes) -> str | None:
    """The media type, or None where the bytes are of no kind in the table."""
    for beginning, mime in _BEGINNINGS:
        if data.startswith(beginning):
            return mime
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _branded(data)
    if data[:4] == _EBML:
        return "video/webm" if b"webm" in data[:64] else "video/x-matroska" if b"matroska" in data[:64] else None
    if data[:4] == b"OggS":
        return "audio/ogg" if b"OpusHead" in data[:64] or b"\x01vorbis" in data[:64] else None
    return _framed(data)


def _branded(data: bytes) -> str:
    size = min(int.from_bytes(data[:4]), HEAD_BYTES, len(data))
    brand = data[8:12]
    others = {data[at : at + 4] for at in range(16, size - 3, 4)}
    if brand in (b"mif1", b"msf1"):
        brand = next((one for one in (b"avif", b"avis", b"heic") if one in others), brand)
    return _BRANDS.get(brand, "video/mp4")


def _framed(data: bytes) -> str | None:
    """Sounds without a header: the sync word of their first frame, with values that mean something."""
    if len(data) < 4 or data[0] != 0xFF:
        return None
    if data[1] & 0xF6 == 0xF0:
        return "audio/aac"
    layer_three = data[1] & 0xE6 == 0xE2 and data[1] & 0x18 != 0x08
    return "audio/mpeg" if layer_three and data[2] >> 4 not in (0, 15) and data[2] & 0x0C != 0x0C else None


def named(name: str, mime: str) -> str:
    """A file's name without a folder or signs that steer anything, with the ending of what it is."""
    last = name.replace("\\", "/").rpartition("/")[2]
    safe = "".join(char for char in last if char.isprintable()).strip().lstrip(".")
    stem, dot, ending = safe.rpartition(".")
    right = _ENDINGS.get(mime, "")
    if not right:
        return safe[:NAME_MAX]
    if dot and mime == "image/jpeg" and ending.lower() == "jpeg":
        return safe[-NAME_MAX:]
    bare = stem if dot and len(ending) <= 5 else safe
    return f"{bare[: NAME_MAX - len(right)]}{right}" if bare else ""

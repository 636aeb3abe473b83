"""What an announcement is written in: its text, and the files that go with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from gateway.commands.terminal import fail

if TYPE_CHECKING:
    from gateway.commands.caller import Upload

FILE_MAX_BYTES = 1024 * 1024 * 1024
TEXT_MAX_BYTES = 1024 * 1024


def written(file: str, images: list[Path] | None, alts: list[str] | None, *, plain: bool) -> tuple[str, list[Upload]]:
    """The words of a file, and all media that go with them: those named here, and those that it names itself."""
    words, media = _text(file), _uploads(images or [], alts or [])
    return words, media if plain or file == "-" else [*media, *_pictures_of(words, file)]


def _text(file: str) -> str:
    """The words of a file, or of standard input."""
    data = _standard_input() if file == "-" else _read(Path(file), TEXT_MAX_BYTES)
    try:
        words = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        fail(f"{file}: byte {error.start} is not UTF-8 text; save it as UTF-8")
    if not words:
        fail(f"{'standard input' if file == '-' else file} is empty: there is nothing to announce")
    return words


def _standard_input() -> bytes:
    if sys.stdin is None:
        fail("standard input is closed: pipe the text in, or name a file")
    try:
        return _bounded(sys.stdin.buffer, TEXT_MAX_BYTES, "standard input")
    except OSError as error:
        fail(f"standard input can't be read: {error.strerror}")


def _uploads(paths: list[Path], alts: list[str]) -> list[Upload]:
    """The first description is the first one's, and so on."""
    if len(alts) > len(paths):
        fail(f"there are {len(alts)} descriptions for {len(paths)} media: one --alt for each --image, in their order")
    return [_upload(path, alt) for path, alt in zip(paths, [*alts, *[""] * len(paths)], strict=False)]


def _pictures_of(words: str, file: str) -> list[Upload]:
    """The pictures that a Markdown file names beside or below itself."""
    from gateway.text.markdown import local_pictures

    folder = Path(file).resolve().parent
    found = []
    for name in local_pictures(words):
        path = next((path for one in (name, unquote(name)) if _is_file(path := folder / one)), folder / name)
        if folder not in Path(os.path.realpath(path)).parents:  # Path.resolve has an error of its own for loops
            fail(f"{file}: the picture {name} is not in the file's own folder; move it there, or use --image")
        found.append(_upload(path, "", written=name))
    return found


def _is_file(path: Path) -> bool:
    """Why one can't be looked at is told when it is read."""
    try:
        return path.is_file()
    except OSError:
        return False


def _upload(path: Path, alt: str, written: str = "") -> Upload:
    from gateway.commands.caller import Upload
    from gateway.media.errors import MediaError
    from gateway.media.probe import probed

    data = _read(path, FILE_MAX_BYTES)
    try:
        probed(data)
    except MediaError as error:
        fail(f"{path} can't be posted: {error}")
    return Upload(data, path.name, alt, written)


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return _bounded(file, most_bytes, str(path))
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror}")


def _bounded(file: BinaryIO, most_bytes: int, name: str) -> bytes:
    data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        fail(f"{name} is larger than {most_bytes // 1024 // 1024} MiB")
    return data

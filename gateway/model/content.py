"""Document: the one neutral text. Paragraphs of spans, and media with alt text."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct


class Text(Struct, frozen=True, tag="text"):
    """Plain characters, without markup. May hold line breaks, never a blank line."""

    text: str


class Link(Struct, frozen=True, tag="link"):
    """A web address; ``text`` is what a reader sees where the platform can hide the address."""

    url: str
    text: str | None = None


class Mention(Struct, frozen=True, tag="mention"):
    """Somebody's account on the platform the document came from or goes to.

    ``platform`` says where ``id`` and ``handle`` mean something: anywhere else the name is written
    without a ping, so that a stranger with the same handle is never called.
    """

    platform: str
    id: str
    handle: str
    name: str = ""


Span = Text | Link | Mention
Paragraph = tuple[Span, ...]


class Media(Struct, frozen=True):
    """One picture. Its bytes are kept by the store under ``sha256`` (hex)."""

    sha256: str
    mime: str
    size_bytes: int
    alt: str = ""
    width_px: int | None = None
    height_px: int | None = None


class Document(Struct, frozen=True, omit_defaults=True):
    """What is said, on no platform in particular."""

    paragraphs: tuple[Paragraph, ...] = ()
    media: tuple[Media, ...] = ()
    language: str | None = None

    @property
    def is_empty(self) -> bool:
        return not self.media and not any(spelled(span).strip() for span in spans(self))


def spelled(span: Span) -> str:
    """A span as unformatted text: the neutral spelling, used for measures and logs."""
    match span:
        case Text(text):
            return text
        case Link(url, text):
            return f"{text} ({url})" if text and text != url else url
        case Mention(_, _, handle, name):
            return name or f"@{handle}"


def plain(document: Document) -> str:
    """The whole document as unformatted text, paragraphs a blank line apart."""
    return "\n\n".join("".join(spelled(span) for span in paragraph) for paragraph in document.paragraphs)


def spans(document: Document) -> Iterator[Span]:
    for paragraph in document.paragraphs:
        yield from paragraph

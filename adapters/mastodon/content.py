"""What a status says: a document and what is attached, as its readers see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from adapters.mastodon.entities import File, Question, Quoting, Status
from adapters.mastodon.markup import blocks
from adapters.mastodon.places import Here, named, ref_of
from adapters.mastodon.profile import NAME
from gateway.model.content import Block, Document, Mention, Poll, Quote, Text, plain, spelled, written
from gateway.model.content import Span as Said
from gateway.model.media import Attachment

URL_MAX = 2_000
LANGUAGE_MAX = 35
WARNING_MAX = 500
ALT_MAX = 10_000
FILES_MAX = 16
OPTIONS_MAX = 20
OPTION_MAX = 200
QUOTED_MAX = 2_000

_ENDINGS = {
    **{name: f"image/{name}" for name in ("png", "gif", "webp", "avif", "heic", "heif", "jpeg")},
    **{name: f"video/{name}" for name in ("mp4", "webm")},
    **{name: f"audio/{name}" for name in ("ogg", "opus", "wav", "flac", "aac")},
    "jpg": "image/jpeg",
    "mov": "video/quicktime",
    "m4v": "video/mp4",
    "ogv": "video/ogg",
    "mp3": "audio/mpeg",
    "oga": "audio/ogg",
    "m4a": "audio/mp4",
    "3gp": "audio/3gpp",
    "pdf": "application/pdf",
}
_FAMILIES = {"image": "image", "gifv": "video", "video": "video", "audio": "audio"}
_Shape = TypeVar("_Shape")


def document(status: Status, here: Here) -> Document:
    """What somebody says to us. The mention of us that it begins with is only the address, so it is left out."""
    said = whole(status, here)
    first = said.paragraphs[0] if said.paragraphs else ()
    if isinstance(first, Block) or not first or not isinstance(first[0], Mention) or first[0].id != here.name:
        return said
    rest = first[1:]
    if rest and isinstance(rest[0], Text):
        text = rest[0].text.lstrip()
        rest = (Text(text, rest[0].marks), *rest[1:]) if text else rest[1:]
    rests = (rest, *said.paragraphs[1:]) if rest else said.paragraphs[1:]
    return structs.replace(said, paragraphs=rests) if rests else said


def whole(status: Status, here: Here) -> Document:
    """A status as it stands, its address included."""
    quote = _quote(status, here)
    return Document(
        _paragraphs(status, here, quoting=quote is not None),
        language=status.language if status.language and len(status.language) <= LANGUAGE_MAX else None,
        warning=" ".join((status.spoiler_text or "").split())[:WARNING_MAX],
        sensitive=bool(status.sensitive),
        poll=_poll(status),
        quote=quote,
    )


def _paragraphs(status: Status, here: Here, *, quoting: bool) -> tuple[tuple[Said, ...] | Block, ...]:
    pages = {m.url: m for m in status.mentions or ()}

    def mentioned(url: str) -> Mention | None:
        found = pages.get(url)
        if found is None or not named(found.acct):
            return None
        return Mention(NAME, here.full(found.acct).casefold(), found.acct)

    return blocks(status.content or "", mentioned, quoting=quoting)


def addressed(status: Status, here: Here) -> tuple[str, ...]:
    """Whom a status of ours calls because of its place: whom it answers, else those with whom it begins."""
    asked = [m for m in status.mentions or () if m.id == status.in_reply_to_account_id and m.id != here.id]
    answered = tuple(here.full(m.acct) for m in asked if named(m.acct))
    return answered or tuple(_leading(status, here))


def _leading(status: Status, here: Here) -> Iterator[str]:
    first = next(iter(_paragraphs(status, here, quoting=True)), ())
    for span in () if isinstance(first, Block) else first:
        if isinstance(span, Mention):
            yield from () if span.id == here.name else (span.id,)
        elif not isinstance(span, Text) or span.text.strip():
            return


def _poll(status: Status) -> Poll | None:
    found = _read(status.poll, Question)
    if found is None or not found.options:
        return None
    options = tuple(" ".join(option.title.split())[:OPTION_MAX] for option in found.options[:OPTIONS_MAX])
    if found.expires_at is None:
        return Poll(options, 0.0, bool(found.multiple))
    open_for_s = (aware(found.expires_at) - aware(status.created_at)).total_seconds()
    return Poll(options, max(0.0, open_for_s), bool(found.multiple))


def _quote(status: Status, here: Here) -> Quote | None:
    """The quoted post, where its author lets it be seen; forks show it without a word about that."""
    told = _read(status.quote, Quoting)
    if told is None or told.state not in (None, "accepted"):
        return None
    quoted = told.quoted_status or _read(status.quote, Status)
    if quoted is None:
        return None
    try:
        ref, author = ref_of(quoted, here), here.identity(quoted.account)
    except ValueError:
        return None
    text = plain(Document(_paragraphs(quoted, here, quoting=False)))[:QUOTED_MAX]
    return Quote(NAME, ref, web_address(quoted.url), author, text)


def quotes(status: Status, quoted: str) -> bool:
    """Whether it quotes that one, as far as is told: of one whose author is still asked no id is."""
    told = _read(status.quote, Quoting)
    return told is not None and (told.quoted_status.id if told.quoted_status else quoted) == quoted


def _read(raw: Any, shape: type[_Shape]) -> _Shape | None:
    """A side of a status that may be broken without harm to the rest."""
    if raw is None:
        return None
    try:
        return msgspec.convert(raw, shape)
    except (msgspec.MsgspecError, RecursionError):
        return None


def web_address(url: str | None) -> str:
    return url if url and len(url) <= URL_MAX and url.startswith(("http://", "https://")) else ""


def attachments(status: Status) -> tuple[Attachment, ...]:
    found = (
        _attachment(file, sensitive=bool(status.sensitive)) for file in (status.media_attachments or ())[:FILES_MAX]
    )
    return tuple(one for one in found if one)


def _attachment(file: File, *, sensitive: bool) -> Attachment | None:
    url = web_address(file.url) or web_address(file.remote_url)
    if not url:
        return None
    sizes = _original(file.meta)
    width, height = _count(sizes.get("width")), _count(sizes.get("height"))
    return Attachment(
        handle=url,
        mime=_mime(file, url),
        size_bytes=_count(sizes.get("size_bytes")),
        alt=(file.description or "").strip()[:ALT_MAX],
        name=url.partition("?")[0].partition("#")[0].rpartition("/")[2][:200],
        width_px=width,
        height_px=height,
        duration_s=_duration(sizes),
        animated=file.type == "gifv",
        sensitive=sensitive,
    )


def _mime(file: File, url: str) -> str:
    """By the ending of its name, where that agrees with what the instance says it is; else the family alone."""
    family = _FAMILIES.get(file.type or "")
    guessed = _guess(url) or _guess(file.remote_url or "")
    if family is None or guessed.startswith(f"{family}/"):
        return guessed
    return f"{family}/*"


def _guess(url: str) -> str:
    path = url.partition("?")[0].partition("#")[0]
    return _ENDINGS.get(path.rpartition(".")[2].casefold(), "")


def _original(meta: Any) -> dict[str, Any]:
    """Sizes of the file itself; of a picture also where a server has them one level up."""
    if not isinstance(meta, dict):
        return {}
    original = meta.get("original")
    return {**meta, **original} if isinstance(original, dict) else meta


def _count(told: Any) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 < told <= 1 << 40 else None


def _duration(sizes: dict[str, Any]) -> float | None:
    told = sizes.get("duration")
    return float(told) if isinstance(told, int | float) and 0 < told < 10**7 else None


def aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


# Our own words, known again.

_DOMAIN = re.compile(r"(?<![=/\w])(@[a-z0-9_.-]+)@[\w.:-]+", re.IGNORECASE)


def same_words(status: Status, here: Here, text: str) -> bool:
    """Whether a status of ours may be this text: by letters and digits, whatever the server made of its marks."""
    return _letters(written(whole(status, here), _spelled)) == _letters(text)


def _spelled(span: Said) -> str:
    return f"@{span.id}" if isinstance(span, Mention) else spelled(span)


def _letters(text: str) -> str:
    return "".join(character for character in _DOMAIN.sub(r"\1", text).casefold() if character.isalnum())

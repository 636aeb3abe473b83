"""An announcement as people write it: Markdown, and before it, between two lines ``+++``, what else the posts carry."""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from gateway.duration import duration
from gateway.model.content import Document, Poll, Quote
from gateway.model.delivery import Repliers, Visibility
from gateway.model.ids import MessageRef

FENCE = "+++"
_BEGUN = re.compile(r"\A\ufeff*\+\+\+[^\S\r\n]*(?:[\r\n]|\Z)")
_HEAD = re.compile(r"\A\ufeff*\+\+\+[^\S\n]*\n(.*?)^\+\+\+[^\S\n]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_UNKNOWN = re.compile(r"unknown field `(.+?)`(?: - at `\$\.(.+?)`)?")

Line = Annotated[str, Meta(max_length=500)]
Address = Annotated[str, Meta(pattern=r"^https?://\S+$", max_length=2_000)]


class AnnouncementError(Exception):
    """One line: what of an announcement's head can't be used, and the cure."""


class Terms(Struct, frozen=True):
    """What is asked for an announcement's drafts besides what they say."""

    visibility: Visibility = Visibility.USUAL
    repliers: Repliers = Repliers.EVERYONE
    numbered: bool = False
    canonical_url: str = ""


class PollTable(Struct, frozen=True, forbid_unknown_fields=True):
    """``[poll]``."""

    options: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(min_length=2, max_length=20)
    ]
    open_for: str = "1d"
    multiple: bool = False


class QuoteTable(Struct, frozen=True, forbid_unknown_fields=True):
    """``[quote]``: ``ref`` is the post's name on ``platform``, where it is known."""

    url: Address
    platform: Line = ""
    ref: Annotated[str, Meta(max_length=2_000)] = ""


class Head(Struct, frozen=True, forbid_unknown_fields=True):
    """What may stand there."""

    accounts: tuple[Line, ...] = ()
    canonical_url: Address | None = None
    language: Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")] | None = None
    numbered: bool = False
    poll: PollTable | None = None
    quote: QuoteTable | None = None
    repliers: Repliers = Repliers.EVERYONE
    sensitive: bool = False
    visibility: Visibility = Visibility.USUAL
    warning: Line = ""

    @property
    def terms(self) -> Terms:
        return Terms(self.visibility, self.repliers, self.numbered, self.canonical_url or "")

    def on(self, document: Document) -> Document:
        """The document with what the head says of it."""
        quote, poll = self.quote, self.poll
        return structs.replace(
            document,
            language=self.language or document.language,
            warning=self.warning,
            sensitive=self.sensitive,
            poll=Poll(poll.options, _open_for(poll).total_seconds(), poll.multiple) if poll else None,
            quote=Quote(quote.platform, MessageRef(quote.ref) if quote.ref else None, quote.url) if quote else None,
        )


def parted(text: str) -> tuple[Head, str]:
    """The head of an announcement, and its words. Raises AnnouncementError."""
    found = _HEAD.match(text)
    if found is None:
        if _BEGUN.match(text):
            raise AnnouncementError(f"the head begins with {FENCE} and never ends: write {FENCE} below its last line")
        return Head(), text
    return _read(found[1]), text[found.end() :]


def _read(toml: str) -> Head:
    try:
        head = msgspec.convert(tomllib.loads(toml), Head)
    except msgspec.ValidationError as error:
        raise AnnouncementError(_told(str(error))) from error
    except (ValueError, RecursionError) as error:  # tomllib lets some of int's own ValueErrors through
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise AnnouncementError(f"the head is not valid TOML: {reason}") from error
    if head.poll:
        _open_for(head.poll)
    return head


def _open_for(poll: PollTable) -> timedelta:
    try:
        return duration(poll.open_for)
    except ValueError as error:
        raise AnnouncementError(f"the head: poll.open_for: {error}") from error


def _told(problem: str) -> str:
    unknown = _UNKNOWN.search(problem)
    if unknown is None:
        return f"the head: {problem.replace(' - at `$.', ': `')}"
    tables: dict[str | None, Any] = {"poll": PollTable, "quote": QuoteTable, None: Head}
    known = [field.name for field in structs.fields(tables.get(unknown[2], Head))]
    close = difflib.get_close_matches(unknown[1], known, n=1)
    cure = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(known)}"
    return f"the head: unknown key `{unknown[1]}`; {cure}"

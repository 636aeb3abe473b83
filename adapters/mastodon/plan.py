"""The writing half of translate.py: a draft becomes statuses. Apart from it because the two share only the names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import regex
from msgspec import Struct

from adapters.mastodon.profile import NAME
from adapters.mastodon.translate import is_private, narrowest, parse_ref
from gateway.model.capabilities import Limits
from gateway.model.content import Document, Link, Media, Mention, Span, Text, spans, spelled, written
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, InConversation, Part, Timeline, ToPerson
from gateway.model.identity import Identity
from gateway.text.measure import graphemes
from gateway.text.split import split

# What Mastodon takes for an address and for a mention (masto status_length_validator.rb, account.rb). Narrow on
# purpose: what looks like an address and isn't surely one counts in full, and as one at least, so that a mistake
# makes a status shorter and never refused.
_MARKS = r"(?:[.,:;!?@*()'-]+[A-Za-z0-9%/+=_&~#$]+)*+"
_URL = regex.compile(
    r"https?://(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+[a-z]{2,}+(?::\d{1,5}+)?+"
    rf"(?:/[A-Za-z0-9%/+=_&~#$]*+{_MARKS})?+(?:\?[A-Za-z0-9%/+=_&~#$]*+{_MARKS})?+(?![\p{{L}}\p{{N}}@])",
    regex.IGNORECASE,
)
_MAYBE_URL = regex.compile(r"(?P<glued>(?<=[\p{L}\p{N}@#$/.]))?https?://\S+", regex.IGNORECASE)
_REMOTE = re.compile(r"(?<![=/\w])(@[a-z0-9_]+(?:[a-z0-9_.-]*[a-z0-9_])?)@[\w.-]+\w", re.IGNORECASE)
_CALL = re.compile(r"(?<![=/\w])@(?=[a-z0-9_])", re.IGNORECASE)
_NAME = re.compile(r"[\w.-]{1,64}(?:@[\w.:-]{1,253})?")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


class Place(Struct, frozen=True):
    """Where a draft goes: how wide, after which status, and who has to be mentioned to see it."""

    kind: str
    visibility: str
    reply_to: str | None = None
    people: tuple[str, ...] = ()


def measure(text: str, url_length: int) -> int:
    """What the instance counts of a text: graphemes, an address as so many, a mention without its domain."""

    def counted(found: regex.Match[str]) -> str:
        run: str = found.group()
        url = None if found["glued"] is not None else _URL.match(run)
        return "x" * url_length + run[url.end() :] if url else run.ljust(url_length, "x")

    return graphemes(_REMOTE.sub(r"\1", _MAYBE_URL.sub(counted, text)))


def plan(draft: Draft, at: datetime, limits: Limits, visibility: str) -> tuple[Part, ...]:
    """The statuses of a draft. ``visibility`` is the account's own for its timeline; nothing gets wider than that."""
    if draft.document.is_empty:
        raise _refused(FaultKind.INVALID, "there is nothing to say")
    place = _place(draft, visibility)
    media = _media(draft.document.media, limits)
    slices = _slices(draft.document, place, limits)
    single = len(slices) == 1
    return tuple(
        Part(
            index=index,
            kind=place.kind,
            key=f"{draft.id}-{_microseconds(at):x}-{index}",
            body=_body(place, _worded(place, said, follows=index > 0), said, media if index == 0 else []),
            rest=None if single else said,
        )
        for index, said in enumerate(slices)
    )


def reworded(said: Document, visibility: str, people: tuple[str, ...], limits: Limits) -> str:
    """The new text of a status of ours that mentions these people."""
    if said.is_empty:
        raise _refused(FaultKind.INVALID, "there is nothing to say")
    text = _worded(Place("reply", visibility, people=people), said)
    if measure(text, limits.url_length or 0) > limits.text_max:
        raise _refused(FaultKind.TOO_LONG, f"an edit may have {limits.text_max} characters")
    return text


def _worded(place: Place, said: Document, *, follows: bool = False) -> str:
    """The status's text: the mentions it needs, then the words."""
    return _calls(place, said, follows=follows) + _words(place, said)


def _words(place: Place, said: Document) -> str:
    return written(said, lambda span: _spell(span, place))


def _calls(place: Place, said: Document, *, follows: bool) -> str:
    """Whom the text has to name by itself. In private every part must, or they would not see it."""
    if follows and not is_private(place.visibility):
        return ""
    named = {_name(span.id, span.handle) for span in spans(said) if isinstance(span, Mention) and span.platform == NAME}
    return "".join(f"@{person} " for person in place.people if person.casefold() not in named)


def _spell(span: Span, place: Place) -> str:
    match span:
        case Mention(platform, number, handle, name):
            called = _name(number, handle) if platform == NAME else None
            if called and is_private(place.visibility) and called not in map(str.casefold, place.people):
                return _CALL.sub("@\u2060", spelled(span))
            return f"@{called}" if called else name or handle.lstrip("@")
        case Text(text) if is_private(place.visibility):
            return _CALL.sub("@\u2060", text)  # a name in private words would let its owner read them
        case Text() | Link():
            return spelled(span)


def _slices(said: Document, place: Place, limits: Limits) -> tuple[Document, ...]:
    most = limits.text_max - measure("".join(f"@{person} " for person in place.people), 0)
    url_length = limits.url_length or 23
    try:
        return split(said, lambda piece: measure(_words(place, piece), url_length) <= most)
    except ValueError as error:
        raise _refused(FaultKind.TOO_LONG, str(error)) from error


def _place(draft: Draft, usual: str) -> Place:
    match draft.target:
        case Timeline():
            return Place("post", usual)
        case ToPerson(identity, private):
            person = _person(identity)
            if person is None:
                raise _refused(FaultKind.TARGET_REFUSED, f"{identity} is nobody on {NAME}")
            return Place("direct" if private else "post", "direct" if private else usual, people=(person,))
        case InConversation():
            return _answer(draft, draft.target, usual)


def _answer(draft: Draft, target: InConversation, usual: str) -> Place:
    level, _, rest = target.conversation.partition("|")
    if level != "direct" and not (level in ("open", "private") and rest):
        raise _refused(FaultKind.TARGET_REFUSED, "the conversation is not one of this platform's")
    ref = parse_ref(draft.in_reply_to) if draft.in_reply_to else None
    visibility = narrowest(usual, "unlisted" if level == "open" and ref is None else "public")
    visibility = narrowest(visibility, level if level in ("private", "direct") else "public")
    visibility = narrowest(visibility, ref.visibility if ref else "public")
    if target.private and not is_private(visibility):
        raise _refused(FaultKind.TARGET_REFUSED, "the conversation is public, the words are not")
    with_person = _person(draft.with_person) if draft.with_person else None
    people = rest.split(",") if level == "direct" else ref.people if ref and not with_person else ()
    everybody = tuple(dict.fromkeys(filter(None, (with_person, *people))))
    if visibility == "direct" and not everybody:
        raise _refused(FaultKind.TARGET_REFUSED, "a direct message to nobody")
    reply_to = ref.id if ref else None if level == "direct" else rest
    return Place("direct" if visibility == "direct" else "reply", visibility, reply_to, _distinct(everybody))


def _distinct(people: Iterable[str]) -> tuple[str, ...]:
    return tuple({person.casefold(): person for person in people}.values())


def _person(identity: Identity) -> str | None:
    return _name(identity.id, identity.handle) if identity.platform == NAME else None


def _name(number: str, handle: str) -> str | None:
    """How to call an account: by its id, which is its full name, or by what an operator wrote for it."""
    name = (number if "@" in number else handle or number).lstrip("@").casefold()
    return name if _NAME.fullmatch(name) else None


def _media(media: tuple[Media, ...], limits: Limits) -> list[dict[str, str]]:
    if len(media) > limits.images_max:
        raise _refused(FaultKind.MEDIA, f"{len(media)} pictures: a status takes {limits.images_max}")
    for picture in media:
        if picture.mime not in limits.image_mimes:
            raise _refused(FaultKind.MEDIA, f"{picture.mime} is not taken here")
        if picture.size_bytes > limits.image_size_bytes:
            raise _refused(FaultKind.MEDIA, f"{picture.size_bytes} bytes: a picture may have {limits.image_size_bytes}")
    return [{"sha256": p.sha256, "mime": p.mime, "alt": p.alt[: limits.alt_max]} for p in media]


def _body(place: Place, text: str, said: Document, media: list[dict[str, str]]) -> dict[str, Any]:
    """What :meth:`send` needs. Defaults are left out: the body is stored with every part."""
    language = said.language if said.language and _LANGUAGE.fullmatch(said.language) else None
    body = {"text": text, "visibility": place.visibility, "reply_to": place.reply_to, "language": language}
    return {name: value for name, value in {**body, "media": media}.items() if value or name == "text"}


def _microseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def _refused(kind: FaultKind, words: str) -> FaultError:
    return FaultError(Fault(kind, True, words))

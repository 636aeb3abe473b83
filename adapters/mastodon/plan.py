"""The writing half of translate.py: a draft becomes statuses. Apart from it because the two share only the names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct, structs

from adapters.mastodon.attached import filed, polled
from adapters.mastodon.counting import measure
from adapters.mastodon.places import is_private, named, narrowest, parse_ref
from adapters.mastodon.profile import NAME
from gateway.model.capabilities import Limits
from gateway.model.content import Document, Link, Mention, Span, Text, spelled, written
from gateway.model.delivery import Draft, FaultKind, InConversation, Part, Timeline, ToPerson, Visibility, refused
from gateway.model.identity import Identity
from gateway.text.measure import graphemes
from gateway.text.split import Slice, slices

_CALL = re.compile(r"(?<![=/\w])@+(?=[a-z0-9_]|\Z)", re.IGNORECASE)
"""At the end of a span, too: the name may stand in the next one."""
_CALLED = re.compile(
    r"https?://\S+|(?<![=/\w])@([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?(?:@[\w.-]*\w(?::\d+)?)?)", re.IGNORECASE
)
"""Whom a text calls: masto account.rb, MENTION_RE. In an address not every server looks for names."""
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:-([A-Za-z]{2}))?(?:-.*)?")
_WIDTHS = {Visibility.UNLISTED: "unlisted", Visibility.FOLLOWERS: "private"}


class Place(Struct, frozen=True):
    """Where a draft goes: how wide, after which status, and who has to be mentioned to see it. ``home`` is the
    instance's domain where it is known: that of names without one.
    """

    kind: str
    visibility: str
    reply_to: str | None = None
    people: tuple[str, ...] = ()
    home: str = ""


def plan(draft: Draft, at: datetime, limits: Limits, visibility: str, home: str = "") -> tuple[Part, ...]:
    """The statuses of a draft. ``visibility`` is the account's own for its timeline; nothing gets wider than that."""
    place = structs.replace(_place(draft, visibility), home=home)
    document = _settled(draft.document, place)
    pieces = _slices(document, place, limits, numbered=draft.numbered)
    return tuple(
        Part(
            index=index,
            kind=place.kind,
            key=f"{draft.id}-{_microseconds(at):x}-{index}",
            body=_body(place, piece.shown, limits, follows=index > 0),
            rest=None if piece.said is draft.document else piece.said,
            number=piece.number,
        )
        for index, piece in enumerate(pieces)
    )


QUOTES_STAY = 'Mastodon changes no quote: delete it and post anew (posting.correction = "repost" does so)'


def reworded(said: Document, place: Place, limits: Limits) -> dict[str, Any]:
    """What a status of ours is to be now, as the body of a part."""
    document = _settled(said, place)
    if weight(_worded(place, document), document.warning, limits) > limits.text_max:
        raise refused(FaultKind.TOO_LONG, f"an edit may have {limits.text_max} characters")
    return _body(place, document, limits)


def weight(text: str, warning: str, limits: Limits) -> int:
    """What counts against the limit: the warning, which has no short addresses, and the text."""
    return graphemes(warning) + measure(text, limits.url_length or 23)


def _settled(said: Document, place: Place) -> Document:
    """The document with its quote as a link where a status can't have one: without words, beside media or a poll,
    and in private.
    """
    if said.is_empty and not said.quote:
        raise refused(FaultKind.INVALID, "there is nothing to say")
    quote = said.quote
    alone = quote is not None and quote.ref is not None and not (said.is_empty or said.media or said.poll)
    if quote is None or (alone and place.visibility != "direct"):
        return said
    return linking(said)


def linking(said: Document) -> Document:
    """The document with the address of what it quotes in the place of that. Raises FaultError where it has none."""
    if not said.quote or not said.quote.url:
        raise refused(FaultKind.INVALID, "what is quoted has no address, and can't stand here as a quoted post")
    return structs.replace(said, quote=None, paragraphs=(*said.paragraphs, (Link(said.quote.url),)))


def _worded(place: Place, said: Document, *, follows: bool = False) -> str:
    """The status's text: the mentions it needs, then the words."""
    words = _words(place, said)
    return _calls(place, words, follows=follows) + words


def _words(place: Place, said: Document) -> str:
    private = is_private(place.visibility)
    return written(said, partial(_spell_in_private, people=place.people) if private else _spell)


def _calls(place: Place, words: str, *, follows: bool) -> str:
    """Whom the text has to name beside its words. In private every part must, or they would not see it."""
    if not place.people or (follows and not is_private(place.visibility)):
        return ""
    named = {_full(called[1], place.home) for called in _CALLED.finditer(words) if called[1]}
    return "".join(f"@{person} " for person in place.people if _full(person, place.home) not in named)


def _full(name: str, home: str) -> str:
    return (name if "@" in name or not home else f"{name}@{home}").casefold()


def _spell(span: Span) -> str:
    if isinstance(span, Text):
        return span.text
    if not isinstance(span, Mention):
        return spelled(span)
    called = _called(span)
    return f"@{called}" if called else _CALL.sub("", span.name or span.handle)


def _spell_in_private(span: Span, people: tuple[str, ...]) -> str:
    if isinstance(span, Mention):
        called = _called(span)
        return _uncalled(spelled(span)) if called and called not in map(str.casefold, people) else _spell(span)
    return spelled(structs.replace(span, text=_uncalled(span.text)) if span.text else span)


def _called(mention: Mention) -> str | None:
    return _name(mention.id, mention.handle) if mention.platform == NAME else None


def _uncalled(text: str) -> str:
    """A name in private words would let its owner read them."""
    return _CALL.sub("\\g<0>\u2060", text)


def _slices(said: Document, place: Place, limits: Limits, *, numbered: bool) -> tuple[Slice, ...]:
    most = limits.text_max - measure("".join(f"@{person} " for person in place.people), 0)
    try:
        return slices(
            said,
            lambda piece: weight(_words(place, piece), piece.warning, limits) <= most,
            width=lambda span: _width(span, limits.url_length or 23),
            most=most,
            numbered=numbered,
        )
    except ValueError as error:
        raise refused(FaultKind.TOO_LONG, str(error)) from error


def _width(span: Span, url_length: int) -> int:
    """About how much a link or a mention counts."""
    return len(_spell(span)) + (url_length - len(span.url) if isinstance(span, Link) else 0)


def _place(draft: Draft, usual: str) -> Place:
    match draft.target:
        case Timeline():
            visibility = narrowest(usual, _WIDTHS.get(draft.visibility, "public"))
            return Place("post", visibility, parse_ref(draft.in_reply_to).id if draft.in_reply_to else None)
        case ToPerson(identity, private):
            person = _person(identity)
            if person is None:
                raise refused(FaultKind.TARGET_REFUSED, f"{identity} is nobody on {NAME}")
            return Place("direct" if private else "post", "direct" if private else usual, people=(person,))
        case InConversation():
            return _answer(draft, draft.target, usual)


def _answer(draft: Draft, target: InConversation, usual: str) -> Place:
    level, _, rest = target.conversation.partition("|")
    if level != "direct" and not (level in ("open", "private") and rest):
        raise refused(FaultKind.TARGET_REFUSED, "the conversation is not one of this platform's")
    ref = parse_ref(draft.in_reply_to) if draft.in_reply_to else None
    visibility = narrowest(usual, "unlisted" if level == "open" and ref is None else "public")
    visibility = narrowest(visibility, level if level in ("private", "direct") else "public")
    visibility = narrowest(visibility, ref.visibility if ref else "public")
    if target.private and not is_private(visibility):
        raise refused(FaultKind.TARGET_REFUSED, "the conversation is public, the words are not")
    with_person = _person(draft.with_person) if draft.with_person else None
    people = rest.split(",") if level == "direct" else ref.people if ref and not with_person else ()
    everybody = tuple(dict.fromkeys(filter(None, (with_person, *people))))
    if visibility == "direct" and not everybody:
        raise refused(FaultKind.TARGET_REFUSED, "a direct message to nobody")
    reply_to = ref.id if ref else None if level == "direct" else rest
    return Place("direct" if visibility == "direct" else "reply", visibility, reply_to, _distinct(everybody))


def _distinct(people: Iterable[str]) -> tuple[str, ...]:
    return tuple({person.casefold(): person for person in people}.values())


def _person(identity: Identity) -> str | None:
    return _name(identity.id, identity.handle) if identity.platform == NAME else None


def _name(number: str, handle: str) -> str | None:
    """How to call an account: by its id, which is its full name, or by what an operator wrote for it."""
    return named((number if "@" in number else handle or number).lstrip("@").casefold())


def _body(place: Place, said: Document, limits: Limits, *, follows: bool = False) -> dict[str, Any]:
    """What :meth:`send` needs. Defaults are left out: the body is stored with every part."""
    text, warning = _worded(place, said, follows=follows), said.warning.strip()
    sensitive = said.sensitive or bool(warning)  # Mastodon takes the one for the other, not every server does
    if not text.strip() and warning:  # the server does the same: masto post_status_service.rb
        text, warning = warning, ""
    body = {
        "text": text,
        "visibility": place.visibility,
        "reply_to": place.reply_to,
        "language": _language(said.language or ""),
        "warning": warning,
        "sensitive": sensitive,
        "poll": polled(said.poll, text, said.media, limits) if said.poll else None,
        "quote": parse_ref(said.quote.ref).id if said.quote and said.quote.ref else None,
        "media": filed(said.media, limits),
    }
    return {name: value for name, value in body.items() if value or name == "text"}


def _language(tag: str) -> str | None:
    """As the server knows it: without a region, but for Chinese (masto languages_helper.rb)."""
    found = _LANGUAGE.fullmatch(tag)
    if found is None:
        return None
    return f"zh-{found[2].upper()}" if found[1] == "zh" and found[2] else found[1]


def _microseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)

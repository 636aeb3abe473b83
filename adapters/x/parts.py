"""A draft as X's posts and direct messages, and how these will look. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, NoReturn

from msgspec import Struct, structs

from adapters.x.length import DIRECT_MAX, POST_MAX, URL, fits_direct, fits_post, has_address, weighted_length
from adapters.x.profile import ALT_USD, DIRECT_USD, DIRECT_VIDEO_MAX_S, LINKED_USD, POST_USD, PROFILE, SUMMONED_USD
from adapters.x.translate import DIRECT, PLATFORM, spell, write
from gateway.model.content import (
    BULLET,
    Block,
    BlockKind,
    Document,
    Link,
    Media,
    Mention,
    Paragraph,
    Span,
    Text,
    block,
    opened,
    unopened,
)
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, InConversation, Part, Repliers, Shown, Timeline
from gateway.model.media import MediaKind
from gateway.text.shown import poll_line
from gateway.text.split import Slice, slices

# media/quickstart/best-practices.mdx
VIDEO_SHORTEST_S = 0.5
VIDEO_SIDE_LEAST_PX = 32
VIDEO_SHAPE_MAX = 3
GIF_WIDTH_PX, GIF_HEIGHT_PX = 1280, 1080
_ID = re.compile(r"[0-9]{1,19}")
_CONVERSATION = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")
_REPLIERS = {
    Repliers.FOLLOWED: "following",
    Repliers.MENTIONED: "mentionedUsers",
    Repliers.NOBODY: "mentionedUsers",
}


class Aim(Struct, frozen=True):
    """Where a draft goes: the kind of its first part, what its body names, and whom it calls."""

    kind: str
    body: dict[str, str]
    call: Mention | None = None


class _Piece(Struct, frozen=True):
    """One message: what is said in it, how that is shown, and its media."""

    said: Document
    shown: Document
    media: tuple[Media, ...]


def plan(draft: Draft) -> tuple[Part, ...]:
    """The posts or direct messages of a draft. Raises FaultError where X can't carry it."""
    aim = _aim(draft)
    private = aim.kind == "direct"
    document = _in_words(draft.document, private=private)
    if aim.call is not None:
        document = _called(document, aim.call)
    if document.is_empty:
        _refuse(FaultKind.INVALID, "there is nothing to say")
    for one in document.media:
        _check(one, private=private)
    cut = _slices(draft, document, private=private)
    pieces = list(_one_by_one(cut, document.media) if private else _together(cut))
    return tuple(_part(draft, aim, index, len(pieces), piece) for index, piece in enumerate(pieces))


def _slices(draft: Draft, document: Document, *, private: bool) -> tuple[Slice, ...]:
    try:
        if private:
            return slices(document, lambda piece: fits_direct(write(piece)), about=DIRECT_MAX, numbered=draft.numbered)
        return slices(
            document,
            lambda piece: fits_post(write(piece)),
            width=_width,
            most=POST_MAX,
            numbered=draft.numbered,
        )
    except ValueError as error:
        _refuse(FaultKind.TOO_LONG, str(error))


def _width(span: Span) -> int:
    """About how wide a link or a mention is: asking the parser would take longer than a wrong guess."""
    return len(spell(span)) + (URL - len(span.url) if isinstance(span, Link) else 0)


def _together(cut: Sequence[Slice]) -> Iterator[_Piece]:
    """Posts with the media that belong to each."""
    for said, shown, _ in cut:
        _check_company(said.media)
        yield _Piece(said, shown, said.media)


def _one_by_one(cut: Sequence[Slice], media: Sequence[Media]) -> Iterator[_Piece]:
    """Direct messages: one attachment for each, further ones by themselves."""
    nothing = Slice(Document(), Document())
    for piece, one in zip_longest(cut, media):
        said, shown, _ = piece or nothing
        yield _Piece(said, shown, (one,) if one else ())


def _part(draft: Draft, aim: Aim, index: int, count: int, piece: _Piece) -> Part:
    private = aim.kind == "direct"
    body: dict[str, Any] = dict(aim.body) if private or index == 0 else {}
    if text := write(piece.shown):
        body["text"] = text
    if piece.media:
        body["media"] = [_told(one, sensitive=draft.document.sensitive) for one in piece.media]
    if poll := piece.said.poll:
        body["poll"] = {"options": list(poll.options), "minutes": round(poll.open_for_s / 60)}
    if piece.said.quote and piece.said.quote.ref:
        body["quote"] = _checked(_ID, piece.said.quote.ref)
    if index == 0 and aim.kind == "post" and draft.repliers:
        body["repliers"] = _REPLIERS[draft.repliers]
    kind = aim.kind if private or index == 0 else "reply"
    return Part(index, kind, f"{draft.id}.{index}", body, rest=_rest(aim, index, count, piece))


def _rest(aim: Aim, index: int, count: int, piece: _Piece) -> Document | None:
    if count == 1:
        return None
    own = unopened(piece.said, aim.call, Text(" ")) if index == 0 and aim.call else piece.said
    return structs.replace(own, media=piece.media)


# Where it goes.


def _aim(draft: Draft) -> Aim:
    target = draft.target
    if isinstance(target, Timeline):
        return Aim("reply", {"reply_to": _checked(_ID, draft.in_reply_to)}) if draft.in_reply_to else Aim("post", {})
    if isinstance(target, InConversation):
        if target.conversation.startswith(DIRECT):
            conversation = target.conversation.removeprefix(DIRECT)
            return Aim("direct", {"conversation": _checked(_CONVERSATION, conversation)})
        if target.private:
            _refuse(FaultKind.TARGET_REFUSED, "a private conversation is no thread of posts")
        return Aim("reply", {"reply_to": _checked(_ID, draft.in_reply_to or target.conversation)})
    if target.identity.platform != PLATFORM:
        _refuse(FaultKind.TARGET_REFUSED, "this person is on another platform")
    if target.private:
        return Aim("direct", {"to": _checked(_ID, target.identity.id)})
    if not target.identity.handle:
        _refuse(FaultKind.TARGET_REFUSED, "a person without a known handle can't be called")
    return Aim("post", {}, Mention(PLATFORM, target.identity.id, target.identity.handle))


def _checked(pattern: re.Pattern[str], name: str) -> str:
    if not pattern.fullmatch(name):
        _refuse(FaultKind.TARGET_REFUSED, "this is no post, person or conversation of X")
    return name


def _called(document: Document, call: Mention) -> Document:
    first = block(document.paragraphs[0]).spans if document.paragraphs else ()
    if first and isinstance(first[0], Mention) and first[0].id == call.id:
        return document
    return opened(document, call, Text(" "))


# What a post shows besides its words.


def _in_words(document: Document, *, private: bool) -> Document:
    """A direct message has neither poll nor quote, and a post has one of media, poll and quote alone (openapi.json):
    a quote gives way, as X shows the address of a post as that post.
    """
    more: list[Paragraph | Block] = []
    if document.poll and private:
        more += [Block((Text(option),), BlockKind.ITEM, marker=BULLET) for option in document.poll.options]
        document = structs.replace(document, poll=None)
    if (quote := document.quote) and (private or document.media or document.poll):
        url = quote.url or (f"https://x.com/i/status/{quote.ref}" if quote.ref else "")
        more += [(Link(url),)] if url else []
        document = structs.replace(document, quote=None)
    return structs.replace(document, paragraphs=(*document.paragraphs, *more)) if more else document


def _check(one: Media, *, private: bool) -> None:
    """What a profile has no word for: shapes, films too short, and that a film is less in a direct message."""
    width, height = one.width_px or 0, one.height_px or 0
    if one.kind is MediaKind.GIF and (width > GIF_WIDTH_PX or height > GIF_HEIGHT_PX):
        _refuse(FaultKind.MEDIA, f"a GIF of {width} x {height} pixels: X takes {GIF_WIDTH_PX} x {GIF_HEIGHT_PX}")
    if one.kind is not MediaKind.VIDEO:
        return
    short, long = sorted((width, height))
    if short and (short < VIDEO_SIDE_LEAST_PX or long > VIDEO_SHAPE_MAX * short):
        _refuse(FaultKind.MEDIA, f"a video of {width} x {height} pixels: X takes 32 and more, from 1:3 to 3:1")
    if one.duration_s is not None and one.duration_s < VIDEO_SHORTEST_S:
        _refuse(FaultKind.MEDIA, f"a video of {one.duration_s:.1f} s: {VIDEO_SHORTEST_S} s are the least on X")
    if private and one.duration_s is not None and one.duration_s > DIRECT_VIDEO_MAX_S:
        _refuse(
            FaultKind.MEDIA, f"a video of {one.duration_s:.0f} s: a direct message takes {DIRECT_VIDEO_MAX_S:.0f} s"
        )


def _check_company(media: Sequence[Media]) -> None:
    """A post has four pictures, or one GIF, or one video."""
    lonely = [one for one in media if one.kind is not MediaKind.IMAGE]
    if lonely and len(media) > 1:
        _refuse(FaultKind.MEDIA, f"{len(media)} media in one post: on X a {lonely[0].kind} is alone")
    if len(media) > PROFILE.limits.images_max:
        _refuse(FaultKind.MEDIA, f"{len(media)} pictures in one post: {PROFILE.limits.images_max} are the most on X")


def _told(one: Media, *, sensitive: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "sha256": one.sha256,
        "mime": one.mime,
        "kind": str(one.kind),
        "size_bytes": one.size_bytes,
    }
    if one.alt:
        told["alt"] = one.alt[: PROFILE.limits.alt_max]
    return told | {"sensitive": True} if sensitive else told


# How it will look.


def preview(part: Part) -> Shown:
    """How a part will look, and what X charges for it."""
    body = part.body
    text = body.get("text", "")
    private = part.kind == "direct"
    return Shown(
        text,
        len(text) if private else weighted_length(text),
        DIRECT_MAX if private else POST_MAX,
        "characters" if private else PROFILE.limits.unit,
        tuple(map(_line, body.get("media", ()))),
        tuple(_extras(body)),
        cost_usd(part),
    )


def _line(one: dict[str, Any]) -> str:
    alt = f"alt: {one['alt']}" if one.get("alt") else "no alt text"
    hidden = ", hidden until asked for" if one.get("sensitive") else ""
    return f"{one['kind']}, {one['mime']}, {one['size_bytes']} bytes, {alt}{hidden}"


def _extras(body: dict[str, Any]) -> Iterator[str]:
    if poll := body.get("poll"):
        yield poll_line(poll["options"], poll["minutes"] * 60, multiple=False)
    if quote := body.get("quote"):
        yield f"quotes https://x.com/i/status/{quote}"
    if repliers := body.get("repliers"):
        yield f"who may reply: {repliers}"
    if target := body.get("reply_to"):
        yield f"replies to https://x.com/i/status/{target}"


def cost_usd(part: Part) -> float:
    """By the price list: an address makes a post dear, wherever it stands."""
    if part.kind == "direct":
        price = DIRECT_USD
    elif has_address(part.body.get("text", "")):
        price = LINKED_USD
    else:
        price = SUMMONED_USD if "reply_to" in part.body else POST_USD
    described = [one for one in part.body.get("media", ()) if one.get("alt") or one.get("sensitive")]
    return round(price + ALT_USD * len(described), 3)


def _refuse(kind: FaultKind, evidence: str) -> NoReturn:
    raise FaultError(Fault(kind, certain=True, evidence=evidence))

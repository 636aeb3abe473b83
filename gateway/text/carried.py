"""What of a draft an account carries, before its adapter sees it: the rest is said in words, left out with a note, or
refused, by the platform's support and the account's manner. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from msgspec import structs

from gateway.duration import spoken
from gateway.model.capabilities import Feature, MediaLimits, Profile, Support
from gateway.model.content import (
    BULLET,
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Media,
    Mention,
    Paragraph,
    Poll,
    Span,
    Text,
    marked,
    preceded,
    respanned,
    spans,
    spelled,
)
from gateway.model.delivery import Draft, FaultKind, Repliers, Timeline, Visibility, refused
from gateway.model.ids import AccountId, platform_of
from gateway.model.manner import Manner, Misfit
from gateway.model.media import MediaKind
from gateway.text.apart import apart

WARNING_WORDS = "CW: "
NO_CALL = "\u2060"
"""A word joiner: nothing to see, and no name begins with it."""
_SEEN = (MediaKind.IMAGE, MediaKind.GIF, MediaKind.VIDEO)
_BLANK = re.compile(r"\n\s*\n")
_CALL = re.compile(
    r"(?<![\w.-])(?:[\w-]++\.)++[^\W\d_][\w-]++/\S*+"  # an address, which may have an @ of its own
    r"|(?<![A-Za-z0-9_])[@\uff20](?=[A-Za-z0-9_]|\Z)"
)
"""At the end of a span, too: the name may stand in the next one."""

Carried = tuple[Draft, tuple[str, ...]]


class _Here(NamedTuple):
    """Where it will be said. ``note`` takes what is not as it was meant."""

    platform: str
    profile: Profile
    manner: Manner
    note: Callable[[str], None]


def carried(draft: Draft, account: AccountId, profile: Profile, manner: Manner) -> Carried:
    """The draft as this account can say it, and a note for each thing that is not as it was meant.

    Raises FaultError: INVALID where something may not be left out and can't be carried, MEDIA for media.
    """
    notes: list[str] = []
    here = _Here(platform_of(account), profile, manner, notes.append)
    words = Document(draft.document.paragraphs, language=draft.document.language)
    for step in _OF_WORDS if draft.document == words else (*_BESIDE_WORDS, *_OF_WORDS):
        draft = step(draft, here)
    parted = apart(draft.document, here.platform, profile)
    return draft if parted is draft.document else structs.replace(draft, document=parted), tuple(notes)


def uncalling(draft: Draft, account: AccountId, profile: Profile, manner: Manner) -> Carried:
    """A draft that has got more words since :func:`carried`: these call no strangers, either."""
    notes: list[str] = []
    return _strangers(draft, _Here(platform_of(account), profile, manner, notes.append)), tuple(notes)


def linked(draft: Draft, one: Media, why: str, manner: Manner) -> Carried:
    """The draft with the address of what doesn't fit at its end, and a note; refused where that isn't wanted."""
    what = (one.name or one.alt or one.source or one.mime)[:200]
    if manner.misfit is not Misfit.LINK or not one.source:
        raise refused(FaultKind.MEDIA, f"{one.kind} {what!r}: {why}")
    words = (Link(one.source, one.alt or one.name or None),)
    return _saying(draft, words), (f"{one.kind} {what!r} is a link: {why}",)


def _with(draft: Draft, **changes: object) -> Draft:
    return structs.replace(draft, document=structs.replace(draft.document, **changes))


def _saying(draft: Draft, *more: Paragraph | Block) -> Draft:
    return _with(draft, paragraphs=(*draft.document.paragraphs, *more))


def _carries(here: _Here, feature: Feature, what: str) -> bool:
    """Whether the adapter gets it. If not, it is left out here, and the caller may put words in its place."""
    support = here.profile.support(feature)
    if support is Support.REJECTED:
        raise refused(FaultKind.INVALID, f"{what} is not possible here")
    if support is Support.DROPPED:
        here.note(f"{what} is left out: the platform has none")
    return support >= Support.PARTIAL


def _worded(here: _Here, feature: Feature) -> bool:
    return here.profile.support(feature) is Support.FALLBACK


# Media.


def _media(draft: Draft, here: _Here) -> Draft:
    """Each of them by itself; how many a post takes together is the adapter's to say."""
    media = draft.document.media
    if here.manner.alt_required:
        _described(media)
    misfits = [(one, why) for one in media if (why := _misfit(one, here.profile))]
    draft = _with(draft, media=tuple(one for one in media if not _misfit(one, here.profile))) if misfits else draft
    for one, why in misfits:
        draft, notes = linked(draft, one, why, here.manner)
        here.note(*notes)
    return draft


def _described(media: Iterable[Media]) -> None:
    for number, one in enumerate(media, 1):
        if one.kind in _SEEN and not one.alt.strip():
            raise refused(FaultKind.MEDIA, f"{one.kind} {number} has no alt text, and this account requires it")


def _misfit(one: Media, profile: Profile) -> str:
    """Why the platform doesn't take this one."""
    limits = profile.limits.of(one.kind)
    if one.misfit:
        return one.misfit
    if limits is None:
        return "the platform takes none"
    if limits.mimes and one.mime not in limits.mimes:
        return f"{one.mime} is not taken"
    if one.size_bytes > limits.size_bytes:
        return f"{one.size_bytes} bytes, {limits.size_bytes} are the most"
    if limits.duration_max_s is not None and (one.duration_s or 0.0) > limits.duration_max_s:
        return f"{spoken(one.duration_s or 0.0)}, {spoken(limits.duration_max_s)} are the most"
    return _too_lively(one, limits)


def _too_lively(one: Media, limits: MediaLimits) -> str:
    """Why it has too many frames, as far as it tells how many."""
    frames, pixels = one.frames or 0, (one.width_px or 0) * (one.height_px or 0)
    per_s = int(frames / one.duration_s) if one.duration_s else 0
    if limits.frames_max is not None and frames > limits.frames_max:
        return f"{frames} frames, {limits.frames_max} are the most"
    if limits.frames_pixels_max is not None and frames * pixels > limits.frames_pixels_max:
        return f"{frames} frames of {pixels} pixels, {limits.frames_pixels_max} in all are the most"
    if limits.frames_per_s_max is not None and per_s > limits.frames_per_s_max:
        return f"{per_s} frames a second, {limits.frames_per_s_max} are the most"
    return ""


# The rest of what a post may carry.


def _poll(draft: Draft, here: _Here) -> Draft:
    poll = draft.document.poll
    if poll is None:
        return draft
    if not poll.options or not all(map(str.strip, poll.options)):
        raise refused(FaultKind.INVALID, "a poll needs answers, and none of them empty")
    why = _no_poll(draft.document, here.profile)
    if not why and _carries(here, Feature.POLL, "a poll"):
        return _with(draft, poll=_as_it_may_be(poll, here))
    draft = _with(draft, poll=None)
    if not why and not _worded(here, Feature.POLL):
        return draft
    here.note(f"the poll is written as a list: {why or 'the platform has none'}")
    return _saying(draft, *(Block((Text(option),), BlockKind.ITEM, marker=BULLET) for option in poll.options))


def _as_it_may_be(poll: Poll, here: _Here) -> Poll:
    """Open for as long as the platform lets it be, and with as many answers from each."""
    limits = here.profile.limits
    open_for_s = min(max(poll.open_for_s, limits.poll_shortest_s or 0.0), limits.poll_longest_s or poll.open_for_s)
    if open_for_s != poll.open_for_s:
        here.note(f"the poll is open for {spoken(open_for_s)}, not {spoken(poll.open_for_s)}: the platform sets limits")
    if poll.multiple and not limits.poll_multiple:
        here.note("the poll takes one answer from each: the platform has no other")
    return structs.replace(poll, open_for_s=open_for_s, multiple=poll.multiple and limits.poll_multiple)


def _no_poll(document: Document, profile: Profile) -> str:
    """Why this poll is none on a platform that has them."""
    limits, options = profile.limits, document.poll.options if document.poll else ()
    longest = max(map(len, options), default=0)
    if not profile.supports(Feature.POLL):
        return ""
    if len(options) < limits.poll_options_min:
        return f"{len(options)} answers, {limits.poll_options_min} are the least"
    if limits.poll_options_max is not None and len(options) > limits.poll_options_max:
        return f"{len(options)} answers, {limits.poll_options_max} are the most"
    if limits.poll_option_length is not None and longest > limits.poll_option_length:
        return f"an answer of {longest} characters, {limits.poll_option_length} are the most"
    return "a post with a poll has no media" if limits.poll_alone and document.media else ""


def _quote(draft: Draft, here: _Here) -> Draft:
    """A post is quoted on its own platform; elsewhere its address is written."""
    quote = draft.document.quote
    if quote is None:
        return draft
    at_home = quote.ref is not None and quote.platform == here.platform
    if at_home and _carries(here, Feature.QUOTE, "a quoted post"):
        return draft
    draft = _with(draft, quote=None)
    if not quote.url:
        here.note("the quoted post is left out: it has no address that could be written")
        return draft
    here.note("the quoted post is a link")
    return _saying(draft, (Link(quote.url),))


def _warning(draft: Draft, here: _Here) -> Draft:
    warning = draft.document.warning
    if not warning or _carries(here, Feature.WARNING, "a content warning"):
        return draft
    if not _worded(here, Feature.WARNING):
        return _with(draft, warning="")
    hides = here.profile.supports(Feature.SPOILER)
    here.note("the content warning stands before the words" + (", which are hidden" if hides else ""))
    document = respanned(draft.document, _hidden) if hides else draft.document
    document = preceded(document, (Text(WARNING_WORDS + warning),))
    return structs.replace(draft, document=structs.replace(document, warning="", sensitive=True))


def _hidden(span: Span) -> Span:
    return structs.replace(span, marks=marked("", *span.marks, Mark.SPOILER).marks)


def _sensitive(draft: Draft, here: _Here) -> Draft:
    document = draft.document
    if not document.sensitive or here.profile.supports(Feature.SENSITIVE):
        return draft
    if document.media:
        _carries(here, Feature.SENSITIVE, "hiding of media")
    return _with(draft, sensitive=False)


def _spoilers(draft: Draft, here: _Here) -> Draft:
    """Where none is hidden the words are said all the same: without them the text may mean something else."""
    if not _hides(draft.document.paragraphs):
        return draft
    if here.profile.supports(Feature.SPOILER):
        return _with(draft, paragraphs=tuple(map(_uncoded, respanned(draft.document, _unmarked).paragraphs)))
    here.note("a spoiler is open: the platform hides no words")
    return draft


@lru_cache(8)  # a post goes to several networks
def _hides(paragraphs: tuple[Paragraph | Block, ...]) -> bool:
    return any(Mark.SPOILER in span.marks for span in spans(Document(paragraphs)))


def _unmarked(span: Span) -> Span:
    """Hidden code is hidden words: not everywhere does a spoiler cover what is set as code."""
    if Mark.SPOILER not in span.marks:
        return span
    return structs.replace(span, marks=tuple(mark for mark in span.marks if mark is not Mark.CODE))


def _uncoded(paragraph: Paragraph | Block) -> Paragraph | Block:
    if not isinstance(paragraph, Block) or paragraph.kind is not BlockKind.CODE:
        return paragraph
    if not any(Mark.SPOILER in span.marks for span in paragraph.spans):
        return paragraph
    lines = _BLANK.sub("\n", "".join(map(spelled, paragraph.spans))).strip("\n")
    return structs.replace(paragraph, spans=(marked(lines, Mark.SPOILER),), kind=BlockKind.PARAGRAPH, language="")


def _audience(draft: Draft, here: _Here) -> Draft:
    """Who sees and who answers what is said in public; in a conversation both are as they are there."""
    if draft.repliers and not _carries(here, Feature.REPLIERS, "a limit on who may reply"):
        draft = structs.replace(draft, repliers=Repliers.EVERYONE)
    if not isinstance(draft.target, Timeline):
        return draft
    if draft.visibility is Visibility.FOLLOWERS:
        _carries(here, Feature.FOLLOWERS, "a post for followers alone")
    if draft.visibility is Visibility.UNLISTED and not _carries(here, Feature.UNLISTED, "unlisted"):
        draft = structs.replace(draft, visibility=Visibility.USUAL)
    return draft


# Strangers.


def _strangers(draft: Draft, here: _Here) -> Draft:
    """What was written for several networks means nobody on this one by a plain ``@name``."""
    at_home = all(platform_of(one) == here.platform for one in (draft.account, *draft.copies))
    if at_home or not here.profile.calls_by_text:
        return draft
    shows_code = here.profile.supports(Feature.FORMAT)
    uncalled = respanned(draft.document, lambda span: _uncalled(span, in_code=not shows_code), code=not shows_code)
    if uncalled == draft.document:
        return draft
    here.note("a plain @name calls nobody: it was not written for this network alone")
    return structs.replace(draft, document=uncalled)


def _uncalled(span: Span, *, in_code: bool) -> Span:
    if isinstance(span, Mention) or not span.text or (Mark.CODE in span.marks and not in_code):
        return span
    if "@" not in span.text and "\uff20" not in span.text:
        return span
    words = _CALL.sub(lambda found: found[0] if len(found[0]) > 1 else found[0] + NO_CALL, span.text)
    return structs.replace(span, text=words)


_BESIDE_WORDS = (_media, _poll, _quote, _warning, _sensitive)
_OF_WORDS = (_spoilers, _audience, _strangers)
"""In this order: what is put into words by the first is read by the second."""

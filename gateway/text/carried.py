"""What of a draft an account carries, before its adapter sees it: the rest is said in words, left out with a note, or
refused, by the platform's support and the account's manner. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import structs

from gateway.model.capabilities import Feature, Profile, Support
from gateway.model.content import BULLET, Block, BlockKind, Link, Mark, Media, Paragraph, Poll, Text, marked, spans
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, Repliers, Timeline, Visibility
from gateway.model.manner import Manner, Misfit
from gateway.model.media import MediaKind

WARNING_WORDS = "CW: "
_SEEN = (MediaKind.IMAGE, MediaKind.GIF, MediaKind.VIDEO)

Carried = tuple[Draft, tuple[str, ...]]


def carried(draft: Draft, profile: Profile, manner: Manner) -> Carried:
    """The draft as this account can say it, and a note for each thing that is not as it was meant.

    Raises FaultError: INVALID where something may not be left out and can't be carried, MEDIA for media.
    """
    notes: list[str] = []
    for step in (_media, _poll, _quote, _warning, _sensitive, _spoilers, _audience):
        draft = step(draft, profile, manner, notes.append)
    return draft, tuple(notes)


Note = Callable[[str], None]


def _refused(kind: FaultKind, why: str) -> FaultError:
    return FaultError(Fault(kind, True, why))


def _with(draft: Draft, **changes: object) -> Draft:
    return structs.replace(draft, document=structs.replace(draft.document, **changes))


def _carries(profile: Profile, feature: Feature, what: str, note: Note) -> bool:
    """Whether the adapter gets it. If not, it is left out here, and the caller may put words in its place."""
    support = profile.support(feature)
    if support is Support.REJECTED:
        raise _refused(FaultKind.INVALID, f"{what} is not possible here")
    if support is Support.DROPPED:
        note(f"{what} is left out: the platform has none")
    return support >= Support.PARTIAL


def _worded(profile: Profile, feature: Feature) -> bool:
    return profile.support(feature) is Support.FALLBACK


# Media.


def _media(draft: Draft, profile: Profile, manner: Manner, note: Note) -> Draft:
    media = draft.document.media
    if not media:
        return draft
    if manner.alt_required:
        _described(media)
    most = profile.limits.media_max or profile.limits.images_max
    anchored = any(one.at is not None for one in media)
    kept: list[Media] = []
    misfits: list[tuple[Media, str]] = []
    for one in media:
        why = _misfit(one, profile)
        if why is None and len(kept) >= most and not anchored:
            why = f"a post takes {most} of them"
        if why is None:
            kept.append(one)
        else:
            misfits.append((one, why))
    linked = [_linked(one, why, manner, note) for one, why in misfits]
    return _with(draft, media=tuple(kept), paragraphs=(*draft.document.paragraphs, *linked))


def _described(media: Iterable[Media]) -> None:
    for number, one in enumerate(media, 1):
        if one.kind in _SEEN and not one.alt.strip():
            raise _refused(FaultKind.MEDIA, f"{one.kind} {number} has no alt text, and this account requires it")


def _misfit(one: Media, profile: Profile) -> str | None:
    """Why the platform doesn't take this one."""
    limits = profile.limits.of(one.kind)
    if limits is None:
        return "the platform takes none"
    if limits.mimes and one.mime not in limits.mimes:
        return f"{one.mime} is not taken"
    if one.size_bytes > limits.size_bytes:
        return f"{one.size_bytes} bytes, {limits.size_bytes} are the most"
    if limits.duration_max_s is not None and (one.duration_s or 0.0) > limits.duration_max_s:
        return f"{one.duration_s:.0f} s, {limits.duration_max_s:.0f} s are the most"
    return None


def _linked(one: Media, why: str, manner: Manner, note: Note) -> Paragraph:
    what = one.name or one.alt or one.mime
    if manner.misfit is not Misfit.LINK or not one.source:
        raise _refused(FaultKind.MEDIA, f"{one.kind} {what!r}: {why}")
    note(f"{one.kind} {what!r} is a link: {why}")
    return (Link(one.source, one.alt or one.name or None),)


# The rest of what a post may carry.


def _poll(draft: Draft, profile: Profile, _: Manner, note: Note) -> Draft:
    poll = draft.document.poll
    if poll is None:
        return draft
    why = _unfit(poll, profile)
    if why is None and _carries(profile, Feature.POLL, "a poll", note):
        return _with(draft, poll=_in_time(poll, profile, note))
    if why is None and not _worded(profile, Feature.POLL):
        return _with(draft, poll=None)
    note(f"the poll is written as a list: {why or 'the platform has none'}")
    options = (Block((Text(option),), BlockKind.ITEM, marker=BULLET) for option in poll.options)
    return _with(draft, poll=None, paragraphs=(*draft.document.paragraphs, *options))


def _in_time(poll: Poll, profile: Profile, note: Note) -> Poll:
    """The poll, open for as long as the platform lets it be."""
    least, most = profile.limits.poll_shortest_s or 0.0, profile.limits.poll_longest_s or poll.open_for_s
    open_for_s = min(max(poll.open_for_s, least), most)
    if open_for_s == poll.open_for_s:
        return poll
    note(f"the poll is open for {open_for_s:.0f} s, not {poll.open_for_s:.0f}: the platform sets limits")
    return structs.replace(poll, open_for_s=open_for_s)


def _unfit(poll: Poll, profile: Profile) -> str | None:
    """Why this poll is none on a platform that has them."""
    limits = profile.limits
    longest = max(map(len, poll.options), default=0)
    if not profile.supports(Feature.POLL):
        return None
    if limits.poll_options_max is not None and len(poll.options) > limits.poll_options_max:
        return f"{len(poll.options)} answers, {limits.poll_options_max} are the most"
    if limits.poll_option_length is not None and longest > limits.poll_option_length:
        return f"an answer of {longest} characters, {limits.poll_option_length} are the most"
    return None


def _quote(draft: Draft, profile: Profile, _: Manner, note: Note) -> Draft:
    """A post is quoted on its own platform; elsewhere its address is written."""
    quote = draft.document.quote
    if quote is None:
        return draft
    at_home = quote.ref is not None and quote.platform == draft.account.partition("/")[0]
    if at_home and _carries(profile, Feature.QUOTE, "a quoted post", note):
        return draft
    if not quote.url:
        note("the quoted post is left out: it has no address that could be written")
        return _with(draft, quote=None)
    note("the quoted post is a link")
    return _with(draft, quote=None, paragraphs=(*draft.document.paragraphs, (Link(quote.url),)))


def _warning(draft: Draft, profile: Profile, _: Manner, note: Note) -> Draft:
    warning = draft.document.warning
    if not warning or _carries(profile, Feature.WARNING, "a content warning", note):
        return draft
    if not _worded(profile, Feature.WARNING):
        return _with(draft, warning="")
    hides = profile.supports(Feature.SPOILER)
    note("the content warning stands before the words" + (", which are hidden" if hides else ""))
    paragraphs = tuple(map(_hidden, draft.document.paragraphs)) if hides else draft.document.paragraphs
    opening: Paragraph = (Text(WARNING_WORDS + warning),)
    return _with(draft, warning="", sensitive=True, paragraphs=(opening, *paragraphs))


def _hidden(paragraph: Paragraph | Block) -> Paragraph | Block:
    if isinstance(paragraph, Block):
        return structs.replace(paragraph, spans=_hidden(paragraph.spans))
    return tuple(marked(s.text, *s.marks, Mark.SPOILER) if isinstance(s, Text) else s for s in paragraph)


def _sensitive(draft: Draft, profile: Profile, _: Manner, note: Note) -> Draft:
    document = draft.document
    if not document.sensitive or profile.supports(Feature.SENSITIVE):
        return draft
    if document.media:
        _carries(profile, Feature.SENSITIVE, "hiding of media", note)
    return _with(draft, sensitive=False)


def _spoilers(draft: Draft, profile: Profile, _: Manner, note: Note) -> Draft:
    """The words are said all the same: without them the text may mean something else."""
    if profile.supports(Feature.SPOILER):
        return draft
    if any(isinstance(span, Text) and Mark.SPOILER in span.marks for span in spans(draft.document)):
        note("a spoiler is open: the platform hides no words")
    return draft


def _audience(draft: Draft, profile: Profile, _: Manner, note: Note) -> Draft:
    """Who sees and who answers what is said in public; in a conversation both are as they are there."""
    if draft.repliers and not _carries(profile, Feature.REPLIERS, "a limit on who may reply", note):
        draft = structs.replace(draft, repliers=Repliers.EVERYONE)
    if not isinstance(draft.target, Timeline):
        return draft
    if draft.visibility is Visibility.FOLLOWERS:
        _carries(profile, Feature.FOLLOWERS, "a post for followers alone", note)
    if draft.visibility is Visibility.UNLISTED and not _carries(profile, Feature.UNLISTED, "unlisted", note):
        draft = structs.replace(draft, visibility=Visibility.USUAL)
    return draft

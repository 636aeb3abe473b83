"""Documents to Discord's messages: a draft's parts, what an edit says, and how a part will look. Pure."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from adapters.discord.markup import ID, PLATFORM, render, spell
from adapters.discord.profile import (
    ALT_MAX,
    FILE_SIZE_MAX_BYTES,
    FILES_MAX,
    HIDDEN,
    MENTIONS_MAX,
    POLL_HOURS_MAX,
    POLL_QUESTION_MAX,
    REQUEST_SIZE_MAX_BYTES,
    TEXT_MAX,
    Settings,
)
from adapters.discord.translate import located
from gateway.model.content import Document, Media, Mention, Paragraph, Poll, block, plain, spans
from gateway.model.delivery import Draft, FaultKind, InConversation, Part, Shown, Timeline, ToPerson, refused
from gateway.model.ids import MessageRef
from gateway.text.shown import poll_line
from gateway.text.split import Slice, slices

_SUFFIX = {
    "audio/mp4": "m4a", "audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/wav": "wav", "audio/x-wav": "wav",
    "image/gif": "gif", "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp",
    "video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "webm",
}  # fmt: skip
_HOUR_S = 3600.0


def plan(draft: Draft, settings: Settings) -> tuple[Part, ...]:
    """The draft's messages. Each continues the one before it."""
    if draft.document.is_empty:
        raise refused(FaultKind.INVALID, "there is nothing to say")
    place, kind, conversation = _place(draft, settings)
    called = _called(draft)
    pen = _Pen()
    document = draft.document
    if called:
        document = structs.replace(document, paragraphs=called + document.paragraphs)
    pieces = _pieces(document, draft, pen)
    parts = []
    for index, piece in enumerate(pieces):
        key = f"{draft.id}.{index}"
        payload = _payload(piece, pen.written(piece.shown)) | {"nonce": key, "enforce_nonce": True}
        if index == 0 and draft.in_reply_to is not None and "channel" in place:
            payload |= _answering(draft.in_reply_to, place["channel"])
        body: dict[str, Any] = place | {"payload": payload} | files(piece.shown)
        own = piece.said if draft.revises else _own_words(piece.said, called)
        rest = None if piece.said is draft.document else own
        parts.append(Part(index, kind, key, body, conversation, rest, piece.number))
    return tuple(parts)


class _Pen:
    """Writes documents, and knows how it wrote the last one: most are asked for twice."""

    def __init__(self) -> None:
        self._last: tuple[Document, str] = (Document(), "")

    def written(self, document: Document) -> str:
        if self._last[0] is not document:
            self._last = (document, render(document))
        return self._last[1]


def _pieces(whole: Document, draft: Draft, pen: _Pen) -> tuple[Slice, ...]:
    try:
        return slices(whole, lambda piece: len(pen.written(piece)) <= TEXT_MAX, about=TEXT_MAX, numbered=draft.numbered)
    except ValueError as error:
        raise refused(FaultKind.TOO_LONG, f"one piece alone is over {TEXT_MAX} characters") from error


POLLS_STAY = (
    "Discord changes no poll, nor turns a message into one: delete it and ask anew"
    ' (posting.correction = "repost" does so)'
)


def stays(before: Document, after: Document) -> str:
    """Why an edit can't make the one message of the other."""
    return POLLS_STAY if before.poll or after.poll else ""


def reworded(document: Document, *, words_only: bool = False) -> dict[str, Any]:
    """What a message says after an edit: words, and files anew. Raises TOO_LONG, and TARGET_REFUSED of a poll."""
    if document.poll is not None:
        raise refused(FaultKind.TARGET_REFUSED, POLLS_STAY)
    payload = words(document)
    if len(payload["content"]) > TEXT_MAX:
        raise refused(FaultKind.TOO_LONG, f"{len(payload['content'])} characters of {TEXT_MAX}")
    if words_only:  # what isn't named stays
        return {"payload": payload}
    return {"payload": payload | {"attachments": _attachments(document.media)}} | files(document)


def words(document: Document, text: str | None = None) -> dict[str, Any]:
    """Text and whom it may ping: nobody but the people it names."""
    text = render(document) if text is None else text
    named = dict.fromkeys(
        span.id for span in spans(document) if isinstance(span, Mention) and spell(span) == f"<@{span.id}>"
    )
    allowed = {"parse": [], "users": list(named)[:MENTIONS_MAX], "replied_user": False}
    return {"content": text, "allowed_mentions": allowed}


def _payload(piece: Slice, text: str) -> dict[str, Any]:
    document = piece.shown
    payload = words(document, text)
    if document.poll is not None:
        payload |= _asking(piece.said, document.poll)
        if payload["poll"]["question"]["text"] == plain(document):  # a number below it would be lost
            payload["content"] = ""
    if document.media:
        payload["attachments"] = _attachments(document.media)
    return payload


def _asking(document: Document, poll: Poll) -> dict[str, Any]:
    """The question is the text where there is room for it; else its last paragraph, below the text."""
    question = plain(document)
    if len(question) > POLL_QUESTION_MAX:
        question = plain(Document((block(document.paragraphs[-1]).spans,)))
    if len(question) > POLL_QUESTION_MAX:
        question = question[: POLL_QUESTION_MAX - 1] + "…"
    hours = min(max(round(poll.open_for_s / _HOUR_S), 1), POLL_HOURS_MAX)
    answers = [{"poll_media": {"text": option}} for option in poll.options]
    asked = {"question": {"text": question}, "answers": answers, "duration": hours}
    return {"poll": {**asked, "allow_multiselect": poll.multiple, "layout_type": 1}}


# Files.


def files(document: Document) -> dict[str, Any]:
    """The files of a message, as its part keeps them."""
    media = document.media
    if len(media) > FILES_MAX:
        raise refused(FaultKind.MEDIA, f"{len(media)} files; a message takes {FILES_MAX}")
    for item in media:
        if item.size_bytes > FILE_SIZE_MAX_BYTES:
            raise refused(FaultKind.MEDIA, f"a file of {item.size_bytes} bytes; {FILE_SIZE_MAX_BYTES} are taken")
    if (size := sum(item.size_bytes for item in media)) > REQUEST_SIZE_MAX_BYTES:
        raise refused(FaultKind.MEDIA, f"files of {size} bytes; a message takes {REQUEST_SIZE_MAX_BYTES} together")
    if not media:
        return {}
    kept = [
        {"sha256": item.sha256, "mime": item.mime, "name": _name(item, index, hidden=document.sensitive)}
        for index, item in enumerate(media)
    ]
    return {"media": kept}


def _name(media: Media, index: int, *, hidden: bool) -> str:
    suffix = _SUFFIX.get(media.mime)
    name = media.name or f"{media.kind}{index}" + (f".{suffix}" if suffix else "")
    return (HIDDEN if hidden else "") + name


def _attachments(media: tuple[Media, ...]) -> list[dict[str, Any]]:
    return [{"id": index, "description": _alt(item)} for index, item in enumerate(media)]


def _alt(media: Media) -> str:
    return media.alt if len(media.alt) <= ALT_MAX else media.alt[: ALT_MAX - 1] + "…"


# Places.


def _place(draft: Draft, settings: Settings) -> tuple[dict[str, Any], str, str]:
    """Where the parts go: body keys, part kind, conversation of the rate lane."""
    match draft.target:
        case InConversation(conversation, private):
            if not ID.fullmatch(conversation):
                raise refused(FaultKind.TARGET_REFUSED, f"{conversation!r} is no channel of this platform")
            kind = "direct" if private else "reply" if draft.in_reply_to else "post"
            return {"channel": conversation}, kind, conversation
        case ToPerson(person, private):
            if person.platform != PLATFORM or not ID.fullmatch(person.id):
                raise refused(FaultKind.TARGET_REFUSED, f"{person} has no account on this platform")
            if private:
                return {"recipient": person.id}, "direct", f"@{person.id}"
        case Timeline():
            pass
    if settings.announce_to is None:
        cure = 'public posts need a channel: set announce_to = "<channel id>" for this account'
        raise refused(FaultKind.CONFIG, cure)
    return {"channel": settings.announce_to}, "post", settings.announce_to


def _called(draft: Draft) -> tuple[Paragraph, ...]:
    """A post to a person begins with their name."""
    if isinstance(draft.target, ToPerson) and not draft.target.private:
        person = draft.target.identity
        return ((Mention(PLATFORM, person.id, person.handle, person.name),),)
    return ()


def _own_words(piece: Document, called: tuple[Paragraph, ...]) -> Document:
    """The slice of the draft, without the name that was put in front."""
    if called and piece.paragraphs[: len(called)] == called:
        return structs.replace(piece, paragraphs=piece.paragraphs[len(called) :])
    return piece


def _answering(ref: MessageRef, channel: str) -> dict[str, Any]:
    """A reply's reference. Discord knows none across channels: there the text stands alone."""
    answered_channel, message = located(ref)
    return {"message_reference": {"message_id": str(message)}} if str(answered_channel) == channel else {}


def following(previous: MessageRef) -> dict[str, Any]:
    """What ties a continuation to the message before it, should that still be there."""
    _, message = located(previous)
    return {"message_reference": {"message_id": str(message), "fail_if_not_exists": False}}


# For people.


def preview(part: Part) -> Shown:
    """How a part will look, in Discord's own markup."""
    payload = part.body["payload"]
    text = payload["content"] or payload.get("poll", {}).get("question", {}).get("text", "")
    described = [one["description"] for one in payload.get("attachments", ())]
    media = tuple(
        f"{one['mime']} {one['name']}: {alt or 'no alt text'}"
        for one, alt in zip(part.body.get("media", ()), described, strict=True)
    )
    limit = TEXT_MAX if payload["content"] or "poll" not in payload else POLL_QUESTION_MAX
    return Shown(text, len(text), limit, "code points", media, tuple(_poll_lines(payload.get("poll"))))


def _poll_lines(poll: dict[str, Any] | None) -> list[str]:
    if poll is None:
        return []
    answers = (one["poll_media"]["text"] for one in poll["answers"])
    return [poll_line(answers, poll["duration"] * _HOUR_S, multiple=poll["allow_multiselect"])]

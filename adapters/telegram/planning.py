"""Drafts to Bot API calls. Pure. Apart from translate.py because both together would be one long module.

A part's body is the method's parameters, with the method's name; ``files`` stand for their bytes, which the adapter
fetches when it sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import structs

from adapters.telegram import uploads
from adapters.telegram.entities import PLATFORM, Words, bare, keeps_all, render
from adapters.telegram.profile import CAPTION_MAX, POLL_LONGEST_S, POLL_SHORTEST_S, QUESTION_MAX, TEXT_MAX, UPLOAD_BYTES
from gateway.model.content import Document, Link, Media, Poll
from gateway.model.delivery import Draft, FaultKind, InConversation, Part, Timeline, refused
from gateway.model.ids import MessageRef
from gateway.text.split import Slice, slices, split


class _Step(NamedTuple):
    body: dict[str, Any]
    slice: Document
    number: str = ""


class _Place(NamedTuple):
    chat: str | int
    topic: int | None
    kind: str
    answers: int | None


def plan(draft: Draft, announce_to: str | int | None) -> tuple[Part, ...]:
    """The calls that say a draft. The first one answers what the draft answers or quotes."""
    place = _where(draft, announce_to)
    content, place = _quoting(draft.document, place)
    quote, content = content.quote, structs.replace(content, quote=None)
    steps = list(_steps(content, numbered=draft.numbered))
    steps[0] = steps[0]._replace(slice=structs.replace(steps[0].slice, quote=quote))
    return tuple(
        Part(
            index=index,
            kind=place.kind,
            key=f"{draft.id}.{index}",
            body={**_addressed(place, index), **step.body},
            conversation=str(place.chat),
            rest=step.slice if len(steps) > 1 or step.slice != draft.document else None,
            number=step.number,
        )
        for index, step in enumerate(steps)
    )


# Where.


def _addressed(place: _Place, index: int) -> dict[str, Any]:
    body: dict[str, Any] = {"chat_id": place.chat}
    if place.topic is not None:
        body["message_thread_id"] = place.topic
    if place.answers is not None and index == 0:
        body["reply_parameters"] = answering(place.answers)
    return body


def answering(message_id: int) -> dict[str, Any]:
    """What makes a message an answer; it is sent all the same when the other is gone."""
    return {"message_id": message_id, "allow_sending_without_reply": True}


def _where(draft: Draft, announce_to: str | int | None) -> _Place:
    target = draft.target
    if isinstance(target, Timeline):
        answers = message_of(draft.in_reply_to)[1] if draft.in_reply_to else None
        return _Place(_channel(announce_to), None, "post", answers)
    if isinstance(target, InConversation):
        return _in_conversation(target, draft.in_reply_to)
    if not target.private:
        raise refused(
            FaultKind.TARGET_REFUSED, "a bot has no public place to call somebody; write to a group or in private"
        )
    if target.identity.platform != PLATFORM or not target.identity.id.isdecimal():
        raise refused(FaultKind.TARGET_REFUSED, f"{target.identity} has no private chat with the bot")
    return _Place(int(target.identity.id), None, "direct", None)


def _channel(announce_to: str | int | None) -> str | int:
    if announce_to is None:
        raise refused(
            FaultKind.CONFIG, "the account has no timeline: set announce_to to a channel (@name) or a chat's id"
        )
    return announce_to


def _in_conversation(target: InConversation, answered: MessageRef | None) -> _Place:
    chat, topic = conversation_of(target.conversation)
    if target.private and chat < 0:
        raise refused(FaultKind.TARGET_REFUSED, f"{target.conversation} is a group, and this is private")
    same_chat = answered is not None and message_of(answered)[0] == chat
    answers = message_of(answered)[1] if answered is not None and same_chat else None
    return _Place(chat, topic, "direct" if chat > 0 else "reply", answers)


def conversation_of(conversation: str) -> tuple[int, int | None]:
    """A conversation's chat and topic."""
    chat, _, topic = conversation.partition(":")
    try:
        return int(chat), int(topic) if topic else None
    except ValueError:
        raise refused(FaultKind.INVALID, f"not a conversation: {conversation[:64]}") from None


def messages_of(ref: str) -> tuple[int, tuple[int, ...]]:
    """A message's chat and number; an album has several."""
    conversation, _, numbers = ref.rpartition("/")
    try:
        return conversation_of(conversation)[0], tuple(map(int, numbers.split(",")))
    except ValueError:
        raise refused(FaultKind.INVALID, f"not a message: {ref[:64]}") from None


def message_of(ref: str) -> tuple[int, int]:
    """A message's chat and number; of an album, the first one's."""
    chat, numbers = messages_of(ref)
    return chat, numbers[0]


# What is quoted.


def _quoting(content: Document, place: _Place) -> tuple[Document, _Place]:
    """A message of the same chat is answered. One from elsewhere, or beside an answer, is linked to: Telegram shows
    what is behind its own links.
    """
    quote = content.quote
    if quote is None:
        return content, place
    chat, number = message_of(quote.ref or "")
    here = place.chat == chat or _is_in(quote.url, place.chat)
    if here and place.answers in (None, number):
        return content, place._replace(answers=number)
    if address := quote.url or _address(chat, number):
        return structs.replace(content, quote=None, paragraphs=(*content.paragraphs, (Link(address),))), place
    if here:
        return content, place._replace(answers=number)
    raise refused(FaultKind.INVALID, "a message of another private chat can't be shown here")


def _is_in(url: str, chat: str | int) -> bool:
    """Whether a message's address is one of this channel, which is known by its name alone."""
    return isinstance(chat, str) and url.casefold().startswith(f"https://t.me/{chat.removeprefix('@')}/".casefold())


def _address(chat: int, number: int) -> str:
    """Where members of a group or channel find a message."""
    return f"https://t.me/c/{-chat - 10**12}/{number}" if chat < -(10**12) else ""


# What is said.


def _steps(content: Document, *, numbered: bool) -> Iterator[_Step]:
    if content.is_empty:
        raise refused(FaultKind.INVALID, "there is nothing to say")
    _check_media(content.media)
    content, question = _asked(content)
    poll, content = content.poll, structs.replace(content, poll=None)
    if not content.is_empty:
        for part in _pieces(content, numbered=numbered):
            yield from _said(part)
    if poll is not None:
        yield _Step(_poll(poll, bare(question)), structs.replace(question, poll=poll))


def _pieces(content: Document, *, numbered: bool) -> tuple[Slice, ...]:
    try:
        return slices(content, _fits, about=TEXT_MAX, numbered=numbered)
    except ValueError as error:
        raise refused(FaultKind.TOO_LONG, str(error)) from error


def _fits(piece: Document) -> bool:
    """What would fit spelled out fits with entities, and most messages do."""
    return keeps_all(piece) and (len(bare(piece)) <= TEXT_MAX or len(render(piece).text) <= TEXT_MAX)


def _said(part: Slice) -> Iterator[_Step]:
    """Media, with the words below where a caption has room for them; longer words come in a message after them."""
    said, shown, its_number = part
    words = render(shown)
    captioned = bool(shown.media) and len(words.text) <= CAPTION_MAX
    for number, album in enumerate(uploads.albums(shown.media)):
        caption = words if captioned and number == 0 else Words("", [])
        body = uploads.body(album, sensitive=shown.sensitive) | _caption(caption)
        paragraphs = said.paragraphs if caption.text else ()
        yield _Step(body, structs.replace(said, paragraphs=paragraphs, media=album), its_number if paragraphs else "")
    if words.text.strip() and not captioned:
        yield _Step(_message(words, veiled=shown.sensitive), structs.replace(said, media=()), its_number)


def _message(words: Words, *, veiled: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"method": "sendMessage", "text": words.text}
    if words.entities:
        body["entities"] = words.entities
    if veiled:
        body["link_preview_options"] = {"is_disabled": True}
    return body


def _caption(words: Words) -> dict[str, Any]:
    body: dict[str, Any] = {"caption": words.text} if words.text else {}
    return body | ({"caption_entities": words.entities} if words.entities else {})


def _check_media(media: tuple[Media, ...]) -> None:
    for one in media:
        if not one.size_bytes <= UPLOAD_BYTES:
            raise refused(FaultKind.MEDIA, f"a file of {one.size_bytes} bytes; {UPLOAD_BYTES} is the most")


# Polls.


def _asked(content: Document) -> tuple[Document, Document]:
    """What goes before a poll, and its question: all of a short text, else its last words."""
    nothing = Document(language=content.language)
    if content.poll is None:
        return content, nothing
    question = structs.replace(nothing, paragraphs=content.paragraphs)
    before: Document = nothing
    if not _asks(question):
        before, question = _parted(question)
    if not bare(question).strip():
        raise refused(FaultKind.INVALID, "a poll without a question")
    return structs.replace(content, paragraphs=before.paragraphs), question


def _asks(question: Document) -> bool:
    return len(bare(question)) <= QUESTION_MAX


def _parted(content: Document) -> tuple[Document, Document]:
    """The last paragraph by itself, or its end where it is too long."""
    *others, last = content.paragraphs
    try:
        *begun, question = split(structs.replace(content, paragraphs=(last,)), _asks)
    except ValueError as error:
        raise refused(FaultKind.TOO_LONG, f"a poll's question: {error}") from error
    before = (*others, *(paragraph for piece in begun for paragraph in piece.paragraphs))
    return structs.replace(content, paragraphs=before), question


def _poll(poll: Poll, question: str) -> dict[str, Any]:
    return {
        "method": "sendPoll",
        "question": question,
        "options": [{"text": option} for option in poll.options],
        "allows_multiple_answers": poll.multiple,
        "open_period": round(min(max(poll.open_for_s, POLL_SHORTEST_S), POLL_LONGEST_S)),
    }


# Edits.


STAYS = (
    "Telegram changes no poll, makes no message one, takes no media from a message, keeps an album's number and kind,"
    " and what a message answers: delete it and post anew"
    ' (posting.correction = "repost" does so)'
)


def stays(before: Document, after: Document) -> str:
    """Why an edit can't make the one message of the other."""
    kept = before.poll is after.poll is None and before.quote == after.quote
    return "" if kept and uploads.may_become(before.media, after.media) else STAYS


def edited(content: Document, most: int = TEXT_MAX) -> Words:
    """The new words of a message. Raises TOO_LONG or INVALID, and TARGET_REFUSED of a poll."""
    if content.poll is not None:
        raise refused(FaultKind.TARGET_REFUSED, STAYS)
    words = render(content)
    if not words.text.strip() and not content.media:
        raise refused(FaultKind.INVALID, "there is nothing to say")
    if len(words.text) > most:
        raise refused(FaultKind.TOO_LONG, f"{len(words.text)} characters; the message holds {most}")
    return words

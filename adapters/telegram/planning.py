"""Drafts to Bot API calls. Pure. Apart from translate.py because both together would be one long module.

A part's body is the method's parameters, with the method's name; ``media`` stands for the picture's bytes, which the
adapter fetches when it sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from adapters.telegram.entities import PLATFORM, Words, render
from adapters.telegram.profile import CAPTION_MAX, PROFILE, TEXT_MAX
from gateway.model.content import Document, Media
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, InConversation, Part, Timeline
from gateway.model.ids import MessageRef
from gateway.text.split import split


class _Step(NamedTuple):
    method: str
    body: dict[str, Any]
    slice: Document


class _Place(NamedTuple):
    chat: str | int
    topic: int | None
    kind: str
    answers: int | None


def plan(draft: Draft, announce_to: str | int | None) -> tuple[Part, ...]:
    """The calls that say a draft. The first one answers what the draft answers."""
    place = _where(draft, announce_to)
    steps = list(_steps(draft.document))
    return tuple(
        Part(
            index=index,
            kind=place.kind,
            key=f"{draft.id}.{index}",
            body={"method": step.method, **_addressed(place, index), **step.body},
            conversation=str(place.chat),
            rest=step.slice if len(steps) > 1 else None,
        )
        for index, step in enumerate(steps)
    )


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
        return _Place(_channel(announce_to), None, "post", None)
    if isinstance(target, InConversation):
        return _in_conversation(target, draft.in_reply_to)
    if not target.private:
        raise _no(
            FaultKind.TARGET_REFUSED, "a bot has no public place to call somebody; write to a group or in private"
        )
    if target.identity.platform != PLATFORM or not target.identity.id.isdecimal():
        raise _no(FaultKind.TARGET_REFUSED, f"{target.identity} has no private chat with the bot")
    return _Place(int(target.identity.id), None, "direct", None)


def _channel(announce_to: str | int | None) -> str | int:
    if announce_to is None:
        raise _no(FaultKind.CONFIG, "the account has no timeline: set announce_to to a channel (@name) or a chat's id")
    return announce_to


def _in_conversation(target: InConversation, answered: MessageRef | None) -> _Place:
    chat, topic = conversation_of(target.conversation)
    if target.private and chat < 0:
        raise _no(FaultKind.TARGET_REFUSED, f"{target.conversation} is a group, and this is private")
    same_chat = answered is not None and message_of(answered)[0] == chat
    answers = message_of(answered)[1] if answered is not None and same_chat else None
    return _Place(chat, topic, "direct" if chat > 0 else "reply", answers)


def conversation_of(conversation: str) -> tuple[int, int | None]:
    """A conversation's chat and topic."""
    chat, _, topic = conversation.partition(":")
    try:
        return int(chat), int(topic) if topic else None
    except ValueError:
        raise _no(FaultKind.INVALID, f"not a conversation: {conversation[:64]}") from None


def message_of(ref: str) -> tuple[int, int]:
    """A message's chat and number."""
    conversation, _, number = ref.rpartition("/")
    try:
        return conversation_of(conversation)[0], int(number)
    except ValueError:
        raise _no(FaultKind.INVALID, f"not a message: {ref[:64]}") from None


def _steps(content: Document) -> Iterator[_Step]:
    if content.is_empty:
        raise _no(FaultKind.INVALID, "there is nothing to say")
    _check_media(content.media)
    text = Document(content.paragraphs, (), content.language)
    words = render(text)
    captioned = bool(content.media) and len(words.text) <= CAPTION_MAX
    for number, media in enumerate(content.media):
        says = text if captioned and number == 0 else Document(language=content.language)
        yield _Step("sendPhoto", _photo(media, render(says)), Document(says.paragraphs, (media,), content.language))
    if words.text.strip() and not captioned:
        yield from (_Step("sendMessage", _message(render(piece)), piece) for piece in _pieces(text))


def _pieces(text: Document) -> tuple[Document, ...]:
    try:
        return split(text, lambda piece: len(render(piece).text) <= TEXT_MAX)
    except ValueError as error:
        raise _no(FaultKind.TOO_LONG, str(error)) from error


def _message(words: Words) -> dict[str, Any]:
    return {"text": words.text, "entities": words.entities} if words.entities else {"text": words.text}


def _photo(media: Media, words: Words) -> dict[str, Any]:
    body: dict[str, Any] = {"media": media.sha256, "mime": media.mime}
    if words.text:
        body["caption"] = words.text
    if words.entities:
        body["caption_entities"] = words.entities
    return body


def _check_media(media: tuple[Media, ...]) -> None:
    limits = PROFILE.limits
    if len(media) > limits.images_max:
        raise _no(FaultKind.MEDIA, f"more than {limits.images_max} pictures")
    for picture in media:
        if picture.mime not in limits.image_mimes:
            raise _no(FaultKind.MEDIA, f"{picture.mime} is no picture here; there are {', '.join(limits.image_mimes)}")
        if picture.size_bytes > limits.image_size_bytes:
            raise _no(
                FaultKind.MEDIA, f"a picture of {picture.size_bytes} bytes; {limits.image_size_bytes} is the most"
            )


def edited(content: Document) -> Words:
    """The new words of a message. Raises TOO_LONG or INVALID."""
    words = render(content)
    if not words.text.strip():
        raise _no(FaultKind.INVALID, "there is nothing to say")
    if len(words.text) > TEXT_MAX:
        raise _no(FaultKind.TOO_LONG, f"{len(words.text)} characters; a message holds {TEXT_MAX}")
    return words


def _no(kind: FaultKind, evidence: str) -> FaultError:
    return FaultError(Fault(kind, True, evidence))

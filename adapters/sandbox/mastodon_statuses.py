"""What a Mastodon instance does with a status: kept, changed, deleted, and told to whom it concerns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adapters.sandbox.mastodon_entities import Entities, stamp
from adapters.sandbox.mastodon_rules import Written, begun
from adapters.sandbox.mastodon_stream import Streams
from adapters.sandbox.world import Member, Message, Network, utc_now


class Statuses:
    """``notes`` are the notifications of each account, oldest first."""

    def __init__(
        self,
        network: Network,
        entities: Entities,
        streams: Streams,
        notes: dict[str, list[dict[str, Any]]],
        new_id: Callable[[], str],
    ) -> None:
        self._network = network
        self._entities = entities
        self._streams = streams
        self._notes = notes
        self._new_id = new_id

    def publish(
        self,
        author: Member,
        said: Written,
        *,
        kind: str,
        key: str | None = None,
        media: Sequence[dict[str, Any]] = (),
    ) -> Message:
        mentioned = self._entities.mentioned(said.text)
        said = said._replace(visibility=self._narrowed(said))
        message = Message(
            self._new_id(),
            author.id,
            said.text,
            utc_now(),
            kind=kind,
            conversation=self._root(said.parent),
            private=said.visibility in ("direct", "private"),
            in_reply_to=said.parent,
            key=key,
            media=list(media),
            extra={"visibility": said.visibility, "mentions": [m.id for m in mentioned]},
        )
        self._set(message, said)
        message.extra["quoted"] = said.quoted if self._entities.quotes else None
        message.conversation = message.conversation or message.id
        author.extra["statuses"] = author.extra.get("statuses", 0) + 1
        self._network.add(message)
        self._spread(author, mentioned, message)
        return message

    def _narrowed(self, said: Written) -> str:
        """Words for followers are quoted for followers."""
        quoted = self._network.messages.get(said.quoted or "") if self._entities.quotes else None
        narrow = quoted is not None and quoted.private and said.visibility in ("public", "unlisted")
        return "private" if narrow else said.visibility

    def _set(self, message: Message, said: Written) -> None:
        """What an edit may change besides the words."""
        message.extra |= {"spoiler_text": said.spoiler, "sensitive": said.sensitive, "poll": begun(said.poll)}
        message.extra["language"] = said.language or message.extra.get("language")
        for file in message.media:
            file["status"] = message.id

    def _root(self, parent: str | None) -> str:
        found = self._network.messages.get(parent or "")
        if found is None:
            return ""
        found.extra["replies"] = found.extra.get("replies", 0) + 1
        return found.conversation

    def _spread(self, author: Member, mentioned: list[Member], message: Message) -> None:
        if author.is_bot:
            self._streams.push(author, "update", self._entities.status(message, author))
        for member in mentioned:
            if member.id != author.id:
                self.notify(member, "mention", author, message)
        quoted = self._network.messages.get(message.extra["quoted"] or "")
        if quoted and quoted.author != author.id:
            self.notify(self._network.members[quoted.author], "quote", author, message)

    def notify(self, member: Member, kind: str, who: Member, message: Message) -> None:
        if not member.is_bot:
            return
        note = {"id": self._new_id(), "type": kind, "from": who.id, "status": message.id, "at": utc_now()}
        note["filtered"] = kind == "mention" and self._is_unasked(message, member)
        self._notes.setdefault(member.id, []).append(note)
        if not note["filtered"]:
            self._streams.push(member, "notification", self._entities.notification(note, member))

    def _is_unasked(self, message: Message, member: Member) -> bool:
        """Whether it is private and answers nothing private of the member's to its author: that waits among the
        requests, and no stream tells of it (masto notify_service.rb, notification_policy.rb).
        """
        if message.extra["visibility"] != "direct":
            return False
        above = self._network.messages.get(message.in_reply_to or "")
        while above and not (above.author == member.id and message.author in above.extra["mentions"]):
            above = self._network.messages.get(above.in_reply_to or "")
        return above is None or above.extra["visibility"] != "direct"

    def _concerned(self, message: Message) -> list[Member]:
        ids = {message.author, *message.extra["mentions"]}
        return [member for member in self._network.members.values() if member.id in ids and member.is_bot]

    def become(self, message: Message, said: Written, files: list[dict[str, Any]]) -> None:
        """An edit that names no media takes them off: the server sees the list as emptied. So with the poll. One that
        changes nothing is none: masto update_status_service.rb.
        """
        before = (message.text, message.media, _told(message))
        for file in message.media:
            file["status"] = None
        message.media = files
        message.extra["mentions"] = [m.id for m in self._entities.mentioned(said.text)]
        self._set(message, said)
        if before != (said.text, files, _told(message)):
            self.change(message, said.text)

    def change(self, message: Message, text: str) -> None:
        self._network.edit(message, text)
        message.extra["edited_at"] = stamp(utc_now())
        for member in self._concerned(message):
            self._streams.push(member, "status.update", self._entities.status(message, member))

    def remove(self, message: Message) -> None:
        self._network.delete(message)
        for member in self._concerned(message):
            self._streams.push(member, "delete", message.id)


def _told(message: Message) -> tuple[Any, ...]:
    return tuple(message.extra[name] for name in ("spoiler_text", "sensitive", "poll", "language"))

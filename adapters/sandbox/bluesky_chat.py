"""The chat service of Bluesky: conversations of two, each member's log. For adapters/sandbox/bluesky.py."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from adapters.sandbox.bluesky_bodies import stamp
from adapters.sandbox.bluesky_lexicon import RefusedError
from adapters.sandbox.bluesky_repo import next_tid
from adapters.sandbox.world import Member, Message, Network, utc_now

_DEFS = "chat.bsky.convo.defs"


@dataclass
class Convo:
    id: str
    members: tuple[Member, ...]
    messages: list[Message] = field(default_factory=list)


class Chat:
    """Who talks with whom. The messages themselves are the network's."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._convos: dict[str, Convo] = {}
        self._logs: dict[str, list[dict[str, Any]]] = {}

    def between(self, *members: Member) -> Convo:
        """Their conversation, made when there is none."""
        ids = " ".join(sorted({member.id for member in members}))
        convo_id = hashlib.sha256(ids.encode()).hexdigest()[:22]
        return self._convos.setdefault(convo_id, Convo(convo_id, tuple({m.id: m for m in members}.values())))

    def leave(self, member: Member, convo_id: str) -> None:
        """What was said stays in the member's log."""
        convo = self.find(member, convo_id)
        convo.members = tuple(one for one in convo.members if one is not member)

    def find(self, member: Member, convo_id: object) -> Convo:
        convo = self._convos.get(str(convo_id))
        if convo is None or member not in convo.members:
            raise RefusedError("InvalidConvo", "Convo not found")
        return convo

    def of(self, member: Member) -> list[Convo]:
        return [convo for convo in self._convos.values() if member in convo.members]

    def say(
        self,
        author: Member,
        convo: Convo,
        text: str,
        facets: list[Any] | None = None,
        embed: dict[str, Any] | None = None,
    ) -> Message:
        message = Message(
            id=next_tid(),
            author=author.id,
            text=text,
            at=utc_now(),
            kind="direct",
            conversation=convo.id,
            private=True,
            extra={"facets": facets, "embed": embed},
        )
        convo.messages.append(self._network.add(message))
        self._tell(convo, "logCreateMessage", message)
        return message

    def react(self, member: Member, message: Message, value: str) -> None:
        self._network.react(message, member, value)
        reaction = {"value": value, "sender": {"did": member.id}, "createdAt": stamp(utc_now())}
        self._tell(self._convos[message.conversation], "logAddReaction", message, reaction=reaction)

    def _tell(self, convo: Convo, kind: str, message: Message, **more: Any) -> None:
        """Each member's log has it, the author's own too."""
        entry = {"$type": f"{_DEFS}#{kind}", "rev": next_tid(), "convoId": convo.id, "message": self.view(message)}
        for member in convo.members:
            self._logs.setdefault(member.id, []).append({**entry, **more})

    def forget(self, gone: set[str]) -> None:
        """These messages are no more."""
        for convo in self._convos.values():
            convo.messages = [message for message in convo.messages if message.id not in gone]
        for member, entries in self._logs.items():
            self._logs[member] = [entry for entry in entries if entry["message"]["id"] not in gone]

    def log(self, member: Member, cursor: str | None, limit: int = 100) -> dict[str, Any]:
        """What came after the cursor; without one, nothing but where the log stands."""
        entries = self._logs.get(member.id, [])
        latest = entries[-1]["rev"] if entries else "2222222222222"
        if not cursor:
            return {"cursor": latest, "logs": []}
        after = [entry for entry in entries if entry["rev"] > cursor][:limit]
        return {"cursor": after[-1]["rev"] if after else cursor, "logs": after}

    def history(self, convo: Convo, cursor: str | None, limit: int) -> dict[str, Any]:
        """Newest first; the cursor goes back."""
        older = [m for m in reversed(convo.messages) if not cursor or m.id < cursor][:limit]
        answer: dict[str, Any] = {"messages": [self.view(message) for message in older]}
        return {**answer, "cursor": older[-1].id} if len(older) == limit else answer

    def view(self, message: Message) -> dict[str, Any]:
        view: dict[str, Any] = {
            "$type": f"{_DEFS}#messageView",
            "id": message.id,
            "rev": message.id,
            "text": message.text,
            "sender": {"did": message.author},
            "sentAt": stamp(message.at),
        }
        return view | {name: told for name, told in message.extra.items() if told}

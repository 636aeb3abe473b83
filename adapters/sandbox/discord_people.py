"""What people do on Discord, and who gets to see it."""

from __future__ import annotations

from typing import Any

from adapters.sandbox import discord_bodies as bodies
from adapters.sandbox import discord_gateway as gateway
from adapters.sandbox.face import Face
from adapters.sandbox.faults import Faults
from adapters.sandbox.world import Member, Message, Network, utc_now


class People(Face):
    """The half of the face that writes: channels, people, and the events that bots hear of both."""

    gateway: gateway.Gateway

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network, faults)
        self.ids = bodies.Snowflakes()
        self.guild = self.ids.next()
        self.channels: dict[str, dict[str, Any]] = {}
        self._directs: dict[tuple[str, str], str] = {}
        self.general = self.open_channel("general")
        self.announcements = self.open_channel("announcements")

    # Channels.

    def open_channel(self, name: str) -> str:
        """One more public channel of the guild; returns its id."""
        channel = self.ids.next()
        self.channels[channel] = {"id": channel, "type": 0, "name": name, "guild_id": self.guild}
        return channel

    def direct_channel(self, bot: Member, person: Member) -> str:
        known = self._directs.get((bot.id, person.id))
        if known is None:
            known = self._directs[bot.id, person.id] = self.ids.next()
            self.channels[known] = {"id": known, "type": 1, "bot": bot.id, "person": person.id}
        return known

    def is_direct(self, channel: str) -> bool:
        return self.channels.get(channel, {}).get("type") == 1

    def sees(self, member: Member, channel: str) -> bool:
        return self.channels[channel].get("bot") in (None, member.id)

    def held_in(self, channel: str) -> list[Message]:
        return [m for m in self.network.messages.values() if m.conversation == channel and not m.deleted]

    def in_channel(self, channel: str, message_id: str) -> Message | None:
        message = self.network.messages.get(message_id)
        return message if message and message.conversation == channel and not message.deleted else None

    def channel_object(self, channel: str) -> dict[str, Any]:
        kept = self.channels[channel]
        last = max((int(m.id) for m in self.network.messages.values() if m.conversation == channel), default=None)
        shown: dict[str, Any] = {"id": channel, "type": kept["type"], "last_message_id": str(last) if last else None}
        if kept["type"] == 1:
            return shown | {"recipients": [bodies.user(self.network.members[kept["person"]])]}
        about = {"name": kept["name"], "guild_id": self.guild, "position": 0, "permission_overwrites": []}
        return shown | about | {"topic": None, "nsfw": False, "rate_limit_per_user": 0, "parent_id": None, "flags": 0}

    def public_channels(self) -> list[dict[str, Any]]:
        return [self.channel_object(c) for c, kept in self.channels.items() if kept["type"] == 0]

    def message_object(self, message: Message) -> dict[str, Any]:
        members = self.network.members
        target = self.network.messages.get(message.in_reply_to or "")
        named = bodies.mentioned(message.text) + message.extra.get("pings", [])
        mentions = [members[i] for i in dict.fromkeys(named) if i in members]
        referenced = None if target is None or target.deleted else self.message_object(target)
        if referenced is not None:
            referenced.pop("referenced_message", None)
        return bodies.message(message, members[message.author], mentions, referenced=referenced)

    # People.

    def person(self, handle: str) -> Member:
        found = self.network.member(handle)
        return found or self.network.join(Member(self.ids.next(), handle, handle.title()))

    def say(self, person: str, kind: str, text: str, **options: Any) -> Message:
        author, bot = self.person(person), self._bot(options.get("account", "agent"))
        target = self.network.messages[options["to"]] if options.get("to") else None
        if kind not in ("mention", "reply", "group", "direct", "post"):
            raise ValueError(f"nobody says {kind!r} here")
        if kind == "reply" and target is None:
            raise ValueError("a reply needs `to`")
        if target is not None:
            channel = target.conversation
        else:
            channel = self.direct_channel(bot, author) if kind == "direct" else options.get("channel", self.general)
        message = Message(
            self.ids.next(),
            author.id,
            f"<@{bot.id}> {text}" if kind == "mention" else text,
            utc_now(),
            kind,
            channel,
            private=self.is_direct(channel),
            in_reply_to=target.id if target else None,
            media=[{"mime": "image/png", "size_bytes": 68, "alt": "a picture"}] if options.get("image") else [],
            extra={"pings": [target.author] if target else [], "attachments": _picture(options.get("image"), self.url)},
        )
        self.publish(self.network.add(message))
        return message

    def _bot(self, handle: str) -> Member:
        self.account(handle)
        found = self.network.member(handle)
        assert found is not None  # noqa: S101 - account() has just made it
        return found

    def person_edits(self, message_id: str, text: str) -> None:
        self.change(self.network.messages[message_id], text)

    def person_deletes(self, message_id: str) -> None:
        self.remove(self.network.messages[message_id])

    def person_reacts(self, person: str, message_id: str, reaction: str) -> None:
        self.react(self.network.messages[message_id], self.person(person), reaction)

    def person_joins(self, person: str) -> Member:
        """Somebody enters the guild."""
        member = self.person(person)
        data = bodies.joined(member) | {"user": bodies.user(member), "guild_id": self.guild}
        for bot in self._bots():
            self.gateway.publish(bot, gateway.GUILD_MEMBERS, "GUILD_MEMBER_ADD", data)
        return member

    def person_leaves(self, person: str) -> None:
        data = {"user": bodies.user(self.person(person)), "guild_id": self.guild}
        for bot in self._bots():
            self.gateway.publish(bot, gateway.GUILD_MEMBERS, "GUILD_MEMBER_REMOVE", data)

    def pinged(self, payload: dict[str, Any], target: Message | None) -> list[str]:
        """Whom a bot's message calls, after ``allowed_mentions``."""
        named = bodies.mentioned(str(payload.get("content") or ""))
        allowed = payload.get("allowed_mentions")
        replied = [target.author] if target else []
        if allowed is None:
            return list(dict.fromkeys(named + replied))
        everybody = "users" in allowed.get("parse", [])
        called = [i for i in named if everybody or i in [str(u) for u in allowed.get("users", [])]]
        return list(dict.fromkeys(called + (replied if allowed.get("replied_user") else [])))

    # What bots hear of it.

    def publish(self, message: Message) -> None:
        data = self.message_object(message)
        if message.key:
            data["nonce"] = message.key
        author = self.network.members[message.author]
        self._tell(message, "MESSAGE_CREATE", data | {"member": bodies.joined(author)})

    def change(self, message: Message, text: str) -> None:
        message.extra["edited"] = bodies.stamp(utc_now())
        self.network.edit(message, text)
        self._tell(message, "MESSAGE_UPDATE", self.message_object(message))

    def remove(self, message: Message) -> None:
        self.network.delete(message)
        self._tell(message, "MESSAGE_DELETE", {"id": message.id, "channel_id": message.conversation})

    def react(self, message: Message, member: Member, reaction: str) -> None:
        self.network.react(message, member, reaction)
        data = {
            "user_id": member.id,
            "channel_id": message.conversation,
            "message_id": message.id,
            "message_author_id": message.author,
            "emoji": {"id": None, "name": reaction},
            "burst": False,
            "type": 0,
        }
        shown = {"member": bodies.joined(member) | {"user": bodies.user(member)}}
        self._tell(message, "MESSAGE_REACTION_ADD", data if message.private else data | shown)

    def _bots(self) -> list[Member]:
        return [member for member in self.network.members.values() if member.is_bot]

    def _tell(self, message: Message, event: str, data: dict[str, Any]) -> None:
        reacted = event == "MESSAGE_REACTION_ADD"
        if message.private:
            data.pop("member", None)
            intent = gateway.DIRECT_REACTIONS if reacted else gateway.DIRECT_MESSAGES
        else:
            data = data | {"guild_id": self.guild}
            intent = gateway.GUILD_REACTIONS if reacted else gateway.GUILD_MESSAGES
        for bot in self._bots():
            if self.sees(bot, message.conversation):
                self.gateway.publish(bot, intent, event, data)


def _picture(wanted: Any, server: str) -> list[dict[str, Any]]:
    if not wanted:
        return []
    about = {"filename": "picture.png", "size": 68, "content_type": "image/png", "description": "a picture"}
    return [{"id": "0", "url": f"{server}/attachments/picture.png", "proxy_url": "", "width": 1, "height": 1} | about]

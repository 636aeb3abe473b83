"""What people do on Discord, and who gets to see it."""

from __future__ import annotations

import re
from typing import Any

from adapters.sandbox import discord_bodies as bodies
from adapters.sandbox import discord_gateway as gateway
from adapters.sandbox.discord_files import PICTURE, Files
from adapters.sandbox.discord_forms import opened, question
from adapters.sandbox.face import Face
from adapters.sandbox.faults import Faults
from adapters.sandbox.world import Member, Message, Network, utc_now

TEXT, DIRECT, PUBLIC_THREAD, PRIVATE_THREAD, FORUM = 0, 1, 11, 12, 15
"""Types of channels: resources/channel."""
CALLED = {
    "users": bodies.MENTION,
    "roles": re.compile(r"<@&(\d+)>"),
    "everyone": re.compile(r"@(everyone|here)\b"),
}
"""What in a text calls somebody, by the names that ``allowed_mentions`` has for it."""


class People(Face):
    """The half of the face that writes: channels, people, and the events that bots hear of both."""

    gateway: gateway.Gateway

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network, faults)
        self.ids = bodies.Snowflakes()
        self.guild = self.ids.next()
        self.files = Files(self.ids)
        self.file_server = ""
        """Where files are said to be, instead of here."""
        self.emoji: dict[str, str] = {}
        """The guild's own, by name: their ids."""
        self.channels: dict[str, dict[str, Any]] = {}
        self._directs: dict[tuple[str, str], str] = {}
        self.general = self.open_channel("general")
        self.announcements = self.open_channel("announcements")

    # Channels.

    def open_channel(self, name: str, kind: int = TEXT) -> str:
        """One more public channel of the guild; returns its id."""
        channel = self.ids.next()
        self.channels[channel] = {"type": kind, "name": name}
        return channel

    def start_thread(self, message_id: str) -> str:
        """A thread from a message, whose id it has, in that message's channel."""
        return self._thread(message_id, self.network.messages[message_id].conversation, PUBLIC_THREAD)

    def start_private_thread(self, channel: str) -> str:
        return self._thread(self.ids.next(), channel, PRIVATE_THREAD)

    def post_in_forum(self, person: str, forum: str, text: str) -> Message:
        """A thread of a forum, and the message that it begins with: both have one id."""
        thread = self._thread(self.ids.next(), forum, PUBLIC_THREAD)
        return self.say(person, "group", text, channel=thread, id=thread)

    def _thread(self, thread: str, parent: str, kind: int) -> str:
        self.channels[thread] = {"type": kind, "name": "a thread", "parent": parent}
        return thread

    def add_emoji(self, name: str) -> str:
        """One of the guild's own; returns its id."""
        self.emoji[name] = self.ids.next()
        return self.emoji[name]

    def emoji_objects(self) -> list[dict[str, Any]]:
        about = {"roles": [], "require_colons": True, "managed": False, "animated": False, "available": True}
        return [{"id": emoji, "name": name} | about for name, emoji in self.emoji.items()]

    def direct_channel(self, bot: Member, person: Member) -> str:
        known = self._directs.get((bot.id, person.id))
        if known is None:
            known = self._directs[bot.id, person.id] = self.ids.next()
            self.channels[known] = {"type": DIRECT, "bot": bot.id, "person": person.id}
        return known

    def is_direct(self, channel: str) -> bool:
        return self.channels.get(channel, {}).get("type") == DIRECT

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
        if kept["type"] == DIRECT:
            return shown | {"recipients": [bodies.user(self.network.members[kept["person"]])]}
        shown |= {"name": kept["name"], "guild_id": self.guild, "parent_id": kept.get("parent"), "flags": 0}
        shown |= {"rate_limit_per_user": 0}
        if "parent" in kept:
            return shown | self._about_thread(channel)
        return shown | {"position": 0, "permission_overwrites": [], "topic": None, "nsfw": False}

    def _about_thread(self, thread: str) -> dict[str, Any]:
        now = bodies.stamp(utc_now())
        archive = {"archived": False, "auto_archive_duration": 1440, "locked": False, "archive_timestamp": now}
        count = len(self.held_in(thread))
        return {"owner_id": self.guild, "message_count": count, "member_count": 1, "thread_metadata": archive}

    def guild_object(self) -> dict[str, Any]:
        """As GUILD_CREATE shows it: what is in it doesn't name it again."""
        of_guild = [channel for channel, kept in self.channels.items() if kept["type"] != DIRECT]
        shown = [self.channel_object(channel) for channel in of_guild]
        for one in shown:
            del one["guild_id"]
        channels = [one for one in shown if not one["parent_id"]]
        threads = [one for one in shown if one["parent_id"]]
        return bodies.guild(self.guild, channels, threads, self.emoji_objects(), self.network.members.values())

    def message_object(self, message: Message) -> dict[str, Any]:
        members = self.network.members
        target = self.network.messages.get(message.in_reply_to or "")
        named = bodies.mentioned(message.text) + message.extra.get("pings", [])
        mentions = [members[i] for i in dict.fromkeys(named) if i in members]
        referenced = None if target is None or target.deleted else self.message_object(target)
        if referenced is not None:
            referenced.pop("referenced_message", None)
        shown = bodies.message(message, members[message.author], mentions, referenced=referenced)
        shown["attachments"] = [self._file(one) for one in message.extra.get("attachments", [])]
        if "parent" in self.channels.get(message.conversation, {}):
            shown["position"] = len([m for m in self.held_in(message.conversation) if int(m.id) < int(message.id)])
        if forwards := message.extra.get("forwards"):
            shown |= self._snapshot(self.network.messages[forwards])
        return shown

    def _file(self, kept: dict[str, Any]) -> dict[str, Any]:
        return self.files.shown(kept, self.file_server or self.url)

    def _snapshot(self, forwarded: Message) -> dict[str, Any]:
        """resources/message: forwards. The author is left out."""
        whole = self.message_object(forwarded)
        names = ("type", "content", "timestamp", "edited_timestamp", "attachments", "embeds", "flags", "mentions")
        where = {"type": 1, "message_id": forwarded.id, "channel_id": forwarded.conversation, "guild_id": self.guild}
        snapshots = [{"message": {name: whole[name] for name in names}}]
        return {"message_reference": where, "message_snapshots": snapshots, "flags": 1 << 14}

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
        files = [self.files.keep(channel, *file) for file in options.get("files", ())]
        if options.get("image"):
            files.append(self.files.keep(channel, "picture.png", PICTURE, alt="a picture") | {"width": 1, "height": 1})
        at = utc_now()
        message = Message(
            options.get("id") or self.ids.next(),
            author.id,
            (f"<@{bot.id}> {text}" if kind == "mention" else text) or question(options.get("poll")),
            at,
            kind,
            channel,
            private=self.is_direct(channel),
            in_reply_to=target.id if target else None,
            media=[told(file) for file in files],
            extra={
                "pings": [target.author] if target else [],
                "attachments": files,
                "poll": opened(options.get("poll"), at),
                "sticker_items": [{"id": "1", "name": name, "format_type": 1} for name in options.get("stickers", ())],
                "forwards": options.get("forwards"),
                "content": f"<@{bot.id}> {text}" if kind == "mention" else text,
            },
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
        """With an emoji, or ``name:id`` for one of the guild's own."""
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
        """Whom a bot's message calls, after ``allowed_mentions``: ids of people and roles, or ``everyone``."""
        text = str(payload.get("content") or "")
        allowed = payload.get("allowed_mentions") or {"parse": list(CALLED), "replied_user": True}
        called = [target.author] if target and allowed.get("replied_user") else []
        for kind, pattern in CALLED.items():
            listed = [str(one) for one in allowed.get(kind, [])]
            called += [one for one in pattern.findall(text) if kind in allowed.get("parse", []) or one in listed]
        return list(dict.fromkeys(called))

    # What bots hear of it.

    def publish(self, message: Message) -> None:
        data = self.message_object(message)
        if message.key:
            data["nonce"] = message.key
        author = self.network.members[message.author]
        self._tell(message, "MESSAGE_CREATE", data | {"member": bodies.joined(author)})

    def change(self, message: Message, text: str) -> None:
        message.extra["content"] = text
        message.extra["edited"] = bodies.stamp(utc_now())
        self.network.edit(message, text)
        self._tell(message, "MESSAGE_UPDATE", self.message_object(message))

    def remove(self, message: Message) -> None:
        self.network.delete(message)
        self._tell(message, "MESSAGE_DELETE", {"id": message.id, "channel_id": message.conversation})

    def react(self, message: Message, member: Member, reaction: str) -> None:
        self.network.react(message, member, reaction)
        name, _, emoji = reaction.partition(":")
        data = {
            "user_id": member.id,
            "channel_id": message.conversation,
            "message_id": message.id,
            "message_author_id": message.author,
            "emoji": {"id": emoji or None, "name": name},
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


def told(file: dict[str, Any]) -> dict[str, Any]:
    """An attachment as the world holds it."""
    return {"mime": file["content_type"], "size_bytes": file["size"], "alt": file.get("description", "")}

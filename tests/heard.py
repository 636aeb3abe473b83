"""What a face of the sandbox holds, as the adapter of its platform hears it from somebody else."""

from __future__ import annotations

from typing import Any

import msgspec

from adapters.bluesky import translate as bluesky
from adapters.discord import translate as discord
from adapters.mastodon import content as mastodon
from adapters.mastodon.entities import Status
from adapters.mastodon.places import Here
from adapters.sandbox import discord_bodies, x_wire
from adapters.sandbox.world import Message
from adapters.telegram import translate as telegram
from adapters.x import translate as x
from gateway.model.content import Document
from gateway.model.events import MessageReceived
from gateway.model.ids import AccountId

BEN = {"id": "42", "username": "ben"}


def heard(face: Any, message: Message) -> Document:
    author = face.network.members[message.author]
    match face.name:
        case "mastodon":
            status = msgspec.convert(face._entities.status(message), Status, strict=False)
            return mastodon.whole(status, Here("1", "other@mastodon.sandbox", "mastodon.sandbox"))
        case "x":
            fields = {"author_id", "created_at", "entities", "note_tweet"}
            post = msgspec.convert(x_wire.post(message, author, None, [], fields), x.Post)
            told = post.note_tweet or post
            return x.read(told.text, told.entities)
        case "discord":
            raw = discord_bodies.message(message, author, []) | {"mentions": [BEN]}
            return discord.document(msgspec.convert(raw, discord.RawMessage))
        case "bluesky":
            record = message.extra["record"]
            return bluesky.read(record["text"], record.get("facets"))
        case _:
            other = telegram.Me(AccountId("telegram/other"), 999, "other_bot")
            events = telegram.parse({"update_id": 1, "channel_post": message.extra["json"]}, other)
            return next((event.document for event in events if isinstance(event, MessageReceived)), Document())

"""Reactions with any emoji: everybody's in the spelling that Discord knows, and a server's own by their names."""

from __future__ import annotations

import re

import discord
import msgspec

from adapters.discord.memory import Memory
from adapters.discord.translate import RawChannel, RawEmoji
from adapters.discord.wire import Rest
from gateway.model.delivery import FaultKind, refused

UNKNOWN_EMOJI = 10014
_OWN = re.compile(r":(\w{1,40}):")
_NAMED = re.compile(r"\w{1,40}:\d{1,20}")
"""One of any server's own, as requests name it (resources/message: create reaction)."""
_VARIATION = "\ufe0f"
"""Asks for the picture of a character that has one; Discord knows some emoji with it, others without."""


class Reactions:
    """One account's."""

    def __init__(self, rest: Rest, memory: Memory) -> None:
        self._rest = rest
        self._memory = memory

    async def add(self, channel: int, message: int, reaction: str) -> None:
        if own := _OWN.fullmatch(reaction):
            await self._rest.add_reaction(channel, message, await self._named(str(channel), own[1]))
            return
        if reaction.isascii() and not _NAMED.fullmatch(reaction):
            raise refused(FaultKind.INVALID, f"{reaction!r} is no emoji")
        try:
            await self._rest.add_reaction(channel, message, reaction)
        except discord.HTTPException as error:
            if error.code != UNKNOWN_EMOJI:
                raise
            await self._rest.add_reaction(channel, message, _respelled(reaction))

    async def _named(self, channel: str, name: str) -> str:
        """As requests name a server's own emoji: the one that others react with there, else the server's."""
        guild = await self._guild(channel)
        if guild and (guild, name) not in self._memory.emoji:
            listed = msgspec.convert(await self._rest.get_all_custom_emojis(int(guild)), list[RawEmoji])
            self._memory.emoji.update({(guild, one.name): one.named for one in listed if one.name and one.id})
        known = self._memory.emoji.get((guild, name))
        if known is None:
            raise refused(FaultKind.INVALID, f"no emoji :{name}: is known here")
        return known

    async def _guild(self, channel: str) -> str | None:
        place = self._memory.places.get(channel)
        if place is not None:
            return place.guild
        return msgspec.convert(await self._rest.get_channel(int(channel)), RawChannel).guild_id


def _respelled(emoji: str) -> str:
    return emoji.replace(_VARIATION, "") if _VARIATION in emoji else emoji + _VARIATION

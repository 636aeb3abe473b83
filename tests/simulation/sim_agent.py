"""The operator's agent, as the configuration names it: it asks the world that is being played what to say."""

from __future__ import annotations

from typing import Any

from sim_people import People

PLAYED: list[People] = []
"""The people of the world that is played now."""


async def reply(message: Any, conversation: Any) -> str | None:
    return await PLAYED[-1].answer(message, conversation)

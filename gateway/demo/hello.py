"""The agent of the demonstration: greets, and takes its time when asked to think."""

from __future__ import annotations

import asyncio
import re

from gateway.agent import Conversation
from gateway.model.events import MessageReceived

THINKING_S = 0.4
_MARK = re.compile(r"#q(\d+)")


async def reply(message: MessageReceived, conversation: Conversation) -> str | None:
    """Answer whoever speaks to us, with the number of their question, so that the networks can be counted."""
    found = _MARK.search(message.text)
    if found is None or not message.addressed:
        return None
    if "think" in message.text:
        await asyncio.sleep(THINKING_S)  # noqa: TID251 - an agent is the operator's code and has its own time
    where = "between us" if conversation.private else "in the open"
    return f"Hello {message.author.name or message.author.handle}, {where}! #r{found[1]}"

"""An agent that gives its answer piece by piece, as a language model would; it needs none.

The pieces are joined into one reply for now. It remembers: the history is the gateway's, not the process's.
"""

from collections.abc import AsyncIterator

from gateway.agent import Conversation
from gateway.model.events import MessageReceived


async def reply(message: MessageReceived, conversation: Conversation) -> AsyncIterator[str]:
    """Say how much was said here, one piece after the other."""
    if not message.addressed:
        return
    turns = await conversation.history(limit=100)
    yield f"You wrote {len(message.text.split())} words"
    yield " between us" if conversation.private else " in the open"
    yield f" on {message.platform}."
    if len(turns) > 1:
        yield f" I remember {len(turns) - 1} messages before it."

"""What an agent likes and shows again on X is there on the network, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

HANDLER = """
async def gestures(message, conversation):
    await conversation.react("🎉")
    await conversation.repost()
    return "thank you"
"""


@pytest.mark.parametrize(("enterprise", "marks"), [(True, {"❤️", "retweet"}), (False, {"retweet"})])
async def test_likes_and_reposts_reach_the_network(
    town: Any, tmp_path: Path, enterprise: bool, marks: set[str]
) -> None:
    """Without the plan that has likes, the rest is done all the same."""
    (tmp_path / "x_gestures.py").write_text(HANDLER)
    async with town("x", handler="x_gestures:gestures", x={"enterprise": enterprise}) as t:
        face = t.sandbox.faces["x"]
        face.enterprise = enterprise
        said = t.says("x", "we did it")
        await t.until(lambda: bool(t.texts("x", "thank you")) and len(said.reactions) == len(marks))
        await t.until_settled()
        agent = face.network.member("agent")
        assert [(mark["member"], mark["reaction"]) for mark in said.reactions if mark["reaction"] in marks] == [
            (agent.id, mark["reaction"]) for mark in said.reactions
        ]
        assert t.texts("x") == ["thank you"]

"""An agent takes back what it said, on the five networks: what people see then, and what the agent is told."""

from __future__ import annotations

from typing import Any

import pytest
from town_rig import CAN_EDIT, NETWORKS

TOLD: list[tuple[str, str]] = []
NAMES: list[str] = []


async def reply(message: Any, conversation: Any) -> str | None:
    """Says, corrects and takes back what it is told to."""
    for doing in ("say", "edit", "delete"):
        _, found, what = message.text.partition(f"{doing} ")
        if found:
            return await done(doing, what, conversation)
    return None


async def done(doing: str, what: str, conversation: Any) -> str | None:
    if doing == "say":
        NAMES.append(conversation.answer_name)
        return what
    changing = conversation.edit(NAMES[-1], what) if doing == "edit" else conversation.delete(NAMES[-1])
    TOLD.extend([(one.word, one.reason) for one in await changing])
    return None


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize(
    ("correction", "texts"),
    [("leave", ["Monday"]), ("reply", ["Monday", "Tuesday"]), ("repost", ["Tuesday"])],
)
@pytest.mark.parametrize("name", NETWORKS)
async def test_an_agent_edits_and_deletes_its_answer(
    town: Any, name: str, correction: str, texts: list[str], *, direct: bool
) -> None:
    kind = "direct" if direct else "group" if name in ("discord", "telegram") else "mention"
    keeps = direct and name == "bluesky"
    """Direct messages there can be hidden from oneself alone."""
    stays = keeps and correction == "repost"
    edited = ["Tuesday"] if name in CAN_EDIT else ["Monday"] if stays else texts
    async with town(name, handler="test_answers:reply", routes=f'[posting]\ncorrection = "{correction}"') as t:
        TOLD.clear()
        t.says(name, "say Monday", kind=kind)
        await t.until(lambda: t.texts(name, "Monday") != [])
        await t.until_settled()
        t.says(name, "edit Tuesday", kind=kind)
        await t.until(lambda: len(TOLD) == 1)
        assert shown(t, name) == edited
        t.says(name, "delete it", kind=kind)
        await t.until(lambda: len(TOLD) == 2)
        assert shown(t, name) == (edited if keeps else [])
    refused = (name not in CAN_EDIT and correction == "leave") or stays, keeps
    assert [word for word, _ in TOLD] == ["refused" if one else "done" for one in refused]
    assert all(("can't be edited" in why or "hidden from oneself" in why) == (word == "refused") for word, why in TOLD)


def shown(t: Any, name: str) -> list[str]:
    """What people read, without the mention that some answers need."""
    return [text.removeprefix("@ana ") for text in t.texts(name)]

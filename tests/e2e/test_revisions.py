"""What stands on all five networks says something else, or goes away: what people see then, and what the operator is
told of each copy.
"""

from __future__ import annotations

from typing import Any

import pytest

from adapters.sandbox.faults import Trouble
from gateway.desk import DeskError

NETWORKS = ("x", "discord", "telegram", "bluesky", "mastodon")
CAN_EDIT = ("discord", "telegram", "mastodon")
STIFF = ("x", "bluesky")
SENTENCES = [f"Sentence {n} of the report says what happened in hour {n} of the long night." for n in range(60)]


def stiff(correction: str) -> dict[str, Any]:
    """X and Bluesky edit nothing; what happens instead."""
    return {name: {"posting": {"correction": correction}} for name in STIFF}


def outcomes(answer: dict[str, Any]) -> dict[str, str]:
    return {row["account"].partition("/")[0]: row["outcome"] for row in answer["copies"]}


@pytest.mark.parametrize(
    ("correction", "outcome", "texts"),
    [
        ("leave", "refused", ["Release 1 is out"]),
        ("reply", "done", ["Release 1 is out", "Release 2 is out"]),
        ("repost", "done", ["Release 2 is out"]),
    ],
)
async def test_an_edit_reaches_every_copy_and_a_deletion_leaves_none(
    town: Any, correction: str, outcome: str, texts: list[str]
) -> None:
    async with town(**stiff(correction)) as t:
        told = await t.gateway.desk.announce("Release 1 is out", key="release-1")
        await t.until_settled()
        answer = await t.gateway.desk.edit("release-1", "Release 2 is out")
        assert outcomes(answer) == {name: "done" if name in CAN_EDIT else outcome for name in NETWORKS}
        shown = {name: ["Release 2 is out"] if name in CAN_EDIT else texts for name in NETWORKS}
        assert {name: t.texts(name) for name in NETWORKS} == shown
        answer = await t.gateway.desk.delete(told["announcement"])
        assert outcomes(answer) == dict.fromkeys(NETWORKS, "done")
        assert {name: t.texts(name) for name in NETWORKS} == {name: [] for name in NETWORKS}


async def test_threads_grow_and_shrink(town: Any) -> None:
    async with town(**stiff("repost")) as t:
        for count in (8, 40, 3, 60):
            words = " ".join(SENTENCES[:count])
            if count == 8:
                await t.gateway.desk.announce(words, key="night")
            else:
                assert set(outcomes(await t.gateway.desk.edit("night", words)).values()) <= {
                    "done",
                    "queued",
                    "sending",
                }
            await t.until_settled()
            for name in NETWORKS:
                assert " ".join(t.texts(name)) == words, name


async def test_a_copy_that_was_diverted_is_taken_away_where_it_is(town: Any) -> None:
    from town_rig import route

    async with town("x", "mastodon", routes=route("x", "mastodon")) as t:
        t.strikes("x", Trouble.SUSPEND)
        await t.gateway.desk.check()
        told = await t.gateway.desk.announce("Only for X", accounts=["x/main"], key="moved")
        await t.until(lambda: t.texts("mastodon", "Only for X") != [])
        await t.until_settled()
        answer = await t.gateway.desk.delete(told["deliveries"][0]["id"])
        assert outcomes(answer) == {"mastodon": "done"}
        assert t.texts("mastodon", "Only for X") == []


async def test_what_nobody_said_is_not_changed(town: Any) -> None:
    async with town("mastodon") as t:
        with pytest.raises(DeskError, match="no announcement or delivery"):
            await t.gateway.desk.delete("nothing")
        with pytest.raises(DeskError, match="empty"):
            await t.gateway.desk.edit("nothing", "  ")

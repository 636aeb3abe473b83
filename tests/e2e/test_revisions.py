"""What stands on all five networks says something else, or goes away: what people see then, and what the operator is
told of each copy.
"""

from __future__ import annotations

import io
from typing import Any

import pytest
from msgspec import structs
from PIL import Image
from town_rig import CAN_EDIT, NETWORKS

from adapters.sandbox.faults import Trouble
from gateway.desk.desk import DeskError

STIFF = tuple(name for name in NETWORKS if name not in CAN_EDIT)
SENTENCES = [f"Sentence {n} of the report says what happened in hour {n} of the long night." for n in range(60)]


def stiff(correction: str) -> dict[str, Any]:
    """X and Bluesky edit nothing, and Telegram takes no media away; what happens instead."""
    return {name: {"posting": {"correction": correction}} for name in (*STIFF, "telegram")}


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
        for before, answering in filter(lambda held: held[1:], map(t.messages, NETWORKS)):
            assert answering.in_reply_to == before.id
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


def picture(color: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(file, "PNG")
    return file.getvalue()


def shown(t: Any) -> dict[str, list[tuple[str, list[str]]]]:
    return {name: [(m.text, [one["alt"] for one in m.media]) for m in t.messages(name)] for name in NETWORKS}


@pytest.mark.parametrize("correction", ["leave", "repost"])
async def test_media_stay_are_exchanged_or_go(town: Any, correction: str) -> None:
    async with town(**stiff(correction)) as t:
        desk = t.gateway.desk
        red, blue = [structs.replace(await desk.keep(picture(one), f"{one}.png"), alt=one) for one in ("red", "blue")]
        await desk.announce("One", key="k", media=[red])
        await t.until_settled()
        steps = [
            ({"text": "Two"}, "Two", ["red"]),
            ({"text": "Three", "media": [blue]}, "Three", ["blue"]),
            ({"text": "Four"}, "Four", ["blue"]),
            ({"text": "Five", "without_media": True}, "Five", []),
        ]
        for asked, text, alts in steps:
            told = outcomes(await desk.edit("k", **asked))
            await t.until_settled()
            for name, messages in shown(t).items():
                kept = [""] * len(alts) if name == "telegram" else alts
                if correction == "leave" and name in STIFF:
                    assert (told[name], messages) == ("refused", [("One", ["red"])])
                elif correction == "leave" and name == "telegram" and not alts:
                    assert (told[name], messages) == ("refused", [("Four", [""])])
                else:
                    assert messages == [(text, kept)], name


async def test_a_poll_stays_where_its_words_change_or_says_why_they_do_not(town: Any) -> None:
    async with town(**stiff("leave")) as t:
        await t.gateway.desk.announce('+++\n[poll]\noptions = ["tea", "milk"]\n+++\nWhich?', key="k")
        await t.until_settled()
        copies = (await t.gateway.desk.edit("k", "Which one?"))["copies"]
        reasons = {row["account"].partition("/")[0]: row["reason"] for row in copies}
        assert (reasons.pop("mastodon"), t.texts("mastodon")) == ("", ["Which one?"])
        assert t.messages("mastodon")[0].extra["poll"]
        assert all("can't be edited" in reasons[name] for name in STIFF)
        assert all("poll" in reasons[name] for name in ("discord", "telegram"))
        assert all(t.texts(name) == ["Which?"] for name in ("discord", "telegram"))


async def test_what_nobody_said_is_not_changed(town: Any) -> None:
    async with town("mastodon") as t:
        with pytest.raises(DeskError, match="no announcement or delivery"):
            await t.gateway.desk.delete("nothing")
        with pytest.raises(DeskError, match="empty"):
            await t.gateway.desk.edit("nothing", "  ")

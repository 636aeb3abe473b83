"""Reactions and reposts over the whole gateway, both ways: what an agent does, and what it is told that others did."""

from __future__ import annotations

from typing import Any

import pytest
from town_rig import NETWORKS

from gateway.model.capabilities import Feature
from gateway.model.delivery import Change, State
from gateway.model.events import PlatformEvent, Reacted, Reposted
from gateway.wiring import platforms

PROFILES = {name: platforms()[name].profile for name in NETWORKS}
MARKS = {"x": {"retweet"}, "discord": {"❤️"}, "telegram": {"❤"}, "bluesky": {"like"}, "mastodon": {"favourite"}}
"""How each network keeps the heart that an agent gives; on X, which has none to give, that it was shown to others."""
SHOWN = {"bluesky": "reposts", "mastodon": "reblogs"}
"""Where the others keep that."""
TOLD: list[PlatformEvent] = []


async def reply(message: Any, conversation: Any) -> str | None:
    """Likes what it hears, shows it on, and answers."""
    if "like" not in message.text:
        return None
    await conversation.react("❤️")
    if not conversation.private:
        await conversation.repost()
    return "thank you"


async def happened(event: PlatformEvent) -> None:
    TOLD.append(event)


AGENT = 'test_gestures:reply"\nevents = "test_gestures:happened'


@pytest.mark.parametrize("name", NETWORKS)
async def test_an_agent_reacts_and_reposts_where_the_platform_has_it(town: Any, name: str) -> None:
    async with town(name, handler=AGENT) as t:
        heard = t.says(name, "please like this", kind="group" if name in ("discord", "telegram") else "mention")
        await t.until(lambda: t.texts(name, "thank you") != [])
        await t.until_settled()
        assert [one["reaction"] for one in heard.reactions] == list(MARKS[name])
        assert len(heard.extra.get(SHOWN.get(name, ""), [])) == (name in SHOWN)
        await refusals(t, name)


async def refusals(t: Any, name: str) -> None:
    """What the platform has not is refused in words, and nothing else is."""
    found = await t.gateway.services.store.deliveries(states=frozenset({State.REFUSED}), limit=10)
    lacking = {change for change in (Change.REACT, Change.REPOST) if not PROFILES[name].supports(Feature(change))}
    assert {one.reason for one in found} == {f"there is no {change} here" for change in lacking}


@pytest.mark.parametrize("name", NETWORKS)
async def test_what_others_make_of_our_message_reaches_the_agent(town: Any, name: str) -> None:
    async with town(name, handler=AGENT) as t:
        TOLD.clear()
        face = t.sandbox.faces[name]
        t.says(name, "please like this", kind="group" if name in ("discord", "telegram") else "mention")
        await t.until(lambda: t.texts(name, "thank you") != [])
        await t.until_settled()
        (ours,) = t.messages(name, "thank you")
        expected = set()
        for doing, kind in (("person_reacts", Reacted), ("person_reposts", Reposted)):
            if (act := getattr(face, doing, None)) is not None:
                act("ben", ours.id, *(["👍"] if name in ("discord", "telegram") else []))
                expected.add(kind)
        await t.until(lambda: {type(event) for event in TOLD} >= expected)
        for event in TOLD:
            assert isinstance(event, Reacted | Reposted)
            assert (event.account, event.author.handle.partition(".")[0]) == (f"{name}/main", "ben")
            assert ours.id in event.ref
            if isinstance(event, Reacted):
                assert event.reaction == ("👍" if name in ("discord", "telegram") else "❤️")
